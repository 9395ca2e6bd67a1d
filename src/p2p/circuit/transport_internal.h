/* What transport.c, dial.c and stop.c (circuits that relays bring) share. */
#ifndef PU_P2P_CIRCUIT_TRANSPORT_INTERNAL_H
#define PU_P2P_CIRCUIT_TRANSPORT_INTERNAL_H

#include "p2p/circuit/message.h"
#include "p2p/circuit/pipe.h"
#include "p2p/circuit/transport.h"
#include "p2p/stack/upgrade.h"

struct pu_circuit_transport {
	struct pu_transport t;
	struct pu_host *h;
	struct pu_transport_config cfg;
	struct pu_circuit_options opt;
	struct pu_tcp_transport_options security; /* the same inside a circuit as on TCP */
	struct pu_tls_credentials *tls; /* NULL when TLS is not offered */
	struct pu_list dials;
	struct pu_list pending; /* p2p/circuit/stop.c */
	struct pu_list pipes;
	unsigned n_dials, n_pending;
	struct pu_circuit_outcome *outcomes; /* PU_CIRCUIT_OUTCOMES_MAX */
	size_t n_outcomes;
	struct pu_circuit_stats stats;
};

/* For a circuit on a stream to that relay. */
struct pu_upgrade_config pu_circuit_upgrade_config(struct pu_circuit_transport *tr,
						   const struct pu_conn *relay);
struct pu_circuit_limit pu_circuit_limit_from(const struct pu_host *h,
					      const struct pu_peerid *relay,
					      const struct pu_circuit_message *m);

/* Replaces what was known about that relay and that peer. */
void pu_circuit_note_outcome(struct pu_circuit_transport *tr, const struct pu_circuit_outcome *o);

/* dial.c: operations of the transport. */
bool pu_circuit_can_dial(const struct pu_transport *t, const struct pu_multiaddr *ma);
int pu_circuit_dial(struct pu_transport *t, const struct pu_multiaddr *ma,
		    const struct pu_peerid *expected, pu_time timeout_ns, pu_dial_fn *on_done,
		    void *arg, struct pu_dial **pd);
void pu_circuit_dial_cancel(struct pu_transport *t, struct pu_dial *d);
void pu_circuit_dial_cancel_all(struct pu_circuit_transport *tr);

/* stop.c: the handler of the stop protocol; arg is the transport. */
void pu_circuit_stop_accept(void *arg, struct pu_stream *st);
void pu_circuit_stop_cancel_all(struct pu_circuit_transport *tr);

#endif
