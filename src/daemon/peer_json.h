/* A peer as GET /v1/peers shows it. */
#ifndef PU_DAEMON_PEER_JSON_H
#define PU_DAEMON_PEER_JSON_H

#include <jansson.h>

#include "daemon/api.h"

/* A new reference, NULL without memory. */
json_t *pu_peer_json(const struct pu_api_peer *p);

#endif
