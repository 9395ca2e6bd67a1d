/* Our reservations: keeps one on each of the relays that the user listed, renewed in
 * time, made again when a relay comes back, and advertises the circuit addresses. */
#ifndef PU_P2P_CIRCUIT_RELAYS_H
#define PU_P2P_CIRCUIT_RELAYS_H

#include "p2p/circuit/transport.h"

struct pu_relays;

enum {
	PU_RELAYS_MAX = 16,
	PU_RELAYS_ADDRS_MAX = 8,       /* of one relay, configured or told by it */
	PU_RELAYS_ADVERTISED_MAX = 16, /* circuit addresses of ours in all */
};

enum pu_relay_state {
	PU_RELAY_CONNECTING,
	PU_RELAY_RESERVING,
	PU_RELAY_RESERVED,
	PU_RELAY_WAITING, /* failed, tried again at next_at */
};

/* One relay, as status shows it. */
struct pu_relay_info {
	struct pu_peerid relay;
	struct pu_multiaddr addr; /* as configured, without /p2p */
	enum pu_relay_state state;
	bool news;           /* told for the first time since the state is what it is */
	int err;             /* why the last attempt failed */
	uint32_t status;     /* what the relay said, 0 when it said nothing */
	int64_t expires;     /* Unix seconds */
	pu_time reserved_at, next_at;
	bool voucher;        /* a valid one came with it */
	struct pu_circuit_limit limit;
};

struct pu_relays_events {
	/* A reservation was made, renewed, lost or refused. Not the place to change the
	 * list of relays. */
	void (*on_change)(void *arg, const struct pu_relay_info *info);
};

/* interval: renew at least this often; 0: by the expiry alone. */
int pu_relays_new(struct pu_host *h, pu_time interval, const struct pu_relays_events *ev, void *arg,
		  struct pu_relays **pr);
void pu_relays_free(struct pu_relays *r);
/* The relays to use, several addresses of one relay together or not, each ending in
 * /p2p/<relay>. What was there and is no more is given up. PU_ELIMIT, PU_EINVAL. */
int pu_relays_set(struct pu_relays *r, const struct pu_multiaddr *addrs, size_t n);
/* The network changed: everything is tried now. */
void pu_relays_network_changed(struct pu_relays *r);
size_t pu_relays_list(const struct pu_relays *r, struct pu_relay_info *out, size_t cap);
/* Addresses at which that peer is reached through our relays:
 * <relay>/p2p/<id>/p2p-circuit; how many. The relay itself gets none. */
size_t pu_relays_circuits_to(const struct pu_relays *r, const struct pu_peerid *peer,
			     struct pu_multiaddr *out, size_t cap);

#endif
