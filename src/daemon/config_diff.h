/* What differs between two configs of one kind, by the table of their keys. */
#ifndef PU_DAEMON_CONFIG_DIFF_H
#define PU_DAEMON_CONFIG_DIFF_H

#include "daemon/config_schema.h"

enum { PU_CONFIG_DIFF_MAX = 64 };

/* Paths of options, static text of the table. */
struct pu_config_diff {
	size_t n;
	const char *path[PU_CONFIG_DIFF_MAX];
};

/* Options that differ and that a running program takes over only with a restart of its
 * parts. What stands in maps (services, names, peers) never needs one. live: patterns of
 * the others, "discovery.*" or whole paths, NULL behind the last. */
void pu_config_diff(const struct pu_config_schema *s, const char *const *live, const void *a,
		    const void *b, struct pu_config_diff *out);
/* "vpn.subnet, vpn.mtu"; out has cap bytes. Returns out. */
const char *pu_config_diff_text(const struct pu_config_diff *d, char *out, size_t cap);

/* Of a node, as pu_node_reload() takes them; of a relay, as its server does. */
extern const char *const pu_config_diff_live_node[];
extern const char *const pu_config_diff_live_relay[];

#endif
