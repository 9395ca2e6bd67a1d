/* The event stream: order, numbers, what a client finds that comes back, what a slow one
 * loses, and how many there may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <unistd.h>

#include "base/err.h"
#include "support/api_client.h"

enum { RING = 256, STREAMS = 16 };

static struct api_lab t;

static int set_up(void **state)
{
	api_lab_start(&t);
	return 0;
}

static int tear_down(void **state)
{
	api_lab_stop(&t);
	return 0;
}

static void tell(enum pu_event_kind kind, const char *what)
{
	pu_loop_uv_enter(api_lab_loop(&t));
	pu_events_tell(&t.events, &(struct pu_event){ .kind = kind, .peer = &t.self, .what = what });
	pu_loop_uv_leave(api_lab_loop(&t));
}

static int open_stream(const char *path, const char *headers)
{
	char request[1024];
	int fd = api_connect(&t);

	api_request(&t, request, sizeof request, "GET", path, headers, "");
	api_send(&t, fd, request, strlen(request), 1000);
	return fd;
}

static void assert_begins(const char *in, const char *with)
{
	if (strncmp(in, with, strlen(with)) != 0)
		fail_msg("not %s but: %s", with, in);
}

static void events_come_as_they_happen(void **state)
{
	const char *in;
	int fd = open_stream("/v1/events", "");

	in = api_receive(&t, fd);
	api_assert_answer(in, "200", "Content-Type: text/event-stream\r\n");
	api_assert_answer(in, "200", "Cache-Control: no-store\r\n");
	assert_string_equal(api_body(in), "retry: 2000\n\n");
	tell(PU_EVENT_PEER_CONNECTED, "DIRECT");
	in = api_receive(&t, fd);
	assert_begins(in, "id: 1\nevent: peer_connected\ndata: {\"kind\":\"peer_connected\","
			  "\"time\":\"20");
	assert_non_null(strstr(in, "Z\",\"peer_id\":\"" API_ID1 "\",\"what\":\"DIRECT\"}\n\n"));
	tell(PU_EVENT_CONFIG, "<\n>");
	tell(PU_EVENT_STOPPING, NULL);
	in = api_receive(&t, fd);
	assert_non_null(strstr(in, "id: 2\nevent: config\ndata: "));
	assert_non_null(strstr(in, "\"what\":\"\\u003c\\n\\u003e\"}\n\n"));
	assert_non_null(strstr(in, "id: 3\nevent: stopping\ndata: "));
	close(fd);
}

static void requests_are_no_events_here(void **state)
{
	int fd = open_stream("/v1/events", "");

	api_receive(&t, fd);
	api_ask(&t, "GET", "/v1/status", "");
	tell(PU_EVENT_CONFIG, "loaded");
	assert_begins(api_receive(&t, fd), "id: 1\nevent: config\n");
	close(fd);
}

static struct {
	unsigned n;
	char method[16], path[64];
	uint64_t status;
} heard;

static void hear(void *arg, const struct pu_event *ev)
{
	if (ev->kind != PU_EVENT_API_ACCESS)
		return;
	heard.n++;
	snprintf(heard.method, sizeof heard.method, "%s", ev->what);
	snprintf(heard.path, sizeof heard.path, "%s", ev->detail);
	heard.status = ev->n;
}

static void requests_are_told_without_what_they_name(void **state)
{
	struct pu_event_listener l = { .on_event = hear };

	heard.n = 0;
	pu_events_add(&t.events, &l);
	api_ask(&t, "GET", "/v1/why/somebody", "");
	assert_string_equal(heard.method, "GET");
	assert_string_equal(heard.path, "/v1/why/:id");
	assert_int_equal(heard.status, 404);
	api_ask(&t, "GET", "/secret/path", "");
	assert_string_equal(heard.path, "unknown");
	t.cookie[0] = 'x';
	api_ask(&t, "GET", "/v1/status", "");
	assert_int_equal(heard.status, 401);
	assert_int_equal(heard.n, 3);
	pu_events_remove(&t.events, &l);
}

static void kinds_are_chosen(void **state)
{
	int fd = open_stream("/v1/events?kind=config,relay", "");
	const char *in;

	api_receive(&t, fd);
	tell(PU_EVENT_PATH, "DIRECT");
	tell(PU_EVENT_RELAY, "reserved");
	tell(PU_EVENT_CONFIG, "loaded");
	in = api_receive(&t, fd);
	assert_begins(in, "id: 2\nevent: relay\n");
	assert_non_null(strstr(in, "id: 3\nevent: config\n"));
	close(fd);
	api_assert_body(api_ask(&t, "GET", "/v1/events?kind=config,x", ""), "400",
			"{\"error\":\"there is no event kind in \\\"x\\\"\"}\n");
	api_assert_answer(api_ask(&t, "GET", "/v1/events?kind=", ""), "400", "");
	api_assert_answer(api_ask(&t, "GET", "/v1/events?kind=api_access", ""), "400", "");
}

static void who_comes_back_finds_what_he_missed(void **state)
{
	const char *in;
	int fd;

	for (int i = 0; i < 5; i++)
		tell(PU_EVENT_CONFIG, "loaded");
	fd = open_stream("/v1/events", "Last-Event-ID: 3\r\n");
	in = api_body(api_receive(&t, fd));
	assert_begins(in, "retry: 2000\n\nid: 4\nevent: config\n");
	assert_non_null(strstr(in, "id: 5\n"));
	close(fd);
	/* Nothing was missed. */
	fd = open_stream("/v1/events", "Last-Event-ID: 5\r\n");
	assert_string_equal(api_body(api_receive(&t, fd)), "retry: 2000\n\n");
	close(fd);
	/* A number of a former run: all of this one is new. */
	fd = open_stream("/v1/events", "Last-Event-ID: 77\r\n");
	assert_non_null(strstr(api_receive(&t, fd), "\n\nid: 1\n"));
	close(fd);
	/* Nonsense is as good as none. */
	fd = open_stream("/v1/events", "Last-Event-ID: x7\r\n");
	assert_string_equal(api_body(api_receive(&t, fd)), "retry: 2000\n\n");
	close(fd);
}

static void who_comes_back_late_hears_how_much_is_gone(void **state)
{
	const char *in;
	int fd;

	for (int i = 0; i < RING + 10; i++)
		tell(PU_EVENT_CONFIG, "loaded");
	fd = open_stream("/v1/events", "Last-Event-ID: 4\r\n");
	in = api_receive(&t, fd);
	assert_non_null(strstr(in, "retry: 2000\n\nevent: lost\ndata: {\"kind\":\"lost\",\"n\":6}\n\n"
				   "id: 11\n"));
	assert_non_null(strstr(in, "id: 266\n"));
	close(fd);
}

/* Its socket is full, then the ring goes round. */
static void a_slow_client_loses_events_and_is_told(void **state)
{
	enum { TOLD = 6000 };
	unsigned n_ids = 0, lost = 0;
	const char *in, *p;
	int fd = open_stream("/v1/events?kind=config", "");

	api_receive(&t, fd);
	for (int i = 0; i < TOLD; i++) {
		tell(PU_EVENT_CONFIG, "loaded");
		tell(PU_EVENT_PATH, "DIRECT"); /* not wanted, so not lost */
		if (i % 8 == 0)
			api_lab_turn(&t);
	}
	for (int quiet = 0; quiet < 2;) {
		in = api_receive(&t, fd);
		quiet = *in ? 0 : quiet + 1;
		for (p = in; (p = strstr(p, "event: ")); p++)
			n_ids += strncmp(p, "event: config\n", 14) == 0;
		for (p = in; (p = strstr(p, "{\"kind\":\"lost\",\"n\":")); p++)
			lost += (unsigned)strtoul(p + 19, NULL, 10);
	}
	assert_true(lost > 0);
	assert_int_equal(n_ids + lost, TOLD);
	close(fd);
}

static void there_are_so_many_streams_and_no_more(void **state)
{
	int fd[STREAMS], more;

	for (int i = 0; i < STREAMS; i++)
		fd[i] = open_stream("/v1/events", "");
	for (int i = 0; i < 50; i++)
		api_lab_turn(&t);
	api_assert_body(api_ask(&t, "GET", "/v1/events", ""), "503",
			"{\"error\":\"too many event streams, at most 16\"}\n");
	close(fd[3]);
	/* A place is free as soon as somebody has left. */
	for (int i = 0; i < 1500; i++) {
		usleep(1000);
		api_lab_turn(&t);
	}
	more = open_stream("/v1/events", "");
	api_assert_answer(api_receive(&t, more), "200", "retry: 2000\n\n");
	for (int i = 0; i < STREAMS; i++)
		if (i != 3)
			close(fd[i]);
	close(more);
}

static void stopping_lets_streams_end_in_peace(void **state)
{
	char request[512];
	const char *in;
	int fd = api_connect(&t);

	snprintf(request, sizeof request,
		 "GET /v1/events HTTP/1.1\r\nHost: daemon\r\nAuthorization: Bearer %s\r\n\r\n",
		 t.cookie);
	api_send(&t, fd, request, strlen(request), 1000);
	api_receive(&t, fd);
	tell(PU_EVENT_STOPPING, NULL);
	pu_api_stop(t.api);
	t.api = NULL;
	in = api_receive(&t, fd);
	assert_non_null(strstr(in, "id: 1\nevent: stopping\n"));
	/* The last chunk: the stream is whole. */
	assert_non_null(strstr(in, "\r\n0\r\n\r\n"));
	close(fd);
}

static void stopping_does_not_wait_for_a_full_socket(void **state)
{
	int fd = open_stream("/v1/events", "");

	api_receive(&t, fd);
	for (int i = 0; i < 4000; i++) {
		tell(PU_EVENT_CONFIG, "loaded");
		if (i % 8 == 0)
			api_lab_turn(&t);
	}
	pu_api_stop(t.api);
	t.api = NULL;
	close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(events_come_as_they_happen),
		TEST(requests_are_no_events_here),
		TEST(requests_are_told_without_what_they_name),
		TEST(kinds_are_chosen),
		TEST(who_comes_back_finds_what_he_missed),
		TEST(who_comes_back_late_hears_how_much_is_gone),
		TEST(a_slow_client_loses_events_and_is_told),
		TEST(there_are_so_many_streams_and_no_more),
		TEST(stopping_lets_streams_end_in_peace),
		TEST(stopping_does_not_wait_for_a_full_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
