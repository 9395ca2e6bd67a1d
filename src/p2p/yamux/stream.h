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

/* Life (stream.c). new adds a stream to the session. PU_ENOMEM. free is for buried
 * streams, and for all of them at the end of the session. */
int pu_yamux_stream_new(struct pu_yamux *ym, uint32_t id, bool inbound,
			struct pu_yamux_stream **pst);
void pu_yamux_stream_free(struct pu_yamux_stream *st);
/* Buries it; the consumer, if any, hears on_closed(err, code) when err is not 0. */
void pu_yamux_stream_end(struct pu_yamux_stream *st, int err, uint32_t code);
/* A half ended or the consumer left: forgets or buries what is over. */
void pu_yamux_stream_settle(struct pu_yamux_stream *st);
/* A closed stream whose peer shows no interest any more. */
void pu_yamux_stream_linger_over(struct pu_yamux_stream *st);
/* What the session's job has to do for it. */
void pu_yamux_stream_work(struct pu_yamux_stream *st);

/* What the peer says, from pu_yamux_recv() (delivery.c, stream.c). Each of them may
 * bury the stream. accepted: something of the peer names it. */
int pu_yamux_stream_on_data(struct pu_yamux_stream *st, const uint8_t *p, size_t n);
void pu_yamux_stream_on_fin(struct pu_yamux_stream *st);
void pu_yamux_stream_on_credit(struct pu_yamux_stream *st, uint32_t n);
void pu_yamux_stream_on_rst(struct pu_yamux_stream *st, uint32_t code);
void pu_yamux_stream_on_accepted(struct pu_yamux_stream *st);
/* Offers what the consumer left behind, until it leaves something again. */
void pu_yamux_stream_offer(struct pu_yamux_stream *st);
/* n bytes for nobody. */
void pu_yamux_stream_discard(struct pu_yamux_stream *st, size_t n);

/* Output, from pu_yamux_output(): n bytes left the send buffer; FIN was sent. */
void pu_yamux_stream_sent(struct pu_yamux_stream *st, size_t n);
void pu_yamux_stream_fin_sent(struct pu_yamux_stream *st);
/* The stream has SYN, ACK or credit to send. */
void pu_yamux_stream_schedule_ctl(struct pu_yamux_stream *st);
void pu_yamux_stream_send_rst(struct pu_yamux_stream *st, uint32_t code);

/* Memory of the two buffers. Call count_held after one changed; trim gives back what
 * empty ones hold, trim_if_tight only when the session's streams hold much. */
void pu_yamux_stream_count_held(struct pu_yamux_stream *st);
void pu_yamux_stream_trim(struct pu_yamux_stream *st);
void pu_yamux_stream_trim_if_tight(struct pu_yamux_stream *st);

#endif
