/* Hosts that talk over WebSockets in virtual time, and strangers who do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "support/hosts.h"

static const char *const ws_listen[] = { "/ip4/10.0.0.2/tcp/4001/ws", NULL };
static const char *const echo[] = { "/echo/1", NULL };

struct pair {
	struct pu_sim *sim;
	struct test_host a, b; /* b listens */
};

static void pair_init(struct pair *p)
{
	p->sim = pu_sim_new(pu_sim_seed());
	test_host_init(&p->a, p->sim, 1, "10.0.0.1", NULL);
	test_host_init(&p->b, p->sim, 2, "10.0.0.2", NULL);
	p->a.ws = p->b.ws = true;
}

static void pair_start(struct pair *p)
{
	test_host_start(&p->a, NULL);
	test_host_start(&p->b, ws_listen);
	test_host_introduce(&p->a, &p->b);
}

static void pair_deinit(struct pair *p)
{
	if (p->a.h)
		test_host_stop(&p->a);
	test_host_stop(&p->b);
	pu_sim_free(p->sim);
}

struct addr_seen {
	struct pu_multiaddr remote, local;
	const char *security;
	unsigned n;
};

static void note_addr(void *arg, struct pu_conn *c)
{
	struct addr_seen *s = arg;

	s->remote = c->remote;
	s->local = c->local;
	s->security = c->security;
	s->n++;
}

static bool is_text(const struct pu_multiaddr *ma, const char *text)
{
	char buf[PU_MULTIADDR_TEXT_MAX];

	return strcmp(pu_multiaddr_text(ma, buf), text) == 0;
}

struct sender {
	size_t sent, total, back;
	bool eof;
};

static void pump(struct sender *s, struct pu_stream *st)
{
	static uint8_t b[100000];

	while (s->sent < s->total) {
		size_t n = pu_min(sizeof b, s->total - s->sent), took;

		for (size_t i = 0; i < n; i++)
			b[i] = (uint8_t)((s->sent + i) * 31 >> 3);
		took = pu_stream_write(st, b, n);
		s->sent += took;
		if (took < n)
			return;
	}
	pu_stream_shutdown(st);
}

static size_t sender_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct sender *s = arg;

	for (size_t i = 0; i < len; i++)
		assert_int_equal(p[i], (uint8_t)((s->back + i) * 31 >> 3));
	s->back += len;
	return len;
}

static void sender_eof(void *arg, struct pu_stream *st)
{
	((struct sender *)arg)->eof = true;
	pu_stream_close(st);
}

static void sender_writable(void *arg, struct pu_stream *st)
{
	pump(arg, st);
}

static void sender_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	fail_msg("the stream ended early: %s", pu_err_text(err));
}

static const struct pu_stream_events sender_events = { sender_recv, sender_eof, sender_writable,
						       sender_closed };

static bool all_back(void *arg)
{
	return ((struct sender *)arg)->eof;
}

static void carry(struct pair *p, size_t total)
{
	struct test_sink sink = { .echo = true };
	struct sender s = { .total = total };
	struct test_dial d = { .ev = &sender_events, .arg = &s };

	assert_int_equal(pu_host_handle(p->b.h, echo[0], test_sink_accept, &sink), 0);
	test_open(&p->a, &p->b, echo, &d, PU_SEC(10));
	assert_int_equal(d.err, 0);
	pump(&s, d.st);
	assert_true(pu_sim_run_until(p->sim, all_back, &s, PU_SEC(120)));
	assert_int_equal(s.back, total);
	pu_host_unhandle(p->b.h, echo[0]);
}

static void hosts_meet_and_talk(void **state)
{
	static const enum pu_security order[] = { PU_SECURITY_NOISE, PU_SECURITY_TLS };

	for (size_t i = 0; i < PU_ARRAY_LEN(order); i++) {
		struct addr_seen a = { 0 }, b = { 0 };
		struct pair p;

		pair_init(&p);
		p.a.cfg.tcp.order[0] = order[i];
		pair_start(&p);
		carry(&p, 3 << 20);
		pu_host_each_conn(p.a.h, note_addr, &a);
		pu_host_each_conn(p.b.h, note_addr, &b);
		assert_int_equal(a.n, 1);
		assert_string_equal(a.security, i == 0 ? "noise" : "tls");
		assert_true(is_text(&a.remote, "/ip4/10.0.0.2/tcp/4001/ws"));
		assert_true(is_text(&b.local, "/ip4/10.0.0.2/tcp/4001/ws"));
		assert_int_equal(pu_multiaddr_kind(&b.remote), PU_MA_KIND_WS);
		pair_deinit(&p);
	}
}

static void a_goodbye_is_heard_at_once(void **state)
{
	struct pair p;

	pair_init(&p);
	pair_start(&p);
	carry(&p, 1);
	test_host_stop(&p.a);
	pu_sim_run(p.sim, PU_MS(10));
	assert_int_equal(p.b.disconnected, 1);
	assert_int_equal(p.b.closed_err, PU_ECLOSED);
	assert_int_equal(p.b.closed_code, PU_CONN_CODE_SHUTDOWN);
	pair_deinit(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_meet_and_talk),
		cmocka_unit_test(a_goodbye_is_heard_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
