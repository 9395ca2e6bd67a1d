/* Pairing with a relay, /peerup/relay-pair/1.0.0: who holds one of a group's codes becomes a
 * member of the relay and hears of the others in the group. Wire format and its limits:
 * docs/protocols/pairing.md. */
#ifndef PU_OVERLAY_PAIR_PAIR_H
#define PU_OVERLAY_PAIR_PAIR_H

#include "overlay/pair/group.h"
#include "p2p/host/host.h"

#define PU_PAIR_PROTOCOL "/peerup/relay-pair/1.0.0"

/* The relay. Whatever is wrong, a joiner hears the same; see guesses.h for how often. */
struct pu_pair_server;

enum {
	PU_PAIR_STREAMS_MAX = 64,
	PU_PAIR_STREAMS_PER_CONN = 2,
	PU_PAIR_DEADLINE_S = 10, /* from the opening of a stream to its end */
};

struct pu_pair_server_options {
	struct pu_groups *groups; /* outlives it */
	/* The code was good: make the peer a member, durably, before it is told so. slot->name
	 * is as sent and may be replaced: that is how others hear of the peer. < 0: the peer is
	 * told that pairing failed and the code is free again. */
	int (*on_paired)(void *arg, const struct pu_group *g, struct pu_group_slot *slot);
	/* The answer is on its way. May be NULL. */
	void (*on_answered)(void *arg, const struct pu_group *g, const struct pu_peerid *peer);
	/* Is who paired still a member? Others are not told of one who is not. NULL: yes. */
	bool (*is_member)(void *arg, const struct pu_peerid *peer);
	void *arg;
};
int pu_pair_server_new(struct pu_host *h, const struct pu_pair_server_options *opt,
		       struct pu_pair_server **ps);
void pu_pair_server_free(struct pu_pair_server *s);

/* The joiner. */
struct pu_pair_peer {
	struct pu_peerid id;
	char name[PU_GROUP_NAME_MAX + 1]; /* as sent: clean it */
};
struct pu_pair_result {
	char group[PU_GROUP_ID_MAX + 1]; /* [a-z0-9], as we accept it */
	unsigned size;                   /* codes of the group */
	uint8_t proof[32];               /* HMAC-SHA256(token, group) */
	size_t n_peers;
	struct pu_pair_peer peer[PU_GROUP_CODES_MAX];
};
struct pu_pair_request;
/* err: PU_EDENIED (a wrong, used or expired code: the relay does not say which), PU_ENOPROTO,
 * PU_EPROTO, PU_ETIMEDOUT. Once, later, unless canceled. */
typedef void pu_pair_fn(void *arg, int err, const struct pu_pair_result *r);
/* The host knows an address of the relay already. */
int pu_pair_redeem(struct pu_host *h, const struct pu_peerid *relay, const uint8_t token[16],
		   const char *name, pu_pair_fn *on_done, void *arg, struct pu_pair_request **pr);
void pu_pair_cancel(struct pu_pair_request *r);

#endif
