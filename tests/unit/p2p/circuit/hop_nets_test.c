/* How many reservations one network gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/loop.h"
#include "p2p/circuit/hop_internal.h"

enum { CLIENTS = 20 };

static void fixed_random(void *arg, void *p, size_t n)
{
	memset(p, 7, n);
}

static unsigned admitted(const char *text)
{
	static const struct pu_hop_limits limits = { .max_reservations_per_ip = 3,
						     .max_reservations_per_asn = 5 };
	struct hop_place place[CLIENTS] = { 0 };
	struct pu_multiaddr ma;
	struct hop_nets nets;
	struct pu_loop loop;
	unsigned n = 0;

	pu_loop_init(&loop, 0, 0, fixed_random, NULL);
	pu_hop_nets_init(&nets, &loop);
	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	for (int i = 0; i < CLIENTS; i++) {
		int r = pu_hop_nets_enter(&nets, &limits, &ma, &place[i]);

		n += r == 0;
		assert_true(r == 0 || r == PU_ELIMIT);
	}
	for (int i = 0; i < CLIENTS; i++)
		pu_hop_nets_leave(&nets, &place[i]);
	pu_hop_nets_deinit(&nets);
	pu_loop_deinit(&loop);
	return n;
}

static void one_address_gets_so_many(void **state)
{
	assert_int_equal(admitted("/ip4/11.0.0.1/tcp/4001"), 3);
	assert_int_equal(admitted("/ip4/11.0.0.1/tcp/443/ws"), 3);
	assert_int_equal(admitted("/ip6/2a00::1/udp/4001/quic-v1"), 3);
	assert_int_equal(admitted("/ip4/127.0.0.1/tcp/4001"), 3);
}

static void clients_of_a_web_server_here_have_no_address(void **state)
{
	assert_int_equal(admitted("/ip4/127.0.0.1/tcp/40000/ws"), CLIENTS);
	assert_int_equal(admitted("/ip6/::1/tcp/40000/ws"), CLIENTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_address_gets_so_many),
		cmocka_unit_test(clients_of_a_web_server_here_have_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
