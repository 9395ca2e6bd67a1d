/* A node in one line, for `systemctl status`. */
#ifndef PU_DAEMON_STATUS_LINE_H
#define PU_DAEMON_STATUS_LINE_H

#include "daemon/api.h"

/* "2 peers connected (1 direct, 1 relayed), reachable: A Excellent"; cut to cap bytes. */
void pu_status_line(const struct pu_api_ops *ops, void *ops_arg, char *out, size_t cap);

#endif
