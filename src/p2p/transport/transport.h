/* A way to get secured connections: transport/tcp.c (TCP + upgrade) and
 * transport/quic.c implement it; host/dialer.c and host/listener.c use it. */
#ifndef PU_P2P_TRANSPORT_TRANSPORT_H
#define PU_P2P_TRANSPORT_TRANSPORT_H

#include "base/loop.h"
#include "crypto/key.h"
#include "p2p/addr/multiaddr.h"
#include "p2p/stack/conn.h"
#include "p2p/transport/net.h"

struct pu_transport;
struct pu_dial;

/* Asked when the peer proved its identity, before any stream (the "secured"
 * stage). False refuses: TCP is closed, QUIC says 0x1007 "connection gated". */
typedef bool pu_gate_fn(void *arg, const struct pu_peerid *peer, bool inbound,
			const struct pu_multiaddr *remote);

struct pu_transport_events {
	/* A ready inbound connection; the owner sets its events before returning. */
	void (*on_inbound)(void *arg, struct pu_conn *c);
	/* An inbound attempt failed before it was ready (PU_EDENIED: the gate said no);
	 * for counters. remote is NULL when it came through a relay. */
	void (*on_inbound_failed)(void *arg, const union pu_sockaddr *remote, int err);
	pu_gate_fn *gate;
};

struct pu_tcp_transport_options;

struct pu_transport_config {
	struct pu_loop *loop;
	struct pu_net *net;
	const struct pu_key *key;
	const struct pu_transport_events *ev;
	void *arg;
	unsigned max_pending_inbound; /* handshakes at once */
	unsigned max_streams;         /* inbound streams per connection */
	size_t stream_memory;         /* as in pu_host_config */
	/* For transports that upgrade byte pipes; outlives the transport. */
	const struct pu_tcp_transport_options *security;
};

/* Result of a dial: exactly one of c (err 0; set its events before returning) and
 * err < 0. The dial handle is gone. */
typedef void pu_dial_fn(void *arg, int err, struct pu_conn *c);

struct pu_transport_ops {
	const char *name;
	bool (*can_dial)(const struct pu_transport *t, const struct pu_multiaddr *ma);
	/* ma has an IP address (names are resolved before). on_done comes later, never
	 * from inside. The handshake is bounded by timeout_ns. */
	int (*dial)(struct pu_transport *t, const struct pu_multiaddr *ma,
		    const struct pu_peerid *expected, pu_time timeout_ns, pu_dial_fn *on_done,
		    void *arg, struct pu_dial **pd);
	/* Hole punching: like dial, at a moment agreed with the peer, who does the same
	 * with the other role: initiator is our role in the handshake, the path is
	 * opened from the listening port. Port 0: opens nothing, only waits for the peer.
	 * NULL: not possible with this transport. */
	int (*punch)(struct pu_transport *t, const struct pu_multiaddr *ma,
		     const struct pu_peerid *expected, bool initiator, pu_time timeout_ns,
		     pu_dial_fn *on_done, void *arg, struct pu_dial **pd);
	/* on_done will not fire; half-open sockets are closed. */
	void (*dial_cancel)(struct pu_transport *t, struct pu_dial *d);
	/* Binds; *pbound is the address with the real port. */
	int (*listen)(struct pu_transport *t, const struct pu_multiaddr *ma,
		      struct pu_multiaddr *pbound);
	/* Closes listeners and pending handshakes, not established connections. */
	void (*stop)(struct pu_transport *t);
	void (*free)(struct pu_transport *t);
};

struct pu_transport {
	const struct pu_transport_ops *ops;
	struct pu_list node;
};

/* Which security protocols a TCP transport offers, in order. */
enum pu_security { PU_SECURITY_TLS = 1, PU_SECURITY_NOISE = 2 };

struct pu_tcp_transport_options {
	enum pu_security order[2]; /* 0 ends the list */
	bool no_early_muxer;       /* offer none: for tests of the fallback */
};

int pu_tcp_transport_new(const struct pu_transport_config *cfg,
			 const struct pu_tcp_transport_options *opt, struct pu_transport **pt);
int pu_quic_transport_new(const struct pu_transport_config *cfg, struct pu_transport **pt);

#endif
