/* Shared by quic*.c only. One pu_quic is a transport: its UDP sockets (endpoints),
 * the table that finds a connection by connection ID, and its connections.
 *
 * Who runs when: packets and timers enter ngtcp2, whose callbacks hand stream bytes
 * and datagrams straight to their consumers. Everything that writes packets,
 * announces, closes or frees happens later, in the connection's job at the end of
 * the turn (or, for datagrams outside of a callback, at once). So no consumer is
 * ever called from inside one of its own calls, and nothing is freed under ngtcp2. */
#ifndef PU_P2P_TRANSPORT_QUIC_INTERNAL_H
#define PU_P2P_TRANSPORT_QUIC_INTERNAL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/htab.h"
#include "base/loop.h"
#include "p2p/stack/conn.h"
#include "p2p/tls/certificate.h"
#include "p2p/transport/quic.h"
#include "p2p/transport/quic_sendq.h"
#include "p2p/transport/quic_shim.h"
#include "p2p/transport/transport.h"

enum {
	QUIC_CID_LEN = 8,
	QUIC_SECRET_LEN = 32,
	QUIC_MIN_UDP = 1200,        /* payload that every QUIC path carries */
	QUIC_MAX_UDP = 1452,        /* payload of our largest packet, probes included */
	QUIC_TX_CAP = 65000,        /* largest GSO send, IPv4 or IPv6 */
	QUIC_TX_SEGMENTS_MAX = 64,  /* of one GSO send, on every kernel */
	QUIC_CLOSE_PKT_MAX = QUIC_MIN_UDP,
	QUIC_PUNCH_LEN = 64,        /* of a datagram that opens a NAT, and is not QUIC */
	QUIC_DATAGRAM_FRAME = 1 + 2, /* type, and a length of two bytes */

	/* Of the peer, that we keep: each move uses one up until the peer hears of it. */
	QUIC_CIDS = 8,

	/* The shorter of both sides' counts. Long, so that streams outlive a nap of the
	 * peer's machine; whoever has a use for an answer notices its absence much sooner
	 * (p2p/host/health.h). */
	QUIC_IDLE_MS = 120000,
	QUIC_KEEP_ALIVE_MS = 15000,
	QUIC_KEEP_ALIVE_SHORT_MS = 5000,
	QUIC_HANDSHAKE_MS = 10000,
	QUIC_PUNCH_RTT_MS = 100, /* as long as nothing is known */
	QUIC_TOKEN_VALID_MS = 10000,

	/* Large enough that one lost packet does not stop a fast path while it is
	 * repeated; it is also what a peer can make us keep for a slow consumer. */
	/* Windows grow with use. The connection's is never less than twice a stream's: one
	 * reader who stops must not stop the others. */
	QUIC_STREAM_WINDOW = 2 << 20,
	QUIC_STREAM_WINDOW_MAX = 6 << 20,
	QUIC_CONN_WINDOW = 12 << 20,
	QUIC_CONN_WINDOW_MAX = 24 << 20,
	QUIC_STREAM_UNSENT_MAX = 256 << 10, /* written and not yet in a packet */
	QUIC_STREAM_HELD_MAX = 16 << 20,    /* written and not yet acknowledged */
	QUIC_CONN_HELD_MAX = 32 << 20,
};

struct quic_stream;
struct quic_conn;

/* Packets of one connection on their way into one GSO send. */
struct quic_tx {
	uint8_t *mem;
	size_t len;
	size_t segment;
	unsigned n;
	uint8_t ecn;
	struct quic_conn *owner; /* NULL while empty */
	struct quic_endpoint *ep;
	union pu_sockaddr local, remote;
};

struct quic_endpoint {
	struct pu_quic *q;
	struct pu_list node; /* pu_quic.endpoints */
	struct pu_udp *udp;
	union pu_sockaddr local; /* as bound, with the real port */
	bool listening;
	bool blocked;         /* the kernel's buffer is full: held waits */
	uint8_t *held;        /* one batch; allocated when first needed */
	struct pu_dgrams held_batch;
	struct pu_list waiting; /* connections to write when it drains */
};

struct pu_quic {
	struct pu_transport t;
	struct pu_transport_config cfg;
	struct pu_tls_credentials *cred;
	uint8_t reset_secret[QUIC_SECRET_LEN], token_secret[QUIC_SECRET_LEN];
	struct pu_htab cids;
	struct quic_cid *last;  /* found last */
	struct pu_list endpoints, conns, punches;
	unsigned n_pending;     /* inbound handshakes */
	unsigned n_closing;     /* connections that only answer late packets */
	unsigned stray_credit;  /* answers to strangers left in this second */
	pu_time stray_since;
	struct quic_tx tx;
	struct pu_list touched; /* connections that got packets in this batch */
	struct pu_quic_stats stats;
};

/* One of our connection IDs. */
struct quic_cid {
	struct pu_hnode hnode;
	struct pu_list node; /* quic_conn.cids */
	struct quic_conn *conn;
	ngtcp2_cid cid;
};

enum quic_state {
	QUIC_HANDSHAKE, /* not yet known above (a dial is) */
	QUIC_OPEN,
	QUIC_CLOSING,   /* over for everybody above; answers with close_pkt */
	QUIC_DRAINING,  /* the same after the peer's close: silent */
	QUIC_DEAD,      /* to be freed by the job */
};

/* What ends a connection, first cause wins. */
struct quic_end {
	bool set;
	bool silent;    /* nothing is sent, nothing lingers (idle timeout) */
	bool by_peer;
	int err;        /* for on_closed or the dial */
	uint64_t code;  /* application code, for on_closed */
	pu_ng_close close;
};

/* A dial, or a hole punch, whose passive side has no connection yet. */
struct pu_dial {
	struct quic_conn *conn;
	pu_dial_fn *on_done;
	void *arg;
	pu_time deadline;
	struct quic_punch *punch; /* NULL: an ordinary dial */
};

struct quic_conn {
	struct pu_conn c;
	struct pu_quic *q;
	struct quic_endpoint *ep; /* where its packets leave */
	struct pu_list node;      /* pu_quic.conns */
	struct pu_list touched;   /* pu_quic.touched */
	struct pu_list waiting;   /* quic_endpoint.waiting */
	struct pu_list cids;
	struct quic_cid *odcid;   /* the client's first choice, until the handshake ends */
	enum quic_state state;
	struct quic_end end;

	ngtcp2_conn *ng; /* NULL from QUIC_CLOSING on */
	struct pu_quic_tls *tls;
	struct pu_dial *dial; /* outbound, until on_done */
	bool completed;  /* both sides have keys and proofs */
	bool confirmed;  /* and the server has said so */
	bool reading;    /* inside ngtcp2: nothing may be written */
	bool flushing;   /* inside pu_quic_flush(): the job need not come again */
	bool reset_seen; /* a stateless reset ended it */
	bool pending;    /* counted in n_pending */
	bool pinned;     /* packets leave from local_sa, whatever the kernel prefers */

	struct pu_timer timer;
	struct pu_job job;

	/* Streams: all, and by what they wait for. */
	struct pu_list streams;
	struct pu_list fresh;    /* opened by the peer, not announced yet */
	struct pu_list ready;    /* have bytes or FIN to send */
	struct pu_list blocked;  /* out of the peer's credit */
	struct pu_list resumed;  /* consumer wants what it left */
	struct pu_list writers;  /* consumer waits for room */
	struct pu_list over;     /* something to tell the consumer, or to free */
	size_t held;             /* bytes in send queues */

	/* Datagrams and pacing. */
	uint64_t stream_bytes; /* of streams, put into packets */
	bool dgram_wanted;   /* on_datagram_room is owed, */
	pu_time dgram_after; /* in a turn later than this */
	bool dgram_got;      /* since the last on_datagrams_end */
	bool path_news;      /* on_path is owed */
	size_t dgram_max;    /* as last told by on_path */
	pu_time burst_at;    /* turn that burst belongs to */
	size_t burst;        /* bytes written in that turn */
	int64_t lead;        /* bytes of datagrams beyond those of streams, while both wait */
	bool worthy;         /* the window has room for a burst, as of this flush */
	bool yielded;        /* a datagram waits only because streams are behind */
	size_t unpaced;      /* bytes written since the last pacing update */
	pu_time pace_next;   /* nothing but acknowledgements before this */

	/* Datagrams lost at the end of a burst: see quic_datagram.c. */
	pu_time keep_alive;
	pu_time probe_at;    /* PU_TIME_NEVER: nothing to fear */
	uint64_t probe_left; /* of the window, when that was set */
	pu_time ts_floor;    /* the latest time that ngtcp2 has heard of by a probe */
	unsigned n_probes;
	bool probe_due;

	/* Signs of life: see quic_life.c. */
	pu_time asked_at;   /* the peer owes an acknowledgement since; 0: nothing */
	pu_time look_at;    /* while it does: when to see whether one came */
	bool flight_unsure; /* ngtcp2 may have sent something by itself */

	/* Path MTU black holes: see quic_path.c. */
	size_t udp_cap;          /* packets are not longer than this */
	pu_time big_since;       /* a long packet without any answer since; 0: none */
	pu_time cap_until;
	unsigned n_black_holes;

	/* Addresses. path_local is the local address of ngtcp2's path: of a client the
	 * socket's own, often a wildcard, for the kernel chooses the source; and a mere
	 * label after a move (quic_migrate.c, quic_arrival.c). seen_local is what the peer's
	 * packets were sent to in the handshake, later the source that the kernel took at the
	 * last move. */
	union pu_sockaddr path_local;
	union pu_sockaddr seen_local, local_sa, remote_sa;
	uint16_t arrivals; /* paths that a client came along: see quic_arrival.c */

	/* While closing. */
	uint8_t *close_pkt;
	size_t close_len;
	unsigned close_seen;
};

struct quic_stream {
	struct pu_stream s;
	struct pu_list node;    /* quic_conn.streams or .over (to be freed) */
	struct pu_list link_tx; /* ready or blocked */
	struct pu_list link_rx; /* fresh or resumed */
	struct pu_list link_wr; /* writers */
	struct pu_list link_ov; /* over */

	struct quic_sendq tx;
	bool fin;      /* the consumer wrote its last byte */
	bool fin_sent;
	bool stopped;  /* the peer does not want more */
	bool lost;     /* and there was more */
	bool reset_due;       /* with reset_code, by the job, */
	bool reset_later;     /* or once the peer knows it */
	uint32_t reset_code;

	struct pu_buf rx;    /* arrived and not taken */
	bool rx_fin;         /* all arrived */
	bool eof_told;
	bool rx_any;         /* the consumer got a byte at least */
	bool rx_stopped;     /* we asked the peer to stop, */
	bool stop_due;       /* or the job will */
	size_t discarded;    /* after close */
	uint64_t window;     /* the peer may be ahead of the consumer by so much */
	uint64_t taken;      /* by the consumer since grew_at; half a window at most */
	pu_time grew_at;

	bool wire_open; /* ngtcp2 knows it */
	bool owned;     /* a consumer holds the handle (or will, while fresh) */
	bool reset;     /* by us */
	bool failed;    /* on_closed is owed: fail_err, fail_code */
	int fail_err;
	uint32_t fail_code;
};

static inline struct quic_conn *quic_conn_of(const struct pu_conn *c)
{
	return PU_CONTAINER_OF((struct pu_conn *)c, struct quic_conn, c);
}

static inline struct quic_stream *quic_stream_of(const struct pu_stream *s)
{
	return PU_CONTAINER_OF((struct pu_stream *)s, struct quic_stream, s);
}

static inline struct quic_conn *quic_conn_of_stream(const struct quic_stream *st)
{
	return quic_conn_of(st->s.conn);
}

static inline struct pu_loop *quic_loop(const struct quic_conn *c)
{
	return c->q->cfg.loop;
}

static inline pu_time quic_now(const struct quic_conn *c)
{
	return pu_loop_now(c->q->cfg.loop);
}

/* The time as ngtcp2 hears it. It must never run backwards, though a probe borrows from
 * the future (pu_quic_probe()). */
static inline pu_time quic_ts(const struct quic_conn *c)
{
	return pu_max(quic_now(c), c->ts_floor);
}

/* quic.c. A socket that can reach remote: a listening one if it fits, else an ephemeral
 * one, kept for later. _any: only one that is bound to no address. */
int pu_quic_endpoint_for(struct pu_quic *q, const union pu_sockaddr *remote,
			 struct quic_endpoint **pep);
int pu_quic_endpoint_any(struct pu_quic *q, const union pu_sockaddr *remote,
			 struct quic_endpoint **pep);
bool pu_quic_endpoint_is_any(const struct quic_endpoint *ep);

/* quic_punch.c. The initiator dials; the other end opens the way for the connection of the
 * peer and hands it over. */
int pu_quic_punch_start(struct pu_quic *q, struct quic_endpoint *ep,
			const union pu_sockaddr *remote, const struct pu_peerid *expected,
			bool initiator, struct pu_dial *d);
/* The punch that waits for that peer, if any; ended, the caller owns it. */
struct pu_dial *pu_quic_punch_take(struct pu_quic *q, const struct pu_peerid *peer);
/* A packet that belongs to no connection came from there: perhaps the peer's end of the
 * hole, with another port than it thinks. */
void pu_quic_punch_hint(struct pu_quic *q, struct quic_endpoint *ep,
			const union pu_sockaddr *from);
/* Ends those that have no connection, telling or not. */
void pu_quic_punch_end_all(struct pu_quic *q, bool tell);
/* Frees d and what it holds of a punch. */
void pu_quic_dial_free(struct pu_dial *d);

/* quic_route.c: connection IDs and packets to connections. */
extern const struct pu_udp_events pu_quic_udp_events;
int pu_quic_cid_add(struct quic_conn *c, const ngtcp2_cid *cid, struct quic_cid **pcid);
void pu_quic_cid_remove(struct quic_conn *c, const ngtcp2_cid *cid);
void pu_quic_cid_remove_all(struct quic_conn *c);
void pu_quic_cid_random(struct pu_quic *q, ngtcp2_cid *cid);

/* quic_setup.c. */
int pu_quic_conn_dial(struct pu_quic *q, struct quic_endpoint *ep,
		      const union pu_sockaddr *remote, const struct pu_peerid *expected,
		      struct pu_dial *dial, struct quic_conn **pc);
/* hd: the accepted Initial; odcid: of the packet before Retry, or NULL. */
int pu_quic_conn_accept(struct quic_endpoint *ep, const struct pu_dgrams *d,
			const ngtcp2_pkt_hd *hd, const ngtcp2_cid *odcid,
			struct quic_conn **pc);

/* What a stream may hold, of the most that it would: there may be a limit for all. */
uint64_t pu_quic_stream_window(const struct quic_conn *c, uint64_t most);

/* quic_events.c. */
void pu_quic_callbacks(ngtcp2_callbacks *cb);

/* quic_conn.c. */
extern const struct pu_conn_ops pu_quic_conn_ops;
void pu_quic_conn_timer(void *arg);
void pu_quic_conn_job(void *arg);
/* One packet (or a few coalesced) for this connection. */
void pu_quic_conn_read(struct quic_conn *c, struct quic_endpoint *ep,
		       const struct pu_dgrams *d, const uint8_t *p, size_t len);

/* quic_end.c. The first two note why the connection ends; its job does it with
 * pu_quic_conn_finish(), which tells everybody and may free c. */
void pu_quic_conn_end_liberr(struct quic_conn *c, int liberr);
void pu_quic_conn_end_app(struct quic_conn *c, int err, uint64_t code, const char *reason);
void pu_quic_conn_finish(struct quic_conn *c);
/* A packet came after the goodbye. */
void pu_quic_conn_repeat_goodbye(struct quic_conn *c);
void pu_quic_conn_free(struct quic_conn *c);
/* Frees at once, telling nobody above. With a goodbye when there are keys for it. */
void pu_quic_conn_destroy(struct quic_conn *c, bool goodbye);

/* quic_stream.c. */
extern const struct pu_stream_ops pu_quic_stream_ops;
struct quic_stream *pu_quic_stream_new(struct quic_conn *c, int64_t id, bool inbound);
void pu_quic_stream_acked(struct quic_stream *st, uint64_t upto);
void pu_quic_stream_on_reset(struct quic_stream *st, uint64_t code);
void pu_quic_stream_on_wire_closed(struct quic_stream *st);
/* The peer will not read more: what is queued is lost. */
void pu_quic_stream_on_stopped(struct quic_stream *st);
/* Asks the peer to stop, at once or, inside of ngtcp2, by the job: it would forget the
 * credit for what it has received and is about to hand over. */
void pu_quic_stream_stop(struct quic_stream *st, uint64_t code);
/* The job looks at it: something to tell, or nothing left to live for. */
void pu_quic_stream_mark_over(struct quic_stream *st);
/* Upcalls that are due: room, ends. */
void pu_quic_streams_tell_room(struct quic_conn *c);
void pu_quic_streams_finish(struct quic_conn *c);
/* The connection is lost: every consumer hears it, everything is freed. */
void pu_quic_streams_lose(struct quic_conn *c, bool tell);
/* Moves all nodes: who asks again from inside a callback waits for the next round. */
void pu_quic_take_all(struct pu_list *batch, struct pu_list *from);

/* quic_stream_rx.c. */
int pu_quic_stream_recv(struct quic_stream *st, const uint8_t *p, size_t len, bool fin);
/* What nobody wants any more, now and later. */
void pu_quic_stream_drop_rx(struct quic_stream *st);
void pu_quic_stream_resume(struct pu_stream *s);
/* Upcalls that are due: new streams, bytes left behind. */
void pu_quic_streams_announce(struct quic_conn *c);
void pu_quic_streams_resume(struct quic_conn *c);

/* quic_tx.c. */
/* Space for one packet of c, as long as the path may have it. */
uint8_t *pu_quic_tx_slot(struct quic_conn *c);
/* The n bytes at p, which came from pu_quic_tx_slot(), are a packet for that path. */
void pu_quic_tx_commit(struct quic_conn *c, uint8_t *p, size_t n, const ngtcp2_path *path,
		       uint8_t ecn);
void pu_quic_tx_flush(struct pu_quic *q);
/* Counts and sends; what the kernel cannot take now is held, the rest is dropped. */
int pu_quic_endpoint_send(struct quic_endpoint *ep, const struct pu_dgrams *d);
void pu_quic_endpoint_writable(struct quic_endpoint *ep);

/* quic_send.c. */
/* At the end of a turn: asks for datagrams that were refused, then writes. */
void pu_quic_flush(struct quic_conn *c);
/* Pacing and the limit of a turn allow another packet. */
bool pu_quic_burst_left(struct quic_conn *c);
/* Streams that wait are not behind. */
bool pu_quic_datagrams_turn(const struct quic_conn *c);
/* Writes the packet that announces c->end; returns its length, 0 when impossible. */
size_t pu_quic_write_close(struct quic_conn *c, uint8_t *p, size_t cap);

/* quic_datagram.c. */
int pu_quic_send_datagram(struct pu_conn *pc, const struct iovec *iov, int n);
size_t pu_quic_max_datagram(const struct pu_conn *pc);
/* If somebody was refused and there is room now. */
void pu_quic_tell_datagram_room(struct quic_conn *c);
/* When datagrams wait for a window that nothing may ever open again: the time at which
 * to ask the peer for an acknowledgement. PU_TIME_NEVER otherwise. */
pu_time pu_quic_next_probe(struct quic_conn *c);
void pu_quic_probe(struct quic_conn *c);

/* quic_migrate.c. */
int pu_quic_migrate(struct pu_conn *pc);
int pu_quic_follow(struct pu_conn *pc, const struct pu_multiaddr *to);
/* ngtcp2 has an answer from that path, or has given up waiting. */
void pu_quic_path_validated(struct quic_conn *c, const ngtcp2_path *path, bool ok);

/* quic_arrival.c, for connections that the peer dialled. What ngtcp2 gets to see as the
 * local address of a packet; true when it came along another path than the one in use. */
bool pu_quic_arrival_label(const struct quic_conn *c, const struct pu_dgrams *d,
			   union pu_sockaddr *label);
/* The real one of the path in use. */
void pu_quic_arrival_unlabel(const struct quic_conn *c, union pu_sockaddr *local);

/* quic_life.c. */
/* Something that has to be acknowledged was sent, and nothing like it was under way. */
void pu_quic_asked(struct quic_conn *c);
/* When to call pu_quic_look(), which tells on_quiet if need be. */
pu_time pu_quic_next_look(struct quic_conn *c);
void pu_quic_look(struct quic_conn *c);
pu_time pu_quic_unanswered(struct pu_conn *pc);
void pu_quic_ask(struct pu_conn *pc);

static inline void quic_note_sent(struct quic_conn *c)
{
	if (c->asked_at == 0)
		pu_quic_asked(c);
}

static inline void quic_note_acked(struct quic_conn *c)
{
	if (c->asked_at)
		c->asked_at = quic_now(c);
}

/* quic_path.c. */
void pu_quic_sent_big(struct quic_conn *c);
void pu_quic_sent_big_acked(struct quic_conn *c);
void pu_quic_check_black_hole(struct quic_conn *c);

/* quic_tls.c. */
int pu_quic_tls_new(struct quic_conn *c, const struct pu_peerid *expected,
		    struct pu_quic_tls **pt);
void pu_quic_tls_free(struct pu_quic_tls *t);
/* The key that the peer showed; proved once the handshake is complete. NULL before. */
const struct pu_pubkey *pu_quic_tls_remote(const struct pu_quic_tls *t);
/* Why verification refused the certificate, or 0. */
int pu_quic_tls_verdict(const struct pu_quic_tls *t);
/* 32 bytes that depend on the identity key and the label only. PU_ECRYPTO. */
int pu_quic_tls_derive(const struct pu_key *key, const char *label,
		       uint8_t out[QUIC_SECRET_LEN]);

#endif
