/* /v1/invites and /v1/join. */
#include <microhttpd.h>
#include <stdlib.h>

#include "base/err.h"
#include "daemon/api_internal.h"
#include "daemon/config_value.h"
#include "daemon/invite_json.h"

enum { LOOK_MS = 50, TEXT_MAX = 4096 };

/* A request that is answered when a code is there, or when a code is redeemed. */
struct waiter {
	struct pu_list node;
	struct pu_api *api;
	struct pu_http_request *rq;
	uint64_t invite; /* 0: a join */
	struct pu_timer timer;
};

static void waiter_free(struct waiter *w)
{
	pu_timer_stop(&w->timer);
	pu_list_remove(&w->node);
	free(w);
}

/* Nobody will ever hear of the code. */
static void waiter_abandon(struct waiter *w)
{
	if (w->invite)
		w->api->ops->invite_cancel(w->api->ops_arg, w->invite);
	else
		w->api->ops->join_cancel(w->api->ops_arg);
	waiter_free(w);
}

static void on_gone(void *arg)
{
	waiter_abandon(arg);
}

void pu_api_pairings_drop(struct pu_api *api)
{
	PU_LIST_FOREACH (it, tmp, &api->pairings)
		waiter_abandon(PU_CONTAINER_OF(it, struct waiter, node));
}

static unsigned status_of(int err)
{
	switch (err) {
	case PU_EINVAL:
	case PU_ENOTSUP:
		return MHD_HTTP_BAD_REQUEST;
	case PU_EDENIED:
	case PU_EREFUSED:
		return MHD_HTTP_FORBIDDEN;
	case PU_ENOENT:
		return MHD_HTTP_NOT_FOUND;
	case PU_EAGAIN:
	case PU_EEXIST:
	case PU_ELIMIT:
		return MHD_HTTP_CONFLICT;
	case PU_EUNREACH:
	case PU_ETIMEDOUT:
	case PU_ENOPROTO:
	case PU_EEOF:
	case PU_EPROTO:
		return MHD_HTTP_BAD_GATEWAY;
	}
	return MHD_HTTP_INTERNAL_SERVER_ERROR;
}

static void refuse(struct pu_http_request *rq, unsigned status, const struct pu_failure *why)
{
	pu_api_reply_error(rq, status, "%s%s%s", why->what, why->what[0] ? ": " : "", why->why);
}

static struct waiter *waiter_new(struct pu_api_call *c, pu_job_fn *on_timer)
{
	struct waiter *w = calloc(1, sizeof *w);

	if (!w) {
		pu_api_reply_text(c->rq, NULL, 0);
		return NULL;
	}
	w->api = c->api;
	w->rq = c->rq;
	pu_timer_init(&w->timer, c->api->loop, on_timer, w);
	pu_list_append(&c->api->pairings, &w->node);
	return w;
}

/* --- what a body says ------------------------------------------------------------- */

/* Absent or services, network; false: answered. */
static bool body_access(const struct pu_api_call *c, enum pu_access *pa)
{
	const char *text = pu_api_body_string(c, "access");

	*pa = PU_ACCESS_SERVICES;
	if (!text || !*text || pu_access_parse(text, pa) == 0)
		return true;
	pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST, "access: services or network");
	return false;
}

static bool body_invite(const struct pu_api_call *c, struct pu_invite_options *opt)
{
	const json_t *ttl = json_object_get(c->body, "ttl_seconds");
	const json_t *compat = json_object_get(c->body, "compat");
	json_int_t v = json_integer_value(ttl);

	if ((ttl && !json_is_null(ttl) && !json_is_integer(ttl)) || v < 0 || v > UINT32_MAX ||
	    (compat && !json_is_null(compat) && !json_is_boolean(compat))) {
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST, "invalid request body");
		return false;
	}
	opt->name = pu_api_body_string(c, "name");
	opt->compat = json_is_true(compat);
	opt->ttl_s = json_is_integer(ttl) ? (unsigned)v : PU_PAIRING_TTL_S;
	return body_access(c, &opt->access);
}

/* --- invitations ------------------------------------------------------------------ */

static const struct pu_invite *find(const struct pu_api_call *c)
{
	const struct pu_invite *i = NULL;
	uint64_t id;

	if (pu_config_uint(c->param, &id) == 0)
		i = c->api->ops->invite_find(c->api->ops_arg, id);
	if (!i)
		pu_api_reply_error(c->rq, MHD_HTTP_NOT_FOUND, "no such invitation");
	return i;
}

static void add(void *arg, const struct pu_invite *i)
{
	json_array_append_new(arg, pu_invite_json(i));
}

void pu_api_get_invites(struct pu_api_call *c)
{
	json_t *a = json_array();

	c->api->ops->each_invite(c->api->ops_arg, add, a);
	pu_api_reply(c->rq, MHD_HTTP_OK, a);
}

void pu_api_get_invite(struct pu_api_call *c)
{
	const struct pu_invite *i = find(c);

	if (i)
		pu_api_reply(c->rq, MHD_HTTP_OK, pu_invite_json(i));
}

void pu_api_delete_invite(struct pu_api_call *c)
{
	const struct pu_invite *i = find(c);

	if (!i)
		return;
	c->api->ops->invite_cancel(c->api->ops_arg, i->id);
	pu_api_reply(c->rq, MHD_HTTP_OK,
		     json_pack("{s:s}", "status", pu_invite_state_text(i->state)));
}

static void look(void *arg)
{
	struct waiter *w = arg;
	const struct pu_invite *i = w->api->ops->invite_find(w->api->ops_arg, w->invite);
	struct pu_http_request *rq = w->rq;

	if (i && i->state == PU_INVITE_PREPARING) {
		pu_timer_set(&w->timer, pu_loop_now(w->api->loop) + PU_MS(LOOK_MS));
		return;
	}
	waiter_free(w);
	if (i && i->state == PU_INVITE_FAILED)
		refuse(rq, MHD_HTTP_BAD_GATEWAY, &i->why);
	else if (i)
		pu_api_reply(rq, MHD_HTTP_OK, pu_invite_json(i));
	else
		pu_api_reply_error(rq, MHD_HTTP_NOT_FOUND, "no such invitation");
}

void pu_api_post_invite(struct pu_api_call *c)
{
	struct pu_invite_options opt = { .compat = false };
	struct pu_failure why = { .what = "" };
	const struct pu_invite *i;
	struct waiter *w;
	int r;

	if (!body_invite(c, &opt))
		return;
	w = waiter_new(c, look);
	if (!w)
		return;
	r = c->api->ops->invite(c->api->ops_arg, &opt, &i, &why);
	if (r < 0) {
		waiter_free(w);
		refuse(c->rq, status_of(r), &why);
		return;
	}
	w->invite = i->id;
	pu_timer_set(&w->timer, pu_loop_now(c->api->loop));
	pu_http_on_gone(c->rq, on_gone, w);
}

/* --- codes ------------------------------------------------------------------------ */

static void on_joined(void *arg, int err, const struct pu_join_result *r,
		      const struct pu_failure *why)
{
	struct waiter *w = arg;
	struct pu_http_request *rq = w->rq;

	waiter_free(w);
	if (err < 0)
		refuse(rq, status_of(err), why);
	else
		pu_api_reply(rq, MHD_HTTP_OK, pu_join_json(r));
}

static void never(void *arg)
{
}

void pu_api_post_join(struct pu_api_call *c)
{
	struct pu_join_options opt = { .code = pu_api_body_string(c, "code"),
				       .name = pu_api_body_string(c, "name") };
	struct pu_failure why = { .what = "" };
	struct waiter *w;
	int r;

	if (!opt.code || !*opt.code || strlen(opt.code) > TEXT_MAX) {
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST, "code is required");
		return;
	}
	if (!body_access(c, &opt.access))
		return;
	w = waiter_new(c, never);
	if (!w)
		return;
	r = c->api->ops->join(c->api->ops_arg, &opt, on_joined, w, &why);
	if (r < 0) {
		waiter_free(w);
		refuse(c->rq, status_of(r), &why);
		return;
	}
	pu_http_on_gone(c->rq, on_gone, w);
}
