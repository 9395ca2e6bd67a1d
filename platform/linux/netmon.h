/* Watches the kernel: routes on our device; addresses, links and default
 * routes of all others. */
#ifndef PU_PLATFORM_LINUX_NETMON_H
#define PU_PLATFORM_LINUX_NETMON_H

#include "platform/linux/netlink.h"

enum { PU_LINUX_NETMON_DEBOUNCE_MS = 500 };

struct pu_linux_netmon;

/* sk: for dumps, borrowed. Network changes are reported from now on. */
int pu_linux_netmon_new(struct pu_loop *loop, struct nl_sock *sk,
			const struct pu_platform_events *ev, void *arg,
			struct pu_linux_netmon **pm);
void pu_linux_netmon_free(struct pu_linux_netmon *m);
/* Reports the routes that are there (before this returns) and those to come. The
 * device's own changes are no network change any more. PU_ENOENT, PU_EEXIST: a device
 * is being watched already. */
int pu_linux_netmon_watch(struct pu_linux_netmon *m, const char *ifname);

#endif
