#include <time.h>

#include "base/err.h"
#include "base/rfc3339.h"
#include "cli/out.h"
#include "cli/show_member.h"
#include "cli/show_trust.h"
#include "daemon/config_value.h"
#include "daemon/json_text.h"
#include "overlay/member_edit.h"

enum { EXPIRES_MAX_DAYS = 36500, DAY_S = 86400 };

/* "30d", "12h" from now on, a time, or "never" ("" then): the value of expires=. */
static int parse_expires(struct pu_cli *c, const char *text, bool may_be_never,
			 char out[PU_RFC3339_MAX])
{
	char digits[8] = "";
	size_t n = strlen(text);
	uint64_t days;
	int64_t at;
	pu_time d;

	out[0] = '\0';
	if (may_be_never && strcmp(text, "never") == 0)
		return 0;
	if (n > 1 && n < sizeof digits && text[n - 1] == 'd')
		memcpy(digits, text, n - 1);
	if (pu_config_uint(digits, &days) == 0 && days > 0 && days <= EXPIRES_MAX_DAYS)
		at = time(NULL) + (int64_t)days * DAY_S;
	else if (pu_config_duration(text, &d) == 0 && d >= PU_SEC(1))
		at = time(NULL) + (int64_t)(d / PU_SEC(1));
	else if (pu_rfc3339_parse(text, &at) < 0)
		return pu_cli_misuse(c, "--expires",
				     "%s is not a time such as 30d, 12h%s 2027-01-01T00:00:00Z",
				     text, may_be_never ? ", never or" : " or");
	if (at <= time(NULL))
		return pu_cli_misuse(c, "--expires", "%s is over already", text);
	pu_rfc3339_text(at, out);
	return 0;
}

/* What the flags say about a member. */
struct wish {
	struct pu_member_set v[2];
	size_t n;
	enum pu_access access;
	bool has_access;
	const char *comment; /* NULL: not given */
	char expires[PU_RFC3339_MAX];
};

static int parse_wish(struct pu_cli *c, bool is_new, struct wish *w)
{
	const char *access = pu_cli_flag(c, "access", 0), *when = pu_cli_flag(c, "expires", 0);
	int r;

	*w = (struct wish){ .comment = pu_cli_flag(c, "comment", 0) };
	if (access && pu_access_parse(access, &w->access) < 0)
		return pu_cli_misuse(c, "--access", "allowed is services or network");
	w->has_access = access != NULL;
	if (w->has_access && (!is_new || w->access != PU_ACCESS_SERVICES))
		w->v[w->n++] = (struct pu_member_set){ "access", access };
	if (!when)
		return 0;
	r = parse_expires(c, when, !is_new, w->expires);
	if (r == 0)
		w->v[w->n++] = (struct pu_member_set){ "expires", w->expires };
	return r;
}

static int show_wish(struct pu_cli *c, const struct pu_local *l, const char *did, const char *id,
		     const struct wish *w, const char *file)
{
	bool applied = pu_local_reload(l);
	json_t *o;

	if (!c->json) {
		printf("%s: %s\n", did, id);
		if (w->has_access)
			printf("  Access:  %s\n", pu_access_text(w->access));
		if (w->comment)
			printf("  Comment: %s\n", w->comment);
		if (pu_cli_has(c, "expires"))
			printf("  Expires: %s\n", w->expires[0] ? w->expires : "never");
		printf("  File:    %s\n%s\n", file, pu_local_applied_text(applied));
		return PU_CLI_OK;
	}
	o = json_pack("{s:s, s:o, s:b}", "peer_id", id, "file", pu_json_text(file), "applied",
		      applied);
	if (w->has_access)
		json_object_set_new(o, "access", json_string(pu_access_text(w->access)));
	if (w->comment)
		json_object_set_new(o, "comment", pu_json_text(w->comment));
	if (w->expires[0])
		json_object_set_new(o, "expires_at", json_string(w->expires));
	return pu_out_json(o);
}

/* Asking for other rights of a known peer is a change, not a mistake. */
static int change_known(struct pu_cli *c, const char *file, const struct pu_peerid *peer,
			const char *id)
{
	struct wish w;
	char hint[128];
	int r = parse_wish(c, false, &w);

	if (r)
		return r;
	if (w.n == 0) {
		snprintf(hint, sizeof hint, "peerup-vpn auth set %s", id);
		return pu_cli_fail(c, id, hint, "already authorized");
	}
	r = pu_member_edit_set(file, peer, w.v, w.n, w.comment);
	return r < 0 ? pu_cli_fail(c, file, NULL, "%s", pu_err_text(r)) : 0;
}

static int add(struct pu_cli *c, struct pu_local *l)
{
	const char *file = pu_local_members_file(c, l), *text = c->arg[0];
	char id[PU_PEERID_TEXT_MAX];
	struct pu_peerid peer;
	struct wish w;
	int r = parse_wish(c, true, &w);

	if (r)
		return r;
	if (pu_peerid_from_text(&peer, text) < 0 && pu_name_find(l->names, text, &peer) < 0)
		return pu_cli_fail(c, text, "peerup-vpn whoami   (on the other machine)",
				   "not a peer ID");
	pu_peerid_text(&peer, id);
	r = pu_member_edit_add_with(file, &peer, w.v, w.n, w.comment, &l->paths.owner);
	if (r == PU_EEXIST) {
		r = change_known(c, file, &peer, id);
	} else if (r < 0) {
		r = pu_cli_fail(c, file, NULL, "%s", pu_err_text(r));
	} else {
		w.has_access = true;
		w.comment = w.comment ? w.comment : c->json ? "" : NULL;
	}
	return r ? r : show_wish(c, l, "Authorized peer", id, &w, file);
}

static int set(struct pu_cli *c, struct pu_local *l)
{
	const char *file = pu_local_members_file(c, l);
	char id[PU_PEERID_TEXT_MAX], hint[128];
	struct pu_peerid peer;
	struct wish w;
	int r = parse_wish(c, false, &w);

	if (r)
		return r;
	if (w.n == 0 && !w.comment)
		return pu_cli_misuse(c, "auth set", "give --access, --expires or --comment");
	r = pu_local_resolve(c, l, c->arg[0], &peer);
	if (r)
		return r;
	pu_peerid_text(&peer, id);
	r = pu_member_edit_set(file, &peer, w.v, w.n, w.comment);
	if (r == PU_ENOENT) {
		snprintf(hint, sizeof hint, "peerup-vpn auth add %s", id);
		return pu_cli_fail(c, c->arg[0], hint, "not authorized");
	}
	if (r < 0)
		return pu_cli_fail(c, file, NULL, "%s", pu_err_text(r));
	return show_wish(c, l, "Changed peer", id, &w, file);
}

static void show_warning(void *arg, unsigned line, const char *text)
{
	fprintf(stderr, "peerup-vpn: warning: %s:%u: %s\n", (const char *)arg, line, text);
}

static int list(struct pu_cli *c, struct pu_local *l)
{
	const char *file = pu_local_members_file(c, l);
	struct pu_members *members;
	struct pu_peerid self;
	bool has_self = pu_show_self(l, &self);
	int r = pu_local_members(c, l, show_warning, (void *)file, &members);

	if (r)
		return r;
	r = pu_show_members(c, members, time(NULL), l->names, has_self ? &self : NULL);
	pu_member_free(members);
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

int pu_cmd_auth_add(struct pu_cli *c)
{
	return pu_local_run(c, true, add);
}

int pu_cmd_auth_set(struct pu_cli *c)
{
	return pu_local_run(c, true, set);
}

int pu_cmd_auth_list(struct pu_cli *c)
{
	return pu_local_run(c, false, list);
}

int pu_cmd_auth_remove(struct pu_cli *c)
{
	return pu_local_run(c, true, remove_peer);
}
