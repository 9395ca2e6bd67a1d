#include "daemon/node_metrics.h"

#include <stdlib.h>

#include "base/err.h"
#include "daemon/control_paths.h"

enum { COUNTERS_MAX = 128, COUNTER_NAME_MAX = 64 };

/* Names and buckets are those of peer-up, whose dashboards and alerts go on working. */
enum family {
	PROXY_BYTES,
	PROXY_CONNECTIONS,
	PROXY_ACTIVE,
	PROXY_DURATION,
	AUTH_DECISIONS,
	HOLEPUNCH,
	HOLEPUNCH_DURATION,
	REQUESTS,
	REQUEST_DURATION,
	CONNECTED_PEERS,
	NETWORK_CHANGE,
	STUN_PROBE,
	INTERFACE_COUNT,
	PATH_DIAL,
	PATH_DIAL_DURATION,
	INFO,
	N_FAMILIES,
};

static const struct pu_metric_desc descs[N_FAMILIES] = {
	[PROXY_BYTES] = { "peerup_proxy_bytes_total", "Bytes of connections to our services.",
			  PU_METRIC_COUNTER, { "direction", "service" }, { 0 }, 0 },
	[PROXY_CONNECTIONS] = { "peerup_proxy_connections_total", "Connections to our services.",
				PU_METRIC_COUNTER, { "service" }, { 0 }, 0 },
	[PROXY_ACTIVE] = { "peerup_proxy_active_connections", "Open connections to our services.",
			   PU_METRIC_GAUGE, { "service" }, { 0 }, 0 },
	[PROXY_DURATION] = { "peerup_proxy_duration_seconds",
			     "How long connections to our services lasted.",
			     PU_METRIC_HISTOGRAM, { "service" },
			     { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048 }, 12 },
	[AUTH_DECISIONS] = { "peerup_auth_decisions_total", "Peers that connected to us.",
			     PU_METRIC_COUNTER, { "decision" }, { 0 }, 0 },
	[HOLEPUNCH] = { "peerup_holepunch_total", "Hole punching, by its result.",
			PU_METRIC_COUNTER, { "result" }, { 0 }, 0 },
	[HOLEPUNCH_DURATION] = { "peerup_holepunch_duration_seconds", "How long that took.",
				 PU_METRIC_HISTOGRAM, { "result" },
				 { .01, .02, .04, .08, .16, .32, .64, 1.28, 2.56, 5.12 }, 10 },
	[REQUESTS] = { "peerup_daemon_requests_total", "Requests of the control API.",
		       PU_METRIC_COUNTER, { "method", "path", "status" }, { 0 }, 0 },
	[REQUEST_DURATION] = { "peerup_daemon_request_duration_seconds",
			       "Time until their answer.", PU_METRIC_HISTOGRAM,
			       { "method", "path", "status" },
			       { .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10 }, 11 },
	[CONNECTED_PEERS] = { "peerup_connected_peers", "Peers, by the path in use.",
			      PU_METRIC_GAUGE, { "path_type", "transport", "ip_version" },
			      { 0 }, 0 },
	[NETWORK_CHANGE] = { "peerup_network_change_total", "Changes of this machine's addresses.",
			     PU_METRIC_COUNTER, { "change_type" }, { 0 }, 0 },
	[STUN_PROBE] = { "peerup_stun_probe_total", "STUN servers asked.", PU_METRIC_COUNTER,
			 { "result" }, { 0 }, 0 },
	[INTERFACE_COUNT] = { "peerup_interface_count", "Addresses of this machine.",
			      PU_METRIC_GAUGE, { "ip_version" }, { 0 }, 0 },
	[PATH_DIAL] = { "peerup_path_dial_total", "Attempts to connect to a wanted peer.",
			PU_METRIC_COUNTER, { "path_type", "result" }, { 0 }, 0 },
	[PATH_DIAL_DURATION] = { "peerup_path_dial_duration_seconds", "How long they took.",
				 PU_METRIC_HISTOGRAM, { "path_type" },
				 { .1, .2, .4, .8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2 }, 10 },
	[INFO] = { "peerup_info", "Which program this is.", PU_METRIC_GAUGE, { "version" },
		   { 0 }, 0 },
};

/* A counter of a module, under a name that is made of its own. */
struct module_counter {
	struct pu_metric_desc desc;
	char name[COUNTER_NAME_MAX];
	struct pu_metric *family;
};

struct pu_node_metrics {
	struct pu_node_metrics_options opt;
	struct pu_metrics *all;
	struct pu_metric *family[N_FAMILIES];
	struct pu_event_listener listener;
	size_t n_counters;
	struct module_counter counter[COUNTERS_MAX];
};

#define VALUES(...) ((const char *const[]){ __VA_ARGS__ })

/* As it happens. */

static void count_request(struct pu_node_metrics *m, const struct pu_event *ev)
{
	char status[24];

	snprintf(status, sizeof status, "%llu", (unsigned long long)ev->n);
	pu_metric_add(m->family[REQUESTS], VALUES(ev->what, ev->detail, status), 1);
	pu_metric_observe(m->family[REQUEST_DURATION], VALUES(ev->what, ev->detail, status),
			  (double)ev->duration_us / 1e6);
}

static void on_event(void *arg, const struct pu_event *ev)
{
	struct pu_node_metrics *m = arg;
	double seconds = (double)ev->duration_us / 1e6;

	switch (ev->kind) {
	case PU_EVENT_AUTH_DECISION:
		pu_metric_add(m->family[AUTH_DECISIONS], VALUES(ev->what), 1);
		break;
	case PU_EVENT_SERVICE_CLOSED:
		pu_metric_observe(m->family[PROXY_DURATION], VALUES(ev->what), seconds);
		break;
	case PU_EVENT_API_ACCESS:
		count_request(m, ev);
		break;
	case PU_EVENT_NETWORK:
		pu_metric_add(m->family[NETWORK_CHANGE], VALUES(ev->what), 1);
		break;
	case PU_EVENT_STUN:
		pu_metric_add(m->family[STUN_PROBE], VALUES(ev->what), 1);
		break;
	case PU_EVENT_HOLE_PUNCH:
		pu_metric_add(m->family[HOLEPUNCH], VALUES(ev->what), 1);
		pu_metric_observe(m->family[HOLEPUNCH_DURATION], VALUES(ev->what), seconds);
		break;
	case PU_EVENT_DIAL:
		pu_metric_add(m->family[PATH_DIAL],
			      VALUES(ev->what, ev->n ? "success" : "failure"), 1);
		pu_metric_observe(m->family[PATH_DIAL_DURATION], VALUES(ev->what), seconds);
		break;
	case PU_EVENT_PEER_CONNECTED:
	case PU_EVENT_PEER_DISCONNECTED:
	case PU_EVENT_PATH:
	case PU_EVENT_AUTH_CHANGE:
	case PU_EVENT_SERVICE_DENIED:
	case PU_EVENT_INVITE:
	case PU_EVENT_RELAY:
	case PU_EVENT_CONFIG:
	case PU_EVENT_STOPPING:
	case PU_EVENT_KINDS:
		break;
	}
}

/* When somebody looks. */

static void collect_services(struct pu_node_metrics *m)
{
	struct pu_service_info info[PU_SERVICES_MAX];
	size_t n = pu_services_list(m->opt.node->services, NULL, info, PU_ARRAY_LEN(info));

	for (size_t i = 0; i < n; i++) {
		const struct pu_service_info *s = &info[i];

		pu_metric_set(m->family[PROXY_BYTES], VALUES("rx", s->name), (double)s->rx_bytes);
		pu_metric_set(m->family[PROXY_BYTES], VALUES("tx", s->name), (double)s->tx_bytes);
		pu_metric_set(m->family[PROXY_CONNECTIONS], VALUES(s->name), (double)s->opened);
		pu_metric_set(m->family[PROXY_ACTIVE], VALUES(s->name), s->active);
	}
}

static void count_path(void *arg, const struct pu_api_path *p)
{
	struct pu_node_metrics *m = arg;

	pu_metric_add(m->family[CONNECTED_PEERS], VALUES(p->path, p->transport, p->ip_version), 1);
}

static struct module_counter *counter_of(struct pu_node_metrics *m, const char *name)
{
	struct module_counter *c;
	char full[COUNTER_NAME_MAX];

	snprintf(full, sizeof full, "peerup_%s", name);
	for (size_t i = 0; i < m->n_counters; i++)
		if (strcmp(m->counter[i].name, full) == 0)
			return &m->counter[i];
	if (m->n_counters == COUNTERS_MAX)
		return NULL;
	c = &m->counter[m->n_counters++];
	memcpy(c->name, full, sizeof full);
	/* Some go down again: as gauges none of them lies. */
	c->desc = (struct pu_metric_desc){ .name = c->name, .help = "Counter of a module.",
					   .type = PU_METRIC_GAUGE };
	c->family = pu_metrics_add(m->all, &c->desc);
	return c;
}

static void set_counter(void *arg, const char *name, uint64_t value)
{
	struct module_counter *c = counter_of(arg, name);

	if (c)
		pu_metric_set(c->family, NULL, (double)value);
}

static void collect(void *arg)
{
	struct pu_node_metrics *m = arg;
	struct pu_node *n = m->opt.node;

	collect_services(m);
	pu_metric_clear(m->family[CONNECTED_PEERS]);
	pu_control_each_path(n, count_path, m);
	pu_metric_set(m->family[INTERFACE_COUNT], VALUES("ipv4"), n->n_ipv4);
	pu_metric_set(m->family[INTERFACE_COUNT], VALUES("ipv6"), n->n_ipv6);
	m->opt.each_counter(m->opt.arg, set_counter, m);
}

/* Series that are nought until something happens are there from the start: rates over
 * them then begin with the first event, not with the second. */
static void begin_at_zero(struct pu_node_metrics *m)
{
	static const enum family results[] = { HOLEPUNCH, STUN_PROBE };

	for (size_t i = 0; i < PU_ARRAY_LEN(results); i++) {
		pu_metric_add(m->family[results[i]], VALUES("success"), 0);
		pu_metric_add(m->family[results[i]], VALUES("failure"), 0);
	}
	pu_metric_add(m->family[AUTH_DECISIONS], VALUES("allow"), 0);
	pu_metric_add(m->family[AUTH_DECISIONS], VALUES("deny"), 0);
	pu_metric_add(m->family[NETWORK_CHANGE], VALUES("ipv4"), 0);
	pu_metric_add(m->family[NETWORK_CHANGE], VALUES("ipv6"), 0);
	pu_metric_add(m->family[PATH_DIAL], VALUES("DIRECT", "success"), 0);
	pu_metric_add(m->family[PATH_DIAL], VALUES("RELAYED", "success"), 0);
	pu_metric_add(m->family[PATH_DIAL], VALUES("none", "failure"), 0);
}

int pu_node_metrics_new(const struct pu_node_metrics_options *opt, struct pu_node_metrics **pm)
{
	struct pu_node_metrics *m = calloc(1, sizeof *m);

	if (!m)
		return PU_ENOMEM;
	m->opt = *opt;
	if (pu_metrics_new(collect, m, &m->all) < 0) {
		free(m);
		return PU_ENOMEM;
	}
	for (size_t i = 0; i < N_FAMILIES; i++)
		m->family[i] = pu_metrics_add(m->all, &descs[i]);
	pu_metric_set(m->family[INFO], VALUES(opt->version), 1);
	begin_at_zero(m);
	m->listener = (struct pu_event_listener){ .on_event = on_event, .arg = m };
	pu_events_add(&opt->node->events, &m->listener);
	*pm = m;
	return 0;
}

void pu_node_metrics_free(struct pu_node_metrics *m)
{
	if (!m)
		return;
	pu_events_remove(&m->opt.node->events, &m->listener);
	pu_metrics_free(m->all);
	free(m);
}

struct pu_metrics *pu_node_metrics_all(struct pu_node_metrics *m)
{
	return m->all;
}
