/* Two hosts that cannot reach each other, and relays that both can reach.
 *
 *   a 11.0.0.1 ──┐        ┌── relay[0] 11.0.0.101
 *                ├── all ─┤
 *   b 11.0.0.2 ──┘        └── relay[1] 11.0.0.102
 *   (between a and b nothing passes)
 */
#ifndef PU_TESTS_SUPPORT_CIRCUIT_LAB_H
#define PU_TESTS_SUPPORT_CIRCUIT_LAB_H

#include "p2p/circuit/hop.h"
#include "p2p/circuit/relays.h"
#include "p2p/circuit/transport.h"
#include "support/hosts.h"

enum { CIRCUIT_LAB_RELAYS = 2 };

/* A host that can use relays. */
struct circuit_end {
	struct test_host t;
	struct pu_transport *circuit;
	struct pu_relays *relays;
	struct pu_relay_info last; /* of the last on_change */
	unsigned changes;
};

struct circuit_lab {
	struct pu_sim *sim;
	struct circuit_end a, b;
	struct test_host relay[CIRCUIT_LAB_RELAYS];
	struct pu_hop *hop[CIRCUIT_LAB_RELAYS];
	struct pu_hop_options opt;
	struct pu_circuit_options circuit; /* of a and b */
	struct pu_sim_link link;
	const char *const *listen; /* of all hosts */
};

/* Change opt, circuit, link, listen and the hosts' cfg before the others. */
void circuit_lab_init(struct circuit_lab *l);
void circuit_lab_start(struct circuit_lab *l);
void circuit_lab_stop(struct circuit_lab *l);
void circuit_lab_start_end(struct circuit_lab *l, struct circuit_end *e);
void circuit_lab_stop_end(struct circuit_end *e);
void circuit_lab_start_relay(struct circuit_lab *l, unsigned i);
void circuit_lab_stop_relay(struct circuit_lab *l, unsigned i);

/* "/ip4/11.0.0.101/tcp/4001/p2p/…" of relay i. */
struct pu_multiaddr circuit_lab_relay_addr(const struct circuit_lab *l, unsigned i);
/* …/p2p-circuit */
struct pu_multiaddr circuit_lab_circuit_addr(const struct circuit_lab *l, unsigned i);
/* Makes the relay client of e use the first n relays. */
void circuit_lab_use_relays(struct circuit_lab *l, struct circuit_end *e, unsigned n);
enum pu_relay_state circuit_lab_state(const struct circuit_end *e, unsigned i);
/* e holds a reservation on the i-th relay of its list within the limit. */
bool circuit_lab_reserved(struct circuit_lab *l, struct circuit_end *e, unsigned i, pu_time limit);
/* Tells from that to is behind relay i. */
void circuit_lab_introduce(struct circuit_lab *l, struct circuit_end *from,
			   const struct circuit_end *to, unsigned i);

#endif
