/* Listening TCP sockets on libuv. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop_uv.h"
#include "p2p/transport/tcp_uv_internal.h"

enum {
	BACKLOG = 512,
	ACCEPTS_PER_TURN = 32,
	PAUSE_MS = 200, /* when there are no descriptors left */
};

struct pu_tcp_listener {
	struct pu_tcp_uv *uv;
	uv_poll_t poll;
	int fd;
	bool closed;
	union pu_sockaddr local;
	void (*on_accept)(void *arg, struct pu_tcp *t);
	void *arg;
	struct pu_timer pause;
};

static void on_poll(uv_poll_t *h, int status, int events);

static void watch_again(void *arg)
{
	struct pu_tcp_listener *l = arg;

	uv_poll_start(&l->poll, UV_READABLE, on_poll);
}

/* Without descriptors the socket stays readable: looking at it all the time would
 * help nobody. */
static void out_of_descriptors(struct pu_tcp_listener *l, int err)
{
	pu_log(PU_LOG_WARN, "tcp", "cannot accept", PU_KV_ERR(pu_err_from_errno(err)));
	uv_poll_stop(&l->poll);
	pu_timer_set(&l->pause, pu_loop_now(l->uv->loop) + PU_MS(PAUSE_MS));
}

/* False: nobody is waiting. */
static bool accept_one(struct pu_tcp_listener *l)
{
	int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct pu_tcp *t;

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
		out_of_descriptors(l, errno);
	if (fd < 0)
		return errno == EINTR || errno == ECONNABORTED;
	if (pu_tcp_uv_wrap(l->uv, fd, &t) == 0)
		l->on_accept(l->arg, t);
	return true;
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct pu_tcp_listener *l = h->data;
	struct pu_loop *loop = l->uv->loop;

	(void)status;
	(void)events;
	pu_loop_uv_enter(loop);
	for (int i = 0; i < ACCEPTS_PER_TURN && !l->closed && accept_one(l); i++)
		;
	pu_loop_uv_leave(loop);
}

static int open_socket(const struct pu_tcp_uv *u, const union pu_sockaddr *bind_to,
		       union pu_sockaddr *local)
{
	int fd = socket(bind_to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof *local;
	int one = 1, r;

	if (fd < 0)
		return pu_err_from_errno(errno);
	if (bind_to->sa.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) < 0)
		goto fail;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
	    bind(fd, &bind_to->sa, pu_sockaddr_len(bind_to)) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, &local->sa, &len) < 0)
		goto fail;
	/* For dialling from this port. Only now: before bind() it would let a second
	 * process listen on the same port and take half of the connections. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) < 0)
		goto fail;
	if (u->has_owner && fchown(fd, u->owner, (gid_t)-1) < 0)
		pu_log(PU_LOG_WARN, "tcp", "cannot dial from the listening port later",
		       PU_KV_ERR(pu_err_from_errno(errno)));
	return fd;
fail:
	r = pu_err_from_errno(errno);
	close(fd);
	return r;
}

int pu_tcp_uv_listen(struct pu_tcp_uv *u, const union pu_sockaddr *bind_to,
		     void (*on_accept)(void *arg, struct pu_tcp *t), void *arg,
		     struct pu_tcp_listener **pl)
{
	struct pu_tcp_listener *l = calloc(1, sizeof *l);

	if (!l)
		return PU_ENOMEM;
	l->fd = open_socket(u, bind_to, &l->local);
	if (l->fd < 0) {
		int r = l->fd;

		free(l);
		return r;
	}
	if (uv_poll_init(pu_loop_uv_of(u->loop), &l->poll, l->fd) < 0) {
		close(l->fd);
		free(l);
		return PU_ESYS;
	}
	l->uv = u;
	l->on_accept = on_accept;
	l->arg = arg;
	l->poll.data = l;
	pu_timer_init(&l->pause, u->loop, watch_again, l);
	uv_poll_start(&l->poll, UV_READABLE, on_poll);
	*pl = l;
	return 0;
}

void pu_tcp_uv_listener_local(struct pu_tcp_listener *l, union pu_sockaddr *sa)
{
	*sa = l->local;
}

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

void pu_tcp_uv_listener_close(struct pu_tcp_listener *l)
{
	l->closed = true;
	pu_timer_stop(&l->pause);
	uv_poll_stop(&l->poll);
	close(l->fd);
	uv_close((uv_handle_t *)&l->poll, on_closed);
}
