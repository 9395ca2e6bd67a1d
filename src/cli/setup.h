/* A new node's files: config, identity, authorized_keys. Used by `init`, and by `up`
 * when there is no config yet. */
#ifndef PU_CLI_SETUP_H
#define PU_CLI_SETUP_H

#include "cli/cli.h"
#include "crypto/peerid.h"

struct pu_setup {
	const char *network;     /* NULL: the global one */
	const char *const *relays; /* multiaddrs ending in /p2p/ID */
	size_t n_relays;
	unsigned port; /* to listen on, UDP and TCP; 0: any free one at each start */
};

/* Makes the files of paths->config, which must not exist yet; paths from
 * pu_paths_for_config(). An identity or authorized_keys that is there already is
 * kept. 0 or an exit code. */
int pu_setup_node(struct pu_cli *c, const struct pu_paths *paths, const struct pu_setup *s,
		  struct pu_peerid *peer);
/* What to do with a new node, on stdout. */
void pu_setup_next_steps(const struct pu_cli *c, const struct pu_peerid *peer);

#endif
