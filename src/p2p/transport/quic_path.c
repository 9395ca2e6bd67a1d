/* Path MTU black holes.
 *
 * ngtcp2 raises the packet size after a probe came through and never lowers it. When
 * the path shrinks later (a route moved to a tunnel), every full packet is lost while
 * the small ones pass. So: no answer to any long packet for a while means back to
 * 1200 bytes, and a new try later. */
#include "p2p/transport/quic_internal.h"

enum {
	/* No answer to a long packet for this many PTOs (and at least a second). The
	 * first pause between tries is a minute, then doubled. */
	BLACK_HOLE_PTOS = 4,
	BLACK_HOLE_PAUSE_S = 60,
	BLACK_HOLE_DOUBLINGS = 5,
};

/* Only packets whose acknowledgement ngtcp2 reports may be counted: its own probes of
 * a longer MTU are lost by design, and answered in silence. */
void pu_quic_sent_big(struct quic_conn *c)
{
	if (c->big_since == 0)
		c->big_since = quic_now(c);
}

void pu_quic_sent_big_acked(struct quic_conn *c)
{
	c->big_since = 0;
}

void pu_quic_check_black_hole(struct quic_conn *c)
{
	pu_time now = quic_now(c), patience;
	unsigned n = c->n_black_holes;

	if (c->udp_cap == QUIC_MIN_UDP && now >= c->cap_until) {
		c->udp_cap = QUIC_MAX_UDP;
		c->big_since = 0;
	}
	if (c->big_since == 0 || c->udp_cap == QUIC_MIN_UDP)
		return;
	patience = pu_max(BLACK_HOLE_PTOS * ngtcp2_conn_get_pto(c->ng), PU_SEC(1));
	if (now - c->big_since < patience)
		return;
	c->udp_cap = QUIC_MIN_UDP;
	c->big_since = 0;
	c->cap_until = now + (PU_SEC(BLACK_HOLE_PAUSE_S) << pu_min(n, BLACK_HOLE_DOUBLINGS));
	c->n_black_holes++;
	c->q->stats.black_holes++;
}
