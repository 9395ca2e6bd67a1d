/* Sockets as the rest of the stack sees them: one table, implemented by
 * p2p/transport/net_uv.c on libuv and by tests/support/simnet.c in virtual time.
 *
 * All callbacks come from the loop, never from inside a call. After close() no
 * callback fires and the handle must not be used. */
#ifndef PU_P2P_TRANSPORT_NET_H
#define PU_P2P_TRANSPORT_NET_H

#include <sys/uio.h>

#include "base/bytes.h"
#include "p2p/addr/multiaddr.h"

struct pu_net;
struct pu_udp;
struct pu_tcp;
struct pu_tcp_listener;
struct pu_resolve;

/* What a name is asked for. */
enum pu_resolve_kind { PU_RESOLVE_IP, PU_RESOLVE_IP4, PU_RESOLVE_IP6, PU_RESOLVE_TXT };

enum {
	PU_RESOLVE_ADDRS_MAX = 16, /* more are cut off */
	PU_RESOLVE_TXT_MAX = 32,
};

/* Answer to one question: addresses with port 0, or the strings of TXT records.
 * Borrowed until return. */
struct pu_resolved {
	const union pu_sockaddr *addrs;
	size_t n_addrs;
	const char *const *txt;
	size_t n_txt;
};

/* err: PU_ENOENT (no such name or record), PU_ETIMEDOUT, PU_ESYS …; r NULL then. */
typedef void pu_resolve_fn(void *arg, int err, const struct pu_resolved *r);

/* Datagrams of one sender, back to back (UDP GRO / GSO). */
struct pu_dgrams {
	union pu_sockaddr remote;
	union pu_sockaddr local; /* our address as the sender used it; for sending:
				  * family 0 lets the kernel choose */
	const uint8_t *p;
	size_t len;     /* all bytes */
	size_t segment; /* every datagram but the last is this long; = len if alone */
	uint8_t ecn;    /* two bits of the traffic class */
};

struct pu_udp_events {
	/* n batches, borrowed until return. */
	void (*on_recv)(void *arg, const struct pu_dgrams *d, size_t n);
	/* After PU_EAGAIN. */
	void (*on_writable)(void *arg);
};

struct pu_tcp_events {
	/* Outbound only, exactly once and first: 0 or why it failed (then nothing else
	 * follows and the handle is still to be closed). Optional for inbound. */
	void (*on_connect)(void *arg, int err);
	/* Borrowed bytes; returns how many were taken. Fewer than len pauses reading
	 * until tcp_resume(); the rest is offered again then. */
	size_t (*on_recv)(void *arg, const uint8_t *p, size_t len);
	/* The peer sent FIN and everything was taken. */
	void (*on_eof)(void *arg);
	/* After a short write. */
	void (*on_writable)(void *arg);
	/* Reset or another fatal error; the handle is still to be closed. */
	void (*on_error)(void *arg, int err);
};

/* What the system knows of a TCP connection. */
struct pu_tcp_progress {
	uint64_t acked; /* bytes, since the beginning */
	bool waiting;   /* something that was sent is not acknowledged */
	pu_time ago;    /* since an acknowledgement arrived, of something new or not */
	pu_time rtt;    /* smoothed, 0: not measured */
};

struct pu_net_ops {
	/* bind: address or wildcard, port 0 for any. The socket asks for GRO, packet
	 * info and ECN, forbids fragmentation, and has large buffers. */
	int (*udp_open)(struct pu_net *n, const union pu_sockaddr *bind,
			const struct pu_udp_events *ev, void *arg, struct pu_udp **pu);
	void (*udp_local)(struct pu_udp *u, union pu_sockaddr *sa);
	/* One batch to one destination; all or nothing. PU_EAGAIN, PU_E2BIG (longer
	 * than the path MTU known to the kernel), PU_EUNREACH, PU_EPERM … */
	int (*udp_send)(struct pu_udp *u, const struct pu_dgrams *d);
	void (*udp_close)(struct pu_udp *u);
	/* Number of the interface that has the address, the same for all its addresses; 0:
	 * none has. */
	unsigned (*interface_of)(struct pu_net *n, const union pu_sockaddr *ip);
	/* A socket for one multicast group (with its port) on the interface that has the
	 * address iface. It hears what is sent to the group there, also by programs of this
	 * machine and by itself, and nothing that is sent to a single host; it sends to the
	 * group or to single hosts, from that interface and with hop limit 255. Others may
	 * use the port as well. udp_local tells iface with the port. PU_EEXIST: there is one
	 * for that group on that interface already, which has several addresses.
	 * PU_EUNREACH: no such interface, or it knows no multicast. */
	int (*mcast_open)(struct pu_net *n, const union pu_sockaddr *group,
			  const union pu_sockaddr *iface, const struct pu_udp_events *ev,
			  void *arg, struct pu_udp **pu);
	/* The address, with port 0, from which the kernel would send to remote now.
	 * PU_EUNREACH. */
	int (*udp_route)(struct pu_net *n, const union pu_sockaddr *remote,
			 union pu_sockaddr *local);

	/* bind may be NULL; with it, port reuse is on (dialling from a listening port). */
	int (*tcp_connect)(struct pu_net *n, const union pu_sockaddr *remote,
			   const union pu_sockaddr *bind, const struct pu_tcp_events *ev,
			   void *arg, struct pu_tcp **pt);
	/* Takes what the kernel takes: number of bytes, possibly 0, or PU_ECLOSED. */
	int (*tcp_write)(struct pu_tcp *t, const struct iovec *iov, int n);
	void (*tcp_resume)(struct pu_tcp *t);
	void (*tcp_shutdown)(struct pu_tcp *t);
	void (*tcp_local)(struct pu_tcp *t, union pu_sockaddr *sa);
	void (*tcp_remote)(struct pu_tcp *t, union pu_sockaddr *sa);
	/* Changes the consumer of an accepted or connected socket. */
	void (*tcp_set_events)(struct pu_tcp *t, const struct pu_tcp_events *ev, void *arg);
	/* abort: RST instead of FIN. */
	void (*tcp_close)(struct pu_tcp *t, bool abort);
	/* As pu_pipe_ops.progress. May be NULL. */
	bool (*tcp_progress)(struct pu_tcp *t, struct pu_tcp_progress *out);

	/* on_accept owns the new socket and must set its events at once. */
	int (*tcp_listen)(struct pu_net *n, const union pu_sockaddr *bind,
			  void (*on_accept)(void *arg, struct pu_tcp *t), void *arg,
			  struct pu_tcp_listener **pl);
	void (*tcp_listener_local)(struct pu_tcp_listener *l, union pu_sockaddr *sa);
	void (*tcp_listener_close)(struct pu_tcp_listener *l);

	/* Asks the system's resolver, without blocking the loop. fn comes later, exactly
	 * once, unless canceled; then *pr is gone. */
	int (*resolve)(struct pu_net *n, const char *name, enum pu_resolve_kind kind,
		       pu_resolve_fn *fn, void *arg, struct pu_resolve **pr);
	void (*resolve_cancel)(struct pu_resolve *r);
};

struct pu_net {
	const struct pu_net_ops *ops;
};

#endif
