/* GET and POST /v1/auth, DELETE /v1/auth/{peer_id}. */
#include <microhttpd.h>

#include "base/err.h"
#include "base/rfc3339.h"
#include "daemon/api_internal.h"
#include "daemon/json_text.h"

struct members {
	struct pu_api_list list;
	int64_t now;
};

static void set_str(json_t *o, const char *key, const char *value)
{
	if (*value)
		json_object_set_new(o, key, pu_json_text(value));
}

/* The fields of the reference, in its order, then ours. */
static json_t *member_json(const struct pu_member *m, int64_t now)
{
	char id[PU_PEERID_TEXT_MAX], when[PU_RFC3339_MAX];
	json_t *o = json_object();

	json_object_set_new(o, "peer_id", json_string(pu_peerid_text(&m->peer, id)));
	set_str(o, "comment", m->comment);
	set_str(o, "verified", m->verified);
	if (m->expires != PU_MEMBER_NO_EXPIRY)
		set_str(o, "expires_at", pu_rfc3339_text(m->expires, when));
	set_str(o, "group", m->group);
	set_str(o, "access", pu_member_access_text(m));
	json_object_set_new(o, "expired", json_boolean(now >= m->expires));
	return o;
}

static void add_member(void *arg, const struct pu_member *m)
{
	struct members *to = arg;
	char id[PU_PEERID_TEXT_MAX];

	if (to->list.array)
		json_array_append_new(to->list.array, member_json(m, to->now));
	else
		fprintf(to->list.text, "%s%s%s\n", pu_peerid_text(&m->peer, id),
			*m->comment ? "\t# " : "", m->comment);
}

void pu_api_get_auth(struct pu_api_call *c)
{
	struct members to = { .now = pu_loop_unix(c->api->loop) };
	struct pu_failure why = { .what = "" };
	int r = 0;

	if (!pu_api_list_begin(c, &to.list))
		return;
	if (c->api->ops->gating(c->api->ops_arg))
		r = c->api->ops->each_member(c->api->ops_arg, add_member, &to, &why);
	if (r == 0) {
		pu_api_list_reply(c, &to.list);
		return;
	}
	pu_api_list_drop(&to.list);
	pu_api_reply_failure(c->rq, MHD_HTTP_INTERNAL_SERVER_ERROR, &why);
}

/* Answers itself when there is no list to change or no such ID. */
static bool take_peer(struct pu_api_call *c, const char *text, struct pu_peerid *peer)
{
	if (!c->api->ops->gating(c->api->ops_arg)) {
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST,
				   "connection gating is not enabled");
		return false;
	}
	if (pu_peerid_from_text(peer, text) < 0) {
		pu_api_reply_error(c->rq, MHD_HTTP_INTERNAL_SERVER_ERROR, "invalid peer ID: %.*s",
				   PU_API_QUOTED, text);
		return false;
	}
	return true;
}

static bool take_access(struct pu_api_call *c, enum pu_access *paccess)
{
	const char *text = pu_api_body_need(c, "access");

	if (!text || pu_access_parse(text, paccess) == 0)
		return true;
	pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST, "access must be services or network");
	return false;
}

static bool take_expiry(struct pu_api_call *c, int64_t *pexpires)
{
	const char *text = pu_api_body_need(c, "expires_at");

	if (!text)
		return true;
	if (pu_rfc3339_parse(text, pexpires) < 0)
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST,
				   "expires_at must be a time like 2030-01-31T12:00:00Z");
	else if (*pexpires <= pu_loop_unix(c->api->loop))
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST, "expires_at is in the past");
	else
		return true;
	return false;
}

static void reply_change(struct pu_api_call *c, int r, const struct pu_peerid *peer,
			 const struct pu_failure *why, const char *done)
{
	char id[PU_PEERID_SHORT_MAX];

	if (r == 0)
		pu_api_reply(c->rq, MHD_HTTP_OK, json_pack("{s:s}", "status", done));
	else if (r == PU_EEXIST)
		pu_api_reply_error(c->rq, MHD_HTTP_INTERNAL_SERVER_ERROR,
				   "peer already authorized: %s", pu_peerid_short(peer, id));
	else if (r == PU_ENOENT)
		pu_api_reply_error(c->rq, MHD_HTTP_INTERNAL_SERVER_ERROR, "peer not found: %s",
				   pu_peerid_short(peer, id));
	else
		pu_api_reply_failure(c->rq, MHD_HTTP_INTERNAL_SERVER_ERROR, why);
}

void pu_api_post_auth(struct pu_api_call *c)
{
	const char *id = pu_api_body_need(c, "peer_id");
	struct pu_api_new_member m = { .comment = pu_api_body_need(c, "comment"),
				       .access = PU_ACCESS_SERVICES,
				       .expires = PU_MEMBER_NO_EXPIRY };
	struct pu_failure why = { .what = "" };

	if (!id) {
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST, "peer_id is required");
		return;
	}
	if (take_peer(c, id, &m.peer) && take_access(c, &m.access) && take_expiry(c, &m.expires))
		reply_change(c, c->api->ops->member_add(c->api->ops_arg, &m, &why), &m.peer, &why,
			     "added");
}

void pu_api_delete_auth(struct pu_api_call *c)
{
	struct pu_failure why = { .what = "" };
	struct pu_peerid peer;

	if (take_peer(c, c->param, &peer))
		reply_change(c, c->api->ops->member_remove(c->api->ops_arg, &peer, &why), &peer,
			     &why, "removed");
}
