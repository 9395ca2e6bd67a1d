/* The open HTTP endpoint of a node or a relay: /metrics for a Prometheus server and /healthz
 * for this machine. Without passwords, therefore on a loopback address unless the config says
 * otherwise. */
#ifndef PU_DAEMON_TELEMETRY_HTTP_H
#define PU_DAEMON_TELEMETRY_HTTP_H

#include "base/loop.h"
#include "daemon/config.h"
#include "daemon/metric.h"

enum { PU_TELEMETRY_HEALTH_MAX = 256 };

struct pu_telemetry_http_options {
	struct pu_loop *loop; /* driven by base/loop_uv.c */
	const struct pu_hostport *listen;
	const char *key;             /* of the config, that names the address; static */
	struct pu_metrics *metrics;  /* NULL: no /metrics */
	/* A line of JSON with line feed, at most PU_TELEMETRY_HEALTH_MAX bytes with terminator;
	 * NULL: no /healthz. */
	void (*health)(void *arg, char *out);
	void *arg;
};

struct pu_telemetry_http;

/* PU_ENOENT (no such host), PU_EADDRINUSE and others as the system says; why is filled. */
int pu_telemetry_http_start(const struct pu_telemetry_http_options *opt,
			    struct pu_telemetry_http **ph, struct pu_failure *why);
/* NULL is fine. */
void pu_telemetry_http_stop(struct pu_telemetry_http *h);

#endif
