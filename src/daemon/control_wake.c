/* Machines that sleep, woken by a peer in their LAN. */
#include <stdlib.h>

#include "base/err.h"
#include "daemon/control_internal.h"

struct wake {
	struct pu_list node;
	uint64_t id;
	struct pu_wake_request *req;
	pu_api_wake_fn *on_done;
	void *arg;
};

static void on_answer(void *arg, int err)
{
	struct wake *w = arg;
	pu_api_wake_fn *on_done = w->on_done;
	void *done_arg = w->arg;

	pu_list_remove(&w->node);
	free(w);
	on_done(done_arg, err);
}

static void abandon(struct wake *w)
{
	pu_list_remove(&w->node);
	pu_wake_cancel(w->req);
	free(w);
}

int pu_control_wake(void *arg, const struct pu_peerid *peer, const struct pu_peerid *via,
		    pu_api_wake_fn *on_done, void *done_arg, uint64_t *pid)
{
	struct pu_control *c = arg;
	const struct pu_config_peer *p = pu_config_find_peer(c->opt.node->cfg, peer);
	struct wake *w;
	int r;

	if (!p || !p->mac.given)
		return PU_ENOENT;
	w = calloc(1, sizeof *w);
	if (!w)
		return PU_ENOMEM;
	*w = (struct wake){ .id = ++c->next_ping, .on_done = on_done, .arg = done_arg };
	pu_list_append(&c->wakes, &w->node);
	r = pu_wake_ask(c->opt.node->wake, via, &p->mac, on_answer, w, &w->req);
	if (r < 0) {
		pu_list_remove(&w->node);
		free(w);
		return r;
	}
	*pid = w->id;
	return 0;
}

void pu_control_wake_cancel(void *arg, uint64_t id)
{
	struct pu_control *c = arg;

	PU_LIST_FOREACH (it, tmp, &c->wakes) {
		struct wake *w = PU_CONTAINER_OF(it, struct wake, node);

		if (w->id == id)
			abandon(w);
	}
}

void pu_control_wakes_drop(struct pu_control *c)
{
	PU_LIST_FOREACH (it, tmp, &c->wakes)
		abandon(PU_CONTAINER_OF(it, struct wake, node));
}
