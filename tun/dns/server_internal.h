/* Shared by the two transports of the name server. */
#ifndef PU_TUN_DNS_SERVER_INTERNAL_H
#define PU_TUN_DNS_SERVER_INTERNAL_H

#include "base/list.h"
#include "base/loop_uv.h"
#include "tun/dns/endpoint.h"
#include "tun/dns/forward.h"
#include "tun/dns/server.h"

struct pu_dns_server {
	struct pu_loop *loop;
	struct pu_dns_server_config cfg;
	struct pu_dns_forward *forward;
	struct pu_dns_server_stats stats;
	struct pu_dns_endpoint bound[PU_DNS_SERVER_LISTEN_MAX];
	uv_udp_t *udp[PU_DNS_SERVER_LISTEN_MAX];
	uv_tcp_t *tcp[PU_DNS_SERVER_LISTEN_MAX];
	struct pu_list tcp_clients;
	struct pu_list udp_waiting; /* forwarded questions from UDP */
	bool stopping;
	unsigned n_handles; /* that libuv has not closed yet */
	uint8_t in[PU_DNS_TCP_MAX];
};

/* What became of a question. */
enum pu_dns_served {
	PU_DNS_SERVED_ANSWER,  /* out holds *plen bytes; 0: none is due */
	PU_DNS_SERVED_FORWARD, /* ask the forwarder */
};

enum pu_dns_served pu_dns_server_serve(struct pu_dns_server *s, struct pu_bytes query, bool tcp,
				       const struct pu_ip *from, uint8_t *out, size_t cap,
				       size_t *plen);
/* SERVFAIL for a query that could not be forwarded. Length. */
size_t pu_dns_server_fail(struct pu_dns_server *s, struct pu_bytes query, uint8_t *out,
			  size_t cap);
/* Every handle of the server counts; the last one to close frees a stopped server. */
void pu_dns_server_hold(struct pu_dns_server *s);
void pu_dns_server_release(struct pu_dns_server *s);

/* tun/dns/server_tcp.c */
int pu_dns_server_tcp_listen(struct pu_dns_server *s, size_t i);
void pu_dns_server_tcp_stop(struct pu_dns_server *s);

#endif
