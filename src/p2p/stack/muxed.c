#include "p2p/stack/muxed.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/yamux/session.h"

enum {
	/* One record of Noise, four of TLS. */
	CLEAR_MAX = 65519,
	/* After our goodbye: until the peer hangs up too. */
	LINGER_MS = 2000,
	/* An answer may come by itself; not before that much silence is one asked for. */
	PING_AFTER_MS = 500,
};

enum muxed_state {
	MUXED_NEW,
	MUXED_WAITING, /* for the first bytes: did the peer accept us? */
	MUXED_OPEN,
	MUXED_ENDING,  /* the reason is known, consumers will be told by a job */
	MUXED_LINGERS, /* streams are gone, the goodbye is on its way */
	MUXED_OVER,
};

struct pu_muxed {
	struct pu_conn conn;
	struct pu_loop *loop;
	struct pu_pipe *pipe;
	struct pu_secure *sec;
	struct pu_yamux *ym;
	enum muxed_state state;
	bool polite; /* the pipe works: say goodbye and wait for theirs */
	bool shut;   /* our direction of the pipe is ended */
	bool eof;    /* theirs is */
	int err;
	uint64_t code;
	struct pu_buf in, plain, out, clear;
	pu_muxed_ready_fn *on_ready; /* not NULL: nobody knows the connection yet */
	void *ready_arg;
	struct pu_job job;      /* moves ENDING and OVER on */
	struct pu_timer linger;
	/* Signs of life. */
	pu_time asked_at; /* nothing has come since that was sent; 0: nothing was sent */
	bool pinged;      /* and it was a ping */
	uint64_t acked;   /* by the other system, as last seen */
	struct pu_timer look;
};

static struct pu_muxed *of_conn(const struct pu_conn *c)
{
	return PU_CONTAINER_OF(c, struct pu_muxed, conn);
}

static bool alive(const struct pu_muxed *m)
{
	return m->state == MUXED_OPEN || m->state == MUXED_WAITING;
}

/* The first reason counts. Consumers hear it from the job. */
static void end(struct pu_muxed *m, int err, uint64_t code, bool polite)
{
	if (!alive(m))
		return;
	m->state = MUXED_ENDING;
	m->conn.closing = true;
	m->err = err;
	m->code = code;
	m->polite = polite;
	pu_job_defer(&m->job);
}

static void over(struct pu_muxed *m)
{
	if (m->state != MUXED_LINGERS)
		return;
	m->state = MUXED_OVER;
	pu_job_defer(&m->job);
}

static void broken(struct pu_muxed *m, int err)
{
	m->polite = false;
	end(m, err, PU_CONN_CODE_NORMAL, false);
	over(m);
}

/* Does the peer get what we send? The system below a TCP socket knows; through a relay only
 * an answer tells, and a ping makes sure that there is one. */

/* The system measures all the time, yamux every half minute. */
static pu_time muxed_rtt(const struct pu_conn *c)
{
	const struct pu_muxed *m = of_conn(c);
	struct pu_tcp_progress pr = { 0 };

	if (m->pipe && m->pipe->ops->progress && m->pipe->ops->progress(m->pipe, &pr) && pr.rtt)
		return pr.rtt;
	return pu_yamux_rtt(m->ym);
}

static pu_time quiet_after(const struct pu_muxed *m)
{
	return PU_MS(PU_CONN_QUIET_MS) + 2 * muxed_rtt(&m->conn);
}

static void note_sent(struct pu_muxed *m)
{
	if (m->asked_at)
		return;
	m->asked_at = pu_loop_now(m->loop);
	if (!pu_timer_active(&m->look)) /* else it finds out by itself */
		pu_timer_set(&m->look, m->asked_at + PU_MS(PING_AFTER_MS));
}

static void note_heard(struct pu_muxed *m)
{
	m->asked_at = 0;
	m->pinged = false;
}

/* True when the system knows; asked_at is up to date then. */
static bool ask_system(struct pu_muxed *m)
{
	struct pu_tcp_progress pr;
	pu_time now = pu_loop_now(m->loop);

	if (!m->pipe->ops->progress || !m->pipe->ops->progress(m->pipe, &pr))
		return false;
	if (pr.acked != m->acked && m->asked_at)
		m->asked_at = pu_max(m->asked_at, now - pu_min(pr.ago, now));
	if (!pr.waiting)
		m->asked_at = 0;
	m->acked = pr.acked;
	return true;
}

/* Data need not be answered, so without a system that knows nothing is owed before the
 * ping that waits behind it. */
static pu_time muxed_unanswered(struct pu_conn *c)
{
	struct pu_muxed *m = of_conn(c);

	if (!alive(m) || m->asked_at == 0 || (!ask_system(m) && !m->pinged))
		return 0;
	return m->asked_at ? pu_loop_now(m->loop) - m->asked_at : 0;
}

static void muxed_probe(struct pu_conn *c)
{
	struct pu_muxed *m = of_conn(c);

	if (!alive(m))
		return;
	pu_yamux_probe(m->ym);
	if (m->pinged)
		return;
	m->pinged = true;
	m->asked_at = pu_loop_now(m->loop);
}

static void look(void *arg)
{
	struct pu_muxed *m = arg;
	pu_time now = pu_loop_now(m->loop), next;
	bool ask;

	if (!alive(m) || m->asked_at == 0)
		return;
	ask = !ask_system(m) && !m->pinged;
	if (ask && now - m->asked_at >= PU_MS(PING_AFTER_MS)) {
		muxed_probe(&m->conn);
		ask = false;
	}
	if (m->asked_at == 0)
		return;
	next = m->asked_at + (ask ? PU_MS(PING_AFTER_MS) : quiet_after(m));
	if (next <= now) {
		next = now + PU_MS(PU_CONN_QUIET_MS);
		pu_yamux_probe(m->ym);
		if (!m->on_ready && m->conn.ev->on_quiet)
			m->conn.ev->on_quiet(m->conn.arg, &m->conn);
	}
	if (alive(m))
		pu_timer_set(&m->look, next);
}

/* Sending: yamux frames, sealed, into the pipe, until one of them is full or empty. */

/* 0 when everything sealed is in the pipe. */
static int drain(struct pu_muxed *m)
{
	while (m->out.len > 0) {
		struct pu_bytes b = pu_buf_bytes(&m->out);
		int n = m->pipe->ops->write(m->pipe, b.p, b.len);

		if (n < 0)
			return n;
		pu_buf_consume(&m->out, (size_t)n);
		if ((size_t)n < b.len)
			return PU_EAGAIN;
	}
	return 0;
}

static int flush(struct pu_muxed *m)
{
	int r = drain(m);

	while (r == 0 && pu_yamux_output(m->ym, &m->clear, CLEAR_MAX) > 0) {
		if (pu_yamux_spoke(m->ym))
			note_sent(m);
		r = m->sec->ops->seal(m->sec, pu_buf_bytes(&m->clear), &m->out);
		pu_buf_clear(&m->clear, CLEAR_MAX * 2);
		if (r == 0)
			r = drain(m);
	}
	return r;
}

static void send_more(struct pu_muxed *m)
{
	int r;

	if (!alive(m))
		return;
	r = flush(m);
	if (r < 0 && r != PU_EAGAIN)
		broken(m, r == PU_ECLOSED ? PU_ERESET : r);
}

/* Behind the goodbye only the end of our direction can follow. */
static void finish_sending(struct pu_muxed *m)
{
	int r = m->shut ? 0 : drain(m);

	if (r == 0 && !m->shut) {
		m->shut = true;
		m->pipe->ops->shutdown(m->pipe);
	}
	if (r < 0 && r != PU_EAGAIN)
		broken(m, PU_ERESET);
	else if (r == 0 && m->eof)
		over(m);
}

/* Receiving. */

static void feed(struct pu_muxed *m)
{
	int r;

	if (m->state == MUXED_WAITING) {
		pu_muxed_ready_fn *on_ready = m->on_ready;

		m->state = MUXED_OPEN;
		m->on_ready = NULL;
		on_ready(m->ready_arg, 0);
	}
	r = pu_yamux_recv(m->ym, pu_buf_bytes(&m->plain).p, m->plain.len);
	pu_buf_clear(&m->plain, PU_MUXED_PLAIN_MAX);
	if (r < 0)
		end(m, r, PU_CONN_CODE_PROTOCOL, true);
}

/* Opens and handles what is whole. */
static void unseal(struct pu_muxed *m)
{
	while (alive(m)) {
		int r = m->sec->ops->open(m->sec, &m->in, &m->plain);
		bool some = m->plain.len > 0;

		if (some)
			feed(m);
		if (r == PU_EEOF)
			end(m, PU_ECLOSED, PU_CONN_CODE_NORMAL, true);
		else if (r < 0)
			end(m, r, PU_CONN_CODE_PROTOCOL, true);
		if (!some || r < 0)
			return;
	}
}

static size_t on_recv(void *arg, const uint8_t *p, size_t len)
{
	struct pu_muxed *m = arg;
	size_t done = 0;

	note_heard(m);
	while (alive(m) && done < len) {
		size_t n = pu_min(len - done, pu_buf_room(&m->in));
		int r = pu_buf_append(&m->in, p + done, n);

		if (r == 0 && n == 0)
			r = PU_EPROTO; /* a record that never becomes complete */
		if (r < 0) {
			end(m, r, PU_CONN_CODE_PROTOCOL, true);
			break;
		}
		done += n;
		unseal(m);
	}
	return len; /* at the end everything is discarded */
}

static void on_eof(void *arg)
{
	struct pu_muxed *m = arg;

	m->eof = true;
	end(m, PU_ECLOSED, PU_CONN_CODE_NORMAL, false);
	over(m);
}

static void on_writable(void *arg)
{
	struct pu_muxed *m = arg;

	if (m->state == MUXED_LINGERS)
		finish_sending(m);
	else
		send_more(m);
}

static void on_error(void *arg, int err)
{
	broken(arg, err);
}

static const struct pu_pipe_events pipe_events = { on_recv, on_eof, on_writable, on_error };

/* What yamux tells. */

static void on_stream(void *arg, struct pu_stream *st)
{
	struct pu_muxed *m = arg;

	m->conn.ev->on_stream(m->conn.arg, &m->conn, st);
}

static void on_output(void *arg)
{
	send_more(arg);
}

static void on_goaway(void *arg, uint32_t code)
{
	end(arg, PU_ECLOSED, code, true);
}

static void on_dead(void *arg, int err)
{
	broken(arg, err);
}

static const struct pu_yamux_events yamux_events = { on_stream, on_output, on_goaway, on_dead };

/* The end. */

static void muxed_free(struct pu_muxed *m)
{
	pu_job_cancel(&m->job);
	pu_timer_stop(&m->linger);
	pu_timer_stop(&m->look);
	pu_yamux_free(m->ym);
	if (m->sec)
		m->sec->ops->free(m->sec);
	pu_buf_deinit(&m->in);
	pu_buf_deinit(&m->plain);
	pu_buf_deinit(&m->out);
	pu_buf_deinit(&m->clear);
	free(m->conn.remote_key);
	free(m);
}

static void say_goodbye(struct pu_muxed *m)
{
	flush(m);
	m->sec->ops->close(m->sec, &m->out);
	m->state = MUXED_LINGERS;
	pu_timer_set(&m->linger, pu_loop_now(m->loop) + PU_MS(LINGER_MS));
	finish_sending(m);
}

static void linger_expired(void *arg)
{
	struct pu_muxed *m = arg;

	m->polite = false;
	over(m);
}

static void report(struct pu_muxed *m)
{
	m->pipe->ops->close(m->pipe, !m->polite);
	m->pipe = NULL;
	if (!m->on_ready)
		m->conn.ev->on_closed(m->conn.arg, &m->conn, m->err, m->code);
	else if (m->err == PU_ECLOSED || m->err == PU_ERESET || m->err == PU_ECRYPTO)
		m->on_ready(m->ready_arg, PU_EDENIED);
	else
		m->on_ready(m->ready_arg, m->err);
	muxed_free(m);
}

static void move_on(void *arg)
{
	struct pu_muxed *m = arg;

	if (m->state == MUXED_ENDING) {
		pu_yamux_abort(m->ym, PU_ECLOSED);
		if (m->polite)
			say_goodbye(m);
		else
			m->state = MUXED_OVER;
	}
	if (m->state == MUXED_OVER)
		report(m);
}

/* The contract. */

static int muxed_open_stream(struct pu_conn *c, struct pu_stream **pst)
{
	struct pu_muxed *m = of_conn(c);

	return m->state == MUXED_OPEN ? pu_yamux_open(m->ym, pst) : PU_ECLOSED;
}

static void muxed_close(struct pu_conn *c, uint64_t code)
{
	struct pu_muxed *m = of_conn(c);

	if (m->state == MUXED_NEW)
		m->code = code; /* turned away at once: when it runs */
	if (m->state != MUXED_OPEN)
		return;
	/* What streams wrote before belongs in front of the goodbye. */
	send_more(m);
	if (m->state != MUXED_OPEN)
		return;
	pu_yamux_close(m->ym, (uint32_t)code);
	end(m, PU_ECLOSED, code, true);
}

static const struct pu_conn_ops muxed_ops = {
	.open_stream = muxed_open_stream,
	.close = muxed_close,
	.rtt = muxed_rtt,
	.unanswered = muxed_unanswered,
	.probe = muxed_probe,
};

static void fill_conn(struct pu_muxed *m, const struct pu_upgrade_config *cfg)
{
	struct pu_conn *c = &m->conn;

	c->ops = &muxed_ops;
	pu_list_init(&c->node);
	*c->remote_key = m->sec->remote;
	c->peer = m->sec->remote.peer;
	c->local = cfg->local;
	c->remote = cfg->remote;
	c->security = strcmp(m->sec->ops->protocol, "/noise") == 0 ? "noise" : "tls";
	c->muxer = "yamux";
	c->inbound = cfg->inbound;
	c->limited = cfg->limited;
	c->early_muxer = m->sec->muxer != NULL;
	c->opened_at = pu_loop_now(m->loop);
}

int pu_muxed_new(const struct pu_upgrade_config *cfg, const struct pu_muxed_parts *parts,
		 struct pu_muxed **pm)
{
	struct pu_muxed *m = calloc(1, sizeof *m);
	struct pu_yamux_config yc = {
		.loop = cfg->loop,
		.client = cfg->initiator,
		.max_inbound_streams = cfg->max_streams,
		.max_window = (uint32_t)pu_min(cfg->stream_memory, UINT32_MAX),
		.max_send = pu_min(cfg->stream_memory, PU_YAMUX_SEND_MAX),
		.ev = &yamux_events,
	};
	int r;

	if (!m)
		return PU_ENOMEM;
	m->loop = cfg->loop;
	pu_job_init(&m->job, m->loop, move_on, m);
	pu_timer_init(&m->linger, m->loop, linger_expired, m);
	pu_timer_init(&m->look, m->loop, look, m);
	pu_buf_init(&m->clear, CLEAR_MAX);
	yc.conn = &m->conn;
	yc.arg = m;
	m->conn.remote_key = malloc(sizeof *m->conn.remote_key);
	r = m->conn.remote_key ? pu_yamux_new(&yc, &m->ym) : PU_ENOMEM;
	if (r < 0) {
		free(m->conn.remote_key);
		free(m);
		return r;
	}
	m->pipe = parts->pipe;
	m->sec = parts->sec;
	m->in = parts->in;
	m->plain = parts->plain;
	m->out = parts->out;
	fill_conn(m, cfg);
	*pm = m;
	return 0;
}

struct pu_conn *pu_muxed_conn(struct pu_muxed *m)
{
	return &m->conn;
}

static void take_pipe(struct pu_muxed *m)
{
	m->pipe->ev = &pipe_events;
	m->pipe->arg = m;
	send_more(m);
	if (alive(m) && m->plain.len > 0)
		feed(m);
	unseal(m);
	m->pipe->ops->resume(m->pipe);
}

void pu_muxed_start(struct pu_muxed *m)
{
	m->state = MUXED_OPEN;
	if (m->conn.closing)
		muxed_close(&m->conn, m->code);
	take_pipe(m);
}

void pu_muxed_confirm(struct pu_muxed *m, pu_muxed_ready_fn *on_ready, void *arg)
{
	m->state = MUXED_WAITING;
	m->on_ready = on_ready;
	m->ready_arg = arg;
	take_pipe(m);
}

void pu_muxed_discard(struct pu_muxed *m)
{
	m->pipe->ops->close(m->pipe, true);
	muxed_free(m);
}
