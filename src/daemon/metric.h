/* Counters, gauges and histograms with labels, in the data model of Prometheus: families are
 * declared once, series appear as they are used, a page of text shows all.
 *
 * A family has at most PU_METRIC_SERIES_MAX series, whatever peers do: what comes after them
 * is counted in one whose labels all say "other". */
#ifndef PU_DAEMON_METRIC_H
#define PU_DAEMON_METRIC_H

#include <stdio.h>

#include "base/bytes.h"

enum {
	PU_METRIC_LABELS_MAX = 4,
	PU_METRIC_BUCKETS_MAX = 12,
	PU_METRIC_SERIES_MAX = 256, /* of one family */
	PU_METRIC_VALUE_MAX = 64,   /* bytes of a label's value, longer ones are cut */
};

enum pu_metric_type { PU_METRIC_COUNTER, PU_METRIC_GAUGE, PU_METRIC_HISTOGRAM };

struct pu_metric_desc {
	const char *name, *help;
	enum pu_metric_type type;
	const char *labels[PU_METRIC_LABELS_MAX]; /* names, NULL behind the last */
	/* Of a histogram: upper bounds, rising; one above all is added. */
	double buckets[PU_METRIC_BUCKETS_MAX];
	size_t n_buckets;
};

/* "counter", "gauge", "histogram" */
const char *pu_metric_type_text(enum pu_metric_type t);

struct pu_metrics;
struct pu_metric;

/* collect is called before the series are shown, to set what is not counted as it happens;
 * may be NULL. */
int pu_metrics_new(void (*collect)(void *arg), void *arg, struct pu_metrics **pm);
void pu_metrics_free(struct pu_metrics *m);
/* desc is static. NULL: no memory, or too many; the functions below take that. */
struct pu_metric *pu_metrics_add(struct pu_metrics *m, const struct pu_metric_desc *desc);

/* values: one per label of the family; NULL when it has none. */
void pu_metric_add(struct pu_metric *f, const char *const *values, double v);
/* For gauges, and for counters that somebody else counts. */
void pu_metric_set(struct pu_metric *f, const char *const *values, double v);
void pu_metric_observe(struct pu_metric *f, const char *const *values, double v);
/* Forgets all series: gauges that are collected anew. */
void pu_metric_clear(struct pu_metric *f);

struct pu_metric_series {
	char values[PU_METRIC_LABELS_MAX][PU_METRIC_VALUE_MAX];
	double value;  /* of a histogram, the sum */
	uint64_t count, buckets[PU_METRIC_BUCKETS_MAX + 1]; /* each for itself, not added up */
};
typedef void pu_metric_series_fn(void *arg, const struct pu_metric_desc *desc,
				 const struct pu_metric_series *s);
/* Families in the order of their declaration, series in that of their first use. */
void pu_metrics_each(struct pu_metrics *m, pu_metric_series_fn *fn, void *arg);
/* Text format 0.0.4. Families without series show their help and type only. The
 * caller frees it; NULL: no memory. */
char *pu_metrics_text(struct pu_metrics *m, size_t *plen);

#endif
