#include "daemon/relay_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "daemon/config_archive.h"

static struct pu_config_diags diags;

static struct pu_relay_config *parse(const char *text)
{
	struct pu_relay_config *cfg = NULL;

	memset(&diags, 0, sizeof diags);
	if (pu_relay_config_parse("/etc/x/relay-server.yaml", pu_bytes_str(text), &cfg, &diags) < 0)
		return NULL;
	return cfg;
}

static void an_empty_file_is_a_relay_of_the_defaults(void **state)
{
	struct pu_relay_config *cfg = parse("version: 1\n");
	struct pu_hop_limits l;

	assert_non_null(cfg);
	assert_int_equal(diags.n, 0);
	assert_true(cfg->gating);
	assert_false(cfg->health_enabled || cfg->metrics_enabled || cfg->private_addresses);
	assert_int_equal(cfg->listen.n, 4);
	assert_string_equal(cfg->key_file, "/etc/x/relay_node.key");
	assert_string_equal(cfg->authorized_keys_file, "/etc/x/relay_authorized_keys");
	assert_int_equal(cfg->health_listen.port, 9090);
	pu_relay_config_limits(cfg, &l);
	assert_int_equal(l.max_reservations, 128);
	assert_int_equal(l.max_reservations_per_ip, 8);
	assert_int_equal(l.max_reservations_per_asn, 32);
	assert_int_equal(l.max_circuits_per_peer, 16);
	assert_int_equal(l.max_circuits, 1024);
	assert_int_equal(l.reservation_ttl, PU_SEC(3600));
	assert_int_equal(l.duration, PU_SEC(600));
	assert_int_equal(l.data, 64 << 20);
	pu_relay_config_free(cfg);
}

static void zero_is_the_default_but_no_limit_for_sessions(void **state)
{
	struct pu_relay_config *cfg = parse("resources:\n"
					    "  max_reservations: 0\n  max_circuits: 0\n"
					    "  max_circuits_total: 0\n  buffer_size: 0\n"
					    "  max_reservations_per_ip: 0\n"
					    "  max_reservations_per_asn: 0\n  reservation_ttl: 0\n"
					    "  session_duration: 0\n  session_data_limit: 0\n");
	struct pu_hop_limits l;

	assert_non_null(cfg);
	pu_relay_config_limits(cfg, &l);
	assert_int_equal(l.max_reservations, 128);
	assert_int_equal(l.max_reservations_per_ip, 8);
	assert_int_equal(l.max_circuits_per_peer, 16);
	assert_int_equal(l.max_circuits, 1024);
	assert_int_equal(l.reservation_ttl, PU_SEC(3600));
	assert_int_equal(l.duration, 0);
	assert_int_equal(l.data, 0);
	pu_relay_config_free(cfg);
	cfg = parse("resources: {session_duration: unlimited, session_data_limit: unlimited}\n");
	assert_non_null(cfg);
	assert_int_equal(cfg->session_duration, 0);
	assert_int_equal(cfg->session_data_limit, 0);
	pu_relay_config_free(cfg);
}

static void sizes_are_read_as_the_go_program_reads_them(void **state)
{
	static const struct {
		const char *text;
		uint64_t want;
	} cases[] = { { "64MB", 64 << 20 }, { "128 kb", 128 << 10 }, { "1GB", 1 << 30 },
		      { "4096", 4096 }, { "10B", 10 } };
	static const char *const bad[] = { "-1", "1.5MB", "\"\"", "64MiB", "many", "9999999999GB" };
	struct pu_relay_config *cfg;
	char text[128];

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof text, "resources: {session_data_limit: %s}\n", cases[i].text);
		cfg = parse(text);
		assert_non_null(cfg);
		assert_int_equal(cfg->session_data_limit, cases[i].want);
		pu_relay_config_free(cfg);
	}
	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof text, "resources: {session_data_limit: %s}\n", bad[i]);
		assert_null(parse(text));
		assert_int_equal(diags.n_errors, 1);
	}
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		bool warning;
		const char *says;
	} cases[] = {
		{ "version: 2\n", 1, false, "version: \"2\" is out of range" },
		{ "resources:\n  session_data_limit: fast\n", 2, false,
		  "allowed is a size such as 128KB or 64MB, or unlimited" },
		{ "resources:\n  reservation_ttl: 5\n", 2, false, "a duration such as 90s" },
		{ "network:\n  listen_addresses: []\n", 2, false, "at least one item is needed" },
		{ "resources:\n  max_reservation: 5\n", 2, true, "is max_reservations meant?" },
		{ "security:\n  enable_connection_gating: false\n", 0, true, "anybody may use" },
		{ "relay:\n  addresses: []\n", 1, true, "unknown key" },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		struct pu_relay_config *cfg = parse(cases[i].text);

		assert_true((cfg != NULL) == cases[i].warning);
		assert_int_equal(diags.n, 1);
		assert_int_equal(diags.v[0].line, cases[i].line);
		assert_int_equal(diags.v[0].warning, cases[i].warning);
		if (!strstr(diags.v[0].text, cases[i].says))
			fail_msg("no \"%s\" in: %s", cases[i].says, diags.v[0].text);
		pu_relay_config_free(cfg);
	}
}

static void same_limits(const struct pu_hop_limits *a, const struct pu_hop_limits *b)
{
	assert_int_equal(a->max_reservations, b->max_reservations);
	assert_int_equal(a->max_reservations_per_ip, b->max_reservations_per_ip);
	assert_int_equal(a->max_reservations_per_asn, b->max_reservations_per_asn);
	assert_int_equal(a->max_circuits, b->max_circuits);
	assert_int_equal(a->max_circuits_per_peer, b->max_circuits_per_peer);
	assert_int_equal(a->reservation_ttl, b->reservation_ttl);
	assert_int_equal(a->duration, b->duration);
	assert_int_equal(a->data, b->data);
}

/* relay-server.yaml is the users' list of keys: it has each of them, with the default. */
static void the_sample_shows_every_key_with_its_default(void **state)
{
	const struct pu_config_schema *s = pu_relay_config_schema();
	struct pu_relay_config *sample, *defaults;
	struct pu_hop_limits a, b;
	char *text, line[160];
	size_t len;

	assert_int_equal(pu_file_read(PU_TEST_CONFIGS "/relay-server.yaml", PU_CONFIG_FILE_MAX,
				      &text, &len, NULL),
			 0);
	for (size_t i = 0; i < s->n_options; i++) {
		const char *dot = strrchr(s->options[i].path, '.');

		snprintf(line, sizeof line, "%s:", dot ? dot + 1 : s->options[i].path);
		if (!strstr(text, line))
			fail_msg("%s is not in the sample", s->options[i].path);
	}
	sample = parse(text);
	assert_non_null(sample);
	assert_int_equal(diags.n, 0);
	defaults = parse("");
	assert_non_null(defaults);
	assert_int_equal(sample->listen.n, defaults->listen.n);
	for (size_t i = 0; i < sample->listen.n; i++)
		assert_true(pu_multiaddr_eq(&sample->listen.v[i], &defaults->listen.v[i]));
	assert_string_equal(sample->key_file, defaults->key_file);
	assert_string_equal(sample->authorized_keys_file, defaults->authorized_keys_file);
	pu_relay_config_limits(sample, &a);
	pu_relay_config_limits(defaults, &b);
	same_limits(&a, &b);
	pu_relay_config_free(sample);
	pu_relay_config_free(defaults);
	free(text);
}

static void write_file(const char *path, const char *text)
{
	assert_int_equal(pu_file_replace(path, pu_bytes_str(text), 0600, NULL), 0);
}

static void files_beside_the_config_go_before_those_of_the_working_directory(void **state)
{
	char dir[] = "/tmp/pu_relay_config_XXXXXX", was[1024], path[128];
	struct pu_relay_config *cfg;

	assert_non_null(getcwd(was, sizeof was));
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	snprintf(path, sizeof path, "%s/relay_node.key", dir);
	write_file(path, "x");
	/* Nothing in /etc/x: the Go program would look here. */
	cfg = parse("");
	assert_string_equal(cfg->key_file, "relay_node.key");
	assert_string_equal(cfg->authorized_keys_file, "/etc/x/relay_authorized_keys");
	pu_relay_config_free(cfg);
	cfg = parse("identity: {key_file: /abs/relay_node.key}\n");
	assert_string_equal(cfg->key_file, "/abs/relay_node.key");
	pu_relay_config_free(cfg);
	unlink(path);
	assert_int_equal(chdir(was), 0);
	rmdir(dir);
}

static void the_last_good_config_is_kept_and_comes_back(void **state)
{
	char dir[] = "/tmp/pu_archive_XXXXXX", config[64], archive[128], *text;
	struct pu_file_info info;
	size_t len;

	assert_non_null(mkdtemp(dir));
	snprintf(config, sizeof config, "%s/relay-server.yaml", dir);
	assert_int_equal(pu_config_archive_path("config.yaml", 0, archive, sizeof archive), 0);
	assert_string_equal(archive, ".config.last-good.yaml");
	assert_int_equal(pu_config_archive_path("/a/plain", 0, archive, sizeof archive), 0);
	assert_string_equal(archive, "/a/.plain.last-good");
	assert_int_equal(pu_config_archive_path(config, 0, archive, 20), PU_ELIMIT);
	assert_int_equal(pu_config_archive_path(config, 0, archive, sizeof archive), 0);
	assert_int_equal(pu_config_archive_restore(config, 0), PU_ENOENT);
	write_file(config, "good");
	assert_int_equal(pu_config_archive_save(config, pu_bytes_str("good")), 0);
	write_file(config, "bad");
	assert_int_equal(pu_config_archive_restore(config, 0), 0);
	assert_int_equal(pu_file_read(config, 100, &text, &len, &info), 0);
	assert_string_equal(text, "good");
	assert_int_equal(info.mode, 0600);
	free(text);
	unlink(config);
	unlink(archive);
	snprintf(archive, sizeof archive, "%s/.relay-server.rejected.yaml", dir);
	assert_int_equal(unlink(archive), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_is_a_relay_of_the_defaults),
		cmocka_unit_test(zero_is_the_default_but_no_limit_for_sessions),
		cmocka_unit_test(sizes_are_read_as_the_go_program_reads_them),
		cmocka_unit_test(what_is_wrong_is_told_with_its_place),
		cmocka_unit_test(the_sample_shows_every_key_with_its_default),
		cmocka_unit_test(files_beside_the_config_go_before_those_of_the_working_directory),
		cmocka_unit_test(the_last_good_config_is_kept_and_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
