#include "base/err.h"
#include "cli/local.h"
#include "cli/out.h"

enum { NAME_LEN_MAX = 64 };

static bool name_ok(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"0123456789._-");

	return n > 0 && n <= NAME_LEN_MAX && name[n] == '\0';
}

static int write_name(struct pu_cli *c, struct pu_local *l, const char *name, const char *id)
{
	const char *const path[] = { "names", name, NULL };
	struct pu_config_edit *e;
	int r = pu_local_edit(c, l, &e);

	if (r)
		return r;
	r = id ? pu_config_edit_set(e, path, id, true) : pu_config_edit_remove(e, path);
	return pu_local_save(c, l, e, r, "names");
}

static int add(struct pu_cli *c, struct pu_local *l)
{
	char id[PU_PEERID_TEXT_MAX], old_id[PU_PEERID_TEXT_MAX], hint[128];
	const char *name = c->arg[0];
	struct pu_peerid peer, old;
	bool applied;
	int r;

	if (!name_ok(name))
		return pu_cli_fail(c, name, NULL, "not a usable name; letters, digits, '.', '_' "
						  "and '-' are, at most 64 of them");
	if (pu_peerid_from_text(&peer, c->arg[1]) < 0)
		return pu_cli_fail(c, c->arg[1], "peerup-vpn whoami   (on the other machine)",
				   "not a peer ID");
	pu_peerid_text(&peer, id);
	if (pu_name_find(l->names, name, &old) == 0 && !pu_peerid_eq(&old, &peer)) {
		snprintf(hint, sizeof hint, "peerup-vpn name remove %s", name);
		return pu_cli_fail(c, name, hint, "this name belongs to %s",
				   pu_peerid_text(&old, old_id));
	}
	r = write_name(c, l, name, id);
	if (r)
		return r;
	applied = pu_local_reload(l);
	if (c->json)
		return pu_out_json(json_pack("{s:s, s:s, s:b, s:b}", "name", name, "peer_id", id,
					     "dns", pu_name_is_label(name), "applied", applied));
	printf("%s \u2192 %s\n", name, id);
	if (pu_name_is_label(name))
		printf("Programs reach it as %s.%s.\n", name, l->cfg->vpn.dns_suffix);
	else
		puts("DNS cannot serve this name: letters, digits and '-' only, at most 63.");
	puts(pu_local_applied_text(applied));
	return PU_CLI_OK;
}

static int list(struct pu_cli *c, struct pu_local *l)
{
	char id[PU_PEERID_TEXT_MAX];
	json_t *a = json_array();

	for (size_t i = 0; i < pu_name_count(l->names); i++) {
		struct pu_peerid peer;
		const char *name = pu_name_at(l->names, i, &peer);

		pu_peerid_text(&peer, id);
		if (c->json)
			json_array_append_new(a, json_pack("{s:s, s:s, s:b}", "name", name,
							   "peer_id", id, "dns",
							   pu_name_is_label(name)));
		else
			printf("%-20s %s\n", name, id);
	}
	if (c->json)
		return pu_out_json(a);
	json_decref(a);
	if (pu_name_count(l->names) == 0)
		puts("No names yet. Add one: peerup-vpn name add home <peer id>");
	return PU_CLI_OK;
}

static int remove_name(struct pu_cli *c, struct pu_local *l)
{
	const char *name = c->arg[0];
	struct pu_peerid peer;
	bool applied;
	int r;

	if (pu_name_find(l->names, name, &peer) < 0)
		return pu_cli_fail(c, name, "peerup-vpn name list", "no such name");
	r = write_name(c, l, name, NULL);
	if (r)
		return r;
	applied = pu_local_reload(l);
	if (c->json)
		return pu_out_json(json_pack("{s:s, s:b}", "name", name, "applied", applied));
	printf("Removed name: %s\n%s\n", name, pu_local_applied_text(applied));
	return PU_CLI_OK;
}

int pu_cmd_name_add(struct pu_cli *c)
{
	return pu_local_run(c, true, add);
}

int pu_cmd_name_list(struct pu_cli *c)
{
	return pu_local_run(c, false, list);
}

int pu_cmd_name_remove(struct pu_cli *c)
{
	return pu_local_run(c, true, remove_name);
}
