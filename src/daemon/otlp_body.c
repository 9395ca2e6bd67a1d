/* JSON form of ExportMetricsServiceRequest (opentelemetry-proto, metrics/v1). 64-bit integers
 * are strings there, as in all JSON of protobuf. */
#include <jansson.h>
#include <stdlib.h>

#include "daemon/json_text.h"
#include "daemon/otlp.h"

enum { CUMULATIVE = 2 };

struct body {
	json_t *metrics, *points;
	const struct pu_metric_desc *desc; /* of points */
	int64_t start_ns, now_ns;
};

static json_t *number(uint64_t v)
{
	return json_sprintf("%llu", (unsigned long long)v);
}

static json_t *attribute(const char *key, const char *value)
{
	return json_pack("{s:s, s:{s:o}}", "key", key, "value", "stringValue",
			 pu_json_text(value));
}

static json_t *point(const struct body *b, const struct pu_metric_series *s)
{
	json_t *attributes = json_array();

	for (size_t i = 0; i < PU_METRIC_LABELS_MAX && b->desc->labels[i]; i++)
		json_array_append_new(attributes, attribute(b->desc->labels[i], s->values[i]));
	return json_pack("{s:o, s:o, s:o}", "attributes", attributes, "startTimeUnixNano",
			 number((uint64_t)b->start_ns), "timeUnixNano",
			 number((uint64_t)b->now_ns));
}

static void add_buckets(json_t *p, const struct pu_metric_desc *d,
			const struct pu_metric_series *s)
{
	json_t *counts = json_array(), *bounds = json_array();

	for (size_t i = 0; i <= d->n_buckets; i++)
		json_array_append_new(counts, number(s->buckets[i]));
	for (size_t i = 0; i < d->n_buckets; i++)
		json_array_append_new(bounds, json_real(d->buckets[i]));
	json_object_set_new(p, "count", number(s->count));
	json_object_set_new(p, "sum", json_real(s->value));
	json_object_set_new(p, "bucketCounts", counts);
	json_object_set_new(p, "explicitBounds", bounds);
}

/* The array of points, inside a new metric of that family. */
static json_t *add_family(struct body *b, const struct pu_metric_desc *d)
{
	json_t *points = json_array(), *data = json_pack("{s:O}", "dataPoints", points);
	const char *kind = "gauge";

	if (d->type != PU_METRIC_GAUGE)
		json_object_set_new(data, "aggregationTemporality", json_integer(CUMULATIVE));
	if (d->type == PU_METRIC_COUNTER) {
		json_object_set_new(data, "isMonotonic", json_true());
		kind = "sum";
	} else if (d->type == PU_METRIC_HISTOGRAM) {
		kind = "histogram";
	}
	json_array_append_new(b->metrics, json_pack("{s:s, s:s, s:o}", "name", d->name,
						    "description", d->help, kind, data));
	json_decref(points); /* the metric holds it */
	return points;
}

static void add_series(void *arg, const struct pu_metric_desc *desc,
		       const struct pu_metric_series *s)
{
	struct body *b = arg;
	json_t *p;

	if (b->desc != desc) {
		b->desc = desc;
		b->points = add_family(b, desc);
	}
	p = point(b, s);
	if (desc->type == PU_METRIC_HISTOGRAM)
		add_buckets(p, desc, s);
	else
		json_object_set_new(p, "asDouble", json_real(s->value));
	json_array_append_new(b->points, p);
}

char *pu_otlp_body(const struct pu_otlp_options *opt, int64_t start_ns, int64_t now_ns)
{
	struct body b = { .metrics = json_array(), .start_ns = start_ns, .now_ns = now_ns };
	json_t *root;
	char *text;

	pu_metrics_each(opt->metrics, add_series, &b);
	root = json_pack("{s:[{s:{s:[o,o,o]}, s:[{s:{s:s}, s:o}]}]}", "resourceMetrics",
			 "resource", "attributes", attribute("service.name", opt->service),
			 attribute("service.version", opt->version),
			 attribute("service.instance.id", opt->instance), "scopeMetrics", "scope",
			 "name", "peerup", "metrics", b.metrics);
	text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	return text;
}
