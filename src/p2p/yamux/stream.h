/* One stream of a yamux session: its two halves, its consumer, its place in the
 * session's lists. Used inside this folder only.
 *
 * Lifetime: a stream leaves the table of ids when both halves ended; it is buried
 * when it has no consumer any more either, and freed by the session's job, so that
 * nobody up the call stack holds a stale pointer. A buried stream, like one that was
 * given up, ignores what else its consumer wants of it. */
#ifndef PU_P2P_YAMUX_STREAM_H
#define PU_P2P_YAMUX_STREAM_H

#include "base/buf.h"
#include "base/htab.h"
#include "base/list.h"
#include "p2p/stack/stream.h"
#include "p2p/yamux/ring.h"
#include "p2p/yamux/window.h"

struct pu_yamux;

enum pu_yamux_rx {
	PU_YAMUX_RX_OPEN,
	PU_YAMUX_RX_FIN,   /* the peer finished; bytes or the news itself are not delivered */
	PU_YAMUX_RX_ENDED, /* the consumer knows, or there is none */
};

enum pu_yamux_tx {
	PU_YAMUX_TX_OPEN,
	PU_YAMUX_TX_CLOSING, /* FIN follows what is queued */
	PU_YAMUX_TX_CLOSED,  /* FIN is on its way */
};

/* What the session's job has to do for a stream. */
enum pu_yamux_todo {
	PU_YAMUX_TODO_OFFER = 1u << 0,
	PU_YAMUX_TODO_WRITABLE = 1u << 1,
	PU_YAMUX_TODO_DROP = 1u << 2, /* received bytes that nobody will take */
};

struct pu_yamux_stream {
	struct pu_stream base;
	struct pu_yamux *ym;
	struct pu_hnode by_id;
	struct pu_list node;        /* ym->streams or ym->graveyard */
	struct pu_list todo_node;   /* ym->todo */
	struct pu_list ctl_node;    /* ym->ctl_streams: SYN, ACK or credit to send */
	struct pu_list data_node;   /* ym->data_streams: data or FIN to send */
	struct pu_list linger_node; /* ym->lingering, by deadline */
	pu_time linger_until;
	enum pu_yamux_rx rx;
	enum pu_yamux_tx tx;
	unsigned todo;
	uint16_t ctl_flags; /* SYN or ACK not sent yet */
	bool owned;         /* has a consumer */
	bool known;         /* in the table of ids */
	bool accepted;      /* the peer knows the stream */
	bool short_write;   /* the consumer waits for on_writable */
	struct pu_yamux_window window; /* what the peer may send */
	struct pu_buf received;        /* not taken yet */
	uint32_t send_credit;          /* what we may send */
	struct pu_yamux_ring unsent;
	size_t held; /* memory of both buffers, as in the session's sum */
};

static inline uint32_t pu_yamux_stream_id(const struct pu_yamux_stream *st)
{
	return (uint32_t)st->base.id;
}

/* Gives back the memory of empty buffers. */
void pu_yamux_stream_trim(struct pu_yamux_stream *st);
/* Adds a stream to the session. PU_ENOMEM. */
int pu_yamux_stream_new(struct pu_yamux *ym, uint32_t id, bool inbound,
			struct pu_yamux_stream **pst);
/* Frees the memory; the stream must be buried or the session be freed. */
void pu_yamux_stream_free(struct pu_yamux_stream *st);

/* Input, from pu_yamux_recv(). Each of them may bury the stream. */
int pu_yamux_stream_on_data(struct pu_yamux_stream *st, const uint8_t *p, size_t n);
void pu_yamux_stream_on_credit(struct pu_yamux_stream *st, uint32_t n);
void pu_yamux_stream_on_fin(struct pu_yamux_stream *st);
void pu_yamux_stream_on_rst(struct pu_yamux_stream *st, uint32_t code);
/* Something of the peer names the stream: it accepted it. */
void pu_yamux_stream_on_accepted(struct pu_yamux_stream *st);

/* Output, from pu_yamux_output(): n bytes left the send buffer; FIN was sent. */
void pu_yamux_stream_sent(struct pu_yamux_stream *st, size_t n);
void pu_yamux_stream_fin_sent(struct pu_yamux_stream *st);

/* From the session's job. */
void pu_yamux_stream_work(struct pu_yamux_stream *st);
/* Takes the stream out of everything; the consumer, if any, hears
 * on_closed(err, code) when err is not 0. */
void pu_yamux_stream_end(struct pu_yamux_stream *st, int err, uint32_t code);
/* A closed stream whose peer shows no interest any more. */
void pu_yamux_stream_linger_over(struct pu_yamux_stream *st);

#endif
