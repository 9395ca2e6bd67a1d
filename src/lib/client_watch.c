/* Events of the daemon through the public client. */
#include <stdio.h>

#include "base/err.h"
#include "lib/client_internal.h"

int peerup_client_watch(struct peerup_client *c, const char *kinds)
{
	struct pu_failure why = { .what = "" };
	char path[PU_ASK_PATH_MAX];
	int r = snprintf(path, sizeof path, "/v1/events%s%s", kinds ? "?kind=" : "",
			 kinds ? kinds : "");

	if (r >= (int)sizeof path)
		return PU_EINVAL;
	if (c->watch)
		return PU_EEXIST;
	pu_lib_client_begin(c);
	r = pu_ask_stream_open(&c->target, path, &c->watch, &c->http_status, &why);
	return pu_lib_client_end(c, r, &why);
}

int peerup_client_watch_fd(const struct peerup_client *c)
{
	return c->watch ? pu_ask_stream_fd(c->watch) : -1;
}

int peerup_client_watch_next(struct peerup_client *c, int timeout_ms, struct peerup_event *ev)
{
	int r = c->watch ? pu_ask_stream_next(c->watch, timeout_ms, &c->event) : PU_ECLOSED;

	if (r == 0)
		*ev = (struct peerup_event){ .kind = c->event.kind, .json = c->event.data };
	else if (r != PU_EAGAIN)
		peerup_client_watch_end(c);
	return r;
}

void peerup_client_watch_end(struct peerup_client *c)
{
	pu_ask_stream_free(c->watch);
	c->watch = NULL;
}

int peerup_client_events(struct peerup_client *c, const char *kinds, peerup_event_fn *fn,
			 void *arg)
{
	struct peerup_event ev;
	int r = peerup_client_watch(c, kinds);

	if (r < 0)
		return r;
	do
		r = peerup_client_watch_next(c, -1, &ev);
	while (r == 0 && (r = fn(arg, &ev)) == 0);
	peerup_client_watch_end(c);
	return r;
}
