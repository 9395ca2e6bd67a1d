/* Two hosts behind NATs of any kind, a relay that both reach, and hole punching.
 *
 *   a ── NAT 11.0.1.1 ──┐
 *                       ├── Internet ── relay 11.0.0.101
 *   b ── NAT 11.0.2.1 ──┘
 */
#ifndef PU_TESTS_SUPPORT_PUNCH_LAB_H
#define PU_TESTS_SUPPORT_PUNCH_LAB_H

#include "p2p/dcutr/dcutr.h"
#include "support/circuit_lab.h"
#include "support/simnet_nat.h"

enum punch_lab_nat {
	PUNCH_LAB_NONE,
	PUNCH_LAB_FULL_CONE,
	PUNCH_LAB_ADDRESS_RESTRICTED,
	PUNCH_LAB_PORT_RESTRICTED,
	PUNCH_LAB_SYMMETRIC,
	PUNCH_LAB_CGNAT, /* two boxes, both port restricted */
	PUNCH_LAB_NATS,
};

extern const char *const punch_lab_nat_names[PUNCH_LAB_NATS];

struct punch_lab_side {
	struct circuit_end *e;
	struct pu_dcutr *d;
	struct pu_sim_nat *nat; /* outermost, NULL: none */
	unsigned results;
	struct pu_dcutr_result last;
};

struct punch_lab {
	struct circuit_lab c;
	struct punch_lab_side a, b;
	enum pu_ma_kind transport; /* PU_MA_KIND_OTHER: both */
	struct pu_dcutr_options opt;
};

/* Change opt, c.link and the hosts' cfg before the start. */
void punch_lab_init(struct punch_lab *l, enum pu_ma_kind transport, enum punch_lab_nat a,
		    enum punch_lab_nat b);
/* Everything runs, both have a reservation; one transport to the relay is used (QUIC if
 * both may be). */
void punch_lab_start(struct punch_lab *l);
void punch_lab_stop(struct punch_lab *l);
/* from dials to through the relay, so to leads. */
void punch_lab_dial(struct punch_lab *l, struct punch_lab_side *from, struct punch_lab_side *to);
/* Best connection, seen from one side. */
bool punch_lab_direct(const struct punch_lab_side *from, const struct punch_lab_side *to);
/* Until both have n results. */
bool punch_lab_results(struct punch_lab *l, unsigned n, pu_time limit);

#endif
