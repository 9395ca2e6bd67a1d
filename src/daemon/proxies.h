/* Local ports to services of peers that clients of the control API have asked for. They live
 * until they are taken back or the daemon ends. */
#ifndef PU_DAEMON_PROXIES_H
#define PU_DAEMON_PROXIES_H

#include "daemon/api.h"
#include "overlay/proxy.h"

enum { PU_PROXIES_MAX = 64 };

struct pu_proxies;

int pu_proxies_new(struct pu_host *h, struct pu_net *net, struct pu_proxies **pp);
/* Ends them all, and requests for more. NULL is fine. */
void pu_proxies_free(struct pu_proxies *p);

/* As the op of the API says. Also PU_ENOENT: the host to listen on has no address. */
int pu_proxies_connect(struct pu_proxies *p, const struct pu_api_connect *c,
		       pu_api_connected_fn *on_done, void *arg, uint64_t *pid);
void pu_proxies_cancel(struct pu_proxies *p, uint64_t id);
/* PU_ENOENT. */
int pu_proxies_disconnect(struct pu_proxies *p, uint64_t id);
void pu_proxies_each(const struct pu_proxies *p, pu_api_proxy_fn *fn, void *arg);

#endif
