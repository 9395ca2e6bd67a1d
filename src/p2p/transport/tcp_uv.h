/* TCP sockets on libuv: the TCP members of struct pu_net_ops without the net. */
#ifndef PU_P2P_TRANSPORT_TCP_UV_H
#define PU_P2P_TRANSPORT_TCP_UV_H

#include "base/loop.h"
#include "p2p/transport/net.h"

enum { PU_TCP_UV_READ_LEN = 128 * 1024 };

/* What all sockets of one loop share. */
struct pu_tcp_uv {
	struct pu_loop *loop; /* driven by base/loop_uv.c */
	uint8_t *mem;         /* PU_TCP_UV_READ_LEN bytes for whoever is reading */
	bool has_owner;       /* of listening sockets, other than who makes them */
	unsigned owner;
};

int pu_tcp_uv_connect(struct pu_tcp_uv *u, const union pu_sockaddr *remote,
		      const union pu_sockaddr *bind_to, const struct pu_tcp_events *ev, void *arg,
		      struct pu_tcp **pt);
int pu_tcp_uv_write(struct pu_tcp *t, const struct iovec *iov, int n);
void pu_tcp_uv_resume(struct pu_tcp *t);
void pu_tcp_uv_shutdown(struct pu_tcp *t);
void pu_tcp_uv_local(struct pu_tcp *t, union pu_sockaddr *sa);
void pu_tcp_uv_remote(struct pu_tcp *t, union pu_sockaddr *sa);
void pu_tcp_uv_set_events(struct pu_tcp *t, const struct pu_tcp_events *ev, void *arg);
void pu_tcp_uv_close(struct pu_tcp *t, bool abort);
bool pu_tcp_uv_progress(struct pu_tcp *t, struct pu_tcp_progress *out);
int pu_tcp_uv_listen(struct pu_tcp_uv *u, const union pu_sockaddr *bind_to,
		     void (*on_accept)(void *arg, struct pu_tcp *t), void *arg,
		     struct pu_tcp_listener **pl);
void pu_tcp_uv_listener_local(struct pu_tcp_listener *l, union pu_sockaddr *sa);
void pu_tcp_uv_listener_close(struct pu_tcp_listener *l);

#endif
