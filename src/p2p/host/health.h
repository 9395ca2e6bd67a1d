/* Is a connection's path alive? Watched are the connections of protected peers, and only
 * while the peer owes an answer to what we sent: a connection that is idle or well costs
 * nothing.
 *
 *   well      chosen for new streams and packets
 *   watched   owed an answer for a second; looked at and asked several times a second,
 *             and so are the peer's other connections, which may share its fate
 *   suspect   nothing came for PU_HEALTH_SUSPECT_*: passed over while there is another
 *             connection; asked once a second; well again when it has answered for a
 *             while, longer every time; closed when it stayed silent and another one
 *             does its work
 *
 * Slow is not dead: the limit follows the round trip time, a queue of two seconds and
 * some loss are below it, and the time that this process itself slept does not count. */
#ifndef PU_P2P_HOST_HEALTH_H
#define PU_P2P_HOST_HEALTH_H

#include "base/loop.h"

enum {
	PU_HEALTH_TICK_MS = 250,
	/* Silence that makes suspect: a second and three round trips, within these. */
	PU_HEALTH_SUSPECT_MIN_MS = 2500,
	PU_HEALTH_SUSPECT_MAX_MS = 6000,
	/* The same when there is more reason for doubt: another connection to the peer went
	 * silent, or the peer itself turned to another one. */
	PU_HEALTH_DOUBT_MS = 1000,
	PU_HEALTH_ASK_MS = 1000,     /* between questions to a suspect */
	PU_HEALTH_CLOSE_MS = 10000,  /* of silence, once there is a replacement */
	PU_HEALTH_RECOVER_MS = 5000, /* of answers; doubled with every relapse, up to */
	PU_HEALTH_RECOVER_DOUBLINGS = 4,
};

struct host_conn;

enum pu_health_state { PU_HEALTH_WELL, PU_HEALTH_WATCHED, PU_HEALTH_SUSPECT };

/* Part of a struct host_conn. */
struct pu_health {
	struct pu_timer timer;
	enum pu_health_state state;
	pu_time since;        /* of the state */
	pu_time looked_at;    /* last tick */
	pu_time silent;       /* nothing heard for so long, our own sleep left out */
	pu_time answering;    /* a suspect answers since; 0: it does not */
	pu_time asked_at;     /* the last question to a suspect */
	unsigned n_suspected; /* how often */
	bool doubted;         /* less patience this time */
};

void pu_health_init(struct host_conn *hc);
void pu_health_stop(struct host_conn *hc);
/* The connection says that an answer is overdue. */
void pu_health_quiet(struct host_conn *hc);
/* Is it alive? Somebody has reason to ask. */
void pu_health_doubt(struct host_conn *hc);

#endif
