/* A proxy (overlay/proxy.h), or a service for peers, around a node of the command line. */
#ifndef PU_DAEMON_ONESHOT_PROXY_H
#define PU_DAEMON_ONESHOT_PROXY_H

#include "daemon/oneshot.h"

struct pu_oneshot_proxy {
	const struct pu_peerid *peer;
	const char *service;
	union pu_sockaddr listen; /* port 0: any */
	int stop_fd;              /* readable: enough */
	void (*on_listening)(void *arg, const union pu_sockaddr *local);
	/* As in struct pu_proxy_options. */
	void (*on_conn)(void *arg, int err, unsigned attempts);
	void *arg;
};

/* Serves until stop_fd is readable. Errors as pu_proxy_start(). */
int pu_oneshot_proxy(struct pu_oneshot *o, const struct pu_oneshot_proxy *opt);

/* Offers a service until stop_fd is readable; on_ready once it does. As the API's expose. */
int pu_oneshot_expose(struct pu_oneshot *o, const struct pu_api_expose *e, int stop_fd,
		      void (*on_ready)(void *arg), void *arg, struct pu_failure *why);

#endif
