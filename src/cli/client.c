#include "cli/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "daemon/sock.h"

enum { COOKIE_LEN = 64, TIMEOUT_S = 120, HEAD_MAX = 16 * 1024, CHUNK = 16 * 1024 };

bool pu_client_is_up(const struct pu_paths *paths, int *ppid)
{
	struct ucred cred;
	socklen_t len = sizeof cred;
	int fd;

	if (pu_sock_connect(paths->socket, &fd) < 0)
		return false;
	if (ppid)
		*ppid = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 ? cred.pid : 0;
	close(fd);
	return true;
}

static int connect_daemon(const struct pu_paths *paths, int *pfd, struct pu_failure *why)
{
	struct timeval tv = { .tv_sec = TIMEOUT_S };
	int r = pu_sock_connect(paths->socket, pfd);

	if (r == 0) {
		setsockopt(*pfd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
		setsockopt(*pfd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
		return 0;
	}
	if (r == PU_EPERM)
		return pu_failure_set(why, r, paths->socket, "the same command with sudo",
				      "the daemon belongs to another user");
	if (r == PU_ENOENT || r == PU_EREFUSED)
		return pu_failure_set(why, PU_EREFUSED, "daemon", "sudo peerup-vpn up",
				      "not running (%s)", paths->socket);
	return pu_failure_set(why, r, paths->socket, NULL, "%s", pu_err_text(r));
}

static int read_cookie(const struct pu_paths *paths, char out[COOKIE_LEN + 1],
		       struct pu_failure *why)
{
	char *text;
	size_t len;
	int r = pu_file_read(paths->cookie, COOKIE_LEN + 1, &text, &len, NULL);

	if (r < 0)
		return pu_failure_set(why, r, paths->cookie, NULL, "%s", pu_err_text(r));
	if (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	if (len != COOKIE_LEN || strspn(text, "0123456789abcdef") != len)
		r = pu_failure_set(why, PU_EPROTO, paths->cookie, NULL, "not a daemon cookie");
	else
		memcpy(out, text, len + 1);
	free(text);
	return r;
}

/* HTTP/1.0: the server closes at the end and never sends chunks. */
static int send_request(int fd, const char *cookie, const char *method, const char *path,
			const char *body)
{
	char *text;
	int n = asprintf(&text,
			 "%s %s HTTP/1.0\r\nHost: daemon\r\nAuthorization: Bearer %s\r\n"
			 "Accept: application/json\r\nContent-Type: application/json\r\n"
			 "Content-Length: %zu\r\n\r\n%s",
			 method, path, cookie, body ? strlen(body) : 0, body ? body : "");
	int r = 0;

	if (n < 0)
		return PU_ENOMEM;
	for (size_t off = 0; off < (size_t)n && r == 0;) {
		ssize_t w = send(fd, text + off, (size_t)n - off, MSG_NOSIGNAL);

		if (w < 0 && errno != EINTR)
			r = errno == EAGAIN ? PU_ETIMEDOUT : pu_err_from_errno(errno);
		if (w > 0)
			off += (size_t)w;
	}
	free(text);
	return r;
}

static int receive_all(int fd, struct pu_buf *in)
{
	uint8_t *p;
	ssize_t n;
	int r;

	for (;;) {
		if (pu_buf_room(in) == 0)
			return PU_E2BIG;
		r = pu_buf_reserve(in, pu_min(CHUNK, pu_buf_room(in)), &p);
		if (r < 0)
			return r;
		n = recv(fd, p, pu_min(CHUNK, pu_buf_room(in)), 0);
		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? PU_ETIMEDOUT : pu_err_from_errno(errno);
		pu_buf_commit(in, (size_t)n);
	}
}

/* Status line and headers up to the blank line; the rest is the body. */
static int split_answer(struct pu_bytes in, int *pstatus, struct pu_bytes *body)
{
	const uint8_t *end = in.p ? memmem(in.p, pu_min(in.len, HEAD_MAX), "\r\n\r\n", 4) : NULL;
	char head[64];
	int status;

	if (!end)
		return PU_EPROTO;
	snprintf(head, sizeof head, "%.*s", (int)pu_min(in.len, sizeof head - 1),
		 (const char *)in.p);
	if (sscanf(head, "HTTP/1.%*1d %3d", &status) != 1 || status < 100)
		return PU_EPROTO;
	*pstatus = status;
	*body = pu_bytes(end + 4, in.len - (size_t)(end + 4 - in.p));
	return 0;
}

static int take_data(struct pu_client *cl, struct pu_bytes body, json_t **pdata,
		     struct pu_failure *why)
{
	json_t *o = json_loadb((const char *)body.p, body.len, 0, NULL);
	json_t *data = json_object_get(o, "data");
	const char *error = json_string_value(json_object_get(o, "error"));
	int r = 0;

	if (cl->status == 200 && data) {
		*pdata = json_incref(data);
	} else if (error) {
		r = pu_failure_set(why, PU_EDENIED, "daemon", NULL, "%s", error);
	} else if (cl->status == 404 || cl->status == 405) {
		r = pu_failure_set(why, PU_ENOTSUP, "daemon", NULL,
				   "the running daemon does not know this request");
	} else {
		r = pu_failure_set(why, PU_EPROTO, "daemon", NULL,
				   "an answer that makes no sense (status %d)", cl->status);
	}
	json_decref(o);
	return r;
}

static int exchange(struct pu_client *cl, int fd, const char *cookie, const char *method,
		    const char *path, const char *body, json_t **pdata, struct pu_failure *why)
{
	struct pu_bytes answer;
	struct pu_buf in;
	int r;

	pu_buf_init(&in, PU_CLIENT_ANSWER_MAX);
	r = send_request(fd, cookie, method, path, body);
	if (r == 0)
		r = receive_all(fd, &in);
	if (r == 0)
		r = split_answer(pu_buf_bytes(&in), &cl->status, &answer);
	if (r < 0)
		pu_failure_set(why, r, "daemon", NULL, "%s",
			       r == PU_EPROTO ? "an answer that is not HTTP" : pu_err_text(r));
	else
		r = take_data(cl, answer, pdata, why);
	pu_buf_deinit(&in);
	return r;
}

int pu_client_call(struct pu_client *cl, const char *method, const char *path, json_t *body,
		   json_t **pdata, struct pu_failure *why)
{
	char cookie[COOKIE_LEN + 1];
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	int fd = -1, r;

	r = body && !text ? pu_failure_set(why, PU_ENOMEM, "request", NULL, "%s",
					   pu_err_text(PU_ENOMEM)) :
			    0;
	json_decref(body);
	if (r == 0)
		r = connect_daemon(cl->paths, &fd, why);
	if (r == 0)
		r = read_cookie(cl->paths, cookie, why);
	if (r == 0)
		r = exchange(cl, fd, cookie, method, path, text, pdata, why);
	if (fd >= 0)
		close(fd);
	explicit_bzero(cookie, sizeof cookie);
	free(text);
	return r;
}
