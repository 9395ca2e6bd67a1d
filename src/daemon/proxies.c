#include "daemon/proxies.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/hostport.h"

enum { WHY_MAX = 128 };

/* First the peer is reached, then it is a proxy. */
struct entry {
	struct pu_list node;
	struct pu_proxies *owner;
	uint64_t id; /* of the request, then of the proxy */
	struct pu_peerid peer;
	char *target, *service;
	union pu_sockaddr listen;
	struct pu_host_request *request;
	pu_api_connected_fn *on_done;
	void *arg;
	struct pu_proxy *proxy;
};

struct pu_proxies {
	struct pu_host *host;
	struct pu_net *net;
	struct pu_list requests, proxies;
	unsigned n;
	uint64_t last_request, last_proxy;
};

int pu_proxies_new(struct pu_host *h, struct pu_net *net, struct pu_proxies **pp)
{
	struct pu_proxies *p = calloc(1, sizeof *p);

	if (!p)
		return PU_ENOMEM;
	p->host = h;
	p->net = net;
	pu_list_init(&p->requests);
	pu_list_init(&p->proxies);
	*pp = p;
	return 0;
}

static void entry_free(struct entry *e)
{
	if (e->request)
		pu_host_cancel(e->owner->host, e->request);
	pu_proxy_stop(e->proxy);
	pu_list_remove(&e->node);
	e->owner->n--;
	free(e->target);
	free(e->service);
	free(e);
}

void pu_proxies_free(struct pu_proxies *p)
{
	if (!p)
		return;
	PU_LIST_FOREACH (it, tmp, &p->requests)
		entry_free(PU_CONTAINER_OF(it, struct entry, node));
	PU_LIST_FOREACH (jt, jtmp, &p->proxies)
		entry_free(PU_CONTAINER_OF(jt, struct entry, node));
	free(p);
}

static int listen_for(struct entry *e)
{
	const struct pu_proxy_options opt = { .host = e->owner->host, .net = e->owner->net,
					      .peer = &e->peer, .service = e->service,
					      .listen = &e->listen };
	struct pu_proxy_info info;
	int r = pu_proxy_start(&opt, &e->proxy);

	if (r < 0)
		return r;
	pu_proxy_info(e->proxy, &info);
	e->listen = info.local;
	e->id = ++e->owner->last_proxy;
	pu_list_remove(&e->node);
	pu_list_append(&e->owner->proxies, &e->node);
	return 0;
}

static void on_reached(void *arg, int err, struct pu_conn *c)
{
	struct entry *e = arg;
	char listen[PU_HOSTPORT_TEXT_MAX], why[WHY_MAX];
	struct pu_api_connected done = { .listen = listen, .why = why, .unreachable = err < 0 };

	e->request = NULL;
	done.err = err < 0 ? err : listen_for(e);
	done.id = e->id;
	pu_hostport_text(&e->listen, listen);
	if (err < 0)
		snprintf(why, sizeof why, "%s", pu_err_text(err));
	else if (done.err)
		snprintf(why, sizeof why, "%s: %s", listen, pu_err_text(done.err));
	else
		pu_log(PU_LOG_INFO, "proxy", "listening", PU_KV_STR("address", listen),
		       PU_KV_STR("peer", e->target), PU_KV_STR("service", e->service));
	e->on_done(e->arg, &done);
	if (done.err)
		entry_free(e);
}

int pu_proxies_connect(struct pu_proxies *p, const struct pu_api_connect *c,
		       pu_api_connected_fn *on_done, void *arg, uint64_t *pid)
{
	union pu_sockaddr listen;
	int r = pu_hostport_parse(c->listen, &listen);
	struct entry *e;

	if (r < 0)
		return r;
	if (p->n >= PU_PROXIES_MAX)
		return PU_ELIMIT;
	e = calloc(1, sizeof *e);
	if (!e)
		return PU_ENOMEM;
	*e = (struct entry){ .owner = p, .peer = c->peer, .listen = listen, .on_done = on_done,
			     .arg = arg };
	pu_list_append(&p->requests, &e->node);
	p->n++;
	e->id = ++p->last_request;
	e->target = strdup(c->target);
	e->service = strdup(c->service);
	r = e->target && e->service ? 0 : PU_ENOMEM;
	if (r == 0)
		r = pu_host_connect(p->host, &c->peer, on_reached, e, &e->request);
	if (r < 0) {
		e->request = NULL;
		entry_free(e);
		return r;
	}
	*pid = e->id;
	return 0;
}

static struct entry *find(const struct pu_list *list, uint64_t id)
{
	PU_LIST_FOREACH (it, tmp, list) {
		struct entry *e = PU_CONTAINER_OF(it, struct entry, node);

		if (e->id == id)
			return e;
	}
	return NULL;
}

void pu_proxies_cancel(struct pu_proxies *p, uint64_t id)
{
	struct entry *e = find(&p->requests, id);

	if (e)
		entry_free(e);
}

int pu_proxies_disconnect(struct pu_proxies *p, uint64_t id)
{
	struct entry *e = find(&p->proxies, id);

	if (!e)
		return PU_ENOENT;
	entry_free(e);
	return 0;
}

void pu_proxies_each(const struct pu_proxies *p, pu_api_proxy_fn *fn, void *arg)
{
	char listen[PU_HOSTPORT_TEXT_MAX];
	struct pu_proxy_info info;

	PU_LIST_FOREACH (it, tmp, &p->proxies) {
		const struct entry *e = PU_CONTAINER_OF(it, struct entry, node);

		pu_proxy_info(e->proxy, &info);
		fn(arg, &(struct pu_api_proxy){
				.id = e->id,
				.peer = e->peer,
				.target = e->target,
				.service = e->service,
				.listen = pu_hostport_text(&e->listen, listen),
				.active = info.active,
				.opened = info.opened,
				.failed = info.failed,
				.last_error = info.last_error ? pu_err_text(info.last_error)
							      : NULL,
			});
	}
}
