/* Sends metrics to an OpenTelemetry collector of the user's own: OTLP 1.x over HTTP, JSON
 * encoding. Off unless the config names an endpoint. One request at a time, on a
 * thread of libuv's pool; what fails is tried again with the next round. */
#ifndef PU_DAEMON_OTLP_H
#define PU_DAEMON_OTLP_H

#include "base/loop.h"
#include "daemon/failure.h"
#include "daemon/metric.h"

enum {
	PU_OTLP_TIMEOUT_S = 10,
	PU_OTLP_HEADERS_MAX = 4096, /* bytes of the headers file */
	PU_OTLP_HEADERS_N_MAX = 16,
};

struct pu_otlp_options {
	struct pu_loop *loop; /* driven by base/loop_uv.c */
	struct pu_metrics *metrics;
	const char *endpoint;     /* "http://127.0.0.1:4318/v1/metrics" */
	const char *headers_file; /* "Name: value" per line, for tokens; NULL: none */
	pu_time interval;
	const char *service, *version, *instance; /* "peerup-vpn", "0.1.0", who we are */
};

struct pu_otlp;

/* PU_EINVAL (endpoint or headers), PU_ENOTSUP (no libcurl), errors of pu_file_read(); why is
 * filled. */
int pu_otlp_start(const struct pu_otlp_options *opt, struct pu_otlp **po, struct pu_failure *why);
/* on_stopped comes when no request is under way any more, perhaps at once. */
void pu_otlp_stop(struct pu_otlp *o, pu_job_fn *on_stopped, void *arg);

/* The request body at that Unix time; the caller frees it. NULL: no memory. */
char *pu_otlp_body(const struct pu_otlp_options *opt, int64_t start_ns, int64_t now_ns);

#endif
