/* A running daemon, asked over its control socket. */
#ifndef PU_CLI_CLIENT_H
#define PU_CLI_CLIENT_H

#include <jansson.h>

#include "daemon/failure.h"
#include "daemon/paths.h"

enum { PU_CLIENT_ANSWER_MAX = 16 * 1024 * 1024 };

struct pu_client {
	const struct pu_paths *paths;
	int status; /* of the last answer, 0 before */
};

/* True when a daemon answers on the socket; *ppid (may be NULL): its process. */
bool pu_client_is_up(const struct pu_paths *paths, int *ppid);
/* Sends a request; body (may be NULL) is taken. *pdata: the "data" of the answer, a
 * new reference. PU_EREFUSED: no daemon runs; PU_EPERM: the socket is another user's;
 * PU_EDENIED: the daemon answered with an error (why has its text); PU_ETIMEDOUT;
 * PU_EPROTO. why is filled. */
int pu_client_call(struct pu_client *cl, const char *method, const char *path,
		   PU_TAKES json_t *body, json_t **pdata, struct pu_failure *why);

#endif
