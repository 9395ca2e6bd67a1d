/* Questions to whoever listens on the socket: here a thread with prepared answers. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "daemon/ask.h"
#include "daemon/ask_stream.h"
#include "daemon/sock.h"

#define COOKIE_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define COOKIE_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct {
	char dir[32], sock[64], cookie[64];
	struct pu_ask_target to;
	struct pu_failure why;
	int listen_fd;
	pthread_t thread;
	const char *const *answers; /* one per connection, NULL ends */
	bool slow;                  /* a byte at a time */
	bool hold;                  /* does not close until the client does */
	char asked[4096];           /* the last request */
} t;

static void write_cookie(const char *text)
{
	assert_int_equal(pu_file_replace(t.cookie, pu_bytes_str(text), 0600, NULL), 0);
}

static int setup(void **state)
{
	memset(&t, 0, sizeof t);
	strcpy(t.dir, "/tmp/pu_ask_XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	snprintf(t.sock, sizeof t.sock, "%s/s", t.dir);
	snprintf(t.cookie, sizeof t.cookie, "%s/c", t.dir);
	t.to = (struct pu_ask_target){ .socket_path = t.sock, .cookie_path = t.cookie,
				       .timeout_ms = 5000 };
	t.listen_fd = -1;
	write_cookie(COOKIE_A);
	return 0;
}

static int teardown(void **state)
{
	if (t.listen_fd >= 0) {
		shutdown(t.listen_fd, SHUT_RDWR);
		pthread_join(t.thread, NULL);
		close(t.listen_fd);
	}
	unlink(t.sock);
	unlink(t.cookie);
	return rmdir(t.dir);
}

/* The head of a request and as much of the rest as came with it. */
static void take_request(int fd)
{
	size_t n = 0;
	ssize_t r;

	do {
		r = recv(fd, t.asked + n, sizeof t.asked - 1 - n, 0);
		n += r > 0 ? (size_t)r : 0;
		t.asked[n] = '\0';
	} while (r > 0 && !strstr(t.asked, "\r\n\r\n"));
}

static void give(int fd, const char *answer)
{
	size_t len = strlen(answer), step = t.slow ? 1 : len;

	for (size_t off = 0; off < len; off += step)
		if (send(fd, answer + off, step, MSG_NOSIGNAL) < 0)
			return;
}

static void *serve(void *arg)
{
	char rest[16];

	for (size_t i = 0; t.answers[i]; i++) {
		int fd = accept(t.listen_fd, NULL, NULL);

		if (fd < 0)
			break;
		take_request(fd);
		give(fd, t.answers[i]);
		while (t.hold && recv(fd, rest, sizeof rest, 0) > 0)
			;
		close(fd);
	}
	return NULL;
}

static void answer_with(const char *const *answers)
{
	struct pu_failure why;

	t.answers = answers;
	why.what[0] = why.why[0] = '\0';
	assert_int_equal(pu_sock_listen(t.sock, NULL, &t.listen_fd, &why), 0);
	assert_int_equal(fcntl(t.listen_fd, F_SETFL, 0), 0); /* a thread waits, no loop */
	assert_int_equal(pthread_create(&t.thread, NULL, serve, NULL), 0);
}

static int ask(const char *path, char **pdata, int *pstatus)
{
	memset(&t.why, 0, sizeof t.why);
	return pu_ask_data(&t.to, "GET", path, NULL, pdata, pstatus, &t.why);
}

static void data_comes_without_its_envelope(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nX: y\r\n\r\n{\"data\": {\"ms\": 12.345, \"a\": [null, \"\\u003c\"]}}\n",
		NULL
	};
	char *data;
	int status = 0;

	answer_with(answers);
	t.slow = true;
	assert_int_equal(ask("/v1/x?y=%20z", &data, &status), 0);
	assert_string_equal(data, "{\"ms\":12.345,\"a\":[null,\"<\"]}");
	assert_int_equal(status, 200);
	assert_non_null(strstr(t.asked, "GET /v1/x?y=%20z HTTP/1.0\r\n"));
	assert_non_null(strstr(t.asked, "\r\nAuthorization: Bearer " COOKIE_A "\r\n"));
	free(data);
}

static void a_refusal_is_told_in_the_words_of_the_daemon(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 502 Bad Gateway\r\n\r\n{\"error\":\"cannot reach peer \\\"x\\\"\"}\n",
		"HTTP/1.1 404 Not Found\r\n\r\n404 page not found\n",
		"HTTP/1.1 500 Oops\r\n\r\nnothing\n",
		"HTTP/1.1 200 OK\r\n\r\n{\"date\":1}\n", NULL
	};
	char *data;
	int status;

	answer_with(answers);
	assert_int_equal(ask("/v1/a", &data, &status), PU_EDENIED);
	assert_int_equal(status, 502);
	assert_string_equal(t.why.why, "cannot reach peer \"x\"");
	assert_int_equal(ask("/v1/a", &data, NULL), PU_ENOTSUP);
	assert_int_equal(ask("/v1/a", &data, NULL), PU_EPROTO);
	assert_int_equal(ask("/v1/a", &data, NULL), PU_EPROTO);
}

static void the_cookie_is_read_again_once(void **state)
{
	static const char no[] = "HTTP/1.1 401 No\r\n\r\n{\"error\":\"unauthorized\"}\n";
	static const char *const answers[] = { no, "HTTP/1.1 200 OK\r\n\r\n{\"data\":1}\n", no, no,
					       NULL };
	char *data;
	int status = 0;

	answer_with(answers);
	assert_int_equal(ask("/v1/a", &data, NULL), 0);
	assert_string_equal(data, "1");
	free(data);
	write_cookie(COOKIE_B "\n");
	assert_int_equal(ask("/v1/a", &data, &status), PU_EDENIED);
	assert_int_equal(status, 401);
	assert_non_null(strstr(t.asked, COOKIE_B "\r\n"));
}

static void what_is_no_daemon_is_no_crash(void **state)
{
	static const char *const answers[] = { "", "SSH-2.0\r\n\r\n", "HTTP/1.1 999999999999 x",
					       "HTTP/1.1 20", "HTTP/2 200 OK\r\n\r\n{}", NULL };
	char *data;

	answer_with(answers);
	for (size_t i = 0; answers[i]; i++)
		assert_int_equal(ask("/v1/a", &data, NULL), PU_EPROTO);
}

static void patience_and_memory_have_limits(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\n\r\n{\"data\":\"", "HTTP/1.1 200 OK\r\n\r\n{\"da", NULL
	};
	static char long_answer[20000];
	static const char *const long_answers[] = { long_answer, NULL };
	char *data;

	answer_with(answers);
	t.hold = true;
	t.to.timeout_ms = 50;
	assert_int_equal(ask("/v1/a", &data, NULL), PU_ETIMEDOUT);
	teardown(NULL);
	setup(NULL);
	snprintf(long_answer, sizeof long_answer, "HTTP/1.1 200 OK\r\n\r\n%019900d", 7);
	answer_with(long_answers);
	t.to.answer_max = 1;
	assert_int_equal(ask("/v1/a", &data, NULL), PU_E2BIG);
}

static void a_request_cannot_be_smuggled(void **state)
{
	static const char *const paths[] = { "", "v1", "/a b", "/a\r\nX: y", "/a\n", "/\x7f", "/\xc3" };
	char *data, segment[16];

	for (size_t i = 0; i < PU_ARRAY_LEN(paths); i++)
		assert_int_equal(ask(paths[i], &data, NULL), PU_EINVAL);
	assert_int_equal(pu_ask_data(&t.to, "GET /x", "/", NULL, &data, NULL, &t.why), PU_EINVAL);
	assert_int_equal(pu_ask_escape("a/b %\r", segment, sizeof segment), 0);
	assert_string_equal(segment, "a%2Fb%20%25%0D");
	assert_int_equal(pu_ask_escape("\xff\xff\xff\xff\xff\xff", segment, sizeof segment), PU_ELIMIT);
}

static void nobody_is_told_from_somebody_elses(void **state)
{
	static const char *const none[] = { NULL };
	char *data;

	assert_int_equal(ask("/v1/a", &data, NULL), PU_EREFUSED);
	assert_string_equal(t.why.hint, "sudo peerup-vpn up");
	answer_with(none);
	write_cookie("short");
	assert_int_equal(ask("/v1/a", &data, NULL), PU_EPROTO);
	assert_string_equal(t.why.what, t.cookie);
}

static struct pu_ask_stream *open_stream(const char *answer)
{
	static const char *answers[2];
	struct pu_ask_stream *s = NULL;

	answers[0] = answer;
	answer_with(answers);
	assert_int_equal(pu_ask_stream_open(&t.to, "/v1/events", &s, NULL, &t.why), 0);
	return s;
}

static void assert_event(struct pu_ask_stream *s, const char *kind, const char *data)
{
	struct pu_ask_event ev;

	assert_int_equal(pu_ask_stream_next(s, 5000, &ev), 0);
	assert_string_equal(ev.kind, kind);
	assert_string_equal(ev.data, data);
}

static void events_come_one_by_one(void **state)
{
	struct pu_ask_stream *s;
	struct pu_ask_event ev;

	t.slow = true;
	s = open_stream("HTTP/1.1 200 OK\r\n\r\nretry: 2000\n\n"
			"id: 1\nevent: path\ndata: {}\n\n: keep-alive\n\n"
			"event: no data\n\ndata:{\"a\":\r\ndata: 1}\r\n\r\nevent: cut\ndata: {");
	assert_event(s, "path", "{}");
	assert_event(s, "", "{\"a\":\n1}");
	assert_int_equal(pu_ask_stream_next(s, 5000, &ev), PU_EEOF);
	pu_ask_stream_free(s);
}

static void silence_is_not_the_end(void **state)
{
	struct pu_ask_stream *s;
	struct pu_ask_event ev;

	t.hold = true;
	s = open_stream("HTTP/1.1 200 OK\r\n\r\nevent: a\ndata: 1\n\nevent: b\ndata: 2\n\n");
	assert_event(s, "a", "1");
	assert_event(s, "b", "2");
	assert_int_equal(pu_ask_stream_next(s, 0, &ev), PU_EAGAIN);
	assert_int_equal(pu_ask_stream_next(s, 20, &ev), PU_EAGAIN);
	pu_ask_stream_free(s);
}

static void an_endless_event_is_cut_off(void **state)
{
	static char text[PU_ASK_EVENT_MAX + PU_ASK_HEAD_MAX + 200];
	struct pu_ask_stream *s;
	struct pu_ask_event ev;
	int n = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n\r\ndata: ");

	memset(text + n, 'x', sizeof text - 1 - (size_t)n);
	s = open_stream(text);
	assert_int_equal(pu_ask_stream_next(s, 5000, &ev), PU_E2BIG);
	pu_ask_stream_free(s);
}

static void a_stream_that_is_refused_says_why(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 503 No\r\n\r\n{\"error\":\"too many\"}\n", "HTTP/1.1 200", NULL
	};
	struct pu_ask_stream *s;
	int status = 0;

	answer_with(answers);
	assert_int_equal(pu_ask_stream_open(&t.to, "/v1/events", &s, &status, &t.why), PU_EDENIED);
	assert_int_equal(status, 503);
	assert_string_equal(t.why.why, "too many");
	assert_int_equal(pu_ask_stream_open(&t.to, "/v1/events", &s, NULL, &t.why), PU_EPROTO);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(data_comes_without_its_envelope),
		TEST(a_refusal_is_told_in_the_words_of_the_daemon),
		TEST(the_cookie_is_read_again_once),
		TEST(what_is_no_daemon_is_no_crash),
		TEST(patience_and_memory_have_limits),
		TEST(a_request_cannot_be_smuggled),
		TEST(nobody_is_told_from_somebody_elses),
		TEST(events_come_one_by_one),
		TEST(silence_is_not_the_end),
		TEST(an_endless_event_is_cut_off),
		TEST(a_stream_that_is_refused_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
