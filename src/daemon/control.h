/* What the control API shows and does: the daemon behind struct pu_api_ops. */
#ifndef PU_DAEMON_CONTROL_H
#define PU_DAEMON_CONTROL_H

#include "daemon/api.h"
#include "daemon/node.h"
#include "daemon/vpn.h"

struct pu_control;

struct pu_control_options {
	struct pu_node *node;
	struct pu_vpn *vpn; /* NULL: no device */
	/* Asks the daemon to stop, or to load its files again. */
	void (*shutdown)(void *arg);
	int (*reload)(void *arg, struct pu_failure *why);
	void *arg;
};

int pu_control_new(const struct pu_control_options *opt, struct pu_control **pc);
/* After pu_api_stop(). */
void pu_control_free(struct pu_control *c);
/* Invitations and codes of this node. */
struct pu_pairing *pu_control_pairing(struct pu_control *c);
/* The ops; their argument is the control itself. */
extern const struct pu_api_ops pu_control_ops;

#endif
