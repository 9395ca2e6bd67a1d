/* One code on its way to being redeemed. Only for the parts of pairing. */
#ifndef PU_DAEMON_PAIRING_JOIN_H
#define PU_DAEMON_PAIRING_JOIN_H

#include "daemon/pairing_internal.h"
#include "overlay/pair/pair.h"

enum { PU_JOIN_WAYS_MAX = 8 };

/* One of the places where somebody may know who has the number. */
struct pu_join_way {
	struct join *owner;
	struct pu_host_request *req;
	struct pu_nameplate_lookup *lookup;
	struct pu_peerid keeper;    /* who is there */
	struct pu_multiaddr remote; /* and where */
};

struct join {
	struct pu_pairing *owner;
	struct pu_code code;
	char name[PU_ENROLMENT_NAME_MAX + 1]; /* ours */
	enum pu_access access;
	pu_join_fn *on_done;
	void *arg;
	struct pu_timer timer; /* the whole thing */
	struct pu_timer last;  /* what has to leave before the end */
	/* Version 3. */
	struct pu_join_way way[PU_JOIN_WAYS_MAX];
	size_t n_ways, n_lost;
	int way_err;           /* the most telling one */
	struct pu_peerid keeper; /* that knew the number */
	/* Versions 1 and 3. */
	struct pu_peerid inviter;
	struct pu_host_request *opening;
	struct pu_talk talk;
	bool talking;
	bool stored;
	/* Version 2. */
	struct pu_pair_request *redeem;
	char group[PU_GROUP_ID_MAX + 1];
	/* The outcome. */
	struct pu_enrolment_peer *peer; /* n_peers, a relay behind them not counted */
	size_t n_peers;
};

/* pairing_join.c */
/* Ends it; j is gone. Not from inside pu_pairing_join(). */
void pu_join_succeed(struct join *j);
void pu_join_fail(struct join *j, int err, const char *hint, const char *why_fmt, ...)
	__attribute__((format(printf, 4, 5)));
void pu_join_fail_as(struct join *j, int err, const struct pu_failure *why);
/* May a node with this config belong to that network? Adopts it in e when it has none and
 * nobody else depends on that. */
int pu_join_check_network(const struct join *j, const char *network, struct pu_enrolment *e,
			  struct pu_failure *why);

/* pairing_meet.c: whom a code means and how to get there. */
int pu_join_meet_start(struct join *j, struct pu_failure *why);
void pu_join_meet_stop(struct join *j);
/* pairing_host.c: the conversation with the inviter. */
void pu_join_talk(struct join *j, struct pu_stream *st);
/* pairing_redeem.c: version 2. */
int pu_join_redeem_start(struct join *j, struct pu_failure *why);

#endif
