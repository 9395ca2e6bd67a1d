#include "p2p/transport/udp_uv.h"

#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop_uv.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
	SOCKET_BUFFER = 4 << 20,
	RECV_SLOTS = 4,            /* messages of one recvmmsg() */
	RECV_SLOT_LEN = 65536,     /* GRO fills up to 64 KiB */
	RECV_BUDGET = 512 << 10,   /* bytes of one turn, so that others get theirs */
	RECV_ROUNDS = 16,          /* calls of one turn, for floods of tiny packets */
	SEND_MMSG = 16,
	ECN_MASK = 3,
};

/* GSO failed as a whole (EIO: the card cannot checksum; EINVAL: the kernel is too
 * old): send one by one from now on, and try again after so many batches. */
enum { GSO_RETRY_AFTER = 4096 };

/* Room for the control messages of one datagram: packet info, TOS, GRO size. */
union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)) +
		 CMSG_SPACE(sizeof(int))];
};

struct pu_udp {
	struct pu_loop *loop;
	const struct pu_udp_events *ev;
	void *arg;
	uv_poll_t poll;
	int fd;
	union pu_sockaddr local;
	struct pu_udp_uv_entry entry;
	bool want_write;
	bool closed;
	unsigned no_gso; /* batches left to send one by one */
	uint8_t *mem;    /* RECV_SLOTS * RECV_SLOT_LEN */
};

static void on_poll(uv_poll_t *h, int status, int events);

/* ---- Opening ---- */

static void set_int(int fd, int level, int name, int value)
{
	/* Every one of these only makes things better; without it they still work. */
	if (setsockopt(fd, level, name, &value, sizeof value) < 0)
		pu_log(PU_LOG_DEBUG, "udp", "socket option refused", PU_KV_I64("level", level),
		       PU_KV_I64("name", name), PU_KV_ERR(pu_err_from_errno(errno)));
}

static void set_buffer(int fd, int force, int plain)
{
	const int size = SOCKET_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof size) < 0)
		set_int(fd, SOL_SOCKET, plain, size);
}

static void set_options(int fd, int family)
{
	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
	set_int(fd, SOL_UDP, UDP_GRO, 1);
	/* PROBE: DF is set, and the path MTU is ours to find: what a stranger's ICMP
	 * says does not count. */
	if (family == AF_INET) {
		set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
		set_int(fd, IPPROTO_IP, IP_RECVTOS, 1);
		set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
	} else {
		set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
		set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
		set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
	}
}

static int open_socket(const union pu_sockaddr *bind_to, union pu_sockaddr *local)
{
	socklen_t len = sizeof *local;
	int one = 1, r;
	int fd = socket(bind_to->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return pu_err_from_errno(errno);
	if (bind_to->sa.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) < 0)
		goto fail;
	set_options(fd, bind_to->sa.sa_family);
	*local = *bind_to;
	if (bind(fd, &bind_to->sa, pu_sockaddr_len(bind_to)) < 0 ||
	    getsockname(fd, &local->sa, &len) < 0)
		goto fail;
	return fd;
fail:
	r = pu_err_from_errno(errno);
	close(fd);
	return r;
}

int pu_udp_uv_open(struct pu_loop *loop, const union pu_sockaddr *bind_to,
		   const struct pu_udp_events *ev, void *arg, struct pu_udp **pu)
{
	union pu_sockaddr local;
	int fd;

	if (bind_to->sa.sa_family != AF_INET && bind_to->sa.sa_family != AF_INET6)
		return PU_EINVAL;
	fd = open_socket(bind_to, &local);
	return fd < 0 ? fd : pu_udp_uv_wrap(loop, fd, &local, ev, arg, pu);
}

int pu_udp_uv_wrap(struct pu_loop *loop, PU_TAKES int fd, const union pu_sockaddr *local,
		   const struct pu_udp_events *ev, void *arg, struct pu_udp **pu)
{
	struct pu_udp *u = calloc(1, sizeof *u);
	int r = PU_ENOMEM;

	if (!u)
		goto fail;
	u->mem = malloc((size_t)RECV_SLOTS * RECV_SLOT_LEN);
	if (!u->mem)
		goto fail;
	r = PU_ESYS;
	if (uv_poll_init(pu_loop_uv_of(loop), &u->poll, fd) < 0)
		goto fail;
	u->loop = loop;
	u->ev = ev;
	u->arg = arg;
	u->fd = fd;
	u->local = *local;
	pu_list_init(&u->entry.node);
	u->poll.data = u;
	uv_poll_start(&u->poll, UV_READABLE, on_poll);
	*pu = u;
	return 0;
fail:
	if (u)
		free(u->mem);
	free(u);
	close(fd);
	return r;
}

struct pu_udp_uv_entry *pu_udp_uv_entry(struct pu_udp *u)
{
	return &u->entry;
}

void pu_udp_uv_local(struct pu_udp *u, union pu_sockaddr *sa)
{
	*sa = u->local;
}

static void on_closed(uv_handle_t *h)
{
	struct pu_udp *u = h->data;

	free(u->mem);
	free(u);
}

void pu_udp_uv_close(struct pu_udp *u)
{
	u->closed = true;
	pu_list_remove(&u->entry.node);
	uv_poll_stop(&u->poll);
	close(u->fd);
	u->fd = -1;
	uv_close((uv_handle_t *)&u->poll, on_closed);
}

/* ---- Receiving ---- */

static void read_control(const struct pu_udp *u, struct msghdr *m, struct pu_dgrams *d)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		const void *data = CMSG_DATA(c);

		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			const struct in_pktinfo *i = data;

			d->local = u->local;
			d->local.v4.sin_addr = i->ipi_addr;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			const struct in6_pktinfo *i = data;

			d->local = u->local;
			d->local.v6.sin6_addr = i->ipi6_addr;
			if (IN6_IS_ADDR_LINKLOCAL(&i->ipi6_addr))
				d->local.v6.sin6_scope_id = i->ipi6_ifindex;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
			d->ecn = *(const uint8_t *)data & ECN_MASK;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
			int v;

			memcpy(&v, data, sizeof v);
			d->ecn = (uint8_t)v & ECN_MASK;
		} else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
			int v;

			memcpy(&v, data, sizeof v);
			if (v > 0)
				d->segment = (size_t)v;
		}
	}
}

/* One call; the number of bytes, or 0 when there is nothing more. */
static size_t recv_round(struct pu_udp *u, bool *more)
{
	union pu_sockaddr from[RECV_SLOTS] = { 0 };
	union control control[RECV_SLOTS];
	struct mmsghdr msg[RECV_SLOTS];
	struct iovec iov[RECV_SLOTS];
	struct pu_dgrams d[RECV_SLOTS];
	size_t sum = 0, n_good = 0;
	int n;

	for (int i = 0; i < RECV_SLOTS; i++) {
		iov[i] = (struct iovec){ u->mem + (size_t)i * RECV_SLOT_LEN, RECV_SLOT_LEN };
		msg[i].msg_hdr = (struct msghdr){
			.msg_name = &from[i], .msg_namelen = sizeof from[i],
			.msg_iov = &iov[i], .msg_iovlen = 1,
			.msg_control = &control[i], .msg_controllen = sizeof control[i],
		};
	}
	n = recvmmsg(u->fd, msg, RECV_SLOTS, 0, NULL);
	*more = n == RECV_SLOTS;
	for (int i = 0; i < n; i++) {
		struct pu_dgrams *b = &d[n_good];

		if (msg[i].msg_len == 0 || msg[i].msg_hdr.msg_flags & MSG_TRUNC)
			continue;
		*b = (struct pu_dgrams){ .remote = from[i], .p = iov[i].iov_base,
					 .len = msg[i].msg_len, .segment = msg[i].msg_len };
		read_control(u, &msg[i].msg_hdr, b);
		sum += b->len;
		n_good++;
	}
	if (n_good > 0)
		u->ev->on_recv(u->arg, d, n_good);
	return sum;
}

static void receive(struct pu_udp *u)
{
	size_t budget = RECV_BUDGET;
	bool more = true;

	for (int i = 0; more && !u->closed && i < RECV_ROUNDS; i++) {
		size_t n = recv_round(u, &more);

		if (n >= budget)
			break;
		budget -= n;
	}
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct pu_udp *u = h->data;
	struct pu_loop *loop = u->loop;

	pu_loop_uv_enter(loop);
	if (status < 0) /* an error waits in the socket: reading takes it out */
		events |= UV_READABLE;
	if (events & UV_WRITABLE && u->want_write) {
		u->want_write = false;
		uv_poll_start(&u->poll, UV_READABLE, on_poll);
		if (u->ev->on_writable)
			u->ev->on_writable(u->arg);
	}
	if (events & UV_READABLE && !u->closed)
		receive(u);
	/* libuv stops a handle whose descriptor has an error. */
	if (status < 0 && !u->closed)
		uv_poll_start(&u->poll, u->want_write ? UV_READABLE | UV_WRITABLE : UV_READABLE,
			      on_poll);
	pu_loop_uv_leave(loop);
}

/* ---- Sending ---- */

static void *add_control(struct msghdr *m, int level, int type, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)((char *)m->msg_control + m->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	m->msg_controllen += CMSG_SPACE(len);
	return CMSG_DATA(c);
}

static void write_control(struct msghdr *m, const struct pu_dgrams *d, bool gso)
{
	const bool v4 = d->remote.sa.sa_family == AF_INET;

	if (d->local.sa.sa_family == AF_INET && v4) {
		struct in_pktinfo i = { .ipi_spec_dst = d->local.v4.sin_addr };

		if (i.ipi_spec_dst.s_addr != htonl(INADDR_ANY))
			memcpy(add_control(m, IPPROTO_IP, IP_PKTINFO, sizeof i), &i, sizeof i);
	} else if (d->local.sa.sa_family == AF_INET6 && !v4) {
		struct in6_pktinfo i = { .ipi6_addr = d->local.v6.sin6_addr,
					 .ipi6_ifindex = d->local.v6.sin6_scope_id };

		if (!IN6_IS_ADDR_UNSPECIFIED(&i.ipi6_addr))
			memcpy(add_control(m, IPPROTO_IPV6, IPV6_PKTINFO, sizeof i), &i, sizeof i);
	}
	if (d->ecn & ECN_MASK) {
		const int v = d->ecn & ECN_MASK;

		memcpy(add_control(m, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS,
				   sizeof v),
		       &v, sizeof v);
	}
	if (gso) {
		const uint16_t v = (uint16_t)d->segment;

		memcpy(add_control(m, SOL_UDP, UDP_SEGMENT, sizeof v), &v, sizeof v);
	}
	if (m->msg_controllen == 0)
		m->msg_control = NULL;
}

static int send_error(struct pu_udp *u, int err)
{
	if (err == EAGAIN || err == EWOULDBLOCK) {
		if (!u->want_write) {
			u->want_write = true;
			uv_poll_start(&u->poll, UV_READABLE | UV_WRITABLE, on_poll);
		}
		return PU_EAGAIN;
	}
	return pu_err_from_errno(err);
}

/* Everything in one call, cut by the kernel when gso. 0 or a positive errno. */
static int send_whole(struct pu_udp *u, const struct pu_dgrams *d, bool gso)
{
	union control control;
	struct iovec iov = { (void *)d->p, d->len };
	struct msghdr m = { .msg_name = (void *)&d->remote.sa,
			    .msg_namelen = pu_sockaddr_len(&d->remote),
			    .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };

	memset(&control, 0, sizeof control);
	write_control(&m, d, gso);
	for (;;) {
		if (sendmsg(u->fd, &m, 0) >= 0)
			return 0;
		if (errno != EINTR)
			return errno;
	}
}

/* One message for each datagram, all with the same control data. */
static int send_each(struct pu_udp *u, const struct pu_dgrams *d)
{
	union control control;
	struct mmsghdr msg[SEND_MMSG];
	struct iovec iov[SEND_MMSG];
	struct msghdr m = { .msg_name = (void *)&d->remote.sa,
			    .msg_namelen = pu_sockaddr_len(&d->remote),
			    .msg_iovlen = 1, .msg_control = &control };
	size_t off = 0;

	memset(&control, 0, sizeof control);
	write_control(&m, d, false);
	while (off < d->len) {
		size_t at = off;
		unsigned n = 0;
		int r;

		for (; n < SEND_MMSG && at < d->len; n++) {
			size_t len = pu_min(d->segment, d->len - at);

			iov[n] = (struct iovec){ (void *)(d->p + at), len };
			msg[n].msg_hdr = m;
			msg[n].msg_hdr.msg_iov = &iov[n];
			at += len;
		}
		r = sendmmsg(u->fd, msg, n, 0);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return off > 0 ? 0 : errno;
		off += (size_t)r * d->segment;
	}
	return 0;
}

int pu_udp_uv_send(struct pu_udp *u, const struct pu_dgrams *d)
{
	int err;

	if (d->len == 0 || d->segment == 0)
		return PU_EINVAL;
	if (d->segment >= d->len) {
		err = send_whole(u, d, false);
	} else if (u->no_gso > 0) {
		u->no_gso--;
		err = send_each(u, d);
	} else {
		err = send_whole(u, d, true);
		if (err == EIO || err == EINVAL || err == ENOPROTOOPT || err == EOPNOTSUPP) {
			err = send_each(u, d);
			if (err != EMSGSIZE) /* longer than the device takes: not GSO's fault */
				u->no_gso = GSO_RETRY_AFTER;
		}
	}
	return err ? send_error(u, err) : 0;
}
