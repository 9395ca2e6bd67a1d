#include "p2p/dcutr/dcutr.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/dcutr/session.h"

enum {
	PEERS_MAX = 256,
	SESSIONS_MAX = 32,
	ATTEMPTS_PER_MINUTE = 6, /* of one peer: two rounds of three */
};

/* A peer that we punched with, or that wants to. */
struct punched_peer {
	struct pu_list node; /* oldest first */
	struct pu_peerid id;
	struct pu_dcutr_session *session;
	bool led;        /* by ourselves, for the relayed connection that stands */
	bool complained; /* in the log, about its attempts */
	pu_time window_at;
	unsigned n_attempts; /* since then */
};

struct pu_dcutr {
	struct pu_host *h;
	struct pu_dcutr_options opt;
	struct pu_host_observer observer;
	struct pu_list peers;
	unsigned n_peers, n_sessions;
	struct pu_dcutr_stats stats;
};

/* Peers. */

static struct punched_peer *find(const struct pu_dcutr *d, const struct pu_peerid *id)
{
	PU_LIST_FOREACH(it, tmp, &d->peers) {
		struct punched_peer *p = PU_CONTAINER_OF(it, struct punched_peer, node);

		if (pu_peerid_eq(&p->id, id))
			return p;
	}
	return NULL;
}

static void peer_free(struct pu_dcutr *d, struct punched_peer *p)
{
	if (p->session) {
		pu_dcutr_session_free(p->session);
		d->n_sessions--;
	}
	pu_list_remove(&p->node);
	d->n_peers--;
	free(p);
}

/* The one that was quiet for longest makes room. */
static bool make_room(struct pu_dcutr *d)
{
	if (d->n_peers < PEERS_MAX)
		return true;
	PU_LIST_FOREACH(it, tmp, &d->peers) {
		struct punched_peer *p = PU_CONTAINER_OF(it, struct punched_peer, node);

		if (!p->session) {
			peer_free(d, p);
			return true;
		}
	}
	return false;
}

static struct punched_peer *get(struct pu_dcutr *d, const struct pu_peerid *id)
{
	struct punched_peer *p = find(d, id);

	if (!p) {
		p = make_room(d) ? calloc(1, sizeof *p) : NULL;
		if (!p)
			return NULL;
		p->id = *id;
		pu_list_init(&p->node);
		d->n_peers++;
	}
	pu_list_remove(&p->node);
	pu_list_append(&d->peers, &p->node);
	return p;
}

/* Outcomes. */

const char *pu_dcutr_outcome_text(enum pu_dcutr_outcome o)
{
	switch (o) {
	case PU_DCUTR_DIRECT:
		return "direct";
	case PU_DCUTR_NO_ADDRESSES:
		return "no address to punch to";
	case PU_DCUTR_UNSUPPORTED:
		return "not supported by the peer";
	case PU_DCUTR_TIMEOUT:
		return "nothing came through";
	case PU_DCUTR_STREAM_FAILED:
		return "relayed connection failed";
	case PU_DCUTR_NONSENSE:
		return "peer broke the protocol";
	case PU_DCUTR_N_OUTCOMES:
		break;
	}
	return "unknown";
}

static void log_result(const struct pu_dcutr_result *r)
{
	char peer[PU_PEERID_SHORT_MAX], addr[PU_MULTIADDR_TEXT_MAX];
	bool direct = r->outcome == PU_DCUTR_DIRECT;

	pu_log(direct ? PU_LOG_INFO : PU_LOG_DEBUG, "dcutr",
	       direct ? "direct connection" : "stays relayed",
	       PU_KV_STR("peer", pu_peerid_short(&r->peer, peer)),
	       PU_KV_STR("outcome", pu_dcutr_outcome_text(r->outcome)),
	       PU_KV_STR("addr", pu_multiaddr_text(&r->addr, addr)),
	       PU_KV_STR("role", r->leader ? "leader" : "follower"), PU_KV_U64("tries", r->tries),
	       PU_KV_U64("rtt_ms", r->rtt / PU_MS(1)), PU_KV_U64("took_ms", r->took / PU_MS(1)));
}

static void on_over(void *arg, struct pu_dcutr_session *s, const struct pu_dcutr_result *r)
{
	struct pu_dcutr *d = arg;
	struct pu_dcutr_result result = *r;
	struct punched_peer *p = find(d, &result.peer);

	p->session = NULL;
	d->n_sessions--;
	pu_dcutr_session_free(s);
	d->stats.outcomes[result.outcome]++;
	log_result(&result);
	if (d->opt.on_result)
		d->opt.on_result(d->opt.arg, &result);
}

static struct pu_dcutr_session_config session_config(struct pu_dcutr *d)
{
	return (struct pu_dcutr_session_config){
		.h = d->h,
		.private_addrs = d->opt.private_addrs,
		.on_over = on_over,
		.arg = d,
	};
}

/* Following. */

static bool within_rate(struct pu_dcutr *d, struct punched_peer *p)
{
	pu_time now = pu_loop_now(pu_host_loop(d->h));

	if (now - p->window_at >= PU_SEC(60)) {
		p->window_at = now;
		p->n_attempts = 0;
	}
	return ++p->n_attempts <= ATTEMPTS_PER_MINUTE;
}

static void refuse(struct pu_dcutr *d, struct punched_peer *p, struct pu_stream *st)
{
	char peer[PU_PEERID_SHORT_MAX];

	pu_stream_reset(st, PU_STREAM_CODE_RATE);
	d->stats.refused++;
	if (!p || p->complained)
		return;
	p->complained = true;
	pu_log(PU_LOG_WARN, "dcutr", "too many hole punches asked for",
	       PU_KV_STR("peer", pu_peerid_short(&p->id, peer)));
}

/* When both lead, because each has dialled the other through a relay, the one with the
 * smaller ID gives way. */
static bool gives_way(const struct pu_dcutr *d, const struct punched_peer *p)
{
	const struct pu_peerid *us = pu_host_id(d->h);

	return !pu_dcutr_session_leads(p->session) || memcmp(us, &p->id, sizeof *us) < 0;
}

static void on_stream(void *arg, struct pu_stream *st)
{
	struct pu_dcutr_session_config cfg = session_config(arg);
	struct pu_dcutr *d = arg;
	struct punched_peer *p;

	/* Who dialled through the relay follows; he should not ask. */
	if (!st->conn->limited || st->conn->inbound) {
		pu_stream_reset(st, PU_STREAM_CODE_PROTOCOL);
		return;
	}
	p = get(d, &st->conn->peer);
	if (!p || !within_rate(d, p) || (!p->session && d->n_sessions == SESSIONS_MAX))
		refuse(d, p, st);
	else if (!p->session)
		d->n_sessions += pu_dcutr_session_follow(&cfg, st, &p->session) == 0;
	else if (gives_way(d, p))
		pu_dcutr_session_continue(p->session, st);
	else
		pu_stream_reset(st, PU_STREAM_CODE_SUPPLANTED);
}

/* Leading. */

struct found {
	const struct pu_peerid *peer;
	struct pu_conn *inbound;
	bool direct, relayed;
};

static void look_at(void *arg, struct pu_conn *c)
{
	struct found *f = arg;

	if (!pu_peerid_eq(&c->peer, f->peer))
		return;
	f->direct |= !c->limited;
	f->relayed |= c->limited;
	if (c->limited && c->inbound)
		f->inbound = c;
}

int pu_dcutr_try(struct pu_dcutr *d, const struct pu_peerid *peer)
{
	struct pu_dcutr_session_config cfg = session_config(d);
	struct found f = { .peer = peer };
	struct punched_peer *p;
	int r;

	pu_host_each_conn(d->h, look_at, &f);
	p = find(d, peer);
	if (f.direct || (p && p->session))
		return PU_EEXIST;
	if (!f.inbound)
		return f.relayed ? PU_ENOTSUP : PU_EUNREACH;
	if (d->n_sessions == SESSIONS_MAX)
		return PU_ELIMIT;
	p = get(d, peer);
	if (!p)
		return PU_ENOMEM;
	r = pu_dcutr_session_lead(&cfg, f.inbound, &p->session);
	if (r == 0) {
		p->led = true;
		d->n_sessions++;
	}
	return r;
}

/* What the host tells. */

static void on_connected(void *arg, struct pu_conn *c)
{
	struct punched_peer *p = find(arg, &c->peer);

	if (p && p->session && !c->limited)
		pu_dcutr_session_direct(p->session, c);
}

/* Once per relayed connection: identify comes again with every push. */
static void on_identified(void *arg, struct pu_conn *c)
{
	struct pu_dcutr *d = arg;
	struct punched_peer *p = find(d, &c->peer);

	if (c->limited && c->inbound && !(p && p->led) &&
	    pu_host_peer_supports(d->h, &c->peer, PU_DCUTR_PROTOCOL))
		pu_dcutr_try(d, &c->peer);
}

static void on_disconnected(void *arg, struct pu_conn *c, int err, uint64_t code, bool last)
{
	struct pu_dcutr *d = arg;
	struct punched_peer *p = find(d, &c->peer);

	(void)err;
	(void)code;
	(void)last;
	if (!p || !c->limited)
		return;
	if (c->inbound)
		p->led = false;
	if (p->session)
		pu_dcutr_session_closed(p->session, c);
}

/* The interface. */

int pu_dcutr_new(struct pu_host *h, const struct pu_dcutr_options *opt, struct pu_dcutr **pd)
{
	struct pu_dcutr *d = calloc(1, sizeof *d);
	int r;

	if (!d)
		return PU_ENOMEM;
	d->h = h;
	d->opt = *opt;
	pu_list_init(&d->peers);
	r = pu_host_handle(h, PU_DCUTR_PROTOCOL, on_stream, d);
	if (r < 0) {
		free(d);
		return r;
	}
	d->observer.on_connected = on_connected;
	d->observer.on_identified = on_identified;
	d->observer.on_disconnected = on_disconnected;
	d->observer.arg = d;
	pu_host_observe(h, &d->observer);
	*pd = d;
	return 0;
}

void pu_dcutr_free(struct pu_dcutr *d)
{
	if (!d)
		return;
	pu_host_unobserve(d->h, &d->observer);
	pu_host_unhandle(d->h, PU_DCUTR_PROTOCOL);
	PU_LIST_FOREACH(it, tmp, &d->peers)
		peer_free(d, PU_CONTAINER_OF(it, struct punched_peer, node));
	free(d);
}

void pu_dcutr_stats(const struct pu_dcutr *d, struct pu_dcutr_stats *out)
{
	*out = d->stats;
}
