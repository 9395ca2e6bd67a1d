#include "p2p/transport/tcp_uv.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/loop_uv.h"
#include "p2p/transport/tcp_uv_internal.h"

enum { READ_BUDGET = 512 << 10 }; /* bytes of one turn, so that others get theirs */

static void on_poll(uv_poll_t *h, int status, int events);

/* What to wait for follows from the state. */
static void watch(struct pu_tcp *t)
{
	int events = 0;

	if (t->closed)
		return;
	if (t->connecting || t->want_write)
		events |= UV_WRITABLE;
	if (!t->connecting && !t->paused && !t->ended)
		events |= UV_READABLE;
	if (events == t->watched)
		return;
	t->watched = events;
	if (events)
		uv_poll_start(&t->poll, events, on_poll);
	else
		uv_poll_stop(&t->poll);
}

/* Receiving. */

/* Keeps what the consumer left. */
static int keep(struct pu_tcp *t, const uint8_t *p, size_t n)
{
	t->paused = true;
	return pu_buf_append(&t->rest, p, n);
}

static void broken(struct pu_tcp *t, int err)
{
	if (t->closed || t->ended)
		return;
	t->ended = true;
	if (t->ev->on_error)
		t->ev->on_error(t->arg, err);
}

static void eof(struct pu_tcp *t)
{
	t->ended = true;
	if (t->ev->on_eof)
		t->ev->on_eof(t->arg);
}

/* One read. False: nothing more for now. */
static bool read_once(struct pu_tcp *t, size_t *pn)
{
	uint8_t *mem = t->uv->mem;
	ssize_t n;
	size_t taken;

	do
		n = recv(t->fd, mem, PU_TCP_UV_READ_LEN, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	if (n < 0) {
		broken(t, pu_err_from_errno(errno));
		return false;
	}
	if (n == 0) {
		eof(t);
		return false;
	}
	*pn = (size_t)n;
	taken = t->ev->on_recv(t->arg, mem, (size_t)n);
	if (!t->closed && taken < (size_t)n && keep(t, mem + taken, (size_t)n - taken) < 0)
		broken(t, PU_ENOMEM);
	/* A short read has emptied the socket. */
	return n == PU_TCP_UV_READ_LEN;
}

static void receive(struct pu_tcp *t)
{
	size_t budget = READ_BUDGET, n = 0;

	while (!t->closed && !t->paused && !t->ended && read_once(t, &n) && n < budget)
		budget -= n;
}

/* From a job: what was left is offered again, then the socket is read again. */
static void offer(void *arg)
{
	struct pu_tcp *t = arg;

	while (!t->closed && !t->ended && t->rest.len > 0) {
		struct pu_bytes b = pu_buf_bytes(&t->rest);
		size_t taken = t->ev->on_recv(t->arg, b.p, b.len);

		if (t->closed)
			return;
		pu_buf_consume(&t->rest, taken);
		if (taken < b.len)
			return;
	}
	pu_buf_clear(&t->rest, 0);
	t->paused = false;
	watch(t);
}

/* Connecting. */

static void connected(struct pu_tcp *t)
{
	int err = 0;
	socklen_t len = sizeof err;

	t->connecting = false;
	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err)
		t->ended = true;
	if (t->ev->on_connect)
		t->ev->on_connect(t->arg, err ? pu_err_from_errno(err) : 0);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct pu_tcp *t = h->data;
	struct pu_loop *loop = t->uv->loop;

	pu_loop_uv_enter(loop);
	if (status < 0) {
		/* An error waits in the socket, the next call takes it out. libuv has
		 * stopped the handle. */
		events |= t->watched;
		t->watched = 0;
	}
	if (t->connecting) {
		connected(t);
	} else {
		if (events & UV_WRITABLE && t->want_write) {
			t->want_write = false;
			if (t->ev->on_writable)
				t->ev->on_writable(t->arg);
		}
		if (events & UV_READABLE)
			receive(t);
	}
	watch(t);
	pu_loop_uv_leave(loop);
}

int pu_tcp_uv_wrap(struct pu_tcp_uv *u, int fd, struct pu_tcp **pt)
{
	struct pu_tcp *t = calloc(1, sizeof *t);
	int one = 1;

	if (!t || uv_poll_init(pu_loop_uv_of(u->loop), &t->poll, fd) < 0) {
		close(fd);
		free(t);
		return t ? PU_ESYS : PU_ENOMEM;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	t->uv = u;
	t->fd = fd;
	t->poll.data = t;
	pu_buf_init(&t->rest, PU_TCP_UV_READ_LEN);
	pu_job_init(&t->offer, u->loop, offer, t);
	*pt = t;
	return 0;
}

static int open_socket(const union pu_sockaddr *remote, const union pu_sockaddr *bind_to)
{
	int fd = socket(remote->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, r;

	if (fd < 0)
		return pu_err_from_errno(errno);
	if (bind_to && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
			setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) < 0 ||
			bind(fd, &bind_to->sa, pu_sockaddr_len(bind_to)) < 0))
		goto fail;
	if (connect(fd, &remote->sa, pu_sockaddr_len(remote)) < 0 && errno != EINPROGRESS) {
		/* Both ends are given, and there is a connection between them. */
		if (bind_to && errno == EADDRNOTAVAIL)
			errno = EADDRINUSE;
		goto fail;
	}
	return fd;
fail:
	r = pu_err_from_errno(errno);
	close(fd);
	return r;
}

int pu_tcp_uv_connect(struct pu_tcp_uv *u, const union pu_sockaddr *remote,
		      const union pu_sockaddr *bind_to, const struct pu_tcp_events *ev, void *arg,
		      struct pu_tcp **pt)
{
	struct pu_tcp *t;
	int fd = open_socket(remote, bind_to), r;

	if (fd < 0)
		return fd;
	r = pu_tcp_uv_wrap(u, fd, &t);
	if (r < 0)
		return r;
	t->connecting = true;
	t->ev = ev;
	t->arg = arg;
	watch(t);
	*pt = t;
	return 0;
}

/* Established. */

int pu_tcp_uv_write(struct pu_tcp *t, const struct iovec *iov, int n)
{
	struct msghdr m = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n };
	size_t total = 0;
	ssize_t sent;

	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	do
		sent = sendmsg(t->fd, &m, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS)
		return PU_ECLOSED;
	if (sent < 0)
		sent = 0;
	if ((size_t)sent < total && !t->want_write) {
		t->want_write = true;
		watch(t);
	}
	return (int)sent;
}

void pu_tcp_uv_resume(struct pu_tcp *t)
{
	if (t->paused)
		pu_job_defer(&t->offer);
}

void pu_tcp_uv_shutdown(struct pu_tcp *t)
{
	shutdown(t->fd, SHUT_WR);
}

void pu_tcp_uv_local(struct pu_tcp *t, union pu_sockaddr *sa)
{
	socklen_t len = sizeof *sa;

	memset(sa, 0, sizeof *sa);
	getsockname(t->fd, &sa->sa, &len);
}

void pu_tcp_uv_remote(struct pu_tcp *t, union pu_sockaddr *sa)
{
	socklen_t len = sizeof *sa;

	memset(sa, 0, sizeof *sa);
	getpeername(t->fd, &sa->sa, &len);
}

void pu_tcp_uv_set_events(struct pu_tcp *t, const struct pu_tcp_events *ev, void *arg)
{
	t->ev = ev;
	t->arg = arg;
	t->paused = true;
	pu_job_defer(&t->offer);
}

static void on_closed(uv_handle_t *h)
{
	struct pu_tcp *t = h->data;

	pu_buf_deinit(&t->rest);
	free(t);
}

void pu_tcp_uv_close(struct pu_tcp *t, bool abort)
{
	const struct linger rst = { .l_onoff = 1, .l_linger = 0 };

	t->closed = true;
	pu_job_cancel(&t->offer);
	if (abort)
		setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &rst, sizeof rst);
	uv_poll_stop(&t->poll);
	close(t->fd);
	uv_close((uv_handle_t *)&t->poll, on_closed);
}

/* What the kernel has behind the part of struct tcp_info that libc knows. */
struct long_tcp_info {
	struct tcp_info head;
	uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
	uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
	uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
	uint32_t delivered, delivered_ce;
	uint64_t bytes_sent, bytes_retrans;
	uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd; /* of Linux 5.5 */
};

bool pu_tcp_uv_progress(struct pu_tcp *t, struct pu_tcp_progress *out)
{
	struct long_tcp_info info = { 0 };
	socklen_t len = sizeof info;

	if (getsockopt(t->fd, SOL_TCP, TCP_INFO, &info, &len) < 0 ||
	    len < offsetof(struct long_tcp_info, snd_wnd) + sizeof info.snd_wnd)
		return false;
	out->acked = info.bytes_acked;
	/* What the peer's window holds back is not under way: it is slow, not gone. What our
	 * own firewall holds back counts as not sent. */
	out->waiting = info.head.tcpi_unacked > 0 ||
		       (info.notsent_bytes > 0 && info.snd_wnd > 0);
	out->ago = PU_MS(info.head.tcpi_last_ack_recv);
	out->rtt = PU_US(info.head.tcpi_rtt);
	return true;
}
