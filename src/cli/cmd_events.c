/* events: what happens in the running daemon, one line each. */
#include <time.h>

#include "base/err.h"
#include "cli/client.h"
#include "cli/out.h"
#include "daemon/ask_stream.h"
#include "daemon/event.h"

/* Requests to the daemon are not in its stream: reading it would add to it. */
static bool is_kind(const char *text)
{
	for (int k = 0; k < PU_EVENT_KINDS; k++)
		if (k != PU_EVENT_API_ACCESS &&
		    strcmp(text, pu_event_kind_text((enum pu_event_kind)k)) == 0)
			return true;
	return false;
}

/* "/v1/events?kind=a,b" */
static int make_path(struct pu_cli *c, char *path, size_t cap)
{
	size_t len = (size_t)snprintf(path, cap, "/v1/events");
	const char *kind;

	for (int n = 0; (kind = pu_cli_flag(c, "kind", n)); n++) {
		if (!is_kind(kind))
			return pu_cli_misuse(c, "--kind", "no event is called %s", kind);
		len += (size_t)snprintf(path + len, cap - len, "%s%s", n ? "," : "?kind=", kind);
		if (len >= cap)
			return pu_cli_misuse(c, "--kind", "too many kinds");
	}
	return 0;
}

/* "key=value" for everything that an event has to say beyond its kind and time. */
static void print_members(const json_t *o)
{
	char clean[512];
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)o, key, v) {
		if (strcmp(key, "kind") == 0 || strcmp(key, "time") == 0)
			continue;
		printf(" %s=", pu_out_clean(key, clean, sizeof clean));
		if (json_is_string(v))
			fputs(pu_out_clean(json_string_value(v), clean, sizeof clean), stdout);
		else if (json_is_integer(v))
			printf("%lld", (long long)json_integer_value(v));
		else
			json_dumpf(v, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
	}
}

static void print_event(const struct pu_cli *c, const struct pu_ask_event *ev)
{
	json_t *o = json_loads(ev->data, JSON_DECODE_ANY, NULL);
	const char *when = json_string_value(json_object_get(o, "time"));
	char clean[512], kind[PU_ASK_KIND_MAX], now[32];
	time_t t = time(NULL);
	struct tm tm;

	if (!when && strftime(now, sizeof now, "%FT%TZ", gmtime_r(&t, &tm)))
		when = now;
	printf("%s%s%s %s%s%s", pu_out_on(c, PU_OUT_FAINT), pu_out_clean(when, clean, sizeof clean),
	       pu_out_off(c), pu_out_on(c, PU_OUT_BOLD),
	       pu_out_clean(ev->kind, kind, sizeof kind), pu_out_off(c));
	print_members(o);
	putchar('\n');
	json_decref(o);
}

static int print_json_event(const struct pu_ask_event *ev)
{
	json_t *o = json_loads(ev->data, 0, NULL);

	if (!o)
		o = json_object();
	if (!json_object_get(o, "kind"))
		json_object_set_new(o, "kind", json_string(ev->kind));
	return pu_out_json(o);
}

static int follow(struct pu_cli *c, struct pu_ask_stream *s)
{
	struct pu_ask_event ev;
	int r = 0;

	while (r == 0) {
		r = pu_ask_stream_next(s, -1, &ev);
		if (r < 0)
			continue;
		if (c->json)
			r = print_json_event(&ev);
		else
			print_event(c, &ev);
		if (fflush(stdout) != 0)
			r = PU_CLI_FAILED; /* the reader is gone */
	}
	if (r == PU_EEOF)
		return pu_cli_fail(c, "daemon", NULL, "it has ended");
	return r < 0 ? pu_cli_fail(c, "daemon", NULL, "%s", pu_err_text(r)) : r;
}

int pu_cmd_events(struct pu_cli *c)
{
	struct pu_ask_stream *s;
	struct pu_ask_target to;
	struct pu_paths paths;
	char path[PU_ASK_PATH_MAX];
	int r = make_path(c, path, sizeof path);

	if (r == 0)
		r = pu_client_find_paths(c, &paths);
	if (r)
		return r;
	to = pu_client_target(&paths);
	if (pu_ask_stream_open(&to, path, &s, NULL, &c->why) < 0)
		return PU_CLI_FAILED;
	r = follow(c, s);
	pu_ask_stream_free(s);
	return r;
}
