/* Hole punches on behalf of p2p/dcutr. */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/host/state.h"

struct host_punch {
	struct pu_host *h;
	struct pu_transport *t;
	struct pu_dial *d;
	struct pu_host_request *req; /* owns us */
};

static void punch_free(void *work)
{
	struct host_punch *p = work;

	if (p->d)
		p->t->ops->dial_cancel(p->t, p->d);
	free(p);
}

static void on_punched(void *arg, int err, struct pu_conn *c)
{
	struct host_punch *p = arg;
	struct pu_host *h = p->h;

	p->d = NULL;
	if (err < 0) {
		h->stats.dials_failed++;
		pu_request_failed(p->req, err);
	} else if (!pu_connmgr_adopt(h, c)) {
		pu_request_failed(p->req, PU_ELIMIT);
	}
	/* Else the request has heard of the connection already. */
}

static int start(struct pu_host *h, const struct pu_peerid *peer, const struct pu_multiaddr *ma,
		 bool initiator, pu_time timeout, struct pu_host_request *req)
{
	struct pu_transport *t = pu_dialer_transport(h, ma);
	struct host_punch *p;

	if (!t || !t->ops->punch)
		return PU_ENOTSUP;
	if (!pu_dialer_can(h, ma))
		return PU_EINVAL;
	p = calloc(1, sizeof *p);
	if (!p)
		return PU_ENOMEM;
	p->h = h;
	p->t = t;
	p->req = req;
	pu_request_set_work(req, p, punch_free);
	h->stats.dials++;
	return t->ops->punch(t, ma, peer, initiator, timeout, on_punched, p, &p->d);
}

int pu_host_punch(struct pu_host *h, const struct pu_peerid *peer, const struct pu_multiaddr *ma,
		  bool initiator, pu_time timeout, pu_host_connect_fn *on_done, void *arg,
		  struct pu_host_request **preq)
{
	struct pu_host_request *req;
	bool there;
	int r = pu_request_await(h, peer, on_done, arg, &req, &there);

	if (r < 0)
		return r;
	if (!there)
		r = start(h, peer, ma, initiator, timeout, req);
	if (r < 0)
		pu_host_cancel(h, req);
	else if (preq)
		*preq = req;
	return r;
}
