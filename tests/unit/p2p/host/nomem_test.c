/* Two hosts meet, and one allocation fails: the first, the second, and so on. Nothing
 * may crash, hang or leak, whatever becomes of the connection. Linked with --wrap for
 * the allocating functions (tests/support/nomem.h); the simulation is a shared library
 * and keeps its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "support/hosts.h"
#include "support/nomem.h"

static const char *const echo[] = { "/test/echo/1.0.0", NULL };

static void on_opened(void *arg, int err, struct pu_stream *st)
{
	struct test_dial *d = arg;

	d->done = true;
	d->err = err;
	d->st = st;
	if (!st)
		return;
	pu_stream_set_events(st, &test_sink_events, d->arg);
	pu_stream_write(st, "hello", 5);
	pu_stream_shutdown(st);
}

static void meet(struct test_host *a, struct test_host *b, struct test_sink *got)
{
	struct test_dial d = { .arg = got };

	if (pu_host_open(a->h, &b->key.peer, NULL, echo, on_opened, &d, &d.req) < 0)
		return;
	pu_sim_run(a->sim, PU_SEC(3));
	pu_host_handle(b->h, "/test/new/1.0.0", test_sink_accept, NULL);
	pu_sim_run(a->sim, PU_SEC(40));
	assert_true(d.done);
	if (d.err == 0 && !got->closed)
		pu_stream_close(d.st);
}

enum carrier { OVER_TCP, OVER_QUIC, OVER_WS };

/* The n-th allocation after the start fails; false when there were not so many. */
static bool scenario(unsigned n, enum carrier carrier, enum pu_security security)
{
	static const char *const addr[] = { "/ip4/0.0.0.0/tcp/4001", "/ip4/0.0.0.0/udp/4001/quic-v1",
					    "/ip4/0.0.0.0/tcp/4001/ws" };
	const char *listen[] = { addr[carrier], NULL };
	struct pu_sim *sim = pu_sim_new(1);
	struct test_sink echoed = { .echo = true }, got = { 0 };
	struct test_host h[2];

	for (unsigned i = 0; i < 2; i++) {
		test_host_init(&h[i], sim, i + 1, i ? "11.0.0.2" : "11.0.0.1", NULL);
		h[i].cfg.no_quic = carrier != OVER_QUIC;
		h[i].cfg.no_tcp = carrier != OVER_TCP;
		h[i].ws = carrier == OVER_WS;
		h[i].cfg.tcp.order[0] = security;
		test_host_start(&h[i], listen);
		nomem_warm_up(h[i].cfg.loop);
	}
	assert_int_equal(pu_host_handle(h[1].h, echo[0], test_sink_accept, &echoed), 0);
	test_host_introduce(&h[0], &h[1]);
	nomem_happened = false;
	nomem_countdown = n;
	meet(&h[0], &h[1], &got);
	nomem_countdown = 0;
	if (!nomem_happened)
		assert_int_equal(got.len, 5);
	test_host_stop(&h[0]);
	test_host_stop(&h[1]);
	pu_sim_free(sim);
	return nomem_happened;
}

static void meeting_survives(enum carrier carrier, enum pu_security security)
{
	unsigned n = 1;

	while (scenario(n, carrier, security))
		n++;
	print_message("%u allocations\n", n - 1);
	assert_true(n > 50); /* else nothing was tried */
}

static void meeting_over_noise_survives(void **state)
{
	meeting_survives(OVER_TCP, PU_SECURITY_NOISE);
}

static void meeting_over_tls_survives(void **state)
{
	meeting_survives(OVER_TCP, PU_SECURITY_TLS);
}

static void meeting_over_quic_survives(void **state)
{
	meeting_survives(OVER_QUIC, PU_SECURITY_TLS);
}

static void meeting_over_a_websocket_survives(void **state)
{
	meeting_survives(OVER_WS, PU_SECURITY_NOISE);
}

static void making_a_host_fails_cleanly(void **state)
{
	for (unsigned n = 1;; n++) {
		struct pu_sim *sim = pu_sim_new(1);
		struct test_host t;
		int r;

		test_host_init(&t, sim, 1, "11.0.0.1", NULL);
		nomem_warm_up(t.cfg.loop);
		nomem_happened = false;
		nomem_countdown = n;
		r = pu_host_new(&t.cfg, &t.h);
		nomem_countdown = 0;
		if (nomem_happened)
			assert_int_equal(r, PU_ENOMEM);
		else
			assert_int_equal(r, 0);
		if (r == 0)
			test_host_stop(&t);
		pu_sim_free(sim);
		if (!nomem_happened)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(making_a_host_fails_cleanly),
		cmocka_unit_test(meeting_over_noise_survives),
		cmocka_unit_test(meeting_over_tls_survives),
		cmocka_unit_test(meeting_over_quic_survives),
		cmocka_unit_test(meeting_over_a_websocket_survives),
	};

	pu_log_set_level(getenv("PU_TEST_LOG") ? PU_LOG_DEBUG : PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
