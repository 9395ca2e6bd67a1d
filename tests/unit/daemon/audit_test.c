#include "daemon/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "support/simnet.h"

struct fixture {
	struct pu_sim *sim;
	struct pu_sim_node *node;
	struct pu_events events;
	struct pu_audit *audit;
	struct pu_peerid peer;
	char last[1024];
	unsigned lines;
};

static void keep(void *arg, const char *line, size_t len)
{
	struct fixture *f = arg;

	assert_true(len < sizeof f->last);
	memcpy(f->last, line, len);
	f->last[len] = '\0';
	f->lines++;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->sim = pu_sim_new(1);
	f->node = pu_sim_node_new(f->sim, "node");
	pu_events_init(&f->events);
	assert_int_equal(pu_peerid_from_text(&f->peer,
			 "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"), 0);
	assert_int_equal(pu_audit_new(pu_sim_loop(f->node), &f->events, keep, f, &f->audit), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pu_audit_free(f->audit);
	pu_sim_free(f->sim);
	free(f);
	return 0;
}

/* Tells ev and compares the line, but for its time. */
static void assert_line(struct fixture *f, const struct pu_event *ev, const char *level,
			const char *msg, const char *fields)
{
	json_t *v, *want = json_loads(fields, 0, NULL);
	const char *time;

	f->last[0] = '\0';
	pu_events_tell(&f->events, ev);
	assert_true(strlen(f->last) > 0 && f->last[strlen(f->last) - 1] == '\n');
	v = json_loads(f->last, 0, NULL);
	assert_non_null(v);
	time = json_string_value(json_object_get(v, "time"));
	assert_non_null(time);
	assert_int_equal(strlen(time), strlen("2026-01-31T12:00:00Z"));
	assert_string_equal(json_string_value(json_object_get(v, "level")), level);
	assert_string_equal(json_string_value(json_object_get(v, "msg")), msg);
	assert_true(json_equal(json_object_get(v, "audit"), want));
	json_decref(v);
	json_decref(want);
}

static void all_four_kinds_of_lines_are_written(void **state)
{
	struct fixture *f = *state;

	assert_line(f, &(struct pu_event){ .kind = PU_EVENT_AUTH_DECISION, .peer = &f->peer,
					   .what = "deny" },
		    "INFO", "auth_decision",
		    "{\"peer\":\"12D3KooWK99VoVxN...\",\"direction\":\"inbound\","
		    "\"result\":\"deny\"}");
	assert_line(f, &(struct pu_event){ .kind = PU_EVENT_SERVICE_DENIED, .peer = &f->peer,
					   .what = "ssh" },
		    "WARN", "service_acl_denied",
		    "{\"peer\":\"12D3KooWK99VoVxN...\",\"service\":\"ssh\"}");
	assert_line(f, &(struct pu_event){ .kind = PU_EVENT_AUTH_CHANGE, .peer = &f->peer,
					   .what = "removed" },
		    "INFO", "auth_change",
		    "{\"action\":\"removed\",\"peer\":\"12D3KooWK99VoVxN...\"}");
	assert_line(f, &(struct pu_event){ .kind = PU_EVENT_API_ACCESS, .what = "GET",
					   .detail = "/v1/auth/:id", .n = 401 },
		    "INFO", "daemon_api_access",
		    "{\"method\":\"GET\",\"path\":\"/v1/auth/:id\",\"status\":401}");
}

static void what_is_no_security_matter_stays_out(void **state)
{
	struct fixture *f = *state;

	for (int k = 0; k < PU_EVENT_KINDS; k++)
		if (k != PU_EVENT_AUTH_DECISION && k != PU_EVENT_SERVICE_DENIED &&
		    k != PU_EVENT_AUTH_CHANGE && k != PU_EVENT_API_ACCESS)
			pu_events_tell(&f->events, &(struct pu_event){ .kind = k, .what = "x" });
	assert_int_equal(f->lines, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_four_kinds_of_lines_are_written, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_no_security_matter_stays_out, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
