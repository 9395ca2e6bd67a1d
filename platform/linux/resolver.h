/* The host's resolver learns our names: the first of several ways that this host has. */
#ifndef PU_PLATFORM_LINUX_RESOLVER_H
#define PU_PLATFORM_LINUX_RESOLVER_H

#include "platform/linux/marker.h"
#include "platform/linux/paths.h"
#include "platform/linux/undo.h"
#include "platform/privops.h"

enum { PU_LINUX_RESOLVER_SERVERS = 4 };

struct pu_linux_resolver {
	const struct pu_linux_paths *paths;
	struct pu_linux_marker marker; /* what was done; method NONE: nothing */
	int ifindex;
	struct pu_prefix ours[PU_LINUX_RESOLVER_SERVERS];
	size_t n_ours;
	struct pu_prefix before[8]; /* the host's name servers when we came */
	size_t n_before;
};

void pu_linux_resolver_init(struct pu_linux_resolver *rs, const struct pu_linux_paths *paths);
/* token: random, 16 hexadecimal digits. See pu_platform_dns_set(). */
int pu_linux_resolver_set(struct pu_linux_resolver *rs, struct pu_linux_undo *undo,
			  const struct pu_privreq *rq, const char *token);
/* What a process that does not live any more can still have undone by others. */
void pu_linux_resolver_undo(const struct pu_linux_paths *paths, const struct pu_linux_marker *m,
			    const char *state_dir);
void pu_linux_resolver_recover(const struct pu_linux_paths *paths, const char *state_dir);
size_t pu_linux_resolver_upstreams(const struct pu_linux_resolver *rs, struct pu_prefix *out,
				   size_t cap);
/* The part of undoing that needs this process (its device). */
void pu_linux_resolver_stop(struct pu_linux_resolver *rs);

#endif
