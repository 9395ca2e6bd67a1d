/* One address is dialled without knowing who is there. A name may stand for several, which
 * then race: the first answer counts, as whoever is there has to prove itself anyway. */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/host/dial_names.h"
#include "p2p/host/dialer.h"
#include "p2p/host/state.h"

enum { PLACES_MAX = 4 };

struct unknown;

/* One of the addresses that the name stands for, or the only one. */
struct place {
	struct unknown *u;
	struct pu_multiaddr ma;
	struct pu_transport *t;
	struct pu_dial *d;
};

struct unknown {
	struct pu_host *h;
	struct pu_host_request *req; /* owns us */
	struct pu_dial_names *names;
	struct place place[PLACES_MAX];
	size_t n_places, n_begun;
	pu_time began_at, deadline;
	struct pu_timer timer; /* the next one, or the end */
	int err;               /* of the first that failed in a telling way */
};

static void give_up(struct unknown *u)
{
	pu_timer_stop(&u->timer);
	if (u->names)
		pu_dial_names_cancel(u->names);
	u->names = NULL;
	for (size_t i = 0; i < u->n_begun; i++) {
		struct place *p = &u->place[i];

		if (p->d)
			p->t->ops->dial_cancel(p->t, p->d);
		p->d = NULL;
	}
}

static void unknown_free(void *work)
{
	give_up(work);
	free(work);
}

static void failed(struct unknown *u, int err)
{
	give_up(u);
	pu_request_failed(u->req, err);
}

static void met(struct unknown *u, struct pu_conn *c)
{
	struct pu_host *h = u->h;
	struct pu_peer *p = pu_peerstore_find(&h->peers, &c->peer);
	struct pu_conn *there = p ? pu_connmgr_best_direct(p) : NULL;

	give_up(u);
	if (there && host_conn_of(there)->health.state != PU_HEALTH_SUSPECT) {
		pu_connmgr_turn_away(h, c, PU_CONN_CODE_SUPPLANTED);
		pu_request_met(u->req, there);
	} else if (pu_connmgr_adopt(h, c)) {
		pu_request_met(u->req, c);
	} else {
		failed(u, PU_ELIMIT);
	}
}

static bool under_way(const struct unknown *u)
{
	for (size_t i = 0; i < u->n_begun; i++)
		if (u->place[i].d)
			return true;
	return u->n_begun < u->n_places;
}

static void place_failed(struct unknown *u, int err)
{
	char addr[PU_MULTIADDR_TEXT_MAX];

	u->h->stats.dials_failed++;
	if (pu_log_enabled(PU_LOG_DEBUG))
		pu_log(PU_LOG_DEBUG, "dialer", "nobody met",
		       PU_KV_STR("addr", pu_multiaddr_text(&u->place[0].ma, addr)),
		       PU_KV_ERR(err));
	if (u->err == 0 || u->err == PU_EUNREACH)
		u->err = err;
	if (under_way(u))
		pu_timer_set(&u->timer, pu_loop_now(u->h->loop));
	else
		failed(u, u->h->met_self_at > u->began_at ? PU_EPEERID : u->err);
}

static void on_dialed(void *arg, int err, struct pu_conn *c)
{
	struct place *p = arg;

	p->d = NULL;
	if (err < 0)
		place_failed(p->u, err);
	else
		met(p->u, c);
}

static void begin(struct unknown *u)
{
	struct place *p = &u->place[u->n_begun++];
	pu_time left = u->deadline - pu_loop_now(u->h->loop);
	int r;

	p->u = u;
	p->t = pu_dialer_transport(u->h, &p->ma);
	u->h->stats.dials++;
	r = p->t->ops->dial(p->t, &p->ma, NULL, left, on_dialed, p, &p->d);
	if (r < 0)
		place_failed(u, r);
}

static void on_timer(void *arg)
{
	struct unknown *u = arg;
	pu_time now = pu_loop_now(u->h->loop);

	if (now >= u->deadline) {
		failed(u, u->err ? u->err : PU_ETIMEDOUT);
		return;
	}
	/* Before the dial, which may set another one. */
	pu_timer_set(&u->timer, u->n_begun + 1 < u->n_places
					? now + PU_MS(PU_DIALER_STEP_PUBLIC_MS) : u->deadline);
	if (u->n_begun < u->n_places)
		begin(u);
}

static void on_names(void *arg, int err, const struct pu_multiaddr *ma, size_t n)
{
	struct unknown *u = arg;

	u->names = NULL;
	for (size_t i = 0; i < n && u->n_places < PLACES_MAX; i++)
		if (pu_dialer_can(u->h, &ma[i]))
			u->place[u->n_places++].ma = ma[i];
	if (u->n_places == 0)
		failed(u, err ? err : PU_EUNREACH);
	else
		pu_timer_set(&u->timer, pu_loop_now(u->h->loop));
}

static int check(struct pu_host *h, const struct pu_multiaddr *ma)
{
	if (pu_multiaddr_kind(ma) == PU_MA_KIND_CIRCUIT || pu_multiaddr_has(ma, PU_MA_P2P) ||
	    pu_multiaddr_has(ma, PU_MA_DNSADDR))
		return PU_EINVAL;
	if (pu_dial_names_needed(ma))
		return 0;
	if (!pu_dialer_transport(h, ma))
		return PU_ENOTSUP;
	if (pu_listener_is_ours(&h->listener, ma))
		return PU_EPEERID;
	return pu_dialer_can(h, ma) ? 0 : PU_EUNREACH;
}

static int start(struct pu_host *h, const struct pu_multiaddr *ma, struct pu_host_request *req)
{
	static const struct pu_peerid nobody;
	pu_time now = pu_loop_now(h->loop);
	struct unknown *u = calloc(1, sizeof *u);

	if (!u)
		return PU_ENOMEM;
	u->h = h;
	u->req = req;
	u->began_at = now;
	u->deadline = now + PU_SEC(PU_HOST_DIAL_TIMEOUT_S);
	pu_timer_init(&u->timer, h->loop, on_timer, u);
	pu_request_set_work(req, u, unknown_free);
	if (pu_dial_names_needed(ma)) {
		pu_timer_set(&u->timer, u->deadline);
		return pu_dial_names_start(h->cfg.net, ma, &nobody, on_names, u, &u->names);
	}
	u->place[0].ma = *ma;
	u->n_places = 1;
	pu_timer_set(&u->timer, now);
	return 0;
}

int pu_host_connect_addr(struct pu_host *h, const struct pu_multiaddr *ma,
			 pu_host_connect_fn *on_done, void *arg, struct pu_host_request **preq)
{
	struct pu_host_request *req;
	int r = check(h, ma);

	if (r == 0)
		r = pu_request_await_anyone(h, on_done, arg, &req);
	if (r < 0)
		return r;
	r = start(h, ma, req);
	if (r < 0)
		pu_host_cancel(h, req);
	else if (preq)
		*preq = req;
	return r;
}
