/* The passive side of a hole punch (specs relay/DCUtR.md): bytes that mean nothing to
 * anybody open our NAT for the peer, who dials us at the same moment. */
#include "p2p/transport/quic_internal.h"

#include <stdlib.h>

enum {
	JUNK_LEN = 64,
	GAP_MIN_MS = 10,
	GAP_RANDOM_MAX_MS = 200,
	NOT_QUIC = 0x3f, /* neither a long header nor the fixed bit: dropped in silence */
};

struct quic_punch {
	struct pu_quic *q;
	struct pu_list node;
	struct pu_timer timer;
	struct pu_dial *dial;
	struct quic_endpoint *ep;
	union pu_sockaddr remote;
	struct pu_peerid expected;
	unsigned sent;
	bool canceled; /* by the end of the transport's activity */
};

static void punch_free(struct quic_punch *p)
{
	pu_timer_stop(&p->timer);
	pu_list_remove(&p->node);
	free(p);
}

static void finish(struct quic_punch *p, int err)
{
	struct pu_dial *d = p->dial;

	punch_free(p);
	d->on_done(d->arg, err, NULL);
	free(d);
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
	uint8_t junk[JUNK_LEN];
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
			struct pu_dial *d)
{
	struct quic_punch *p = calloc(1, sizeof *p);

	if (!p)
		return PU_ENOMEM;
	p->q = q;
	p->dial = d;
	p->ep = ep;
	p->remote = *remote;
	p->expected = *expected;
	d->punch = p;
	pu_timer_init(&p->timer, q->cfg.loop, on_timer, p);
	pu_timer_set(&p->timer, pu_loop_now(q->cfg.loop));
	pu_list_append(&q->punches, &p->node);
	return 0;
}

void pu_quic_punch_cancel(struct pu_dial *d)
{
	punch_free(d->punch);
	free(d);
}

struct pu_dial *pu_quic_punch_take(struct pu_quic *q, const struct pu_peerid *peer)
{
	PU_LIST_FOREACH(it, tmp, &q->punches) {
		struct quic_punch *p = PU_CONTAINER_OF(it, struct quic_punch, node);
		struct pu_dial *d = p->dial;

		if (!pu_peerid_eq(&p->expected, peer))
			continue;
		punch_free(p);
		return d;
	}
	return NULL;
}

void pu_quic_punch_end_all(struct pu_quic *q, bool tell)
{
	PU_LIST_FOREACH(it, tmp, &q->punches) {
		struct quic_punch *p = PU_CONTAINER_OF(it, struct quic_punch, node);

		if (tell) {
			p->canceled = true;
			pu_timer_set(&p->timer, pu_loop_now(q->cfg.loop));
		} else {
			pu_quic_punch_cancel(p->dial);
		}
	}
}
