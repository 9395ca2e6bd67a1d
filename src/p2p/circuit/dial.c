/* Dials: a connection to the relay, the question, the handshake with the peer behind it. */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/circuit/addr.h"
#include "p2p/circuit/ask.h"
#include "p2p/circuit/transport_internal.h"

enum dial_state {
	DIAL_CONNECTING, /* to the relay */
	DIAL_WAITING,    /* another dial asks the relay for the same circuit */
	DIAL_ASKING,     /* the relay looks for the peer */
	DIAL_UPGRADING,  /* handshake with the peer */
};

struct pu_dial {
	struct pu_list node;
	struct pu_circuit_transport *tr;
	enum dial_state state;
	struct pu_peerid relay, target;
	struct pu_host_request *req;
	struct pu_circuit_ask *ask;
	struct pu_upgrade *up;
	struct pu_circuit_pipe *pipe; /* the upgrade's */
	uint32_t status;
	struct pu_timer timer; /* for everything */
	struct pu_job turn;    /* it need not wait any longer */
	int err;               /* why: 0, whoever asked was called off */
	pu_dial_fn *on_done;
	void *arg;
};

static struct pu_circuit_transport *of(const struct pu_transport *t)
{
	return PU_CONTAINER_OF(t, struct pu_circuit_transport, t);
}

static pu_time now_of(const struct pu_circuit_transport *tr)
{
	return pu_loop_now(tr->cfg.loop);
}

static void note_outcome(const struct pu_dial *d, int err)
{
	const struct pu_circuit_outcome o = {
		.relay = d->relay,
		.target = d->target,
		.err = err,
		.status = d->status,
		.at = now_of(d->tr),
	};
	char relay[PU_PEERID_SHORT_MAX], target[PU_PEERID_SHORT_MAX];

	pu_circuit_note_outcome(d->tr, &o);
	if (err < 0)
		pu_log(PU_LOG_DEBUG, "circuit", "dial failed",
		       PU_KV_STR("relay", pu_peerid_short(&d->relay, relay)),
		       PU_KV_STR("peer", pu_peerid_short(&d->target, target)),
		       PU_KV_U64("status", d->status), PU_KV_ERR(err));
}

/* Ends of a dial. */

static void dial_free(struct pu_dial *d)
{
	pu_list_remove(&d->node);
	d->tr->n_dials--;
	pu_timer_stop(&d->timer);
	pu_job_cancel(&d->turn);
	free(d);
}

static void abandon(struct pu_dial *d)
{
	if (d->req)
		pu_host_cancel(d->tr->h, d->req);
	if (d->ask)
		pu_circuit_ask_cancel(d->ask);
	if (d->up)
		pu_upgrade_cancel(d->up);
	d->req = NULL;
	d->ask = NULL;
	d->up = NULL;
}

static bool same_circuit(const struct pu_dial *a, const struct pu_dial *b)
{
	return pu_peerid_eq(&a->relay, &b->relay) && pu_peerid_eq(&a->target, &b->target);
}

static bool at_it(const struct pu_dial *d)
{
	return d->state == DIAL_ASKING || d->state == DIAL_UPGRADING;
}

/* Another dial for the same circuit: the one that is at it, or one that waits. */
static struct pu_dial *find_same(const struct pu_dial *d, bool waiting)
{
	PU_LIST_FOREACH(it, tmp, &d->tr->dials) {
		struct pu_dial *o = PU_CONTAINER_OF(it, struct pu_dial, node);

		if (o != d && same_circuit(o, d) &&
		    (waiting ? o->state == DIAL_WAITING : at_it(o)))
			return o;
	}
	return NULL;
}

static void report(struct pu_dial *d, int err, struct pu_conn *c)
{
	pu_dial_fn *on_done = d->on_done;
	void *arg = d->arg;

	dial_free(d);
	on_done(arg, err, c);
}

/* The relay's answer is also for those who wait for it. */
static void dial_failed(struct pu_dial *d, int err)
{
	bool answer = at_it(d);

	note_outcome(d, err);
	d->tr->stats.dials_failed++;
	PU_LIST_FOREACH(it, tmp, &d->tr->dials) {
		struct pu_dial *o = PU_CONTAINER_OF(it, struct pu_dial, node);

		if (!answer || o->state != DIAL_WAITING || !same_circuit(o, d))
			continue;
		o->status = d->status;
		o->err = err;
		pu_job_defer(&o->turn);
	}
	report(d, err, NULL);
}

static void dial_timeout(void *arg)
{
	abandon(arg);
	dial_failed(arg, PU_ETIMEDOUT);
}

void pu_circuit_dial_cancel(struct pu_transport *t, struct pu_dial *d)
{
	struct pu_dial *o = at_it(d) ? find_same(d, true) : NULL;

	(void)t;
	abandon(d);
	dial_free(d);
	if (o)
		pu_job_defer(&o->turn);
}

/* Stages of a dial. */

static void upgraded(void *arg, int err, struct pu_conn *c)
{
	struct pu_dial *d = arg;

	d->up = NULL;
	if (err < 0) {
		dial_failed(d, err);
		return;
	}
	d->pipe->conn = c;
	note_outcome(d, 0);
	report(d, 0, c);
}

static int start_upgrade(struct pu_dial *d, const struct pu_circuit_message *m,
			 PU_TAKES struct pu_stream *st)
{
	struct pu_circuit_transport *tr = d->tr;
	struct pu_upgrade_config uc = pu_circuit_upgrade_config(tr, st->conn);
	int r = pu_circuit_pipe_new(st, &tr->pipes, &d->pipe);

	if (r < 0)
		return r;
	d->state = DIAL_UPGRADING;
	d->pipe->limit = pu_circuit_limit_from(tr->h, &d->relay, m);
	uc.expected = &d->target;
	uc.initiator = true;
	uc.timeout = d->timer.deadline - now_of(tr);
	return pu_upgrade_start(&uc, &d->pipe->pipe, upgraded, d, &d->up);
}

static void on_answer(void *arg, int err, const struct pu_circuit_message *m, struct pu_stream *st)
{
	struct pu_dial *d = arg;

	d->ask = NULL;
	if (err == 0) {
		d->status = m->status;
		err = pu_circuit_ask_err(m->status);
		if (err < 0)
			pu_stream_close(st);
		else
			err = start_upgrade(d, m, st);
	}
	if (err < 0)
		dial_failed(d, err);
}

static void ask_relay(struct pu_dial *d, struct pu_conn *c)
{
	struct pu_circuit_transport *tr = d->tr;
	int r;

	d->state = DIAL_ASKING;
	r = pu_circuit_ask(tr->h, c, PU_CIRCUIT_CONNECT, &d->target,
			   d->timer.deadline - now_of(tr), on_answer, d, &d->ask);
	if (r < 0)
		dial_failed(d, r);
}

static void on_relay(void *arg, int err, struct pu_conn *c)
{
	struct pu_dial *d = arg;

	d->req = NULL;
	if (err < 0)
		dial_failed(d, err);
	else if (find_same(d, false))
		d->state = DIAL_WAITING;
	else
		ask_relay(d, c);
}

static int find_relay(struct pu_dial *d)
{
	struct pu_host *h = d->tr->h;

	d->state = DIAL_CONNECTING;
	return pu_host_connect_direct(h, &d->relay, on_relay, d, &d->req);
}

static void take_turn(void *arg)
{
	struct pu_dial *d = arg;
	int r = d->err < 0 ? d->err : find_relay(d);

	if (r < 0)
		dial_failed(d, r);
}

/* The contract. */

bool pu_circuit_can_dial(const struct pu_transport *t, const struct pu_multiaddr *ma)
{
	struct pu_multiaddr base;
	struct pu_peerid relay;

	return pu_circuit_addr_split(ma, &base, &relay) == 0 &&
	       !pu_peerid_eq(&relay, pu_host_id(of(t)->h));
}

static unsigned dials_through(const struct pu_circuit_transport *tr, const struct pu_peerid *relay)
{
	unsigned n = 0;

	PU_LIST_FOREACH(it, tmp, &tr->dials)
		n += pu_peerid_eq(&PU_CONTAINER_OF(it, struct pu_dial, node)->relay, relay);
	return n;
}

/* A relay cannot be reached through itself, nor can we. */
static int may_dial(struct pu_circuit_transport *tr, const struct pu_peerid *relay,
		    const struct pu_peerid *target)
{
	const struct pu_peerid *us = pu_host_id(tr->h);

	if (!target || pu_peerid_eq(relay, target) || pu_peerid_eq(us, target) ||
	    pu_peerid_eq(us, relay))
		return PU_EUNREACH;
	if (tr->n_dials >= PU_CIRCUIT_DIALS_MAX ||
	    dials_through(tr, relay) >= PU_CIRCUIT_DIALS_PER_RELAY)
		return PU_ELIMIT;
	return 0;
}

static struct pu_dial *dial_new(struct pu_circuit_transport *tr, const struct pu_peerid *relay,
				const struct pu_peerid *target, pu_time timeout_ns)
{
	struct pu_dial *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	d->tr = tr;
	d->relay = *relay;
	d->target = *target;
	pu_timer_init(&d->timer, tr->cfg.loop, dial_timeout, d);
	pu_timer_set(&d->timer, now_of(tr) + timeout_ns);
	pu_job_init(&d->turn, tr->cfg.loop, take_turn, d);
	pu_list_append(&tr->dials, &d->node);
	tr->n_dials++;
	tr->stats.dials++;
	return d;
}

int pu_circuit_dial(struct pu_transport *t, const struct pu_multiaddr *ma,
		    const struct pu_peerid *expected, pu_time timeout_ns, pu_dial_fn *on_done,
		    void *arg, struct pu_dial **pd)
{
	struct pu_circuit_transport *tr = of(t);
	struct pu_multiaddr base;
	struct pu_peerid relay;
	struct pu_dial *d;
	int r = pu_circuit_addr_split(ma, &base, &relay);

	if (r == 0)
		r = may_dial(tr, &relay, expected);
	if (r < 0)
		return r;
	r = base.len > 0 ? pu_host_add_addr(tr->h, &relay, &base, false) : 0;
	if (r < 0 && r != PU_ELIMIT) /* better addresses of the relay are known */
		return r;
	d = dial_new(tr, &relay, expected, timeout_ns);
	if (!d)
		return PU_ENOMEM;
	d->on_done = on_done;
	d->arg = arg;
	r = find_relay(d);
	if (r < 0)
		dial_free(d);
	else
		*pd = d;
	return r;
}

void pu_circuit_dial_cancel_all(struct pu_circuit_transport *tr)
{
	PU_LIST_FOREACH(it, tmp, &tr->dials)
		pu_circuit_dial_cancel(&tr->t, PU_CONTAINER_OF(it, struct pu_dial, node));
}
