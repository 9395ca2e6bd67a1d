#include "daemon/metric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define VALUES(...) ((const char *const[]){ __VA_ARGS__ })

static const struct pu_metric_desc things = { "x_things_total", "Things.", PU_METRIC_COUNTER,
					      { "kind" }, { 0 }, 0 };
static const struct pu_metric_desc level = { "x_level", "Level.", PU_METRIC_GAUGE, { NULL },
					     { 0 }, 0 };
static const struct pu_metric_desc wait = { "x_wait_seconds", "Wait.", PU_METRIC_HISTOGRAM,
					    { "who" }, { .5, 1, 2 }, 3 };

static struct pu_metrics *made(void)
{
	struct pu_metrics *m;

	assert_int_equal(pu_metrics_new(NULL, NULL, &m), 0);
	return m;
}

static void assert_page(struct pu_metrics *m, const char *expected)
{
	size_t len;
	char *text = pu_metrics_text(m, &len);

	assert_string_equal(text, expected);
	assert_int_equal(len, strlen(expected));
	free(text);
}

static void a_page_shows_every_series_of_every_family(void **state)
{
	struct pu_metrics *m = made();
	struct pu_metric *t = pu_metrics_add(m, &things), *l = pu_metrics_add(m, &level);

	pu_metric_add(t, VALUES("a"), 1);
	pu_metric_add(t, VALUES("b"), 2);
	pu_metric_add(t, VALUES("a"), 3);
	pu_metric_set(l, NULL, 0.25);
	assert_page(m, "# HELP x_things_total Things.\n"
		       "# TYPE x_things_total counter\n"
		       "x_things_total{kind=\"a\"} 4\n"
		       "x_things_total{kind=\"b\"} 2\n"
		       "# HELP x_level Level.\n"
		       "# TYPE x_level gauge\n"
		       "x_level 0.25\n");
	pu_metrics_free(m);
}

static void buckets_of_a_histogram_add_up(void **state)
{
	struct pu_metrics *m = made();
	struct pu_metric *w = pu_metrics_add(m, &wait);
	const double seen[] = { .5, .6, 1.5, 7 };

	for (size_t i = 0; i < PU_ARRAY_LEN(seen); i++)
		pu_metric_observe(w, VALUES("me"), seen[i]);
	assert_page(m, "# HELP x_wait_seconds Wait.\n"
		       "# TYPE x_wait_seconds histogram\n"
		       "x_wait_seconds_bucket{who=\"me\",le=\"0.5\"} 1\n"
		       "x_wait_seconds_bucket{who=\"me\",le=\"1\"} 2\n"
		       "x_wait_seconds_bucket{who=\"me\",le=\"2\"} 3\n"
		       "x_wait_seconds_bucket{who=\"me\",le=\"+Inf\"} 4\n"
		       "x_wait_seconds_sum{who=\"me\"} 9.6\n"
		       "x_wait_seconds_count{who=\"me\"} 4\n");
	pu_metrics_free(m);
}

static void a_label_cannot_break_out_of_its_quotes(void **state)
{
	struct pu_metrics *m = made();

	pu_metric_add(pu_metrics_add(m, &things), VALUES("a\"} 1\nx_evil{b=\"\\"), 1);
	assert_page(m, "# HELP x_things_total Things.\n"
		       "# TYPE x_things_total counter\n"
		       "x_things_total{kind=\"a\\\"} 1\\nx_evil{b=\\\"\\\\\"} 1\n");
	pu_metrics_free(m);
}

struct tally {
	size_t n;
	double sum, other;
};

static void tally(void *arg, const struct pu_metric_desc *desc, const struct pu_metric_series *s)
{
	struct tally *t = arg;

	t->n++;
	t->sum += s->value;
	if (strcmp(s->values[0], "other") == 0)
		t->other = s->value;
}

static void peers_cannot_make_a_family_grow_without_end(void **state)
{
	struct pu_metrics *m = made();
	struct pu_metric *f = pu_metrics_add(m, &things);
	struct tally t = { 0 };
	char name[16];

	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof name, "n%d", i);
		pu_metric_add(f, VALUES(name), 1);
	}
	pu_metrics_each(m, tally, &t);
	assert_int_equal(t.n, PU_METRIC_SERIES_MAX);
	assert_int_equal((int)t.sum, 10000);
	assert_int_equal((int)t.other, 10000 - (PU_METRIC_SERIES_MAX - 1));
	pu_metrics_free(m);
}

/* The same label again is the same series, although only its beginning is kept. */
static void long_labels_are_cut_and_still_found(void **state)
{
	struct pu_metrics *m = made();
	struct pu_metric *f = pu_metrics_add(m, &things);
	struct tally t = { 0 };
	char name[200];

	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	pu_metric_add(f, VALUES(name), 1);
	pu_metric_add(f, VALUES(name), 1);
	pu_metrics_each(m, tally, &t);
	assert_int_equal(t.n, 1);
	assert_int_equal((int)t.sum, 2);
	pu_metrics_free(m);
}

static void set_level(void *arg)
{
	struct pu_metric **pf = arg;

	pu_metric_clear(*pf);
	pu_metric_set(*pf, NULL, 7);
}

static void gauges_are_collected_when_somebody_looks(void **state)
{
	struct pu_metric *f = NULL;
	struct pu_metrics *m;

	assert_int_equal(pu_metrics_new(set_level, &f, &m), 0);
	f = pu_metrics_add(m, &level);
	assert_page(m, "# HELP x_level Level.\n# TYPE x_level gauge\nx_level 7\n");
	assert_page(m, "# HELP x_level Level.\n# TYPE x_level gauge\nx_level 7\n");
	pu_metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_shows_every_series_of_every_family),
		cmocka_unit_test(buckets_of_a_histogram_add_up),
		cmocka_unit_test(a_label_cannot_break_out_of_its_quotes),
		cmocka_unit_test(peers_cannot_make_a_family_grow_without_end),
		cmocka_unit_test(long_labels_are_cut_and_still_found),
		cmocka_unit_test(gauges_are_collected_when_somebody_looks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
