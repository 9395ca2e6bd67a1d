/* relay add, list, remove: which relays this node uses. */
#include "base/err.h"
#include "cli/local.h"
#include "cli/out.h"
#include "cli/relay_addr.h"
#include "daemon/json_text.h"

static const char *const place[] = { "relay", "addresses", NULL };

/* Adds what is not there yet; *pn_added counts. */
static int add_all(struct pu_cli *c, struct pu_config_edit *e, int *pn_added)
{
	const char *peer = pu_cli_flag(c, "peer-id", 0);
	char addr[PU_MULTIADDR_TEXT_MAX];
	int r;

	for (int i = 0; i < c->n_args; i++) {
		r = pu_relay_addr_parse(c, c->arg[i], peer, addr);
		if (r)
			return r;
		r = pu_config_edit_list_add(e, place, addr);
		if (r < 0 && r != PU_EEXIST)
			return r;
		*pn_added += r == 0;
		if (!c->json)
			printf("%s: %s\n", r == 0 ? "Added relay" : "Already configured", addr);
	}
	return 0;
}

static int add(struct pu_cli *c, struct pu_local *l)
{
	struct pu_config_edit *e;
	bool applied;
	int n_added = 0, r = pu_local_edit(c, l, &e);

	if (r)
		return r;
	r = add_all(c, e, &n_added);
	if (r > 0 || (r == 0 && n_added == 0)) { /* a bad argument, or nothing to do */
		pu_config_edit_close(e);
		if (r == 0 && c->json)
			return pu_out_json(json_pack("{s:i, s:b}", "added", 0, "applied", false));
		return r;
	}
	r = pu_local_save(c, l, e, r, "relay.addresses");
	if (r)
		return r;
	applied = pu_local_reload(l);
	if (c->json)
		return pu_out_json(json_pack("{s:i, s:b}", "added", n_added, "applied", applied));
	puts(pu_local_applied_text(applied));
	return PU_CLI_OK;
}

static int list(struct pu_cli *c, struct pu_local *l)
{
	char text[PU_MULTIADDR_TEXT_MAX];
	json_t *a = json_array();

	for (size_t i = 0; i < l->cfg->relays.n; i++) {
		pu_multiaddr_text(&l->cfg->relays.v[i], text);
		if (c->json)
			json_array_append_new(a, json_string(text));
		else
			puts(text);
	}
	if (c->json)
		return pu_out_json(a);
	json_decref(a);
	if (l->cfg->relays.n == 0)
		puts("No relays. Add one: peerup-vpn relay add "
		     "/ip4/203.0.113.5/udp/7777/quic-v1/p2p/<peer id>");
	return PU_CLI_OK;
}

/* The item as the file spells it: the address may be written in another way there. */
static int cut(struct pu_config_edit *e, const struct pu_local *l, const char *given)
{
	char text[PU_MULTIADDR_TEXT_MAX];
	struct pu_multiaddr ma;
	int r = pu_config_edit_list_remove(e, place, given);

	if (r != PU_ENOENT || strlen(given) >= PU_MULTIADDR_TEXT_MAX ||
	    pu_multiaddr_from_text(&ma, given) < 0)
		return r;
	for (size_t i = 0; i < l->cfg->relays.n; i++)
		if (pu_multiaddr_eq(&l->cfg->relays.v[i], &ma))
			return pu_config_edit_list_remove(e, place, pu_multiaddr_text(&ma, text));
	return PU_ENOENT;
}

static int remove_relay(struct pu_cli *c, struct pu_local *l)
{
	struct pu_config_edit *e;
	bool applied;
	int r = pu_local_edit(c, l, &e);

	if (r)
		return r;
	r = cut(e, l, c->arg[0]);
	if (r == PU_ENOENT) {
		pu_config_edit_close(e);
		return pu_cli_fail(c, c->arg[0], "peerup-vpn relay list", "no such relay");
	}
	r = pu_local_save(c, l, e, r, "relay.addresses");
	if (r)
		return r;
	applied = pu_local_reload(l);
	if (c->json)
		return pu_out_json(json_pack("{s:o, s:b}", "removed", pu_json_text(c->arg[0]),
					     "applied", applied));
	printf("Removed relay: %s\n%s\n", c->arg[0], pu_local_applied_text(applied));
	return PU_CLI_OK;
}

int pu_cmd_relay_add(struct pu_cli *c)
{
	return pu_local_run(c, true, add);
}

int pu_cmd_relay_list(struct pu_cli *c)
{
	return pu_local_run(c, false, list);
}

int pu_cmd_relay_remove(struct pu_cli *c)
{
	return pu_local_run(c, true, remove_relay);
}
