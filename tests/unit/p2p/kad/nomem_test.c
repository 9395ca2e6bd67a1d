/* A server and two clients, one of which looks for the other and says where it is, while
 * one allocation fails: the first, the second, and so on. Nothing may crash, hang or leak,
 * and every query comes to its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/kad/kad.h"
#include "support/hosts.h"
#include "support/nomem.h"

enum { HOSTS = 3 };

struct outcome {
	bool found, looked;
	size_t addrs, providers;
};

static void on_found(void *arg, int err, const struct pu_multiaddr *addrs, size_t n)
{
	struct outcome *o = arg;

	assert_false(o->found);
	o->found = true;
	o->addrs = n;
}

static void on_provider(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *addrs,
			size_t n)
{
	((struct outcome *)arg)->providers++;
}

static void on_done(void *arg, int err)
{
	struct outcome *o = arg;

	assert_false(o->looked);
	o->looked = true;
}

static const struct pu_kad_providers_events events = { on_provider, on_done };

static void live(struct test_host *h, struct outcome *o)
{
	struct pu_kad *k[HOSTS] = { NULL };

	for (unsigned i = 0; i < HOSTS; i++) {
		struct pu_kad_options opt = { .mode = i ? PU_KAD_CLIENT : PU_KAD_SERVER };

		if (pu_kad_new(h[i].h, &opt, &k[i]) < 0)
			k[i] = NULL;
		else if (i > 0)
			pu_kad_bootstrap(k[i], &h[0].key.peer, 1);
	}
	if (k[2])
		pu_kad_advertise(k[2], "x");
	pu_sim_run(h[0].sim, PU_SEC(20));
	o->found = !k[1] || pu_kad_find_peer(k[1], &h[2].key.peer, on_found, o, NULL) < 0;
	o->looked = !k[1] || pu_kad_find_providers(k[1], "x", 0, &events, o, NULL) < 0;
	pu_sim_run(h[0].sim, PU_SEC(70));
	assert_true(o->found && o->looked);
	for (unsigned i = 0; i < HOSTS; i++)
		pu_kad_free(k[i]);
}

/* The n-th allocation fails; false when there were not so many. */
static bool scenario(unsigned n)
{
	static const char *const listen[] = { "/ip4/0.0.0.0/tcp/4001", NULL };
	static const char *const ip[HOSTS] = { "11.0.0.1", "11.1.0.1", "11.2.0.1" };
	struct pu_sim *sim = pu_sim_new(1);
	struct test_host h[HOSTS];
	struct outcome o = { 0 };
	struct test_dial d;

	for (unsigned i = 0; i < HOSTS; i++) {
		test_host_init(&h[i], sim, i + 1, ip[i], NULL);
		h[i].cfg.no_quic = true;
		test_host_start(&h[i], listen);
		nomem_warm_up(h[i].cfg.loop);
	}
	/* Meeting is another test's business. */
	for (unsigned i = 1; i < HOSTS; i++) {
		test_host_introduce(&h[i], &h[0]);
		test_connect(&h[i], &h[0], &d, PU_SEC(10));
	}
	pu_sim_run(sim, PU_SEC(1));
	nomem_happened = false;
	nomem_countdown = n;
	live(h, &o);
	nomem_countdown = 0;
	if (!nomem_happened) {
		assert_int_equal(o.addrs, 1);
		assert_int_equal(o.providers, 1);
	}
	for (unsigned i = 0; i < HOSTS; i++)
		test_host_stop(&h[i]);
	pu_sim_free(sim);
	return nomem_happened;
}

static void every_query_ends_without_memory(void **state)
{
	unsigned n = 1;

	while (scenario(n))
		n++;
	print_message("%u allocations\n", n - 1);
	assert_true(n > 100); /* else nothing was tried */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_query_ends_without_memory),
	};

	pu_log_set_level(getenv("PU_TEST_LOG") ? PU_LOG_DEBUG : PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
