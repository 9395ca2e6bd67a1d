#include "daemon/relay_metrics.h"

#include <stdlib.h>

#include "base/err.h"

#define GAUGE(n, help) { "peerup_relay_" n, help, PU_METRIC_GAUGE, { NULL }, { 0 }, 0 }
#define COUNTER(n, help) { "peerup_relay_" n, help, PU_METRIC_COUNTER, { NULL }, { 0 }, 0 }

enum family {
	CONNECTED_PEERS,
	CONNECTIONS,
	CONNECTIONS_REFUSED,
	RESERVATIONS,
	CIRCUITS,
	RESERVATIONS_TOTAL,
	CIRCUITS_TOTAL,
	BYTES,
	RESERVATIONS_REFUSED,
	CIRCUITS_OVER_LIMIT,
	DENIED,
	UNREACHABLE,
	NO_RESERVATION,
	MALFORMED,
	ENDED_BY_DURATION,
	ENDED_BY_DATA,
	AUTH_DECISIONS,
	INFO,
	N_FAMILIES,
};

static const struct pu_metric_desc descs[N_FAMILIES] = {
	[CONNECTED_PEERS] = GAUGE("connected_peers", "Peers that are connected."),
	[CONNECTIONS] = GAUGE("connections", "Their connections."),
	[CONNECTIONS_REFUSED] = COUNTER("connections_refused_total", "Strangers turned away."),
	[RESERVATIONS] = GAUGE("reservations", "Peers that wait for calls."),
	[CIRCUITS] = GAUGE("circuits", "Connections through this relay."),
	[RESERVATIONS_TOTAL] = COUNTER("reservations_total", "Reservations made or renewed."),
	[CIRCUITS_TOTAL] = COUNTER("circuits_total", "Circuits made."),
	[BYTES] = COUNTER("bytes_total", "Bytes forwarded, both directions."),
	[RESERVATIONS_REFUSED] = COUNTER("reservations_refused_total", "By a limit on them."),
	[CIRCUITS_OVER_LIMIT] = COUNTER("circuits_over_limit_total", "Refused by a limit."),
	[DENIED] = COUNTER("denied_total", "Requests that were not permitted."),
	[UNREACHABLE] = COUNTER("unreachable_total", "Circuits whose target did not answer."),
	[NO_RESERVATION] = COUNTER("no_reservation_total", "Circuits to peers that do not wait."),
	[MALFORMED] = COUNTER("malformed_total", "Messages that were none."),
	[ENDED_BY_DURATION] = COUNTER("ended_by_duration_total", "Circuits cut: too long."),
	[ENDED_BY_DATA] = COUNTER("ended_by_data_total", "Circuits cut: too much."),
	[AUTH_DECISIONS] = { "peerup_auth_decisions_total", "Peers that connected to us.",
			     PU_METRIC_COUNTER, { "decision" }, { 0 }, 0 },
	[INFO] = { "peerup_info", "Which program this is.", PU_METRIC_GAUGE, { "version" },
		   { 0 }, 0 },
};

struct pu_relay_metrics {
	struct pu_relay_server *server;
	struct pu_metrics *all;
	struct pu_metric *family[N_FAMILIES];
	struct pu_event_listener listener;
};

static void set(struct pu_relay_metrics *m, enum family f, uint64_t v)
{
	pu_metric_set(m->family[f], NULL, (double)v);
}

static void collect(void *arg)
{
	struct pu_relay_metrics *m = arg;
	struct pu_host_stats host;
	struct pu_hop_stats hop;

	pu_host_stats(m->server->host, &host);
	pu_hop_stats(m->server->hop, &hop);
	set(m, CONNECTED_PEERS, host.n_peers);
	set(m, CONNECTIONS, host.n_conns);
	set(m, CONNECTIONS_REFUSED, host.inbound_gated - host.inbound_probation);
	set(m, RESERVATIONS, hop.reservations);
	set(m, CIRCUITS, hop.circuits);
	set(m, RESERVATIONS_TOTAL, hop.reserved);
	set(m, CIRCUITS_TOTAL, hop.circuits_made);
	set(m, BYTES, hop.bytes);
	set(m, RESERVATIONS_REFUSED, hop.refused_reservation);
	set(m, CIRCUITS_OVER_LIMIT, hop.refused_limit);
	set(m, DENIED, hop.refused_permission);
	set(m, UNREACHABLE, hop.refused_unreachable);
	set(m, NO_RESERVATION, hop.refused_no_reservation);
	set(m, MALFORMED, hop.malformed);
	set(m, ENDED_BY_DURATION, hop.ended_by_duration);
	set(m, ENDED_BY_DATA, hop.ended_by_data);
}

static void on_event(void *arg, const struct pu_event *ev)
{
	struct pu_relay_metrics *m = arg;

	if (ev->kind == PU_EVENT_AUTH_DECISION)
		pu_metric_add(m->family[AUTH_DECISIONS], &ev->what, 1);
}

int pu_relay_metrics_new(struct pu_relay_server *s, const char *version,
			 struct pu_relay_metrics **pm)
{
	static const char *const decisions[] = { "allow", "deny" };
	struct pu_relay_metrics *m = calloc(1, sizeof *m);

	if (!m)
		return PU_ENOMEM;
	m->server = s;
	if (pu_metrics_new(collect, m, &m->all) < 0) {
		free(m);
		return PU_ENOMEM;
	}
	for (size_t i = 0; i < N_FAMILIES; i++)
		m->family[i] = pu_metrics_add(m->all, &descs[i]);
	pu_metric_set(m->family[INFO], &version, 1);
	for (size_t i = 0; i < PU_ARRAY_LEN(decisions); i++)
		pu_metric_add(m->family[AUTH_DECISIONS], &decisions[i], 0);
	m->listener = (struct pu_event_listener){ .on_event = on_event, .arg = m };
	pu_events_add(&s->events, &m->listener);
	*pm = m;
	return 0;
}

void pu_relay_metrics_free(struct pu_relay_metrics *m)
{
	if (!m)
		return;
	pu_events_remove(&m->server->events, &m->listener);
	pu_metrics_free(m->all);
	free(m);
}

struct pu_metrics *pu_relay_metrics_all(struct pu_relay_metrics *m)
{
	return m->all;
}
