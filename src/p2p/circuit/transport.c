#include "p2p/circuit/transport.h"

#include <stdlib.h>

#include "base/err.h"
#include "p2p/circuit/addr.h"
#include "p2p/circuit/hop.h"
#include "p2p/circuit/transport_internal.h"
#include "p2p/tls/certificate.h"

enum { JS_MILLISECONDS_FROM = 10000 };

static struct pu_circuit_transport *of(const struct pu_transport *t)
{
	return PU_CONTAINER_OF(t, struct pu_circuit_transport, t);
}

/* What both kinds of circuits need. */

struct pu_upgrade_config pu_circuit_upgrade_config(struct pu_circuit_transport *tr,
						   const struct pu_conn *relay)
{
	struct pu_multiaddr nowhere = { 0 };
	struct pu_upgrade_config uc = {
		.loop = tr->cfg.loop,
		.key = tr->cfg.key,
		.limited = true,
		.opt = &tr->security,
		.tls = tr->tls,
		.max_streams = tr->cfg.max_streams,
		.stream_memory = tr->cfg.stream_memory,
		.gate = tr->cfg.ev->gate,
		.gate_arg = tr->cfg.arg,
	};

	/* An address that is too long leaves at least the name of the relay. */
	if (pu_circuit_addr_make(&relay->remote, &relay->peer, &uc.remote) < 0)
		pu_circuit_addr_make(&nowhere, &relay->peer, &uc.remote);
	uc.local = uc.remote;
	return uc;
}

struct pu_circuit_limit pu_circuit_limit_from(const struct pu_host *h,
					      const struct pu_peerid *relay,
					      const struct pu_circuit_message *m)
{
	static const char js[] = "js-libp2p/";
	bool ms = strncmp(pu_host_peer_agent(h, relay), js, sizeof js - 1) == 0;
	uint32_t seconds = m->limit.duration;

	/* js sends milliseconds in the field of seconds. */
	if (ms && seconds >= JS_MILLISECONDS_FROM)
		seconds /= 1000;
	return (struct pu_circuit_limit){
		.told = m->has_limit,
		.duration = m->has_limit ? PU_SEC(seconds) : 0,
		.data = m->has_limit ? m->limit.data : 0,
	};
}

/* Outcomes. */

void pu_circuit_note_outcome(struct pu_circuit_transport *tr, const struct pu_circuit_outcome *o)
{
	struct pu_circuit_outcome *to = tr->outcomes;

	for (size_t i = 0; i < tr->n_outcomes; i++) {
		struct pu_circuit_outcome *k = &tr->outcomes[i];

		if (pu_peerid_eq(&k->relay, &o->relay) && pu_peerid_eq(&k->target, &o->target)) {
			*k = *o;
			return;
		}
		if (k->at < to->at)
			to = k; /* the oldest */
	}
	if (tr->n_outcomes < PU_CIRCUIT_OUTCOMES_MAX)
		to = &tr->outcomes[tr->n_outcomes++];
	*to = *o;
}

size_t pu_circuit_outcomes(const struct pu_transport *t, const struct pu_peerid *target,
			   struct pu_circuit_outcome *out, size_t cap)
{
	const struct pu_circuit_transport *tr = of(t);
	size_t n = 0;

	for (size_t i = 0; i < tr->n_outcomes && n < cap; i++)
		if (pu_peerid_eq(&tr->outcomes[i].target, target))
			out[n++] = tr->outcomes[i];
	return n;
}

static void circuit_stop(struct pu_transport *t)
{
	pu_circuit_dial_cancel_all(of(t));
	pu_circuit_stop_cancel_all(of(t));
}

static void circuit_free(struct pu_transport *t)
{
	struct pu_circuit_transport *tr = of(t);

	circuit_stop(t);
	pu_tls_credentials_free(tr->tls);
	free(tr->outcomes);
	free(tr);
}

static const struct pu_transport_ops circuit_ops = {
	.name = "circuit",
	.can_dial = pu_circuit_can_dial,
	.dial = pu_circuit_dial,
	.dial_cancel = pu_circuit_dial_cancel,
	.stop = circuit_stop,
	.free = circuit_free,
};

static int prepare(struct pu_circuit_transport *tr)
{
	int r = 0;

	tr->outcomes = calloc(PU_CIRCUIT_OUTCOMES_MAX, sizeof *tr->outcomes);
	if (!tr->outcomes)
		return PU_ENOMEM;
	for (size_t i = 0; i < PU_ARRAY_LEN(tr->security.order) && !tr->tls && r == 0; i++)
		if (tr->security.order[i] == PU_SECURITY_TLS)
			r = pu_tls_credentials_new(tr->cfg.key, tr->cfg.loop, &tr->tls);
	return r < 0 ? r : pu_host_handle(tr->h, PU_STOP_PROTOCOL, pu_circuit_stop_accept, tr);
}

int pu_circuit_transport_new(struct pu_host *h, const struct pu_circuit_options *opt,
			     struct pu_transport **pt)
{
	struct pu_circuit_transport *tr = calloc(1, sizeof *tr);
	int r;

	if (!tr)
		return PU_ENOMEM;
	tr->t.ops = &circuit_ops;
	pu_list_init(&tr->t.node);
	tr->h = h;
	tr->cfg = pu_host_transport_config(h);
	tr->security = *tr->cfg.security;
	if (opt)
		tr->opt = *opt;
	pu_list_init(&tr->dials);
	pu_list_init(&tr->pending);
	pu_list_init(&tr->pipes);
	r = prepare(tr);
	if (r < 0) {
		circuit_free(&tr->t);
		return r;
	}
	pu_host_add_transport(h, &tr->t);
	*pt = &tr->t;
	return 0;
}

/* Questions. */

bool pu_circuit_limit_of(const struct pu_transport *t, const struct pu_conn *c,
			 struct pu_circuit_limit *out)
{
	PU_LIST_FOREACH(it, tmp, &of(t)->pipes) {
		struct pu_circuit_pipe *cp = PU_CONTAINER_OF(it, struct pu_circuit_pipe, node);

		if (cp->conn != c)
			continue;
		*out = cp->limit;
		return true;
	}
	return false;
}

bool pu_circuit_relay_of(const struct pu_conn *c, struct pu_peerid *relay)
{
	struct pu_multiaddr base;

	return c->limited && pu_circuit_addr_split(&c->remote, &base, relay) == 0;
}

void pu_circuit_stats(const struct pu_transport *t, struct pu_circuit_stats *out)
{
	const struct pu_circuit_transport *tr = of(t);

	*out = tr->stats;
	out->pending = tr->n_pending;
	PU_LIST_FOREACH(it, tmp, &tr->pipes)
		out->open += PU_CONTAINER_OF(it, struct pu_circuit_pipe, node)->conn != NULL;
}
