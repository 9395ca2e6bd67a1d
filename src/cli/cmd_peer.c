#include "base/err.h"
#include "cli/local.h"
#include "cli/out.h"

/* A multiaddr that ends in a peer ID and that we know how to dial. */
static int parse_address(struct pu_cli *c, const char *text, struct pu_multiaddr *ma,
			 struct pu_peerid *peer)
{
	static const char example[] =
		"peerup-vpn peer add /ip4/192.0.2.7/udp/4001/quic-v1/p2p/<peer id>";
	struct pu_multiaddr rest;

	if (strlen(text) >= PU_MULTIADDR_TEXT_MAX || pu_multiaddr_from_text(ma, text) < 0)
		return pu_cli_fail(c, text, example, "not a multiaddr");
	if (pu_multiaddr_split_peer(ma, &rest, peer) < 0)
		return pu_cli_fail(c, text, example, "it must end in /p2p/<peer id>");
	if (pu_multiaddr_kind(&rest) == PU_MA_KIND_OTHER)
		return pu_cli_fail(c, text, example,
				   "no way to connect to such an address is known");
	return 0;
}

static int write_address(struct pu_cli *c, struct pu_local *l, const char *key, const char *text)
{
	const char *const path[] = { "peers", key, "addresses", NULL };
	struct pu_config_edit *e;
	int r = pu_local_edit(c, l, &e);

	if (r)
		return r;
	r = pu_config_edit_list_add(e, path, text);
	if (r == PU_EEXIST) {
		pu_config_edit_close(e);
		return pu_cli_fail(c, text, "peerup-vpn peer list", "already known");
	}
	return pu_local_save(c, l, e, r, "peers");
}

static int add(struct pu_cli *c, struct pu_local *l)
{
	char id[PU_PEERID_TEXT_MAX], text[PU_MULTIADDR_TEXT_MAX];
	const struct pu_config_peer *entry;
	struct pu_multiaddr ma;
	struct pu_peerid peer;
	bool applied;
	int r = parse_address(c, c->arg[0], &ma, &peer);

	if (r)
		return r;
	pu_multiaddr_text(&ma, text);
	pu_peerid_text(&peer, id);
	entry = pu_config_find_peer(l->cfg, &peer);
	r = write_address(c, l, entry ? entry->key.name : id, text);
	if (r)
		return r;
	applied = pu_local_reload(l);
	if (c->json)
		return pu_out_json(json_pack("{s:s, s:s, s:b}", "peer_id", id, "address", text,
					     "applied", applied));
	printf("Added address: %s\n%s\n", text, pu_local_applied_text(applied));
	return PU_CLI_OK;
}

static json_t *peer_json(const struct pu_local *l, const struct pu_config_peer *p)
{
	char id[PU_PEERID_TEXT_MAX], text[PU_MULTIADDR_TEXT_MAX];
	const char *name = pu_name_of(l->names, &p->peer);
	json_t *addrs = json_array(), *ports = json_object(), *o;

	for (size_t i = 0; i < p->addrs.n; i++)
		json_array_append_new(addrs,
				      json_string(pu_multiaddr_text(&p->addrs.v[i], text)));
	for (size_t i = 0; i < p->n_ports; i++)
		json_object_set_new(ports, p->ports[i].key.name, json_integer(p->ports[i].port));
	o = json_pack("{s:s, s:o, s:o}", "peer_id", pu_peerid_text(&p->peer, id), "addresses",
		      addrs, "ports", ports);
	if (name)
		json_object_set_new(o, "name", json_string(name));
	if (p->mac.given)
		json_object_set_new(o, "mac", json_string(pu_mac_text(&p->mac, text)));
	return o;
}

static void print_peer(const struct pu_cli *c, const struct pu_local *l,
		       const struct pu_config_peer *p)
{
	char id[PU_PEERID_TEXT_MAX], text[PU_MULTIADDR_TEXT_MAX];
	const char *name = pu_name_of(l->names, &p->peer);

	printf("%s%s%s  %s\n", pu_out_on(c, PU_OUT_BOLD), name ? name : "-", pu_out_off(c),
	       pu_peerid_text(&p->peer, id));
	for (size_t i = 0; i < p->addrs.n; i++)
		printf("  %s\n", pu_multiaddr_text(&p->addrs.v[i], text));
	if (p->mac.given)
		printf("  mac %s\n", pu_mac_text(&p->mac, text));
	for (size_t i = 0; i < p->n_ports; i++)
		printf("  service %s: port %u\n", p->ports[i].key.name, p->ports[i].port);
}

static int list(struct pu_cli *c, struct pu_local *l)
{
	json_t *a = json_array();

	for (size_t i = 0; i < l->cfg->n_peers; i++) {
		if (pu_peerid_empty(&l->cfg->peers[i].peer))
			continue;
		if (c->json)
			json_array_append_new(a, peer_json(l, &l->cfg->peers[i]));
		else
			print_peer(c, l, &l->cfg->peers[i]);
	}
	if (c->json)
		return pu_out_json(a);
	json_decref(a);
	if (l->cfg->n_peers == 0)
		puts("No fixed addresses. Add one: peerup-vpn peer add "
		     "/ip4/192.0.2.7/udp/4001/quic-v1/p2p/<peer id>");
	return PU_CLI_OK;
}

/* One address, or all when text is NULL. The whole entry goes when nothing else is
 * in it. */
static int cut(struct pu_config_edit *e, const struct pu_config_peer *p, const char *text)
{
	const char *const entry[] = { "peers", p->key.name, NULL };
	const char *const addrs[] = { "peers", p->key.name, "addresses", NULL };

	if (p->n_ports == 0 && !p->mac.given && !p->broadcast[0] && (!text || p->addrs.given == 1))
		return pu_config_edit_remove(e, entry);
	return text ? pu_config_edit_list_remove(e, addrs, text) : pu_config_edit_remove(e, addrs);
}

static bool has_address(const struct pu_config_peer *p, const struct pu_multiaddr *ma)
{
	for (size_t i = 0; i < p->addrs.n; i++)
		if (pu_multiaddr_eq(&p->addrs.v[i], ma))
			return true;
	return false;
}

static int remove_peer(struct pu_cli *c, struct pu_local *l)
{
	char text[PU_MULTIADDR_TEXT_MAX];
	bool one = c->arg[0][0] == '/', applied;
	const struct pu_config_peer *p;
	struct pu_config_edit *e;
	struct pu_multiaddr ma;
	struct pu_peerid peer;
	int r;

	r = one ? parse_address(c, c->arg[0], &ma, &peer) :
		  pu_local_resolve(c, l, c->arg[0], &peer);
	if (r)
		return r;
	p = pu_config_find_peer(l->cfg, &peer);
	if (!p || (one && !has_address(p, &ma)) || (!one && p->addrs.given == 0))
		return pu_cli_fail(c, c->arg[0], "peerup-vpn peer list", "no such address known");
	r = pu_local_edit(c, l, &e);
	if (r)
		return r;
	r = pu_local_save(c, l, e, cut(e, p, one ? pu_multiaddr_text(&ma, text) : NULL), "peers");
	if (r)
		return r;
	applied = pu_local_reload(l);
	if (c->json)
		return pu_out_json(json_pack("{s:s, s:b}", "removed", c->arg[0], "applied",
					     applied));
	printf("Removed: %s\n%s\n", c->arg[0], pu_local_applied_text(applied));
	return PU_CLI_OK;
}

int pu_cmd_peer_add(struct pu_cli *c)
{
	return pu_local_run(c, true, add);
}

int pu_cmd_peer_list(struct pu_cli *c)
{
	return pu_local_run(c, false, list);
}

int pu_cmd_peer_remove(struct pu_cli *c)
{
	return pu_local_run(c, true, remove_peer);
}
