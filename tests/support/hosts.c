#include "support/hosts.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "p2p/transport/ws.h"

static void on_connected(void *arg, struct pu_conn *c)
{
	(void)c;
	((struct test_host *)arg)->connected++;
}

static void on_disconnected(void *arg, struct pu_conn *c, int err, uint64_t code, bool last)
{
	struct test_host *t = arg;

	(void)c;
	t->disconnected++;
	t->closed_err = err;
	t->closed_code = code;
	t->last = last;
}

static void on_identified(void *arg, struct pu_conn *c)
{
	(void)c;
	((struct test_host *)arg)->identified++;
}

static void on_path(void *arg, struct pu_conn *c)
{
	(void)c;
	((struct test_host *)arg)->paths++;
}

static void on_addrs(void *arg)
{
	((struct test_host *)arg)->addrs++;
}

static void on_best(void *arg, const struct pu_peerid *peer, struct pu_conn *best)
{
	(void)peer;
	(void)best;
	((struct test_host *)arg)->bests++;
}

static void on_health(void *arg, struct pu_conn *c, bool well)
{
	struct test_host *t = arg;

	(void)c;
	if (well)
		t->recovered++;
	else
		t->suspected++;
}

void test_host_init(struct test_host *t, struct pu_sim *sim, unsigned n, const char *ip4,
		    const char *ip6)
{
	uint8_t seed[32] = { (uint8_t)n, (uint8_t)(n >> 8), 1 };
	char name[16] = { 'h', (char)('0' + n % 10) };

	memset(t, 0, sizeof *t);
	assert_int_equal(pu_crypto_init(), 0);
	assert_int_equal(pu_key_from_seed(&t->key, seed), 0);
	t->sim = sim;
	t->node = pu_sim_node_new(sim, name);
	if (ip4)
		pu_sim_node_add_ip(t->node, ip4);
	if (ip6)
		pu_sim_node_add_ip(t->node, ip6);
	t->cfg.loop = pu_sim_loop(t->node);
	t->cfg.net = pu_sim_net(t->node);
	t->cfg.key = &t->key;
	t->cfg.agent = "peerup/test";
	t->observer = (struct pu_host_observer){ .on_connected = on_connected,
						 .on_disconnected = on_disconnected,
						 .on_identified = on_identified,
						 .on_path = on_path,
						 .on_addrs = on_addrs,
						 .on_best = on_best,
						 .on_health = on_health,
						 .arg = t };
}

static void set_interfaces(struct test_host *t)
{
	struct pu_multiaddr ma[8];
	size_t n = pu_sim_node_ips(t->node, ma, PU_ARRAY_LEN(ma));

	pu_host_set_interface_addrs(t->h, ma, n);
}

void test_host_start(struct test_host *t, const char *const *listen)
{
	assert_int_equal(pu_host_new(&t->cfg, &t->h), 0);
	if (t->ws)
		assert_int_equal(pu_ws_transport_add(
			t->h, t->cfg.tcp.order[0] ? &t->cfg.tcp : NULL, t->trust_file), 0);
	pu_host_observe(t->h, &t->observer);
	for (; listen && *listen; listen++) {
		struct pu_multiaddr ma;

		assert_int_equal(pu_multiaddr_from_text(&ma, *listen), 0);
		assert_int_equal(pu_host_listen(t->h, &ma), 0);
	}
	set_interfaces(t);
	t->stopped = false;
}

static void stopped(void *arg)
{
	((struct test_host *)arg)->stopped = true;
}

static bool has_stopped(void *arg)
{
	return ((struct test_host *)arg)->stopped;
}

void test_host_stop(struct test_host *t)
{
	pu_host_stop(t->h, stopped, t);
	assert_true(pu_sim_run_until(t->sim, has_stopped, t, PU_SEC(30)));
	pu_host_free(t->h);
	t->h = NULL;
	assert_int_equal(pu_sim_node_sockets(t->node), 0);
}

void test_host_introduce(struct test_host *a, const struct test_host *b)
{
	struct pu_multiaddr ma[32];
	size_t n = pu_host_addrs(b->h, ma, PU_ARRAY_LEN(ma));

	for (size_t i = 0; i < n; i++)
		assert_int_equal(pu_host_add_addr(a->h, &b->key.peer, &ma[i], true), 0);
}

static bool is_done(void *arg)
{
	return ((struct test_dial *)arg)->done;
}

static void finished(struct test_dial *d, int err)
{
	assert_false(d->done);
	d->done = true;
	d->err = err;
	d->req = NULL;
	d->took = pu_sim_now(d->sim) - d->since;
}

static void connect_done(void *arg, int err, struct pu_conn *c)
{
	struct test_dial *d = arg;

	finished(d, err);
	d->c = c;
}

static void open_done(void *arg, int err, struct pu_stream *st)
{
	struct test_dial *d = arg;

	finished(d, err);
	d->st = st;
	if (st)
		pu_stream_set_events(st, d->ev, d->arg);
}

static void begin(struct test_dial *d, struct test_host *a)
{
	d->done = false;
	d->sim = a->sim;
	d->since = pu_sim_now(a->sim);
	d->c = NULL;
	d->st = NULL;
}

void test_connect(struct test_host *a, const struct test_host *b, struct test_dial *d, pu_time limit)
{
	begin(d, a);
	assert_int_equal(pu_host_connect(a->h, &b->key.peer, connect_done, d, &d->req), 0);
	assert_false(d->done);
	pu_sim_run_until(a->sim, is_done, d, limit);
}

void test_open(struct test_host *a, const struct test_host *b, const char *const *protocols,
	       struct test_dial *d, pu_time limit)
{
	begin(d, a);
	assert_int_equal(pu_host_open(a->h, &b->key.peer, NULL, protocols, open_done, d, &d->req), 0);
	assert_false(d->done);
	pu_sim_run_until(a->sim, is_done, d, limit);
}

/* Streams. */

static size_t sink_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct test_sink *s = arg;

	if (s->hold)
		return 0;
	if (s->echo)
		len = pu_stream_write(st, p, len);
	if (s->len < sizeof s->data)
		memcpy(s->data + s->len, p, pu_min(len, sizeof s->data - s->len));
	s->len += len;
	return len;
}

static void sink_eof(void *arg, struct pu_stream *st)
{
	struct test_sink *s = arg;

	s->eof = true;
	if (!s->echo)
		return;
	pu_stream_close(st);
	s->st = NULL;
}

static void sink_writable(void *arg, struct pu_stream *st)
{
	struct test_sink *s = arg;

	s->writable++;
	if (s->echo)
		pu_stream_resume(st);
}

static void sink_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct test_sink *s = arg;

	(void)st;
	s->closed = true;
	s->st = NULL;
	s->err = err;
	s->code = code;
}

const struct pu_stream_events test_sink_events = { sink_recv, sink_eof, sink_writable, sink_closed };

void test_sink_accept(void *arg, struct pu_stream *st)
{
	struct test_sink *s = arg;

	s->st = st;
	pu_stream_set_events(st, &test_sink_events, s);
}
