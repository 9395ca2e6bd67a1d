/* A running node follows its files: authorized_keys and the config are loaded again when they
 * change, only when they are valid, and without anybody asking. */
#ifndef PU_DAEMON_REFRESH_H
#define PU_DAEMON_REFRESH_H

#include "daemon/node.h"

struct pu_refresh;

/* reload loads and applies the config, as the API's reload does; it tells about that itself.
 * The node's loop must be a pu_loop_uv loop. PU_ENOMEM. */
int pu_refresh_start(struct pu_node *n, int (*reload)(void *arg, struct pu_failure *why),
		     void *arg, struct pu_refresh **pr);
/* Before the node stops. NULL is fine. */
void pu_refresh_stop(struct pu_refresh *r);

#endif
