/* Who is at that address? */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/host/state.h"
#include "support/hosts.h"

struct world {
	struct pu_sim *sim;
	struct test_host a, b;
	bool done;
	int err;
	struct pu_conn *c;
	struct pu_host_request *req;
};

static const char *const all[] = { "/ip4/0.0.0.0/udp/4001/quic-v1", "/ip4/0.0.0.0/tcp/4001",
				   "/ip4/0.0.0.0/tcp/4002/ws", "/ip6/::/tcp/4001", NULL };

static void init(struct world *w)
{
	memset(w, 0, sizeof *w);
	w->sim = pu_sim_new(pu_sim_seed());
	test_host_init(&w->a, w->sim, 1, "11.0.0.1", "2a00::1");
	test_host_init(&w->b, w->sim, 2, "11.0.0.2", "2a00::2");
	w->a.ws = w->b.ws = true;
}

static void start(struct world *w)
{
	init(w);
	test_host_start(&w->a, all);
	test_host_start(&w->b, all);
}

static void stop(struct world *w)
{
	test_host_stop(&w->a);
	test_host_stop(&w->b);
	pu_sim_free(w->sim);
}

static void on_done(void *arg, int err, struct pu_conn *c)
{
	struct world *w = arg;

	assert_false(w->done);
	w->done = true;
	w->err = err;
	w->c = c;
	w->req = NULL;
}

static bool is_done(void *arg)
{
	return ((struct world *)arg)->done;
}

static int begin(struct world *w, const char *text)
{
	struct pu_multiaddr ma;
	int r;

	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	w->done = false;
	w->c = NULL;
	r = pu_host_connect_addr(w->a.h, &ma, on_done, w, &w->req);
	assert_false(w->done);
	return r;
}

static int dial(struct world *w, const char *text)
{
	int r = begin(w, text);

	if (r < 0)
		return r;
	assert_true(pu_sim_run_until(w->sim, is_done, w, PU_SEC(20)));
	assert_true(w->err == 0 ? w->c != NULL : w->c == NULL);
	return w->err;
}

static unsigned conns(const struct test_host *t)
{
	struct pu_host_stats st;

	pu_host_stats(t->h, &st);
	return st.n_conns;
}

static void meet(const char *text, const char *security)
{
	struct world w;

	start(&w);
	assert_int_equal(dial(&w, text), 0);
	assert_true(pu_peerid_eq(&w.c->peer, &w.b.key.peer));
	assert_string_equal(w.c->security, security);
	/* A connection like any other. */
	assert_ptr_equal(pu_host_conn(w.a.h, &w.b.key.peer), w.c);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(w.a.connected, 1);
	assert_int_equal(w.a.identified, 1);
	assert_int_equal(w.b.identified, 1);
	stop(&w);
}

static void whoever_answers_is_met(void **state)
{
	meet("/ip4/11.0.0.2/tcp/4001", "tls");
	meet("/ip4/11.0.0.2/udp/4001/quic-v1", "quic");
	meet("/ip6/2a00::2/tcp/4001", "tls");
	meet("/ip4/11.0.0.2/tcp/4002/ws", "tls");
}

static void it_works_with_noise_as_well(void **state)
{
	struct world w;

	init(&w);
	w.a.cfg.tcp.order[0] = PU_SECURITY_NOISE;
	test_host_start(&w.a, all);
	test_host_start(&w.b, all);
	assert_int_equal(dial(&w, "/ip4/11.0.0.2/tcp/4001"), 0);
	assert_string_equal(w.c->security, "noise");
	assert_true(pu_peerid_eq(&w.c->peer, &w.b.key.peer));
	stop(&w);
}

static void names_are_resolved(void **state)
{
	struct world w;

	start(&w);
	pu_sim_add_name(w.sim, "b.example", "11.0.0.2", NULL);
	pu_sim_add_name(w.sim, "b.example", "2a00::2", NULL);
	pu_sim_add_name(w.sim, "elsewhere.example", "11.0.0.77", NULL);
	pu_sim_add_name(w.sim, "elsewhere.example", "11.0.0.2", NULL);
	assert_int_equal(dial(&w, "/dns4/b.example/tcp/4001"), 0);
	pu_host_disconnect(w.a.h, &w.b.key.peer, 0);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(dial(&w, "/dns6/b.example/tcp/4001"), 0);
	assert_true(pu_multiaddr_has(&w.c->remote, PU_MA_IP6));
	pu_host_disconnect(w.a.h, &w.b.key.peer, 0);
	pu_sim_run(w.sim, PU_SEC(1));
	/* One that nobody answers at does not hold up the other. */
	assert_int_equal(dial(&w, "/dns/elsewhere.example/udp/4001/quic-v1"), 0);
	assert_int_equal(dial(&w, "/dns/nowhere.example/tcp/4001"), PU_ENOENT);
	stop(&w);
}

static void nobody_there_is_said(void **state)
{
	struct world w;

	start(&w);
	assert_int_equal(dial(&w, "/ip4/11.0.0.2/tcp/4009"), PU_EREFUSED);
	assert_int_equal(dial(&w, "/ip4/11.0.0.2/udp/4009/quic-v1"), PU_ETIMEDOUT);
	assert_int_equal(conns(&w.a), 0);
	stop(&w);
}

static void what_is_no_plain_address_is_refused_at_once(void **state)
{
	static const char id[] = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
	char text[160];
	struct world w;

	start(&w);
	snprintf(text, sizeof text, "/ip4/11.0.0.2/tcp/4001/p2p/%s", id);
	assert_int_equal(begin(&w, text), PU_EINVAL);
	snprintf(text, sizeof text, "/ip4/11.0.0.2/tcp/4001/p2p/%s/p2p-circuit", id);
	assert_int_equal(begin(&w, text), PU_EINVAL);
	assert_int_equal(begin(&w, "/dnsaddr/b.example"), PU_EINVAL);
	assert_int_equal(begin(&w, "/ip4/11.0.0.2/udp/4001"), PU_ENOTSUP);
	stop(&w);
}

/* The overlay's own range. */
static bool may_dial(void *arg, const struct pu_multiaddr *ma)
{
	struct pu_ma_part ip;
	size_t off = 0;

	return !pu_multiaddr_next(ma, &off, &ip) || ip.value.len == 0 || ip.value.p[0] != 10;
}

static void forbidden_addresses_are_not_dialled(void **state)
{
	struct world w;

	init(&w);
	w.a.cfg.may_dial = may_dial;
	test_host_start(&w.a, all);
	test_host_start(&w.b, all);
	pu_sim_add_name(w.sim, "inside.example", "10.0.0.2", NULL);
	assert_int_equal(begin(&w, "/ip4/10.0.0.2/tcp/4001"), PU_EUNREACH);
	assert_int_equal(dial(&w, "/dns4/inside.example/tcp/4001"), PU_EUNREACH);
	stop(&w);
}

static void ourselves_are_nobody_to_meet(void **state)
{
	struct pu_multiaddr known;
	struct world w;

	init(&w);
	pu_sim_node_add_ip(w.a.node, "11.0.0.3");
	test_host_start(&w.a, all);
	test_host_start(&w.b, all);
	assert_int_equal(pu_multiaddr_from_text(&known, "/ip4/11.0.0.1"), 0);
	pu_host_set_interface_addrs(w.a.h, &known, 1);
	assert_int_equal(begin(&w, "/ip4/11.0.0.1/tcp/4001"), PU_EPEERID);
	/* At an address that we do not know for ours. */
	assert_int_equal(dial(&w, "/ip4/11.0.0.3/tcp/4001"), PU_EPEERID);
	assert_int_equal(dial(&w, "/ip4/11.0.0.3/udp/4001/quic-v1"), PU_EPEERID);
	pu_sim_run(w.sim, PU_SEC(5));
	assert_int_equal(conns(&w.a), 0);
	assert_int_equal(w.a.connected, 0);
	stop(&w);
}

static void who_is_connected_already_keeps_that_connection(void **state)
{
	struct pu_conn *first;
	struct world w;

	start(&w);
	assert_int_equal(dial(&w, "/ip4/11.0.0.2/udp/4001/quic-v1"), 0);
	first = w.c;
	assert_int_equal(dial(&w, "/ip4/11.0.0.2/tcp/4001"), 0);
	assert_ptr_equal(w.c, first);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(conns(&w.a), 1);
	assert_int_equal(conns(&w.b), 1);
	stop(&w);
}

static void it_can_be_given_up_at_any_time(void **state)
{
	for (unsigned ms = 0; ms < 60; ms += 4) {
		struct world w;

		start(&w);
		pu_sim_add_name(w.sim, "b.example", "11.0.0.2", NULL);
		assert_int_equal(begin(&w, ms & 4 ? "/dns4/b.example/tcp/4001"
						  : "/ip4/11.0.0.2/udp/4001/quic-v1"), 0);
		pu_sim_run(w.sim, PU_MS(ms));
		if (w.req)
			pu_host_cancel(w.a.h, w.req);
		pu_sim_run(w.sim, PU_SEC(20));
		assert_true(w.done == (w.req == NULL && w.c != NULL));
		stop(&w);
	}
}

static void a_stop_of_the_host_ends_it(void **state)
{
	for (unsigned ms = 0; ms < 60; ms += 4) {
		struct world w;

		start(&w);
		pu_sim_add_name(w.sim, "b.example", "11.0.0.2", NULL);
		assert_int_equal(begin(&w, ms & 4 ? "/dns4/b.example/tcp/4001"
						  : "/ip4/11.0.0.2/udp/4001/quic-v1"), 0);
		pu_sim_run(w.sim, PU_MS(ms));
		stop(&w);
		assert_true(w.done);
		assert_true(w.err == 0 || w.err == PU_ECANCELED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_answers_is_met),
		cmocka_unit_test(it_works_with_noise_as_well),
		cmocka_unit_test(names_are_resolved),
		cmocka_unit_test(nobody_there_is_said),
		cmocka_unit_test(what_is_no_plain_address_is_refused_at_once),
		cmocka_unit_test(forbidden_addresses_are_not_dialled),
		cmocka_unit_test(ourselves_are_nobody_to_meet),
		cmocka_unit_test(who_is_connected_already_keeps_that_connection),
		cmocka_unit_test(it_can_be_given_up_at_any_time),
		cmocka_unit_test(a_stop_of_the_host_ends_it),
	};

	pu_log_set_level(PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
