/* The contract of a secured, multiplexed connection to one peer: implemented by
 * p2p/stack/upgrade.c (TCP + security + yamux) and p2p/transport/quic.c. */
#ifndef PU_P2P_STACK_CONN_H
#define PU_P2P_STACK_CONN_H

#include <sys/uio.h>

#include "base/list.h"
#include "crypto/key.h"
#include "p2p/addr/multiaddr.h"
#include "p2p/stack/stream.h"

/* CONNECTION_CLOSE application codes (specs #622). */
enum pu_conn_code {
	PU_CONN_CODE_NORMAL = 0,
	PU_CONN_CODE_NEGOTIATION = 0x1000,
	PU_CONN_CODE_LIMIT = 0x1001,
	PU_CONN_CODE_RATE = 0x1002,
	PU_CONN_CODE_PROTOCOL = 0x1003,
	PU_CONN_CODE_SUPPLANTED = 0x1004,
	PU_CONN_CODE_GC = 0x1005,
	PU_CONN_CODE_SHUTDOWN = 0x1006,
	PU_CONN_CODE_GATED = 0x1007,
};

enum { PU_CONN_QUIET_MS = 1000 };

/* What the owner (the host) hears. No callback fires from inside pu_conn_* calls. */
struct pu_conn_events {
	/* The peer opened a stream, not yet negotiated. The owner takes it. */
	void (*on_stream)(void *arg, struct pu_conn *c, struct pu_stream *st);
	/* One QUIC DATAGRAM payload, borrowed until return. */
	void (*on_datagram)(void *arg, struct pu_conn *c, const uint8_t *p, size_t len);
	/* All datagrams of one batch of input were delivered. */
	void (*on_datagrams_end)(void *arg, struct pu_conn *c);
	/* After PU_EAGAIN from pu_conn_send_datagram(): try again. */
	void (*on_datagram_room)(void *arg, struct pu_conn *c);
	/* pu_conn_max_datagram() changed (path MTU), or the address of an end did. */
	void (*on_path)(void *arg, struct pu_conn *c);
	/* The peer owes an answer to something that was sent for longer than about
	 * PU_CONN_QUIET_MS and two round trips; repeated every PU_CONN_QUIET_MS until it
	 * comes. Costs nothing while all is well. Optional. */
	void (*on_quiet)(void *arg, struct pu_conn *c);
	/* The connection is gone; all its streams heard on_closed before. The memory is
	 * the connection's own and is freed after return. err: PU_ECLOSED (either side
	 * closed; code), PU_ETIMEDOUT, PU_EPROTO, PU_ERESET … */
	void (*on_closed)(void *arg, struct pu_conn *c, int err, uint64_t code);
};

struct pu_conn_ops {
	int (*open_stream)(struct pu_conn *c, struct pu_stream **pst);
	void (*close)(struct pu_conn *c, uint64_t code);
	int (*send_datagram)(struct pu_conn *c, const struct iovec *iov, int n);
	size_t (*max_datagram)(const struct pu_conn *c);
	pu_time (*rtt)(const struct pu_conn *c);
	int (*migrate)(struct pu_conn *c);
	int (*follow)(struct pu_conn *c, const struct pu_multiaddr *remote);
	pu_time (*unanswered)(struct pu_conn *c);
	void (*probe)(struct pu_conn *c);
};

/* Common head of every implementation. */
struct pu_conn {
	const struct pu_conn_ops *ops;
	const struct pu_conn_events *ev;
	void *arg;
	struct pu_list node; /* owner's list */
	struct pu_pubkey *remote_key; /* owned */
	struct pu_peerid peer;
	struct pu_multiaddr local, remote; /* transport addresses without /p2p */
	const char *security; /* "noise", "tls", "quic" */
	const char *muxer;    /* "yamux", "quic" */
	bool inbound;
	bool closing;     /* pu_conn_close() was called: as good as gone */
	bool early_muxer; /* muxer agreed inside the security handshake */
	bool limited;     /* through a relay */
	bool datagrams;   /* both ends take QUIC DATAGRAM frames */
	bool moving;      /* pu_conn_migrate() or _follow(): the new path is not proved yet */
	pu_time opened_at;
	unsigned n_streams; /* open streams, both directions */
	uint64_t rx_bytes, tx_bytes; /* payload of streams and datagrams */
};

/* A new outbound stream without negotiation. PU_ELIMIT: too many for now.
 * PU_ECLOSED. */
static inline int pu_conn_open_stream(struct pu_conn *c, struct pu_stream **pst)
{
	return c->ops->open_stream(c, pst);
}

/* Says goodbye with a code; on_closed follows on a later turn. */
static inline void pu_conn_close(struct pu_conn *c, uint64_t code)
{
	c->closing = true;
	c->ops->close(c, code);
}

/* One unreliable message out of n spans, copied before return; leaves with the
 * batch of this turn. PU_EAGAIN: congestion, on_datagram_room follows; PU_E2BIG:
 * more than pu_conn_max_datagram(); PU_ENOTSUP; PU_ECLOSED. Never queued inside. */
static inline int pu_conn_send_datagram(struct pu_conn *c, const struct iovec *iov, int n)
{
	return c->ops->send_datagram ? c->ops->send_datagram(c, iov, n) : -22 /* PU_ENOTSUP */;
}

/* Largest datagram payload that fits the path now; 0 without datagram support. */
static inline size_t pu_conn_max_datagram(const struct pu_conn *c)
{
	return c->ops->max_datagram ? c->ops->max_datagram(c) : 0;
}

/* This machine's addresses changed: goes on from the source address that the kernel now
 * takes for this peer, and proves the new path in the background: moving is true until
 * then. on_path tells when local changed and when the path is proved. Streams and
 * datagrams stay. PU_ENOTSUP: the peer or the transport cannot, dial again; PU_EUNREACH:
 * no way to the peer now; PU_EEXIST: nothing changed. */
static inline int pu_conn_migrate(struct pu_conn *c)
{
	return c->ops->migrate ? c->ops->migrate(c) : -22 /* PU_ENOTSUP */;
}

/* The peer has another address now, as a newer connection proved: goes on to there, where
 * the peer's transport is known to be the same one. Otherwise like pu_conn_migrate(). */
static inline int pu_conn_follow(struct pu_conn *c, const struct pu_multiaddr *remote)
{
	return c->ops->follow ? c->ops->follow(c, remote) : -22 /* PU_ENOTSUP */;
}

/* How long the peer has owed a sign that it gets what we send (an acknowledgement, or, where
 * the transport has none, any answer); 0: it owes nothing. That it sends something itself
 * proves only the other direction. */
static inline pu_time pu_conn_unanswered(struct pu_conn *c)
{
	return c->ops->unanswered ? c->ops->unanswered(c) : 0;
}

/* Makes the peer owe an answer, if it does not already. */
static inline void pu_conn_probe(struct pu_conn *c)
{
	if (c->ops->probe)
		c->ops->probe(c);
}

/* Smoothed round trip in ns; 0 when not measured yet. */
static inline pu_time pu_conn_rtt(const struct pu_conn *c)
{
	return c->ops->rtt ? c->ops->rtt(c) : 0;
}

#endif
