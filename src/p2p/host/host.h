/* A libp2p host: identity, transports, connections, protocols. Everything it does
 * is driven by a pu_loop and a pu_net, so two hosts can live in one process, in
 * real or virtual time. */
#ifndef PU_P2P_HOST_HOST_H
#define PU_P2P_HOST_HOST_H

#include "base/loop.h"
#include "crypto/key.h"
#include "p2p/addr/multiaddr.h"
#include "p2p/stack/conn.h"
#include "p2p/transport/transport.h"

struct pu_host;
struct pu_host_request;

enum {
	PU_HOST_PROTOCOL_MAX = 255,   /* bytes of a protocol name */
	PU_HOST_ADDRS_PER_PEER = 32,
	PU_HOST_DIAL_TIMEOUT_S = 15,
	PU_HOST_NEGOTIATE_TIMEOUT_S = 10,
};

struct pu_host_config {
	struct pu_loop *loop;
	struct pu_net *net;
	const struct pu_key *key; /* outlives the host */
	const char *agent;        /* identify agentVersion, copied */
	const char *protocol_version; /* NULL: empty */
	struct pu_tcp_transport_options tcp;
	bool no_tcp, no_quic;
	unsigned max_conns;          /* 0: default 256 */
	unsigned max_conns_per_peer; /* 0: default 8 */
	unsigned max_streams;        /* inbound per connection, 0: default 256 */
	/* What one stream may hold for a slow reader: received bytes, and about as much again
	 * to be sent. 0: as much as speed asks for, several MiB. At least 256 KiB. */
	size_t stream_memory;
	pu_time idle_timeout;        /* close connections without streams or protection
				      * after this; 0: never */
	/* Inbound peers, at the secured stage. NULL: everyone. */
	bool (*gate)(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *remote);
	void *gate_arg;
	/* May this address, with an IP, be dialled or punched? NULL: all. */
	bool (*may_dial)(void *arg, const struct pu_multiaddr *ma);
	void *may_dial_arg;
};

/* Facts about peers, as they happen. Any member may be NULL. Observers must not
 * free the host from inside. */
struct pu_host_observer {
	void (*on_connected)(void *arg, struct pu_conn *c);
	/* err and code as in pu_conn_events.on_closed; last: no connection is left. */
	void (*on_disconnected)(void *arg, struct pu_conn *c, int err, uint64_t code, bool last);
	/* Identify (or a push) was received: protocols and addresses are known now. */
	void (*on_identified)(void *arg, struct pu_conn *c);
	void (*on_path)(void *arg, struct pu_conn *c);
	/* Our own listen addresses changed. */
	void (*on_addrs)(void *arg);
	void *arg;
	struct pu_list node;
	/* Another connection is the best one from now on; NULL: none is left. New streams
	 * and packets belong there. */
	void (*on_best)(void *arg, const struct pu_peerid *peer, struct pu_conn *best);
	/* A connection of a protected peer went silent, or answers reliably again
	 * (p2p/host/health.h). */
	void (*on_health)(void *arg, struct pu_conn *c, bool well);
	/* Addresses of a protected peer became known that were not known before. */
	void (*on_peer_addrs)(void *arg, const struct pu_peerid *peer);
};

/* Datagrams of all connections, at most one consumer per host. */
struct pu_host_datagram_events {
	void (*on_datagram)(void *arg, struct pu_conn *c, const uint8_t *p, size_t len);
	void (*on_batch_end)(void *arg, struct pu_conn *c);
	void (*on_room)(void *arg, struct pu_conn *c);
};

int pu_host_new(const struct pu_host_config *cfg, struct pu_host **ph);
/* Says goodbye to all peers; on_stopped comes when nothing is left, then
 * pu_host_free() may be called. A host that has done nothing yet needs no stop. */
void pu_host_stop(struct pu_host *h, pu_job_fn *on_stopped, void *arg);
void pu_host_free(struct pu_host *h);

const struct pu_peerid *pu_host_id(const struct pu_host *h);
struct pu_loop *pu_host_loop(const struct pu_host *h);

/* Something outside that uses h has to end in its own time, too: pu_host_stop() is not
 * finished before everybody has let go. */
void pu_host_hold(struct pu_host *h);
void pu_host_release(struct pu_host *h);

/* More transports (WebSocket, circuit): made with a configuration from here, owned by
 * the host afterwards. Asked after those the host has already. */
struct pu_transport_config pu_host_transport_config(struct pu_host *h);
void pu_host_add_transport(struct pu_host *h, PU_TAKES struct pu_transport *t);

/* Addresses. Unspecified addresses are expanded with the interface addresses
 * last told by pu_host_set_interface_addrs(). */
int pu_host_listen(struct pu_host *h, const struct pu_multiaddr *ma);
void pu_host_set_interface_addrs(struct pu_host *h, const struct pu_multiaddr *ip_only, size_t n);
/* How many addresses it is bound to. */
size_t pu_host_n_bound(const struct pu_host *h);
/* Up to cap advertised addresses without /p2p; returns how many. */
size_t pu_host_addrs(const struct pu_host *h, struct pu_multiaddr *out, size_t cap);
/* Addresses that only others know: a relay's circuit, a port mapping, configured ones.
 * Replaces what the same owner said before; n 0 takes it back. PU_ELIMIT, PU_ENOMEM. */
int pu_host_advertise(struct pu_host *h, const void *owner, const struct pu_multiaddr *ma,
		      size_t n);
/* True when we listen on exactly that address and an interface of this machine has it. */
bool pu_host_is_bound(const struct pu_host *h, const struct pu_multiaddr *ma);
/* Our public addresses as at least min_observers different peers saw them, most
 * trusted first. Three observers make an address advertised. */
size_t pu_host_observed_addrs(const struct pu_host *h, unsigned min_observers,
			      struct pu_multiaddr *out, size_t cap);
/* Asks the peers that see us so once more; what they answer is known soon. */
void pu_host_ask_observed(struct pu_host *h);

void pu_host_observe(struct pu_host *h, struct pu_host_observer *o);
void pu_host_unobserve(struct pu_host *h, struct pu_host_observer *o);
void pu_host_set_datagram_events(struct pu_host *h, const struct pu_host_datagram_events *ev,
				 void *arg);

/* Protocols. The handler owns the stream and must set its events before it
 * returns; payload that came with the negotiation is delivered after that.
 * PU_EEXIST, PU_EINVAL (name empty or too long). Peers are told by identify/push. */
typedef void pu_host_stream_fn(void *arg, struct pu_stream *st);
int pu_host_handle(struct pu_host *h, const char *protocol, pu_host_stream_fn *fn, void *arg);
void pu_host_unhandle(struct pu_host *h, const char *protocol);

/* Probation: until then, strangers that the gate refuses are let in, a few at a time and
 * each for a short while, to speak that protocol (lives as long as h) and those of other
 * such rules, and nothing else, not even identify. Observers do not hear of them and no list
 * shows them. Those who come through a relay speak only what is for them, too. until 0 ends
 * the rule, and with the last one for their kind all such connections. For AutoNAT, where
 * who dials us back comes under a name that nobody knows; for invitations and pairing.
 * PU_ELIMIT: too many rules; PU_ECLOSED. */
enum {
	PU_HOST_PROBATION_RULES_MAX = 8,
	PU_HOST_PROBATION_MAX = 10,        /* strangers at once, */
	PU_HOST_PROBATION_RELAYED_MAX = 6, /* of them through relays, */
	PU_HOST_PROBATION_PER_NET = 4,     /* and from one IPv4 address or IPv6 /56 */
	PU_HOST_PROBATION_SILENT_S = 10,   /* until it has chosen one of the protocols */
	PU_HOST_PROBATION_S = 30,          /* in all, if it has */
	PU_HOST_PROBATION_STREAMS = 32,    /* of one stranger, in all */
};
int pu_host_probation(struct pu_host *h, const char *protocol, bool through_relays,
		      pu_time until);
/* For the gate: the stranger that it is about to refuse may be one who is let in. */
bool pu_host_on_probation(const struct pu_host *h);
/* Is the other end of this connection a stranger on probation? For handlers. */
bool pu_host_is_guest(const struct pu_conn *c);
/* The peer is a member from now on: its connections on probation become ordinary ones, on a
 * later turn. */
void pu_host_promote(struct pu_host *h, const struct pu_peerid *peer);

/* What we know about peers. permanent: configured by the user, never forgotten. */
int pu_host_add_addr(struct pu_host *h, const struct pu_peerid *peer,
		     const struct pu_multiaddr *ma, bool permanent);
void pu_host_remove_addr(struct pu_host *h, const struct pu_peerid *peer,
			 const struct pu_multiaddr *ma);
size_t pu_host_peer_addrs(const struct pu_host *h, const struct pu_peerid *peer,
			  struct pu_multiaddr *out, size_t cap);
/* Whatever failed before: the addresses of the peer may be dialled again now. */
void pu_host_forget_failures(struct pu_host *h, const struct pu_peerid *peer);
/* True when the peer's identify listed the protocol. */
bool pu_host_peer_supports(const struct pu_host *h, const struct pu_peerid *peer,
			   const char *protocol);
/* Calls fn for every protocol that the peer's identify listed. */
void pu_host_each_protocol(const struct pu_host *h, const struct pu_peerid *peer,
			   void (*fn)(void *arg, const char *protocol), void *arg);
bool pu_host_peer_identified(const struct pu_host *h, const struct pu_peerid *peer);
/* Agent of the peer as identify told it, "" when unknown; valid until the next turn. */
const char *pu_host_peer_agent(const struct pu_host *h, const struct pu_peerid *peer);

/* What else identify told. */
enum pu_host_record { PU_HOST_RECORD_NONE, PU_HOST_RECORD_VALID, PU_HOST_RECORD_INVALID };
struct pu_host_identity {
	enum pu_host_record record;   /* signed peer record of the last message */
	struct pu_multiaddr observed; /* our address as the peer sees it, may be empty */
};
/* False when the peer is not identified. */
bool pu_host_peer_identity(const struct pu_host *h, const struct pu_peerid *peer,
			   struct pu_host_identity *out);

/* The best open connection to the peer (not silent before silent, not limited before
 * limited, QUIC with datagrams before TCP, the same network before others, IPv6 before
 * IPv4, then newest unless another one is clearly faster), or NULL. */
struct pu_conn *pu_host_conn(const struct pu_host *h, const struct pu_peerid *peer);
/* All connections: calls fn for each. */
void pu_host_each_conn(struct pu_host *h, void (*fn)(void *arg, struct pu_conn *c), void *arg);
/* The best connection of a protected peer is never closed as idle, nor is one spare of
 * another kind (relayed beside direct, TCP beside QUIC); their paths are watched
 * (p2p/host/health.h). Counted: every owner that switched it on switches it off once. */
void pu_host_protect(struct pu_host *h, const struct pu_peerid *peer, bool on);
void pu_host_disconnect(struct pu_host *h, const struct pu_peerid *peer, uint64_t code);

/* Makes sure there is a connection: races known addresses (QUIC first, TCP 250 ms
 * later, 30 ms when private). on_done comes later, exactly once, unless canceled.
 * err: PU_EUNREACH (no address known), or why the last address failed. */
typedef void pu_host_connect_fn(void *arg, int err, struct pu_conn *c);
int pu_host_connect(struct pu_host *h, const struct pu_peerid *peer, pu_host_connect_fn *on_done,
		    void *arg, struct pu_host_request **preq);
/* The same, but a limited (relayed) connection does not count. */
int pu_host_connect_direct(struct pu_host *h, const struct pu_peerid *peer,
			   pu_host_connect_fn *on_done, void *arg, struct pu_host_request **preq);
/* Connects to whoever is at that address (no /p2p/ID in it): an introduction by a third party,
 * which what is spoken next has to prove. TCP, QUIC, WebSocket, names of DNS except dnsaddr.
 * Whom it was is in c->peer. When there is a direct connection to that peer already, that is
 * handed out and the new one closed. At once or later: PU_EPEERID (that is ourselves),
 * PU_EUNREACH (an address that may not be dialled); at once: PU_EINVAL (no such address),
 * PU_ENOTSUP, PU_ECLOSED, PU_ENOMEM. */
int pu_host_connect_addr(struct pu_host *h, const struct pu_multiaddr *ma,
			 pu_host_connect_fn *on_done, void *arg, struct pu_host_request **preq);
/* One hole punch to that address at this moment: the peer, who was told when, does the
 * same with the other role (p2p/dcutr). The connection that results is like any other;
 * one that the peer opened meanwhile ends the request with success, too. PU_ENOTSUP: no
 * transport can. */
int pu_host_punch(struct pu_host *h, const struct pu_peerid *peer, const struct pu_multiaddr *ma,
		  bool initiator, pu_time timeout, pu_host_connect_fn *on_done, void *arg,
		  struct pu_host_request **preq);
/* Connects if needed, opens a stream on the best connection (or on c when not
 * NULL) and negotiates the first protocol of the list that the peer supports.
 * PU_ENOPROTO when it supports none. A single protocol that the peer's identify listed
 * is taken for granted: nothing is awaited, and should the peer refuse after all, the
 * stream hears on_closed(PU_ENOPROTO). On success the callee owns the stream and
 * must set its events before it returns. st->protocol tells which was chosen. */
typedef void pu_host_open_fn(void *arg, int err, struct pu_stream *st);
int pu_host_open(struct pu_host *h, const struct pu_peerid *peer, struct pu_conn *c,
		 const char *const *protocols, pu_host_open_fn *on_done, void *arg,
		 struct pu_host_request **preq);
/* on_done will not fire. */
void pu_host_cancel(struct pu_host *h, struct pu_host_request *req);

struct pu_host_stats {
	uint64_t inbound_accepted, inbound_gated, inbound_failed;
	uint64_t inbound_probation; /* of the gated ones, let in on probation */
	uint64_t dials, dials_failed;
	uint64_t streams_in, streams_out, streams_refused;
	uint64_t went_silent, recovered, closed_silent; /* connections, see p2p/host/health.h */
	unsigned n_conns, n_peers;
};
void pu_host_stats(const struct pu_host *h, struct pu_host_stats *out);

#endif
