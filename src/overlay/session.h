/* Packet sessions: IP packets to and from one peer, over the best carrier there is
 * (docs/protocols/packets.md):
 *
 *   datagrams  QUIC DATAGRAM frames, bound to a control stream /dg/1
 *              (libp2p/specs#680) that names /peerup/packets/1.0.0
 *   stream     /peerup/packets/1.0.0, when the connection has no datagrams
 *
 * A session exists for every peer that packets were exchanged with; carriers come
 * and go below it. Access rules are the owner's business. */
#ifndef PU_OVERLAY_SESSION_H
#define PU_OVERLAY_SESSION_H

#include "base/pkt.h"
#include "p2p/host/host.h"

#define PU_SESSION_PROTOCOL "/peerup/packets/1.0.0"
#define PU_SESSION_CONTROL_PROTOCOL "/dg/1"

enum {
	PU_SESSION_QUEUE_BYTES = 2 << 20, /* waiting for the carrier, per peer */
	PU_SESSION_QUEUE_AGE_MS = 200,	  /* older packets are dropped once a carrier is up */
	PU_SESSION_CONNECT_AGE_MS = 5000, /* how long packets wait for a connection */
	PU_SESSION_CONTROLS_MAX = 8,	  /* control or packet streams per peer */
	PU_SESSION_SETTLE_S = 3,	  /* path MTU discovery is given this long */
};

struct pu_sessions;

/* Callbacks may send, but must not drop or free sessions. */
struct pu_session_events {
	/* False refuses the peer's control or packet stream (it is not authorised). */
	bool (*allowed)(void *arg, const struct pu_peerid *peer);
	/* One packet in one span, unchecked, borrowed until return. */
	void (*on_packet)(void *arg, const struct pu_peerid *peer, const uint8_t *p, size_t len,
			  unsigned flags);
	/* The packets of one batch were delivered. */
	void (*on_batch_end)(void *arg);
	/* A queued packet was given up since the peer cannot be reached (err says why). */
	void (*on_undeliverable)(void *arg, const struct pu_peerid *peer, const uint8_t *p,
				 size_t len, int err);
};

struct pu_session_stats {
	uint64_t tx_packets, tx_bytes, rx_packets, rx_bytes;
	uint64_t dropped_full, dropped_old, dropped_malformed, too_big, halves;
	const char *carrier; /* "datagram", "stream", "none" */
};

int pu_sessions_new(struct pu_host *h, const struct pu_session_events *ev, void *arg,
		    struct pu_sessions **ps);
void pu_sessions_free(struct pu_sessions *s);

/* Sends or queues n packets to the peer, connecting if there is no connection. The
 * number accepted; packets that were not are counted as dropped. PU_E2BIG cannot
 * happen: what is larger than pu_sessions_limit() travels in halves. */
size_t pu_sessions_send(struct pu_sessions *s, const struct pu_peerid *peer,
			const struct pu_pkt *pkts, size_t n);
/* Bytes that wait for the peer's carrier; 0 when there is none to wait for. */
size_t pu_sessions_backlog(const struct pu_sessions *s, const struct pu_peerid *peer);
/* Largest packet that travels in one piece now, never below 1280; PU_PKT_MAX while it
 * is not known (no carrier, path MTU discovery under way, stream). What is larger is
 * still delivered when it fits two datagrams, but the sender should be told. */
size_t pu_sessions_limit(const struct pu_sessions *s, const struct pu_peerid *peer);
/* Forgets the peer: its streams are closed, its queue is dropped. */
void pu_sessions_drop(struct pu_sessions *s, const struct pu_peerid *peer);
/* False when nothing was ever exchanged with the peer. */
bool pu_sessions_stats(const struct pu_sessions *s, const struct pu_peerid *peer,
		       struct pu_session_stats *out);

#endif
