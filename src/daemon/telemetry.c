#include "daemon/telemetry.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "daemon/audit.h"
#include "daemon/node_metrics.h"
#include "daemon/otlp.h"
#include "daemon/relay_metrics.h"
#include "daemon/telemetry_http.h"
#include "daemon/version.h"

struct pu_telemetry {
	struct pu_loop *loop;
	struct pu_node_metrics *node_metrics;
	struct pu_relay_metrics *relay_metrics;
	struct pu_metrics *metrics; /* of one of them */
	struct pu_audit *audit;
	struct pu_telemetry_http *http;
	struct pu_otlp *otlp;
};

static void drop(struct pu_telemetry *t)
{
	pu_telemetry_http_stop(t->http);
	pu_audit_free(t->audit);
	t->http = NULL;
	t->audit = NULL;
}

static void telemetry_free(struct pu_telemetry *t)
{
	drop(t);
	pu_node_metrics_free(t->node_metrics);
	pu_relay_metrics_free(t->relay_metrics);
	free(t);
}

static int start_otlp(struct pu_telemetry *t, const struct pu_config_otlp *cfg,
		      const char *service, const struct pu_peerid *self, struct pu_failure *why)
{
	char id[PU_PEERID_SHORT_MAX];
	const struct pu_otlp_options opt = {
		.loop = t->loop,
		.metrics = t->metrics,
		.endpoint = cfg->endpoint,
		.headers_file = cfg->headers_file,
		.interval = cfg->interval,
		.service = service,
		.version = PU_VERSION,
		.instance = pu_peerid_short(self, id),
	};

	return cfg->enabled ? pu_otlp_start(&opt, &t->otlp, why) : 0;
}

static int start_http(struct pu_telemetry *t, const struct pu_telemetry_http_options *opt,
		      struct pu_failure *why)
{
	if (!opt->metrics && !opt->health)
		return 0;
	return pu_telemetry_http_start(opt, &t->http, why);
}

static int start_node(struct pu_telemetry *t, struct pu_node *n, const struct pu_api_ops *ops,
		      void *ops_arg, struct pu_failure *why)
{
	const struct pu_node_metrics_options metrics = {
		.node = n, .each_counter = ops->each_counter, .arg = ops_arg, .version = PU_VERSION,
	};
	int r = pu_node_metrics_new(&metrics, &t->node_metrics);

	if (r < 0)
		return r;
	t->metrics = pu_node_metrics_all(t->node_metrics);
	if (n->cfg->audit_enabled)
		r = pu_audit_new(t->loop, &n->events, NULL, NULL, &t->audit);
	if (r == 0)
		r = start_http(t, &(struct pu_telemetry_http_options){
			.loop = t->loop, .listen = &n->cfg->metrics_listen,
			.key = "telemetry.metrics.listen_address",
			.metrics = n->cfg->metrics_enabled ? t->metrics : NULL }, why);
	return r < 0 ? r : start_otlp(t, &n->cfg->otlp, "peerup-vpn", &n->key.peer, why);
}

static void relay_health(void *arg, char *out)
{
	const struct pu_relay_server *s = arg;
	pu_time up = pu_loop_now(s->loop) - s->started_at;
	struct pu_host_stats host;

	pu_host_stats(s->host, &host);
	snprintf(out, PU_TELEMETRY_HEALTH_MAX,
		 "{\"connected_peers\":%u,\"status\":\"ok\",\"uptime_seconds\":%llu}\n",
		 host.n_peers, (unsigned long long)(up / PU_SEC(1)));
}

static int start_relay(struct pu_telemetry *t, struct pu_relay_server *s, struct pu_failure *why)
{
	const struct pu_relay_config *cfg = s->cfg;
	bool health = cfg->health_enabled;
	int r = pu_relay_metrics_new(s, PU_VERSION, &t->relay_metrics);

	if (r < 0)
		return r;
	t->metrics = pu_relay_metrics_all(t->relay_metrics);
	if (cfg->audit_enabled)
		r = pu_audit_new(t->loop, &s->events, NULL, NULL, &t->audit);
	if (r == 0)
		r = start_http(t, &(struct pu_telemetry_http_options){
			.loop = t->loop,
			.listen = health ? &cfg->health_listen : &cfg->metrics_listen,
			.key = health ? "health.listen_address"
				      : "telemetry.metrics.listen_address",
			.metrics = cfg->metrics_enabled ? t->metrics : NULL,
			.health = health ? relay_health : NULL, .arg = s }, why);
	return r < 0 ? r : start_otlp(t, &cfg->otlp, "peerup-relay", &s->key.peer, why);
}

static int finish_start(struct pu_telemetry *t, int r, struct pu_telemetry **pt,
			struct pu_failure *why)
{
	if (r < 0) {
		telemetry_free(t);
		return pu_failure_set(why, r, "telemetry", NULL, "%s", pu_err_text(r));
	}
	*pt = t;
	return 0;
}

int pu_telemetry_start(struct pu_node *n, const struct pu_api_ops *ops, void *ops_arg,
		       struct pu_telemetry **pt, struct pu_failure *why)
{
	struct pu_telemetry *t = calloc(1, sizeof *t);

	if (!t)
		return PU_ENOMEM;
	t->loop = n->loop;
	return finish_start(t, start_node(t, n, ops, ops_arg, why), pt, why);
}

int pu_telemetry_start_relay(struct pu_relay_server *s, struct pu_telemetry **pt,
			     struct pu_failure *why)
{
	struct pu_telemetry *t = calloc(1, sizeof *t);

	if (!t)
		return PU_ENOMEM;
	t->loop = s->loop;
	return finish_start(t, start_relay(t, s, why), pt, why);
}

struct pu_metrics *pu_telemetry_metrics(struct pu_telemetry *t)
{
	return t->metrics;
}

/* The export may still read what it was given, but nothing of the metrics themselves. */
void pu_telemetry_stop(struct pu_telemetry *t, pu_job_fn *on_stopped, void *arg)
{
	struct pu_otlp *otlp = t ? t->otlp : NULL;

	if (t)
		telemetry_free(t);
	if (otlp)
		pu_otlp_stop(otlp, on_stopped, arg);
	else
		on_stopped(arg);
}
