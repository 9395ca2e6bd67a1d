/* In which order and when the addresses of a peer are dialled. */
#ifndef PU_P2P_HOST_DIALER_H
#define PU_P2P_HOST_DIALER_H

#include "p2p/addr/multiaddr.h"

enum {
	PU_DIALER_PARALLEL_MAX = 8, /* at once, per peer */
	PU_DIALER_ATTEMPTS_MAX = 64,
	PU_DIALER_STEP_PUBLIC_MS = 250,
	PU_DIALER_STEP_PRIVATE_MS = 30,
	PU_DIALER_CIRCUIT_MS = 500,
	PU_DIALER_DNSADDR_DEPTH = 4,
};

struct pu_dial_plan {
	struct pu_multiaddr ma;
	pu_time delay; /* after the start */
};

/* Fills in the delays and sorts by them: QUIC first, IPv6 before IPv4, TCP and
 * WebSocket a step later, private and public addresses side by side, circuits at the
 * end when there is anything else. */
void pu_dialer_rank(struct pu_dial_plan *plan, size_t n);

/* The other end must have answered something for a dial to fail like that. */
bool pu_dialer_got_answer(int err);

#endif
