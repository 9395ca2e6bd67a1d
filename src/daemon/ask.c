#include "daemon/ask_internal.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/loop_uv.h"
#include "daemon/json_text.h"
#include "daemon/sock.h"

enum {
	CHUNK = 16 * 1024,
	REAL_DIGITS = 12,
	STATUS_OK = 200,
	STATUS_UNAUTHORIZED = 401,
	STATUS_NOT_FOUND = 404,
	STATUS_BAD_METHOD = 405,
	RETRY_MS = 100,
};

pu_time pu_ask_deadline(const struct pu_ask_target *to)
{
	return pu_clock_monotonic() + (to->timeout_ms ? PU_MS((pu_time)to->timeout_ms) :
						PU_SEC(PU_ASK_TIMEOUT_S));
}

static int connect_daemon(const struct pu_ask_target *to, int *pfd, struct pu_failure *why)
{
	int r = pu_sock_connect(to->socket_path, pfd);

	if (r == 0)
		return 0;
	if (r == PU_EPERM)
		return pu_failure_set(why, r, to->socket_path, "the same command with sudo",
				      "the daemon belongs to another user");
	if (r == PU_ENOENT || r == PU_EREFUSED)
		return pu_failure_set(why, PU_EREFUSED, "daemon", "sudo peerup-vpn up",
				      "not running (%s)", to->socket_path);
	return pu_failure_set(why, r, to->socket_path, NULL, "%s", pu_err_text(r));
}

static int read_cookie(const char *path, char out[PU_ASK_COOKIE_LEN + 1], struct pu_failure *why)
{
	char *text;
	size_t len;
	int r = pu_file_read(path, PU_ASK_COOKIE_LEN + 1, &text, &len, NULL);

	if (r < 0)
		return pu_failure_set(why, r, path, NULL, "%s", pu_err_text(r));
	if (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	if (len != PU_ASK_COOKIE_LEN || strspn(text, "0123456789abcdef") != len)
		r = pu_failure_set(why, PU_EPROTO, path, NULL, "not a daemon cookie");
	else
		memcpy(out, text, len + 1);
	explicit_bzero(text, len);
	free(text);
	return r;
}

/* Until the descriptor is ready for events. */
static int await(int fd, short events, pu_time deadline)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		pu_time now = pu_clock_monotonic();
		pu_time left = now < deadline ? deadline - now : 0;
		int ms =
			left > PU_SEC(3600) ? 3600 * 1000 : (int)((left + PU_MS(1) - 1) / PU_MS(1));
		int n = poll(&p, 1, ms);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return pu_err_from_errno(errno);
		if (n == 0 && ms == 0)
			return PU_ETIMEDOUT;
	}
}

static int send_all(int fd, const char *p, size_t n, pu_time deadline)
{
	while (n > 0) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r = 0;

		if (w >= 0) {
			p += w;
			n -= (size_t)w;
			continue;
		}
		if (errno == EAGAIN)
			r = await(fd, POLLOUT, deadline);
		else if (errno != EINTR)
			r = pu_err_from_errno(errno);
		if (r < 0)
			return r;
	}
	return 0;
}

/* HTTP/1.0: the server closes at the end and never sends chunks. */
static int send_request(int fd, const char *cookie, const char *method, const char *path,
			const char *body, pu_time deadline)
{
	char *text;
	int r, n = asprintf(&text,
			    "%s %s HTTP/1.0\r\nHost: daemon\r\nAuthorization: Bearer %s\r\n"
			    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			    method, path, cookie, body ? strlen(body) : 0, body ? body : "");

	if (n < 0)
		return PU_ENOMEM;
	r = send_all(fd, text, (size_t)n, deadline);
	explicit_bzero(text, (size_t)n);
	free(text);
	return r;
}

/* Nothing that would end the word, or the line, in the request. */
static bool is_word(const char *s, size_t max)
{
	size_t n = 0;

	for (; s[n]; n++)
		if ((unsigned char)s[n] <= ' ' || (unsigned char)s[n] >= 0x7f || n >= max)
			return false;
	return n > 0;
}

int pu_ask_broken(int err, struct pu_failure *why)
{
	return pu_failure_set(why, err, "daemon", NULL, "%s",
			      err == PU_EPROTO ? "an answer that is not HTTP" : pu_err_text(err));
}

int pu_ask_begin(const struct pu_ask_target *to, const char *method, const char *path,
		 const char *body, pu_time deadline, int *pfd, struct pu_failure *why)
{
	char cookie[PU_ASK_COOKIE_LEN + 1];
	int fd, r;

	if (!is_word(method, 16) || path[0] != '/' || !is_word(path, PU_ASK_PATH_MAX))
		return pu_failure_set(why, PU_EINVAL, path, NULL, "not a request");
	r = connect_daemon(to, &fd, why);
	if (r < 0)
		return r;
	r = read_cookie(to->cookie_path, cookie, why);
	if (r == 0) {
		r = send_request(fd, cookie, method, path, body, deadline);
		if (r < 0)
			pu_ask_broken(r, why);
	}
	explicit_bzero(cookie, sizeof cookie);
	if (r < 0)
		close(fd);
	else
		*pfd = fd;
	return r;
}

int pu_ask_receive(int fd, struct pu_buf *in, pu_time deadline)
{
	size_t want = pu_min(CHUNK, pu_buf_room(in));
	uint8_t *p;
	ssize_t n;
	int r;

	if (want == 0)
		return PU_E2BIG;
	r = pu_buf_reserve(in, want, &p);
	while (r == 0) {
		n = recv(fd, p, want, MSG_DONTWAIT);
		if (n >= 0) {
			pu_buf_commit(in, (size_t)n);
			return n > 0;
		}
		if (errno == EAGAIN)
			r = await(fd, POLLIN, deadline);
		else if (errno != EINTR)
			r = pu_err_from_errno(errno);
	}
	return r;
}

int pu_ask_take_head(struct pu_buf *in, int *pstatus)
{
	struct pu_bytes b = pu_buf_bytes(in);
	const uint8_t *end =
		b.p ? memmem(b.p, pu_min(b.len, PU_ASK_HEAD_MAX), "\r\n\r\n", 4) : NULL;
	char line[64];
	int status;

	if (!end)
		return b.len < PU_ASK_HEAD_MAX ? PU_EAGAIN : PU_EPROTO;
	snprintf(line, sizeof line, "%.*s", (int)pu_min(b.len, sizeof line - 1), (const char *)b.p);
	if (sscanf(line, "HTTP/1.%*1d %3d", &status) != 1 || status < 100)
		return PU_EPROTO;
	*pstatus = status;
	pu_buf_consume(in, (size_t)(end + 4 - b.p));
	return 0;
}

static int take_answer(struct pu_buf *in, struct pu_ask_answer *out)
{
	struct pu_ask_answer a = { 0 };
	int r = pu_ask_take_head(in, &a.status);

	if (r < 0)
		return r == PU_EAGAIN ? PU_EPROTO : r;
	a.len = in->len;
	a.body = malloc(a.len + 1);
	if (!a.body)
		return PU_ENOMEM;
	if (a.len > 0)
		memcpy(a.body, pu_buf_bytes(in).p, a.len);
	a.body[a.len] = '\0';
	*out = a;
	return 0;
}

static int exchange(const struct pu_ask_target *to, const char *method, const char *path,
		    const char *body, struct pu_ask_answer *out, struct pu_failure *why)
{
	pu_time deadline = pu_ask_deadline(to);
	struct pu_buf in;
	int fd, r = pu_ask_begin(to, method, path, body, deadline, &fd, why);

	if (r < 0)
		return r;
	pu_buf_init(&in, PU_ASK_HEAD_MAX + (to->answer_max ? to->answer_max : PU_ASK_ANSWER_MAX));
	do
		r = pu_ask_receive(fd, &in, deadline);
	while (r > 0);
	if (r == 0)
		r = take_answer(&in, out);
	if (r < 0)
		pu_ask_broken(r, why);
	pu_buf_deinit(&in);
	close(fd);
	return r;
}

int pu_ask(const struct pu_ask_target *to, const char *method, const char *path, const char *body,
	   struct pu_ask_answer *out, struct pu_failure *why)
{
	static const struct timespec moment = { .tv_nsec = RETRY_MS * 1000000L };
	struct pu_ask_answer a;
	int r = exchange(to, method, path, body, &a, why);

	if (r == 0 && a.status == STATUS_UNAUTHORIZED) {
		free(a.body);
		nanosleep(&moment, NULL);
		r = exchange(to, method, path, body, &a, why);
	}
	if (r == 0)
		*out = a;
	return r;
}

int pu_ask_refusal(int status, const char *body, size_t len, struct pu_failure *why)
{
	json_t *o = json_loadb(body, len, 0, NULL);
	const char *error = json_string_value(json_object_get(o, "error"));
	int r;

	if (error)
		r = pu_failure_set(why, PU_EDENIED, "daemon", NULL, "%s", error);
	else if (status == STATUS_NOT_FOUND || status == STATUS_BAD_METHOD)
		r = pu_failure_set(why, PU_ENOTSUP, "daemon", NULL,
				   "the running daemon does not know this request");
	else
		r = pu_failure_set(why, PU_EPROTO, "daemon", NULL,
				   "an answer that makes no sense (status %d)", status);
	json_decref(o);
	return r;
}

int pu_ask_data(const struct pu_ask_target *to, const char *method, const char *path,
		const char *body, char **pdata, int *pstatus, struct pu_failure *why)
{
	struct pu_ask_answer a;
	json_t *o, *data;
	char *text = NULL;
	int r = pu_ask(to, method, path, body, &a, why);

	if (r < 0)
		return r;
	if (pstatus)
		*pstatus = a.status;
	o = json_loadb(a.body, a.len, 0, NULL);
	data = a.status == STATUS_OK ? json_object_get(o, "data") : NULL;
	if (!data) {
		r = pu_ask_refusal(a.status, a.body, a.len, why);
	} else {
		text = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY |
						JSON_REAL_PRECISION(REAL_DIGITS));
		r = text ? 0 : pu_ask_broken(PU_ENOMEM, why);
	}
	json_decref(o);
	free(a.body);
	if (r == 0)
		*pdata = text;
	return r;
}

int pu_ask_text(const struct pu_ask_target *to, const char *method, const char *path,
		const char *body, char **ptext, int *pstatus, struct pu_failure *why)
{
	char with_form[PU_ASK_PATH_MAX];
	struct pu_ask_answer a;
	int n = snprintf(with_form, sizeof with_form, "%s%cformat=text", path,
			 strchr(path, '?') ? '&' : '?');
	int r = n < (int)sizeof with_form ? pu_ask(to, method, with_form, body, &a, why) :
					    pu_ask_broken(PU_ELIMIT, why);

	if (r < 0)
		return r;
	if (pstatus)
		*pstatus = a.status;
	if (a.status == STATUS_OK) {
		*ptext = a.body;
		return 0;
	}
	r = pu_ask_refusal(a.status, a.body, a.len, why);
	free(a.body);
	return r;
}

char *pu_ask_quote(const char *text)
{
	json_t *v = pu_json_text(text);
	char *s = v ? json_dumps(v, JSON_ENCODE_ANY) : NULL;

	json_decref(v);
	return s;
}

int pu_ask_member(const char *json, const char *key, char *out, size_t cap)
{
	json_t *o = json_loads(json, 0, NULL);
	const char *s = json_string_value(json_object_get(o, key));
	int r = s ? 0 : PU_EPROTO;

	if (s && snprintf(out, cap, "%s", s) >= (int)cap)
		r = PU_ELIMIT;
	json_decref(o);
	return r;
}

int pu_ask_escape(const char *text, char *out, size_t cap)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";
	size_t n = 0;

	for (; *text; text++) {
		bool keep = strchr(plain, *text) != NULL;

		if (n + (keep ? 1 : 3) >= cap)
			return PU_ELIMIT;
		if (keep)
			out[n++] = *text;
		else
			n += (size_t)snprintf(out + n, cap - n, "%%%02X", (unsigned char)*text);
	}
	out[n] = '\0';
	return 0;
}
