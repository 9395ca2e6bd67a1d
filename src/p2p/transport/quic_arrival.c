/* A client that comes to another path, and a mistake of ngtcp2 0.12 about it.
 *
 * ngtcp2 follows such a client, asks whether it really is there, and keeps the path from
 * before to fall back on. When the client has sent little from its new place, the question
 * must be short, and after the answer ngtcp2 asks again with a full packet. It begins path
 * MTU discovery one answer too early then: should the client return to the old path before
 * the second answer, an assertion ends the process. A NAT that changes its mind can do
 * that, and so can anyone who repeats our packets from elsewhere.
 *
 * So between the two answers packets of other paths are not heard. It takes a round trip;
 * a client that really was back by then is lost and dials again. The questions are the
 * first that ngtcp2 writes to a new path: their length tells whether there will be two. */
#include "p2p/transport/quic_internal.h"

enum {
	QUESTIONS = 2,        /* are sent in pairs */
	FIRST_ROUND_MS = 900, /* after a second they are repeated, unseen by us */
	DEAF_PTOS = 6,        /* ngtcp2 gives up after three times a second or a PTO */
};

bool pu_quic_arrival_allowed(const struct quic_conn *c)
{
	return quic_now(c) >= c->deaf_until;
}

void pu_quic_arrived(struct quic_conn *c)
{
	c->arrived_at = quic_now(c);
	c->n_asked = 0;
	c->cramped = false;
}

void pu_quic_arrival_sent(struct quic_conn *c, size_t len)
{
	if (c->n_asked == QUESTIONS)
		return;
	c->n_asked++;
	c->cramped |= len < QUIC_MIN_UDP;
}

void pu_quic_arrival_validated(struct quic_conn *c, bool ok)
{
	const pu_time now = quic_now(c);

	if (!ok || now < c->deaf_until)
		c->deaf_until = 0;
	else if (c->cramped || now - c->arrived_at >= PU_MS(FIRST_ROUND_MS))
		c->deaf_until = now + DEAF_PTOS * pu_max(ngtcp2_conn_get_pto(c->ng), PU_SEC(1));
}
