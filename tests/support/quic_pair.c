#include "support/quic_pair.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"

static const uint64_t fnv_start = 14695981039346656037ull;

uint64_t qp_hash(uint64_t h, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 1099511628211ull;
	return h;
}

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 131 + (at >> 8) * 7 + (at >> 16));
}

void qp_pump(struct qp_stream *q)
{
	uint8_t buf[4096];

	while (q->st && q->to_write > 0) {
		size_t len = pu_min(sizeof buf, q->to_write), n;

		for (size_t i = 0; i < len; i++)
			buf[i] = pattern(q->written + i);
		n = pu_stream_write(q->st, buf, len);
		q->wrote_hash = qp_hash(q->wrote_hash, buf, n);
		q->written += n;
		q->to_write -= n;
		if (n < len)
			return;
	}
	if (q->st && q->fin_when_done) {
		q->fin_when_done = false;
		pu_stream_shutdown(q->st);
	}
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct qp_stream *q = arg;

	len = pu_min(len, q->take_max);
	if (q->echo)
		len = pu_stream_write(st, p, len);
	q->hash = qp_hash(q->hash, p, len);
	q->got += len;
	return len;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	struct qp_stream *q = arg;

	assert_false(q->eof);
	q->eof = true;
	if (q->echo)
		pu_stream_shutdown(st);
	if (q->close_on_eof) {
		q->st = NULL;
		pu_stream_close(st);
	}
}

static void on_writable(void *arg, struct pu_stream *st)
{
	struct qp_stream *q = arg;

	if (q->echo)
		pu_stream_resume(st);
	qp_pump(q);
}

static void on_stream_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct qp_stream *q = arg;

	assert_ptr_equal(q->st, st);
	assert_false(q->closed);
	q->closed = true;
	q->st = NULL;
	q->err = err;
	q->code = code;
}

static const struct pu_stream_events stream_events = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_writable = on_writable,
	.on_closed = on_stream_closed,
};

static struct qp_stream *add_stream(struct qp_side *s, struct pu_stream *st)
{
	struct qp_stream *q;

	assert_true(s->n_streams < QP_STREAMS_MAX);
	q = &s->streams[s->n_streams++];
	*q = (struct qp_stream){ .side = s, .st = st, .take_max = SIZE_MAX, .hash = fnv_start,
				 .wrote_hash = fnv_start };
	pu_stream_set_events(st, &stream_events, q);
	return q;
}

struct qp_stream *qp_open(struct qp_side *s, size_t to_write, bool fin)
{
	struct pu_stream *st;
	struct qp_stream *q;

	assert_int_equal(pu_conn_open_stream(s->c, &st), 0);
	q = add_stream(s, st);
	q->to_write = to_write;
	q->fin_when_done = fin;
	qp_pump(q);
	return q;
}

static void on_stream(void *arg, struct pu_conn *c, struct pu_stream *st)
{
	struct qp_side *s = arg;
	struct qp_stream *q = add_stream(s, st);

	assert_true(st->inbound);
	q->echo = s->echo;
	q->take_max = s->hold ? 0 : SIZE_MAX;
	q->close_on_eof = s->echo;
}

static void on_datagram(void *arg, struct pu_conn *c, const uint8_t *p, size_t len)
{
	struct qp_side *s = arg;

	s->dgrams++;
	s->dgram_bytes += len;
	if (s->on_datagram)
		s->on_datagram(s, p, len);
}

static void on_datagrams_end(void *arg, struct pu_conn *c)
{
	((struct qp_side *)arg)->dgram_ends++;
}

static void on_room(void *arg, struct pu_conn *c)
{
	struct qp_side *s = arg;

	s->dgram_room++;
	if (s->on_room)
		s->on_room(s);
}

static void on_path(void *arg, struct pu_conn *c)
{
	((struct qp_side *)arg)->paths++;
}

static void on_conn_closed(void *arg, struct pu_conn *c, int err, uint64_t code)
{
	struct qp_side *s = arg;

	s->n_closed++;
	s->closed_err = err;
	s->closed_code = code;
	if (s->c == c)
		s->c = NULL;
}

static const struct pu_conn_events conn_events = {
	.on_stream = on_stream,
	.on_datagram = on_datagram,
	.on_datagrams_end = on_datagrams_end,
	.on_datagram_room = on_room,
	.on_path = on_path,
	.on_closed = on_conn_closed,
};

void qp_take(struct qp_side *s, struct pu_conn *c)
{
	s->c = c;
	s->n_conns++;
	c->ev = &conn_events;
	c->arg = s;
}

static void on_inbound(void *arg, struct pu_conn *c)
{
	assert_true(c->inbound);
	qp_take(arg, c);
}

static void on_inbound_failed(void *arg, const union pu_sockaddr *remote, int err)
{
	struct qp_side *s = arg;

	s->n_inbound_failed++;
	s->failed_err = err;
}

static bool gate(void *arg, const struct pu_peerid *peer, bool inbound,
		 const struct pu_multiaddr *remote)
{
	struct qp_side *s = arg;

	s->gate_asked++;
	assert_false(pu_peerid_empty(peer));
	return !s->refuse;
}

static const struct pu_transport_events transport_events = {
	.on_inbound = on_inbound,
	.on_inbound_failed = on_inbound_failed,
	.gate = gate,
};

static void on_dialled(void *arg, int err, struct pu_conn *c)
{
	struct qp_side *s = arg;

	s->dial = NULL;
	s->dial_err = err;
	s->n_refused += err == PU_EREFUSED;
	if (c)
		qp_take(s, c);
}

void qp_transport_new(struct qp_side *s)
{
	const struct pu_transport_config cfg = {
		.loop = pu_sim_loop(s->node),
		.net = pu_sim_net(s->node),
		.key = &s->key,
		.ev = &transport_events,
		.arg = s,
		.max_pending_inbound = s->p->max_pending,
		.max_streams = s->p->max_streams,
	};

	assert_int_equal(pu_quic_transport_new(&cfg, &s->t), 0);
}

int qp_listen(struct qp_side *s, const char *addr)
{
	struct pu_multiaddr ma, bound;
	int r;

	assert_int_equal(pu_multiaddr_from_text(&ma, addr), 0);
	r = s->t->ops->listen(s->t, &ma, &bound);
	if (r == 0)
		s->p->b_addr = bound;
	return r;
}

static void init_side(struct qp_pair *p, struct qp_side *s, const char *name, const char *ip,
		      const char *ip6, uint8_t seed)
{
	uint8_t b[32];

	memset(b, seed, sizeof b);
	s->p = p;
	s->node = pu_sim_node_new(p->sim, name);
	pu_sim_node_add_ip(s->node, ip);
	pu_sim_node_add_ip(s->node, ip6);
	assert_int_equal(pu_key_from_seed(&s->key, b), 0);
	qp_transport_new(s);
}

void qp_init(struct qp_pair *p, const struct pu_sim_link *link)
{
	unsigned max_pending = p->max_pending, max_streams = p->max_streams;

	assert_int_equal(pu_crypto_init(), 0);
	memset(p, 0, sizeof *p);
	p->max_pending = max_pending ? max_pending : 16;
	p->max_streams = max_streams ? max_streams : 128;
	p->sim = pu_sim_new(pu_sim_seed());
	init_side(p, &p->a, "a", "10.0.0.1", "fd00::1", 1);
	init_side(p, &p->b, "b", "10.0.0.2", "fd00::2", 2);
	pu_sim_link(p->a.node, p->b.node, link);
	assert_int_equal(qp_listen(&p->b, "/ip4/10.0.0.2/udp/4001/quic-v1"), 0);
}

void qp_deinit(struct qp_pair *p)
{
	if (p->a.t)
		p->a.t->ops->free(p->a.t);
	if (p->b.t)
		p->b.t->ops->free(p->b.t);
	pu_key_deinit(&p->a.key);
	pu_key_deinit(&p->b.key);
	pu_sim_free(p->sim);
	*p = (struct qp_pair){ 0 };
}

int qp_dial(struct qp_pair *p, const struct pu_peerid *expected, pu_time timeout)
{
	p->a.dial_err = 1;
	return p->a.t->ops->dial(p->a.t, &p->b_addr, expected ? expected : &p->b.key.peer,
				 timeout, on_dialled, &p->a, &p->a.dial);
}

static bool connected(void *arg)
{
	struct qp_pair *p = arg;

	return p->a.dial_err <= 0 && (p->a.dial_err < 0 || p->b.c);
}

bool qp_run_until(struct qp_pair *p, bool (*cond)(void *), void *arg, pu_time limit)
{
	return pu_sim_run_until(p->sim, cond, arg, limit);
}

void qp_connect(struct qp_pair *p)
{
	assert_int_equal(qp_dial(p, NULL, PU_SEC(10)), 0);
	assert_true(pu_sim_run_until(p->sim, connected, p, PU_SEC(15)));
	assert_int_equal(p->a.dial_err, 0);
	assert_non_null(p->a.c);
	assert_non_null(p->b.c);
}
