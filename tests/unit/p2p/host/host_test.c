/* Two hosts in one process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/host/state.h"
#include "support/hosts.h"

#define ECHO "/test/echo/1.0.0"

static const char *const echo[] = { ECHO, NULL };

struct pair {
	struct pu_sim *sim;
	struct test_host a, b;
	struct test_sink echoed, got;
};

enum how { HOW_NOISE, HOW_TLS, HOW_QUIC };

struct shape {
	enum how how;
	bool ip6, no_early_muxer;
};

static void restrict_to(struct test_host *t, const struct shape *s)
{
	t->cfg.no_quic = s->how != HOW_QUIC;
	t->cfg.no_tcp = s->how == HOW_QUIC;
	t->cfg.tcp.order[0] = s->how == HOW_TLS ? PU_SECURITY_TLS : PU_SECURITY_NOISE;
	t->cfg.tcp.no_early_muxer = s->no_early_muxer;
}

static void pair_start(struct pair *p, const struct shape *s, const struct pu_sim_link *link)
{
	const char *tcp4[] = { "/ip4/0.0.0.0/tcp/4001", NULL }, *tcp6[] = { "/ip6/::/tcp/4001", NULL };
	const char *quic4[] = { "/ip4/0.0.0.0/udp/4001/quic-v1", NULL };
	const char *quic6[] = { "/ip6/::/udp/4001/quic-v1", NULL };
	bool quic = s->how == HOW_QUIC;

	memset(p, 0, sizeof *p);
	p->sim = pu_sim_new(pu_sim_seed());
	if (link)
		pu_sim_default_link(p->sim, link);
	test_host_init(&p->a, p->sim, 1, "10.0.0.1", "fd00::1");
	test_host_init(&p->b, p->sim, 2, "10.0.0.2", "fd00::2");
	restrict_to(&p->a, s);
	restrict_to(&p->b, s);
	test_host_start(&p->a, quic ? (s->ip6 ? quic6 : quic4) : s->ip6 ? tcp6 : tcp4);
	test_host_start(&p->b, quic ? (s->ip6 ? quic6 : quic4) : s->ip6 ? tcp6 : tcp4);
	p->echoed.echo = true;
	assert_int_equal(pu_host_handle(p->b.h, ECHO, test_sink_accept, &p->echoed), 0);
	test_host_introduce(&p->a, &p->b);
}

static void pair_stop(struct pair *p)
{
	test_host_stop(&p->a);
	test_host_stop(&p->b);
	pu_sim_free(p->sim);
}

static bool got_eof(void *arg)
{
	return ((struct test_sink *)arg)->eof;
}

/* Opens an echo stream, sends n bytes, expects them back and the end. */
static void echo_works(struct pair *p, size_t n)
{
	struct test_dial d = { .ev = &test_sink_events, .arg = &p->got };
	uint8_t b[1000];

	memset(&p->got, 0, sizeof p->got);
	test_open(&p->a, &p->b, echo, &d, PU_SEC(20));
	assert_true(d.done);
	assert_int_equal(d.err, 0);
	assert_string_equal(d.st->protocol, ECHO);
	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)i;
	assert_int_equal(pu_stream_write(d.st, b, n), n);
	pu_stream_shutdown(d.st);
	assert_true(pu_sim_run_until(p->sim, got_eof, &p->got, PU_SEC(20)));
	assert_int_equal(p->got.len, n);
	assert_memory_equal(p->got.data, b, n);
	pu_stream_close(d.st);
}

static void hosts_echo_over(const struct shape *s, const char *security, bool early)
{
	struct pu_sim_link lossy = { .delay = PU_MS(20), .loss = 30000, .jitter = PU_MS(5) };
	struct pair p;
	struct pu_conn *c;

	pair_start(&p, s, &lossy);
	echo_works(&p, 1000);
	c = pu_host_conn(p.a.h, &p.b.key.peer);
	assert_non_null(c);
	assert_string_equal(c->security, security);
	assert_int_equal(c->early_muxer, early);
	assert_false(c->inbound);
	c = pu_host_conn(p.b.h, &p.a.key.peer);
	assert_non_null(c);
	assert_true(c->inbound);
	assert_int_equal(p.a.connected, 1);
	pu_sim_run(p.sim, PU_SEC(1));
	assert_int_equal(p.a.identified, 1);
	assert_int_equal(p.b.identified, 1);
	assert_true(pu_host_peer_supports(p.a.h, &p.b.key.peer, ECHO));
	assert_string_equal(pu_host_peer_agent(p.b.h, &p.a.key.peer), "peerup/test");
	echo_works(&p, 1000); /* lazily now */
	pair_stop(&p);
}

static void noise(void **state)
{
	hosts_echo_over(&(struct shape){ HOW_NOISE }, "noise", true);
}

static void noise_ip6_without_early_muxer(void **state)
{
	hosts_echo_over(&(struct shape){ HOW_NOISE, true, true }, "noise", false);
}

static void tls(void **state)
{
	hosts_echo_over(&(struct shape){ HOW_TLS }, "tls", true);
}

static void tls_ip6_without_early_muxer(void **state)
{
	hosts_echo_over(&(struct shape){ HOW_TLS, true, true }, "tls", false);
}

static void quic(void **state)
{
	hosts_echo_over(&(struct shape){ HOW_QUIC }, "quic", true);
}

static void quic_ip6(void **state)
{
	hosts_echo_over(&(struct shape){ HOW_QUIC, true }, "quic", true);
}

/* Streams. */

static void unknown_protocol_is_refused_and_the_next_one_taken(void **state)
{
	static const char *const none[] = { "/test/none/1.0.0", NULL };
	static const char *const second[] = { "/test/none/1.0.0", "/test/more/1.0.0", ECHO, NULL };
	struct pair p;
	struct test_dial d = { .ev = &test_sink_events, .arg = &p.got };

	pair_start(&p, &(struct shape){ HOW_NOISE }, NULL);
	test_open(&p.a, &p.b, none, &d, PU_SEC(5));
	assert_true(d.done);
	assert_int_equal(d.err, PU_ENOPROTO);
	assert_true(d.took < PU_MS(100)); /* traceroute times this */
	test_open(&p.a, &p.b, second, &d, PU_SEC(5));
	assert_int_equal(d.err, 0);
	assert_string_equal(d.st->protocol, ECHO);
	pu_stream_close(d.st);
	pair_stop(&p);
}

/* The peer takes a protocol back, and before we hear of it we open it lazily. */
static void lazily_opened_stream_hears_a_late_refusal(void **state)
{
	struct pu_sim_link far = { .delay = PU_MS(100) };
	struct pair p;
	struct test_dial d = { .ev = &test_sink_events, .arg = &p.got };

	pair_start(&p, &(struct shape){ HOW_NOISE }, &far);
	echo_works(&p, 10);
	pu_sim_run(p.sim, PU_SEC(2));
	pu_host_unhandle(p.b.h, ECHO);
	memset(&p.got, 0, sizeof p.got);
	test_open(&p.a, &p.b, echo, &d, PU_SEC(5));
	assert_int_equal(d.err, 0);
	assert_true(d.took < PU_MS(10)); /* did not wait for the peer */
	assert_int_equal(pu_stream_write(d.st, "hello", 5), 5);
	pu_sim_run(p.sim, PU_SEC(1));
	assert_true(p.got.closed);
	assert_int_equal(p.got.err, PU_ENOPROTO);
	assert_int_equal(p.got.len, 0);
	pair_stop(&p);
}

static void lazily_opened_stream_may_be_closed_at_once(void **state)
{
	struct pu_sim_link far = { .delay = PU_MS(50) };
	struct pair p;
	struct test_dial d = { .ev = &test_sink_events, .arg = &p.got };
	struct test_sink sink = { 0 };

	for (enum how how = HOW_NOISE; how <= HOW_QUIC; how++) {
		pair_start(&p, &(struct shape){ how }, &far);
		pu_host_handle(p.b.h, "/test/sink/1.0.0", test_sink_accept, &sink);
		echo_works(&p, 10);
		pu_sim_run(p.sim, PU_SEC(2));
		memset(&sink, 0, sizeof sink);
		test_open(&p.a, &p.b, (const char *const[]){ "/test/sink/1.0.0", NULL }, &d,
			  PU_SEC(5));
		assert_int_equal(d.err, 0);
		assert_int_equal(pu_stream_write(d.st, "hello", 5), 5);
		pu_stream_close(d.st);
		pu_sim_run(p.sim, PU_SEC(1));
		assert_int_equal(sink.len, 5);
		assert_true(sink.eof);
		assert_false(sink.closed);
		pu_stream_close(sink.st);
		pair_stop(&p);
	}
}

static void reset_codes_reach_the_other_side(void **state)
{
	struct pair p;
	struct test_dial d = { .ev = &test_sink_events, .arg = &p.got };
	struct test_sink sink;

	for (enum how how = HOW_NOISE; how <= HOW_QUIC; how++) {
		pair_start(&p, &(struct shape){ how }, NULL);
		memset(&sink, 0, sizeof sink);
		pu_host_handle(p.b.h, "/test/sink/1.0.0", test_sink_accept, &sink);
		test_open(&p.a, &p.b, (const char *const[]){ "/test/sink/1.0.0", NULL }, &d,
			  PU_SEC(5));
		assert_int_equal(d.err, 0);
		pu_sim_run(p.sim, PU_MS(100));
		assert_non_null(sink.st);
		pu_stream_reset(d.st, 4711);
		pu_sim_run(p.sim, PU_MS(100));
		assert_true(sink.closed);
		assert_int_equal(sink.err, PU_ERESET);
		assert_int_equal(sink.code, 4711);
		pair_stop(&p);
	}
}

static void inbound_streams_are_limited(void **state)
{
	enum { LIMIT = 20, TRIES = 40 };
	static struct test_sink held[TRIES];
	struct test_dial d[TRIES];
	struct pair p;
	unsigned ok = 0;

	for (enum how how = HOW_NOISE; how <= HOW_QUIC; how++) {
		memset(held, 0, sizeof held);
		memset(&p, 0, sizeof p);
		p.sim = pu_sim_new(pu_sim_seed());
		test_host_init(&p.a, p.sim, 1, "10.0.0.1", NULL);
		test_host_init(&p.b, p.sim, 2, "10.0.0.2", NULL);
		restrict_to(&p.a, &(struct shape){ how });
		restrict_to(&p.b, &(struct shape){ how });
		p.b.cfg.max_streams = LIMIT;
		test_host_start(&p.a, NULL);
		test_host_start(&p.b, how == HOW_QUIC
					      ? (const char *[]){ "/ip4/0.0.0.0/udp/1/quic-v1", NULL }
					      : (const char *[]){ "/ip4/0.0.0.0/tcp/1", NULL });
		pu_host_handle(p.b.h, ECHO, test_sink_accept, &p.echoed);
		test_host_introduce(&p.a, &p.b);
		ok = 0;
		for (unsigned i = 0; i < TRIES; i++) {
			d[i] = (struct test_dial){ .ev = &test_sink_events, .arg = &held[i] };
			test_open(&p.a, &p.b, echo, &d[i], PU_MS(200));
			pu_sim_run(p.sim, PU_MS(50));
			ok += d[i].done && d[i].err == 0 && !held[i].closed;
		}
		assert_in_range(ok, LIMIT - 4, LIMIT); /* identify may hold one */
		for (unsigned i = 0; i < TRIES; i++)
			if (!d[i].done)
				pu_host_cancel(p.a.h, d[i].req);
		pair_stop(&p);
	}
}

static void three_hundred_streams_at_once_all_finish(void **state)
{
	enum { N = 300 };
	static struct test_sink sinks[N];
	static struct test_dial d[N];
	struct pu_sim_link link = { .delay = PU_MS(20) };
	struct pair p;

	for (enum how how = HOW_NOISE; how <= HOW_QUIC; how += 2) {
		unsigned done = 0;

		memset(sinks, 0, sizeof sinks);
		pair_start(&p, &(struct shape){ how }, &link);
		p.b.h->cfg.max_streams = N;
		for (unsigned i = 0; i < N; i++) {
			d[i] = (struct test_dial){ .ev = &test_sink_events, .arg = &sinks[i] };
			test_open(&p.a, &p.b, echo, &d[i], 0);
		}
		for (unsigned ms = 0; ms < 5000 && done < N; ms += 10) {
			pu_sim_run(p.sim, PU_MS(10));
			for (unsigned i = 0; i < N; i++) {
				if (!d[i].done || !d[i].st)
					continue;
				assert_int_equal(d[i].err, 0);
				pu_stream_write(d[i].st, "x", 1);
				pu_stream_close(d[i].st);
				d[i].st = NULL;
				done++;
			}
		}
		assert_int_equal(done, N);
		pair_stop(&p);
	}
}

/* Who is there. */

static void wrong_peer_is_noticed(void **state)
{
	struct pair p;
	struct test_dial d = { 0 };
	struct test_host ghost = { 0 };
	uint8_t seed[32] = { 99 };
	struct pu_multiaddr ma[4];

	for (enum how how = HOW_NOISE; how <= HOW_QUIC; how++) {
		pair_start(&p, &(struct shape){ how }, NULL);
		assert_int_equal(pu_key_from_seed(&ghost.key, seed), 0);
		assert_true(pu_host_addrs(p.b.h, ma, 4) > 0);
		assert_int_equal(pu_host_add_addr(p.a.h, &ghost.key.peer, &ma[0], true), 0);
		test_connect(&p.a, &ghost, &d, PU_SEC(20));
		assert_true(d.done);
		assert_int_equal(d.err, PU_EPEERID);
		pu_sim_run(p.sim, PU_SEC(1));
		assert_int_equal(p.a.connected, 0);
		assert_int_equal(p.b.connected, p.b.disconnected);
		pair_stop(&p);
	}
}

static bool nobody(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *remote)
{
	unsigned *asked = arg;

	assert_true(remote->len > 0);
	assert_true(peer->len > 0);
	(*asked)++;
	return false;
}

static void gate_refuses_inbound_only_and_is_counted(void **state)
{
	struct pu_host_stats stats;
	struct test_dial d = { 0 };
	unsigned asked;
	struct pair p;

	for (enum how how = HOW_NOISE; how <= HOW_QUIC; how++) {
		for (int early = 0; early < 2; early++) {
			asked = 0;
			pair_start(&p, &(struct shape){ how, .no_early_muxer = !early }, NULL);
			p.b.h->cfg.gate = nobody;
			p.b.h->cfg.gate_arg = &asked;
			test_connect(&p.a, &p.b, &d, PU_SEC(20));
			assert_true(d.done);
			assert_int_equal(d.err, PU_EDENIED);
			assert_int_equal(asked, 1);
			assert_int_equal(p.a.connected, 0);
			assert_int_equal(p.b.connected, 0);
			pu_host_stats(p.b.h, &stats);
			assert_int_equal(stats.inbound_gated, 1);
			assert_int_equal(stats.inbound_failed, 0);
			assert_int_equal(stats.inbound_accepted, 0);
			/* Our own dials are not for the gate. */
			test_host_introduce(&p.b, &p.a);
			test_connect(&p.b, &p.a, &d, PU_SEC(20));
			assert_int_equal(d.err, 0);
			assert_int_equal(asked, 1);
			pair_stop(&p);
		}
	}
}

static void tls_first_dialler_settles_for_noise(void **state)
{
	struct pair p;

	pair_start(&p, &(struct shape){ HOW_NOISE }, NULL);
	test_host_stop(&p.a);
	p.a.cfg.tcp.order[0] = PU_SECURITY_TLS;
	p.a.cfg.tcp.order[1] = PU_SECURITY_NOISE;
	test_host_start(&p.a, NULL);
	test_host_introduce(&p.a, &p.b);
	echo_works(&p, 100);
	assert_string_equal(pu_host_conn(p.a.h, &p.b.key.peer)->security, "noise");
	pair_stop(&p);
}

static void nothing_in_common_is_told(void **state)
{
	struct test_dial d = { 0 };
	struct pair p;

	pair_start(&p, &(struct shape){ HOW_NOISE }, NULL);
	test_host_stop(&p.a);
	p.a.cfg.tcp.order[0] = PU_SECURITY_TLS;
	test_host_start(&p.a, NULL);
	test_host_introduce(&p.a, &p.b);
	test_connect(&p.a, &p.b, &d, PU_SEC(20));
	assert_int_equal(d.err, PU_ENOPROTO);
	pair_stop(&p);
}

static void early_muxer_on_one_side_only_falls_back(void **state)
{
	struct pair p;

	for (int who = 0; who < 2; who++) {
		for (enum how how = HOW_NOISE; how <= HOW_TLS; how++) {
			pair_start(&p, &(struct shape){ how, .no_early_muxer = who }, NULL);
			test_host_stop(&p.a);
			p.a.cfg.tcp.no_early_muxer = !who;
			test_host_start(&p.a, NULL);
			test_host_introduce(&p.a, &p.b);
			echo_works(&p, 100);
			assert_false(pu_host_conn(p.a.h, &p.b.key.peer)->early_muxer);
			pair_stop(&p);
		}
	}
}

/* The end. */

static void close_code_reaches_the_other_side(void **state)
{
	struct test_dial d = { 0 };
	struct pair p;

	for (enum how how = HOW_NOISE; how <= HOW_QUIC; how++) {
		pair_start(&p, &(struct shape){ how }, NULL);
		test_connect(&p.a, &p.b, &d, PU_SEC(5));
		assert_int_equal(d.err, 0);
		pu_sim_run(p.sim, PU_SEC(1));
		pu_host_disconnect(p.a.h, &p.b.key.peer, PU_CONN_CODE_RATE);
		pu_sim_run(p.sim, PU_SEC(3));
		assert_int_equal(p.b.disconnected, 1);
		assert_int_equal(p.b.closed_err, PU_ECLOSED);
		assert_int_equal(p.b.closed_code, PU_CONN_CODE_RATE);
		assert_true(p.b.last);
		assert_int_equal(p.a.disconnected, 1);
		assert_null(pu_host_conn(p.a.h, &p.b.key.peer));
		pair_stop(&p);
	}
}

static void silent_death_is_noticed_and_a_new_dial_works(void **state)
{
	struct pu_sim_link up = { .delay = PU_MS(5) }, down = { .delay = PU_MS(5), .down = true };
	struct test_dial d = { 0 };
	struct pair p;

	for (enum how how = HOW_NOISE; how <= HOW_QUIC; how++) {
		pair_start(&p, &(struct shape){ how }, &up);
		test_connect(&p.a, &p.b, &d, PU_SEC(5));
		assert_int_equal(d.err, 0);
		pu_sim_link(p.a.node, p.b.node, &down);
		pu_sim_run(p.sim, PU_SEC(150));
		assert_int_equal(p.a.disconnected, 1);
		assert_int_equal(p.b.disconnected, 1);
		assert_int_equal(p.a.closed_err, PU_ETIMEDOUT);
		pu_sim_link(p.a.node, p.b.node, &up);
		test_connect(&p.a, &p.b, &d, PU_SEC(20));
		assert_int_equal(d.err, 0);
		pair_stop(&p);
	}
}

static void stop_with_everything_open_leaves_nothing(void **state)
{
	struct pu_sim_link link = { .delay = PU_MS(30) };
	struct pair p;
	struct test_dial streams[8], pending = { 0 }, dialing = { 0 };
	struct test_sink sinks[8];
	struct test_host far = { 0 };
	uint8_t seed[32] = { 77 }, b[3000] = { 0 };
	struct pu_multiaddr ma;

	for (enum how how = HOW_NOISE; how <= HOW_QUIC; how++) {
		pair_start(&p, &(struct shape){ how }, &link);
		memset(sinks, 0, sizeof sinks);
		for (unsigned i = 0; i < 8; i++) {
			streams[i] = (struct test_dial){ .ev = &test_sink_events, .arg = &sinks[i] };
			test_open(&p.a, &p.b, echo, &streams[i], PU_SEC(5));
			assert_int_equal(streams[i].err, 0);
			sinks[i].hold = true;
			pu_stream_write(streams[i].st, b, sizeof b);
		}
		/* A stream on its way, a dial on its way. */
		test_open(&p.a, &p.b, (const char *const[]){ "/a", "/b", NULL }, &pending, 0);
		assert_int_equal(pu_key_from_seed(&far.key, seed), 0);
		pu_multiaddr_from_text(&ma, how == HOW_QUIC ? "/ip4/10.0.0.9/udp/1/quic-v1"
							    : "/ip4/10.0.0.9/tcp/1");
		pu_host_add_addr(p.a.h, &far.key.peer, &ma, false);
		test_connect(&p.a, &far, &dialing, PU_MS(35));
		test_host_stop(&p.a);
		assert_int_equal(pending.err, PU_ECANCELED);
		assert_int_equal(dialing.err, PU_ECANCELED);
		for (unsigned i = 0; i < 8; i++)
			assert_true(sinks[i].closed);
		pu_sim_run(p.sim, PU_SEC(1));
		assert_int_equal(p.b.disconnected, 1);
		assert_int_equal(p.b.closed_code, PU_CONN_CODE_SHUTDOWN);
		test_host_stop(&p.b);
		pu_sim_free(p.sim);
	}
}

/* Strangers who connect and say nothing. */

static void no_connect(void *arg, int err)
{
	(void)arg;
	(void)err;
}

static size_t no_recv(void *arg, const uint8_t *p, size_t len)
{
	(void)arg;
	(void)p;
	return len;
}

static void count_gone(void *arg, int err)
{
	(void)err;
	++*(unsigned *)arg;
}

static void count_eof(void *arg)
{
	++*(unsigned *)arg;
}

static const struct pu_tcp_events silent_events = { no_connect, no_recv, count_eof, NULL,
						    count_gone };

static void silent_strangers_neither_stay_nor_keep_others_out(void **state)
{
	enum { N = 100 };
	struct pu_tcp *t[N];
	struct pu_host_stats stats;
	union pu_sockaddr to = pu_sim_sockaddr("10.0.0.2", 4001);
	unsigned gone = 0;
	struct pu_sim_node *evil;
	struct pair p;

	pair_start(&p, &(struct shape){ HOW_NOISE }, NULL);
	evil = pu_sim_node_new(p.sim, "evil");
	pu_sim_node_add_ip(evil, "10.0.0.66");
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(pu_sim_net(evil)->ops->tcp_connect(pu_sim_net(evil), &to, NULL,
								    &silent_events, &gone, &t[i]),
				 0);
	pu_sim_run(p.sim, PU_SEC(2));
	assert_in_range(gone, N - 10, N - 1);
	echo_works(&p, 100);
	pu_sim_run(p.sim, PU_SEC(20));
	assert_int_equal(gone, N);
	pu_host_stats(p.b.h, &stats);
	assert_int_equal(stats.inbound_failed, N);
	for (unsigned i = 0; i < N; i++)
		pu_sim_net(evil)->ops->tcp_close(t[i], true);
	pair_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(noise),
		cmocka_unit_test(noise_ip6_without_early_muxer),
		cmocka_unit_test(tls),
		cmocka_unit_test(tls_ip6_without_early_muxer),
		cmocka_unit_test(quic),
		cmocka_unit_test(quic_ip6),
		cmocka_unit_test(unknown_protocol_is_refused_and_the_next_one_taken),
		cmocka_unit_test(lazily_opened_stream_hears_a_late_refusal),
		cmocka_unit_test(lazily_opened_stream_may_be_closed_at_once),
		cmocka_unit_test(reset_codes_reach_the_other_side),
		cmocka_unit_test(inbound_streams_are_limited),
		cmocka_unit_test(three_hundred_streams_at_once_all_finish),
		cmocka_unit_test(wrong_peer_is_noticed),
		cmocka_unit_test(gate_refuses_inbound_only_and_is_counted),
		cmocka_unit_test(tls_first_dialler_settles_for_noise),
		cmocka_unit_test(nothing_in_common_is_told),
		cmocka_unit_test(early_muxer_on_one_side_only_falls_back),
		cmocka_unit_test(close_code_reaches_the_other_side),
		cmocka_unit_test(silent_death_is_noticed_and_a_new_dial_works),
		cmocka_unit_test(stop_with_everything_open_leaves_nothing),
		cmocka_unit_test(silent_strangers_neither_stay_nor_keep_others_out),
	};

	if (getenv("PU_TEST_LOG"))
		pu_log_set_level(PU_LOG_DEBUG);
	else
		pu_log_set_level(PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
