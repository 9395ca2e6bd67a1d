/* The relay itself: hop side of circuit relay v2 (libp2p specs relay/circuit-v2.md).
 * Peers reserve; others reach them through us. What flows goes from stream to stream and
 * is never looked at.
 *
 * A peer has one reservation at most, however many connections it has. The reservation
 * ends with its time or with the last direct connection. Circuits outlive it.
 *
 * Of a circuit's data the relay holds nothing itself: what the receiver's stream does not
 * take stays in the sender's, and pu_host_config.stream_memory limits what these hold. */
#ifndef PU_P2P_CIRCUIT_HOP_H
#define PU_P2P_CIRCUIT_HOP_H

#include "p2p/host/host.h"

#define PU_HOP_PROTOCOL "/libp2p/circuit/relay/0.2.0/hop"
#define PU_STOP_PROTOCOL "/libp2p/circuit/relay/0.2.0/stop"

enum {
	PU_HOP_REQUESTS_MAX = 1024,    /* being read or connected, in all */
	PU_HOP_REQUESTS_PER_PEER = 32,
	PU_HOP_BURST = 64,             /* requests of one peer at once; then one per … */
	PU_HOP_REFILL_MS = 1000,
	PU_HOP_STREAM_TIMEOUT_S = 60,  /* for a request, and for the answer of the target */
	PU_HOP_CONNECT_TIMEOUT_S = 30, /* for a stream to the target */
	PU_HOP_CIRCUITS_PER_GUEST = 2, /* of a stranger on probation at the host */
};

struct pu_hop;

/* 0 means unlimited for duration and data only. */
struct pu_hop_limits {
	unsigned max_reservations;
	unsigned max_reservations_per_ip;  /* IPv4 address, IPv6 /64; not for WebSockets
					    * from this machine, where a web server ends TLS */
	unsigned max_reservations_per_asn; /* IPv6 /32 stands for an autonomous system */
	unsigned max_circuits;             /* in all */
	unsigned max_circuits_per_peer;    /* as source and as destination */
	pu_time reservation_ttl;
	pu_time duration;                  /* of one circuit */
	uint64_t data;                     /* bytes per direction of one circuit */
};

/* What a peer-up relay has by default. */
extern const struct pu_hop_limits pu_hop_limits_default;

struct pu_hop_options {
	struct pu_hop_limits limits;
	/* Asked on top of the host's gate. NULL: yes. A stranger on probation gets no
	 * reservation whatever may_reserve says. */
	bool (*may_reserve)(void *arg, const struct pu_peerid *peer);
	bool (*may_connect)(void *arg, const struct pu_peerid *from, const struct pu_peerid *to);
	void *arg;
	bool private_addrs; /* put our private addresses into reservations as well */
};

struct pu_hop_stats {
	unsigned reservations, circuits; /* now */
	uint64_t reserved, circuits_made; /* ever */
	uint64_t bytes;                  /* forwarded, both directions */
	/* Refusals by the status that was sent. */
	uint64_t refused_reservation, refused_limit, refused_permission, refused_unreachable,
		refused_no_reservation, malformed;
	uint64_t ended_by_duration, ended_by_data;
};

/* h outlives the relay. PU_ENOMEM, PU_EEXIST (somebody handles the protocol). */
int pu_hop_new(struct pu_host *h, const struct pu_hop_options *opt, struct pu_hop **ph);
/* Ends all circuits and reservations. */
void pu_hop_free(struct pu_hop *hop);
/* For reservations and circuits made from now on. */
void pu_hop_set_limits(struct pu_hop *hop, const struct pu_hop_limits *limits);
void pu_hop_stats(const struct pu_hop *hop, struct pu_hop_stats *out);
bool pu_hop_has_reservation(const struct pu_hop *hop, const struct pu_peerid *peer);
/* Addresses at which others reach the peer through us, as its reservation names them; 0
 * when it has none. */
size_t pu_hop_addrs_of(const struct pu_hop *hop, const struct pu_peerid *peer,
		       struct pu_multiaddr *out, size_t cap);
/* Takes the reservation and the circuits of a peer away (it is authorised no more). */
void pu_hop_expel(struct pu_hop *hop, const struct pu_peerid *peer);

#endif
