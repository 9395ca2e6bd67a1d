/* Tells a node the addresses of this machine's interfaces, at start and as they change. */
#ifndef PU_DAEMON_INTERFACES_H
#define PU_DAEMON_INTERFACES_H

#include "daemon/node.h"
#include "platform/platform.h"

/* Once, from a platform that somebody has already; except may be NULL. */
void pu_interfaces_tell(struct pu_node *n, struct pu_platform *p, const char *except);

/* An interface of that name is there and up. */
bool pu_interfaces_is_up(const char *name);

/* For a node without a device: watches on its own. */
struct pu_interfaces;
int pu_interfaces_start(struct pu_node *n, struct pu_interfaces **pi);
/* NULL is fine. */
void pu_interfaces_stop(struct pu_interfaces *i);

#endif
