/* Events of the daemon through the public client. */
#include "base/err.h"
#include "lib/client_internal.h"

int peerup_client_watch(struct peerup_client *c)
{
	struct pu_failure why = { .what = "" };
	int r;

	if (c->watch)
		return PU_EEXIST;
	pu_lib_client_begin(c);
	r = pu_ask_stream_open(&c->target, "/v1/events", &c->watch, &why);
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

int peerup_client_events(struct peerup_client *c, peerup_event_fn *fn, void *arg)
{
	struct peerup_event ev;
	int r = peerup_client_watch(c);

	if (r < 0)
		return r;
	do
		r = peerup_client_watch_next(c, -1, &ev);
	while (r == 0 && (r = fn(arg, &ev)) == 0);
	peerup_client_watch_end(c);
	return r;
}
