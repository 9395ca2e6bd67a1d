/* The option table at work: defaults, values, and errors that tell the place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "daemon/config.h"
#include "daemon/config_schema.h"
#include "daemon/config_value.h"

#define ID1 "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"
#define ID2 "12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq"

static struct pu_config_diags diags;

static int parse(const char *text, struct pu_config **pcfg)
{
	memset(&diags, 0, sizeof diags);
	return pu_config_parse("/etc/x/config.yaml", pu_bytes_str(text), pcfg, &diags);
}

static void an_empty_file_has_the_defaults_of_init(void **state)
{
	static const char *const texts[] = { "", "# nothing\n", "vpn:\n", "{}\n", "vpn: ~\n" };
	struct pu_config *cfg;

	for (size_t i = 0; i < PU_ARRAY_LEN(texts); i++) {
		assert_int_equal(parse(texts[i], &cfg), 0);
		assert_int_equal(cfg->version, 1);
		assert_string_equal(cfg->dir, "/etc/x");
		assert_string_equal(cfg->key_file, "/etc/x/identity.key");
		assert_string_equal(cfg->authorized_keys_file, "/etc/x/authorized_keys");
		assert_int_equal(cfg->listen.n, 4);
		assert_int_equal(cfg->listen.given, 0);
		assert_int_equal(cfg->relays.n, 0);
		assert_int_equal(cfg->reservation_interval, PU_SEC(120));
		assert_true(cfg->gating);
		assert_true(cfg->ping_enabled);
		assert_string_equal(cfg->ping_protocol, "/pingpong/1.0.0");
		assert_string_equal(cfg->rendezvous, "peerup-default-network");
		assert_false(cfg->vpn.enabled);
		assert_string_equal(cfg->vpn.interface, "peerup0");
		assert_int_equal(cfg->vpn.subnet.bits, 16);
		assert_int_equal(cfg->vpn.ipv6_prefix.bits, 48);
		assert_int_equal(cfg->vpn.mtu, 0);
		assert_int_equal(cfg->vpn.dns, PU_VPN_DNS_AUTO);
		assert_string_equal(cfg->vpn.dns_suffix, "p2p");
		pu_config_free(cfg);
	}
}

static void every_key_of_the_node_schema_is_understood(void **state)
{
	static const char text[] =
		"version: 1\n"
		"identity: {key_file: /abs/key}\n"
		"network:\n  listen_addresses: [/ip4/0.0.0.0/tcp/4001]\n"
		"  force_private_reachability: yes\n  resource_limits_enabled: true\n"
		"relay:\n  addresses: [/ip4/1.2.3.4/tcp/7777/p2p/" ID1 "]\n"
		"  reservation_interval: 1h30m\n"
		"discovery:\n  rendezvous: r\n  network: my-net\n  bootstrap_peers: []\n"
		"security:\n  authorized_keys_file: keys\n  enable_connection_gating: true\n"
		"protocols: {ping_pong: {enabled: false, id: /p/1}}\n"
		"telemetry:\n  metrics: {enabled: true, listen_address: \"[::1]:9000\"}\n"
		"  audit: {enabled: on}\n"
		"vpn:\n  enabled: true\n  interface: tun7\n  subnet: 10.99.0.0/16\n"
		"  ipv6_prefix: fd00:1:2::/48\n  mtu: 1400\n  dns: resolv-conf\n"
		"  dns_suffix: lan\n  routes: [192.168.1.0/24, \"fd00:9::/64\"]\n"
		"services:\n  ssh:\n    enabled: true\n    local_address: localhost:22\n"
		"    protocol: /x\n    allowed_peers: [" ID1 "]\n"
		"  web:\n    enabled: true\n    local_address: \"[::1]:8080\"\n    port: 80\n"
		"names:\n  home: \"" ID1 "\"\n  far.away: " ID2 "\n"
		"peers:\n  home:\n    addresses: [/ip4/9.9.9.9/udp/1/quic-v1]\n"
		"    ports: {films: 8096}\n"
		"  " ID2 ":\n    addresses: [/dns4/a.example/tcp/1/p2p/" ID2 "]\n";
	const struct pu_config_service *s;
	struct pu_config *cfg;

	if (parse(text, &cfg) < 0)
		fail_msg("%u:%u %s", diags.v[0].line, diags.v[0].column, diags.v[0].text);
	assert_int_equal(diags.n, 0);
	assert_string_equal(cfg->key_file, "/abs/key");
	assert_int_equal(cfg->listen.n, 1);
	assert_true(cfg->force_private && cfg->resource_limits && cfg->audit_enabled);
	assert_int_equal(cfg->relays.n, 1);
	assert_int_equal(cfg->reservation_interval, PU_SEC(5400));
	assert_string_equal(cfg->network, "my-net");
	assert_string_equal(cfg->authorized_keys_file, "/etc/x/keys");
	assert_false(cfg->ping_enabled);
	assert_string_equal(cfg->metrics_listen.host, "::1");
	assert_int_equal(cfg->metrics_listen.port, 9000);
	assert_int_equal(cfg->vpn.mtu, 1400);
	assert_string_equal(pu_vpn_dns_text(cfg->vpn.dns), "resolv-conf");
	assert_int_equal(cfg->vpn.routes.n, 2);
	s = pu_config_find_service(cfg, "ssh");
	assert_non_null(s);
	assert_int_equal(s->port, 22); /* what peers see is the local port by default */
	assert_int_equal(s->allowed.given, 1);
	s = pu_config_find_service(cfg, "web");
	assert_string_equal(s->local.host, "::1");
	assert_int_equal(s->port, 80);
	assert_int_equal(cfg->n_names, 2);
	assert_int_equal(cfg->n_peers, 2);
	assert_true(pu_peerid_eq(&cfg->peers[0].peer, &cfg->names[0].peer));
	assert_true(pu_peerid_eq(&cfg->peers[1].peer, &cfg->names[1].peer));
	assert_int_equal(cfg->peers[0].ports[0].port, 8096);
	pu_config_free(cfg);
}

struct diag_case {
	const char *text;
	unsigned line, column;
	bool warning;
	const char *says; /* part of the remark */
};

static const struct diag_case diag_cases[] = {
	{ "version: 2\n", 1, 10, false, "version: \"2\" is out of range" },
	{ "vpn:\n  mtu: 99\n", 2, 8, false,
	  "vpn.mtu: \"99\" is out of range, allowed is a whole number, 1280 to 9000 bytes, or 0" },
	{ "vpn:\n  mtu: big\n", 2, 8, false, "vpn.mtu: \"big\" is not valid" },
	{ "vpn:\n  dns: maybe\n", 2, 8, false,
	  "allowed is one of auto resolved resolvconf resolv-conf none" },
	{ "vpn:\n  subnet: 10.64.1.0/16\n", 2, 11, false, "vpn.subnet" },
	{ "vpn:\n  subnet: fd00::/48\n", 2, 11, false, "an IPv4 network" },
	{ "vpn:\n  interface: ../x\n", 2, 14, false, "vpn.interface" },
	{ "vpn:\n  interface: averyveryverylongname\n", 2, 14, false, "1 to 15 bytes" },
	{ "vpn:\n  enabled: perhaps\n", 2, 12, false, "allowed is true or false" },
	{ "vpn: 3\n", 1, 6, false, "vpn: a single value where a section with keys belongs" },
	{ "- a\n", 1, 1, false, "the file has a list where a section with keys belongs" },
	{ "names:\n  home: nobody\n", 2, 9, false, "names.home: \"nobody\" is not valid" },
	{ "names:\n  home:\n", 2, 8, false, "names.home" },
	{ "relay:\n  addresses: [/ip4/1.2.3.4/tcp/1]\n", 2, 15, false,
	  "relay.addresses.1: \"/ip4/1.2.3.4/tcp/1\" does not say which peer" },
	{ "relay:\n  addresses: nope\n", 2, 14, false, "a list belongs here" },
	{ "relay:\n  reservation_interval: 5\n", 2, 25, false, "a duration such as 90s" },
	{ "relay:\n  reservation_interval: 0s\n", 2, 25, false, "1 to 86400 s" },
	{ "network:\n  listen_addresses: []\n", 2, 21, false, "at least one item" },
	{ "services:\n  SSH:\n    local_address: a:1\n", 2, 3, false, "name is not valid" },
	{ "services:\n  invite:\n    local_address: a:1\n", 2, 3, false, "reserved" },
	{ "services:\n  ssh:\n    enabled: true\n", 2, 3, false,
	  "services.ssh: the key local_address is missing" },
	{ "services:\n  ssh:\n    local_address: localhost\n", 3, 20, false, "host:port" },
	{ "services:\n  ssh:\n    local_address: a:70000\n", 3, 20, false, "out of range" },
	{ "peers:\n  " ID1 ":\n    ports: {ssh: 0}\n", 3, 18, false, "1 to 65535" },
	{ "peers:\n  " ID1 ":\n    addresses: [/ip4/1.1.1.1/tcp/1/p2p/" ID2 "]\n", 2, 3, false,
	  "another peer" },
	{ "a: 1\na: 2\n", 2, 1, false, "a: this key is already set in line 1" },
	{ "a: {b: 1, b: 2}\n", 1, 11, false, "already set" },
	{ "a: [1\n", 2, 1, false, "not valid YAML" },
	{ "a: \"\\x00\"\n", 1, 4, false, "zero character" },
	{ "a: 1\n---\nb: 2\n", 2, 1, false, "more than one YAML document" },
	{ "a: &x [*x]\n", 1, 8, false, "must not contain itself" },
	{ "a: *x\n", 1, 4, false, "no anchor" },
	{ "<<: {a: 1}\n", 1, 1, false, "merge keys" },
	{ "? [a]\n: b\n", 1, 3, false, "a key must be" },
	{ "vpm:\n  mtu: 1\n", 1, 1, true, "vpm: unknown key, ignored; is vpn meant?" },
	{ "vpn:\n  intreface: a\n", 2, 3, true, "is interface meant?" },
	{ "zzzzz: 1\n", 1, 1, true, "zzzzz: unknown key, ignored" },
	{ "vpn.mtu: 1400\n", 1, 1, true, "unknown key" },
	{ "\"*\": 1\nservices:\n  ssh: {local_address: \"a:1\", prot: 7}\n", 3, 31, true,
	  "services.ssh.prot: unknown key" },
	{ "discovery:\n  bootstrap_peers: [bad]\n", 2, 21, true, "(skipped)" },
	{ "peers:\n  bob:\n    addresses: []\n", 2, 3, true, "neither a peer ID nor" },
	{ "security: {enable_connection_gating: false}\n", 0, 0, true, "anybody may connect" },
	{ "vpn: {subnet: 8.0.0.0/8}\n", 0, 0, true, "not a private range" },
	{ "services:\n  a: {enabled: true, local_address: \"x:1\"}\n"
	  "  b: {enabled: true, local_address: \"y:1\"}\n",
	  3, 3, true, "on port 1 as they do a" },
};

static void a_remark_tells_place_and_cause(void **state)
{
	struct pu_config *cfg;

	for (size_t i = 0; i < PU_ARRAY_LEN(diag_cases); i++) {
		const struct diag_case *c = &diag_cases[i];
		bool found = false;
		int r = parse(c->text, &cfg);

		for (size_t j = 0; j < diags.n; j++) {
			const struct pu_config_diag *d = &diags.v[j];

			found = found || (d->line == c->line && d->column == c->column &&
					  d->warning == c->warning && strstr(d->text, c->says));
		}
		if (!found || r != (c->warning ? 0 : PU_ECONFIG))
			fail_msg("case %zu: %s -> %d; %zu remarks, first %u:%u %s", i, c->text, r,
				 diags.n, diags.v[0].line, diags.v[0].column, diags.v[0].text);
		if (r == 0)
			pu_config_free(cfg);
	}
}

static void all_errors_are_told_at_once_in_file_order(void **state)
{
	struct pu_config *cfg;

	assert_int_equal(parse("vpn:\n  mtu: x\n  dns: y\nversion: 9\n", &cfg), PU_ECONFIG);
	assert_int_equal(diags.n_errors, 3);
	assert_int_equal(diags.v[0].line, 2);
	assert_int_equal(diags.v[1].line, 3);
	assert_int_equal(diags.v[2].line, 4);
}

static void more_errors_than_fit_are_counted(void **state)
{
	char text[8192] = "names:\n";
	struct pu_config *cfg;

	for (int i = 0; i < 100; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "  n%d: bad\n", i);
	assert_int_equal(parse(text, &cfg), PU_ECONFIG);
	assert_int_equal(diags.n, PU_CONFIG_DIAGS_MAX);
	assert_int_equal(diags.n_more, 100 - PU_CONFIG_DIAGS_MAX);
	assert_int_equal(diags.n_errors, 100);
}

static void bombs_are_refused(void **state)
{
	char *text = calloc(1, 2 * PU_CONFIG_FILE_MAX);
	struct pu_config *cfg;

	memset(text, '[', 100000);
	assert_int_equal(parse(text, &cfg), PU_ECONFIG);
	assert_non_null(strstr(diags.v[0].text, "nested too deeply"));
	memset(text, 0, 2 * PU_CONFIG_FILE_MAX);
	strcpy(text, "a: [");
	for (int i = 0; i < 70000; i++)
		strcpy(text + 4 + 2 * i, "1,");
	assert_int_equal(parse(text, &cfg), PU_ECONFIG);
	assert_non_null(strstr(diags.v[0].text, "too many entries"));
	memset(text, ' ', PU_CONFIG_FILE_MAX + 1);
	assert_int_equal(parse(text, &cfg), PU_E2BIG);
	free(text);
}

static void an_alias_stands_for_its_anchor(void **state)
{
	struct pu_config *cfg;

	assert_int_equal(parse("x: &id " ID1 "\nnames: {home: *id}\n", &cfg), 0);
	assert_int_equal(cfg->n_names, 1);
	pu_config_free(cfg);
}

static void an_acl_of_bad_ids_allows_nobody(void **state)
{
	struct pu_config *cfg;

	assert_int_equal(parse("services:\n  a:\n    local_address: b:1\n"
			       "    allowed_peers: [nonsense]\n",
			       &cfg),
			 0);
	assert_int_equal(cfg->services[0].allowed.n, 0);
	assert_int_equal(cfg->services[0].allowed.given, 1);
	pu_config_free(cfg);
}

static void a_file_that_others_may_read_is_refused(void **state)
{
	char path[] = "/tmp/pu_config_XXXXXX";
	struct pu_config *cfg;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	memset(&diags, 0, sizeof diags);
	assert_int_equal(fchmod(fd, 0640), 0);
	assert_int_equal(pu_config_load(path, &cfg, &diags), PU_EPERM);
	assert_non_null(strstr(diags.v[0].text, "chmod 600"));
	memset(&diags, 0, sizeof diags);
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(pu_config_load(path, &cfg, &diags), 0);
	pu_config_free(cfg);
	close(fd);
	unlink(path);
	memset(&diags, 0, sizeof diags);
	assert_int_equal(pu_config_load(path, &cfg, &diags), PU_ENOENT);
	assert_int_equal(diags.n_errors, 1);
}

static void durations_follow_go(void **state)
{
	static const struct {
		const char *text;
		int64_t ns; /* -1: refused */
	} v[] = {
		{ "90s", 90000000000 }, { "2m", 120000000000 }, { "1h30m", 5400000000000 },
		{ "1.5s", 1500000000 }, { "0", 0 }, { "100ms", 100000000 }, { "3us", 3000 },
		{ "3\xc2\xb5s", 3000 }, { "7ns", 7 }, { ".5m", 30000000000 }, { "1m1s", 61000000000 },
		{ "", -1 }, { "5", -1 }, { "s", -1 }, { "-5s", -1 }, { "5x", -1 }, { "1h 2m", -1 },
		{ ".s", -1 }, { "99999999999h", -1 }, { "99999999999999999999s", -1 },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(v); i++) {
		pu_time t = 1;
		int r = pu_config_duration(v[i].text, &t);

		if ((r == 0) != (v[i].ns >= 0) || (r == 0 && t != (pu_time)v[i].ns))
			fail_msg("%s: %d %llu", v[i].text, r, (unsigned long long)t);
	}
}

static void sizes_are_powers_of_1024(void **state)
{
	static const struct {
		const char *text;
		int64_t n; /* -1: refused */
	} v[] = {
		{ "128KB", 131072 }, { "64mb", 67108864 }, { "1GB", 1073741824 }, { "1024B", 1024 },
		{ "100", 100 }, { " 7 kb", 7168 }, { "", -1 }, { "abc", -1 }, { "-1MB", -1 },
		{ "MB", -1 }, { "1.5MB", -1 }, { "99999999999999GB", -1 },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(v); i++) {
		uint64_t n = 1;
		int r = pu_config_size(v[i].text, &n);

		if ((r == 0) != (v[i].n >= 0) || (r == 0 && n != (uint64_t)v[i].n))
			fail_msg("%s: %d", v[i].text, r);
	}
}

static void service_names_are_dns_labels(void **state)
{
	static const char *const good[] = { "ssh", "xrdp", "a", "a1", "my-service", "0" };
	static const char *const bad[] = { "", "SSH", "my service", "foo/bar", "-start", "end-",
					   "-", "service.name", "a\nb", "a\tb" };
	char label[65];

	for (size_t i = 0; i < PU_ARRAY_LEN(good); i++)
		assert_true(pu_config_is_label(good[i]));
	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++)
		assert_false(pu_config_is_label(bad[i]));
	memset(label, 'a', 64);
	label[64] = '\0';
	assert_false(pu_config_is_label(label));
	label[63] = '\0';
	assert_true(pu_config_is_label(label));
}

/* The table is documentation: nothing in it may be half filled. */
static void the_table_is_complete(void **state)
{
	const struct pu_config_schema *s = pu_config_schema_node();
	char allowed[256];

	for (size_t i = 0; i < s->n_options; i++) {
		const struct pu_config_option *o = &s->options[i];

		assert_true(strlen(o->doc) > 5 && o->doc[strlen(o->doc) - 1] == '.');
		assert_true(strlen(pu_config_option_allowed(o, allowed, sizeof allowed)) > 5);
		assert_true((o->type == PU_CONFIG_ENUM) == (o->choices != NULL));
		assert_ptr_equal(pu_config_schema_option(s, o->path), o);
	}
	for (size_t i = 0; i < s->n_maps; i++)
		assert_true(pu_config_schema_is_section(s, s->maps[i].path) ||
			    pu_config_schema_option(s, s->maps[i].path));
}

static char *read_sample(const char *name)
{
	char path[512], *text;
	size_t len;

	snprintf(path, sizeof path, "%s/%s", PU_TEST_CONFIGS, name);
	assert_int_equal(pu_file_read(path, PU_CONFIG_FILE_MAX, &text, &len, NULL), 0);
	return text;
}

static void the_samples_load_without_a_remark(void **state)
{
	static const char *const names[] = { "peerup.yaml", "minimal.yaml", "home.yaml", "laptop.yaml" };
	struct pu_config *cfg;

	for (size_t i = 0; i < PU_ARRAY_LEN(names); i++) {
		char *text = read_sample(names[i]);

		if (parse(text, &cfg) < 0 || diags.n > 0)
			fail_msg("%s:%u: %s", names[i], diags.v[0].line, diags.v[0].text);
		pu_config_free(cfg);
		free(text);
	}
}

/* peerup.yaml is the users' list of keys: it has each of them, with the default. */
static void the_large_sample_shows_every_key(void **state)
{
	const struct pu_config_schema *s = pu_config_schema_node();
	struct pu_config *sample, *defaults;
	char *text = read_sample("peerup.yaml"), line[160];

	for (size_t i = 0; i < s->n_options; i++) {
		const char *dot = strrchr(s->options[i].path, '.');

		if (strcmp(dot ? dot : "", ".*") == 0)
			continue;
		snprintf(line, sizeof line, "%s:", dot ? dot + 1 : s->options[i].path);
		if (!strstr(text, line))
			fail_msg("%s is not in the sample", s->options[i].path);
	}
	assert_int_equal(parse(text, &sample), 0);
	assert_int_equal(parse("", &defaults), 0);
	assert_int_equal(sample->listen.n, defaults->listen.n);
	for (size_t i = 0; i < sample->listen.n; i++)
		assert_true(pu_multiaddr_eq(&sample->listen.v[i], &defaults->listen.v[i]));
	assert_string_equal(sample->key_file, defaults->key_file);
	assert_string_equal(sample->rendezvous, defaults->rendezvous);
	assert_string_equal(sample->ping_protocol, defaults->ping_protocol);
	assert_string_equal(sample->vpn.interface, defaults->vpn.interface);
	assert_string_equal(sample->vpn.dns_suffix, defaults->vpn.dns_suffix);
	assert_memory_equal(&sample->vpn.subnet, &defaults->vpn.subnet, sizeof(struct pu_prefix));
	assert_memory_equal(&sample->vpn.ipv6_prefix, &defaults->vpn.ipv6_prefix,
			    sizeof(struct pu_prefix));
	assert_int_equal(sample->vpn.mtu, defaults->vpn.mtu);
	assert_int_equal(sample->vpn.dns, defaults->vpn.dns);
	assert_int_equal(sample->vpn.enabled, defaults->vpn.enabled);
	assert_int_equal(sample->gating, defaults->gating);
	assert_int_equal(sample->ping_enabled, defaults->ping_enabled);
	assert_int_equal(sample->metrics_enabled, defaults->metrics_enabled);
	assert_int_equal(sample->metrics_listen.port, defaults->metrics_listen.port);
	assert_int_equal(sample->reservation_interval, defaults->reservation_interval);
	pu_config_free(sample);
	pu_config_free(defaults);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_has_the_defaults_of_init),
		cmocka_unit_test(every_key_of_the_node_schema_is_understood),
		cmocka_unit_test(a_remark_tells_place_and_cause),
		cmocka_unit_test(all_errors_are_told_at_once_in_file_order),
		cmocka_unit_test(more_errors_than_fit_are_counted),
		cmocka_unit_test(bombs_are_refused),
		cmocka_unit_test(an_alias_stands_for_its_anchor),
		cmocka_unit_test(an_acl_of_bad_ids_allows_nobody),
		cmocka_unit_test(a_file_that_others_may_read_is_refused),
		cmocka_unit_test(durations_follow_go),
		cmocka_unit_test(sizes_are_powers_of_1024),
		cmocka_unit_test(service_names_are_dns_labels),
		cmocka_unit_test(the_table_is_complete),
		cmocka_unit_test(the_samples_load_without_a_remark),
		cmocka_unit_test(the_large_sample_shows_every_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
