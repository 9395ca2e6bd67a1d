/* A hole is punched and one allocation fails: the first, the second, and so on. Nothing may
 * crash, hang or leak, and afterwards it works. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "support/nomem.h"
#include "support/punch_lab.h"

static void on_result(void *arg, const struct pu_dcutr_result *r)
{
	struct punch_lab_side *s = arg;

	s->results++;
	s->last = *r;
}

static void begin(struct punch_lab_side *s)
{
	struct pu_dcutr_options opt = { .on_result = on_result, .arg = s };

	pu_dcutr_free(s->d);
	s->results = 0;
	assert_int_equal(pu_dcutr_new(s->e->t.h, &opt, &s->d), 0);
}

/* False when there were not so many allocations. */
static bool scenario(unsigned n, enum pu_ma_kind transport)
{
	struct punch_lab l;

	punch_lab_init(&l, transport, PUNCH_LAB_PORT_RESTRICTED, PUNCH_LAB_PORT_RESTRICTED);
	nomem_warm_up(l.c.a.t.cfg.loop);
	nomem_warm_up(l.c.b.t.cfg.loop);
	punch_lab_start(&l);
	/* Connected first, so that only the punch itself is short of memory. */
	pu_dcutr_free(l.b.d);
	l.b.d = NULL;
	punch_lab_dial(&l, &l.a, &l.b);
	pu_sim_run(l.c.sim, PU_SEC(1));
	begin(&l.a);
	pu_sim_run(l.c.sim, PU_SEC(1));
	begin(&l.b);

	nomem_happened = false;
	nomem_countdown = n;
	pu_dcutr_try(l.b.d, &l.c.a.t.key.peer);
	pu_sim_run(l.c.sim, PU_SEC(40));
	nomem_countdown = 0;
	if (!nomem_happened)
		assert_true(punch_lab_direct(&l.a, &l.b));
	pu_sim_run(l.c.sim, PU_SEC(60));
	if (!pu_host_conn(l.c.a.t.h, &l.c.b.t.key.peer)) /* the muxer's share */
		punch_lab_dial(&l, &l.a, &l.b);
	pu_dcutr_try(l.b.d, &l.c.a.t.key.peer);
	pu_sim_run(l.c.sim, PU_SEC(40));
	assert_true(punch_lab_direct(&l.a, &l.b) && punch_lab_direct(&l.b, &l.a));
	punch_lab_stop(&l);
	return nomem_happened;
}

static void every_allocation_may_fail(enum pu_ma_kind transport)
{
	unsigned n = 1;

	while (scenario(n, transport))
		n++;
	print_message("%u allocations\n", n - 1);
	assert_true(n > 50);
}

static void punching_by_quic_survives(void **state)
{
	every_allocation_may_fail(PU_MA_KIND_QUIC);
}

static void punching_by_tcp_survives(void **state)
{
	every_allocation_may_fail(PU_MA_KIND_TCP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(punching_by_quic_survives),
		cmocka_unit_test(punching_by_tcp_survives),
	};

	pu_log_set_level(PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
