/* A relay with its files, and nodes that may or may not use it. */
#include "daemon/relay_metrics.h"
#include "daemon/relay_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/rfc3339.h"
#include "p2p/circuit/relays.h"
#include "support/hosts.h"

struct fixture {
	struct pu_sim *sim;
	struct pu_sim_node *node;
	char dir[64], config[128], keys[128];
	struct pu_relay_server *relay;
	struct test_host a, b;
	bool stopped;
};

static void write_text(const char *path, const char *text)
{
	assert_int_equal(pu_file_replace(path, pu_bytes_str(text), 0600, NULL), 0);
}

/* The authorized keys: these hosts, with attributes. */
static void write_keys(struct fixture *f, const struct test_host *a, const char *attrs_a,
		       const struct test_host *b, const char *attrs_b)
{
	char text[512], id[PU_PEERID_TEXT_MAX];
	size_t n = 0;

	text[0] = '\0';
	if (a)
		n = (size_t)snprintf(text, sizeof text, "%s %s\n",
				     pu_peerid_text(&a->key.peer, id), attrs_a);
	if (b)
		snprintf(text + n, sizeof text - n, "%s %s\n", pu_peerid_text(&b->key.peer, id),
			 attrs_b);
	write_text(f->keys, text);
}

static struct pu_relay_config *load(struct fixture *f, const char *text)
{
	struct pu_config_diags *d = calloc(1, sizeof *d);
	struct pu_relay_config *cfg = NULL;

	assert_non_null(d);
	write_text(f->config, text);
	if (pu_relay_config_load(f->config, &cfg, d) < 0)
		fail_msg("%s", d->v[0].text);
	free(d);
	return cfg;
}

static void start(struct fixture *f, const char *text)
{
	struct pu_multiaddr ip[4];
	struct pu_failure why = { .what = "" };
	struct pu_relay_server_options opt = {
		.loop = pu_sim_loop(f->node),
		.net = pu_sim_net(f->node),
		.cfg = load(f, text),
		.version = "1.2.3",
	};

	if (pu_relay_server_new(&opt, &f->relay, &why) < 0)
		fail_msg("%s: %s", why.what, why.why);
	pu_host_set_interface_addrs(f->relay->host, ip,
				    pu_sim_node_ips(f->node, ip, PU_ARRAY_LEN(ip)));
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	f->sim = pu_sim_new(pu_sim_seed());
	f->node = pu_sim_node_new(f->sim, "relay");
	pu_sim_node_add_ip(f->node, "11.0.0.1");
	snprintf(f->dir, sizeof f->dir, "/tmp/pu_relay_XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->config, sizeof f->config, "%s/relay-server.yaml", f->dir);
	snprintf(f->keys, sizeof f->keys, "%s/relay_authorized_keys", f->dir);
	test_host_init(&f->a, f->sim, 1, "11.0.1.1", NULL);
	test_host_init(&f->b, f->sim, 2, "11.0.1.2", NULL);
	test_host_start(&f->a, NULL);
	test_host_start(&f->b, NULL);
	*state = f;
	return 0;
}

static void on_stopped(void *arg)
{
	((struct fixture *)arg)->stopped = true;
}

static bool has_stopped(void *arg)
{
	return ((struct fixture *)arg)->stopped;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char path[160];

	test_host_stop(&f->a);
	test_host_stop(&f->b);
	pu_relay_server_stop(f->relay, on_stopped, f);
	assert_true(pu_sim_run_until(f->sim, has_stopped, f, PU_SEC(30)));
	pu_relay_server_free(f->relay);
	assert_int_equal(pu_sim_node_sockets(f->node), 0);
	snprintf(path, sizeof path, "%s/relay_node.key", f->dir);
	unlink(path);
	unlink(f->config);
	unlink(f->keys);
	assert_int_equal(rmdir(f->dir), 0);
	pu_sim_free(f->sim);
	free(f);
	return 0;
}

/* The relay is still connected to that host a second later. */
static bool can_connect(struct fixture *f, struct test_host *t)
{
	struct test_dial d = { 0 };
	struct test_host relay = { .h = f->relay->host, .key = f->relay->key };

	test_host_introduce(t, &relay);
	test_connect(t, &relay, &d, PU_SEC(20));
	pu_sim_run(f->sim, PU_SEC(1));
	return d.err == 0 && pu_host_conn(f->relay->host, &t->key.peer);
}

static void only_authorized_peers_get_in(void **state)
{
	struct fixture *f = *state;
	struct pu_host_stats st;

	write_keys(f, &f->a, "", NULL, NULL);
	start(f, "version: 1\n");
	assert_true(can_connect(f, &f->a));
	assert_false(can_connect(f, &f->b));
	pu_host_stats(f->relay->host, &st);
	assert_true(st.inbound_gated > 0);
	assert_string_equal(pu_host_peer_agent(f->a.h, &f->relay->key.peer), "relay-server/1.2.3");
	assert_true(pu_host_peer_supports(f->a.h, &f->relay->key.peer, PU_HOP_PROTOCOL));
}

static void whoever_is_added_gets_in_and_whoever_is_removed_goes(void **state)
{
	struct fixture *f = *state;

	start(f, "version: 1\n"); /* no keys file yet: nobody */
	assert_false(can_connect(f, &f->a));
	write_keys(f, &f->a, "", &f->b, "");
	assert_int_equal(pu_relay_server_reload_members(f->relay), 0);
	assert_true(can_connect(f, &f->a));
	assert_true(can_connect(f, &f->b));
	write_keys(f, NULL, NULL, &f->b, "");
	assert_int_equal(pu_relay_server_reload_members(f->relay), 0);
	pu_sim_run(f->sim, PU_SEC(1));
	assert_null(pu_host_conn(f->relay->host, &f->a.key.peer));
	assert_non_null(pu_host_conn(f->relay->host, &f->b.key.peer));
	assert_int_equal(f->a.closed_code, PU_CONN_CODE_GATED);
}

static void an_authorization_ends_when_it_says(void **state)
{
	struct fixture *f = *state;
	char when[PU_RFC3339_MAX], attr[64];

	snprintf(attr, sizeof attr, "expires=%s",
		 pu_rfc3339_text(pu_loop_unix(pu_sim_loop(f->node)) + 60, when));
	write_keys(f, &f->a, attr, NULL, NULL);
	start(f, "version: 1\n");
	assert_true(can_connect(f, &f->a));
	pu_sim_run(f->sim, PU_SEC(50));
	assert_non_null(pu_host_conn(f->relay->host, &f->a.key.peer));
	pu_sim_run(f->sim, PU_SEC(30));
	assert_null(pu_host_conn(f->relay->host, &f->a.key.peer));
	assert_false(can_connect(f, &f->a));
}

static void expiry_follows_the_clock_both_ways(void **state)
{
	struct fixture *f = *state;
	struct pu_loop *loop = pu_sim_loop(f->node);
	char when[PU_RFC3339_MAX], attr[64];

	snprintf(attr, sizeof attr, "expires=%s",
		 pu_rfc3339_text(pu_loop_unix(loop) + 7200, when));
	write_keys(f, &f->a, attr, NULL, NULL);
	start(f, "version: 1\n");
	assert_true(can_connect(f, &f->a));
	loop->wall_offset += (int64_t)PU_SEC(3 * 3600);
	pu_sim_run(f->sim, PU_SEC(30));
	assert_null(pu_host_conn(f->relay->host, &f->a.key.peer));
	assert_false(can_connect(f, &f->a));
	loop->wall_offset -= (int64_t)PU_SEC(3 * 3600);
	assert_true(can_connect(f, &f->a));
}

static void without_gating_everybody_gets_in(void **state)
{
	struct fixture *f = *state;

	start(f, "security: {enable_connection_gating: false}\n");
	assert_true(can_connect(f, &f->a));
	assert_true(can_connect(f, &f->b));
}

static void a_keys_file_that_cannot_be_read_changes_nothing(void **state)
{
	struct fixture *f = *state;

	write_keys(f, &f->a, "", NULL, NULL);
	start(f, "version: 1\n");
	assert_true(can_connect(f, &f->a));
	unlink(f->keys);
	assert_int_equal(mkdir(f->keys, 0700), 0);
	assert_true(pu_relay_server_reload_members(f->relay) < 0);
	pu_sim_run(f->sim, PU_SEC(1));
	assert_non_null(pu_host_conn(f->relay->host, &f->a.key.peer));
	rmdir(f->keys);
}

static void a_reload_takes_over_limits(void **state)
{
	struct fixture *f = *state;
	struct pu_relay_metrics *m;
	size_t len;
	char *text;

	write_keys(f, &f->a, "", NULL, NULL);
	start(f, "version: 1\n");
	assert_int_equal(pu_relay_metrics_new(f->relay, "1", &m), 0);
	assert_int_equal(pu_relay_server_reload(f->relay,
						load(f, "resources: {max_reservations: 3}\n")),
			 0);
	assert_int_equal(f->relay->cfg->max_reservations, 3);
	assert_true(can_connect(f, &f->a));
	text = pu_metrics_text(pu_relay_metrics_all(m), &len);
	assert_non_null(text);
	assert_int_equal(strlen(text), len);
	assert_non_null(strstr(text, "\npeerup_relay_connected_peers 1\n"));
	assert_non_null(strstr(text, "\npeerup_relay_reservations 0\n"));
	assert_non_null(strstr(text, "\npeerup_auth_decisions_total{decision=\"allow\"} 1\n"));
	free(text);
	pu_relay_metrics_free(m);
}

static const struct pu_multiaddr *found_circuit(const struct pu_multiaddr *addrs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pu_multiaddr_kind(&addrs[i]) == PU_MA_KIND_CIRCUIT)
			return &addrs[i];
	return NULL;
}

struct search {
	bool done;
	int err;
	char found[PU_MULTIADDR_TEXT_MAX]; /* a circuit */
};

static void on_found(void *arg, int err, const struct pu_multiaddr *addrs, size_t n)
{
	struct search *s = arg;
	const struct pu_multiaddr *ma = found_circuit(addrs, n);

	s->done = true;
	s->err = err;
	if (ma)
		pu_multiaddr_text(ma, s->found);
}

static void a_node_finds_another_one_through_the_relay_alone(void **state)
{
	struct fixture *f = *state;
	const struct pu_kad_options opt = { .network = "", .mode = PU_KAD_CLIENT };
	struct pu_transport *circuits;
	struct pu_multiaddr relay_addr;
	struct pu_relays *relays;
	struct pu_kad *kad;
	struct search s = { .done = false };
	char want[PU_MULTIADDR_TEXT_MAX], id[PU_PEERID_TEXT_MAX];

	write_keys(f, &f->a, "", &f->b, "");
	start(f, "version: 1\n");
	pu_peerid_text(&f->relay->key.peer, id);
	snprintf(want, sizeof want, "/ip4/11.0.0.1/udp/7777/quic-v1/p2p/%s", id);
	assert_int_equal(pu_multiaddr_from_text(&relay_addr, want), 0);
	/* One waits at the relay … */
	assert_int_equal(pu_circuit_transport_new(f->a.h, &(struct pu_circuit_options){ 0 }, &circuits),
			 0);
	assert_int_equal(pu_relays_new(f->a.h, 0, NULL, NULL, &relays), 0);
	assert_int_equal(pu_relays_set(relays, &relay_addr, 1), 0);
	pu_sim_run(f->sim, PU_SEC(5));
	assert_true(pu_hop_has_reservation(f->relay->hop, &f->a.key.peer));
	/* … and another one, who knows the relay only, asks for it. */
	assert_int_equal(pu_kad_new(f->b.h, &opt, &kad), 0);
	assert_true(can_connect(f, &f->b));
	assert_true(pu_host_peer_supports(f->b.h, &f->relay->key.peer, PU_AUTONAT_REQUEST_PROTOCOL));
	pu_sim_run(f->sim, PU_SEC(5));
	assert_int_equal(pu_kad_find_peer(kad, &f->a.key.peer, on_found, &s, NULL), 0);
	pu_sim_run(f->sim, PU_SEC(10));
	assert_true(s.done);
	assert_int_equal(s.err, 0);
	assert_non_null(strstr(s.found, id));
	pu_kad_free(kad);
	pu_relays_free(relays);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(only_authorized_peers_get_in),
		T(whoever_is_added_gets_in_and_whoever_is_removed_goes),
		T(an_authorization_ends_when_it_says),
		T(expiry_follows_the_clock_both_ways),
		T(without_gating_everybody_gets_in),
		T(a_keys_file_that_cannot_be_read_changes_nothing),
		T(a_reload_takes_over_limits),
		T(a_node_finds_another_one_through_the_relay_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
