/* How the operator's commands talk to a running relay: HTTP on a Unix socket beside the relay's
 * config, with a cookie that only its owner can read. As peer-up has it: plain JSON.
 *
 *   POST   /v1/pair       {"count", "ttl_seconds", "namespace", "expires_seconds"}
 *   GET    /v1/pair
 *   DELETE /v1/pair/{id}  */
#ifndef PU_DAEMON_RELAY_ADMIN_H
#define PU_DAEMON_RELAY_ADMIN_H

#include "daemon/relay_pairing.h"

#define PU_RELAY_ADMIN_SOCKET ".relay-admin.sock"
#define PU_RELAY_ADMIN_COOKIE ".relay-admin.cookie"

enum {
	PU_RELAY_ADMIN_BODY_MAX = 4096,
	PU_RELAY_ADMIN_PATH_MAX = 4096, /* of a file */
	PU_RELAY_ADMIN_TTL_S = 3600,    /* of codes, when none is given */
};

struct pu_relay_admin;

/* Where it is for the config at that path, which need not be there. PU_ELIMIT. */
int pu_relay_admin_paths(const char *config, char socket_path[PU_RELAY_ADMIN_PATH_MAX],
			 char cookie_path[PU_RELAY_ADMIN_PATH_MAX]);
/* The loop is a pu_loop_uv's. why is filled on failure. */
int pu_relay_admin_start(struct pu_relay_server *s, struct pu_relay_admin **pa,
			 struct pu_failure *why);
/* Removes socket and cookie. NULL is fine. */
void pu_relay_admin_stop(struct pu_relay_admin *a);

#endif
