/* What a relay counts, for Prometheus. */
#ifndef PU_DAEMON_RELAY_METRICS_H
#define PU_DAEMON_RELAY_METRICS_H

#include "daemon/metric.h"
#include "daemon/relay_server.h"

struct pu_relay_metrics;

/* s outlives it. */
int pu_relay_metrics_new(struct pu_relay_server *s, const char *version,
			 struct pu_relay_metrics **pm);
/* NULL is fine. */
void pu_relay_metrics_free(struct pu_relay_metrics *m);
struct pu_metrics *pu_relay_metrics_all(struct pu_relay_metrics *m);

#endif
