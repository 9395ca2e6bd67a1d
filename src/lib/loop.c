#include "peerup/loop.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "base/err.h"
#include "lib/lib_internal.h"

static void on_stop(uv_async_t *a)
{
	struct peerup_loop *l = a->data;

	pu_loop_uv_stop(l->driver);
}

int peerup_loop_new(struct peerup_loop **ploop)
{
	struct peerup_loop *l = calloc(1, sizeof *l);
	int r;

	if (!l)
		return PU_ENOMEM;
	r = pu_loop_uv_new(&l->driver);
	if (r < 0)
		goto out;
	l->base = pu_loop_uv_loop(l->driver);
	pu_list_init(&l->hosts);
	r = pu_net_uv_new(l->base, &l->net);
	if (r < 0)
		goto out;
	if (uv_async_init(pu_loop_uv_of(l->base), &l->stop, on_stop) < 0) {
		r = PU_ESYS;
		goto out;
	}
	l->stop.data = l;
	*ploop = l;
	return 0;
out:
	pu_net_uv_free(l->net);
	pu_loop_uv_free(l->driver);
	free(l);
	return r;
}

/* One turn of what is due by time, then of what the descriptors bring. */
static void turn(struct peerup_loop *l, uv_run_mode mode)
{
	pu_loop_uv_enter(l->base);
	pu_loop_uv_leave(l->base);
	uv_run(pu_loop_uv_of(l->base), mode);
}

void peerup_loop_free(struct peerup_loop *loop)
{
	if (!loop)
		return;
	assert(!loop->running);
	loop->running = loop->freeing = true;
	PU_LIST_FOREACH(it, tmp, &loop->hosts)
		peerup_host_close(PU_CONTAINER_OF(it, struct peerup_host, node), NULL, NULL);
	while (!pu_list_empty(&loop->hosts))
		turn(loop, UV_RUN_ONCE);
	pu_net_uv_free(loop->net);
	uv_close((uv_handle_t *)&loop->stop, NULL);
	pu_loop_uv_free(loop->driver);
	free(loop);
}

int peerup_loop_run(struct peerup_loop *loop)
{
	int r;

	if (loop->running)
		return PU_EINVAL;
	loop->running = true;
	r = pu_loop_uv_run(loop->driver);
	loop->running = false;
	return r;
}

void peerup_loop_stop(struct peerup_loop *loop)
{
	uv_async_send(&loop->stop);
}

int peerup_loop_fd(const struct peerup_loop *loop)
{
	return uv_backend_fd(pu_loop_uv_of(loop->base));
}

int peerup_loop_timeout_ms(const struct peerup_loop *loop)
{
	/* libuv knows of descriptors it has yet to watch; its timers are not ours. */
	int below = uv_backend_timeout(pu_loop_uv_of(loop->base));
	pu_time due = pu_loop_next_timeout(loop->base), now = pu_loop_uv_clock(loop->base);
	pu_time ms;

	if (below == 0 || due <= now)
		return 0;
	if (due == PU_TIME_NEVER)
		return below;
	ms = pu_min((due - now + PU_MS(1) - 1) / PU_MS(1), INT_MAX);
	return below < 0 ? (int)ms : (int)pu_min(ms, (size_t)below);
}

int peerup_loop_step(struct peerup_loop *loop)
{
	if (loop->running)
		return PU_EINVAL;
	loop->running = true;
	turn(loop, UV_RUN_NOWAIT);
	loop->running = false;
	return 0;
}
