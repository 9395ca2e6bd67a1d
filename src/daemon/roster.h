/* The peers this node knows of: authorised, named or configured. Each has a handle,
 * which the data plane uses in place of a peer ID, and addresses of this node's own
 * view. Entries are never removed while the node lives, so handles stay valid. */
#ifndef PU_DAEMON_ROSTER_H
#define PU_DAEMON_ROSTER_H

#include "overlay/member.h"
#include "overlay/offers.h"
#include "overlay/sas.h"
#include "overlay/vip.h"

enum {
	PU_ROSTER_MAX = PU_VIP_PEERS_MAX,
	PU_ROSTER_NAME_MAX = 255,
};

struct pu_roster_peer {
	struct pu_peerid id;
	uint32_t handle; /* from 1 */
	struct pu_vip local;	 /* how this machine's programs see the peer */
	struct pu_vip canonical; /* how packets on the wire name it */
	bool same_v4, same_v6;	 /* local equals canonical: nothing to rewrite */
	char name[PU_ROSTER_NAME_MAX + 1]; /* first of the config, "" when none */
	bool authorized;	 /* on our list; whether it has expired is asked per use */
	enum pu_access access;	 /* that we grant */
	int64_t expires;
	bool lapsed;		 /* the node acted on the expiry: nothing of the peer is left */
	enum pu_sas_state trust; /* were codes compared with it? */
	bool configured;	 /* has addresses in the config: kept connected */
	/* What the peer told about itself. */
	bool offer_known;
	enum pu_access granted; /* to us */
	struct pu_offer_service *services;
	size_t n_services;
	struct pu_offer_route *routes;
	size_t n_routes;
};

struct pu_roster;

int pu_roster_new(struct pu_vip_table *vips, const uint8_t key[16], struct pu_roster **pr);
void pu_roster_free(struct pu_roster *r);

/* The entry, made when it is missing. PU_ENOMEM, PU_ELIMIT. */
int pu_roster_add(struct pu_roster *r, const struct pu_peerid *id, struct pu_roster_peer **pp);
struct pu_roster_peer *pu_roster_find(struct pu_roster *r, const struct pu_peerid *id);
/* NULL for 0 and unknown handles. */
struct pu_roster_peer *pu_roster_at(const struct pu_roster *r, uint32_t handle);
size_t pu_roster_count(const struct pu_roster *r);
/* True when the table of addresses got entries since it was last asked. */
bool pu_roster_take_dirty(struct pu_roster *r);

/* Keeps a copy of the offer. PU_ENOMEM leaves the former one. */
int pu_roster_set_offer(struct pu_roster_peer *p, const struct pu_offer *offer);
void pu_roster_clear_offer(struct pu_roster_peer *p);
/* Authorised and not expired at that Unix time. */
static inline bool pu_roster_allowed(const struct pu_roster_peer *p, int64_t now)
{
	return p && p->authorized && now < p->expires;
}

#endif
