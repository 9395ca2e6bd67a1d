/* Hops and their distance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "overlay/trace.h"
#include "support/circuit_lab.h"

struct outcome {
	unsigned n;
	struct pu_trace_result r;
};

static void on_done(void *arg, const struct pu_trace_result *r)
{
	struct outcome *o = arg;

	o->n++;
	o->r = *r;
}

static bool is_done(void *arg)
{
	return ((struct outcome *)arg)->n > 0;
}

static struct outcome trace(struct circuit_lab *l, const struct pu_peerid *peer)
{
	struct outcome o = { 0 };
	struct pu_trace *t;

	assert_int_equal(pu_trace_start(l->a.t.h, peer, on_done, &o, &t), 0);
	assert_true(pu_sim_run_until(l->sim, is_done, &o, PU_SEC(60)));
	pu_sim_run(l->sim, PU_SEC(1));
	assert_int_equal(o.n, 1);
	return o;
}

static void lab_start(struct circuit_lab *l)
{
	circuit_lab_init(l);
	circuit_lab_start(l);
	circuit_lab_use_relays(l, &l->b, 1);
	assert_true(circuit_lab_reserved(l, &l->b, 0, PU_SEC(5)));
	circuit_lab_introduce(l, &l->a, &l->b, 0);
}

static void relayed_peer_is_two_hops_away_and_direct_one_is_one(void **state)
{
	struct circuit_lab l;
	struct outcome o;

	lab_start(&l);
	o = trace(&l, &l.b.t.key.peer);
	assert_int_equal(o.r.err, 0);
	assert_true(o.r.relayed);
	assert_int_equal(o.r.n_hops, 2);
	assert_true(pu_peerid_eq(&o.r.hop[0].peer, &l.relay[0].key.peer));
	assert_true(pu_peerid_eq(&o.r.hop[1].peer, &l.b.t.key.peer));
	assert_int_equal(o.r.hop[0].err + o.r.hop[1].err, 0);
	assert_in_range(o.r.hop[0].rtt / 1000000, 20, 25);
	assert_in_range(o.r.hop[1].rtt / 1000000, 40, 50);
	assert_false(pu_multiaddr_has(&o.r.hop[0].addr, PU_MA_P2P_CIRCUIT));
	assert_true(pu_multiaddr_has(&o.r.hop[1].addr, PU_MA_P2P_CIRCUIT));
	o = trace(&l, &l.relay[0].key.peer);
	assert_false(o.r.relayed);
	assert_int_equal(o.r.n_hops, 1);
	assert_in_range(o.r.hop[0].rtt / 1000000, 20, 25);
	circuit_lab_stop(&l);
}

static void hop_that_does_not_answer_is_told_and_the_next_is_asked(void **state)
{
	const struct pu_sim_link down = { .down = true };
	struct circuit_lab l;
	struct outcome o;

	lab_start(&l);
	o = trace(&l, &l.b.t.key.peer);
	assert_int_equal(o.r.err, 0);
	pu_sim_link(l.relay[0].node, l.b.t.node, &down);
	o = trace(&l, &l.b.t.key.peer);
	assert_int_equal(o.r.n_hops, 2);
	assert_int_equal(o.r.hop[0].err, 0);
	assert_true(o.r.hop[1].err < 0);
	assert_int_equal(o.r.hop[1].rtt, 0);
	circuit_lab_stop(&l);
}

static void nobody_there_is_no_hop(void **state)
{
	struct pu_trace *t;
	struct circuit_lab l;
	struct outcome o = { 0 };

	lab_start(&l);
	o = trace(&l, &l.relay[1].key.peer); /* no address known */
	assert_int_equal(o.r.err, PU_EUNREACH);
	assert_int_equal(o.r.n_hops, 0);
	assert_int_equal(pu_trace_start(l.a.t.h, &l.a.t.key.peer, on_done, &o, &t), PU_EINVAL);
	o = (struct outcome){ 0 };
	for (int ms = 0; ms < 100; ms += 7) { /* in every stage */
		assert_int_equal(pu_trace_start(l.a.t.h, &l.b.t.key.peer, on_done, &o, &t), 0);
		pu_sim_run(l.sim, PU_MS(ms));
		if (o.n == 0)
			pu_trace_cancel(t);
		else
			o.n = 0;
		pu_sim_run(l.sim, PU_SEC(1));
		assert_int_equal(o.n, 0);
	}
	circuit_lab_stop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relayed_peer_is_two_hops_away_and_direct_one_is_one),
		cmocka_unit_test(hop_that_does_not_answer_is_told_and_the_next_is_asked),
		cmocka_unit_test(nobody_there_is_no_hop),
	};

	pu_log_set_level(getenv("PU_TEST_LOG") ? PU_LOG_DEBUG : PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
