/* relay authorize, deauthorize, list-peers: who may use this relay. */
#include <time.h>

#include "base/err.h"
#include "cli/out.h"
#include "cli/relay_local.h"
#include "cli/show_member.h"
#include "daemon/json_text.h"
#include "overlay/member_edit.h"

static const char applied[] = "A running relay notices by itself.";

/* --comment, or the words behind the peer ID as the Go program takes them. */
static const char *comment_of(const struct pu_cli *c, char *out, size_t cap)
{
	const char *flag = pu_cli_flag(c, "comment", 0);
	size_t n = 0;

	if (flag)
		return flag;
	out[0] = '\0';
	for (int i = 1; i < c->n_args && n < cap; i++)
		n += (size_t)snprintf(out + n, cap - n, "%s%s", i > 1 ? " " : "", c->arg[i]);
	return out[0] ? out : NULL;
}

static int parse_peer(struct pu_cli *c, struct pu_peerid *peer, char *id)
{
	if (pu_peerid_from_text(peer, c->arg[0]) < 0)
		return pu_cli_fail(c, c->arg[0], "peerup-vpn whoami   (on the other machine)",
				   "not a peer ID");
	pu_peerid_text(peer, id);
	return 0;
}

static int authorize(struct pu_cli *c, struct pu_relay_local *l)
{
	char id[PU_PEERID_TEXT_MAX], words[PU_MEMBER_COMMENT_MAX], hint[128];
	const char *file = l->cfg->authorized_keys_file;
	const char *comment = comment_of(c, words, sizeof words);
	struct pu_peerid peer;
	int r = parse_peer(c, &peer, id);

	if (r)
		return r;
	r = pu_member_edit_add(file, &peer, PU_ACCESS_SERVICES, comment, &l->owner);
	if (r == PU_EEXIST) {
		snprintf(hint, sizeof hint, "peerup-vpn relay deauthorize %s", id);
		return pu_cli_fail(c, id, hint, "already authorized");
	}
	if (r < 0)
		return pu_cli_fail(c, file, NULL, "%s", pu_err_text(r));
	if (c->json)
		return pu_out_json(json_pack("{s:s, s:o, s:o}", "peer_id", id, "comment",
					     pu_json_text(comment ? comment : ""), "file",
					     pu_json_text(file)));
	printf("Authorized peer: %s\n", id);
	if (comment)
		printf("  Comment: %s\n", comment);
	printf("  File:    %s\n%s\n", file, applied);
	return PU_CLI_OK;
}

static int deauthorize(struct pu_cli *c, struct pu_relay_local *l)
{
	const char *file = l->cfg->authorized_keys_file;
	char id[PU_PEERID_TEXT_MAX];
	struct pu_peerid peer;
	int r = parse_peer(c, &peer, id);

	if (r)
		return r;
	r = pu_member_edit_remove(file, &peer);
	if (r == PU_ENOENT)
		return pu_cli_fail(c, id, "peerup-vpn relay list-peers", "not authorized");
	if (r < 0)
		return pu_cli_fail(c, file, NULL, "%s", pu_err_text(r));
	if (c->json)
		return pu_out_json(json_pack("{s:s, s:o}", "peer_id", id, "file",
					     pu_json_text(file)));
	printf("Revoked peer: %s\n%s\n", id, applied);
	return PU_CLI_OK;
}

static int list_peers(struct pu_cli *c, struct pu_relay_local *l)
{
	struct pu_members *set;
	int r = pu_relay_local_members(c, l, &set);

	if (r)
		return r;
	r = pu_show_members(c, set, time(NULL), NULL, NULL);
	pu_member_free(set);
	return r;
}

int pu_cmd_relay_authorize(struct pu_cli *c)
{
	return pu_relay_local_run(c, false, authorize);
}

int pu_cmd_relay_deauthorize(struct pu_cli *c)
{
	return pu_relay_local_run(c, false, deauthorize);
}

int pu_cmd_relay_list_peers(struct pu_cli *c)
{
	return pu_relay_local_run(c, false, list_peers);
}
