/* The relay's HTTP endpoint: /healthz for this machine, /metrics when wanted. */
#ifndef PU_DAEMON_RELAY_HTTP_H
#define PU_DAEMON_RELAY_HTTP_H

#include "daemon/relay_server.h"

struct pu_relay_http;

/* Where the config says; *ph is NULL when it wants neither. The loop is a pu_loop_uv's. */
int pu_relay_http_start(struct pu_relay_server *s, struct pu_relay_http **ph,
			struct pu_failure *why);
/* NULL is fine. */
void pu_relay_http_stop(struct pu_relay_http *h);

#endif
