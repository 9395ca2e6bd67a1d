/* The Linux backend's object, for its own files and its tests. */
#ifndef PU_PLATFORM_LINUX_PLATFORM_INTERNAL_H
#define PU_PLATFORM_LINUX_PLATFORM_INTERNAL_H

#include "platform/linux/netmon.h"
#include "platform/linux/paths.h"
#include "platform/linux/resolver.h"
#include "platform/privops.h"

struct pu_platform {
	struct pu_loop *loop;
	const struct pu_linux_paths *paths;
	struct nl_sock *nl;
	struct pu_linux_netmon *netmon;
	struct pu_linux_resolver resolver;
	struct pu_privops privops;
	bool rt_proto_named; /* by a file that goes with us */
};

/* pu_platform_new() with other paths (borrowed). */
int pu_linux_platform_new(struct pu_loop *loop, const struct pu_platform_events *ev, void *arg,
			  const struct pu_linux_paths *paths, struct pu_platform **pp);

#endif
