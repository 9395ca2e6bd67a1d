#include "overlay/proxy.h"

#include <stdlib.h>

#include "base/err.h"
#include "overlay/opening.h"
#include "overlay/pipe.h"

/* One accepted socket: it waits for a stream, then it is a pipe. */
struct conn {
	struct pu_list node;
	struct pu_proxy *owner;
	struct pu_tcp *tcp;
	struct pu_opening *opening;
	struct pu_pipe *pipe;
	struct pu_timer again;
	unsigned attempts;
	bool ended; /* the program had nothing to say but its FIN */
};

struct pu_proxy {
	struct pu_host *host;
	struct pu_net *net;
	struct pu_peerid peer;
	char service[PU_SERVICE_NAME_MAX + 1];
	struct pu_tcp_listener *listener;
	struct pu_list conns;
	struct pu_proxy_info info;
	void (*on_conn)(void *arg, int err, unsigned attempts);
	void *arg;
};

static void conn_free(struct conn *c)
{
	pu_timer_stop(&c->again);
	pu_list_remove(&c->node);
	c->owner->info.active--;
	free(c);
}

static void tell(struct conn *c, int err)
{
	struct pu_proxy *p = c->owner;

	if (p->on_conn)
		p->on_conn(p->arg, err, c->attempts);
}

/* A connection that leads nowhere is reset: it must not look like one that worked. */
static void give_up(struct conn *c, int err)
{
	struct pu_proxy *p = c->owner;

	p->info.failed++;
	p->info.last_error = err;
	p->net->ops->tcp_close(c->tcp, true);
	tell(c, err);
	conn_free(c);
}

/* Asking the peer again would bring the same answer. */
static bool is_final(int err)
{
	return err == PU_EREFUSED || err == PU_EDENIED || err == PU_ENOPROTO || err == PU_EINVAL;
}

static void retry_or_give_up(struct conn *c, int err)
{
	struct pu_loop *loop = pu_host_loop(c->owner->host);

	if (is_final(err) || c->attempts >= PU_PROXY_ATTEMPTS)
		give_up(c, err);
	else
		pu_timer_set(&c->again, pu_loop_now(loop) + (PU_SEC(1) << (c->attempts - 1)));
}

static void on_pipe_done(void *arg, uint64_t from_stream, uint64_t from_tcp)
{
	conn_free(arg);
}

static void on_opened(void *arg, int err, struct pu_stream *st)
{
	struct conn *c = arg;
	struct pu_proxy *p = c->owner;
	struct pu_tcp *tcp = c->tcp;

	c->opening = NULL;
	if (err < 0) {
		retry_or_give_up(c, err);
		return;
	}
	if (pu_pipe_new(pu_host_loop(p->host), p->net, st, tcp, on_pipe_done, c, &c->pipe) < 0) {
		p->info.failed++;
		p->info.last_error = PU_ENOMEM;
		conn_free(c);
		return;
	}
	p->info.opened++;
	tell(c, 0);
	if (c->ended)
		pu_pipe_tcp_ended(c->pipe);
	else
		p->net->ops->tcp_resume(tcp);
}

static void try_open(void *arg)
{
	struct conn *c = arg;
	struct pu_proxy *p = c->owner;
	int r;

	c->attempts++;
	r = pu_opening_start(p->host, &p->peer, p->service, on_opened, c, &c->opening);
	if (r < 0)
		retry_or_give_up(c, r);
}

static size_t keep_for_later(void *arg, const uint8_t *b, size_t len)
{
	return 0;
}

static void on_eof(void *arg)
{
	((struct conn *)arg)->ended = true;
}

/* The program left before there was a stream. */
static void on_error(void *arg, int err)
{
	struct conn *c = arg;

	if (c->opening)
		pu_opening_cancel(c->opening);
	give_up(c, err);
}

static const struct pu_tcp_events waiting_events = {
	.on_recv = keep_for_later,
	.on_eof = on_eof,
	.on_error = on_error,
};

static void on_accept(void *arg, struct pu_tcp *tcp)
{
	struct pu_proxy *p = arg;
	struct conn *c = p->info.active < PU_PROXY_CONNS_MAX ? calloc(1, sizeof *c) : NULL;

	if (!c) {
		p->net->ops->tcp_close(tcp, true);
		p->info.failed++;
		p->info.last_error = PU_ELIMIT;
		return;
	}
	c->owner = p;
	c->tcp = tcp;
	pu_timer_init(&c->again, pu_host_loop(p->host), try_open, c);
	pu_list_append(&p->conns, &c->node);
	p->info.active++;
	p->net->ops->tcp_set_events(tcp, &waiting_events, c);
	try_open(c);
}

int pu_proxy_start(const struct pu_proxy_options *opt, struct pu_proxy **pp)
{
	int r = pu_service_name_check_open(opt->service);
	struct pu_proxy *p;

	if (r < 0)
		return r;
	p = calloc(1, sizeof *p);
	if (!p)
		return PU_ENOMEM;
	*p = (struct pu_proxy){ .host = opt->host, .net = opt->net, .peer = *opt->peer,
				.on_conn = opt->on_conn, .arg = opt->arg };
	memcpy(p->service, opt->service, strlen(opt->service) + 1);
	pu_list_init(&p->conns);
	r = p->net->ops->tcp_listen(p->net, opt->listen, on_accept, p, &p->listener);
	if (r < 0) {
		free(p);
		return r;
	}
	p->net->ops->tcp_listener_local(p->listener, &p->info.local);
	*pp = p;
	return 0;
}

static void conn_abort(struct conn *c)
{
	if (c->opening)
		pu_opening_cancel(c->opening);
	if (c->pipe)
		pu_pipe_abort(c->pipe);
	else
		c->owner->net->ops->tcp_close(c->tcp, true);
	conn_free(c);
}

void pu_proxy_stop(struct pu_proxy *p)
{
	if (!p)
		return;
	p->net->ops->tcp_listener_close(p->listener);
	PU_LIST_FOREACH (it, tmp, &p->conns)
		conn_abort(PU_CONTAINER_OF(it, struct conn, node));
	free(p);
}

void pu_proxy_info(const struct pu_proxy *p, struct pu_proxy_info *out)
{
	*out = p->info;
}
