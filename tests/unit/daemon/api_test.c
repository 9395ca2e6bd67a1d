/* The control API over a real socket, from inside one loop: what a careless or hostile
 * client can do, and what happens to requests when the daemon stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "daemon/http.h"
#include "daemon/sock.h"
#include "support/api_client.h"

#define ID1 API_ID1

static struct {
	struct api_lab lab;
	/* The ping that waits for its answer. */
	pu_api_ping_fn *ping_done;
	void *ping_arg;
	pu_trace_fn *trace_done; /* and the trace */
	void *trace_arg;
	unsigned n_canceled, n_shutdown;
	struct pu_api_relay relay[2]; /* that status shows */
	size_t n_relays;
} t;

static void fake_status(void *arg, struct pu_api_status *out)
{
	out->peer = &t.lab.self;
	out->relays = t.relay;
	out->n_relays = t.n_relays;
}

static int resolve(void *arg, const char *text, struct pu_peerid *peer, bool *pfrom_id)
{
	*peer = t.lab.self;
	*pfrom_id = false;
	return strcmp(text, "home") == 0 ? 0 : PU_ENOENT;
}

static int ping(void *arg, const struct pu_peerid *peer, pu_api_ping_fn *on_done, void *done_arg,
		uint64_t *pid)
{
	t.ping_done = on_done;
	t.ping_arg = done_arg;
	*pid = 42;
	return 0;
}

static void ping_cancel(void *arg, uint64_t id)
{
	assert_int_equal(id, 42);
	t.ping_done = NULL;
	t.n_canceled++;
}

static int reload(void *arg, struct pu_failure *why)
{
	return pu_failure_set(why, PU_ECONFIG, "config.yaml:3:1", NULL, "names.x: bad \xff\xfe");
}

static void stop_node(void *arg)
{
	t.n_shutdown++;
}

static int trace(void *arg, const struct pu_peerid *peer, pu_trace_fn *on_done, void *done_arg,
		 uint64_t *pid)
{
	t.trace_done = on_done;
	t.trace_arg = done_arg;
	*pid = 43;
	return 0;
}

static void trace_cancel(void *arg, uint64_t id)
{
	assert_int_equal(id, 43);
	t.trace_done = NULL;
	t.n_canceled++;
}

static int set_up(void **state)
{
	struct pu_api_ops *ops = &t.lab.ops;

	memset(&t, 0, sizeof t);
	api_lab_start(&t.lab);
	ops->status = fake_status;
	ops->resolve = resolve;
	ops->ping = ping;
	ops->ping_cancel = ping_cancel;
	ops->reload = reload;
	ops->shutdown = stop_node;
	ops->trace = trace;
	ops->trace_cancel = trace_cancel;
	return 0;
}

static int tear_down(void **state)
{
	api_lab_stop(&t.lab);
	return 0;
}

static void socket_and_cookie_are_private(void **state)
{
	struct stat st;

	assert_int_equal(stat(t.lab.sock, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(t.lab.cookie_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(strspn(t.lab.cookie, "0123456789abcdef"), 64);
}

static void only_the_exact_token_opens(void **state)
{
	static const char *const headers[] = {
		"", "Authorization: Bearer\r\n", "Authorization: Bearer \r\n",
		"Authorization: Basic %s\r\n", "Authorization: bearer %s\r\n",
		"Authorization: Bearer %sx\r\n", "Authorization: Bearer x%s\r\n",
		"X: Bearer %s\r\n",
	};
	char request[512];

	for (size_t i = 0; i < PU_ARRAY_LEN(headers); i++) {
		int fd = api_connect(&t.lab), n;

		n = snprintf(request, sizeof request, "GET /v1/status HTTP/1.0\r\n");
		snprintf(request + n, sizeof request - (size_t)n, headers[i], t.lab.cookie);
		strcat(request, "\r\n");
		api_send(&t.lab, fd, request, strlen(request), 1000);
		api_assert_answer(api_receive(&t.lab, fd), "401",
			      "{\"error\":\"unauthorized: invalid or missing auth token\"}\n");
		close(fd);
	}
}

static void a_request_may_come_in_pieces(void **state)
{
	char request[512];
	int fd = api_connect(&t.lab);

	api_request(&t.lab, request, sizeof request, "POST", "/v1/resolve", "", "{\"name\":\"home\"}");
	api_send(&t.lab, fd, request, strlen(request), 1);
	api_assert_answer(api_receive(&t.lab, fd), "200",
			  "{\"data\":{\"name\":\"home\",\"peer_id\":\"" ID1 "\"");
	close(fd);
}

static void two_requests_share_a_connection(void **state)
{
	char request[512];
	const char *answer;
	int fd = api_connect(&t.lab);

	for (int i = 0; i < 2; i++) {
		snprintf(request, sizeof request,
			 "GET /v1/status HTTP/1.1\r\nHost: daemon\r\n"
			 "Authorization: Bearer %s\r\n\r\n",
			 t.lab.cookie);
		api_send(&t.lab, fd, request, strlen(request), 1000);
		answer = api_receive(&t.lab, fd);
		api_assert_answer(answer, "200", "\"peer_id\":\"" ID1 "\"");
	}
	close(fd);
}

static void bad_bodies_are_answered_400(void **state)
{
	static const char *const bodies[] = {
		"", "{", "[]", "\"name\"", "{\"name\":\"home\"}x", "{\"name\":\"a\",\"name\":\"b\"}",
		"{\"name\":\"\xff\"}", "{\"a\":[[[[[[[[[[]]]]]]]]]]}", "{\"name\":7}", "{\"name\":\"\"}",
		"{\"name\":null}",
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(bodies); i++)
		api_assert_answer(api_ask(&t.lab, "POST", "/v1/resolve", bodies[i]), "400", "{\"error\":\"");
	api_assert_answer(api_ask(&t.lab, "POST", "/v1/resolve", "{\"name\":\"x\"}"), "404",
			  "name not found: x");
}

static void a_huge_body_is_cut_off(void **state)
{
	size_t n = 3 * 1024 * 1024;
	char *body = malloc(n + 300);
	int fd = api_connect(&t.lab), head;

	head = snprintf(body, 300,
			"POST /v1/resolve HTTP/1.0\r\nAuthorization: Bearer %s\r\n"
			"Content-Length: %zu\r\n\r\n",
			t.lab.cookie, n);
	memset(body + head, ' ', n);
	api_send(&t.lab, fd, body, (size_t)head + n, 100000);
	assert_null(strstr(api_receive(&t.lab, fd), "200 OK"));
	close(fd);
	free(body);
	api_assert_answer(api_ask(&t.lab, "GET", "/v1/status", ""), "200", "peer_id");
}

static void huge_headers_are_refused(void **state)
{
	size_t n = 200000;
	char *request = malloc(n + 100);
	int fd = api_connect(&t.lab), head;

	head = snprintf(request, 100, "GET /v1/status HTTP/1.0\r\nX: ");
	memset(request + head, 'a', n);
	api_send(&t.lab, fd, request, (size_t)head + n, 10000);
	assert_null(strstr(api_receive(&t.lab, fd), "200 OK"));
	close(fd);
	free(request);
	api_assert_answer(api_ask(&t.lab, "GET", "/v1/status", ""), "200", "peer_id");
}

static void garbage_harms_nobody(void **state)
{
	static const char *const lines[] = { "\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\x00",
					     "GET / HTTP/9.9\r\n\r\n" };

	for (size_t i = 0; i < PU_ARRAY_LEN(lines); i++) {
		int fd = api_connect(&t.lab);

		api_send(&t.lab, fd, lines[i], strlen(lines[i]), 1000);
		shutdown(fd, SHUT_WR);
		assert_null(strstr(api_receive(&t.lab, fd), "200 OK"));
		close(fd);
	}
	api_assert_answer(api_ask(&t.lab, "GET", "/v1/status", ""), "200", "peer_id");
}

static void a_failed_reload_tells_why(void **state)
{
	/* What is not UTF-8 in a message must not spoil the answer. */
	api_assert_answer(api_ask(&t.lab, "POST", "/v1/reload", ""), "500",
		      "{\"error\":\"config.yaml:3:1: names.x: bad ??\"}");
}

static void a_ping_is_answered_when_the_pong_comes(void **state)
{
	const struct pu_api_ping_result ok = { .rtt = PU_US(2500), .error = "" };
	const struct pu_api_ping_result bad = { .err = PU_ERESET, .error = "read: reset\nmore" };
	static char request[512];
	int fd = api_connect(&t.lab);

	api_request(&t.lab, request, sizeof request, "POST", "/v1/ping", "",
		       "{\"peer\":\"home\",\"count\":2,\"interval_ms\":1}");
	api_send(&t.lab, fd, request, strlen(request), 1000);
	assert_string_equal(api_receive(&t.lab, fd), "");
	assert_non_null(t.ping_done);
	pu_loop_uv_enter(api_lab_loop(&t.lab));
	t.ping_done(t.ping_arg, &ok);
	t.ping_done = NULL;
	pu_loop_uv_leave(api_lab_loop(&t.lab));
	assert_string_equal(api_receive(&t.lab, fd), "");
	assert_non_null(t.ping_done);
	pu_loop_uv_enter(api_lab_loop(&t.lab));
	t.ping_done(t.ping_arg, &bad);
	pu_loop_uv_leave(api_lab_loop(&t.lab));
	api_assert_answer(api_receive(&t.lab, fd), "200",
		      "{\"data\":{\"results\":[{\"seq\":1,\"peer_id\":\"" ID1
		      "\",\"rtt_ms\":2.5,\"path\":\"DIRECT\",\"error\":\"\"},{\"seq\":2,\"peer_id\":"
		      "\"" ID1 "\",\"rtt_ms\":0,\"path\":\"\",\"error\":\"read: reset\"}],"
		      "\"stats\":{\"sent\":2,\"received\":1,\"lost\":1,\"loss_pct\":50,"
		      "\"min_ms\":2.5,\"avg_ms\":2.5,\"max_ms\":2.5}}}\n");
	close(fd);
}

static void a_client_that_left_does_not_matter(void **state)
{
	const struct pu_api_ping_result ok = { .rtt = PU_US(2500), .error = "" };
	static char request[512];
	int fd = api_connect(&t.lab);

	api_request(&t.lab, request, sizeof request, "POST", "/v1/ping", "",
		    "{\"peer\":\"home\",\"count\":1}");
	api_send(&t.lab, fd, request, strlen(request), 1000);
	api_receive(&t.lab, fd);
	close(fd);
	assert_non_null(t.ping_done);
	pu_loop_uv_enter(api_lab_loop(&t.lab));
	t.ping_done(t.ping_arg, &ok);
	pu_loop_uv_leave(api_lab_loop(&t.lab));
	for (int i = 0; i < 20; i++)
		api_lab_turn(&t.lab);
	api_assert_answer(api_ask(&t.lab, "GET", "/v1/status", ""), "200", "peer_id");
}

static void a_series_ends_when_its_client_leaves(void **state)
{
	static char request[512];
	int fd = api_connect(&t.lab);

	api_request(&t.lab, request, sizeof request, "POST", "/v1/ping", "",
		       "{\"peer\":\"home\",\"count\":1000}");
	api_send(&t.lab, fd, request, strlen(request), 1000);
	/* Finished writing is not left. */
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	for (int i = 0; i < 1200; i++) {
		usleep(1000);
		api_lab_turn(&t.lab);
	}
	assert_int_equal(t.n_canceled, 0);
	close(fd);
	for (int i = 0; i < 1500 && t.n_canceled == 0; i++) {
		usleep(1000);
		api_lab_turn(&t.lab);
	}
	assert_int_equal(t.n_canceled, 1);
}

static void stopping_ends_open_requests(void **state)
{
	static char request[512];
	int fd = api_connect(&t.lab), idle = api_connect(&t.lab);

	api_request(&t.lab, request, sizeof request, "POST", "/v1/ping", "", "{\"peer\":\"home\"}");
	api_send(&t.lab, fd, request, strlen(request), 1000);
	api_receive(&t.lab, fd);
	assert_non_null(t.ping_done);
	pu_api_stop(t.lab.api);
	t.lab.api = NULL;
	assert_int_equal(t.n_canceled, 1);
	assert_null(strstr(api_receive(&t.lab, fd), "200 OK"));
	close(fd);
	close(idle);
}

/* Traces live and die like pings. */
static void traces_end_with_their_client_and_with_the_daemon(void **state)
{
	const struct pu_trace_result lost = { .err = PU_EUNREACH };
	static char request[512];
	int fd = api_connect(&t.lab);

	api_request(&t.lab, request, sizeof request, "POST", "/v1/traceroute", "", "{\"peer\":\"home\"}");
	api_send(&t.lab, fd, request, strlen(request), 1000);
	api_receive(&t.lab, fd);
	assert_non_null(t.trace_done);
	pu_loop_uv_enter(api_lab_loop(&t.lab));
	t.trace_done(t.trace_arg, &lost);
	pu_loop_uv_leave(api_lab_loop(&t.lab));
	assert_non_null(strstr(api_receive(&t.lab, fd), "502"));
	close(fd);
	assert_int_equal(t.n_canceled, 0);
	fd = api_connect(&t.lab);
	api_send(&t.lab, fd, request, strlen(request), 1000);
	api_receive(&t.lab, fd);
	close(fd);
	for (int i = 0; i < 1500 && t.n_canceled == 0; i++) {
		usleep(1000);
		api_lab_turn(&t.lab);
	}
	assert_int_equal(t.n_canceled, 1);
	fd = api_connect(&t.lab);
	api_send(&t.lab, fd, request, strlen(request), 1000);
	api_receive(&t.lab, fd);
	pu_api_stop(t.lab.api);
	t.lab.api = NULL;
	assert_int_equal(t.n_canceled, 2);
	close(fd);
}

static void what_is_not_known_is_said_to_be_so(void **state)
{
	api_assert_answer(api_ask(&t.lab, "GET", "/v1/why/nobody", ""), "404", "name not found: nobody");
	api_assert_answer(api_ask(&t.lab, "GET", "/v1/why/home", ""), "404",
			  "nothing is known about home");
	api_assert_answer(api_ask(&t.lab, "GET", "/v1/why/", ""), "404", "404 page not found");
	api_assert_answer(api_ask(&t.lab, "POST", "/v1/why/home", ""), "405", "Method Not Allowed");
	api_assert_answer(api_ask(&t.lab, "GET", "/v1/paths", ""), "200", "{\"data\":[]}");
}

static void shutdown_is_answered_first_and_done_once(void **state)
{
	api_assert_answer(api_ask(&t.lab, "POST", "/v1/shutdown", ""), "200",
			  "{\"status\":\"shutting down\"}");
	api_assert_answer(api_ask(&t.lab, "POST", "/v1/shutdown", ""), "200",
			  "{\"status\":\"shutting down\"}");
	for (int i = 0; i < 300 && t.n_shutdown == 0; i++) {
		usleep(1000);
		api_lab_turn(&t.lab);
	}
	assert_int_equal(t.n_shutdown, 1);
}

static void idle_clients_that_left_make_room(void **state)
{
	int fd[PU_HTTP_CONNS_MAX + 8]; /* some wait in the backlog */

	for (size_t i = 0; i < PU_ARRAY_LEN(fd); i++) {
		fd[i] = api_connect(&t.lab);
		api_lab_turn(&t.lab);
	}
	for (size_t i = 0; i < PU_ARRAY_LEN(fd); i++)
		close(fd[i]);
	for (int i = 0; i < 20; i++)
		api_lab_turn(&t.lab);
	api_assert_answer(api_ask(&t.lab, "GET", "/v1/status", ""), "200", "peer_id");
}

static void a_second_daemon_is_told_of_the_first(void **state)
{
	struct pu_api *second;

	assert_int_equal(api_lab_start_api(&t.lab, &second), PU_EEXIST);
	assert_string_equal(t.lab.why.what, t.lab.sock);
	assert_non_null(strstr(t.lab.why.why, "running already"));
	api_assert_answer(api_ask(&t.lab, "GET", "/v1/status", ""), "200", "peer_id");
}

static void a_stale_socket_is_replaced(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	pu_api_stop(t.lab.api);
	t.lab.api = NULL;
	strcpy(sa.sun_path, t.lab.sock);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	close(fd);
	assert_int_equal(api_lab_start_api(&t.lab, &t.lab.api), 0);
}

static void a_file_in_the_sockets_place_is_left_alone(void **state)
{
	struct stat st;

	pu_api_stop(t.lab.api);
	t.lab.api = NULL;
	assert_int_equal(pu_file_replace(t.lab.sock, pu_bytes_str("mine"), 0600, NULL), 0);
	assert_true(api_lab_start_api(&t.lab, &t.lab.api) < 0);
	t.lab.api = NULL;
	assert_int_equal(stat(t.lab.sock, &st), 0);
	assert_int_equal(st.st_size, 4);
	assert_int_equal(unlink(t.lab.sock), 0);
}

static void relays_are_shown_with_what_became_of_them(void **state)
{
	struct pu_multiaddr addr;
	const char *answer;

	assert_int_equal(pu_multiaddr_from_text(&addr, "/ip4/192.0.2.9/tcp/7777"), 0);
	api_assert_answer(api_ask(&t.lab, "GET", "/v1/status", ""), "200", "\"relays\":[]");
	t.relay[0] = (struct pu_api_relay){ .relay = t.lab.self, .addr = &addr, .state = "reserved",
					    .expires = 1700000000, .status = "OK" };
	t.relay[1] = (struct pu_api_relay){ .relay = t.lab.self, .addr = &addr, .state = "waiting",
					    .err = PU_ETIMEDOUT };
	t.n_relays = 2;
	answer = api_ask(&t.lab, "GET", "/v1/status", "");
	api_assert_answer(answer, "200", "\"address\":\"/ip4/192.0.2.9/tcp/7777\",\"state\":\"reserved\","
				     "\"expires\":\"2023-11-14T22:13:20Z\",\"status\":\"OK\"}");
	api_assert_answer(answer, "200", "\"state\":\"waiting\",\"error\":\"timed out\"}");
	answer = api_ask(&t.lab, "GET", "/v1/status?format=text", "");
	api_assert_answer(answer, "200", "relays: 2\n");
	api_assert_answer(answer, "200", " reserved until 2023-11-14T22:13:20Z\n");
	api_assert_answer(answer, "200", " waiting: timed out\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(socket_and_cookie_are_private),
		TEST(only_the_exact_token_opens),
		TEST(a_request_may_come_in_pieces),
		TEST(two_requests_share_a_connection),
		TEST(bad_bodies_are_answered_400),
		TEST(a_huge_body_is_cut_off),
		TEST(huge_headers_are_refused),
		TEST(garbage_harms_nobody),
		TEST(a_failed_reload_tells_why),
		TEST(a_ping_is_answered_when_the_pong_comes),
		TEST(a_client_that_left_does_not_matter),
		TEST(a_series_ends_when_its_client_leaves),
		TEST(stopping_ends_open_requests),
		TEST(traces_end_with_their_client_and_with_the_daemon),
		TEST(what_is_not_known_is_said_to_be_so),
		TEST(shutdown_is_answered_first_and_done_once),
		TEST(idle_clients_that_left_make_room),
		TEST(a_second_daemon_is_told_of_the_first),
		TEST(a_stale_socket_is_replaced),
		TEST(a_file_in_the_sockets_place_is_left_alone),
		TEST(relays_are_shown_with_what_became_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
