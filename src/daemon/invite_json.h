/* Invitations and what came of codes as JSON: in the control API and with --json. */
#ifndef PU_DAEMON_INVITE_JSON_H
#define PU_DAEMON_INVITE_JSON_H

#include <jansson.h>

#include "daemon/pairing.h"

/* NULL: no memory. */
json_t *pu_invite_json(const struct pu_invite *i);
json_t *pu_join_json(const struct pu_join_result *r);

#endif
