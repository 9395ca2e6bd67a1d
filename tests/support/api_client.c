#include "support/api_client.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "daemon/sock.h"
#include "support/fake_ops.h"

int api_lab_start_api(struct api_lab *l, struct pu_api **papi)
{
	const struct pu_api_options opt = {
		.loop = api_lab_loop(l), .version = "1", .socket_path = l->sock,
		.cookie_path = l->cookie_path, .ops = &l->ops, .ops_arg = l,
		.events = &l->events,
	};

	l->why = (struct pu_failure){ .what = "" };
	return pu_api_start(&opt, papi, &l->why);
}

static void default_status(void *arg, struct pu_api_status *out)
{
	out->peer = &((struct api_lab *)arg)->self;
}

void api_lab_start(struct api_lab *l)
{
	char *text;
	size_t len;

	*l = (struct api_lab){ .ops = FAKE_OPS };
	l->ops.status = default_status;
	pu_events_init(&l->events);
	assert_int_equal(pu_peerid_from_text(&l->self, API_ID1), 0);
	snprintf(l->dir, sizeof l->dir, "/tmp/pu_api_XXXXXX");
	assert_non_null(mkdtemp(l->dir));
	snprintf(l->sock, sizeof l->sock, "%s/s", l->dir);
	snprintf(l->cookie_path, sizeof l->cookie_path, "%s/c", l->dir);
	assert_int_equal(pu_loop_uv_new(&l->driver), 0);
	assert_int_equal(api_lab_start_api(l, &l->api), 0);
	assert_int_equal(pu_file_read(l->cookie_path, 64, &text, &len, NULL), 0);
	assert_int_equal(len, 64);
	snprintf(l->cookie, sizeof l->cookie, "%s", text);
	free(text);
}

void api_lab_stop(struct api_lab *l)
{
	pu_api_stop(l->api);
	pu_loop_uv_free(l->driver);
	assert_int_equal(access(l->sock, F_OK), -1);
	assert_int_equal(access(l->cookie_path, F_OK), -1);
	assert_int_equal(rmdir(l->dir), 0);
}

struct pu_loop *api_lab_loop(const struct api_lab *l)
{
	return pu_loop_uv_loop(l->driver);
}

void api_lab_turn(struct api_lab *l)
{
	uv_run(pu_loop_uv_of(api_lab_loop(l)), UV_RUN_NOWAIT);
}

bool api_lab_wait(struct api_lab *l, bool (*check)(void *arg), void *arg)
{
	for (int i = 0; i < 5000 && !check(arg); i++) {
		usleep(1000);
		api_lab_turn(l);
	}
	return check(arg);
}

int api_connect(struct api_lab *l)
{
	int fd;

	assert_int_equal(pu_sock_connect(l->sock, &fd), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

void api_send(struct api_lab *l, int fd, const char *text, size_t len, size_t piece)
{
	for (size_t off = 0; off < len;) {
		ssize_t n = send(fd, text + off, pu_min(piece, len - off), MSG_NOSIGNAL);

		if (n > 0)
			off += (size_t)n;
		else if (errno != EAGAIN)
			return;
		api_lab_turn(l);
	}
}

const char *api_receive(struct api_lab *l, int fd)
{
	static char in[256 * 1024];
	size_t len = 0;
	int idle = 0;

	while (idle < 300 && len < sizeof in - 1) {
		ssize_t n = recv(fd, in + len, sizeof in - 1 - len, 0);
		bool again = n < 0 && errno == EAGAIN;

		api_lab_turn(l);
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

void api_request(struct api_lab *l, char *out, size_t cap, const char *method, const char *path,
		 const char *headers, const char *body)
{
	int n = snprintf(out, cap,
			 "%s %s HTTP/1.0\r\nAuthorization: Bearer %s\r\n%s"
			 "Content-Length: %zu\r\n\r\n%s",
			 method, path, l->cookie, headers, strlen(body), body);

	assert_true(n > 0 && (size_t)n < cap);
}

const char *api_ask_with(struct api_lab *l, const char *method, const char *path,
			 const char *headers, const char *body)
{
	static char request[8192];
	const char *answer;
	int fd = api_connect(l);

	api_request(l, request, sizeof request, method, path, headers, body);
	api_send(l, fd, request, strlen(request), 100000);
	answer = api_receive(l, fd);
	close(fd);
	return answer;
}

const char *api_ask(struct api_lab *l, const char *method, const char *path, const char *body)
{
	return api_ask_with(l, method, path, "", body);
}

const char *api_body(const char *answer)
{
	const char *p = strstr(answer, "\r\n\r\n");

	return p ? p + 4 : "";
}

void api_assert_answer(const char *answer, const char *status, const char *part)
{
	if (strlen(answer) < 12 || strncmp(answer + strlen("HTTP/1.1 "), status, 3) != 0 ||
	    !strstr(answer, part))
		fail_msg("not %s %s but: %s", status, part, answer);
}

void api_assert_body(const char *answer, const char *status, const char *body)
{
	api_assert_answer(answer, status, "");
	assert_string_equal(api_body(answer), body);
}
