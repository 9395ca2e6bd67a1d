/* Circuits as a transport: dials <relay address>/p2p/<relay>/p2p-circuit and takes what
 * relays bring (the stop protocol). A circuit is a stream to the relay with a security
 * handshake and a muxer of its own inside, so the relay sees ciphertext only.
 *
 * The connections have limited set, whether or not the relay told a limit; their remote
 * address is <relay address>/p2p/<relay>/p2p-circuit, and so is their local one. */
#ifndef PU_P2P_CIRCUIT_TRANSPORT_H
#define PU_P2P_CIRCUIT_TRANSPORT_H

#include "p2p/host/host.h"
#include "p2p/transport/transport.h"

enum {
	PU_CIRCUIT_DIALS_MAX = 64,           /* at once */
	PU_CIRCUIT_DIALS_PER_RELAY = 32,
	PU_CIRCUIT_PENDING_MAX = 64,         /* brought by relays, not connections yet */
	PU_CIRCUIT_PENDING_PER_RELAY = 16,
	PU_CIRCUIT_STOP_TIMEOUT_S = 10,      /* for the relay to say who calls */
	PU_CIRCUIT_HANDSHAKE_TIMEOUT_S = 15, /* with the peer behind it */
	PU_CIRCUIT_OUTCOMES_MAX = 64,        /* remembered */
};

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

/* How the last dial to a peer through a relay ended. */
struct pu_circuit_outcome {
	struct pu_peerid relay, target;
	int err;         /* 0: a connection */
	uint32_t status; /* what the relay said, 0 when it said nothing */
	pu_time at;
};

struct pu_circuit_stats {
	uint64_t dials, dials_failed;
	uint64_t brought;   /* circuits that relays offered */
	uint64_t accepted;  /* of which a connection came out */
	uint64_t refused;   /* not from this relay, or too many at once */
	uint64_t malformed; /* relays that broke the protocol */
	unsigned open, pending; /* now */
};

/* Makes the transport, adds it to the host (which owns it then) and registers the stop
 * protocol. *pt is borrowed. opt may be NULL. */
int pu_circuit_transport_new(struct pu_host *h, const struct pu_circuit_options *opt,
			     struct pu_transport **pt);
/* The limit of a relayed connection; false when c is not one. */
bool pu_circuit_limit_of(const struct pu_transport *t, const struct pu_conn *c,
			 struct pu_circuit_limit *out);
/* The relay that carries c; false when c is direct. */
bool pu_circuit_relay_of(const struct pu_conn *c, struct pu_peerid *relay);
/* The last outcome with each relay for that peer; how many. */
size_t pu_circuit_outcomes(const struct pu_transport *t, const struct pu_peerid *target,
			   struct pu_circuit_outcome *out, size_t cap);
void pu_circuit_stats(const struct pu_transport *t, struct pu_circuit_stats *out);

#endif
