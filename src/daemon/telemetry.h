/* What a node or a relay tells about itself, as its config wishes: the audit log, the metrics
 * page, the export to a collector. All of it is off by default, and nothing of it ever goes
 * anywhere that the config does not name. */
#ifndef PU_DAEMON_TELEMETRY_H
#define PU_DAEMON_TELEMETRY_H

#include "daemon/api.h"
#include "daemon/node.h"
#include "daemon/relay_server.h"

struct pu_telemetry;
struct pu_metrics;

/* ops, ops_arg: where the counters come from. *pt is set, or why. */
int pu_telemetry_start(struct pu_node *n, const struct pu_api_ops *ops, void *ops_arg,
		       struct pu_telemetry **pt, struct pu_failure *why);
int pu_telemetry_start_relay(struct pu_relay_server *s, struct pu_telemetry **pt,
			     struct pu_failure *why);
struct pu_metrics *pu_telemetry_metrics(struct pu_telemetry *t);
/* Before the node stops. on_stopped may come at once. */
void pu_telemetry_stop(struct pu_telemetry *t, pu_job_fn *on_stopped, void *arg);

#endif
