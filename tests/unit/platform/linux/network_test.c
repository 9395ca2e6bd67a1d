#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop_uv.h"
#include "platform/linux/platform_internal.h"
#include "support/netns.h"

enum { EVENTS_MAX = 64 };

/* A namespace with our device "pu0" and another interface "lan0". */
struct env {
	struct pu_loop_uv *uv;
	struct pu_platform *p;
	int tun, lan;
	struct pu_route_event events[EVENTS_MAX];
	size_t n_events;
	unsigned n_changes;
	char dir[64];
	struct pu_linux_paths paths;
	char protos[96];
};

static void on_route(void *arg, const struct pu_route_event *ev)
{
	struct env *e = arg;

	assert_true(e->n_events < EVENTS_MAX);
	e->events[e->n_events++] = *ev;
}

static void on_network_change(void *arg)
{
	((struct env *)arg)->n_changes++;
}

static void idle(struct env *e, int ms)
{
	pu_time end = pu_clock_monotonic() + PU_MS(ms);

	do {
		uv_run(pu_loop_uv_of(pu_loop_uv_loop(e->uv)), UV_RUN_NOWAIT);
		poll(NULL, 0, 1);
	} while (pu_clock_monotonic() < end);
}

static struct pu_prefix prefix(const char *text)
{
	char ip[64];
	struct pu_prefix p = { 0 };
	unsigned bits = 0;

	assert_int_equal(sscanf(text, "%63[^/]/%u", ip, &bits), 2);
	p.family = strchr(ip, ':') ? AF_INET6 : AF_INET;
	p.bits = (uint8_t)bits;
	assert_int_equal(inet_pton(p.family, ip, p.addr), 1);
	return p;
}

static bool prefix_is(const struct pu_prefix *p, const char *text)
{
	struct pu_prefix q = prefix(text);

	return p->family == q.family && p->bits == q.bits && memcmp(p->addr, q.addr, 16) == 0;
}

static int setup(void **state)
{
	static const struct pu_platform_events ev = { on_route, on_network_change };
	struct env *e = calloc(1, sizeof *e);

	*state = e;
	pu_log_set_level(PU_LOG_OFF);
	e->tun = e->lan = -1;
	if (geteuid() != 0 || !netns_enter())
		return 0;
	e->tun = netns_tun("pu0");
	e->lan = netns_tun("lan0");
	if (e->tun < 0 || e->lan < 0)
		return 0;
	strcpy(e->dir, "/tmp/peerup-net-XXXXXX");
	assert_non_null(mkdtemp(e->dir));
	snprintf(e->protos, sizeof e->protos, "%s/rt_protos.d", e->dir);
	mkdir(e->protos, 0755);
	e->paths = pu_linux_paths_default;
	e->paths.rt_protos_dir = e->protos;
	assert_int_equal(netns_run("ip addr add 192.0.2.1/24 dev lan0 && ip link set lan0 up"), 0);
	assert_int_equal(pu_loop_uv_new(&e->uv), 0);
	assert_int_equal(pu_linux_platform_new(pu_loop_uv_loop(e->uv), &ev, e, &e->paths, &e->p),
			 0);
	return 0;
}

static int teardown(void **state)
{
	struct env *e = *state;

	if (e->p) {
		pu_platform_free(e->p);
		pu_loop_uv_free(e->uv);
		netns_run("rm -rf %s", e->dir);
	}
	close(e->tun);
	close(e->lan);
	free(e);
	return 0;
}

/* The rest of a test needs root, /dev/net/tun and namespaces. */
static struct env *need(void **state)
{
	struct env *e = *state;

	if (!e->p)
		skip();
	return e;
}

static void bring_up(struct env *e)
{
	struct pu_prefix own = prefix("10.64.1.2/32"), subnet = prefix("10.64.0.0/16");

	assert_int_equal(pu_platform_link_up(e->p, "pu0", 1392, 2000), 0);
	assert_int_equal(pu_platform_addr_add(e->p, "pu0", &own), 0);
	assert_int_equal(pu_platform_route_add(e->p, "pu0", &subnet), 0);
}

static void assert_output(const char *cmd, const char *wanted)
{
	char out[4096];

	netns_output(out, sizeof out, "%s", cmd);
	if (!strstr(out, wanted))
		fail_msg("%s: %s: no %s", cmd, out, wanted);
}

static void assert_no_output(const char *cmd)
{
	char out[4096];

	netns_output(out, sizeof out, "%s", cmd);
	assert_string_equal(out, "");
}

static void the_device_is_up_with_mtu_address_and_route(void **state)
{
	struct env *e = need(state);
	struct pu_prefix dns6 = prefix("fd50:6565:7200::53/128"), ula = prefix("fd50:6565:7200::/48");

	bring_up(e);
	assert_output("ip link show pu0", "mtu 1392");
	assert_output("ip link show pu0", ",UP");
	assert_output("ip link show pu0", "qlen 2000");
	assert_output("ip -4 addr show pu0", "inet 10.64.1.2/32");
	assert_output("ip -N route show table main", "10.64.0.0/16 dev pu0 proto 112 scope 253");
	/* A name server can be bound to it at once. */
	assert_int_equal(pu_platform_addr_add(e->p, "pu0", &dns6), 0);
	assert_output("ip -6 addr show pu0", "fd50:6565:7200::53/128");
	assert_no_output("ip -6 addr show pu0 tentative");
	assert_no_output("ip -6 addr show pu0 scope link");
	assert_int_equal(pu_platform_route_add(e->p, "pu0", &ula), 0);
	assert_output("ip -N -6 route show dev pu0", "fd50:6565:7200::/48 proto 112");
	assert_int_equal(pu_platform_set_mtu(e->p, "pu0", 1280), 0);
	assert_output("ip link show pu0", "mtu 1280");
}

static void setting_up_twice_is_no_error(void **state)
{
	struct env *e = need(state);

	bring_up(e);
	bring_up(e);
	assert_output("ip -4 addr show pu0", "inet 10.64.1.2/32");
}

static void errors_have_their_codes(void **state)
{
	struct env *e = need(state);
	struct pu_prefix subnet = prefix("10.64.0.0/16");

	assert_int_equal(pu_platform_link_up(e->p, "nope0", 1400, 0), PU_ENOENT);
	assert_int_equal(pu_platform_addr_add(e->p, "nope0", &subnet), PU_ENOENT);
	assert_int_equal(pu_platform_route_add(e->p, "nope0", &subnet), PU_ENOENT);
	assert_int_equal(pu_platform_watch_routes(e->p, "nope0"), PU_ENOENT);
	assert_int_equal(pu_platform_link_up(e->p, "pu0", 10, 0), PU_EINVAL);
	bring_up(e);
	assert_int_equal(netns_run("ip route add 10.99.0.0/16 dev lan0"), 0);
	subnet = prefix("10.99.0.0/16");
	assert_int_equal(pu_platform_route_add(e->p, "pu0", &subnet), PU_EEXIST);
	assert_output("ip route show 10.99.0.0/16", "dev lan0");
}

static void the_protocol_has_a_name_while_we_run(void **state)
{
	struct env *e = need(state);
	char path[160];

	snprintf(path, sizeof path, "%s/peerup.conf", e->protos);
	bring_up(e);
	assert_int_equal(netns_run("grep -q '^112\tpeerup$' %s", path), 0);
	pu_platform_free(e->p);
	e->p = NULL;
	assert_int_not_equal(access(path, F_OK), 0);
	/* What the package installed stays. */
	netns_run("printf '112\\tpeerup\\n' > %s", path);
	assert_int_equal(pu_linux_platform_new(pu_loop_uv_loop(e->uv), &(struct pu_platform_events){ 0 },
					       NULL, &e->paths, &e->p), 0);
	netns_run("ip addr flush dev pu0; ip link set pu0 down");
	bring_up(e);
	pu_platform_free(e->p);
	e->p = NULL;
	assert_int_equal(netns_run("grep -q peerup %s", path), 0);
	assert_int_equal(pu_linux_platform_new(pu_loop_uv_loop(e->uv), &(struct pu_platform_events){ 0 },
					       NULL, &e->paths, &e->p), 0);
}

static void assert_overlap(struct env *e, const char *subnet, const char *wanted)
{
	struct pu_prefix p = prefix(subnet);
	char text[160] = "";
	int r = pu_platform_route_overlap(e->p, "pu0", &p, text, sizeof text);

	assert_int_equal(r, wanted != NULL);
	if (wanted)
		assert_string_equal(text, wanted);
}

static void overlapping_routes_are_named(void **state)
{
	struct env *e = need(state);

	netns_run("ip route add default via 192.0.2.254");
	netns_run("ip -6 route add default dev lan0");
	assert_overlap(e, "10.64.0.0/16", NULL);
	/* The same, a part of it, and a wider one. */
	netns_run("ip route add 10.64.0.0/16 dev lan0 proto static");
	assert_overlap(e, "10.64.0.0/16", "10.64.0.0/16 dev lan0 proto static");
	netns_run("ip route del 10.64.0.0/16");
	netns_run("ip route add 10.64.99.0/24 via 192.0.2.7 proto dhcp");
	assert_overlap(e, "10.64.0.0/16", "10.64.99.0/24 via 192.0.2.7 dev lan0 proto dhcp");
	assert_overlap(e, "10.65.0.0/16", NULL);
	netns_run("ip route del 10.64.99.0/24");
	netns_run("ip route add 10.0.0.0/9 dev lan0");
	assert_overlap(e, "10.64.0.0/16", "10.0.0.0/9 dev lan0 proto boot");
	assert_overlap(e, "10.128.0.0/16", NULL);
	netns_run("ip -6 route add fd50:6565::/32 dev lan0");
	assert_overlap(e, "fd50:6565:7200::/48", "fd50:6565::/32 dev lan0 proto boot");
	assert_overlap(e, "fd50:6566:7200::/48", NULL);
}

static void our_own_routes_and_other_tables_are_no_overlap(void **state)
{
	struct env *e = need(state);

	bring_up(e);
	assert_overlap(e, "10.64.0.0/16", NULL);
	netns_run("ip route add 10.64.0.0/17 dev lan0 table 77");
	netns_run("ip route add unreachable 10.0.0.0/8");
	assert_overlap(e, "10.64.0.0/16", NULL);
}

static void assert_event(struct env *e, bool added, const char *dst, const char *gateway)
{
	struct pu_route_event *ev = &e->events[0];

	assert_int_not_equal(e->n_events, 0);
	assert_int_equal(ev->added, added);
	assert_true(prefix_is(&ev->dst, dst));
	if (gateway)
		assert_true(prefix_is(&ev->gateway, gateway));
	else
		assert_int_equal(ev->gateway.family, 0);
	memmove(ev, ev + 1, --e->n_events * sizeof *ev);
}

static void routes_of_others_are_followed(void **state)
{
	struct env *e = need(state);

	bring_up(e);
	assert_int_equal(netns_run("ip route add 192.168.7.0/24 via 10.64.3.4 dev pu0"), 0);
	assert_int_equal(pu_platform_watch_routes(e->p, "pu0"), 0);
	/* There before: reported at once. Ours is not. */
	assert_event(e, true, "192.168.7.0/24", "10.64.3.4/32");
	assert_int_equal(e->n_events, 0);
	netns_run("ip route add 192.168.1.0/24 via 10.64.5.6 dev pu0");
	idle(e, 30);
	assert_event(e, true, "192.168.1.0/24", "10.64.5.6/32");
	netns_run("ip route replace 192.168.1.0/24 via 10.64.7.8 dev pu0");
	idle(e, 30);
	assert_event(e, false, "192.168.1.0/24", "10.64.5.6/32");
	assert_event(e, true, "192.168.1.0/24", "10.64.7.8/32");
	/* The kernel reports only the new route, which is not over our device. */
	netns_run("ip route replace 192.168.1.0/24 dev lan0");
	idle(e, 30);
	assert_event(e, false, "192.168.1.0/24", "10.64.7.8/32");
	netns_run("ip route add 192.168.2.0/24 dev pu0");
	idle(e, 30);
	assert_event(e, true, "192.168.2.0/24", NULL);
	netns_run("ip route del 192.168.2.0/24");
	idle(e, 30);
	assert_event(e, false, "192.168.2.0/24", NULL);
	netns_run("ip route add 192.168.3.0/24 dev lan0");
	idle(e, 30);
	assert_int_equal(e->n_events, 0);
	assert_int_equal(pu_platform_watch_routes(e->p, "pu0"), PU_EEXIST);
}

static void ipv6_and_multipath_routes_are_followed(void **state)
{
	struct pu_prefix own6 = prefix("fd50:6565:7200::2/128"), ula = prefix("fd50:6565:7200::/48");
	struct env *e = need(state);

	bring_up(e);
	assert_int_equal(pu_platform_addr_add(e->p, "pu0", &own6), 0);
	assert_int_equal(pu_platform_route_add(e->p, "pu0", &ula), 0);
	assert_int_equal(pu_platform_watch_routes(e->p, "pu0"), 0);
	assert_int_equal(e->n_events, 0);
	netns_run("ip -6 route add 2001:db8:1::/48 via fd50:6565:7200::9 dev pu0");
	idle(e, 30);
	assert_event(e, true, "2001:db8:1::/48", "fd50:6565:7200::9/128");
	netns_run("ip route add 192.168.4.0/24 nexthop via 10.64.1.9 dev pu0 nexthop via 10.64.1.8 "
		  "dev pu0");
	idle(e, 30);
	assert_int_equal(e->n_events, 2);
	assert_event(e, true, "192.168.4.0/24", "10.64.1.9/32");
	assert_event(e, true, "192.168.4.0/24", "10.64.1.8/32");
	netns_run("ip route add 192.168.5.0/24 via inet6 fd50:6565:7200::9 dev pu0");
	idle(e, 30);
	assert_event(e, true, "192.168.5.0/24", "fd50:6565:7200::9/128");
}

static void routes_that_vanish_with_the_device_are_reported(void **state)
{
	struct env *e = need(state);

	bring_up(e);
	assert_int_equal(pu_platform_watch_routes(e->p, "pu0"), 0);
	netns_run("ip route add 192.168.1.0/24 via 10.64.5.6 dev pu0");
	idle(e, 30);
	assert_event(e, true, "192.168.1.0/24", "10.64.5.6/32");
	netns_run("ip link set pu0 down");
	idle(e, 30);
	assert_event(e, false, "192.168.1.0/24", "10.64.5.6/32");
}

static void a_burst_of_changes_is_one_change(void **state)
{
	struct env *e = need(state);

	bring_up(e);
	assert_int_equal(pu_platform_watch_routes(e->p, "pu0"), 0);
	idle(e, 50);
	e->n_changes = 0;
	for (int i = 10; i < 20; i++)
		netns_run("ip addr add 192.0.2.%d/24 dev lan0", i);
	idle(e, 100);
	assert_int_equal(e->n_changes, 0);
	idle(e, 600);
	assert_int_equal(e->n_changes, 1);
	netns_run("ip link set lan0 down");
	idle(e, 700);
	assert_int_equal(e->n_changes, 2);
}

static void another_way_out_is_a_change(void **state)
{
	struct env *e = need(state);

	netns_run("ip route add default via 192.0.2.254");
	idle(e, 700);
	assert_int_equal(e->n_changes, 1);
	netns_run("ip route replace default via 192.0.2.253");
	idle(e, 700);
	assert_int_equal(e->n_changes, 2);
	netns_run("ip route add 198.51.100.0/24 via 192.0.2.253");
	idle(e, 700);
	assert_int_equal(e->n_changes, 2);
}

/* The same addresses, but who knows at whose end of the cable. */
static void a_cable_that_was_out_is_a_change(void **state)
{
	struct env *e = need(state);

	idle(e, 700);
	e->n_changes = 0;
	netns_run("ip link set lan0 carrier off; ip link set lan0 carrier on");
	idle(e, 700);
	assert_int_equal(e->n_changes, 1);
}

static void what_changes_nothing_is_no_change(void **state)
{
	struct env *e = need(state);

	bring_up(e);
	assert_int_equal(pu_platform_watch_routes(e->p, "pu0"), 0);
	idle(e, 700);
	e->n_changes = 0;
	/* There and back, a queue length, and our own device. */
	netns_run("ip addr add 192.0.2.77/24 dev lan0; ip addr del 192.0.2.77/24 dev lan0");
	netns_run("ip link set lan0 txqueuelen 77");
	netns_run("ip addr add 10.64.1.77/32 dev pu0");
	idle(e, 700);
	assert_int_equal(e->n_changes, 0);
}

static void addresses_are_those_of_other_interfaces_that_are_up(void **state)
{
	struct env *e = need(state);
	struct pu_prefix out[16];
	bool lan = false;
	size_t n;

	bring_up(e);
	n = pu_platform_addrs(e->p, "pu0", out, 16);
	for (size_t i = 0; i < n; i++) {
		lan |= prefix_is(&out[i], "192.0.2.1/24");
		assert_false(prefix_is(&out[i], "10.64.1.2/32"));
		assert_false(out[i].family == AF_INET6 && out[i].addr[0] == 0xfe);
	}
	assert_true(lan);
	assert_int_equal(pu_platform_addrs(e->p, "pu0", out, 1), 1);
	netns_run("ip link set lan0 down");
	n = pu_platform_addrs(e->p, "pu0", out, 16);
	for (size_t i = 0; i < n; i++)
		assert_false(prefix_is(&out[i], "192.0.2.1/24"));
}

static void after_start_up_only_our_device_can_be_touched(void **state)
{
	struct pu_prefix own = prefix("10.64.1.3/32"), more = prefix("10.70.0.0/16");
	struct env *e = need(state);
	const char *method;

	bring_up(e);
	pu_platform_seal(e->p);
	assert_int_equal(pu_platform_set_mtu(e->p, "pu0", 1300), 0);
	assert_int_equal(pu_platform_route_add(e->p, "pu0", &more), 0);
	assert_int_equal(pu_platform_set_mtu(e->p, "lan0", 1300), PU_EDENIED);
	assert_int_equal(pu_platform_route_add(e->p, "lan0", &more), PU_EDENIED);
	assert_int_equal(pu_platform_addr_add(e->p, "pu0", &own), PU_EDENIED);
	assert_int_equal(pu_platform_link_up(e->p, "pu0", 1300, 0), PU_EDENIED);
	assert_int_equal(pu_platform_dns_set(e->p, "pu0", "none", "p2p", &own, 1, "/tmp", &method),
			 PU_EDENIED);
	assert_output("ip link show lan0", "mtu 1500");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_device_is_up_with_mtu_address_and_route),
		T(setting_up_twice_is_no_error),
		T(errors_have_their_codes),
		T(the_protocol_has_a_name_while_we_run),
		T(overlapping_routes_are_named),
		T(our_own_routes_and_other_tables_are_no_overlap),
		T(routes_of_others_are_followed),
		T(ipv6_and_multipath_routes_are_followed),
		T(routes_that_vanish_with_the_device_are_reported),
		T(a_burst_of_changes_is_one_change),
		T(another_way_out_is_a_change),
		T(a_cable_that_was_out_is_a_change),
		T(what_changes_nothing_is_no_change),
		T(addresses_are_those_of_other_interfaces_that_are_up),
		T(after_start_up_only_our_device_can_be_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
