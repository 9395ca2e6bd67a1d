#include "cli/files_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/wire.h"

enum {
	IN_MAX = 2 * (PU_FILES_MESSAGE_MAX + PU_UVARINT_MAX),
	OUT_MAX = 4 * (PU_FILES_MESSAGE_MAX + PU_UVARINT_MAX),
	OUT_FULL = 2 * PU_FILES_MESSAGE_MAX, /* written as soon as there is that much */
	READ_SIZE = PU_FILES_MESSAGE_MAX,
	LINGER_MS = 5000,
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void pu_files_conn_init(struct pu_files_conn *c, int fd, int stop_fd)
{
	*c = (struct pu_files_conn){ .fd = fd, .stop_fd = stop_fd, .said_ms = now_ms() };
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	pu_buf_init(&c->in, IN_MAX);
	pu_buf_init(&c->out, OUT_MAX);
}

void pu_files_conn_deinit(struct pu_files_conn *c)
{
	pu_buf_deinit(&c->in);
	pu_buf_deinit(&c->out);
}

/* 0: the socket is ready. */
static int wait_for(const struct pu_files_conn *c, short events, int timeout_ms)
{
	struct pollfd p[] = { { .fd = c->fd, .events = events },
			      { .fd = c->stop_fd, .events = POLLIN } };
	int n = poll(p, PU_ARRAY_LEN(p), timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : PU_ESYS;
	if (p[1].revents)
		return PU_ECANCELED;
	return n == 0 ? PU_ETIMEDOUT : 0;
}

int pu_files_conn_flush(struct pu_files_conn *c)
{
	while (c->out.len > 0) {
		struct pu_bytes b = pu_buf_bytes(&c->out);
		ssize_t n = send(c->fd, b.p, b.len, MSG_NOSIGNAL);
		int r;

		if (n >= 0) {
			pu_buf_consume(&c->out, (size_t)n);
			c->said_ms = now_ms();
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return PU_ERESET;
		r = wait_for(c, POLLOUT, PU_FILES_IDLE_S * 1000);
		if (r < 0)
			return r;
	}
	return 0;
}

int pu_files_conn_send(struct pu_files_conn *c, const struct pu_files_message *m)
{
	int r = pu_files_message_write(m, &c->out);

	return r < 0 || c->out.len < OUT_FULL ? r : pu_files_conn_flush(c);
}

static int read_more(struct pu_files_conn *c)
{
	uint8_t *to;
	int r = pu_buf_reserve(&c->in, READ_SIZE, &to);
	ssize_t n;

	if (r < 0)
		return r;
	n = read(c->fd, to, READ_SIZE);
	if (n == 0)
		return PU_EEOF;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? PU_EAGAIN : PU_ERESET;
	pu_buf_commit(&c->in, (size_t)n);
	return 0;
}

static int next_message(struct pu_files_conn *c, struct pu_files_message *m)
{
	int r;

	do {
		pu_buf_consume(&c->in, c->used);
		c->used = 0;
		r = pu_files_message_read(pu_buf_bytes(&c->in), m, &c->used);
	} while (r == 0 && m->type == PU_FILES_WAIT);
	return r == PU_E2BIG ? PU_EPROTO : r;
}

int pu_files_conn_try(struct pu_files_conn *c, struct pu_files_message *m)
{
	int r = next_message(c, m);

	while (r == PU_EAGAIN) {
		r = read_more(c);
		if (r < 0)
			return r;
		r = next_message(c, m);
	}
	return r;
}

int pu_files_conn_recv(struct pu_files_conn *c, int idle_s, struct pu_files_message *m)
{
	int r = pu_files_conn_flush(c);

	while (r == 0) {
		r = next_message(c, m);
		if (r != PU_EAGAIN)
			return r;
		r = wait_for(c, POLLIN, idle_s * 1000);
		if (r == 0)
			r = read_more(c);
		if (r == PU_EAGAIN)
			r = 0;
	}
	return r;
}

int pu_files_conn_busy(struct pu_files_conn *c)
{
	const struct pu_files_message m = { .type = PU_FILES_WAIT };
	struct pollfd p = { .fd = c->stop_fd, .events = POLLIN };
	int r;

	if (poll(&p, 1, 0) > 0)
		return PU_ECANCELED;
	if (now_ms() - c->said_ms < 1000 * PU_FILES_WAIT_S)
		return 0;
	r = pu_files_conn_send(c, &m);
	return r < 0 ? r : pu_files_conn_flush(c);
}

void pu_files_conn_finish(struct pu_files_conn *c)
{
	int64_t until = now_ms() + LINGER_MS, left;
	uint8_t ignored[4096];

	c->stop_fd = -1; /* what was to be stopped is stopping */
	if (c->out.len == 0)
		shutdown(c->fd, SHUT_WR);
	while ((left = until - now_ms()) > 0) {
		struct pu_bytes b = pu_buf_bytes(&c->out);
		ssize_t n = b.len ? send(c->fd, b.p, b.len, MSG_NOSIGNAL) : 0;

		if (n > 0)
			pu_buf_consume(&c->out, (size_t)n);
		if (b.len > 0 && c->out.len == 0)
			shutdown(c->fd, SHUT_WR);
		if (wait_for(c, c->out.len ? POLLIN | POLLOUT : POLLIN, (int)left) < 0)
			return;
		n = read(c->fd, ignored, sizeof ignored);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return;
	}
}

void pu_files_conn_fail(struct pu_files_conn *c, enum pu_files_status s)
{
	const struct pu_files_message m = { .type = PU_FILES_FAIL, .status = s };

	if (pu_files_message_write(&m, &c->out) == 0)
		pu_files_conn_finish(c);
}
