#include <time.h>

#include "base/err.h"
#include "cli/local.h"
#include "cli/out.h"
#include "cli/show_member.h"
#include "daemon/json_text.h"
#include "overlay/member_edit.h"

static int add(struct pu_cli *c, struct pu_local *l)
{
	const char *access_text = pu_cli_flag(c, "access", 0), *text = c->arg[0];
	const char *comment = pu_cli_flag(c, "comment", 0);
	const char *file = pu_local_members_file(c, l);
	enum pu_access access = PU_ACCESS_SERVICES;
	char id[PU_PEERID_TEXT_MAX], hint[128];
	struct pu_peerid peer;
	bool applied;
	int r;

	if (access_text && pu_access_parse(access_text, &access) < 0)
		return pu_cli_misuse(c, "--access", "allowed is services or network");
	if (pu_peerid_from_text(&peer, text) < 0 &&
	    pu_name_find(l->names, text, &peer) < 0)
		return pu_cli_fail(c, text, "peerup-vpn whoami   (on the other machine)",
				   "not a peer ID");
	pu_peerid_text(&peer, id);
	r = pu_member_edit_add(file, &peer, access, comment, &l->paths.owner);
	if (r == PU_EEXIST && access_text) {
		/* Asking for another access of a known peer is a change, not a mistake. */
		r = pu_member_edit_set_attr(file, &peer, "access", access_text);
	} else if (r == PU_EEXIST) {
		snprintf(hint, sizeof hint, "peerup-vpn auth remove %s", id);
		return pu_cli_fail(c, id, hint, "already authorized");
	}
	if (r < 0)
		return pu_cli_fail(c, file, NULL, "%s", pu_err_text(r));
	applied = pu_local_reload(l);
	if (c->json)
		return pu_out_json(json_pack("{s:s, s:s, s:o, s:o, s:b}", "peer_id", id, "access",
					     pu_access_text(access), "comment",
					     pu_json_text(comment ? comment : ""), "file",
					     pu_json_text(file), "applied", applied));
	printf("Authorized peer: %s\n  Access:  %s\n", id, pu_access_text(access));
	if (comment)
		printf("  Comment: %s\n", comment);
	printf("  File:    %s\n%s\n", file, pu_local_applied_text(applied));
	return PU_CLI_OK;
}

static void show_warning(void *arg, unsigned line, const char *text)
{
	fprintf(stderr, "peerup-vpn: warning: %s:%u: %s\n", (const char *)arg, line, text);
}

static int list(struct pu_cli *c, struct pu_local *l)
{
	const char *file = pu_local_members_file(c, l);
	struct pu_members *set;
	int r = pu_local_members(c, l, show_warning, (void *)file, &set);

	if (r)
		return r;
	r = pu_show_members(c, set, time(NULL), l->names);
	pu_member_free(set);
	return r;
}

static int remove_peer(struct pu_cli *c, struct pu_local *l)
{
	const char *file = pu_local_members_file(c, l);
	char id[PU_PEERID_TEXT_MAX];
	struct pu_peerid peer;
	bool applied;
	int r = pu_local_resolve(c, l, c->arg[0], &peer);

	if (r)
		return r;
	pu_peerid_text(&peer, id);
	r = pu_member_edit_remove(file, &peer);
	if (r == PU_ENOENT)
		return pu_cli_fail(c, c->arg[0], "peerup-vpn auth list", "not authorized");
	if (r < 0)
		return pu_cli_fail(c, file, NULL, "%s", pu_err_text(r));
	applied = pu_local_reload(l);
	if (c->json)
		return pu_out_json(json_pack("{s:s, s:o, s:b}", "peer_id", id, "file",
					     pu_json_text(file), "applied", applied));
	printf("Revoked peer: %s\n%s\n", id, pu_local_applied_text(applied));
	return PU_CLI_OK;
}

struct findings {
	json_t *errors;
	const char *file;
	bool json;
};

static void add_finding(void *arg, unsigned line, const char *text)
{
	struct findings *f = arg;

	json_array_append_new(f->errors, json_pack("{s:i, s:s}", "line", (int)line, "text", text));
	if (!f->json)
		printf("%s:%u: %s\n", f->file, line, text);
}

static int validate_file(struct pu_cli *c, const char *file, const uint8_t key[16])
{
	struct findings f = { .errors = json_array(), .file = file, .json = c->json };
	struct pu_members *set;
	size_t n, n_errors;
	int r = pu_member_load(file, key, add_finding, &f, &set);

	if (r < 0) {
		json_decref(f.errors);
		return pu_cli_fail(c, file, NULL, "%s", pu_err_text(r));
	}
	n = pu_member_count(set);
	n_errors = json_array_size(f.errors);
	pu_member_free(set);
	if (c->json) {
		r = pu_out_json(json_pack("{s:o, s:b, s:i, s:o}", "file", pu_json_text(file),
					  "valid", n_errors == 0, "peers", (int)n, "errors",
					  f.errors));
		return n_errors ? PU_CLI_FAILED : r;
	}
	json_decref(f.errors);
	if (n_errors)
		return pu_cli_fail(c, file, NULL, "%zu of its lines have no effect or another "
						  "one than written",
				   n_errors);
	printf("%s: fine, %zu peers\n", file, n);
	return PU_CLI_OK;
}

static int validate(struct pu_cli *c, struct pu_local *l)
{
	return validate_file(c, pu_local_members_file(c, l), l->hash_key);
}

int pu_cmd_auth_add(struct pu_cli *c)
{
	return pu_local_run(c, true, add);
}

int pu_cmd_auth_list(struct pu_cli *c)
{
	return pu_local_run(c, false, list);
}

int pu_cmd_auth_remove(struct pu_cli *c)
{
	return pu_local_run(c, true, remove_peer);
}

int pu_cmd_auth_validate(struct pu_cli *c)
{
	static const uint8_t key[16]; /* one pass over the user's own file */

	return c->n_args ? validate_file(c, c->arg[0], key) : pu_local_run(c, false, validate);
}
