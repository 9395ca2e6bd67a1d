#include "p2p/proto/identify.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/proto/identify_message.h"

enum {
	BODY_MAX = PU_IDENTIFY_MESSAGES_MAX * PU_IDENTIFY_MESSAGE_MAX,
	FRAME_MAX = PU_IDENTIFY_MESSAGE_MAX + 16,
};

/* How many pushes may go now: one more every few seconds. */
struct bucket {
	pu_time full_at; /* when all of the burst will be there again */
};

struct pu_identify {
	struct pu_host *h;
	struct bucket pushes;
	uint64_t seq; /* of our record */
	struct pu_timer push;
};

/* Somebody's messages on their way in. */
struct reader {
	struct pu_identify_conn *ic;
	struct pu_stream *st; /* NULL: not reading */
	struct pu_buf frame, body;
	unsigned n_messages;
	bool push;
	struct pu_timer timer;
};

struct pu_identify_conn {
	struct host_conn *hc;
	struct pu_host_request *ask;  /* opens the stream to read from */
	struct pu_host_request *tell; /* opens the stream to push on */
	struct reader answer, pushed;
	uint64_t told; /* sequence number of what the peer knows of us; 0: has not asked */
	struct bucket pushes;
	bool owed; /* told 0 does not mean that the peer will ask */
};

/* 0, or how long to wait. */
static pu_time take(struct bucket *b, pu_time now, unsigned burst)
{
	pu_time full = b->full_at > now ? b->full_at : now;
	pu_time each = PU_SEC(PU_IDENTIFY_PUSH_EVERY_S);

	if (full + each > now + burst * each)
		return full + each - burst * each - now;
	b->full_at = full + each;
	return 0;
}

static void push_soon(struct pu_identify *id)
{
	if (!pu_timer_active(&id->push))
		pu_timer_set(&id->push, pu_loop_now(id->h->loop) +
						PU_MS(PU_IDENTIFY_PUSH_DELAY_MS));
}

/* Reading. */

static void reader_init(struct reader *rd, struct pu_identify_conn *ic, bool push);

static void reader_reset(struct reader *rd)
{
	rd->st = NULL;
	rd->n_messages = 0;
	pu_timer_stop(&rd->timer);
	pu_buf_deinit(&rd->frame);
	pu_buf_deinit(&rd->body);
}

static void log_failure(const struct reader *rd, int err)
{
	char peer[PU_PEERID_SHORT_MAX];

	pu_log(PU_LOG_DEBUG, "identify", "failed",
	       PU_KV_STR("peer", pu_peerid_short(&rd->ic->hc->c->peer, peer)), PU_KV_ERR(err));
}

static void reader_fail(struct reader *rd, int err, uint32_t code)
{
	log_failure(rd, err);
	if (rd->st)
		pu_stream_reset(rd->st, code);
	reader_reset(rd);
}

/* The peer has said everything, or enough. */
static void reader_done(struct reader *rd)
{
	struct host_conn *hc = rd->ic->hc;
	int r = PU_EPROTO;

	if (rd->n_messages > 0)
		r = pu_identify_message_apply(hc, pu_buf_bytes(&rd->body), rd->push);
	if (r < 0) {
		reader_fail(rd, r, PU_STREAM_CODE_PROTOCOL);
		return;
	}
	pu_stream_close(rd->st);
	reader_reset(rd);
	if (rd->ic->owed && !rd->ic->told)
		push_soon(hc->h->identify);
	HOST_NOTIFY(hc->h, on_identified, hc->c);
}

static size_t reader_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct reader *rd = arg;
	size_t n = pu_min(len, pu_buf_room(&rd->frame)), used;
	int r = pu_buf_append(&rd->frame, p, n);

	(void)st;
	if (r == 0)
		r = pu_identify_message_split(pu_buf_bytes(&rd->frame), &rd->body, &rd->n_messages,
					      &used);
	if (r == 0)
		pu_buf_consume(&rd->frame, used);
	if (r == 0 && n < len) /* the frame was full: it has room again */
		return n + (used ? reader_recv(arg, st, p + n, len - n) : 0);
	if (r < 0)
		reader_fail(rd, r, PU_STREAM_CODE_PROTOCOL);
	return len;
}

static void reader_eof(void *arg, struct pu_stream *st)
{
	struct reader *rd = arg;

	(void)st;
	if (rd->frame.len > 0)
		reader_fail(rd, PU_EPROTO, PU_STREAM_CODE_PROTOCOL);
	else
		reader_done(rd);
}

static void reader_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct reader *rd = arg;

	(void)st;
	(void)code;
	rd->st = NULL;
	reader_fail(rd, err, 0);
}

static const struct pu_stream_events reader_events = { .on_recv = reader_recv,
						       .on_eof = reader_eof,
						       .on_closed = reader_closed };

static void reader_timeout(void *arg)
{
	struct reader *rd = arg;

	if (rd->n_messages > 0)
		reader_done(rd);
	else
		reader_fail(rd, PU_ETIMEDOUT, PU_STREAM_CODE_NONE);
}

static void reader_init(struct reader *rd, struct pu_identify_conn *ic, bool push)
{
	rd->ic = ic;
	rd->push = push;
	pu_buf_init(&rd->frame, FRAME_MAX);
	pu_buf_init(&rd->body, BODY_MAX);
	pu_timer_init(&rd->timer, ic->hc->h->loop, reader_timeout, rd);
}

static void reader_start(struct reader *rd, struct pu_stream *st)
{
	struct pu_loop *loop = rd->ic->hc->h->loop;

	rd->st = st;
	pu_stream_set_events(st, &reader_events, rd);
	pu_timer_set(&rd->timer, pu_loop_now(loop) + PU_SEC(PU_IDENTIFY_TIMEOUT_S));
}

/* Writing. The stream closes itself: what was written is still delivered. */

static size_t discard(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	(void)arg;
	(void)st;
	(void)p;
	return len;
}

static void forget(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	(void)arg;
	(void)st;
	(void)err;
	(void)code;
}

static const struct pu_stream_events writer_events = { .on_recv = discard, .on_closed = forget };

static void write_us(struct pu_identify *id, struct host_conn *hc, struct pu_stream *st)
{
	struct pu_buf out;
	int r;

	pu_stream_set_events(st, &writer_events, NULL);
	pu_buf_init(&out, BODY_MAX);
	r = pu_identify_message_encode(hc, id->seq, &out);
	if (r == 0 && pu_stream_write(st, pu_buf_bytes(&out).p, out.len) < out.len)
		r = PU_ELIMIT;
	pu_buf_deinit(&out);
	if (r < 0) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return;
	}
	if (hc->identify)
		hc->identify->told = id->seq;
	pu_stream_close(st);
}

static void serve_identify(void *arg, struct pu_stream *st)
{
	write_us(arg, host_conn_of(st->conn), st);
}

static void serve_push(void *arg, struct pu_stream *st)
{
	struct pu_identify_conn *ic = host_conn_of(st->conn)->identify;
	struct pu_identify *id = arg;

	if (!ic || ic->pushed.st)
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
	else if (take(&ic->pushes, pu_loop_now(id->h->loop), PU_IDENTIFY_PUSH_BURST_IN) > 0)
		pu_stream_reset(st, PU_STREAM_CODE_RATE);
	else
		reader_start(&ic->pushed, st);
}

/* Asking. */

static void on_asked(void *arg, int err, struct pu_stream *st)
{
	struct pu_identify_conn *ic = arg;

	ic->ask = NULL;
	if (err == 0)
		reader_start(&ic->answer, st);
	else
		log_failure(&ic->answer, err);
}

void pu_identify_conn_ask(struct host_conn *hc)
{
	static const char *const protocols[] = { PU_IDENTIFY_PROTOCOL, NULL };
	struct pu_identify_conn *ic = hc->identify;

	if (!ic || ic->ask || ic->answer.st)
		return;
	if (pu_host_open(hc->h, &hc->c->peer, hc->c, protocols, on_asked, ic, &ic->ask) < 0)
		ic->ask = NULL;
}

void pu_identify_conn_opened(struct host_conn *hc)
{
	struct pu_identify_conn *ic = calloc(1, sizeof *ic);

	if (!ic)
		return; /* an unidentified peer is still a peer */
	ic->hc = hc;
	reader_init(&ic->answer, ic, false);
	reader_init(&ic->pushed, ic, true);
	hc->identify = ic;
	pu_identify_conn_ask(hc);
}

void pu_identify_conn_owed(struct host_conn *hc)
{
	hc->identify->owed = true;
}

void pu_identify_conn_closed(struct host_conn *hc)
{
	struct pu_identify_conn *ic = hc->identify;

	if (!ic)
		return;
	if (ic->ask)
		pu_host_cancel(hc->h, ic->ask);
	if (ic->tell)
		pu_host_cancel(hc->h, ic->tell);
	reader_reset(&ic->answer);
	reader_reset(&ic->pushed);
	free(ic);
	hc->identify = NULL;
}

/* Telling. */

static void on_telling(void *arg, int err, struct pu_stream *st)
{
	struct pu_identify_conn *ic = arg;
	struct pu_identify *id = ic->hc->h->identify;

	ic->tell = NULL;
	if (err == 0)
		write_us(id, ic->hc, st);
	else if (err != PU_ENOPROTO && err != PU_ECANCELED && !pu_timer_active(&id->push))
		pu_timer_set(&id->push, pu_loop_now(id->h->loop) +
						PU_SEC(PU_IDENTIFY_PUSH_EVERY_S));
}

static void push_now(void *arg)
{
	static const char *const protocols[] = { PU_IDENTIFY_PUSH_PROTOCOL, NULL };
	struct pu_identify *id = arg;
	pu_time now = pu_loop_now(id->h->loop);
	pu_time wait = take(&id->pushes, now, PU_IDENTIFY_PUSH_BURST_OUT);

	if (wait > 0) {
		pu_timer_set(&id->push, now + wait);
		return;
	}
	PU_LIST_FOREACH(it, tmp, &id->h->conns) {
		struct host_conn *hc = PU_CONTAINER_OF(it, struct host_conn, node);
		struct pu_identify_conn *ic = hc->identify;

		/* Who has not asked yet will ask. */
		if (!ic || ic->tell || !(ic->told || ic->owed) || ic->told == id->seq ||
		    hc->c->closing || !pu_peerstore_supports(hc->peer, PU_IDENTIFY_PUSH_PROTOCOL))
			continue;
		if (pu_host_open(id->h, &hc->c->peer, hc->c, protocols, on_telling, ic,
				 &ic->tell) < 0)
			ic->tell = NULL;
	}
}

/* Records are compared by time, but never go back. */
static void next_seq(struct pu_identify *id)
{
	uint64_t ns = (uint64_t)((int64_t)id->h->loop->now + id->h->loop->wall_offset);

	id->seq = ns > id->seq ? ns : id->seq + 1;
}

void pu_identify_changed(struct pu_identify *id)
{
	next_seq(id);
	push_soon(id);
}

int pu_identify_new(struct pu_host *h, struct pu_identify **pid)
{
	struct pu_identify *id = calloc(1, sizeof *id);
	int r;

	if (!id)
		return PU_ENOMEM;
	id->h = h;
	pu_timer_init(&id->push, h->loop, push_now, id);
	next_seq(id);
	r = pu_host_handle(h, PU_IDENTIFY_PROTOCOL, serve_identify, id);
	if (r == 0)
		r = pu_host_handle(h, PU_IDENTIFY_PUSH_PROTOCOL, serve_push, id);
	if (r < 0)
		pu_identify_free(id);
	else
		*pid = id;
	return r;
}

void pu_identify_free(struct pu_identify *id)
{
	if (!id)
		return;
	pu_timer_stop(&id->push);
	free(id);
}
