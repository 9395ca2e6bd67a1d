/* A peer wakes a machine for another: who may ask, how often, and with what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "overlay/wake.h"
#include "support/hosts.h"

static const char *const listen_a[] = { "/ip4/10.0.0.1/tcp/4001", NULL };
static const char *const listen_b[] = { "/ip4/10.0.0.2/tcp/4001", NULL };

static struct fixture {
	struct pu_sim *sim;
	struct test_host a, b;
	struct pu_wake *wa, *wb;
	bool allowed;
	int send_err;
	unsigned n_sent;
	struct pu_mac sent;
	unsigned n_done;
	int err;
} f;

static bool may_ask(void *arg, const struct pu_peerid *peer)
{
	assert_true(pu_peerid_eq(peer, &f.a.key.peer));
	return f.allowed;
}

static int send_packet(void *arg, const struct pu_mac *mac)
{
	f.n_sent++;
	f.sent = *mac;
	return f.send_err;
}

static const struct pu_wake_events events = { .may_ask = may_ask, .send = send_packet };

static void on_done(void *arg, int err)
{
	f.n_done++;
	f.err = err;
}

static bool is_done(void *arg)
{
	return f.n_done > 0;
}

static int setup(void **state)
{
	memset(&f, 0, sizeof f);
	f.allowed = true;
	f.sim = pu_sim_new(1);
	test_host_init(&f.a, f.sim, 1, "10.0.0.1", NULL);
	test_host_init(&f.b, f.sim, 2, "10.0.0.2", NULL);
	test_host_start(&f.a, listen_a);
	test_host_start(&f.b, listen_b);
	test_host_introduce(&f.a, &f.b);
	assert_int_equal(pu_wake_new(f.a.h, &events, NULL, &f.wa), 0);
	assert_int_equal(pu_wake_new(f.b.h, &events, NULL, &f.wb), 0);
	return 0;
}

static int teardown(void **state)
{
	pu_wake_free(f.wa);
	pu_wake_free(f.wb);
	test_host_stop(&f.a);
	test_host_stop(&f.b);
	pu_sim_free(f.sim);
	return 0;
}

static int ask(void)
{
	struct pu_wake_request *req;
	struct pu_mac mac;

	assert_int_equal(pu_mac_parse("3c:52:82:AA-bb:cc", &mac), 0);
	f.n_done = 0;
	assert_int_equal(pu_wake_ask(f.wa, &f.b.key.peer, &mac, on_done, NULL, &req), 0);
	assert_true(pu_sim_run_until(f.sim, is_done, NULL, PU_SEC(60)));
	assert_int_equal(f.n_done, 1);
	return f.err;
}

static void a_friend_has_a_machine_woken(void **state)
{
	char text[PU_MAC_TEXT_MAX];

	assert_int_equal(ask(), 0);
	assert_int_equal(f.n_sent, 1);
	assert_string_equal(pu_mac_text(&f.sent, text), "3c:52:82:aa:bb:cc");
	f.send_err = PU_EUNREACH;
	assert_int_equal(ask(), PU_EIO);
}

static void who_may_not_gets_a_refusal_and_nothing_is_sent(void **state)
{
	f.allowed = false;
	assert_int_equal(ask(), PU_EDENIED);
	assert_int_equal(f.n_sent, 0);
}

static void requests_are_limited_and_come_back_with_time(void **state)
{
	for (unsigned i = 0; i < PU_WAKE_BURST; i++)
		assert_int_equal(ask(), 0);
	assert_int_equal(ask(), PU_ELIMIT);
	assert_int_equal(f.n_sent, PU_WAKE_BURST);
	pu_sim_run(f.sim, PU_SEC(PU_WAKE_REFILL_S));
	assert_int_equal(ask(), 0);
	assert_int_equal(ask(), PU_ELIMIT);
}

static void refused(const uint8_t *request, size_t len, bool fin)
{
	static const char *const protocols[] = { PU_WAKE_PROTOCOL, NULL };
	struct test_sink sink = { .len = 0 };
	struct test_dial d = { .ev = &test_sink_events, .arg = &sink };

	test_open(&f.a, &f.b, protocols, &d, PU_SEC(10));
	assert_int_equal(d.err, 0);
	pu_stream_write(d.st, request, len);
	if (fin)
		pu_stream_shutdown(d.st);
	pu_sim_run(f.sim, PU_SEC(PU_WAKE_TIMEOUT_S + 5));
	assert_true(sink.closed);
	assert_int_equal(sink.len, 0);
	assert_int_equal(f.n_sent, 0);
}

static void nonsense_is_refused(void **state)
{
	refused((const uint8_t *)"\x02\x3c\x52\x82\xaa\xbb\xcc", 7, false);
	refused((const uint8_t *)"\x01\xff\xff\xff\xff\xff\xff", 7, false);
	refused((const uint8_t *)"\x01\x00\x00\x00\x00\x00\x00", 7, false);
	refused((const uint8_t *)"\x01\x3c\x52\x82\xaa\xbb\xcc\x00", 8, false);
	refused((const uint8_t *)"\x01\x3c", 2, true);
	refused((const uint8_t *)"\x01\x3c", 2, false);
}

static void hardware_addresses_are_read_strictly(void **state)
{
	static const char *const bad[] = { "", "3c:52:82:aa:bb", "3c:52:82:aa:bb:cc:dd",
					   "3c:52:82:aa:bb:cg", "3c528:2aa:bb:ccc:",
					   "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00",
					   "01:00:5e:00:00:01", " c:52:82:aa:bb:cc" };
	struct pu_mac mac;

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++)
		assert_int_equal(pu_mac_parse(bad[i], &mac), PU_EINVAL);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_friend_has_a_machine_woken),
		TEST(who_may_not_gets_a_refusal_and_nothing_is_sent),
		TEST(requests_are_limited_and_come_back_with_time),
		TEST(nonsense_is_refused),
		cmocka_unit_test(hardware_addresses_are_read_strictly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
