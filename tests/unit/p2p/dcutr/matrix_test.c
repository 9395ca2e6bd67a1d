/* Hole punching over real circuits through every pair of NATs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/log.h"
#include "support/punch_lab.h"

static bool lets_strange_ports_in(enum punch_lab_nat k)
{
	return k == PUNCH_LAB_NONE || k == PUNCH_LAB_FULL_CONE || k == PUNCH_LAB_ADDRESS_RESTRICTED;
}

/* A symmetric NAT takes a port for each remote end, that nobody knows beforehand. */
static bool possible(enum punch_lab_nat a, enum punch_lab_nat b)
{
	if (a == PUNCH_LAB_SYMMETRIC)
		return lets_strange_ports_in(b);
	return b != PUNCH_LAB_SYMMETRIC || lets_strange_ports_in(a);
}

static void assert_cell(enum pu_ma_kind transport, enum punch_lab_nat a, enum punch_lab_nat b)
{
	bool want = possible(a, b), both;
	struct punch_lab l;

	punch_lab_init(&l, transport, a, b);
	punch_lab_start(&l);
	punch_lab_dial(&l, &l.a, &l.b);
	punch_lab_results(&l, 1, PU_SEC(40));
	both = punch_lab_direct(&l.a, &l.b) && punch_lab_direct(&l.b, &l.a);
	if (both != want)
		fail_msg("%s, %s dials %s: %s", transport == PU_MA_KIND_TCP ? "TCP" : "QUIC",
			 punch_lab_nat_names[a], punch_lab_nat_names[b],
			 want ? "stays relayed" : "direct");
	assert_int_equal(l.b.last.outcome, want ? PU_DCUTR_DIRECT : PU_DCUTR_TIMEOUT);
	assert_int_equal(l.b.last.tries, want ? a != PUNCH_LAB_NONE : 3);
	if (want)
		assert_true(l.b.last.took < PU_SEC(1));
	punch_lab_stop(&l);
}

static void matrix(enum pu_ma_kind transport)
{
	for (int a = 0; a < PUNCH_LAB_NATS; a++)
		for (int b = 0; b < PUNCH_LAB_NATS; b++)
			assert_cell(transport, (enum punch_lab_nat)a, (enum punch_lab_nat)b);
}

static void quic_is_direct_wherever_theory_allows(void **state)
{
	matrix(PU_MA_KIND_QUIC);
}

static void tcp_is_direct_wherever_theory_allows(void **state)
{
	matrix(PU_MA_KIND_TCP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quic_is_direct_wherever_theory_allows),
		cmocka_unit_test(tcp_is_direct_wherever_theory_allows),
	};

	pu_log_set_level(PU_LOG_WARN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
