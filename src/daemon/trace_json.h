/* A traceroute as scripts see it, whoever made it. */
#ifndef PU_DAEMON_TRACE_JSON_H
#define PU_DAEMON_TRACE_JSON_H

#include <jansson.h>

#include "overlay/trace.h"

/* target: as typed. NULL: no memory. */
json_t *pu_trace_json(const char *target, const struct pu_peerid *peer,
		      const struct pu_trace_result *r);
/* Relays show what they are: the agent of hop i, "" of the target. */
const char *pu_trace_name(const struct pu_trace_result *r, size_t i);

#endif
