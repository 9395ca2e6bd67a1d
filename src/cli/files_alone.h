/* A node for the transfer of files when no daemon runs: a process of its own, so that files and
 * network wait for nobody but their socket. It ends with this one, however this one ends. */
#ifndef PU_CLI_FILES_ALONE_H
#define PU_CLI_FILES_ALONE_H

#include <sys/types.h>

#include "daemon/api.h"
#include "daemon/paths.h"

struct pu_files_alone {
	pid_t pid; /* 0: none */
	int leash, reports;
	bool ready;
};

/* Starts a node that leads connections from a local port to the service files of that peer.
 * Waits until it listens. why tells. */
int pu_files_alone_reach(const struct pu_paths *paths, const struct pu_peerid *peer,
			 struct pu_files_alone *a, uint16_t *pport, struct pu_failure *why);
/* Starts a node that offers that. */
int pu_files_alone_expose(const struct pu_paths *paths, const struct pu_api_expose *e,
			  struct pu_files_alone *a, struct pu_failure *why);
/* Why the last connection came to nothing; 0: it is not known. */
int pu_files_alone_last_error(struct pu_files_alone *a);
void pu_files_alone_end(struct pu_files_alone *a);

#endif
