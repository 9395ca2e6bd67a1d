#include "daemon/audit.h"

#include <jansson.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "daemon/json_text.h"

struct pu_audit {
	struct pu_loop *loop;
	struct pu_events *events;
	struct pu_event_listener listener;
	void (*sink)(void *arg, const char *line, size_t len);
	void *arg;
};

/* One write per line: other lines of the log do not get in between. */
static void to_stderr(void *arg, const char *line, size_t len)
{
	ssize_t n = write(STDERR_FILENO, line, len);

	(void)n; /* nobody is left to be told */
}

static void time_text(const struct pu_audit *a, char out[40])
{
	time_t now = (time_t)pu_loop_unix(a->loop);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(out, 40, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* fields is taken. */
static void put(struct pu_audit *a, const char *level, const char *msg, PU_TAKES json_t *fields)
{
	char time[40], *text, *line;
	json_t *v;
	size_t n;

	time_text(a, time);
	v = json_pack("{s:s, s:s, s:s, s:o}", "time", time, "level", level, "msg", msg, "audit",
		      fields);
	text = v ? json_dumps(v, JSON_COMPACT) : NULL;
	n = text ? strlen(text) : 0;
	line = text ? realloc(text, n + 2) : NULL;
	if (line) {
		memcpy(line + n, "\n", 2);
		a->sink(a->arg, line, n + 1);
		text = line;
	}
	free(text);
	json_decref(v);
}

static json_t *peer_of(const struct pu_event *ev)
{
	char id[PU_PEERID_SHORT_MAX];

	return pu_json_text(ev->peer ? pu_peerid_short(ev->peer, id) : "");
}

static void on_event(void *arg, const struct pu_event *ev)
{
	struct pu_audit *a = arg;

	if (ev->kind == PU_EVENT_AUTH_DECISION)
		put(a, "INFO", "auth_decision",
		    json_pack("{s:o, s:s, s:s}", "peer", peer_of(ev), "direction", "inbound",
			      "result", ev->what));
	else if (ev->kind == PU_EVENT_SERVICE_DENIED)
		put(a, "WARN", "service_acl_denied",
		    json_pack("{s:o, s:s}", "peer", peer_of(ev), "service", ev->what));
	else if (ev->kind == PU_EVENT_AUTH_CHANGE)
		put(a, "INFO", "auth_change",
		    json_pack("{s:s, s:o}", "action", ev->what, "peer", peer_of(ev)));
	else if (ev->kind == PU_EVENT_API_ACCESS)
		put(a, "INFO", "daemon_api_access",
		    json_pack("{s:s, s:s, s:i}", "method", ev->what, "path", ev->detail, "status",
			      (int)ev->n));
}

int pu_audit_new(struct pu_loop *loop, struct pu_events *events,
		 void (*sink)(void *arg, const char *line, size_t len), void *arg,
		 struct pu_audit **pa)
{
	struct pu_audit *a = calloc(1, sizeof *a);

	if (!a)
		return PU_ENOMEM;
	*a = (struct pu_audit){ .loop = loop, .events = events, .arg = arg,
				.sink = sink ? sink : to_stderr };
	a->listener = (struct pu_event_listener){ .on_event = on_event, .arg = a };
	pu_events_add(events, &a->listener);
	*pa = a;
	return 0;
}

void pu_audit_free(struct pu_audit *a)
{
	if (!a)
		return;
	pu_events_remove(a->events, &a->listener);
	free(a);
}
