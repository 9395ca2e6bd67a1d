/* The control API over a real socket, from inside one loop: what a careless or hostile
 * client can do, and what happens to requests when the daemon stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/loop_uv.h"
#include "daemon/api.h"
#include "daemon/http.h"
#include "daemon/sock.h"
#include "support/fake_ops.h"

#define ID1 "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"

static struct {
	struct pu_loop_uv *driver;
	struct pu_api *api;
	struct pu_peerid self;
	char dir[64], sock[80], cookie_path[80], cookie[80];
	struct pu_failure why;
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
	out->peer = &t.self;
	out->relays = t.relay;
	out->n_relays = t.n_relays;
}

static int resolve(void *arg, const char *text, struct pu_peerid *peer, bool *pfrom_id)
{
	*peer = t.self;
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

static struct pu_api_ops ops;

static void set_ops(void)
{
	ops = (struct pu_api_ops)FAKE_OPS;
	ops.status = fake_status;
	ops.resolve = resolve;
	ops.ping = ping;
	ops.ping_cancel = ping_cancel;
	ops.reload = reload;
	ops.shutdown = stop_node;
	ops.trace = trace;
	ops.trace_cancel = trace_cancel;
}

static int start_api(struct pu_api **papi)
{
	const struct pu_api_options opt = {
		.loop = pu_loop_uv_loop(t.driver), .version = "1", .socket_path = t.sock,
		.cookie_path = t.cookie_path, .ops = &ops,
	};

	t.why = (struct pu_failure){ .what = "" };
	return pu_api_start(&opt, papi, &t.why);
}

static int set_up(void **state)
{
	char *text;
	size_t len;

	memset(&t, 0, sizeof t);
	set_ops();
	assert_int_equal(pu_peerid_from_text(&t.self, ID1), 0);
	strcpy(t.dir, "/tmp/pu_api_XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	snprintf(t.sock, sizeof t.sock, "%s/s", t.dir);
	snprintf(t.cookie_path, sizeof t.cookie_path, "%s/c", t.dir);
	assert_int_equal(pu_loop_uv_new(&t.driver), 0);
	assert_int_equal(start_api(&t.api), 0);
	assert_int_equal(pu_file_read(t.cookie_path, 64, &text, &len, NULL), 0);
	assert_int_equal(len, 64);
	strcpy(t.cookie, text);
	free(text);
	return 0;
}

static int tear_down(void **state)
{
	pu_api_stop(t.api);
	pu_loop_uv_free(t.driver);
	assert_int_equal(access(t.sock, F_OK), -1);
	assert_int_equal(access(t.cookie_path, F_OK), -1);
	return rmdir(t.dir);
}

static void turn(void)
{
	uv_run(pu_loop_uv_of(pu_loop_uv_loop(t.driver)), UV_RUN_NOWAIT);
}

static int connect_api(void)
{
	int fd;

	assert_int_equal(pu_sock_connect(t.sock, &fd), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* Sends piece by piece while the loop runs; stops when the peer closes. */
static void send_text(int fd, const char *text, size_t len, size_t piece)
{
	for (size_t off = 0; off < len;) {
		ssize_t n = send(fd, text + off, pu_min(piece, len - off), MSG_NOSIGNAL);

		if (n > 0)
			off += (size_t)n;
		else if (errno != EAGAIN)
			return;
		turn();
	}
}

/* Everything until the server closes, or has been silent for a while. */
static const char *receive(int fd)
{
	static char in[65536];
	size_t len = 0;
	int idle = 0;

	while (idle < 300 && len < sizeof in - 1) {
		ssize_t n = recv(fd, in + len, sizeof in - 1 - len, 0);
		bool again = n < 0 && errno == EAGAIN;

		turn();
		if (n == 0 || (n < 0 && !again))
			break;
		if (n < 0) {
			idle++;
			usleep(1000);
			continue;
		}
		len += (size_t)n;
		idle = 0;
	}
	in[len] = '\0';
	return in;
}

static void format_request(char *out, size_t cap, const char *method, const char *path,
			   const char *body)
{
	snprintf(out, cap,
		 "%s %s HTTP/1.0\r\nAuthorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n%s",
		 method, path, t.cookie, strlen(body), body);
}

static const char *ask(const char *method, const char *path, const char *body)
{
	static char request[4096];
	const char *answer;
	int fd = connect_api();

	format_request(request, sizeof request, method, path, body);
	send_text(fd, request, strlen(request), 100000);
	answer = receive(fd);
	close(fd);
	return answer;
}

static void assert_answer(const char *answer, const char *status, const char *part)
{
	if (strncmp(answer + strlen("HTTP/1.1 "), status, 3) != 0 || !strstr(answer, part))
		fail_msg("not %s %s but: %s", status, part, answer);
}

static void socket_and_cookie_are_private(void **state)
{
	struct stat st;

	assert_int_equal(stat(t.sock, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(t.cookie_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(strspn(t.cookie, "0123456789abcdef"), 64);
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
		int fd = connect_api(), n;

		n = snprintf(request, sizeof request, "GET /v1/status HTTP/1.0\r\n");
		snprintf(request + n, sizeof request - (size_t)n, headers[i], t.cookie);
		strcat(request, "\r\n");
		send_text(fd, request, strlen(request), 1000);
		assert_answer(receive(fd), "401",
			      "{\"error\":\"unauthorized: invalid or missing auth token\"}\n");
		close(fd);
	}
}

static void a_request_may_come_in_pieces(void **state)
{
	char request[512];
	int fd = connect_api();

	format_request(request, sizeof request, "POST", "/v1/resolve", "{\"name\":\"home\"}");
	send_text(fd, request, strlen(request), 1);
	assert_answer(receive(fd), "200", "{\"data\":{\"name\":\"home\",\"peer_id\":\"" ID1 "\"");
	close(fd);
}

static void two_requests_share_a_connection(void **state)
{
	char request[512];
	const char *answer;
	int fd = connect_api();

	for (int i = 0; i < 2; i++) {
		snprintf(request, sizeof request,
			 "GET /v1/status HTTP/1.1\r\nHost: daemon\r\n"
			 "Authorization: Bearer %s\r\n\r\n",
			 t.cookie);
		send_text(fd, request, strlen(request), 1000);
		answer = receive(fd);
		assert_answer(answer, "200", "\"peer_id\":\"" ID1 "\"");
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
		assert_answer(ask("POST", "/v1/resolve", bodies[i]), "400", "{\"error\":\"");
	assert_answer(ask("POST", "/v1/resolve", "{\"name\":\"x\"}"), "404", "name not found: x");
}

static void a_huge_body_is_cut_off(void **state)
{
	size_t n = 3 * 1024 * 1024;
	char *body = malloc(n + 300);
	int fd = connect_api(), head;

	head = snprintf(body, 300,
			"POST /v1/resolve HTTP/1.0\r\nAuthorization: Bearer %s\r\n"
			"Content-Length: %zu\r\n\r\n",
			t.cookie, n);
	memset(body + head, ' ', n);
	send_text(fd, body, (size_t)head + n, 100000);
	assert_null(strstr(receive(fd), "200 OK"));
	close(fd);
	free(body);
	assert_answer(ask("GET", "/v1/status", ""), "200", "peer_id");
}

static void huge_headers_are_refused(void **state)
{
	size_t n = 200000;
	char *request = malloc(n + 100);
	int fd = connect_api(), head;

	head = snprintf(request, 100, "GET /v1/status HTTP/1.0\r\nX: ");
	memset(request + head, 'a', n);
	send_text(fd, request, (size_t)head + n, 10000);
	assert_null(strstr(receive(fd), "200 OK"));
	close(fd);
	free(request);
	assert_answer(ask("GET", "/v1/status", ""), "200", "peer_id");
}

static void garbage_harms_nobody(void **state)
{
	static const char *const lines[] = { "\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\x00",
					     "GET / HTTP/9.9\r\n\r\n" };

	for (size_t i = 0; i < PU_ARRAY_LEN(lines); i++) {
		int fd = connect_api();

		send_text(fd, lines[i], strlen(lines[i]), 1000);
		shutdown(fd, SHUT_WR);
		assert_null(strstr(receive(fd), "200 OK"));
		close(fd);
	}
	assert_answer(ask("GET", "/v1/status", ""), "200", "peer_id");
}

static void a_failed_reload_tells_why(void **state)
{
	/* What is not UTF-8 in a message must not spoil the answer. */
	assert_answer(ask("POST", "/v1/reload", ""), "500",
		      "{\"error\":\"config.yaml:3:1: names.x: bad ??\"}");
}

static void a_ping_is_answered_when_the_pong_comes(void **state)
{
	const struct pu_api_ping_result ok = { .rtt = PU_US(2500), .error = "" };
	const struct pu_api_ping_result bad = { .err = PU_ERESET, .error = "read: reset\nmore" };
	static char request[512];
	int fd = connect_api();

	format_request(request, sizeof request, "POST", "/v1/ping",
		       "{\"peer\":\"home\",\"count\":2,\"interval_ms\":1}");
	send_text(fd, request, strlen(request), 1000);
	assert_string_equal(receive(fd), "");
	assert_non_null(t.ping_done);
	pu_loop_uv_enter(pu_loop_uv_loop(t.driver));
	t.ping_done(t.ping_arg, &ok);
	t.ping_done = NULL;
	pu_loop_uv_leave(pu_loop_uv_loop(t.driver));
	assert_string_equal(receive(fd), "");
	assert_non_null(t.ping_done);
	pu_loop_uv_enter(pu_loop_uv_loop(t.driver));
	t.ping_done(t.ping_arg, &bad);
	pu_loop_uv_leave(pu_loop_uv_loop(t.driver));
	assert_answer(receive(fd), "200",
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
	int fd = connect_api();

	format_request(request, sizeof request, "POST", "/v1/ping", "{\"peer\":\"home\",\"count\":1}");
	send_text(fd, request, strlen(request), 1000);
	receive(fd);
	close(fd);
	assert_non_null(t.ping_done);
	pu_loop_uv_enter(pu_loop_uv_loop(t.driver));
	t.ping_done(t.ping_arg, &ok);
	pu_loop_uv_leave(pu_loop_uv_loop(t.driver));
	for (int i = 0; i < 20; i++)
		turn();
	assert_answer(ask("GET", "/v1/status", ""), "200", "peer_id");
}

static void a_series_ends_when_its_client_leaves(void **state)
{
	static char request[512];
	int fd = connect_api();

	format_request(request, sizeof request, "POST", "/v1/ping",
		       "{\"peer\":\"home\",\"count\":1000}");
	send_text(fd, request, strlen(request), 1000);
	/* Finished writing is not left. */
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	for (int i = 0; i < 1200; i++) {
		usleep(1000);
		turn();
	}
	assert_int_equal(t.n_canceled, 0);
	close(fd);
	for (int i = 0; i < 1500 && t.n_canceled == 0; i++) {
		usleep(1000);
		turn();
	}
	assert_int_equal(t.n_canceled, 1);
}

static void stopping_ends_open_requests(void **state)
{
	static char request[512];
	int fd = connect_api(), idle = connect_api();

	format_request(request, sizeof request, "POST", "/v1/ping", "{\"peer\":\"home\"}");
	send_text(fd, request, strlen(request), 1000);
	receive(fd);
	assert_non_null(t.ping_done);
	pu_api_stop(t.api);
	t.api = NULL;
	assert_int_equal(t.n_canceled, 1);
	assert_null(strstr(receive(fd), "200 OK"));
	close(fd);
	close(idle);
}

/* Traces live and die like pings. */
static void traces_end_with_their_client_and_with_the_daemon(void **state)
{
	const struct pu_trace_result lost = { .err = PU_EUNREACH };
	static char request[512];
	int fd = connect_api();

	format_request(request, sizeof request, "POST", "/v1/traceroute", "{\"peer\":\"home\"}");
	send_text(fd, request, strlen(request), 1000);
	receive(fd);
	assert_non_null(t.trace_done);
	pu_loop_uv_enter(pu_loop_uv_loop(t.driver));
	t.trace_done(t.trace_arg, &lost);
	pu_loop_uv_leave(pu_loop_uv_loop(t.driver));
	assert_non_null(strstr(receive(fd), "502"));
	close(fd);
	assert_int_equal(t.n_canceled, 0);
	fd = connect_api();
	send_text(fd, request, strlen(request), 1000);
	receive(fd);
	close(fd);
	for (int i = 0; i < 1500 && t.n_canceled == 0; i++) {
		usleep(1000);
		turn();
	}
	assert_int_equal(t.n_canceled, 1);
	fd = connect_api();
	send_text(fd, request, strlen(request), 1000);
	receive(fd);
	pu_api_stop(t.api);
	t.api = NULL;
	assert_int_equal(t.n_canceled, 2);
	close(fd);
}

static void what_is_not_known_is_said_to_be_so(void **state)
{
	assert_answer(ask("GET", "/v1/why/nobody", ""), "404", "name not found: nobody");
	assert_answer(ask("GET", "/v1/why/home", ""), "404", "nothing is known about home");
	assert_answer(ask("GET", "/v1/why/", ""), "404", "404 page not found");
	assert_answer(ask("POST", "/v1/why/home", ""), "405", "Method Not Allowed");
	assert_answer(ask("GET", "/v1/paths", ""), "200", "{\"data\":[]}");
}

static void shutdown_is_answered_first_and_done_once(void **state)
{
	assert_answer(ask("POST", "/v1/shutdown", ""), "200", "{\"status\":\"shutting down\"}");
	assert_answer(ask("POST", "/v1/shutdown", ""), "200", "{\"status\":\"shutting down\"}");
	for (int i = 0; i < 300 && t.n_shutdown == 0; i++) {
		usleep(1000);
		turn();
	}
	assert_int_equal(t.n_shutdown, 1);
}

static void idle_clients_that_left_make_room(void **state)
{
	int fd[PU_HTTP_CONNS_MAX + 8]; /* some wait in the backlog */

	for (size_t i = 0; i < PU_ARRAY_LEN(fd); i++) {
		fd[i] = connect_api();
		turn();
	}
	for (size_t i = 0; i < PU_ARRAY_LEN(fd); i++)
		close(fd[i]);
	for (int i = 0; i < 20; i++)
		turn();
	assert_answer(ask("GET", "/v1/status", ""), "200", "peer_id");
}

static void a_second_daemon_is_told_of_the_first(void **state)
{
	struct pu_api *second;

	assert_int_equal(start_api(&second), PU_EEXIST);
	assert_string_equal(t.why.what, t.sock);
	assert_non_null(strstr(t.why.why, "running already"));
	assert_answer(ask("GET", "/v1/status", ""), "200", "peer_id");
}

static void a_stale_socket_is_replaced(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	pu_api_stop(t.api);
	t.api = NULL;
	strcpy(sa.sun_path, t.sock);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	close(fd);
	assert_int_equal(start_api(&t.api), 0);
}

static void a_file_in_the_sockets_place_is_left_alone(void **state)
{
	struct stat st;

	pu_api_stop(t.api);
	t.api = NULL;
	assert_int_equal(pu_file_replace(t.sock, pu_bytes_str("mine"), 0600, NULL), 0);
	assert_true(start_api(&t.api) < 0);
	t.api = NULL;
	assert_int_equal(stat(t.sock, &st), 0);
	assert_int_equal(st.st_size, 4);
	assert_int_equal(unlink(t.sock), 0);
}

static void relays_are_shown_with_what_became_of_them(void **state)
{
	struct pu_multiaddr addr;
	const char *answer;

	assert_int_equal(pu_multiaddr_from_text(&addr, "/ip4/192.0.2.9/tcp/7777"), 0);
	assert_answer(ask("GET", "/v1/status", ""), "200", "\"relays\":[]");
	t.relay[0] = (struct pu_api_relay){ .relay = t.self, .addr = &addr, .state = "reserved",
					    .expires = 1700000000, .status = "OK" };
	t.relay[1] = (struct pu_api_relay){ .relay = t.self, .addr = &addr, .state = "waiting",
					    .err = PU_ETIMEDOUT };
	t.n_relays = 2;
	answer = ask("GET", "/v1/status", "");
	assert_answer(answer, "200", "\"address\":\"/ip4/192.0.2.9/tcp/7777\",\"state\":\"reserved\","
				     "\"expires\":\"2023-11-14T22:13:20Z\",\"status\":\"OK\"}");
	assert_answer(answer, "200", "\"state\":\"waiting\",\"error\":\"timed out\"}");
	answer = ask("GET", "/v1/status?format=text", "");
	assert_answer(answer, "200", "relays: 2\n");
	assert_answer(answer, "200", " reserved until 2023-11-14T22:13:20Z\n");
	assert_answer(answer, "200", " waiting: timed out\n");
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
