/* Strangers who are let in to say one thing (pu_host_probation() of host.h). They have
 * their own place: nothing that deals with peers ever meets them. */
#ifndef PU_P2P_HOST_PROBATION_H
#define PU_P2P_HOST_PROBATION_H

#include "p2p/host/host.h"

struct host_conn;

/* One stranger, from the gate to the end of its connection. */
struct pu_probationer {
	bool taken;
	struct pu_peerid peer;
	pu_time until;        /* then it has to be gone */
	struct host_conn *hc; /* NULL before its handshake is over */
};

struct pu_probation {
	struct pu_host *h;
	const char *protocol;
	pu_time until;
	struct pu_probationer who[PU_HOST_PROBATION_MAX];
	struct pu_timer timer;
};

void pu_probation_init(struct pu_probation *pb, struct pu_host *h);
void pu_probation_allow(struct pu_probation *pb, const char *protocol, pu_time until);
/* Closes what there is; nobody is let in any more. */
void pu_probation_end(struct pu_probation *pb);
bool pu_probation_open(const struct pu_probation *pb);
/* The gate said no: is this one let in all the same? Keeps a place for it if so. */
bool pu_probation_admit(struct pu_probation *pb, const struct pu_peerid *peer,
			const struct pu_multiaddr *remote);
/* True when the connection is of somebody who was let in like that: it is taken over. */
bool pu_probation_adopt(struct pu_probation *pb, struct pu_conn *c);
/* May this protocol be spoken on such a connection? */
bool pu_probation_speaks(const struct pu_probation *pb, struct pu_bytes name);

#endif
