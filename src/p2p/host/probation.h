/* Strangers who are let in on business (pu_host_probation() of host.h). They have
 * their own place: nothing that deals with peers ever meets them. */
#ifndef PU_P2P_HOST_PROBATION_H
#define PU_P2P_HOST_PROBATION_H

#include "p2p/host/host.h"

struct host_conn;

/* Which protocol strangers may speak, how long, and whether through a relay, too. */
struct pu_probation_rule {
	const char *protocol; /* NULL: none */
	bool through_relays;
	pu_time until;
};

/* One stranger, from the gate to the end of its connection. */
struct pu_probationer {
	bool taken;
	bool relayed;
	bool promoted;        /* a member now: the job hands it over */
	struct pu_peerid peer;
	uint64_t network;     /* where it comes from; 0: unknown, or this machine */
	pu_time since;        /* its connection, when there is one */
	pu_time until;        /* then it has to be gone */
	unsigned n_streams;   /* it has opened so many */
	struct host_conn *hc; /* NULL before its handshake is over */
};

struct pu_probation {
	struct pu_host *h;
	struct pu_probation_rule rule[PU_HOST_PROBATION_RULES_MAX];
	struct pu_probationer who[PU_HOST_PROBATION_MAX];
	struct pu_timer timer;
	struct pu_job promotions;
};

void pu_probation_init(struct pu_probation *pb, struct pu_host *h);
int pu_probation_allow(struct pu_probation *pb, const char *protocol, bool through_relays,
		       pu_time until);
/* Closes what there is; nobody is let in any more. */
void pu_probation_end(struct pu_probation *pb);
bool pu_probation_open(const struct pu_probation *pb);
/* The gate said no: is this one let in all the same? Keeps a place for it if so. */
bool pu_probation_admit(struct pu_probation *pb, const struct pu_peerid *peer,
			const struct pu_multiaddr *remote);
/* True when the connection is of somebody who was let in like that: it is taken over. */
bool pu_probation_adopt(struct pu_probation *pb, struct pu_conn *c);
/* May this protocol be spoken on such a connection? */
bool pu_probation_speaks(const struct host_conn *hc, struct pu_bytes name);
/* It is spoken now: the stranger has come on business. */
void pu_probation_spoke(struct host_conn *hc);
/* Hands the connections of a peer that is a member now over to the host, soon. */
void pu_probation_promote(struct pu_probation *pb, const struct pu_peerid *peer);

#endif
