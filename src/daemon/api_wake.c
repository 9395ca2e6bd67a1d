/* POST /v1/wake: a peer wakes a machine in its LAN for us. */
#include <microhttpd.h>
#include <stdlib.h>

#include "base/err.h"
#include "daemon/api_internal.h"

struct wake {
	struct pu_list node;
	struct pu_api *api;
	struct pu_http_request *rq;
	bool busy;
	uint64_t id; /* when busy */
};

static void wake_free(struct wake *w)
{
	if (w->busy)
		w->api->ops->wake_cancel(w->api->ops_arg, w->id);
	pu_list_remove(&w->node);
	free(w);
}

static void reply(const struct wake *w, int err)
{
	if (err == 0)
		pu_api_reply(w->rq, MHD_HTTP_OK, json_pack("{s:s}", "status", "sent"));
	else if (err == PU_EDENIED)
		pu_api_reply_error(w->rq, MHD_HTTP_BAD_GATEWAY,
				   "the helper does not wake machines for us: it must grant us "
				   "access=network");
	else if (err == PU_ELIMIT)
		pu_api_reply_error(w->rq, MHD_HTTP_BAD_GATEWAY,
				   "the helper was asked too often, try again in a minute");
	else
		pu_api_reply_error(w->rq, MHD_HTTP_BAD_GATEWAY, "cannot have it woken: %s",
				   pu_err_text(err));
}

static void on_done(void *arg, int err)
{
	struct wake *w = arg;

	w->busy = false;
	reply(w, err);
	wake_free(w);
}

static void on_gone(void *arg)
{
	wake_free(arg);
}

void pu_api_post_wake(struct pu_api_call *c)
{
	const struct pu_api_ops *ops = c->api->ops;
	struct pu_peerid peer, via;
	const char *target, *helper;
	struct wake *w;
	int r;

	if (!pu_api_body_peer(c, "peer", &peer, &target) ||
	    !pu_api_body_peer(c, "via", &via, &helper))
		return;
	w = calloc(1, sizeof *w);
	if (!w) {
		pu_api_reply_text(c->rq, NULL, 0);
		return;
	}
	w->api = c->api;
	w->rq = c->rq;
	pu_list_append(&c->api->wakes, &w->node);
	r = ops->wake(c->api->ops_arg, &peer, &via, on_done, w, &w->id);
	if (r == 0) {
		w->busy = true;
		pu_http_on_gone(c->rq, on_gone, w);
		return;
	}
	if (r == PU_ENOENT)
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST,
				   "no hardware address is configured for this peer");
	else
		pu_api_reply_error(c->rq, MHD_HTTP_INTERNAL_SERVER_ERROR, "%s", pu_err_text(r));
	wake_free(w);
}

void pu_api_wakes_drop(struct pu_api *api)
{
	PU_LIST_FOREACH (it, tmp, &api->wakes)
		wake_free(PU_CONTAINER_OF(it, struct wake, node));
}
