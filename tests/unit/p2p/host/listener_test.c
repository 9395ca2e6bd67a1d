#include "p2p/host/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"

struct fixture {
	struct pu_loop loop;
	struct pu_listener l;
	unsigned changes;
	struct pu_multiaddr out[PU_LISTENER_ADDRS_MAX];
};

static void no_random(void *arg, void *p, size_t n)
{
	memset(p, 0, n);
}

static void changed(void *arg)
{
	((struct fixture *)arg)->changes++;
}

static void init(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	pu_loop_init(&f->loop, PU_SEC(100), 0, no_random, NULL);
	pu_listener_init(&f->l, &f->loop, changed, f);
}

static void deinit(struct fixture *f)
{
	pu_listener_deinit(&f->l);
	pu_loop_deinit(&f->loop);
}

static struct pu_multiaddr ma(const char *text)
{
	struct pu_multiaddr m;

	assert_int_equal(pu_multiaddr_from_text(&m, text), 0);
	return m;
}

static void bind_to(struct fixture *f, const char *text)
{
	struct pu_multiaddr m = ma(text);

	assert_int_equal(pu_listener_add_bound(&f->l, &m), 0);
}

static bool gives(struct fixture *f, const char *text)
{
	struct pu_multiaddr m = ma(text);
	size_t n = pu_listener_addrs(&f->l, f->out, PU_ARRAY_LEN(f->out));

	for (size_t i = 0; i < n; i++)
		if (pu_multiaddr_eq(&f->out[i], &m))
			return true;
	return false;
}

static size_t count(struct fixture *f)
{
	return pu_listener_addrs(&f->l, f->out, PU_ARRAY_LEN(f->out));
}

static void wildcards_become_the_interfaces_of_their_family(void **state)
{
	struct fixture f;
	struct pu_multiaddr ips[3];

	init(&f);
	bind_to(&f, "/ip4/0.0.0.0/tcp/4001");
	bind_to(&f, "/ip6/::/udp/4002/quic-v1");
	bind_to(&f, "/ip4/11.0.0.9/tcp/80");
	assert_int_equal(count(&f), 1);
	ips[0] = ma("/ip4/10.0.0.1");
	ips[1] = ma("/ip4/192.168.1.1");
	ips[2] = ma("/ip6/fd00::1");
	pu_listener_set_interfaces(&f.l, ips, 3);
	assert_int_equal(count(&f), 4);
	assert_true(gives(&f, "/ip4/10.0.0.1/tcp/4001"));
	assert_true(gives(&f, "/ip4/192.168.1.1/tcp/4001"));
	assert_true(gives(&f, "/ip6/fd00::1/udp/4002/quic-v1"));
	assert_true(gives(&f, "/ip4/11.0.0.9/tcp/80"));
	assert_int_equal(f.changes, 4);
	assert_int_equal(pu_listener_addrs(&f.l, f.out, 2), 2);
	assert_true(pu_listener_is_ours(&f.l, &(struct pu_multiaddr){ 0 }) == false);
	f.out[0] = ma("/ip4/10.0.0.1/tcp/4001");
	assert_true(pu_listener_is_ours(&f.l, &f.out[0]));
	deinit(&f);
}

static void owners_replace_only_what_they_said(void **state)
{
	struct fixture f;
	struct pu_multiaddr a[2] = { ma("/ip4/11.0.0.1/tcp/1"), ma("/ip4/11.0.0.1/tcp/2") };
	struct pu_multiaddr many[PU_LISTENER_ADVERTISED_MAX + 1];
	int x, y;

	init(&f);
	assert_int_equal(pu_listener_advertise(&f.l, &x, a, 2), 0);
	assert_int_equal(pu_listener_advertise(&f.l, &y, a + 1, 1), 0);
	assert_int_equal(count(&f), 2); /* no doubles */
	assert_int_equal(f.changes, 2);
	assert_int_equal(pu_listener_advertise(&f.l, &x, a, 2), 0);
	assert_int_equal(f.changes, 2); /* nothing new */
	assert_int_equal(pu_listener_advertise(&f.l, &x, NULL, 0), 0);
	assert_int_equal(count(&f), 1);
	assert_int_equal(pu_listener_advertise(&f.l, &x, NULL, 0), 0);
	assert_int_equal(f.changes, 3);
	memset(many, 0, sizeof many);
	assert_int_equal(pu_listener_advertise(&f.l, &x, many, PU_ARRAY_LEN(many)), PU_ELIMIT);
	deinit(&f);
}

static void observe(struct fixture *f, const char *seen, const char *local, const char *who)
{
	struct pu_multiaddr s = ma(seen), l = ma(local), w = ma(who);

	pu_listener_observe(&f->l, &s, &l, &w);
}

static void observations_count_by_network_and_only_from_listening_ports(void **state)
{
	static const char seen[] = "/ip4/11.5.5.5/udp/777/quic-v1";
	static const char local[] = "/ip4/10.0.0.1/udp/4001/quic-v1";
	struct fixture f;

	init(&f);
	bind_to(&f, "/ip4/0.0.0.0/udp/4001/quic-v1");
	observe(&f, seen, local, "/ip4/11.0.0.1/udp/1/quic-v1");
	observe(&f, seen, local, "/ip4/11.0.0.1/udp/2/quic-v1"); /* the same one */
	assert_int_equal(pu_listener_observed(&f.l, 1, f.out, 8), 1);
	assert_int_equal(pu_listener_observed(&f.l, 2, f.out, 8), 0);
	observe(&f, seen, local, "/ip6/2a00:1::1/udp/1/quic-v1");
	observe(&f, seen, local, "/ip6/2a00:1::2/udp/1/quic-v1"); /* the same /56 */
	assert_int_equal(pu_listener_observed(&f.l, 2, f.out, 8), 1);
	assert_int_equal(count(&f), 0);
	observe(&f, seen, local, "/ip4/11.0.0.3/udp/1/quic-v1");
	assert_int_equal(count(&f), 1);
	/* A private address, another kind, a port we do not listen on: no news. */
	observe(&f, "/ip4/10.5.5.5/udp/777/quic-v1", local, "/ip4/11.0.0.1/udp/1/quic-v1");
	observe(&f, "/ip4/11.5.5.6/tcp/777", local, "/ip4/11.0.0.1/udp/1/quic-v1");
	observe(&f, "/ip4/11.5.5.7/udp/777/quic-v1", "/ip4/10.0.0.1/udp/9/quic-v1",
		"/ip4/11.0.0.1/udp/1/quic-v1");
	assert_int_equal(pu_listener_observed(&f.l, 1, f.out, 8), 1);
	deinit(&f);
}

static void release(struct fixture *f, const char *seen, bool wrong)
{
	struct pu_multiaddr s = ma(seen);

	pu_listener_release(&f->l, &s, wrong);
}

static void observations_hold_as_long_as_their_connections_and_a_while(void **state)
{
	static const char seen[] = "/ip4/11.5.5.5/tcp/777";
	static const char local[] = "/ip4/10.0.0.1/tcp/4001";
	struct fixture f;

	init(&f);
	bind_to(&f, "/ip4/0.0.0.0/tcp/4001");
	observe(&f, seen, local, "/ip4/11.0.0.1/tcp/1");
	observe(&f, seen, local, "/ip4/11.0.0.2/tcp/1");
	f.loop.now += 2 * PU_SEC(PU_LISTENER_OBSERVED_TTL_S);
	release(&f, seen, true);
	assert_int_equal(pu_listener_observed(&f.l, 1, f.out, 8), 1); /* the other holds it */
	release(&f, seen, false);
	assert_int_equal(pu_listener_observed(&f.l, 1, f.out, 8), 1);
	release(&f, seen, false); /* once too often does no harm */
	f.loop.now += PU_SEC(PU_LISTENER_OBSERVED_TTL_S + 1);
	assert_int_equal(pu_listener_observed(&f.l, 1, f.out, 8), 0);

	observe(&f, seen, local, "/ip4/11.0.0.1/tcp/1");
	release(&f, seen, true);
	assert_int_equal(pu_listener_observed(&f.l, 1, f.out, 8), 0);
	deinit(&f);
}

static void another_network_forgets_what_nobody_holds(void **state)
{
	static const char local[] = "/ip4/10.0.0.1/tcp/4001";
	struct pu_multiaddr ip = ma("/ip4/10.0.0.1");
	struct fixture f;

	init(&f);
	bind_to(&f, "/ip4/0.0.0.0/tcp/4001");
	pu_listener_set_interfaces(&f.l, &ip, 1);
	observe(&f, "/ip4/11.5.5.5/tcp/777", local, "/ip4/11.0.0.1/tcp/1");
	observe(&f, "/ip4/11.5.5.6/tcp/777", local, "/ip4/11.0.0.2/tcp/1");
	release(&f, "/ip4/11.5.5.5/tcp/777", false);
	pu_listener_set_interfaces(&f.l, &ip, 1);
	assert_int_equal(pu_listener_observed(&f.l, 1, f.out, 8), 2);
	ip = ma("/ip4/10.0.0.7");
	pu_listener_set_interfaces(&f.l, &ip, 1);
	assert_int_equal(pu_listener_observed(&f.l, 1, f.out, 8), 1);
	ip = ma("/ip4/11.5.5.6/tcp/777");
	assert_true(pu_multiaddr_eq(&f.out[0], &ip));
	deinit(&f);
}

static void a_liar_cannot_push_out_what_many_saw(void **state)
{
	static const char local[] = "/ip4/10.0.0.1/udp/4001/quic-v1";
	struct fixture f;
	char text[64];

	init(&f);
	bind_to(&f, "/ip4/0.0.0.0/udp/4001/quic-v1");
	for (int i = 1; i <= 3; i++) {
		snprintf(text, sizeof text, "/ip4/11.0.0.%d/udp/1/quic-v1", i);
		observe(&f, "/ip4/11.5.5.5/udp/777/quic-v1", local, text);
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof text, "/ip4/11.6.%d.%d/udp/1/quic-v1", i / 200, i % 200);
		observe(&f, text, local, "/ip4/11.0.0.66/udp/1/quic-v1");
		release(&f, text, false);
	}
	assert_int_equal(count(&f), 1);
	assert_true(gives(&f, "/ip4/11.5.5.5/udp/777/quic-v1"));
	deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wildcards_become_the_interfaces_of_their_family),
		cmocka_unit_test(owners_replace_only_what_they_said),
		cmocka_unit_test(observations_count_by_network_and_only_from_listening_ports),
		cmocka_unit_test(observations_hold_as_long_as_their_connections_and_a_while),
		cmocka_unit_test(another_network_forgets_what_nobody_holds),
		cmocka_unit_test(a_liar_cannot_push_out_what_many_saw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
