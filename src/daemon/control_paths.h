/* What the control API tells about paths. */
#ifndef PU_DAEMON_CONTROL_PATHS_H
#define PU_DAEMON_CONTROL_PATHS_H

#include "daemon/api.h"
#include "daemon/node.h"

void pu_control_each_path(struct pu_node *n, pu_api_path_fn *fn, void *fn_arg);
int pu_control_why(struct pu_node *n, const struct pu_peerid *peer, struct pu_api_why *out);
/* One sentence: why the path in use is, or that and why there is none. Writes to out. */
void pu_control_reason(struct pu_node *n, const struct pu_peerid *peer, char *out, size_t cap);
/* "paths_improved" and so on, of all peers. */
void pu_control_path_counters(const struct pu_node *n, pu_api_counter_fn *fn, void *fn_arg);
const char *pu_control_path_type(const struct pu_conn *c);
const char *pu_control_transport(const struct pu_conn *c);

#endif
