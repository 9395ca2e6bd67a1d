#include "overlay/opening.h"

#include <stdlib.h>

#include "base/err.h"

struct pu_opening {
	struct pu_host *host;
	struct pu_host_request *req;
	struct pu_stream *st; /* waiting for the status byte */
	struct pu_timer timer;
	char v11[PU_HOST_PROTOCOL_MAX + 1], v10[PU_HOST_PROTOCOL_MAX + 1];
	pu_opening_fn *on_done;
	void *arg;
};

static void opening_free(struct pu_opening *o)
{
	pu_timer_stop(&o->timer);
	free(o);
}

/* Hands over the stream, or closes what is left of it. */
static void done(struct pu_opening *o, int err)
{
	if (err < 0 && o->st)
		pu_stream_close(o->st);
	o->on_done(o->arg, err, err < 0 ? NULL : o->st);
	opening_free(o);
}

static int status_error(uint8_t status)
{
	switch ((enum pu_service_status)status) {
	case PU_SERVICE_OK:
		return 0;
	case PU_SERVICE_REFUSED:
		return PU_EREFUSED;
	case PU_SERVICE_DENIED:
		return PU_EDENIED;
	case PU_SERVICE_UNREACHABLE:
		return PU_EUNREACH;
	case PU_SERVICE_BUSY:
		return PU_ELIMIT;
	}
	return PU_EPROTO;
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	done(arg, status_error(p[0]));
	return 1; /* what follows belongs to the service */
}

static void on_eof(void *arg, struct pu_stream *st)
{
	done(arg, PU_ERESET);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct pu_opening *o = arg;

	o->st = NULL;
	done(o, err);
}

static const struct pu_stream_events status_events = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_closed = on_closed,
};

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct pu_opening *o = arg;

	o->req = NULL;
	if (err < 0) {
		done(o, err);
		return;
	}
	o->st = st;
	if (strcmp(st->protocol, o->v11) == 0)
		pu_stream_set_events(st, &status_events, o);
	else
		done(o, 0);
}

static void on_timeout(void *arg)
{
	struct pu_opening *o = arg;

	if (o->req)
		pu_host_cancel(o->host, o->req);
	done(o, PU_ETIMEDOUT);
}

/* A peer that told us its protocols is asked for the right one at once. What it told may be
 * older than a service that comes and goes, and ours have the status byte always. */
static void choose_protocols(const struct pu_opening *o, const struct pu_peerid *peer,
			     const char *service, const char *protocols[3])
{
	bool has_v11 = strcmp(service, PU_SERVICE_FILES) == 0 ||
		       pu_host_peer_supports(o->host, peer, o->v11);
	bool only_v10 = !has_v11 && pu_host_peer_identified(o->host, peer);

	protocols[0] = only_v10 ? o->v10 : o->v11;
	protocols[1] = has_v11 || only_v10 ? NULL : o->v10;
	protocols[2] = NULL;
}

int pu_opening_start(struct pu_host *h, const struct pu_peerid *peer, const char *service,
		     pu_opening_fn *on_done, void *arg, struct pu_opening **po)
{
	struct pu_loop *loop = pu_host_loop(h);
	const char *protocols[3];
	struct pu_opening *o;
	int r = pu_service_name_check_open(service);

	if (r < 0)
		return PU_EINVAL;
	o = calloc(1, sizeof *o);
	if (!o)
		return PU_ENOMEM;
	o->host = h;
	o->on_done = on_done;
	o->arg = arg;
	pu_service_protocol(service, 1, o->v11);
	pu_service_protocol(service, 0, o->v10);
	choose_protocols(o, peer, service, protocols);
	pu_timer_init(&o->timer, loop, on_timeout, o);
	pu_timer_set(&o->timer, pu_loop_now(loop) + PU_SEC(PU_OPENING_TIMEOUT_S));
	r = pu_host_open(h, peer, NULL, protocols, on_open, o, &o->req);
	if (r < 0) {
		opening_free(o);
		return r;
	}
	*po = o;
	return 0;
}

void pu_opening_cancel(struct pu_opening *o)
{
	if (o->req)
		pu_host_cancel(o->host, o->req);
	if (o->st)
		pu_stream_reset(o->st, PU_STREAM_CODE_NONE);
	opening_free(o);
}
