/* Which changes of a config a running node takes over, and which need a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "daemon/config_diff.h"

static const char *diff(const char *from, const char *to)
{
	static struct pu_config_diags diags;
	static char text[1024];
	struct pu_config *a, *b;
	struct pu_config_diff d;

	memset(&diags, 0, sizeof diags);
	assert_int_equal(pu_config_parse("/x/c.yaml", pu_bytes_str(from), &a, &diags), 0);
	assert_int_equal(pu_config_parse("/x/c.yaml", pu_bytes_str(to), &b, &diags), 0);
	pu_config_diff(pu_config_schema_node(), pu_config_diff_live_node, a, b, &d);
	pu_config_free(a);
	pu_config_free(b);
	return pu_config_diff_text(&d, text, sizeof text);
}

static void the_same_settings_differ_in_nothing(void **state)
{
	assert_string_equal(diff("version: 1\n", "# all defaults\n"), "");
	assert_string_equal(diff("vpn:\n  mtu: 1400\n", "vpn: {mtu: 1400} # flow\n"), "");
}

static void what_is_live_needs_no_restart(void **state)
{
	assert_string_equal(diff("", "services:\n  ssh:\n    enabled: true\n"
				     "    local_address: localhost:22\n"), "");
	assert_string_equal(diff("", "discovery: {mdns: false, network: home}\n"), "");
	assert_string_equal(diff("", "security: {authorized_keys_file: other}\n"), "");
	assert_string_equal(diff("", "vpn: {routes: [192.168.1.0/24]}\n"), "");
}

static void every_type_is_compared(void **state)
{
	assert_string_equal(diff("", "vpn: {subnet: 10.70.0.0/16, interface: x0, mtu: 1300}\n"),
			    "vpn.interface, vpn.subnet, vpn.mtu");
	assert_string_equal(diff("", "network: {listen_addresses: [/ip4/0.0.0.0/tcp/1]}\n"),
			    "network.listen_addresses");
	assert_string_equal(diff("network: {listen_addresses: [/ip4/0.0.0.0/tcp/1]}\n",
				 "network: {listen_addresses: [/ip4/0.0.0.0/tcp/2]}\n"),
			    "network.listen_addresses");
	assert_string_equal(diff("", "relay: {reservation_interval: 3m}\n"),
			    "relay.reservation_interval");
	assert_string_equal(diff("", "identity: {key_file: other.key}\n"), "identity.key_file");
	assert_string_equal(diff("", "vpn: {dns: none, dns_suffix: lan}\n"),
			    "vpn.dns, vpn.dns_suffix");
	assert_string_equal(diff("", "telemetry: {metrics: {listen_address: \"127.0.0.1:1\"}}\n"),
			    "telemetry.metrics.listen_address");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_settings_differ_in_nothing),
		cmocka_unit_test(what_is_live_needs_no_restart),
		cmocka_unit_test(every_type_is_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
