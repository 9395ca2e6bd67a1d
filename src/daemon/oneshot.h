/* A node for one question from the command line: no device, no control socket, random
 * ports, gone when the answer is there. Only while no daemon runs: two nodes with one
 * identity confuse their peers. */
#ifndef PU_DAEMON_ONESHOT_H
#define PU_DAEMON_ONESHOT_H

#include "daemon/api.h"
#include "daemon/paths.h"

enum { PU_ONESHOT_TIMEOUT_S = 30, PU_ONESHOT_LOOK_MS = 4000 };

struct pu_oneshot;

struct pu_pairing;

struct pu_oneshot_pong {
	int err; /* 0, or why there is no answer */
	bool relayed;
	pu_time rtt;
	char error[PU_API_ERROR_MAX + 1]; /* text for err */
};

/* Loads config and identity. why tells the cause of a failure. */
int pu_oneshot_new(const struct pu_paths *paths, struct pu_oneshot **po, struct pu_failure *why);
/* The same, but on the ports that the config names: others shall find it. */
int pu_oneshot_new_host(const struct pu_paths *paths, struct pu_oneshot **po,
			struct pu_failure *why);
/* Invitations and codes of that node. Calls into it belong between enter and leave. */
struct pu_pairing *pu_oneshot_pairing(struct pu_oneshot *o);
void pu_oneshot_enter(struct pu_oneshot *o);
void pu_oneshot_leave(struct pu_oneshot *o);
/* Runs until done, which is asked every 50 ms, says so. */
void pu_oneshot_run(struct pu_oneshot *o, bool (*done)(void *arg), void *arg);
/* Closes connections politely. NULL is fine. */
void pu_oneshot_free(struct pu_oneshot *o);

/* One ping, connecting first when needed. Blocks until answered or
 * PU_ONESHOT_TIMEOUT_S are over. */
void pu_oneshot_ping(struct pu_oneshot *o, const struct pu_peerid *peer,
		     struct pu_oneshot_pong *out);

/* The hops to a peer; agents are not kept ("" all). */
void pu_oneshot_trace(struct pu_oneshot *o, const struct pu_peerid *peer,
		      struct pu_trace_result *out);

/* Has via wake the peer; err as pu_wake_fn, PU_ENOENT: no hardware address is known. */
int pu_oneshot_wake(struct pu_oneshot *o, const struct pu_peerid *peer,
		    const struct pu_peerid *via);

/* Waits until a connected peer has said what it offers, a few seconds at most, and shows it;
 * PU_ENOENT: not known at all. */
int pu_oneshot_look(struct pu_oneshot *o, const struct pu_peerid *peer, pu_api_peer_fn *fn,
		    void *arg);

#endif
