/* Who belongs: changes of authorized_keys through the control API. */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "base/rfc3339.h"
#include "daemon/control_internal.h"
#include "daemon/node_apply.h"
#include "overlay/member_edit.h"

bool pu_control_gating(void *arg)
{
	return ((const struct pu_control *)arg)->opt.node->cfg->gating;
}

static const char *members_file(const struct pu_control *c)
{
	return c->opt.node->cfg->authorized_keys_file;
}

static int file_failure(const struct pu_control *c, int r, struct pu_failure *why)
{
	return pu_failure_set(why, r, members_file(c), NULL, "%s", pu_err_text(r));
}

int pu_control_each_member(void *arg, pu_api_member_fn *fn, void *fn_arg, struct pu_failure *why)
{
	const struct pu_control *c = arg;
	struct pu_members *set;
	int r = pu_member_load(members_file(c), c->opt.node->hash_key, NULL, NULL, &set);

	if (r < 0)
		return file_failure(c, r, why);
	for (size_t i = 0; i < pu_member_count(set); i++) {
		struct pu_member m = *pu_member_at(set, i);

		if (pu_sas_check(&c->opt.node->key.peer, &m.peer, m.verified) != PU_SAS_VERIFIED)
			m.verified = "";
		fn(fn_arg, &m);
	}
	pu_member_free(set);
	return 0;
}

static void log_change(const char *what, const struct pu_peerid *peer)
{
	char id[PU_PEERID_SHORT_MAX];

	pu_log(PU_LOG_INFO, "members", what, PU_KV_STR("peer", pu_peerid_short(peer, id)));
}

static int write_member(const struct pu_control *c, const struct pu_api_new_member *m)
{
	char when[PU_RFC3339_MAX];
	struct pu_member_set v[2];
	size_t n = 0;

	/* Without the attribute the Go program's own lines mean the same. */
	if (m->access != PU_ACCESS_SERVICES)
		v[n++] = (struct pu_member_set){ "access", pu_access_text(m->access) };
	if (m->expires != PU_MEMBER_NO_EXPIRY)
		v[n++] = (struct pu_member_set){ "expires", pu_rfc3339_text(m->expires, when) };
	return pu_member_edit_add_with(members_file(c), &m->peer, v, n, m->comment,
				       &c->opt.node->paths.owner);
}

int pu_control_member_add(void *arg, const struct pu_api_new_member *m, struct pu_failure *why)
{
	const struct pu_control *c = arg;
	int r = write_member(c, m);

	if (r < 0)
		return file_failure(c, r, why);
	r = pu_node_reload_members(c->opt.node, why);
	if (r < 0) {
		/* In the file and not in effect would be a surprise for the next start. */
		pu_member_edit_remove(members_file(c), &m->peer);
		return r;
	}
	log_change("authorised", &m->peer);
	return 0;
}

/* Revoking comes first: a list that cannot be read again must not keep somebody in. */
int pu_control_member_remove(void *arg, const struct pu_peerid *peer, struct pu_failure *why)
{
	const struct pu_control *c = arg;
	struct pu_failure ignored = { .what = "" };
	int r = pu_member_edit_remove(members_file(c), peer);

	if (r < 0)
		return file_failure(c, r, why);
	if (pu_node_reload_members(c->opt.node, &ignored) < 0)
		pu_node_revoke(c->opt.node, peer);
	log_change("revoked", peer);
	return 0;
}
