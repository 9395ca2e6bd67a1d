#include "daemon/metric.h"

#include <math.h>
#include <stdlib.h>

#include "base/err.h"

enum { FAMILIES_MAX = 160 };

struct pu_metric {
	const struct pu_metric_desc *desc;
	size_t n_labels, n, cap;
	struct pu_metric_series *series;
};

struct pu_metrics {
	void (*collect)(void *arg);
	void *arg;
	size_t n;
	struct pu_metric *families[FAMILIES_MAX];
};

int pu_metrics_new(void (*collect)(void *arg), void *arg, struct pu_metrics **pm)
{
	struct pu_metrics *m = calloc(1, sizeof *m);

	if (!m)
		return PU_ENOMEM;
	m->collect = collect;
	m->arg = arg;
	*pm = m;
	return 0;
}

void pu_metrics_free(struct pu_metrics *m)
{
	for (size_t i = 0; m && i < m->n; i++) {
		free(m->families[i]->series);
		free(m->families[i]);
	}
	free(m);
}

struct pu_metric *pu_metrics_add(struct pu_metrics *m, const struct pu_metric_desc *desc)
{
	struct pu_metric *f = m->n < FAMILIES_MAX ? calloc(1, sizeof *f) : NULL;

	if (!f)
		return NULL;
	f->desc = desc;
	while (f->n_labels < PU_METRIC_LABELS_MAX && desc->labels[f->n_labels])
		f->n_labels++;
	m->families[m->n++] = f;
	return f;
}

/* Series. */

static bool matches(const struct pu_metric *f, const struct pu_metric_series *s,
		    const char *const *values)
{
	for (size_t i = 0; i < f->n_labels; i++)
		if (strncmp(s->values[i], values[i], PU_METRIC_VALUE_MAX - 1) != 0)
			return false;
	return true;
}

static struct pu_metric_series *append(struct pu_metric *f, const char *const *values)
{
	struct pu_metric_series *s;

	if (f->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 4;

		s = realloc(f->series, cap * sizeof *s);
		if (!s)
			return NULL;
		f->series = s;
		f->cap = cap;
	}
	s = &f->series[f->n++];
	memset(s, 0, sizeof *s);
	for (size_t i = 0; i < f->n_labels; i++)
		snprintf(s->values[i], sizeof s->values[i], "%s", values[i]);
	return s;
}

static struct pu_metric_series *series_of(struct pu_metric *f, const char *const *values)
{
	static const char *const other[PU_METRIC_LABELS_MAX] = { "other", "other", "other",
								 "other" };

	for (size_t i = 0; i < f->n; i++)
		if (matches(f, &f->series[i], values))
			return &f->series[i];
	if (f->n < PU_METRIC_SERIES_MAX - 1)
		return append(f, values);
	if (matches(f, &f->series[f->n - 1], other))
		return &f->series[f->n - 1];
	return append(f, other);
}

void pu_metric_add(struct pu_metric *f, const char *const *values, double v)
{
	struct pu_metric_series *s = f ? series_of(f, values) : NULL;

	if (s)
		s->value += v;
}

void pu_metric_set(struct pu_metric *f, const char *const *values, double v)
{
	struct pu_metric_series *s = f ? series_of(f, values) : NULL;

	if (s)
		s->value = v;
}

void pu_metric_observe(struct pu_metric *f, const char *const *values, double v)
{
	struct pu_metric_series *s = f ? series_of(f, values) : NULL;
	size_t i = 0;

	if (!s)
		return;
	while (i < f->desc->n_buckets && v > f->desc->buckets[i])
		i++;
	s->buckets[i]++;
	s->count++;
	s->value += v;
}

void pu_metric_clear(struct pu_metric *f)
{
	if (f)
		f->n = 0;
}

void pu_metrics_each(struct pu_metrics *m, pu_metric_series_fn *fn, void *arg)
{
	if (m->collect)
		m->collect(m->arg);
	for (size_t i = 0; i < m->n; i++)
		for (size_t j = 0; j < m->families[i]->n; j++)
			fn(arg, m->families[i]->desc, &m->families[i]->series[j]);
}

/* Text. */

static void print_escaped(FILE *f, const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			fputs("\\n", f);
		else if (*s == '\\' || *s == '"')
			fprintf(f, "\\%c", *s);
		else
			fputc(*s, f);
	}
}

/* {label="value",…,le="bound"}; bound NULL: without it. */
static void print_labels(FILE *f, const struct pu_metric *m, const struct pu_metric_series *s,
			 const char *bound)
{
	const char *sep = "{";

	for (size_t i = 0; i < m->n_labels; i++) {
		fprintf(f, "%s%s=\"", sep, m->desc->labels[i]);
		print_escaped(f, s->values[i]);
		fputc('"', f);
		sep = ",";
	}
	if (bound) {
		fprintf(f, "%sle=\"%s\"", sep, bound);
		sep = ",";
	}
	if (*sep == ',')
		fputc('}', f);
}

static void print_number(FILE *f, double v)
{
	if (v == floor(v) && fabs(v) < 9007199254740992.0)
		fprintf(f, " %.0f\n", v);
	else
		fprintf(f, " %.9g\n", v);
}

static void print_histogram(FILE *f, const struct pu_metric *m, const struct pu_metric_series *s)
{
	const struct pu_metric_desc *d = m->desc;
	uint64_t below = 0;
	char bound[32];

	for (size_t i = 0; i <= d->n_buckets; i++) {
		if (i < d->n_buckets)
			snprintf(bound, sizeof bound, "%g", d->buckets[i]);
		else
			snprintf(bound, sizeof bound, "+Inf");
		below += s->buckets[i];
		fprintf(f, "%s_bucket", d->name);
		print_labels(f, m, s, bound);
		print_number(f, (double)below);
	}
	fprintf(f, "%s_sum", d->name);
	print_labels(f, m, s, NULL);
	print_number(f, s->value);
	fprintf(f, "%s_count", d->name);
	print_labels(f, m, s, NULL);
	print_number(f, (double)s->count);
}

const char *pu_metric_type_text(enum pu_metric_type t)
{
	switch (t) {
	case PU_METRIC_COUNTER:
		return "counter";
	case PU_METRIC_GAUGE:
		return "gauge";
	case PU_METRIC_HISTOGRAM:
		return "histogram";
	}
	return "untyped";
}

static void print_family(FILE *f, const struct pu_metric *m)
{
	const struct pu_metric_desc *d = m->desc;

	fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", d->name, d->help, d->name,
		pu_metric_type_text(d->type));
	for (size_t i = 0; i < m->n; i++) {
		if (d->type == PU_METRIC_HISTOGRAM) {
			print_histogram(f, m, &m->series[i]);
			continue;
		}
		fputs(d->name, f);
		print_labels(f, m, &m->series[i], NULL);
		print_number(f, m->series[i].value);
	}
}

char *pu_metrics_text(struct pu_metrics *m, size_t *plen)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, plen);

	if (!f)
		return NULL;
	if (m->collect)
		m->collect(m->arg);
	for (size_t i = 0; i < m->n; i++)
		print_family(f, m->families[i]);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}
