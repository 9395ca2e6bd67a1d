/* A node of the command line, as its files see it. */
#ifndef PU_DAEMON_ONESHOT_INTERNAL_H
#define PU_DAEMON_ONESHOT_INTERNAL_H

#include "base/loop_uv.h"
#include "daemon/control.h"
#include "daemon/interfaces.h"
#include "daemon/oneshot.h"

struct pu_oneshot {
	struct pu_loop_uv *driver;
	struct pu_loop *loop;
	struct pu_net *net;
	struct pu_node *node;
	struct pu_control *control;
	struct pu_paths paths;
	bool host; /* on the ports of the config */
	struct pu_interfaces *interfaces;
	struct pu_timer timeout;
	struct pu_timer tick;
	bool (*done)(void *arg);
	void *done_arg;
	struct pu_oneshot_pong *pong; /* of the ping under way */
	struct pu_trace_result *trace; /* of the trace under way */
};

#endif
