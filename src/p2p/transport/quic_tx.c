/* Packets into batches: one behind the other into one buffer that leaves as one GSO
 * send per run of equal length, path and marks. */
#include "p2p/transport/quic_internal.h"

#include <stdlib.h>

/* Runs of different packets share a send only by accident, so a refusal because of
 * the length is answered by sending them alone: a probe is lost, its neighbours live. */
static void send_alone(struct quic_endpoint *ep, const struct pu_dgrams *d)
{
	const struct pu_net *net = ep->q->cfg.net;
	struct pu_dgrams one = *d;

	for (size_t off = 0; off < d->len; off += d->segment) {
		one.p = d->p + off;
		one.len = one.segment = pu_min(d->segment, d->len - off);
		if (net->ops->udp_send(ep->udp, &one) < 0)
			ep->q->stats.tx_dropped++;
	}
}

static void hold(struct quic_endpoint *ep, const struct pu_dgrams *d)
{
	if (!ep->held)
		ep->held = malloc(QUIC_TX_CAP);
	if (!ep->held || d->len > QUIC_TX_CAP) {
		ep->q->stats.tx_dropped++;
		return;
	}
	memcpy(ep->held, d->p, d->len);
	ep->held_batch = *d;
	ep->held_batch.p = ep->held;
	ep->blocked = true;
}

int pu_quic_endpoint_send(struct quic_endpoint *ep, const struct pu_dgrams *d)
{
	struct pu_quic_stats *stats = &ep->q->stats;
	int r;

	if (ep->blocked) {
		stats->tx_dropped++;
		return PU_EAGAIN;
	}
	r = ep->q->cfg.net->ops->udp_send(ep->udp, d);
	stats->tx_batches++;
	stats->tx_packets += (d->len + d->segment - 1) / d->segment;
	stats->tx_bytes += d->len;
	if (r == PU_EAGAIN)
		hold(ep, d);
	else if (r == PU_E2BIG && d->segment < d->len)
		send_alone(ep, d);
	else if (r < 0)
		stats->tx_dropped++;
	return r;
}

void pu_quic_endpoint_writable(struct quic_endpoint *ep)
{
	struct pu_list *it;

	if (!ep->blocked)
		return;
	if (ep->q->cfg.net->ops->udp_send(ep->udp, &ep->held_batch) == PU_EAGAIN)
		return;
	ep->blocked = false;
	while ((it = pu_list_first(&ep->waiting))) {
		struct quic_conn *c = PU_CONTAINER_OF(it, struct quic_conn, waiting);

		pu_list_remove(it);
		pu_job_defer(&c->job);
	}
}

void pu_quic_tx_flush(struct pu_quic *q)
{
	struct quic_tx *tx = &q->tx;
	struct quic_conn *c = tx->owner;
	struct pu_dgrams d = { .remote = tx->remote, .local = tx->local, .p = tx->mem,
			       .len = tx->len, .segment = tx->segment, .ecn = tx->ecn };
	int r;

	if (!c)
		return;
	tx->owner = NULL;
	tx->len = 0;
	tx->n = 0;
	r = pu_quic_endpoint_send(tx->ep, &d);
	/* Nobody there, says our own kernel: a dial need not wait for its timeout. */
	if (c->dial && (r == PU_EUNREACH || r == PU_EPERM)) {
		c->end.silent = true;
		pu_quic_conn_end_app(c, r, 0, "");
	}
}

uint8_t *pu_quic_tx_slot(struct quic_conn *c)
{
	struct quic_tx *tx = &c->q->tx;

	if (tx->owner && (tx->owner != c || tx->len + QUIC_MAX_UDP > QUIC_TX_CAP ||
			  tx->n == QUIC_TX_SEGMENTS_MAX))
		pu_quic_tx_flush(c->q);
	return tx->mem + tx->len;
}

void pu_quic_tx_commit(struct quic_conn *c, uint8_t *p, size_t n, const ngtcp2_path *path,
		       uint8_t ecn)
{
	struct quic_tx *tx = &c->q->tx;
	struct quic_endpoint *ep = path->user_data ? path->user_data : c->ep;
	union pu_sockaddr remote = { 0 }, local = { 0 };

	memcpy(&remote, path->remote.addr, path->remote.addrlen);
	if (c->c.inbound)
		memcpy(&local, path->local.addr, path->local.addrlen);
	else if (c->pinned)
		local = c->local_sa;
	if (tx->owner && (n > tx->segment || ecn != tx->ecn || ep != tx->ep ||
			  memcmp(&remote, &tx->remote, sizeof remote) != 0 ||
			  memcmp(&local, &tx->local, sizeof local) != 0)) {
		pu_quic_tx_flush(c->q);
		memmove(tx->mem, p, n);
	}
	if (!tx->owner) {
		tx->owner = c;
		tx->ep = ep;
		tx->remote = remote;
		tx->local = local;
		tx->ecn = ecn;
		tx->segment = n;
	}
	tx->len += n;
	tx->n++;
	c->burst += n;
	c->unpaced += n;
	if (n < tx->segment) /* a shorter one can only be the last */
		pu_quic_tx_flush(c->q);
}
