/* A relay, a reservation, a dial through it, and one allocation fails: the first, the
 * second, and so on. Nothing may crash, hang or leak, and afterwards all is well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "support/circuit_lab.h"
#include "support/nomem.h"

static void only_noise(struct test_host *t)
{
	t->cfg.no_quic = true;
	t->cfg.tcp.order[0] = PU_SECURITY_NOISE;
	nomem_warm_up(t->cfg.loop);
}

static void on_connected(void *arg, int err, struct pu_conn *c)
{
	struct test_dial *d = arg;

	d->done = true;
	d->err = err;
	d->c = c;
}

static bool dial(struct circuit_lab *l)
{
	struct test_dial d = { 0 };

	if (pu_host_connect(l->a.t.h, &l->b.t.key.peer, on_connected, &d, &d.req) < 0)
		return false;
	pu_sim_run(l->sim, PU_SEC(30));
	assert_true(d.done);
	return d.err == 0;
}

/* False when there were not so many allocations. */
static bool scenario(unsigned n)
{
	static const char *const tcp_only[] = { "/ip4/0.0.0.0/tcp/4001", NULL };
	struct pu_multiaddr relay;
	struct circuit_lab l;

	circuit_lab_init(&l);
	l.listen = tcp_only;
	only_noise(&l.a.t);
	only_noise(&l.b.t);
	only_noise(&l.relay[0]);
	only_noise(&l.relay[1]);
	circuit_lab_start(&l);
	circuit_lab_introduce(&l, &l.a, &l.b, 0);
	relay = circuit_lab_relay_addr(&l, 0);
	nomem_happened = false;
	nomem_countdown = n;
	pu_relays_set(l.b.relays, &relay, 1);
	pu_sim_run(l.sim, PU_SEC(5));
	dial(&l);
	nomem_countdown = 0;

	assert_int_equal(pu_relays_set(l.b.relays, &relay, 1), 0);
	assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(120)));
	pu_sim_run(l.sim, PU_SEC(120)); /* what failed is given up, what failed to tell told */
	assert_true(dial(&l));
	circuit_lab_stop(&l);
	return nomem_happened;
}

static void every_allocation_may_fail(void **state)
{
	unsigned n = 1;

	while (scenario(n))
		n++;
	print_message("%u allocations\n", n - 1);
	assert_true(n > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_may_fail),
	};

	pu_log_set_level(PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
