/* relay serve, setup, info, version: the relay on this machine. */
#include <ifaddrs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "cli/heal.h"
#include "cli/out.h"
#include "cli/relay_local.h"
#include "cli/relay_setup.h"
#include "cli/supervise.h"
#include "crypto/keystore.h"
#include "daemon/json_text.h"
#include "daemon/relay_server.h"
#include "p2p/circuit/hop.h"

/* serve */

static void print_addr(const struct pu_multiaddr *ma, const char *id)
{
	char text[PU_MULTIADDR_TEXT_MAX];

	printf("  %s/p2p/%s\n", pu_multiaddr_text(ma, text), id);
}

static void on_ready(void *arg, const struct pu_relay_server *s)
{
	struct pu_multiaddr addrs[32];
	char id[PU_PEERID_TEXT_MAX];
	size_t n = pu_host_addrs(s->host, addrs, PU_ARRAY_LEN(addrs));

	pu_peerid_text(&s->key.peer, id);
	printf("Relay Peer ID: %s\nAddresses:\n", id);
	for (size_t i = 0; i < n; i++)
		print_addr(&addrs[i], id);
	fflush(stdout);
}

int pu_cmd_relay_serve(struct pu_cli *c)
{
	struct pu_relayd_options opt = {
		.config = pu_relay_local_path(c),
		.owner = pu_relay_local_owner(c),
		.on_ready = on_ready,
		.why = &c->why,
	};
	struct pu_relay_config *cfg;
	int r = pu_out_set_log(c);

	if (r == 0)
		r = pu_heal(c, true);
	/* For all errors of the file at once, where a person sees them. */
	if (r == 0)
		r = pu_relay_local_load(c, opt.config, false, &cfg);
	if (r)
		return r;
	pu_relay_config_free(cfg);
	return pu_supervise_relay(&opt) < 0 ? PU_CLI_FAILED : PU_CLI_OK;
}

/* info */

static int load_key(struct pu_cli *c, const struct pu_relay_local *l, struct pu_key *key)
{
	const char *file = l->cfg->key_file;
	int r = pu_crypto_init();

	if (r == 0)
		r = pu_keystore_load(file, key);
	if (r == PU_ENOENT)
		return pu_cli_fail(c, file, "peerup-vpn relay serve",
				   "there is no key yet, the first start makes it");
	return r < 0 ? pu_cli_fail(c, file, NULL, "cannot load the relay's key: %s", pu_err_text(r))
		     : 0;
}

/* Replaces the unspecified address in front of ma by that of an interface. */
static bool expand(const struct pu_multiaddr *ma, const struct sockaddr *sa,
		   struct pu_multiaddr *out)
{
	bool v6 = ma->b[0] == PU_MA_IP6;
	size_t skip = v6 ? 17 : 5;

	if (!sa || sa->sa_family != (v6 ? AF_INET6 : AF_INET))
		return false;
	pu_multiaddr_from_ip(out, sa->sa_family,
			     v6 ? ((const struct sockaddr_in6 *)sa)->sin6_addr.s6_addr
				: (const uint8_t *)&((const struct sockaddr_in *)sa)->sin_addr);
	memcpy(out->b + out->len, ma->b + skip, ma->len - skip);
	out->len = (uint8_t)(out->len + ma->len - skip);
	return true;
}

static void add_addr(json_t *a, const struct pu_multiaddr *ma, const char *id)
{
	char text[PU_MULTIADDR_TEXT_MAX + PU_PEERID_TEXT_MAX];

	if (!pu_multiaddr_is_public(ma))
		return;
	pu_multiaddr_text(ma, text);
	snprintf(text + strlen(text), sizeof text - strlen(text), "/p2p/%s", id);
	json_array_append_new(a, json_string(text));
}

/* The addresses that others can use, from the config and this machine's interfaces. */
static json_t *public_addrs(const struct pu_relay_config *cfg, const char *id)
{
	json_t *a = json_array();
	struct ifaddrs *list = NULL;
	struct pu_multiaddr ma;

	if (getifaddrs(&list) < 0)
		list = NULL;
	for (size_t i = 0; i < cfg->listen.n; i++) {
		const struct pu_multiaddr *at = &cfg->listen.v[i];

		add_addr(a, at, id);
		for (struct ifaddrs *f = list; f && pu_multiaddr_is_unspecified(at);
		     f = f->ifa_next)
			if (expand(at, f->ifa_addr, &ma))
				add_addr(a, &ma, id);
	}
	if (list)
		freeifaddrs(list);
	return a;
}

static void print_info(const struct pu_relay_local *l, const char *id, size_t n_peers,
		       const json_t *addrs)
{
	const json_t *v;
	size_t i;

	printf("Peer ID: %s\nConfig:  %s\nConnection gating: %s\nAuthorized peers: %zu\n", id,
	       l->path, l->cfg->gating ? "enabled" : "DISABLED, anybody may use this relay",
	       n_peers);
	puts("Public addresses:");
	json_array_foreach(addrs, i, v)
		printf("  %s\n", json_string_value(v));
	if (json_array_size(addrs) == 0)
		puts("  none on this machine; behind a port forwarding it is that of the router");
	printf("\nOn a node:   peerup-vpn relay add %s\n"
	       "On this one: peerup-vpn relay authorize <its peer id>\n",
	       json_array_size(addrs) ? json_string_value(json_array_get(addrs, 0))
				      : "/ip4/<address>/udp/7777/quic-v1/p2p/<this peer id>");
}

static int info(struct pu_cli *c, struct pu_relay_local *l)
{
	char id[PU_PEERID_TEXT_MAX];
	struct pu_members *set;
	struct pu_key key;
	json_t *addrs;
	size_t n;
	int r = load_key(c, l, &key);

	if (r)
		return r;
	pu_peerid_text(&key.peer, id);
	pu_key_deinit(&key);
	r = pu_relay_local_members(c, l, &set);
	if (r)
		return r;
	n = pu_member_count(set);
	pu_member_free(set);
	addrs = public_addrs(l->cfg, id);
	if (c->json)
		return pu_out_json(json_pack("{s:s, s:o, s:b, s:i, s:o}", "peer_id", id, "config",
					     pu_json_text(l->path), "gating", l->cfg->gating,
					     "authorized_peers", (int)n, "addresses", addrs));
	print_info(l, id, n, addrs);
	json_decref(addrs);
	return PU_CLI_OK;
}

int pu_cmd_relay_info(struct pu_cli *c)
{
	return pu_relay_local_run(c, true, info);
}

/* setup */

int pu_cmd_relay_setup(struct pu_cli *c)
{
	return pu_relay_setup(c);
}
