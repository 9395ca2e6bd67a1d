/* A peer becomes known: authorised, named, reachable. Several files change (authorized_keys,
 * the config), all or nothing, also across a crash: what is to be done is first written
 * to a journal beside the config (.enrolment, 0600), done step by step, each step without
 * effect when it is done already, and then the journal goes. Used by invitations, pairing and
 * introductions, with a daemon or without. */
#ifndef PU_DAEMON_ENROLMENT_H
#define PU_DAEMON_ENROLMENT_H

#include "daemon/config.h"
#include "daemon/enrolment_name.h"
#include "overlay/member.h"

enum {
	PU_ENROLMENT_PEERS_MAX = 256,
	PU_ENROLMENT_RELAYS_MAX = 8,
	PU_ENROLMENT_ADDRS_MAX = 8,
	PU_ENROLMENT_JOURNAL_MAX = 1024 * 1024,
};
#define PU_ENROLMENT_JOURNAL ".enrolment"

struct pu_enrolment_peer {
	struct pu_peerid id;
	char name[PU_ENROLMENT_NAME_MAX + 1]; /* wanted, clean; "" for none. What it became: out */
	char comment[257];
	enum pu_access access;
	int64_t expires;       /* PU_MEMBER_NO_EXPIRY; a peer that is a member already keeps its own */
	char group[65];        /* "" for none */
	char hmac_proof[65];   /* "" for none */
	bool unnamed;          /* a relay: listed for its group, with access=none */
	/* To be kept in the config, for peers that nothing else leads to. Without /p2p. */
	size_t n_addrs;
	struct pu_multiaddr addr[PU_ENROLMENT_ADDRS_MAX];
	/* Until expires, unless pu_enrolment_settle() makes it for good (pending= in the file). */
	bool provisional;
	bool was_member;       /* out: authorised before */
	bool named;            /* out: the name is new */
};

struct pu_enrolment {
	int64_t now; /* Unix seconds: who is a member already */
	size_t n_peers;
	struct pu_enrolment_peer *peer;
	size_t n_relays; /* to be added to relay.addresses, those there already aside */
	struct pu_multiaddr relay[PU_ENROLMENT_RELAYS_MAX];
	char network[64]; /* discovery.network of a config that has none; "": as it is */
};

/* Name and comment of a new peer: what is usable of the name it goes by, or something made
 * of its ID. */
void pu_enrolment_call(const struct pu_peerid *peer, const char *from,
		       struct pu_enrolment_peer *out);

/* Does all of it. A name that another peer has gets -2 … -100, and so does a comment equal to
 * it. The caller has the node load its files again. On failure nothing has changed, or (power
 * loss) the journal says what is left to do. cfg: as loaded from its file; owner: of new files,
 * may be NULL. */
int pu_enrolment_apply(const struct pu_config *cfg, const struct pu_file_owner *owner,
		       struct pu_enrolment *e, struct pu_failure *why);
/* Finishes what a journal says, if there is one. Call before the config at that path is used. */
int pu_enrolment_recover(const char *config, const struct pu_file_owner *owner,
			 struct pu_failure *why);
/* Takes a provisional peer back, with the name that it got, or makes it one for good
 * (forever). One that is not provisional stays as it is. PU_ENOENT: no member at all. */
int pu_enrolment_settle(const struct pu_config *cfg, const struct pu_peerid *peer, bool forever);
/* Calls fn for every provisional peer. */
int pu_enrolment_each_provisional(const struct pu_config *cfg,
				  void (*fn)(void *arg, const struct pu_peerid *peer,
					     int64_t expires),
				  void *arg);

#endif
