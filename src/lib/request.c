/* Requests of host.h: connect to a peer, open a stream to it. */
#include <stdlib.h>

#include "base/err.h"
#include "lib/lib_internal.h"

struct peerup_request {
	struct peerup_host *h;
	struct pu_host_request *inner;
	peerup_connect_fn *on_connected;
	peerup_open_fn *on_opened;
	void *arg;
};

static int request_new(struct peerup_host *h, const char *peer, void *arg, struct pu_peerid *pid,
		       struct peerup_request **prq)
{
	struct peerup_request *rq;

	if (!pu_lib_usable(h))
		return PU_ECLOSED;
	if (!peer || pu_peerid_from_text(pid, peer) < 0)
		return PU_EINVAL;
	rq = calloc(1, sizeof *rq);
	if (!rq)
		return PU_ENOMEM;
	rq->h = h;
	rq->arg = arg;
	*prq = rq;
	return 0;
}

static int started(struct peerup_request *rq, int r, struct peerup_request **preq)
{
	if (r < 0)
		free(rq);
	else if (preq)
		*preq = rq;
	return r;
}

static void on_connect(void *arg, int err, struct pu_conn *c)
{
	struct peerup_request rq = *(struct peerup_request *)arg;

	(void)c;
	free(arg);
	if (rq.on_connected)
		rq.on_connected(rq.arg, err);
}

static void tell_opened(void *arg, struct peerup_stream *st)
{
	const struct peerup_request *rq = arg;

	rq->on_opened(rq->arg, 0, st);
}

static void on_open(void *arg, int err, struct pu_stream *inner)
{
	struct peerup_request rq = *(struct peerup_request *)arg;
	struct peerup_stream *st = NULL;

	free(arg);
	if (err == 0) {
		st = pu_lib_stream_new(rq.h->loop->base, inner);
		err = st ? 0 : PU_ENOMEM;
	}
	if (st)
		pu_lib_stream_hand_out(st, tell_opened, &rq);
	else
		rq.on_opened(rq.arg, err, NULL);
}

int peerup_host_connect(struct peerup_host *h, const char *peer, peerup_connect_fn *on_done,
			void *arg, struct peerup_request **preq)
{
	struct peerup_request *rq;
	struct pu_peerid id;
	int r = request_new(h, peer, arg, &id, &rq);

	if (r < 0)
		return r;
	rq->on_connected = on_done;
	return started(rq, pu_host_connect(h->h, &id, on_connect, rq, &rq->inner), preq);
}

int peerup_host_open(struct peerup_host *h, const char *peer, const char *const *protocols,
		     peerup_open_fn *on_done, void *arg, struct peerup_request **preq)
{
	struct peerup_request *rq;
	struct pu_peerid id;
	int r;

	if (!protocols || !on_done)
		return PU_EINVAL;
	r = request_new(h, peer, arg, &id, &rq);
	if (r < 0)
		return r;
	rq->on_opened = on_done;
	return started(rq, pu_host_open(h->h, &id, NULL, protocols, on_open, rq, &rq->inner),
		       preq);
}

void peerup_request_cancel(struct peerup_request *req)
{
	pu_loop_uv_sample(req->h->loop->base);
	pu_host_cancel(req->h->h, req->inner);
	free(req);
}
