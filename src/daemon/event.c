#include "daemon/event.h"

const char *pu_event_kind_text(enum pu_event_kind kind)
{
	switch (kind) {
	case PU_EVENT_PEER_CONNECTED:
		return "peer_connected";
	case PU_EVENT_PEER_DISCONNECTED:
		return "peer_disconnected";
	case PU_EVENT_PATH:
		return "path";
	case PU_EVENT_AUTH_DECISION:
		return "auth_decision";
	case PU_EVENT_AUTH_CHANGE:
		return "auth_change";
	case PU_EVENT_SERVICE_DENIED:
		return "service_denied";
	case PU_EVENT_SERVICE_CLOSED:
		return "service_closed";
	case PU_EVENT_API_ACCESS:
		return "api_access";
	case PU_EVENT_INVITE:
		return "invite";
	case PU_EVENT_RELAY:
		return "relay";
	case PU_EVENT_NETWORK:
		return "network";
	case PU_EVENT_CONFIG:
		return "config";
	case PU_EVENT_DIAL:
		return "dial";
	case PU_EVENT_HOLE_PUNCH:
		return "hole_punch";
	case PU_EVENT_STUN:
		return "stun";
	case PU_EVENT_STOPPING:
		return "stopping";
	case PU_EVENT_KINDS:
		break;
	}
	return "unknown";
}

/* One round of telling; a listener may tell something itself. */
struct pu_event_cursor {
	struct pu_list *next;
	struct pu_event_cursor *outer;
};

void pu_events_init(struct pu_events *e)
{
	pu_list_init(&e->listeners);
	e->telling = NULL;
}

void pu_events_add(struct pu_events *e, struct pu_event_listener *l)
{
	pu_list_append(&e->listeners, &l->node);
}

void pu_events_remove(struct pu_events *e, struct pu_event_listener *l)
{
	for (struct pu_event_cursor *c = e->telling; c; c = c->outer)
		if (c->next == &l->node)
			c->next = l->node.next;
	pu_list_remove(&l->node);
}

void pu_events_tell(struct pu_events *e, const struct pu_event *ev)
{
	struct pu_event_cursor c = { .next = e->listeners.next, .outer = e->telling };

	e->telling = &c;
	while (c.next != &e->listeners) {
		struct pu_event_listener *l =
			PU_CONTAINER_OF(c.next, struct pu_event_listener, node);

		c.next = c.next->next;
		l->on_event(l->arg, ev);
	}
	e->telling = c.outer;
}
