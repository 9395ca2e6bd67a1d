#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/log.h"
#include "platform/null/null.h"

static const struct pu_prefix subnet = { AF_INET, 16, { 10, 64 } };
static const struct pu_prefix server = { AF_INET, 32, { 10, 64, 0, 53 } };

static int setup(void **state)
{
	struct pu_platform_events ev = { 0 };

	pu_log_set_level(PU_LOG_OFF);
	return pu_platform_new(NULL, &ev, NULL, (struct pu_platform **)state);
}

static int teardown(void **state)
{
	pu_platform_free(*state);
	return 0;
}

static int set_dns(struct pu_platform *p)
{
	const char *method;

	return pu_platform_dns_set(p, "pu0", "auto", "p2p", &server, 1, "/state", &method);
}

static void start_up_may_do_everything(void **state)
{
	struct pu_platform *p = *state;

	assert_int_equal(pu_platform_link_up(p, "pu0", 1392, 500), 0);
	assert_int_equal(pu_platform_addr_add(p, "pu0", &server), 0);
	assert_int_equal(pu_platform_route_add(p, "pu0", &subnet), 0);
	assert_int_equal(pu_platform_watch_routes(p, "pu0"), 0);
	assert_int_equal(set_dns(p), 0);
	assert_string_equal(pu_null_log(p), "link_up pu0 1392 500\n"
					    "addr_add pu0 10.64.0.53/32\n"
					    "route_add pu0 10.64.0.0/16\n"
					    "watch_routes pu0\n"
					    "dns_set pu0 auto p2p 10.64.0.53 /state\n");
}

static void a_request_that_is_not_permitted_never_reaches_its_handler(void **state)
{
	struct pu_platform *p = *state;

	assert_int_equal(pu_platform_link_up(p, "pu0", 1392, 500), 0);
	assert_int_equal(set_dns(p), 0);
	assert_int_equal(set_dns(p), PU_EDENIED); /* once */
	pu_platform_seal(p);
	assert_int_equal(pu_platform_link_up(p, "pu0", 1392, 500), PU_EDENIED);
	assert_int_equal(pu_platform_addr_add(p, "pu0", &server), PU_EDENIED);
	assert_int_equal(pu_platform_set_mtu(p, "eth0", 1280), PU_EDENIED);
	assert_int_equal(pu_platform_set_mtu(p, "pu0", 1280), 0);
	assert_int_equal(pu_platform_route_add(p, "pu0", &subnet), 0);
	assert_string_equal(pu_null_log(p), "link_up pu0 1392 500\n"
					    "dns_set pu0 auto p2p 10.64.0.53 /state\n"
					    "seal\n"
					    "set_mtu pu0 1280\n"
					    "route_add pu0 10.64.0.0/16\n");
}

static void names_that_are_no_device_names_are_refused(void **state)
{
	struct pu_platform *p = *state;

	assert_int_equal(pu_platform_link_up(p, "", 1392, 0), PU_EINVAL);
	assert_int_equal(pu_platform_link_up(p, "a-name-of-16-xxx", 1392, 0), PU_EINVAL);
	assert_int_equal(pu_platform_link_up(p, "a-name-of-15-xx", 1392, 0), 0);
}

static void the_handlers_error_is_the_callers(void **state)
{
	struct pu_platform *p = *state;

	pu_null_fail(p, PU_PRIVOP_ROUTE_ADD, PU_EEXIST);
	assert_int_equal(pu_platform_route_add(p, "pu0", &subnet), PU_EEXIST);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(start_up_may_do_everything),
		T(a_request_that_is_not_permitted_never_reaches_its_handler),
		T(names_that_are_no_device_names_are_refused),
		T(the_handlers_error_is_the_callers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
