#include <time.h>

#include "base/err.h"
#include "base/rfc3339.h"
#include "cli/local.h"
#include "cli/out.h"
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

static json_t *member_json(const struct pu_member *m, bool expired, const char *name)
{
	char id[PU_PEERID_TEXT_MAX], when[PU_RFC3339_MAX];
	json_t *o = json_pack("{s:s, s:s, s:o}", "peer_id", pu_peerid_text(&m->peer, id), "access",
			      pu_access_text(m->access), "comment", pu_json_text(m->comment));

	if (name)
		json_object_set_new(o, "name", json_string(name));
	if (m->verified[0])
		json_object_set_new(o, "verified", pu_json_text(m->verified));
	if (m->group[0])
		json_object_set_new(o, "group", pu_json_text(m->group));
	if (m->expires != PU_MEMBER_NO_EXPIRY) {
		json_object_set_new(o, "expires_at",
				    json_string(pu_rfc3339_text(m->expires, when)));
		json_object_set_new(o, "expired", json_boolean(expired));
	}
	return o;
}

static void print_member(const struct pu_cli *c, size_t i, const struct pu_member *m, bool expired,
			 const char *name)
{
	char id[PU_PEERID_TEXT_MAX], when[PU_RFC3339_MAX];

	printf("%3zu. %s  %s%s%s", i + 1, pu_peerid_text(&m->peer, id),
	       pu_out_on(c, PU_OUT_BOLD), name ? name : "", pu_out_off(c));
	if (m->comment[0])
		printf("%s  # %s%s", pu_out_on(c, PU_OUT_FAINT), m->comment, pu_out_off(c));
	printf("\n     access=%s", pu_access_text(m->access));
	if (m->verified[0])
		printf("  verified=%s", m->verified);
	if (m->group[0])
		printf("  group=%s", m->group);
	if (m->expires != PU_MEMBER_NO_EXPIRY)
		printf("  %s%s %s%s", pu_out_on(c, expired ? PU_OUT_RED : PU_OUT_PLAIN),
		       expired ? "expired" : "expires", pu_rfc3339_text(m->expires, when),
		       pu_out_off(c));
	putchar('\n');
}

static void show_warning(void *arg, unsigned line, const char *text)
{
	fprintf(stderr, "peerup-vpn: warning: %s:%u: %s\n", (const char *)arg, line, text);
}

static int list(struct pu_cli *c, struct pu_local *l)
{
	const char *file = pu_local_members_file(c, l);
	int64_t now = time(NULL);
	struct pu_members *set;
	json_t *a = json_array();
	int r = pu_local_members(c, l, show_warning, (void *)file, &set);

	if (r) {
		json_decref(a);
		return r;
	}
	if (!c->json)
		printf("Authorized peers (%zu):\n", pu_member_count(set));
	for (size_t i = 0; i < pu_member_count(set); i++) {
		const struct pu_member *m = pu_member_at(set, i);
		const char *name = pu_name_of(l->names, &m->peer);
		bool expired = !pu_member_valid(m, now);

		if (c->json)
			json_array_append_new(a, member_json(m, expired, name));
		else
			print_member(c, i, m, expired, name);
	}
	pu_member_free(set);
	if (c->json)
		return pu_out_json(a);
	json_decref(a);
	return PU_CLI_OK;
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
