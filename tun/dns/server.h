/* The sockets of the name server: UDP and TCP on addresses of the device, answers by
 * tun/dns/stub.h, forwarding of other names when this is the system's resolver. */
#ifndef PU_TUN_DNS_SERVER_H
#define PU_TUN_DNS_SERVER_H

#include "base/loop.h"
#include "tun/dns/stub.h"

enum {
	PU_DNS_SERVER_LISTEN_MAX = 4,
	PU_DNS_SERVER_UPSTREAMS_MAX = 8,
	PU_DNS_SERVER_TCP_MAX = 64,            /* clients at a time */
	PU_DNS_SERVER_TCP_PER_ADDRESS = 32,
	PU_DNS_SERVER_TCP_PIPELINE = 16,       /* forwarded questions of one client */
	PU_DNS_SERVER_TCP_IDLE_MS = 10000,
	PU_DNS_SERVER_TCP_WRITE_MAX = 1 << 18, /* bytes a client may leave unread */
};

struct pu_dns_endpoint {
	struct pu_ip ip;
	uint16_t port; /* listening: 0 takes any */
};

struct pu_dns_server_config {
	struct pu_dns_config zone; /* what zone.suffix, src and arg point to must outlive us */
	struct pu_dns_endpoint listen[PU_DNS_SERVER_LISTEN_MAX];
	size_t n_listen;
	/* Where names that are not ours are asked. None: they are refused. Our own
	 * addresses among them are left out. */
	struct pu_dns_endpoint upstreams[PU_DNS_SERVER_UPSTREAMS_MAX];
	size_t n_upstreams;
	/* Refuse whoever does not ask from an address of this host: the address of the
	 * device can be reached from the LAN too. */
	bool local_only;
	unsigned tcp_idle_ms;     /* 0: PU_DNS_SERVER_TCP_IDLE_MS */
	unsigned upstream_ms;     /* per attempt; 0: PU_DNS_FORWARD_ATTEMPT_MS */
};

struct pu_dns_server_stats {
	uint64_t udp_queries, tcp_queries;
	uint64_t answered;   /* from the table, negative answers included */
	uint64_t refused;    /* not ours, or not from here */
	uint64_t forwarded;
	uint64_t failed;     /* forwarded without success, or over a limit */
	uint64_t ignored;    /* no query at all */
	uint64_t unsent;     /* socket buffer full */
	uint64_t tcp_clients, tcp_rejected;
};

struct pu_dns_server;

/* loop must be a pu_loop_uv loop. Port 53 needs CAP_NET_BIND_SERVICE. PU_EADDRINUSE:
 * another server has an address and port (which one is logged); PU_EUNREACH: no such
 * address on this host; PU_EPERM; PU_EINVAL; PU_ENOMEM; nothing is left open. */
int pu_dns_server_start(struct pu_loop *loop, const struct pu_dns_server_config *cfg,
			struct pu_dns_server **ps);
/* Nothing is answered any more; the memory goes with the last socket on a later turn. */
void pu_dns_server_stop(struct pu_dns_server *s);
/* Other upstreams from now on (the host's resolvers changed). */
int pu_dns_server_set_upstreams(struct pu_dns_server *s, const struct pu_dns_endpoint *upstreams,
				size_t n);
/* The port of listen[i] as bound. */
uint16_t pu_dns_server_port(const struct pu_dns_server *s, size_t i);
void pu_dns_server_stats(const struct pu_dns_server *s, struct pu_dns_server_stats *out);

#endif
