#include "peerup/host.h"

#include <stdlib.h>

#include "base/err.h"
#include "lib/lib_internal.h"
#include "lib/version.h"
#include "p2p/transport/ws.h"

struct handler {
	struct pu_list node;
	struct peerup_host *h;
	peerup_stream_fn *fn;
	void *arg;
	char protocol[PEERUP_PROTOCOL_TEXT_MAX];
};

/* Events. */

struct conn_text {
	char peer[PEERUP_PEER_TEXT_MAX], remote[PEERUP_ADDR_TEXT_MAX];
};

static struct peerup_conn_info describe(const struct pu_conn *c, struct conn_text *t)
{
	return (struct peerup_conn_info){
		.peer = pu_peerid_text(&c->peer, t->peer),
		.remote = pu_multiaddr_text(&c->remote, t->remote),
		.security = c->security,
		.inbound = c->inbound,
	};
}

static void on_connected(void *arg, struct pu_conn *c)
{
	struct peerup_host *h = arg;
	struct conn_text t;
	struct peerup_conn_info info = describe(c, &t);

	if (h->opt.on_connected)
		h->opt.on_connected(h->opt.arg, &info);
}

static void on_disconnected(void *arg, struct pu_conn *c, int err, uint64_t code, bool last)
{
	struct peerup_host *h = arg;
	struct conn_text t;
	struct peerup_conn_info info = describe(c, &t);

	(void)code;
	if (h->opt.on_disconnected)
		h->opt.on_disconnected(h->opt.arg, &info, err, last);
}

static void on_identified(void *arg, struct pu_conn *c)
{
	struct peerup_host *h = arg;
	char peer[PEERUP_PEER_TEXT_MAX];

	if (h->opt.on_identified)
		h->opt.on_identified(h->opt.arg, pu_peerid_text(&c->peer, peer),
				     pu_host_peer_agent(h->h, &c->peer));
}

static void on_addrs(void *arg)
{
	struct peerup_host *h = arg;

	if (h->opt.on_addrs)
		h->opt.on_addrs(h->opt.arg);
}

static bool gate(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *remote)
{
	struct peerup_host *h = arg;
	struct conn_text t;

	return h->opt.gate(h->opt.arg, pu_peerid_text(peer, t.peer),
			   pu_multiaddr_text(remote, t.remote));
}

/* Start and stop. */

static void host_free(struct peerup_host *h)
{
	pu_platform_free(h->platform);
	if (h->h)
		pu_host_unobserve(h->h, &h->observer);
	pu_host_free(h->h);
	PU_LIST_FOREACH(it, tmp, &h->handlers) {
		pu_list_remove(it);
		free(PU_CONTAINER_OF(it, struct handler, node));
	}
	pu_list_remove(&h->node);
	pu_key_deinit(&h->key);
	free(h);
}

static void on_stopped(void *arg)
{
	struct peerup_host *h = arg;
	peerup_closed_fn *fn = h->on_closed;
	void *fn_arg = h->closed_arg;

	host_free(h);
	if (fn)
		fn(fn_arg);
}

static void stop(void *arg)
{
	struct peerup_host *h = arg;

	pu_host_stop(h->h, on_stopped, h);
}

static int inner_new(struct peerup_host *h)
{
	const struct peerup_host_options *o = &h->opt;
	const struct pu_host_config cfg = {
		.loop = h->loop->base,
		.net = h->loop->net,
		.key = &h->key,
		.agent = o->agent ? o->agent : "libpeerup/" PU_LIB_VERSION,
		.no_tcp = o->no_tcp,
		.no_quic = o->no_quic,
		.max_conns = o->max_conns,
		.max_conns_per_peer = o->max_conns_per_peer,
		.max_streams = o->max_streams,
		.idle_timeout = PU_SEC(o->idle_timeout_s),
		.gate = o->gate ? gate : NULL,
		.gate_arg = h,
	};
	int r = pu_host_new(&cfg, &h->h);

	h->opt.agent = NULL; /* borrowed until now */
	if (r == 0 && !o->no_tcp)
		r = pu_ws_transport_add(h->h, NULL, NULL);
	if (r < 0)
		return r;
	h->observer = (struct pu_host_observer){
		.on_connected = on_connected,
		.on_disconnected = on_disconnected,
		.on_identified = on_identified,
		.on_addrs = on_addrs,
		.arg = h,
	};
	pu_host_observe(h->h, &h->observer);
	return 0;
}

int peerup_host_new(struct peerup_loop *loop, const struct peerup_identity *id,
		    const struct peerup_host_options *opt, struct peerup_host **ph)
{
	struct peerup_host *h;
	int r;

	if (!loop || !id || (opt && opt->size != sizeof *opt) ||
	    (opt && opt->no_tcp && opt->no_quic))
		return PU_EINVAL;
	if (loop->freeing)
		return PU_ECLOSED;
	h = calloc(1, sizeof *h);
	if (!h)
		return PU_ENOMEM;
	h->loop = loop;
	h->key = id->key;
	memcpy(h->peer, id->peer, sizeof h->peer);
	if (opt)
		h->opt = *opt;
	pu_list_init(&h->handlers);
	pu_list_append(&loop->hosts, &h->node);
	pu_job_init(&h->stop_job, loop->base, stop, h);
	pu_loop_uv_sample(loop->base);
	r = inner_new(h);
	if (r < 0) {
		host_free(h);
		return r;
	}
	pu_lib_interfaces_watch(h);
	*ph = h;
	return 0;
}

/* By a job, since the caller may be an observer of the host. */
void peerup_host_close(struct peerup_host *h, peerup_closed_fn *on_closed, void *arg)
{
	if (!h || !pu_lib_usable(h))
		return;
	h->closing = true;
	h->on_closed = on_closed;
	h->closed_arg = arg;
	pu_job_defer(&h->stop_job);
}

const char *peerup_host_peer(const struct peerup_host *h)
{
	return h->peer;
}

/* Addresses. */

int peerup_host_listen(struct peerup_host *h, const char *addr)
{
	struct pu_multiaddr ma;
	int r;

	if (!pu_lib_usable(h))
		return PU_ECLOSED;
	r = addr ? pu_multiaddr_from_text(&ma, addr) : PU_EINVAL;
	return r < 0 ? r : pu_host_listen(h->h, &ma);
}

int peerup_host_addr(const struct peerup_host *h, size_t i, char *out)
{
	struct pu_multiaddr ma[PU_HOST_ADDRS_PER_PEER];
	size_t n = pu_host_addrs(h->h, ma, PU_ARRAY_LEN(ma));
	int r;

	if (i >= n)
		return PU_ENOENT;
	r = pu_multiaddr_append(&ma[i], PU_MA_P2P, pu_peerid_bytes(&h->key.peer));
	if (r == 0)
		pu_multiaddr_text(&ma[i], out);
	return r;
}

/* An address that says whose it is, in its two parts. */
static int parse_peer_addr(const char *text, struct pu_multiaddr *ma, struct pu_peerid *id)
{
	int r = text ? pu_multiaddr_from_text(ma, text) : PU_EINVAL;

	if (r == 0)
		r = pu_multiaddr_split_peer(ma, ma, id);
	return r == 0 && ma->len > 0 ? 0 : PU_EINVAL;
}

int peerup_host_add_addr(struct peerup_host *h, const char *addr)
{
	struct pu_multiaddr ma;
	struct pu_peerid id;
	int r;

	if (!pu_lib_usable(h))
		return PU_ECLOSED;
	r = parse_peer_addr(addr, &ma, &id);
	return r < 0 ? r : pu_host_add_addr(h->h, &id, &ma, true);
}

int peerup_host_remove_addr(struct peerup_host *h, const char *addr)
{
	struct pu_multiaddr ma;
	struct pu_peerid id;
	int r;

	if (!pu_lib_usable(h))
		return PU_ECLOSED;
	r = parse_peer_addr(addr, &ma, &id);
	if (r == 0)
		pu_host_remove_addr(h->h, &id, &ma);
	return r;
}

/* Protocols. */

static void on_stream(void *arg, struct pu_stream *inner)
{
	const struct handler *hd = arg;
	struct peerup_stream *st = pu_lib_stream_new(hd->h->loop->base, inner);

	if (st)
		pu_lib_stream_hand_out(st, hd->fn, hd->arg);
}

int peerup_host_handle(struct peerup_host *h, const char *protocol, peerup_stream_fn *fn, void *arg)
{
	struct handler *hd;
	int r;

	if (!pu_lib_usable(h))
		return PU_ECLOSED;
	if (!fn || !protocol || strlen(protocol) >= sizeof hd->protocol)
		return PU_EINVAL;
	hd = calloc(1, sizeof *hd);
	if (!hd)
		return PU_ENOMEM;
	*hd = (struct handler){ .h = h, .fn = fn, .arg = arg };
	memcpy(hd->protocol, protocol, strlen(protocol) + 1);
	r = pu_host_handle(h->h, protocol, on_stream, hd);
	if (r < 0)
		free(hd);
	else
		pu_list_append(&h->handlers, &hd->node);
	return r;
}

void peerup_host_unhandle(struct peerup_host *h, const char *protocol)
{
	if (!pu_lib_usable(h) || !protocol)
		return;
	PU_LIST_FOREACH(it, tmp, &h->handlers) {
		struct handler *hd = PU_CONTAINER_OF(it, struct handler, node);

		if (strcmp(hd->protocol, protocol) != 0)
			continue;
		pu_host_unhandle(h->h, protocol);
		pu_list_remove(&hd->node);
		free(hd);
	}
}

/* Peers. */

bool peerup_host_is_connected(const struct peerup_host *h, const char *peer)
{
	struct pu_peerid id;

	return peer && pu_peerid_from_text(&id, peer) == 0 && pu_host_conn(h->h, &id);
}

bool peerup_host_supports(const struct peerup_host *h, const char *peer, const char *protocol)
{
	struct pu_peerid id;

	return peer && protocol && pu_peerid_from_text(&id, peer) == 0 &&
	       pu_host_peer_supports(h->h, &id, protocol);
}

void peerup_host_disconnect(struct peerup_host *h, const char *peer)
{
	struct pu_peerid id;

	if (pu_lib_usable(h) && peer && pu_peerid_from_text(&id, peer) == 0)
		pu_host_disconnect(h->h, &id, PU_CONN_CODE_NORMAL);
}
