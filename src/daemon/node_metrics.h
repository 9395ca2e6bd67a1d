/* What a node counts, for Prometheus: the families of peer-up under their names, and every
 * counter of every module as peerup_<counter>. */
#ifndef PU_DAEMON_NODE_METRICS_H
#define PU_DAEMON_NODE_METRICS_H

#include "daemon/api.h"
#include "daemon/metric.h"
#include "daemon/node.h"

struct pu_node_metrics;

struct pu_node_metrics_options {
	struct pu_node *node; /* outlives it */
	/* Counters of all modules, as the API shows them; the same names every time. */
	void (*each_counter)(void *arg, pu_api_counter_fn *fn, void *fn_arg);
	void *arg;
	const char *version;
};

int pu_node_metrics_new(const struct pu_node_metrics_options *opt, struct pu_node_metrics **pm);
/* NULL is fine. */
void pu_node_metrics_free(struct pu_node_metrics *m);
struct pu_metrics *pu_node_metrics_all(struct pu_node_metrics *m);

#endif
