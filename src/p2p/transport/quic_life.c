/* Does the peer get what we send? Every packet that carries more than acknowledgements is
 * acknowledged within a round trip, so the transport need not ask: it notes when the peer
 * began to owe one, and forgets it when one comes. Only two things are asked for, by a
 * PING: datagrams whose loss nothing else would show, and what pu_conn_probe() wants to
 * know. An idle connection costs nothing here. */
#include "p2p/transport/quic_internal.h"

static bool in_flight(struct quic_conn *c)
{
	return pu_ng_in_flight(c->ng) > 0;
}

static pu_time patience(struct quic_conn *c)
{
	return PU_MS(PU_CONN_QUIET_MS) + 2 * pu_ng_srtt(c->ng);
}

/* When somebody should look; PU_TIME_NEVER: the peer owes nothing. */
pu_time pu_quic_next_look(struct quic_conn *c)
{
	if (c->flight_unsure) {
		c->flight_unsure = false;
		if (c->asked_at == 0 && in_flight(c))
			pu_quic_asked(c);
	}
	return c->asked_at ? c->look_at : PU_TIME_NEVER;
}

void pu_quic_asked(struct quic_conn *c)
{
	c->asked_at = quic_now(c);
	c->look_at = c->asked_at + patience(c);
}

void pu_quic_look(struct quic_conn *c)
{
	pu_time now = quic_now(c), due;

	if (c->asked_at == 0 || now < c->look_at)
		return;
	if (!in_flight(c)) {
		c->asked_at = 0;
		return;
	}
	due = c->asked_at + patience(c);
	if (now < due) { /* something was acknowledged meanwhile */
		c->look_at = due;
		return;
	}
	c->look_at = now + PU_MS(PU_CONN_QUIET_MS);
	c->probe_due = true;
	if (c->state == QUIC_OPEN && c->c.ev && c->c.ev->on_quiet)
		c->c.ev->on_quiet(c->c.arg, &c->c);
}

pu_time pu_quic_unanswered(struct pu_conn *pc)
{
	struct quic_conn *c = quic_conn_of(pc);

	if (!c->ng || c->asked_at == 0)
		return 0;
	if (!in_flight(c)) {
		c->asked_at = 0;
		return 0;
	}
	return quic_now(c) - c->asked_at;
}

void pu_quic_ask(struct pu_conn *pc)
{
	struct quic_conn *c = quic_conn_of(pc);

	if (!c->ng || c->end.set)
		return;
	c->probe_due = true;
	c->flight_unsure = true;
	pu_job_defer(&c->job);
}
