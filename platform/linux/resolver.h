/* The host's resolver learns our names: the first of several ways that this host has. */
#ifndef PU_PLATFORM_LINUX_RESOLVER_H
#define PU_PLATFORM_LINUX_RESOLVER_H

#include <limits.h>

#include "platform/linux/marker.h"
#include "platform/linux/paths.h"
#include "platform/privops.h"

enum { PU_LINUX_RESOLVER_SERVERS = 4 };

struct pu_linux_resolver {
	const struct pu_linux_paths *paths;
	struct pu_linux_marker marker; /* what was done; method NONE: nothing */
	char state_dir[PATH_MAX];
	int ifindex;
	struct pu_prefix ours[PU_LINUX_RESOLVER_SERVERS];
	size_t n_ours;
	struct pu_prefix before[8]; /* the host's name servers when we came */
	size_t n_before;
};

void pu_linux_resolver_init(struct pu_linux_resolver *rs, const struct pu_linux_paths *paths);
/* See pu_platform_dns_set(). PU_EADDRINUSE: another process with that state_dir has set
 * up the resolver, and lives. */
int pu_linux_resolver_set(struct pu_linux_resolver *rs, const struct pu_privreq *rq);
/* See pu_platform_dns_recover(). */
void pu_linux_resolver_recover(const struct pu_linux_paths *paths, const char *state_dir);
size_t pu_linux_resolver_upstreams(const struct pu_linux_resolver *rs, struct pu_prefix *out,
				   size_t cap);
/* Undoes what this process did, as far as it still can; what it cannot is left to
 * pu_linux_resolver_recover() of one that can. */
void pu_linux_resolver_stop(struct pu_linux_resolver *rs);

#endif
