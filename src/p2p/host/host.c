#include "p2p/host/host.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/host/state.h"
#include "p2p/multistream/negotiate.h"
#include "p2p/proto/identify.h"
#include "p2p/proto/ping.h"

/* What transports tell. */

static void on_inbound(void *arg, struct pu_conn *c)
{
	struct pu_host *h = arg;

	h->stats.inbound_accepted++;
	pu_connmgr_adopt(h, c);
}

static void on_inbound_failed(void *arg, const union pu_sockaddr *remote, int err)
{
	struct pu_host *h = arg;

	(void)remote;
	if (err != PU_EDENIED) /* those the gate has counted */
		h->stats.inbound_failed++;
}

static bool gate(void *arg, const struct pu_peerid *peer, bool inbound,
		 const struct pu_multiaddr *remote)
{
	struct pu_host *h = arg;
	char text[PU_PEERID_SHORT_MAX];

	if (pu_peerid_eq(peer, &h->cfg.key->peer)) {
		h->met_self_at = pu_loop_now(h->loop);
		return false;
	}
	if (!inbound)
		return true;
	if (!h->cfg.gate || h->cfg.gate(h->cfg.gate_arg, peer, remote))
		return true;
	h->stats.inbound_gated++;
	if (pu_probation_admit(&h->probation, peer, remote)) {
		h->stats.inbound_probation++;
		return true;
	}
	pu_log(PU_LOG_DEBUG, "host", "refused", PU_KV_STR("peer", pu_peerid_short(peer, text)));
	return false;
}

static const struct pu_transport_events transport_events = {
	.on_inbound = on_inbound,
	.on_inbound_failed = on_inbound_failed,
	.gate = gate,
};

struct pu_transport_config pu_host_transport_config(struct pu_host *h)
{
	return (struct pu_transport_config){
		.loop = h->loop,
		.net = h->cfg.net,
		.key = h->cfg.key,
		.ev = &transport_events,
		.arg = h,
		.max_pending_inbound = HOST_PENDING_INBOUND,
		.max_streams = h->cfg.max_streams,
		.stream_memory = h->cfg.stream_memory,
		.security = &h->cfg.tcp,
	};
}

void pu_host_add_transport(struct pu_host *h, PU_TAKES struct pu_transport *t)
{
	pu_list_append(&h->transports, &t->node);
}

/* Start and stop. */

static void addrs_changed(void *arg)
{
	struct pu_host *h = arg;

	if (h->identify)
		pu_identify_changed(h->identify);
	HOST_NOTIFY(h, on_addrs);
}

static void stopped(void *arg)
{
	struct pu_host *h = arg;
	pu_job_fn *on_stopped = h->on_stopped;

	h->state = HOST_STOPPED;
	h->on_stopped = NULL;
	pu_timer_stop(&h->tidy);
	if (on_stopped)
		on_stopped(h->stopped_arg);
}

static void tell_new_addrs(void *arg)
{
	struct pu_host *h = arg;

	PU_LIST_FOREACH(it, tmp, &h->peers.lru) {
		struct pu_peer *p = PU_CONTAINER_OF(it, struct pu_peer, lru);
		struct pu_peerid id = p->id;

		if (!p->new_addrs)
			continue;
		p->new_addrs = false;
		if (!p->protections)
			continue;
		/* What observers do may change the list; the rest is told next time. */
		pu_job_defer(&h->new_addrs);
		HOST_NOTIFY(h, on_peer_addrs, &id);
		return;
	}
}

static int copy_text(char **pto, const char *from)
{
	*pto = strdup(from ? from : "");
	return *pto ? 0 : PU_ENOMEM;
}

static void apply_defaults(struct pu_host_config *cfg)
{
	if (!cfg->max_conns)
		cfg->max_conns = HOST_CONNS_DEFAULT;
	if (!cfg->max_conns_per_peer)
		cfg->max_conns_per_peer = HOST_CONNS_PER_PEER_DEFAULT;
	if (!cfg->max_streams)
		cfg->max_streams = HOST_STREAMS_DEFAULT;
	if (!cfg->tcp.order[0]) {
		cfg->tcp.order[0] = PU_SECURITY_TLS;
		cfg->tcp.order[1] = PU_SECURITY_NOISE;
	}
}

static int add_transports(struct pu_host *h)
{
	struct pu_transport_config tc = pu_host_transport_config(h);
	struct pu_transport *t;
	int r = 0;

	if (!h->cfg.no_quic) {
		r = pu_quic_transport_new(&tc, &t);
		if (r < 0)
			return r;
		pu_host_add_transport(h, t);
	}
	if (!h->cfg.no_tcp) {
		r = pu_tcp_transport_new(&tc, &h->cfg.tcp, &t);
		if (r < 0)
			return r;
		pu_host_add_transport(h, t);
	}
	return 0;
}

static void init(struct pu_host *h, const struct pu_host_config *cfg)
{
	h->loop = cfg->loop;
	h->cfg = *cfg;
	apply_defaults(&h->cfg);
	pu_list_init(&h->transports);
	pu_list_init(&h->conns);
	pu_list_init(&h->handlers);
	pu_list_init(&h->observers);
	pu_list_init(&h->requests);
	pu_peerstore_init(&h->peers, h->loop);
	/* Everyone who is connected is known, and then some. */
	h->peers.max_peers = pu_max(h->peers.max_peers, 2 * (size_t)h->cfg.max_conns);
	pu_listener_init(&h->listener, h->loop, addrs_changed, h);
	pu_probation_init(&h->probation, h);
	pu_timer_init(&h->tidy, h->loop, pu_connmgr_tidy, h);
	pu_job_init(&h->stop_job, h->loop, stopped, h);
	pu_job_init(&h->new_addrs, h->loop, tell_new_addrs, h);
	h->peers.on_new_addrs = &h->new_addrs;
}

int pu_host_new(const struct pu_host_config *cfg, struct pu_host **ph)
{
	struct pu_host *h = calloc(1, sizeof *h);
	int r;

	if (!h)
		return PU_ENOMEM;
	init(h, cfg);
	r = copy_text(&h->agent, cfg->agent);
	if (r == 0)
		r = copy_text(&h->protocol_version, cfg->protocol_version);
	if (r == 0)
		r = add_transports(h);
	if (r == 0)
		r = pu_identify_new(h, &h->identify);
	if (r == 0)
		r = pu_ping_server_new(h, &h->ping);
	if (r < 0) {
		h->state = HOST_STOPPED;
		pu_host_free(h);
		return r;
	}
	*ph = h;
	return 0;
}

void pu_host_stop(struct pu_host *h, pu_job_fn *on_stopped, void *arg)
{
	assert(h->state == HOST_RUNNING);
	h->state = HOST_STOPPING;
	h->on_stopped = on_stopped;
	h->stopped_arg = arg;
	PU_LIST_FOREACH(it, tmp, &h->peers.lru)
		pu_dialer_stop(h, PU_CONTAINER_OF(it, struct pu_peer, lru));
	pu_request_cancel_all(h);
	PU_LIST_FOREACH(it, tmp, &h->transports) {
		struct pu_transport *t = PU_CONTAINER_OF(it, struct pu_transport, node);

		t->ops->stop(t);
	}
	pu_connmgr_close_all(h, PU_CONN_CODE_SHUTDOWN);
	pu_probation_end(&h->probation);
	pu_host_one_less(h);
}

void pu_host_one_less(struct pu_host *h)
{
	if (h->state == HOST_STOPPING && h->stats.n_conns == 0 && h->n_holds == 0)
		pu_job_defer(&h->stop_job);
}

void pu_host_hold(struct pu_host *h)
{
	h->n_holds++;
}

void pu_host_release(struct pu_host *h)
{
	assert(h->n_holds > 0);
	h->n_holds--;
	pu_host_one_less(h);
}

static void forget_handlers(struct pu_host *h)
{
	PU_LIST_FOREACH(it, tmp, &h->handlers) {
		pu_list_remove(it);
		free(PU_CONTAINER_OF(it, struct host_handler, node));
	}
}

void pu_host_free(struct pu_host *h)
{
	if (!h)
		return;
	assert(h->state != HOST_STOPPING && h->stats.n_conns == 0 && h->n_holds == 0 &&
	       pu_list_empty(&h->requests));
	pu_timer_stop(&h->tidy);
	pu_job_cancel(&h->stop_job);
	pu_job_cancel(&h->new_addrs);
	pu_identify_free(h->identify);
	PU_LIST_FOREACH(it, tmp, &h->transports) {
		struct pu_transport *t = PU_CONTAINER_OF(it, struct pu_transport, node);

		pu_list_remove(&t->node);
		t->ops->free(t);
	}
	pu_ping_server_free(h->ping);
	forget_handlers(h);
	pu_peerstore_deinit(&h->peers);
	pu_listener_deinit(&h->listener);
	free(h->agent);
	free(h->protocol_version);
	free(h);
}

/* Plain questions. */

const struct pu_peerid *pu_host_id(const struct pu_host *h)
{
	return &h->cfg.key->peer;
}

struct pu_loop *pu_host_loop(const struct pu_host *h)
{
	return h->loop;
}

void pu_host_stats(const struct pu_host *h, struct pu_host_stats *out)
{
	*out = h->stats;
	PU_LIST_FOREACH(it, tmp, &h->peers.lru)
		out->n_peers += PU_CONTAINER_OF(it, struct pu_peer, lru)->n_conns > 0;
}

/* Our addresses. */

int pu_host_listen(struct pu_host *h, const struct pu_multiaddr *ma)
{
	struct pu_multiaddr bound;
	int r;

	PU_LIST_FOREACH(it, tmp, &h->transports) {
		struct pu_transport *t = PU_CONTAINER_OF(it, struct pu_transport, node);

		if (!t->ops->listen || !t->ops->can_dial(t, ma))
			continue;
		r = t->ops->listen(t, ma, &bound);
		return r < 0 ? r : pu_listener_add_bound(&h->listener, &bound);
	}
	return PU_ENOTSUP;
}

void pu_host_set_interface_addrs(struct pu_host *h, const struct pu_multiaddr *ip_only, size_t n)
{
	pu_peerstore_forget_failures(&h->peers);
	pu_black_hole_reset(&h->no_udp);
	pu_black_hole_reset(&h->no_ip6);
	pu_listener_set_interfaces(&h->listener, ip_only, n);
}

int pu_host_advertise(struct pu_host *h, const void *owner, const struct pu_multiaddr *ma, size_t n)
{
	return pu_listener_advertise(&h->listener, owner, ma, n);
}

size_t pu_host_n_bound(const struct pu_host *h)
{
	return h->listener.n_bound;
}

size_t pu_host_addrs(const struct pu_host *h, struct pu_multiaddr *out, size_t cap)
{
	return pu_listener_addrs(&h->listener, out, cap);
}

bool pu_host_is_bound(const struct pu_host *h, const struct pu_multiaddr *ma)
{
	return pu_listener_is_ours(&h->listener, ma);
}

size_t pu_host_observed_addrs(const struct pu_host *h, unsigned min_observers,
			      struct pu_multiaddr *out, size_t cap)
{
	return pu_listener_observed(&h->listener, min_observers, out, cap);
}

/* Observers and consumers. */

void pu_host_observe(struct pu_host *h, struct pu_host_observer *o)
{
	pu_list_append(&h->observers, &o->node);
}

void pu_host_unobserve(struct pu_host *h, struct pu_host_observer *o)
{
	for (struct host_walk *w = h->walk; w; w = w->outer)
		if (w->next == &o->node)
			w->next = o->node.next;
	pu_list_remove(&o->node);
}

void pu_host_set_datagram_events(struct pu_host *h, const struct pu_host_datagram_events *ev,
				 void *arg)
{
	h->dgram_ev = ev;
	h->dgram_arg = arg;
}

int pu_host_handle(struct pu_host *h, const char *protocol, pu_host_stream_fn *fn, void *arg)
{
	size_t len = strlen(protocol);
	struct host_handler *hd;

	if (len == 0 || len > PU_HOST_PROTOCOL_MAX)
		return PU_EINVAL;
	if (pu_host_find_handler(h, pu_bytes_str(protocol)))
		return PU_EEXIST;
	hd = malloc(sizeof *hd + len + 1);
	if (!hd)
		return PU_ENOMEM;
	hd->fn = fn;
	hd->arg = arg;
	memcpy(hd->protocol, protocol, len + 1);
	pu_list_append(&h->handlers, &hd->node);
	if (h->identify)
		pu_identify_changed(h->identify);
	return 0;
}

void pu_host_unhandle(struct pu_host *h, const char *protocol)
{
	struct host_handler *hd = pu_host_find_handler(h, pu_bytes_str(protocol));

	if (!hd)
		return;
	pu_list_remove(&hd->node);
	free(hd);
	if (h->identify)
		pu_identify_changed(h->identify);
}

int pu_host_probation(struct pu_host *h, const char *protocol, bool through_relays,
		      pu_time until)
{
	if (h->state != HOST_RUNNING)
		return PU_ECLOSED;
	return pu_probation_allow(&h->probation, protocol, through_relays, until);
}

bool pu_host_is_guest(const struct pu_conn *c)
{
	return !host_conn_of(c)->peer;
}

void pu_host_promote(struct pu_host *h, const struct pu_peerid *peer)
{
	if (h->state == HOST_RUNNING)
		pu_probation_promote(&h->probation, peer);
}

bool pu_host_on_probation(const struct pu_host *h)
{
	return pu_probation_open(&h->probation);
}

/* Peers. */

int pu_host_add_addr(struct pu_host *h, const struct pu_peerid *peer,
		     const struct pu_multiaddr *ma, bool permanent)
{
	struct pu_peer *p = pu_peerstore_get(&h->peers, peer);

	return p ? pu_peerstore_add_addr(&h->peers, p, ma, permanent, false) : PU_ENOMEM;
}

void pu_host_remove_addr(struct pu_host *h, const struct pu_peerid *peer,
			 const struct pu_multiaddr *ma)
{
	struct pu_peer *p = pu_peerstore_find(&h->peers, peer);

	if (p)
		pu_peerstore_remove_addr(&h->peers, p, ma);
}

size_t pu_host_peer_addrs(const struct pu_host *h, const struct pu_peerid *peer,
			  struct pu_multiaddr *out, size_t cap)
{
	const struct pu_peer *p = pu_peerstore_find(&h->peers, peer);
	size_t n = 0;

	if (!p)
		return 0;
	PU_LIST_FOREACH(it, tmp, &p->addrs)
		if (n < cap)
			out[n++] = PU_CONTAINER_OF(it, struct pu_peer_addr, node)->ma;
	return n;
}

void pu_host_forget_failures(struct pu_host *h, const struct pu_peerid *peer)
{
	struct pu_peer *p = pu_peerstore_find(&h->peers, peer);

	if (p)
		pu_peerstore_forget_failures_of(p);
}

void pu_host_each_protocol(const struct pu_host *h, const struct pu_peerid *peer,
			   void (*fn)(void *arg, const char *protocol), void *arg)
{
	const struct pu_peer *p = pu_peerstore_find(&h->peers, peer);

	for (size_t i = 0; p && i < p->n_protocols; i++)
		fn(arg, p->protocols[i]);
}

bool pu_host_peer_supports(const struct pu_host *h, const struct pu_peerid *peer,
			   const char *protocol)
{
	const struct pu_peer *p = pu_peerstore_find(&h->peers, peer);

	return p && pu_peerstore_supports(p, protocol);
}

bool pu_host_peer_identified(const struct pu_host *h, const struct pu_peerid *peer)
{
	const struct pu_peer *p = pu_peerstore_find(&h->peers, peer);

	return p && p->identified;
}

const char *pu_host_peer_agent(const struct pu_host *h, const struct pu_peerid *peer)
{
	const struct pu_peer *p = pu_peerstore_find(&h->peers, peer);

	return p ? p->agent : "";
}

bool pu_host_peer_identity(const struct pu_host *h, const struct pu_peerid *peer,
			   struct pu_host_identity *out)
{
	const struct pu_peer *p = pu_peerstore_find(&h->peers, peer);

	if (!p || !p->identified)
		return false;
	*out = (struct pu_host_identity){ .record = p->record, .observed = p->observed };
	return true;
}

struct pu_conn *pu_host_conn(const struct pu_host *h, const struct pu_peerid *peer)
{
	const struct pu_peer *p = pu_peerstore_find(&h->peers, peer);

	return p ? pu_connmgr_best(p) : NULL;
}

void pu_host_each_conn(struct pu_host *h, void (*fn)(void *arg, struct pu_conn *c), void *arg)
{
	PU_LIST_FOREACH(it, tmp, &h->conns) {
		struct pu_conn *c = PU_CONTAINER_OF(it, struct host_conn, node)->c;

		if (!c->closing)
			fn(arg, c);
	}
}

void pu_host_protect(struct pu_host *h, const struct pu_peerid *peer, bool on)
{
	struct pu_peer *p = on ? pu_peerstore_get(&h->peers, peer)
			       : pu_peerstore_find(&h->peers, peer);

	if (p && on)
		p->protections++;
	else if (p && p->protections > 0)
		p->protections--;
}

void pu_host_disconnect(struct pu_host *h, const struct pu_peerid *peer, uint64_t code)
{
	struct pu_peer *p = pu_peerstore_find(&h->peers, peer);

	if (!p)
		return;
	PU_LIST_FOREACH(it, tmp, &p->conns) {
		struct pu_conn *c = PU_CONTAINER_OF(it, struct pu_conn, node);

		if (!c->closing)
			pu_conn_close(c, code);
	}
}
