/* A running daemon, asked over its control socket (daemon/ask.h) in JSON. */
#ifndef PU_CLI_CLIENT_H
#define PU_CLI_CLIENT_H

#include <jansson.h>

#include "daemon/ask.h"
#include "daemon/paths.h"

struct pu_cli;

struct pu_client {
	const struct pu_paths *paths;
	int timeout_ms; /* 0: the usual */
	int status;     /* of the last answer, 0 before */
};

/* The paths of the daemon that the command line means: that of --config or --name, else the
 * user's, else the system's. 0 or an exit code. */
int pu_client_find_paths(struct pu_cli *c, struct pu_paths *paths);
/* Where the daemon of these paths listens. */
struct pu_ask_target pu_client_target(const struct pu_paths *paths);
/* True when a daemon answers on the socket; *ppid (may be NULL): its process. */
bool pu_client_is_up(const struct pu_paths *paths, int *ppid);
/* Sends a request; body (may be NULL) is taken. *pdata: the "data" of the answer, a
 * new reference. Errors as pu_ask_data(). why is filled. */
int pu_client_call(struct pu_client *cl, const char *method, const char *path,
		   PU_TAKES json_t *body, json_t **pdata, struct pu_failure *why);
/* The same for the text form of the answer; the caller frees *ptext. */
int pu_client_text(struct pu_client *cl, const char *method, const char *path,
		   PU_TAKES json_t *body, char **ptext, struct pu_failure *why);

#endif
