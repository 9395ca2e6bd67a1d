/* A gated node asks about two addresses, one of which costs dial data, and one allocation
 * of either side fails: the first, the second, and so on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/autonat/autonat.h"
#include "support/hosts.h"
#include "support/nomem.h"

static bool only_server(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *remote)
{
	return pu_peerid_eq(peer, arg);
}

/* The n-th allocation after the start fails; false when there were not so many. */
static bool scenario(unsigned n, const char *addr)
{
	const char *listen[] = { addr, NULL };
	struct pu_autonat_options opt = { .serve = true };
	struct pu_autonat *a = NULL, *b = NULL;
	struct pu_sim *sim = pu_sim_new(1);
	struct test_host node, server;
	struct test_dial d = { 0 };

	test_host_init(&node, sim, 1, "11.0.0.1", NULL);
	test_host_init(&server, sim, 2, "11.0.0.2", NULL);
	pu_sim_node_add_ip(node.node, "11.0.0.77");
	node.cfg.gate = only_server;
	node.cfg.gate_arg = &server.key.peer;
	test_host_start(&node, listen);
	test_host_start(&server, listen);
	test_host_introduce(&node, &server);
	test_connect(&node, &server, &d, PU_SEC(5));
	assert_int_equal(d.err, 0);
	nomem_warm_up(node.cfg.loop);
	nomem_warm_up(server.cfg.loop);
	nomem_happened = false;
	nomem_countdown = n;
	if (pu_autonat_new(server.h, &opt, &b) == 0 && pu_autonat_new(node.h, &opt, &a) == 0)
		pu_sim_run(sim, PU_SEC(90));
	nomem_countdown = 0;
	if (!nomem_happened)
		assert_int_equal(pu_autonat_overall(a), PU_REACHABLE_YES);
	pu_autonat_free(a);
	pu_autonat_free(b);
	test_host_stop(&node);
	test_host_stop(&server);
	pu_sim_free(sim);
	return nomem_happened;
}

static void asking_survives(const char *addr)
{
	unsigned n = 1;

	while (scenario(n, addr))
		n++;
	print_message("%u allocations\n", n - 1);
	assert_true(n > 50); /* else nothing was tried */
}

static void asking_over_tcp_survives(void **state)
{
	asking_survives("/ip4/0.0.0.0/tcp/4001");
}

static void asking_over_quic_survives(void **state)
{
	asking_survives("/ip4/0.0.0.0/udp/4001/quic-v1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asking_over_tcp_survives),
		cmocka_unit_test(asking_over_quic_survives),
	};

	pu_log_set_level(getenv("PU_TEST_LOG") ? PU_LOG_DEBUG : PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
