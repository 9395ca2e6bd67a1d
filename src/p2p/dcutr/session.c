#include "p2p/dcutr/session.h"

#include <stdlib.h>

#include "base/err.h"
#include "p2p/circuit/transport.h"
#include "p2p/dcutr/exchange.h"
#include "p2p/dcutr/salvo.h"

enum { DOUBT_MS = 2500 }; /* half of the window */

struct pu_dcutr_session {
	struct pu_dcutr_session_config cfg;
	struct pu_dcutr_result result;
	bool over;
	struct pu_conn *relayed; /* leader: where streams are opened */
	/* At most one of these is under way. */
	struct pu_host_request *req; /* plain dial, then a stream */
	struct pu_dcutr_exchange *exchange;
	struct pu_dcutr_salvo *salvo;
	struct pu_timer timer; /* limits the dial, waits for the moment, for the leader, … */
	struct pu_multiaddr targets[PU_DCUTR_TARGETS_MAX];
	size_t n_targets;
	pu_time started_at;
	struct pu_job tell;
};

static void next_try(struct pu_dcutr_session *s);

static pu_time now(const struct pu_dcutr_session *s)
{
	return pu_loop_now(pu_host_loop(s->cfg.h));
}

static void stop(struct pu_dcutr_session *s)
{
	pu_timer_stop(&s->timer);
	if (s->req)
		pu_host_cancel(s->cfg.h, s->req);
	if (s->exchange)
		pu_dcutr_exchange_cancel(s->exchange);
	if (s->salvo)
		pu_dcutr_salvo_cancel(s->salvo);
	s->req = NULL;
	s->exchange = NULL;
	s->salvo = NULL;
}

static void tell(void *arg)
{
	struct pu_dcutr_session *s = arg;

	stop(s);
	s->cfg.on_over(s->cfg.arg, s, &s->result);
}

/* The first outcome counts, but a direct connection is better than any. */
static void end(struct pu_dcutr_session *s, enum pu_dcutr_outcome outcome)
{
	if (s->over && outcome != PU_DCUTR_DIRECT)
		return;
	s->over = true;
	s->result.outcome = outcome;
	s->result.took = now(s) - s->started_at;
	pu_timer_stop(&s->timer);
	pu_job_defer(&s->tell);
}

/* The host tells of new connections; there may have been one already. */
static void arrived(struct pu_dcutr_session *s)
{
	struct pu_conn *c = pu_host_conn(s->cfg.h, &s->result.peer);

	if (c && !c->limited)
		s->result.addr = c->remote;
	end(s, PU_DCUTR_DIRECT);
}

/* Punching. */

static void on_salvo(void *arg, int err)
{
	struct pu_dcutr_session *s = arg;

	s->salvo = NULL;
	pu_timer_stop(&s->timer);
	if (s->over)
		return;
	if (err == 0)
		arrived(s);
	else if (s->n_targets == 0)
		end(s, PU_DCUTR_NO_ADDRESSES);
	else if (s->result.leader)
		next_try(s);
	else if (s->result.tries >= PU_DCUTR_TRIES_MAX)
		end(s, PU_DCUTR_TIMEOUT);
	else
		pu_timer_set(&s->timer, now(s) + PU_SEC(PU_DCUTR_NEXT_TRY_S));
}

static void punch(struct pu_dcutr_session *s)
{
	struct pu_multiaddr nowhere;
	bool none = s->n_targets == 0;
	int r = pu_multiaddr_from_text(&nowhere, "/ip4/0.0.0.0/tcp/0");

	/* Without a target of ours the peer may still reach us. */
	if (r == 0)
		r = pu_dcutr_salvo_start(s->cfg.h, &s->result.peer, none ? &nowhere : s->targets,
					 none ? 1 : s->n_targets, !s->result.leader,
					 PU_SEC(PU_DCUTR_WINDOW_S), on_salvo, s, &s->salvo);
	if (r < 0)
		end(s, PU_DCUTR_NO_ADDRESSES);
	else
		pu_timer_set(&s->timer, now(s) + PU_MS(DOUBT_MS));
}

/* Agreeing. */

static enum pu_dcutr_outcome outcome_of(int err)
{
	return err == PU_EPROTO	   ? PU_DCUTR_NONSENSE
	       : err == PU_ENOPROTO ? PU_DCUTR_UNSUPPORTED
				    : PU_DCUTR_STREAM_FAILED;
}

static void on_exchange(void *arg, int err, const struct pu_dcutr_message *theirs, pu_time rtt)
{
	struct pu_dcutr_session *s = arg;

	s->exchange = NULL;
	if (s->over)
		return;
	if (err < 0) {
		end(s, outcome_of(err));
		return;
	}
	s->result.tries++;
	s->result.rtt = rtt;
	s->n_targets = pu_dcutr_targets(&s->result.peer, theirs->addrs, theirs->n_addrs,
					s->cfg.private_addrs, s->targets);
	if (s->result.leader)
		pu_timer_set(&s->timer, now(s) + rtt / 2);
	else
		punch(s);
}

static void agree(struct pu_dcutr_session *s, PU_TAKES struct pu_stream *st)
{
	struct pu_dcutr_message ours = { .type = PU_DCUTR_CONNECT };
	int r;

	ours.n_addrs = pu_dcutr_own_addrs(s->cfg.h, s->cfg.private_addrs, ours.addrs,
					  PU_ARRAY_LEN(ours.addrs));
	if (ours.n_addrs == 0) {
		pu_stream_reset(st, PU_STREAM_CODE_NONE);
		end(s, PU_DCUTR_NO_ADDRESSES);
		return;
	}
	r = pu_dcutr_exchange_start(pu_host_loop(s->cfg.h), st, s->result.leader, &ours,
				    on_exchange, s, &s->exchange);
	if (r < 0)
		end(s, PU_DCUTR_STREAM_FAILED);
}

/* Leading. */

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct pu_dcutr_session *s = arg;

	s->req = NULL;
	if (err < 0)
		end(s, outcome_of(err));
	else
		agree(s, st);
}

static bool may_lead(struct pu_dcutr_session *s)
{
	struct pu_multiaddr one;

	return pu_dcutr_own_addrs(s->cfg.h, s->cfg.private_addrs, &one, 1) > 0;
}

static void next_try(struct pu_dcutr_session *s)
{
	static const char *const protocols[] = { PU_DCUTR_PROTOCOL, NULL };

	if (s->result.tries >= PU_DCUTR_TRIES_MAX)
		end(s, PU_DCUTR_TIMEOUT);
	else if (!s->relayed)
		end(s, PU_DCUTR_STREAM_FAILED);
	else if (!may_lead(s))
		end(s, PU_DCUTR_NO_ADDRESSES);
	else if (pu_host_open(s->cfg.h, &s->result.peer, s->relayed, protocols, on_open, s,
			      &s->req) < 0)
		end(s, PU_DCUTR_STREAM_FAILED);
}

static void on_dialed(void *arg, int err, struct pu_conn *c)
{
	struct pu_dcutr_session *s = arg;

	(void)c;
	s->req = NULL;
	pu_timer_stop(&s->timer);
	if (s->over)
		return;
	if (err == 0)
		arrived(s);
	else
		next_try(s);
}

static bool has_public_addr(const struct pu_dcutr_session *s)
{
	struct pu_multiaddr ma[PU_HOST_ADDRS_PER_PEER];
	size_t n = pu_host_peer_addrs(s->cfg.h, &s->result.peer, ma, PU_ARRAY_LEN(ma));

	for (size_t i = 0; i < n; i++)
		if (pu_multiaddr_kind(&ma[i]) != PU_MA_KIND_CIRCUIT &&
		    pu_multiaddr_is_public(&ma[i]))
			return true;
	return false;
}

/* Through the relay; 0: unknown. */
static pu_time relayed_rtt(const struct pu_dcutr_session *s)
{
	pu_time rtt = pu_conn_rtt(s->relayed);
	struct pu_peerid relay;
	struct pu_conn *half;

	if (rtt > 0 || !pu_circuit_relay_of(s->relayed, &relay))
		return rtt;
	half = pu_host_conn(s->cfg.h, &relay);
	return half ? 2 * pu_conn_rtt(half) : 0;
}

static pu_time patience(const struct pu_dcutr_session *s)
{
	pu_time rtt = relayed_rtt(s);

	if (rtt == 0)
		return PU_MS(PU_DCUTR_DIAL_MAX_MS);
	return pu_max(PU_MS(PU_DCUTR_DIAL_MIN_MS),
		      pu_min(PU_MS(PU_DCUTR_DIAL_MAX_MS), PU_DCUTR_DIAL_RTTS * rtt));
}

/* A peer whose NAT forwards a port, or that has none, can be reached without ado. */
static void plain_dial(struct pu_dcutr_session *s)
{
	if (has_public_addr(s) &&
	    pu_host_connect_direct(s->cfg.h, &s->result.peer, on_dialed, s, &s->req) == 0)
		pu_timer_set(&s->timer, now(s) + patience(s));
	else
		next_try(s);
}

static void on_timer(void *arg)
{
	struct pu_dcutr_session *s = arg;

	if (s->salvo) { /* perhaps our addresses are others now; for the next try */
		pu_host_ask_observed(s->cfg.h);
	} else if (s->req) { /* the dial takes too long */
		pu_host_cancel(s->cfg.h, s->req);
		s->req = NULL;
		next_try(s);
	} else if (s->result.leader) {
		punch(s);
	} else {
		end(s, PU_DCUTR_TIMEOUT);
	}
}

/* The interface. */

static struct pu_dcutr_session *session_new(const struct pu_dcutr_session_config *cfg,
					    const struct pu_conn *c, bool leader)
{
	struct pu_dcutr_session *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->cfg = *cfg;
	s->result.peer = c->peer;
	s->result.leader = leader;
	pu_timer_init(&s->timer, pu_host_loop(cfg->h), on_timer, s);
	pu_job_init(&s->tell, pu_host_loop(cfg->h), tell, s);
	s->started_at = now(s);
	return s;
}

int pu_dcutr_session_lead(const struct pu_dcutr_session_config *cfg, struct pu_conn *c,
			  struct pu_dcutr_session **ps)
{
	struct pu_dcutr_session *s = session_new(cfg, c, true);

	if (!s)
		return PU_ENOMEM;
	s->relayed = c;
	plain_dial(s);
	*ps = s;
	return 0;
}

int pu_dcutr_session_follow(const struct pu_dcutr_session_config *cfg,
			    PU_TAKES struct pu_stream *st, struct pu_dcutr_session **ps)
{
	struct pu_dcutr_session *s = session_new(cfg, st->conn, false);

	if (!s) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return PU_ENOMEM;
	}
	agree(s, st);
	*ps = s;
	return 0;
}

void pu_dcutr_session_continue(struct pu_dcutr_session *s, PU_TAKES struct pu_stream *st)
{
	if (s->over) {
		pu_stream_reset(st, PU_STREAM_CODE_NONE);
		return;
	}
	stop(s);
	s->result.leader = false;
	s->relayed = NULL;
	agree(s, st);
}

void pu_dcutr_session_free(struct pu_dcutr_session *s)
{
	stop(s);
	pu_job_cancel(&s->tell);
	free(s);
}

bool pu_dcutr_session_leads(const struct pu_dcutr_session *s)
{
	return s->result.leader;
}

void pu_dcutr_session_direct(struct pu_dcutr_session *s, const struct pu_conn *c)
{
	s->result.addr = c->remote;
	end(s, PU_DCUTR_DIRECT);
}

void pu_dcutr_session_closed(struct pu_dcutr_session *s, const struct pu_conn *c)
{
	if (s->relayed == c)
		s->relayed = NULL;
}
