/* Hole punching (specs relay/DCUtR.md): the passive side sends bytes that mean nothing to
 * anybody to open its NAT for the peer, who dials at the same moment. */
#include "p2p/transport/quic_internal.h"

#include <stdlib.h>

enum {
	GAP_MIN_MS = 10,
	GAP_RANDOM_MAX_MS = 200,
	NOT_QUIC = 0x3f, /* neither a long header nor the fixed bit: dropped in silence */
	HINTS_MAX = 2,
};

struct quic_punch {
	struct pu_quic *q;
	struct pu_list node;
	struct pu_timer timer;
	struct pu_dial *dial;
	struct quic_endpoint *ep;
	union pu_sockaddr remote;
	struct pu_peerid expected;
	bool initiator;
	unsigned sent, hints;
	bool canceled; /* by the end of the transport's activity */
};

static void punch_free(struct quic_punch *p)
{
	pu_timer_stop(&p->timer);
	pu_list_remove(&p->node);
	free(p);
}

void pu_quic_dial_free(struct pu_dial *d)
{
	if (d && d->punch)
		punch_free(d->punch);
	free(d);
}

static void finish(struct quic_punch *p, int err)
{
	struct pu_dial *d = p->dial;

	d->on_done(d->arg, err, NULL);
	pu_quic_dial_free(d);
}

/* Often at first, then less: 10 ms and up to min(10 (i+1)^2, 200) ms more. */
static pu_time gap(struct quic_punch *p)
{
	size_t i = pu_min(p->sent, 5), spread = pu_min(10 * (i + 1) * (i + 1), GAP_RANDOM_MAX_MS);
	uint32_t r;

	pu_loop_random(p->q->cfg.loop, &r, sizeof r);
	return PU_MS(GAP_MIN_MS) + r % PU_MS(spread);
}

static void on_timer(void *arg)
{
	struct quic_punch *p = arg;
	struct pu_loop *loop = p->q->cfg.loop;
	uint8_t junk[QUIC_PUNCH_LEN];
	struct pu_dgrams d = { .remote = p->remote, .p = junk, .len = sizeof junk,
			       .segment = sizeof junk };

	if (p->canceled || pu_loop_now(loop) >= p->dial->deadline) {
		finish(p, p->canceled ? PU_ECANCELED : PU_ETIMEDOUT);
		return;
	}
	pu_loop_random(loop, junk, sizeof junk);
	junk[0] &= NOT_QUIC;
	pu_quic_endpoint_send(p->ep, &d);
	p->sent++;
	pu_timer_set(&p->timer, pu_loop_now(loop) + gap(p));
}

int pu_quic_punch_start(struct pu_quic *q, struct quic_endpoint *ep,
			const union pu_sockaddr *remote, const struct pu_peerid *expected,
			bool initiator, struct pu_dial *d)
{
	struct quic_punch *p = calloc(1, sizeof *p);
	int r = 0;

	if (!p)
		return PU_ENOMEM;
	p->q = q;
	p->dial = d;
	p->ep = ep;
	p->remote = *remote;
	p->expected = *expected;
	p->initiator = initiator;
	d->punch = p;
	pu_timer_init(&p->timer, q->cfg.loop, on_timer, p);
	pu_list_append(&q->punches, &p->node);
	if (initiator)
		r = pu_quic_conn_dial(q, ep, remote, expected, d, &d->conn);
	else
		pu_timer_set(&p->timer, pu_loop_now(q->cfg.loop));
	if (r < 0) {
		punch_free(p);
		d->punch = NULL;
	}
	return r;
}

struct pu_dial *pu_quic_punch_take(struct pu_quic *q, const struct pu_peerid *peer)
{
	PU_LIST_FOREACH(it, tmp, &q->punches) {
		struct quic_punch *p = PU_CONTAINER_OF(it, struct quic_punch, node);
		struct pu_dial *d = p->dial;

		if (p->initiator || !pu_peerid_eq(&p->expected, peer))
			continue;
		punch_free(p);
		d->punch = NULL;
		return d;
	}
	return NULL;
}

/* A symmetric NAT gives the peer a port that he cannot know; where ours lets his packets
 * in, they show it. */
static bool fits(const struct quic_punch *p, const union pu_sockaddr *from)
{
	return pu_sockaddr_same_ip(from, &p->remote) && !pu_sockaddr_eq(from, &p->remote);
}

static void dial_instead(struct quic_punch *p, struct quic_endpoint *ep,
			 const union pu_sockaddr *to)
{
	struct quic_conn *old = p->dial->conn, *c;

	if (pu_quic_conn_dial(p->q, ep, to, &p->expected, p->dial, &c) < 0)
		return;
	p->dial->conn = c;
	old->dial = NULL;
	pu_quic_conn_end_liberr(old, NGTCP2_ERR_DROP_CONN);
	p->remote = *to;
	p->hints++;
}

void pu_quic_punch_hint(struct pu_quic *q, struct quic_endpoint *ep, const union pu_sockaddr *from)
{
	PU_LIST_FOREACH(it, tmp, &q->punches) {
		struct quic_punch *p = PU_CONTAINER_OF(it, struct quic_punch, node);

		if (!p->initiator || p->hints == HINTS_MAX || p->dial->conn->end.set ||
		    p->dial->conn->seen_local.sa.sa_family || !fits(p, from))
			continue;
		dial_instead(p, ep, from);
	}
}

void pu_quic_punch_end_all(struct pu_quic *q, bool tell)
{
	PU_LIST_FOREACH(it, tmp, &q->punches) {
		struct quic_punch *p = PU_CONTAINER_OF(it, struct quic_punch, node);

		if (p->initiator)
			continue; /* ends with its connection */
		if (tell) {
			p->canceled = true;
			pu_timer_set(&p->timer, pu_loop_now(q->cfg.loop));
		} else {
			pu_quic_dial_free(p->dial);
		}
	}
}
