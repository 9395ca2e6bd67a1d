#include "p2p/transport/net_uv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "p2p/transport/mcast_uv.h"
#include "p2p/transport/resolve_uv.h"
#include "p2p/transport/tcp_uv.h"
#include "p2p/transport/udp_uv.h"

struct net_uv {
	struct pu_net net;
	struct pu_tcp_uv tcp;
	struct pu_list groups; /* sockets of mcast_open */
};

static struct net_uv *of(struct pu_net *n)
{
	return PU_CONTAINER_OF(n, struct net_uv, net);
}

static int udp_open(struct pu_net *n, const union pu_sockaddr *bind, const struct pu_udp_events *ev,
		    void *arg, struct pu_udp **pu)
{
	return pu_udp_uv_open(of(n)->tcp.loop, bind, ev, arg, pu);
}

static unsigned interface_of(struct pu_net *n, const union pu_sockaddr *ip)
{
	(void)n;
	return pu_mcast_uv_interface_of(ip);
}

static int mcast_open(struct pu_net *n, const union pu_sockaddr *group,
		      const union pu_sockaddr *iface, const struct pu_udp_events *ev, void *arg,
		      struct pu_udp **pu)
{
	return pu_mcast_uv_open(of(n)->tcp.loop, &of(n)->groups, group, iface, ev, arg, pu);
}

/* connect() of a UDP socket sends nothing; it only asks the routing table. */
static int ask_route(int fd, const union pu_sockaddr *remote, union pu_sockaddr *local)
{
	union pu_sockaddr sa = { 0 };
	socklen_t len = sizeof sa;

	if (connect(fd, &remote->sa, pu_sockaddr_len(remote)) < 0 ||
	    getsockname(fd, &sa.sa, &len) < 0)
		return pu_err_from_errno(errno);
	if (sa.sa.sa_family == AF_INET6)
		sa.v6.sin6_port = 0;
	else
		sa.v4.sin_port = 0;
	*local = sa;
	return 0;
}

static int udp_route(struct pu_net *n, const union pu_sockaddr *remote, union pu_sockaddr *local)
{
	int fd = socket(remote->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r;

	(void)n;
	if (fd < 0)
		return pu_err_from_errno(errno);
	r = ask_route(fd, remote, local);
	close(fd);
	return r;
}

static int tcp_connect(struct pu_net *n, const union pu_sockaddr *remote,
		       const union pu_sockaddr *bind, const struct pu_tcp_events *ev, void *arg,
		       struct pu_tcp **pt)
{
	return pu_tcp_uv_connect(&of(n)->tcp, remote, bind, ev, arg, pt);
}

static int tcp_listen(struct pu_net *n, const union pu_sockaddr *bind,
		      void (*on_accept)(void *arg, struct pu_tcp *t), void *arg,
		      struct pu_tcp_listener **pl)
{
	return pu_tcp_uv_listen(&of(n)->tcp, bind, on_accept, arg, pl);
}

static int resolve(struct pu_net *n, const char *name, enum pu_resolve_kind kind,
		   pu_resolve_fn *fn, void *arg, struct pu_resolve **pr)
{
	return pu_resolve_uv(of(n)->tcp.loop, name, kind, fn, arg, pr);
}

static const struct pu_net_ops net_uv_ops = {
	.udp_open = udp_open,
	.udp_local = pu_udp_uv_local,
	.udp_send = pu_udp_uv_send,
	.udp_close = pu_udp_uv_close,
	.interface_of = interface_of,
	.mcast_open = mcast_open,
	.udp_route = udp_route,
	.tcp_connect = tcp_connect,
	.tcp_write = pu_tcp_uv_write,
	.tcp_resume = pu_tcp_uv_resume,
	.tcp_shutdown = pu_tcp_uv_shutdown,
	.tcp_local = pu_tcp_uv_local,
	.tcp_remote = pu_tcp_uv_remote,
	.tcp_set_events = pu_tcp_uv_set_events,
	.tcp_close = pu_tcp_uv_close,
	.tcp_progress = pu_tcp_uv_progress,
	.tcp_listen = tcp_listen,
	.tcp_listener_local = pu_tcp_uv_listener_local,
	.tcp_listener_close = pu_tcp_uv_listener_close,
	.resolve = resolve,
	.resolve_cancel = pu_resolve_uv_cancel,
};

void pu_net_uv_set_owner(struct pu_net *n, unsigned uid)
{
	of(n)->tcp.has_owner = true;
	of(n)->tcp.owner = uid;
}

int pu_net_uv_new(struct pu_loop *loop, struct pu_net **pn)
{
	struct net_uv *nu = calloc(1, sizeof *nu);

	if (!nu)
		return PU_ENOMEM;
	nu->tcp.mem = malloc(PU_TCP_UV_READ_LEN);
	if (!nu->tcp.mem) {
		free(nu);
		return PU_ENOMEM;
	}
	nu->net.ops = &net_uv_ops;
	pu_list_init(&nu->groups);
	nu->tcp.loop = loop;
	*pn = &nu->net;
	return 0;
}

void pu_net_uv_free(struct pu_net *n)
{
	if (!n)
		return;
	free(of(n)->tcp.mem);
	free(of(n));
}
