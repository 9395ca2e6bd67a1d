#include "daemon/oneshot_proxy.h"

#include "base/err.h"
#include "daemon/oneshot_internal.h"
#include "overlay/proxy.h"

static void on_readable(uv_poll_t *h, int status, int events)
{
	struct pu_oneshot *o = h->data;

	pu_loop_uv_stop(o->driver);
}

/* Runs the loop until the descriptor is readable. */
static int run_until(struct pu_oneshot *o, int fd)
{
	uv_poll_t poll;
	int r = uv_poll_init(pu_loop_uv_of(o->loop), &poll, fd);

	if (r < 0)
		return PU_ESYS;
	poll.data = o;
	r = uv_poll_start(&poll, UV_READABLE, on_readable);
	if (r == 0)
		pu_loop_uv_run(o->driver);
	/* The handle is ours again only when the loop has seen it closed. */
	uv_close((uv_handle_t *)&poll, NULL);
	uv_run(pu_loop_uv_of(o->loop), UV_RUN_NOWAIT);
	return r < 0 ? PU_ESYS : 0;
}

int pu_oneshot_proxy(struct pu_oneshot *o, const struct pu_oneshot_proxy *opt)
{
	struct pu_proxy_options p = { .host = o->node->host, .net = o->net, .peer = opt->peer,
				      .service = opt->service, .listen = &opt->listen,
				      .on_conn = opt->on_conn, .arg = opt->arg };
	struct pu_proxy_info info;
	struct pu_proxy *proxy;
	int r;

	pu_loop_uv_enter(o->loop);
	r = pu_proxy_start(&p, &proxy);
	pu_loop_uv_leave(o->loop);
	if (r < 0)
		return r;
	pu_proxy_info(proxy, &info);
	opt->on_listening(opt->arg, &info.local);
	r = run_until(o, opt->stop_fd);
	pu_loop_uv_enter(o->loop);
	pu_proxy_stop(proxy);
	pu_loop_uv_leave(o->loop);
	return r;
}

int pu_oneshot_expose(struct pu_oneshot *o, const struct pu_api_expose *e, int stop_fd,
		      void (*on_ready)(void *arg), void *arg, struct pu_failure *why)
{
	int r;

	pu_loop_uv_enter(o->loop);
	r = pu_control_ops.expose(o->control, e, why);
	pu_loop_uv_leave(o->loop);
	if (r < 0)
		return r;
	on_ready(arg);
	r = run_until(o, stop_fd);
	pu_loop_uv_enter(o->loop);
	pu_control_ops.unexpose(o->control, e->name);
	pu_loop_uv_leave(o->loop);
	return r;
}
