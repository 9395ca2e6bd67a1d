/* GET /v1/events: what happens, as server-sent events. What was told last stays in a ring that
 * all streams read from, each at its own place: a client that comes back with Last-Event-ID
 * finds what it missed, and a slow one falls out at the end and hears how much it lost. */
#include <ctype.h>
#include <microhttpd.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/rfc3339.h"
#include "daemon/api_internal.h"
#include "daemon/json_line.h"
#include "daemon/json_text.h"

enum {
	STREAMS_MAX = 16,
	RING_LEN = 256,
	KEEP_ALIVE_S = 15,
	LOST_MAX = 96, /* bytes of "event: lost" */
};

struct told {
	enum pu_event_kind kind;
	char *text;
};

struct stream {
	struct pu_list node;
	struct pu_api_streams *owner;
	struct pu_http_request *rq;
	unsigned kinds;          /* one bit per kind */
	uint64_t next;           /* event to be shown next */
	uint64_t n_lost;         /* that would have been shown */
	char *out;               /* being sent */
	size_t len, sent;
	bool keep_alive;         /* silent for long */
};

struct pu_api_streams {
	struct pu_api *api;
	struct pu_event_listener listener;
	struct told ring[RING_LEN]; /* event n at n % RING_LEN */
	uint64_t next;              /* number of the event to come, from 1 */
	struct pu_list streams;
	unsigned n_streams;
	struct pu_timer keep_alive;
	bool ending;
};

static uint64_t oldest(const struct pu_api_streams *s)
{
	return s->next > RING_LEN ? s->next - RING_LEN : 1;
}

static bool wants(const struct stream *st, enum pu_event_kind kind)
{
	return st->kinds & 1u << kind;
}

/* --- what is told ------------------------------------------------------------------ */

static json_t *event_json(const struct pu_api_streams *s, const struct pu_event *ev)
{
	char id[PU_PEERID_TEXT_MAX], when[PU_RFC3339_MAX];
	json_t *o = json_object();

	json_object_set_new(o, "kind", json_string(pu_event_kind_text(ev->kind)));
	json_object_set_new(o, "time", json_string(pu_rfc3339_text(pu_loop_unix(s->api->loop),
								   when)));
	if (ev->peer)
		json_object_set_new(o, "peer_id", json_string(pu_peerid_text(ev->peer, id)));
	if (ev->what)
		json_object_set_new(o, "what", pu_json_text(ev->what));
	if (ev->detail)
		json_object_set_new(o, "detail", pu_json_text(ev->detail));
	if (ev->n)
		json_object_set_new(o, "n", json_integer((json_int_t)ev->n));
	return o;
}

static char *event_text(const struct pu_api_streams *s, const struct pu_event *ev)
{
	json_t *o = event_json(s, ev);
	char *data = pu_json_line(o, false, NULL), *text = NULL;

	json_decref(o);
	if (data && asprintf(&text, "id: %llu\nevent: %s\ndata: %s\n\n",
			     (unsigned long long)s->next, pu_event_kind_text(ev->kind), data) < 0)
		text = NULL;
	free(data);
	return text;
}

/* The oldest event makes room; who has not seen it yet never will. */
static void make_room(struct pu_api_streams *s)
{
	struct told *t = &s->ring[s->next % RING_LEN];

	if (s->next <= RING_LEN)
		return;
	PU_LIST_FOREACH (it, tmp, &s->streams) {
		struct stream *st = PU_CONTAINER_OF(it, struct stream, node);

		if (st->next > oldest(s))
			continue;
		st->n_lost += wants(st, t->kind);
		st->next = oldest(s) + 1;
	}
	free(t->text);
	t->text = NULL;
}

static void on_event(void *arg, const struct pu_event *ev)
{
	struct pu_api_streams *s = arg;
	char *text;

	/* A list of requests is nobody's business but the audit log's, and reading it would
	 * add to it. */
	if (ev->kind == PU_EVENT_API_ACCESS)
		return;
	text = event_text(s, ev);
	make_room(s);
	s->ring[s->next % RING_LEN] = (struct told){ ev->kind, text };
	s->next++;
	PU_LIST_FOREACH (it, tmp, &s->streams) {
		struct stream *st = PU_CONTAINER_OF(it, struct stream, node);

		if (wants(st, ev->kind))
			pu_http_wake(st->rq);
	}
}

/* --- one stream -------------------------------------------------------------------- */

static void put(struct stream *st, char *text)
{
	free(st->out);
	st->out = text;
	st->len = text ? strlen(text) : 0;
	st->sent = 0;
	st->keep_alive = false;
}

static void put_lost(struct stream *st)
{
	char text[LOST_MAX];

	snprintf(text, sizeof text, "event: lost\ndata: {\"kind\":\"lost\",\"n\":%llu}\n\n",
		 (unsigned long long)st->n_lost);
	st->n_lost = 0;
	put(st, strdup(text));
}

/* The next thing to say; false: nothing. */
static bool refill(struct stream *st)
{
	struct pu_api_streams *s = st->owner;

	if (st->n_lost > 0) {
		put_lost(st);
		return true;
	}
	while (st->next < s->next) {
		const struct told *t = &s->ring[st->next++ % RING_LEN];

		if (wants(st, t->kind) && t->text) {
			put(st, strdup(t->text));
			return true;
		}
	}
	if (!st->keep_alive)
		return false;
	put(st, strdup(": keep-alive\n\n"));
	return true;
}

static size_t more(void *arg, char *out, size_t max)
{
	struct stream *st = arg;
	size_t n;

	while (st->sent == st->len)
		if (!refill(st))
			return st->owner->ending ? PU_HTTP_STREAM_END : 0;
	n = pu_min(max, st->len - st->sent);
	memcpy(out, st->out + st->sent, n);
	st->sent += n;
	return n;
}

static void on_keep_alive(void *arg)
{
	struct pu_api_streams *s = arg;

	PU_LIST_FOREACH (it, tmp, &s->streams) {
		struct stream *st = PU_CONTAINER_OF(it, struct stream, node);

		st->keep_alive = true;
		pu_http_wake(st->rq);
	}
	if (s->n_streams > 0)
		pu_timer_set(&s->keep_alive, pu_loop_now(s->api->loop) + PU_SEC(KEEP_ALIVE_S));
}

static void on_gone(void *arg)
{
	struct stream *st = arg;

	pu_list_remove(&st->node);
	st->owner->n_streams--;
	free(st->out);
	free(st);
}

/* --- the route --------------------------------------------------------------------- */

static bool add_kind(unsigned *kinds, const char *name, size_t len)
{
	for (int k = 0; k < PU_EVENT_KINDS; k++) {
		const char *text = pu_event_kind_text((enum pu_event_kind)k);

		if (k != PU_EVENT_API_ACCESS && strlen(text) == len &&
		    memcmp(text, name, len) == 0) {
			*kinds |= 1u << k;
			return true;
		}
	}
	return false;
}

/* ?kind=a,b; all when it is missing. */
static bool take_kinds(struct pu_api_call *c, unsigned *kinds)
{
	const char *p = pu_http_query(c->rq, "kind");
	char quoted[PU_API_QUOTE_MAX];

	*kinds = p ? 0 : ~0u;
	for (size_t n; p; p = p[n] ? p + n + 1 : NULL) {
		n = strcspn(p, ",");
		if (add_kind(kinds, p, n))
			continue;
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST, "there is no event kind in %s",
				   pu_api_quote(p, quoted));
		return false;
	}
	return true;
}

/* Where a client that was here before goes on. Numbers of a former run of the daemon may be
 * larger than ours: then everything is new. */
static void resume_after(struct stream *st, const char *last)
{
	const struct pu_api_streams *s = st->owner;
	uint64_t id = 0;

	st->next = s->next;
	if (!last || !isdigit((unsigned char)*last) || strlen(last) > 18)
		return;
	id = strtoull(last, NULL, 10);
	st->next = id < s->next ? id + 1 : oldest(s);
	if (st->next >= oldest(s))
		return;
	st->n_lost = oldest(s) - st->next;
	st->next = oldest(s);
}

static struct stream *stream_new(struct pu_api_call *c, unsigned kinds)
{
	struct stream *st = calloc(1, sizeof *st);

	if (!st)
		return NULL;
	st->owner = c->api->streams;
	st->rq = c->rq;
	st->kinds = kinds;
	resume_after(st, pu_http_header(c->rq, "Last-Event-ID"));
	/* The client sees at once that it is connected. */
	put(st, strdup("retry: 2000\n\n"));
	pu_list_append(&st->owner->streams, &st->node);
	st->owner->n_streams++;
	return st;
}

void pu_api_get_events(struct pu_api_call *c)
{
	struct pu_api_streams *s = c->api->streams;
	struct stream *st;
	unsigned kinds;

	if (!take_kinds(c, &kinds))
		return;
	if (s->n_streams >= STREAMS_MAX) {
		pu_api_reply_error(c->rq, MHD_HTTP_SERVICE_UNAVAILABLE,
				   "too many event streams, at most %d", STREAMS_MAX);
		return;
	}
	st = stream_new(c, kinds);
	if (!st) {
		pu_api_reply_text(c->rq, NULL, 0);
		return;
	}
	pu_http_add_header(c->rq, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	pu_http_on_gone(c->rq, on_gone, st);
	if (!pu_timer_active(&s->keep_alive))
		pu_timer_set(&s->keep_alive, pu_loop_now(c->api->loop) + PU_SEC(KEEP_ALIVE_S));
	if (pu_http_respond_stream(c->rq, "text/event-stream", more, st) == 0)
		return;
	on_gone(st);
	pu_api_reply_text(c->rq, NULL, 0);
}

/* --- life -------------------------------------------------------------------------- */

int pu_api_streams_start(struct pu_api *api)
{
	struct pu_api_streams *s = calloc(1, sizeof *s);

	if (!s)
		return PU_ENOMEM;
	s->api = api;
	s->next = 1;
	s->listener = (struct pu_event_listener){ .on_event = on_event, .arg = s };
	pu_list_init(&s->streams);
	pu_timer_init(&s->keep_alive, api->loop, on_keep_alive, s);
	if (api->events)
		pu_events_add(api->events, &s->listener);
	api->streams = s;
	return 0;
}

void pu_api_streams_stop(struct pu_api *api)
{
	struct pu_api_streams *s = api->streams;

	if (!s || s->ending)
		return;
	s->ending = true;
	pu_timer_stop(&s->keep_alive);
	if (api->events)
		pu_events_remove(api->events, &s->listener);
	PU_LIST_FOREACH (it, tmp, &s->streams)
		pu_http_wake(PU_CONTAINER_OF(it, struct stream, node)->rq);
}

void pu_api_streams_free(struct pu_api *api)
{
	struct pu_api_streams *s = api->streams;

	for (size_t i = 0; s && i < RING_LEN; i++)
		free(s->ring[i].text);
	free(s);
	api->streams = NULL;
}
