/* A TCP port of this machine that leads to a named service of a peer: each connection to it
 * becomes a stream. Works over a bare host and network, with a daemon around it or without. */
#ifndef PU_OVERLAY_PROXY_H
#define PU_OVERLAY_PROXY_H

#include "overlay/service.h"
#include "p2p/host/host.h"
#include "p2p/transport/net.h"

enum {
	PU_PROXY_CONNS_MAX = 256, /* of one proxy; further ones are reset */
	PU_PROXY_ATTEMPTS = 4,    /* to open a stream, 1, 2 and 4 seconds apart */
};

struct pu_proxy;

struct pu_proxy_options {
	struct pu_host *host;
	struct pu_net *net;
	const struct pu_peerid *peer;
	const char *service;
	const union pu_sockaddr *listen; /* port 0: any */
	/* May be NULL. A connection got its stream (err 0) or was given up, after attempts. */
	void (*on_conn)(void *arg, int err, unsigned attempts);
	void *arg;
};

struct pu_proxy_info {
	union pu_sockaddr local; /* with the port in use */
	unsigned active;         /* connections, those that wait for their stream too */
	uint64_t opened, failed;
	int last_error;          /* of the last one that failed, 0: none has */
};

/* Listens; the peer is dialled when somebody connects. PU_EINVAL, PU_EDENIED: the service's
 * name cannot be one; otherwise as the system says (PU_EEXIST: the port is taken). */
int pu_proxy_start(const struct pu_proxy_options *opt, struct pu_proxy **pp);
/* Ends all its connections. NULL is fine. */
void pu_proxy_stop(struct pu_proxy *p);
void pu_proxy_info(const struct pu_proxy *p, struct pu_proxy_info *out);

#endif
