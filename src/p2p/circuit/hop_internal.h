/* The relay's state, for the files hop*.c. */
#ifndef PU_P2P_CIRCUIT_HOP_INTERNAL_H
#define PU_P2P_CIRCUIT_HOP_INTERNAL_H

#include "base/htab.h"
#include "p2p/circuit/hop.h"
#include "p2p/circuit/message.h"
#include "p2p/circuit/reader.h"

/* Where a reservation counts: one IPv4 address or IPv6 /64, and one IPv6 /32. */
struct hop_nets {
	struct pu_htab by_prefix; /* of struct hop_net */
};

struct hop_net;

/* A reservation's share of the counters; NULL: none. */
struct hop_place {
	struct hop_net *ip, *asn;
};

/* Somebody who reserved, relays or asks. Forgotten when it is gone and nothing is left. */
struct hop_peer {
	struct pu_hnode hnode;
	struct pu_peerid id;
	bool reserved;
	struct pu_list node; /* hop.reserved, by expiry, or hop.others */
	pu_time expires;
	struct hop_place place;
	unsigned n_circuits; /* made or being made, either end */
	unsigned n_requests; /* as the one who asks */
	unsigned tokens;     /* requests that are left, as of refilled_at */
	pu_time refilled_at;
};

enum hop_request_state {
	HOP_READING,    /* the request */
	HOP_OPENING,    /* the stream to the target */
	HOP_ASKING,     /* waits for the target's answer */
};

/* One hop stream until it is answered or becomes a circuit. */
struct hop_request {
	struct pu_list node; /* hop.requests, oldest first */
	struct pu_hop *hop;
	struct hop_peer *from, *to; /* to: of a CONNECT, with its circuit counted */
	enum hop_request_state state;
	struct pu_stream *st, *stop;
	bool from_ended; /* the asker has nothing to say already */
	struct pu_circuit_reader reader;
	struct pu_host_request *open;
	struct pu_timer timer;
};

/* One end of a circuit, with the bytes that came from it. */
struct hop_end {
	struct hop_circuit *circuit;
	struct hop_peer *peer;
	struct pu_stream *st;
	uint64_t passed;
	bool done; /* the other end was told that no more follows */
};

struct hop_circuit {
	struct pu_list node; /* hop.circuits */
	struct pu_hop *hop;
	struct hop_end from, to;
	uint64_t data_max; /* 0: unlimited */
	struct pu_timer end;
};

struct pu_hop {
	struct pu_host *h;
	struct pu_loop *loop;
	const struct pu_key *key;
	struct pu_hop_options opt;
	struct pu_host_observer observer;
	struct pu_htab peers; /* of struct hop_peer */
	struct hop_nets nets;
	struct pu_list reserved, others; /* all peers are in one of them */
	struct pu_list requests;
	struct pu_list circuits;
	unsigned n_requests;
	unsigned n_circuits; /* made or being made */
	struct pu_timer expiry;
	struct pu_hop_stats stats;
	struct pu_circuit_message scratch; /* too large for a stack frame */
};

/* hop_peers.c */
struct hop_peer *pu_hop_peers_find(const struct pu_hop *hop, const struct pu_peerid *id);
/* The peer, made when it is new; NULL without memory. */
struct hop_peer *pu_hop_peers_get(struct pu_hop *hop, const struct pu_peerid *id);
/* Forgets it unless something is left of it. */
void pu_hop_peers_settle(struct pu_hop *hop, struct hop_peer *p);
void pu_hop_peers_forget(struct pu_hop *hop, struct hop_peer *p);
/* Takes one from the peer's allowance of requests; false: it asks too often. */
bool pu_hop_peers_may_ask(struct pu_hop *hop, struct hop_peer *p);

/* hop_nets.c */
void pu_hop_nets_init(struct hop_nets *n, struct pu_loop *loop);
void pu_hop_nets_deinit(struct hop_nets *n);
/* Counts at that address, instead of at the place so far. The place stays as it was on
 * PU_ELIMIT: too many there; PU_EINVAL: no IP address; PU_ENOMEM. */
int pu_hop_nets_enter(struct hop_nets *n, const struct pu_hop_limits *limits,
		      const struct pu_multiaddr *addr, struct hop_place *place);
void pu_hop_nets_leave(struct hop_nets *n, struct hop_place *place);

/* hop_reserve.c */
/* Answers a RESERVE; the status that was sent. OK: scratch has the rest of the answer. */
enum pu_circuit_status pu_hop_reserve(struct pu_hop *hop, struct hop_peer *p,
				      const struct pu_conn *c);
void pu_hop_reserve_drop(struct pu_hop *hop, struct hop_peer *p);
void pu_hop_reserve_expire(void *arg);

/* hop_request.c */
void pu_hop_request_serve(void *arg, struct pu_stream *st);
/* Sends the status, counts it and forgets the request, which is not connecting any more. */
void pu_hop_request_answer(struct hop_request *rq, enum pu_circuit_status status);
/* Sends what is in the scratch. False when the stream did not take it: the peer lets
 * nothing in. */
bool pu_hop_request_send(struct pu_hop *hop, enum pu_circuit_protocol protocol,
			 struct pu_stream *st);
/* Forgets it; its streams belong to somebody else or are gone. */
void pu_hop_request_free(struct hop_request *rq);
/* Resets what it has and forgets it. */
void pu_hop_request_abort(struct hop_request *rq, uint32_t code);
/* The Limit that goes with every answer. */
void pu_hop_request_put_limit(const struct pu_hop *hop, struct pu_circuit_message *m);

/* hop_connect.c */
/* Goes on with a CONNECT to that peer: the answer comes sooner or later. */
void pu_hop_connect(struct hop_request *rq, const struct pu_peerid *to);
/* The target did not answer in time. */
void pu_hop_connect_too_slow(struct hop_request *rq);
/* Gives up what was begun: the request to the target and the counted circuit. */
void pu_hop_connect_undo(struct hop_request *rq, uint32_t code);

/* hop_circuit.c */
/* Takes over both streams of a request and the circuit that was counted for it; NULL
 * without memory. */
struct hop_circuit *pu_hop_circuit_new(struct hop_request *rq);
/* Forwards from now on. from_ended: the asker has ended its direction already. */
void pu_hop_circuit_start(struct hop_circuit *ci, bool from_ended);
void pu_hop_circuit_reset(struct hop_circuit *ci, uint32_t code);
/* One circuit more or less for both peers and in all. */
bool pu_hop_circuit_admit(struct pu_hop *hop, struct hop_peer *from, struct hop_peer *to);
void pu_hop_circuit_release(struct pu_hop *hop, struct hop_peer *from, struct hop_peer *to);

#endif
