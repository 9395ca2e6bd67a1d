/* Circuits as a transport: dials <relay address>/p2p/<relay>/p2p-circuit and takes what
 * relays bring (the stop protocol). A circuit is a stream to the relay with a security
 * handshake and a muxer of its own inside, so the relay sees ciphertext only.
 *
 * The connections have limited set, whether or not the relay told a limit; their remote
 * address is <relay address>/p2p/<relay>/p2p-circuit. */
#ifndef PU_P2P_CIRCUIT_TRANSPORT_H
#define PU_P2P_CIRCUIT_TRANSPORT_H

#include "p2p/host/host.h"
#include "p2p/transport/transport.h"

struct pu_circuit_limit {
	bool told;        /* the relay sent a Limit */
	pu_time duration; /* 0: unlimited */
	uint64_t data;    /* bytes per direction, 0: unlimited */
};

struct pu_circuit_options {
	/* May this relay bring circuits? NULL: any peer that we are connected to. */
	bool (*accept_from)(void *arg, const struct pu_peerid *relay);
	void *arg;
};

/* Makes the transport, adds it to the host (which owns it then) and registers the stop
 * protocol. *pt is borrowed. */
int pu_circuit_transport_new(struct pu_host *h, const struct pu_circuit_options *opt,
			     struct pu_transport **pt);
/* The limit of a relayed connection; false when c is not one. */
bool pu_circuit_limit_of(const struct pu_transport *t, const struct pu_conn *c,
			 struct pu_circuit_limit *out);
/* The relay that carries c; false when c is direct. */
bool pu_circuit_relay_of(const struct pu_conn *c, struct pu_peerid *relay);

#endif
