/* Works on the paths to the peers that this node wants (overlay/reach.c connects them in
 * the first place):
 *
 *   - a peer with a relayed path gets a direct one, one with TCP gets QUIC, as soon as
 *     that is possible: dialled and punched for on a schedule that thins out, and at once
 *     after a change of the network or when addresses become known;
 *   - a silent path is replaced while the connection waits for its fate;
 *   - a circuit whose relay limits it is followed by another one in time
 *     (overlay/renewal.h);
 *   - when no address works, others are asked for more.
 *
 * The better connection is in use as soon as it stands; what is left behind ends by itself
 * (p2p/host/connmgr.c keeps one spare of another kind). */
#ifndef PU_OVERLAY_PATH_H
#define PU_OVERLAY_PATH_H

#include "p2p/circuit/transport.h"
#include "p2p/host/paths.h"

enum {
	/* After which time with a lesser path the tries come; then again and again, each
	 * pause ±25 %. */
	PU_PATH_TRY_1_S = 2,
	PU_PATH_TRY_2_S = 10,
	PU_PATH_TRY_3_S = 30,
	PU_PATH_TRY_EVERY_S = 240,
	/* A direct path that lasted so long lets the schedule start over. */
	PU_PATH_STABLE_S = 60,
	/* A silent path without replacement: doubled up to the maximum. */
	PU_PATH_REPLACE_MIN_MS = 2000,
	PU_PATH_REPLACE_MAX_MS = 30000,
	/* Between questions for addresses: doubled up to the maximum. */
	PU_PATH_FIND_MIN_S = 15,
	PU_PATH_FIND_MAX_S = 600,
};

struct pu_path;

/* Any member may be NULL. */
struct pu_path_options {
	/* Starts to punch a hole to a peer with a relayed path (pu_dcutr_try). */
	int (*punch)(void *arg, const struct pu_peerid *peer);
	/* Looks for addresses of the peer (pu_kad_find_peer); they go to the host. */
	void (*find)(void *arg, const struct pu_peerid *peer);
	/* The limit of a relayed connection (pu_circuit_limit_of). */
	bool (*limit)(void *arg, const struct pu_conn *c, struct pu_circuit_limit *out);
	void *arg;
};

int pu_path_new(struct pu_host *h, const struct pu_path_options *opt, struct pu_path **pp);
void pu_path_free(struct pu_path *p);
/* The peers to care for: those that overlay/reach.c keeps connected. PU_ENOMEM. */
int pu_path_want(struct pu_path *p, const struct pu_peerid *peer);
void pu_path_unwant(struct pu_path *p, const struct pu_peerid *peer);
/* None of its addresses worked: looks for more, now and then. */
void pu_path_unreachable(struct pu_path *p, const struct pu_peerid *peer);
/* Everything is worth another try now. */
void pu_path_network_changed(struct pu_path *p);

enum pu_path_goal {
	PU_PATH_NONE,    /* as good as it gets, or not connected */
	PU_PATH_IMPROVE, /* a better one is sought */
	PU_PATH_REPLACE, /* the one in use is silent */
	PU_PATH_RENEW,   /* the circuit's limit is near */
	PU_PATH_N_GOALS,
};
const char *pu_path_goal_text(enum pu_path_goal g);

struct pu_path_info {
	enum pu_path_goal goal;
	bool trying;         /* right now */
	unsigned tries;      /* since the goal was set */
	int last_error;      /* of the last try, 0 before it */
	pu_time next_try;    /* PU_TIME_NEVER: none, or one is under way */
	unsigned improved, replaced, renewed; /* successes so far */
};
/* False when the peer is not wanted. */
bool pu_path_info(const struct pu_path *p, const struct pu_peerid *peer, struct pu_path_info *out);

#endif
