/* GET /v1/metrics: what /metrics shows, for those who may talk to the control socket. */
#include <microhttpd.h>

#include "daemon/api_internal.h"
#include "daemon/metric.h"

struct list {
	json_t *families;
	const struct pu_metric_desc *desc; /* of series */
	json_t *series;
};

static json_t *labels_json(const struct pu_metric_desc *desc, const struct pu_metric_series *s)
{
	json_t *o = json_object();

	for (size_t i = 0; i < PU_METRIC_LABELS_MAX && desc->labels[i]; i++)
		json_object_set_new(o, desc->labels[i], json_string(s->values[i]));
	return o;
}

/* Buckets add up, as on the page; the last one, above all bounds, is count. */
static json_t *buckets_json(const struct pu_metric_desc *desc, const struct pu_metric_series *s)
{
	json_t *a = json_array();
	uint64_t below = 0;

	for (size_t i = 0; i < desc->n_buckets; i++) {
		below += s->buckets[i];
		json_array_append_new(a, json_pack("{s:f, s:I}", "le", desc->buckets[i], "count",
						   (json_int_t)below));
	}
	return a;
}

static json_t *series_json(const struct pu_metric_desc *desc, const struct pu_metric_series *s)
{
	if (desc->type != PU_METRIC_HISTOGRAM)
		return json_pack("{s:o, s:f}", "labels", labels_json(desc, s), "value", s->value);
	return json_pack("{s:o, s:I, s:f, s:o}", "labels", labels_json(desc, s), "count",
			 (json_int_t)s->count, "sum", s->value, "buckets", buckets_json(desc, s));
}

static void add_series(void *arg, const struct pu_metric_desc *desc,
		       const struct pu_metric_series *s)
{
	struct list *l = arg;

	if (l->desc != desc) {
		l->desc = desc;
		l->series = json_array();
		json_array_append_new(l->families,
				      json_pack("{s:s, s:s, s:s, s:o}", "name", desc->name, "type",
						pu_metric_type_text(desc->type), "help", desc->help,
						"series", l->series));
	}
	json_array_append_new(l->series, series_json(desc, s));
}

void pu_api_get_metrics(struct pu_api_call *c)
{
	struct pu_metrics *m = c->api->metrics;
	struct list l = { .families = NULL };
	size_t len = 0;
	char *text;

	if (c->text) {
		text = m ? pu_metrics_text(m, &len) : strdup("");
		pu_api_reply_text(c->rq, text, len);
		return;
	}
	l.families = json_array();
	if (m)
		pu_metrics_each(m, add_series, &l);
	pu_api_reply(c->rq, MHD_HTTP_OK, l.families);
}
