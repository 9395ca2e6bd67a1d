/* Five hundred nodes that come, go and lie. tests/bench/micro/kad_sim.c has the numbers
 * for ten thousand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kad_swarm.h"

enum { NODES = 500, LOOKUPS = 200 };

static struct kad_swarm_report measure(unsigned churn, unsigned liars, enum kad_swarm_lie lie,
				       unsigned paths)
{
	struct kad_swarm_config cfg = { .n = NODES, .seed = 7, .churn = churn, .liars = liars,
					.lie = lie, .paths = paths };
	struct kad_swarm *s = kad_swarm_new(&cfg);
	struct kad_swarm_report r;

	assert_non_null(s);
	kad_swarm_measure(s, LOOKUPS, &r);
	kad_swarm_free(s);
	return r;
}

static void everybody_is_found_when_all_is_quiet(void **state)
{
	struct kad_swarm_report r = measure(0, 0, KAD_SWARM_JUNK, 0);

	assert_int_equal(r.found, LOOKUPS);
	assert_true(r.hops_p95 <= 3);
	assert_true(r.ms_p95 < 600);
	assert_true(r.longest_ms < 2000);
	assert_true(r.table_bytes < 40000);
}

static void everybody_is_found_when_half_are_new(void **state)
{
	struct kad_swarm_report r = measure(50, 0, KAD_SWARM_JUNK, 0);

	assert_true(r.found >= LOOKUPS * 99 / 100);
	assert_true(r.ms_p95 < 3000); /* though the dead are silent for ten seconds */
}

static void names_that_do_not_exist_do_not_lead_astray(void **state)
{
	struct kad_swarm_report r = measure(0, 20, KAD_SWARM_JUNK, 0);

	assert_true(r.found >= LOOKUPS * 99 / 100);
	assert_true(r.ms_p95 < 2000);
}

static void those_who_conspire_do_not_hide_the_truth(void **state)
{
	struct kad_swarm_report r = measure(0, 30, KAD_SWARM_SYBIL, 0);

	assert_true(r.found >= LOOKUPS * 98 / 100);
	assert_true(r.longest_ms < 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everybody_is_found_when_all_is_quiet),
		cmocka_unit_test(everybody_is_found_when_half_are_new),
		cmocka_unit_test(names_that_do_not_exist_do_not_lead_astray),
		cmocka_unit_test(those_who_conspire_do_not_hide_the_truth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
