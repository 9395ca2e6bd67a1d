/* The relays of the lab. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "support/node_lab.h"

static const char config_file[] = "relay-server.yaml", key_file[] = "relay_node.key",
		  members_file[] = "relay_authorized_keys";

enum { RELAY_PORT = 7777, KEY_SEED = 101 };

void pu_lab_relays_init(struct pu_lab *lab, unsigned n)
{
	struct pu_peerid id;
	char name[16];

	assert_true(n <= PU_LAB_RELAYS);
	lab->n_relays = n;
	for (unsigned i = 0; i < n; i++) {
		struct pu_lab_relay *r = &lab->relay[i];

		r->lab = lab;
		snprintf(r->ip, sizeof r->ip, "11.0.0.%u", KEY_SEED + i);
		snprintf(r->dir, sizeof r->dir, "/tmp/peerup-lab-relay-XXXXXX");
		assert_non_null(mkdtemp(r->dir));
		snprintf(name, sizeof name, "relay%u", i);
		r->sim = pu_sim_node_new(lab->sim, name);
		pu_sim_node_add_ip(r->sim, r->ip);
		pu_lab_write_key(r->dir, key_file, (uint8_t)(KEY_SEED + i), &id);
		pu_peerid_text(&id, r->id_text);
	}
}

void pu_lab_relays_deinit(struct pu_lab *lab)
{
	static const char *const files[] = { config_file, key_file, members_file };

	for (unsigned i = 0; i < lab->n_relays; i++) {
		if (lab->relay[i].server)
			pu_lab_relay_down(&lab->relay[i]);
		pu_lab_remove(lab->relay[i].dir, files, PU_ARRAY_LEN(files));
	}
}

void pu_lab_relay_authorize(struct pu_lab_relay *r, const struct pu_lab_node *a)
{
	pu_lab_append(r->members, sizeof r->members, a->id_text);
	pu_lab_append(r->members, sizeof r->members, "\n");
}

void pu_lab_use_relay(struct pu_lab_node *a, struct pu_lab_relay *r)
{
	pu_lab_relay_authorize(r, a);
	pu_lab_list_relay(a, r->ip, RELAY_PORT, r->id_text);
}

static struct pu_relay_config *load(const struct pu_lab_relay *r)
{
	struct pu_config_diags *diags = calloc(1, sizeof *diags);
	struct pu_relay_config *cfg = NULL;
	char path[PU_PATHS_LEN];

	assert_non_null(diags);
	assert_int_equal(pu_paths_join(path, r->dir, config_file), 0);
	if (pu_relay_config_load(path, &cfg, diags) < 0)
		fail_msg("%s", diags->v[0].text);
	free(diags);
	return cfg;
}

void pu_lab_relay_up(struct pu_lab_relay *r)
{
	static const char text[] = "resources: {session_duration: 0, session_data_limit: 0}\n"
				   "network:\n  listen_addresses:\n"
				   "    - \"/ip4/0.0.0.0/tcp/7777\"\n"
				   "    - \"/ip4/0.0.0.0/udp/7777/quic-v1\"\n";
	struct pu_relay_server_options opt = { .loop = pu_sim_loop(r->sim),
					       .net = pu_sim_net(r->sim),
					       .version = "test" };
	struct pu_failure why = { .what = "" };
	struct pu_multiaddr ips[4];

	pu_lab_write(r->dir, config_file, text, sizeof text - 1);
	pu_lab_write(r->dir, members_file, r->members, strlen(r->members));
	opt.cfg = load(r);
	if (pu_relay_server_new(&opt, &r->server, &why) < 0)
		fail_msg("relay: %s: %s", why.what, why.why);
	pu_host_set_interface_addrs(r->server->host, ips,
				    pu_sim_node_ips(r->sim, ips, PU_ARRAY_LEN(ips)));
}

static void on_stopped(void *arg)
{
	*(bool *)arg = true;
}

static bool is_true(void *arg)
{
	return *(bool *)arg;
}

void pu_lab_relay_down(struct pu_lab_relay *r)
{
	bool stopped = false;

	pu_relay_server_stop(r->server, on_stopped, &stopped);
	assert_true(pu_sim_run_until(r->lab->sim, is_true, &stopped, PU_SEC(30)));
	pu_relay_server_free(r->server);
	r->server = NULL;
}

void pu_lab_relay_reload(struct pu_lab_relay *r)
{
	pu_lab_write(r->dir, members_file, r->members, strlen(r->members));
	assert_int_equal(pu_relay_server_reload_members(r->server), 0);
}

bool pu_lab_reserved(struct pu_lab_node *a, const struct pu_lab_relay *r)
{
	struct pu_relay_info info[PU_RELAYS_MAX];
	size_t n = pu_reachability_relays(a->node->reachability, info, PU_RELAYS_MAX);
	char id[PU_PEERID_TEXT_MAX];

	for (size_t i = 0; i < n; i++)
		if (strcmp(pu_peerid_text(&info[i].relay, id), r->id_text) == 0)
			return info[i].state == PU_RELAY_RESERVED;
	return false;
}
