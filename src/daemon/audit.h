/* The audit log: who was let in or not, what changed, who used the control API. One JSON object
 * per line on stderr, whatever the log level and format of everything else:
 *
 *   {"time":"2026-01-31T12:00:00Z","level":"INFO","msg":"auth_decision",
 *    "audit":{"peer":"12D3KooWABCDEFGH...","direction":"inbound","result":"deny"}}
 *
 * Events: auth_decision, service_acl_denied (WARN), auth_change, daemon_api_access. */
#ifndef PU_DAEMON_AUDIT_H
#define PU_DAEMON_AUDIT_H

#include "base/loop.h"
#include "daemon/event.h"

struct pu_audit;

/* Writes what the events tell until freed. sink: where lines go instead of stderr (with
 * their line feed), for tests; may be NULL. */
int pu_audit_new(struct pu_loop *loop, struct pu_events *events,
		 void (*sink)(void *arg, const char *line, size_t len), void *arg,
		 struct pu_audit **pa);
/* NULL is fine. */
void pu_audit_free(struct pu_audit *a);

#endif
