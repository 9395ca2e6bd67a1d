/* A proxy (overlay/proxy.h) around a node of the command line. */
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

#endif
