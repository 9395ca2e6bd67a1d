/* What happens in a daemon, told to whoever wants to know: the audit log, metrics, the event
 * stream of the API. Those who tell do not know who listens. */
#ifndef PU_DAEMON_EVENT_H
#define PU_DAEMON_EVENT_H

#include "base/list.h"
#include "crypto/peerid.h"

enum pu_event_kind {
	PU_EVENT_PEER_CONNECTED,    /* the first connection; what: DIRECT or RELAYED */
	PU_EVENT_PEER_DISCONNECTED, /* the last one */
	PU_EVENT_PATH,              /* another connection is in use; what: DIRECT or RELAYED */
	PU_EVENT_AUTH_DECISION,     /* of the gate about somebody who connects; what: allow, deny */
	PU_EVENT_AUTH_CHANGE,       /* what: added, removed, expired, verified, changed;
				     * detail: how it came, paired or introduced */
	PU_EVENT_SERVICE_DENIED,    /* what: the service */
	PU_EVENT_SERVICE_CLOSED,    /* a connection to one of ours; what: it; duration_us */
	PU_EVENT_API_ACCESS,        /* what: method, detail: path with IDs cut out, n: status;
				     * duration_us until the answer */
	PU_EVENT_INVITE,            /* what: as pu_invite_state_text(); n: its id */
	PU_EVENT_RELAY,             /* peer: the relay; what: its state */
	PU_EVENT_NETWORK,           /* addresses of this machine changed; what: ipv4, ipv6 */
	PU_EVENT_CONFIG,            /* what: loaded, confirmed, reverted, or refused with the
				     * reason as detail */
	PU_EVENT_DIAL,              /* of a peer that is wanted; what: DIRECT, RELAYED or none,
				     * n: 1 when it worked; duration_us */
	PU_EVENT_HOLE_PUNCH,        /* what: success, failure; duration_us */
	PU_EVENT_STUN,              /* a server was asked; what: success, failure */
	PU_EVENT_STOPPING,
	PU_EVENT_KINDS,
};

struct pu_event {
	enum pu_event_kind kind;
	const struct pu_peerid *peer; /* NULL: about nobody */
	const char *what, *detail;    /* NULL: nothing to say */
	uint64_t n;
	uint64_t duration_us;
};

/* "peer_connected" … as the event stream names it. */
const char *pu_event_kind_text(enum pu_event_kind kind);

struct pu_event_listener {
	/* ev and what it points to are borrowed. May add and remove listeners, itself too. */
	void (*on_event)(void *arg, const struct pu_event *ev);
	void *arg;
	struct pu_list node;
};

struct pu_events {
	struct pu_list listeners;
	struct pu_event_cursor *telling; /* rounds under way, the innermost first */
};

void pu_events_init(struct pu_events *e);
/* l belongs to the caller and stays where it is until removed. */
void pu_events_add(struct pu_events *e, struct pu_event_listener *l);
void pu_events_remove(struct pu_events *e, struct pu_event_listener *l);
void pu_events_tell(struct pu_events *e, const struct pu_event *ev);

#endif
