/* The process around a daemon: it keeps the rights with which it was started, does nothing
 * with them but start the daemon proper, its worker, and starts another one when that asks
 * for it: so parts that only root can make (device, routes, resolver) change with the
 * config, although the worker has no rights left to make them. Signals pass through. */
#ifndef PU_DAEMON_KEEPER_H
#define PU_DAEMON_KEEPER_H

#include "daemon/failure.h"

enum { PU_KEEPER_AGAIN = 1 };

struct pu_keeper {
	/* In the worker: PU_KEEPER_AGAIN, or the result of it all. lifeline: reads as its end
	 * when the keeper is gone. */
	int (*run)(void *arg, int lifeline, struct pu_failure *why);
	/* In the keeper, after the worker died of a fault of its own: start another one? */
	bool (*on_crash)(void *arg);
	void *arg;
};

/* Returns what the last worker returned; PU_ESYS when a signal ended it. */
int pu_keeper_run(const struct pu_keeper *k, struct pu_failure *why);

#endif
