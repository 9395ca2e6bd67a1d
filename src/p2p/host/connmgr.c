/* Connections: who may have how many, which one is best, which ones are not needed. */
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/host/state.h"
#include "p2p/proto/identify.h"

enum {
	TIDY_S = 10,
	/* A second connection to a peer is closed after so long without use. The peer
	 * with the smaller ID goes first, so that two of us never close one each; the
	 * other side only helps when that did not happen. */
	SURPLUS_S = 60,
	SURPLUS_HELP_S = 240,
};

static void log_conn(const struct pu_conn *c, const char *event, int err)
{
	char peer[PU_PEERID_SHORT_MAX], addr[PU_MULTIADDR_TEXT_MAX];

	if (!pu_log_enabled(PU_LOG_DEBUG))
		return;
	pu_log(PU_LOG_DEBUG, "host", event, PU_KV_STR("peer", pu_peerid_short(&c->peer, peer)),
	       PU_KV_STR("addr", pu_multiaddr_text(&c->remote, addr)),
	       PU_KV_STR("direction", c->inbound ? "in" : "out"),
	       PU_KV_STR("security", c->security), PU_KV_ERR(err));
}

/* What the connection tells. */

static void on_stream(void *arg, struct pu_conn *c, struct pu_stream *st)
{
	(void)c;
	pu_negotiation_start(arg, st);
}

static void on_datagram(void *arg, struct pu_conn *c, const uint8_t *p, size_t len)
{
	struct pu_host *h = ((struct host_conn *)arg)->h;

	if (h->dgram_ev && h->dgram_ev->on_datagram)
		h->dgram_ev->on_datagram(h->dgram_arg, c, p, len);
}

static void on_datagrams_end(void *arg, struct pu_conn *c)
{
	struct pu_host *h = ((struct host_conn *)arg)->h;

	if (h->dgram_ev && h->dgram_ev->on_batch_end)
		h->dgram_ev->on_batch_end(h->dgram_arg, c);
}

static void on_datagram_room(void *arg, struct pu_conn *c)
{
	struct pu_host *h = ((struct host_conn *)arg)->h;

	if (h->dgram_ev && h->dgram_ev->on_room)
		h->dgram_ev->on_room(h->dgram_arg, c);
}

static void on_path(void *arg, struct pu_conn *c)
{
	pu_observation_moved(arg);
	HOST_NOTIFY(((struct host_conn *)arg)->h, on_path, c);
}

static void on_quiet(void *arg, struct pu_conn *c)
{
	(void)c;
	pu_health_quiet(arg);
}

void pu_connmgr_health_changed(struct host_conn *hc)
{
	struct pu_host *h = hc->h;
	struct pu_conn *c = hc->c;
	bool well = hc->health.state == PU_HEALTH_WELL;

	pu_connmgr_rechoose(h, hc->peer);
	if (well)
		pu_request_connected(h, c);
	HOST_NOTIFY(h, on_health, c, well);
}

static void forget(struct host_conn *hc)
{
	struct pu_peer *p = hc->peer;

	pu_health_stop(hc);
	pu_observation_end(hc);
	pu_list_remove(&hc->c->node);
	pu_list_remove(&hc->node);
	p->n_conns--;
	hc->h->stats.n_conns--;
	p->best_lost |= p->told_best == hc->c;
	if (p->faster == hc->c)
		p->faster = NULL;
}

static void on_closed(void *arg, struct pu_conn *c, int err, uint64_t code)
{
	struct host_conn *hc = arg;
	struct pu_host *h = hc->h;
	struct pu_peer *p;

	log_conn(c, "disconnected", err);
	pu_negotiation_drop_all(hc);
	pu_identify_conn_closed(hc);
	forget(hc);
	pu_request_conn_closed(h, c);
	HOST_NOTIFY(h, on_disconnected, c, err, code, hc->peer->n_conns == 0);
	p = pu_peerstore_find(&h->peers, &c->peer);
	if (p)
		pu_connmgr_rechoose(h, p);
	p = pu_peerstore_find(&h->peers, &c->peer);
	if (p)
		pu_peerstore_left(p);
	free(hc);
	pu_host_one_less(h);
}

static const struct pu_conn_events conn_events = {
	.on_stream = on_stream,
	.on_datagram = on_datagram,
	.on_datagrams_end = on_datagrams_end,
	.on_datagram_room = on_datagram_room,
	.on_path = on_path,
	.on_quiet = on_quiet,
	.on_closed = on_closed,
};

/* A connection that is turned away has nobody to tell. */

static void refused_stream(void *arg, struct pu_conn *c, struct pu_stream *st)
{
	(void)arg;
	(void)c;
	pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
}

static void refused_closed(void *arg, struct pu_conn *c, int err, uint64_t code)
{
	struct pu_host *h = arg;

	(void)c;
	(void)err;
	(void)code;
	h->stats.n_conns--;
	pu_host_one_less(h);
}

static const struct pu_conn_events refused_events = {
	.on_stream = refused_stream,
	.on_closed = refused_closed,
};

void pu_connmgr_turn_away(struct pu_host *h, struct pu_conn *c, uint64_t code)
{
	h->stats.n_conns++;
	c->ev = &refused_events;
	c->arg = h;
	pu_conn_close(c, code);
}

/* Limits. */

static bool idle(const struct pu_conn *c)
{
	const struct host_conn *hc = host_conn_of(c);

	return !c->closing && c->n_streams == 0 &&
	       c->rx_bytes + c->tx_bytes == hc->seen_bytes;
}

static pu_time idle_for(const struct pu_conn *c)
{
	const struct host_conn *hc = host_conn_of(c);

	return idle(c) ? pu_loop_now(hc->h->loop) - hc->active_at : 0;
}

/* The connection that was idle for longest, but not just opened. */
static struct pu_conn *least_needed(struct pu_host *h)
{
	struct pu_conn *worst = NULL;

	PU_LIST_FOREACH(it, tmp, &h->conns) {
		struct pu_conn *c = PU_CONTAINER_OF(it, struct host_conn, node)->c;

		if (host_conn_of(c)->peer->protections)
			continue;
		if (idle_for(c) > (worst ? idle_for(worst) : PU_SEC(TIDY_S)))
			worst = c;
	}
	return worst;
}

static bool has_room(struct pu_host *h, const struct pu_peer *p)
{
	struct pu_conn *c;

	if (p->n_conns >= h->cfg.max_conns_per_peer)
		return false;
	if (h->stats.n_conns < h->cfg.max_conns)
		return true;
	c = least_needed(h);
	if (!c)
		return p->protections > 0; /* the user's own peers always get in */
	pu_conn_close(c, PU_CONN_CODE_GC);
	return true;
}

static void each_older_is_doubted(struct pu_peer *p, const struct pu_conn *newest)
{
	PU_LIST_FOREACH(it, tmp, &p->conns) {
		struct pu_conn *c = PU_CONTAINER_OF(it, struct pu_conn, node);

		if (c != newest)
			pu_health_doubt(host_conn_of(c));
	}
}

/* Among the connections of its peer from now on. */
static void enter(struct host_conn *hc, struct pu_peer *p)
{
	struct pu_host *h = hc->h;
	struct pu_conn *c = hc->c;

	hc->peer = p;
	hc->active_at = pu_loop_now(h->loop);
	pu_health_init(hc);
	c->ev = &conn_events;
	pu_list_append(&p->conns, &c->node);
	pu_list_append(&h->conns, &hc->node);
	p->n_conns++;
	log_conn(c, "connected", 0);
	if (!pu_timer_active(&h->tidy))
		pu_timer_set(&h->tidy, pu_loop_now(h->loop) + PU_SEC(TIDY_S));
	pu_identify_conn_opened(hc);
	p->faster = NULL; /* the newest among equals, until measured */
	if (c->inbound) /* a peer that dials again may have lost what was there */
		each_older_is_doubted(p, c);
	HOST_NOTIFY(h, on_connected, c);
	pu_connmgr_rechoose(h, p);
	pu_request_connected(h, c);
}

bool pu_connmgr_adopt(struct pu_host *h, struct pu_conn *c)
{
	struct host_conn *hc = NULL;
	struct pu_peer *p;

	if (c->inbound && pu_probation_adopt(&h->probation, c))
		return true;
	if (h->state != HOST_RUNNING) {
		pu_connmgr_turn_away(h, c, PU_CONN_CODE_SHUTDOWN);
		return false;
	}
	p = pu_peerstore_get(&h->peers, &c->peer);
	if (p && has_room(h, p))
		hc = calloc(1, sizeof *hc);
	if (!hc) {
		pu_connmgr_turn_away(h, c, PU_CONN_CODE_LIMIT);
		return false;
	}
	hc->h = h;
	hc->c = c;
	pu_list_init(&hc->negotiations);
	c->arg = hc;
	h->stats.n_conns++;
	enter(hc, p);
	return true;
}

bool pu_connmgr_promote(struct host_conn *hc)
{
	struct pu_peer *p = pu_peerstore_get(&hc->h->peers, &hc->c->peer);

	if (!p || p->n_conns >= hc->h->cfg.max_conns_per_peer)
		return false;
	enter(hc, p);
	if (hc->identify)
		pu_identify_conn_owed(hc);
	return true;
}

/* Tidying. */

static bool surplus(struct pu_host *h, const struct pu_conn *c)
{
	const struct pu_peer *p = host_conn_of(c)->peer;
	const struct pu_peerid *us = &h->cfg.key->peer;
	bool first = memcmp(us, &c->peer, sizeof *us) < 0;

	if (pu_connmgr_best(p) == c || (p->protections && pu_connmgr_spare(p) == c))
		return false;
	return idle_for(c) >= PU_SEC(first ? SURPLUS_S : SURPLUS_HELP_S);
}

static void look_at(struct pu_host *h, struct pu_conn *c)
{
	struct host_conn *hc = host_conn_of(c);

	if (!idle(c)) {
		hc->seen_bytes = c->rx_bytes + c->tx_bytes;
		hc->active_at = pu_loop_now(h->loop);
	} else if ((h->cfg.idle_timeout && !hc->peer->protections &&
		    idle_for(c) >= h->cfg.idle_timeout) || surplus(h, c)) {
		pu_conn_close(c, PU_CONN_CODE_GC);
	}
}

void pu_connmgr_tidy(void *arg)
{
	struct pu_host *h = arg;

	PU_LIST_FOREACH(it, tmp, &h->conns)
		look_at(h, PU_CONTAINER_OF(it, struct host_conn, node)->c);
	PU_LIST_FOREACH(jt, jtmp, &h->peers.lru)
		pu_connmgr_compare_rtt(h, PU_CONTAINER_OF(jt, struct pu_peer, lru));
	if (h->stats.n_conns > 0)
		pu_timer_set(&h->tidy, pu_loop_now(h->loop) + PU_SEC(TIDY_S));
}

void pu_connmgr_close_all(struct pu_host *h, uint64_t code)
{
	PU_LIST_FOREACH(it, tmp, &h->conns) {
		struct pu_conn *c = PU_CONTAINER_OF(it, struct host_conn, node)->c;

		if (!c->closing)
			pu_conn_close(c, code);
	}
}
