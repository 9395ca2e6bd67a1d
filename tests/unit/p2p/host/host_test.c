/* Two hosts in one process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(noise),
		cmocka_unit_test(noise_ip6_without_early_muxer),
		cmocka_unit_test(tls),
		cmocka_unit_test(tls_ip6_without_early_muxer),
		cmocka_unit_test(quic),
		cmocka_unit_test(quic_ip6),
	};

	if (getenv("PU_TEST_LOG"))
		pu_log_set_level(PU_LOG_DEBUG);
	else
		pu_log_set_level(PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
