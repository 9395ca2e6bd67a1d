/* Which end of a connected socket begins? Clients send a proposal behind their greeting,
 * servers greet and wait, or just wait. */
#include <stdlib.h>

#include "base/err.h"
#include "p2p/transport/tcp_internal.h"

enum {
	SILENT_MS = 500, /* a client would have spoken by now */
	GREETED_MS = 300,
};

static const uint8_t greeting[TCP_HEADER_LEN + 1] = "\x13/multistream/1.0.0\n";

struct tcp_probe {
	struct tcp_transport *tr;
	struct pu_tcp *sock;
	struct pu_timer timer;
	uint8_t seen[TCP_HEADER_LEN];
	size_t n_seen;
	bool initiator; /* what the timer will decide */
	int err;
	tcp_probe_fn *fn;
	void *arg;
};

static void decide(void *arg)
{
	struct tcp_probe *p = arg, was = *p;

	pu_timer_stop(&p->timer);
	free(p);
	was.fn(was.arg, was.err, was.initiator, pu_bytes(was.seen, was.n_seen));
}

static void decide_later(struct tcp_probe *p, bool initiator, int err, pu_time after)
{
	p->initiator = initiator;
	p->err = err;
	pu_timer_set(&p->timer, pu_loop_now(p->tr->cfg.loop) + after);
}

/* Takes the greeting; what is behind it stays for whoever gets the socket. */
static size_t on_recv(void *arg, const uint8_t *b, size_t len)
{
	struct tcp_probe *p = arg;
	size_t n = pu_min(len, sizeof p->seen - p->n_seen);

	memcpy(p->seen + p->n_seen, b, n);
	p->n_seen += n;
	if (n < len || memcmp(p->seen, greeting, p->n_seen) != 0)
		decide_later(p, false, 0, 0);
	else if (p->n_seen == sizeof p->seen)
		decide_later(p, true, 0, PU_MS(GREETED_MS));
	return n;
}

static void on_eof(void *arg)
{
	decide_later(arg, false, PU_ECLOSED, 0);
}

static void on_error(void *arg, int err)
{
	decide_later(arg, false, err, 0);
}

static const struct pu_tcp_events events = { .on_recv = on_recv, .on_eof = on_eof,
					     .on_error = on_error };

int tcp_probe_start(struct tcp_transport *tr, struct pu_tcp *sock, bool silent_is_server,
		    tcp_probe_fn *fn, void *arg, struct tcp_probe **pp)
{
	struct tcp_probe *p = calloc(1, sizeof *p);

	if (!p)
		return PU_ENOMEM;
	p->tr = tr;
	p->sock = sock;
	p->fn = fn;
	p->arg = arg;
	pu_timer_init(&p->timer, tr->cfg.loop, decide, p);
	if (silent_is_server)
		decide_later(p, true, 0, PU_MS(SILENT_MS));
	tr->cfg.net->ops->tcp_set_events(sock, &events, p);
	*pp = p;
	return 0;
}

void tcp_probe_cancel(struct tcp_probe *p)
{
	pu_timer_stop(&p->timer);
	free(p);
}
