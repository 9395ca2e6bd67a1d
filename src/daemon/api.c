#include "daemon/api_internal.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/err.h"
#include "daemon/json_text.h"
#include "daemon/sock.h"

enum {
	COOKIE_BYTES = 32,
	BODY_DEPTH = 8,
	SHUTDOWN_DELAY_MS = 100,
	/* Enough digits for microseconds of a day in milliseconds. */
	REAL_DIGITS = 12,
};

/* The route table. {…} matches one segment; text: the route has a text form. */
static const struct route {
	const char *method, *pattern;
	bool text, body;
	pu_api_handler_fn *handler;
} routes[] = {
	{ "GET", "/v1/status", true, false, pu_api_get_status },
	{ "GET", "/v1/peers", true, false, pu_api_get_peers },
	{ "GET", "/v1/paths", true, false, pu_api_get_paths },
	{ "GET", "/v1/why/{peer}", false, false, pu_api_get_why },
	{ "GET", "/v1/invites", false, false, pu_api_get_invites },
	{ "POST", "/v1/invites", false, true, pu_api_post_invite },
	{ "GET", "/v1/invites/{id}", false, false, pu_api_get_invite },
	{ "DELETE", "/v1/invites/{id}", false, false, pu_api_delete_invite },
	{ "POST", "/v1/join", false, true, pu_api_post_join },
	{ "POST", "/v1/traceroute", true, true, pu_api_post_trace },
	{ "POST", "/v1/ping", true, true, pu_api_post_ping },
	{ "POST", "/v1/resolve", true, true, pu_api_post_resolve },
	{ "POST", "/v1/reload", false, false, pu_api_post_reload },
	{ "POST", "/v1/shutdown", false, false, pu_api_post_shutdown },
};

static void respond_json(struct pu_http_request *rq, unsigned status, json_t *envelope)
{
	static const char lost[] = "{\"error\":\"out of memory\"}\n";
	char *s = envelope ? json_dumps(envelope, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS)) :
			     NULL;
	size_t n = s ? strlen(s) : 0;
	char *line = s ? realloc(s, n + 2) : NULL;

	json_decref(envelope);
	if (!line) {
		free(s);
		line = strdup(lost);
		pu_http_respond(rq, MHD_HTTP_INTERNAL_SERVER_ERROR, "application/json", line,
				line ? sizeof lost - 1 : 0);
		return;
	}
	memcpy(line + n, "\n", 2);
	pu_http_respond(rq, status, "application/json", line, n + 1);
}

void pu_api_reply(struct pu_http_request *rq, unsigned status, json_t *data)
{
	respond_json(rq, status, json_pack("{s:o}", "data", data));
}

void pu_api_reply_error(struct pu_http_request *rq, unsigned status, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	respond_json(rq, status, json_pack("{s:o}", "error", pu_json_text(text)));
}

void pu_api_reply_text(struct pu_http_request *rq, char *text, size_t len)
{
	if (!text)
		respond_json(rq, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
	else
		pu_http_respond(rq, MHD_HTTP_OK, "text/plain", text, len);
}

static void reply_plain(struct pu_http_request *rq, unsigned status, const char *text)
{
	char *copy = strdup(text);

	pu_http_respond(rq, status, "text/plain; charset=utf-8", copy, copy ? strlen(copy) : 0);
}

const char *pu_api_body_string(const struct pu_api_call *c, const char *key)
{
	return json_string_value(json_object_get(c->body, key));
}

bool pu_api_body_peer(const struct pu_api_call *c, const char *key, struct pu_peerid *peer,
		      const char **ptext)
{
	const char *text = pu_api_body_string(c, key);
	bool from_id;

	if (!text || !*text) {
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST, "%s is required", key);
		return false;
	}
	if (c->api->ops->resolve(c->api->ops_arg, text, peer, &from_id) < 0) {
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST,
				   "cannot resolve peer \"%s\": name not found: %s", text, text);
		return false;
	}
	*ptext = text;
	return true;
}

double pu_api_ms(pu_time t)
{
	return (double)(t / 1000) / 1000.0;
}

/* Matches path against pattern; the text of {…} goes to param. */
static bool match(const char *pattern, const char *path, char param[PU_API_PARAM_MAX])
{
	while (*pattern) {
		if (*pattern == '{') {
			size_t n = strcspn(path, "/");

			if (n == 0 || n >= PU_API_PARAM_MAX)
				return false;
			memcpy(param, path, n);
			param[n] = '\0';
			path += n;
			pattern += strcspn(pattern, "}") + 1;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return *path == '\0';
}

static bool wants_text(const struct pu_http_request *rq)
{
	const char *format = pu_http_query(rq, "format");
	const char *accept = pu_http_header(rq, MHD_HTTP_HEADER_ACCEPT);

	if (format)
		return strcmp(format, "text") == 0;
	return accept && strstr(accept, "text/plain");
}

static json_t *parse_body(const struct pu_http_request *rq)
{
	struct pu_bytes b = pu_http_body(rq);
	json_error_t err;
	json_t *v;
	unsigned depth = 0, max = 0;

	/* jansson's own depth limit is 2048 frames deep: ours are flat objects. */
	for (size_t i = 0; i < b.len; i++) {
		if (b.p[i] == '{' || b.p[i] == '[')
			max = ++depth > max ? depth : max;
		else if ((b.p[i] == '}' || b.p[i] == ']') && depth > 0)
			depth--;
	}
	if (max > BODY_DEPTH)
		return NULL;
	v = json_loadb((const char *)b.p, b.len, JSON_REJECT_DUPLICATES, &err);
	if (v && !json_is_object(v)) {
		json_decref(v);
		v = NULL;
	}
	return v;
}

static void call_route(struct pu_api *api, const struct route *r, struct pu_api_call *c)
{
	c->text = r->text && wants_text(c->rq);
	if (r->body) {
		c->body = parse_body(c->rq);
		if (!c->body) {
			pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST, "invalid request body");
			return;
		}
	}
	r->handler(c);
	json_decref(c->body);
}

/* "/v1/auth/{peer}" → "/v1/auth/:id": no ID gets into logs, nor makes series of its own. */
static void label_of(const char *path, char out[PU_API_PARAM_MAX])
{
	char param[PU_API_PARAM_MAX];
	const char *brace;

	snprintf(out, PU_API_PARAM_MAX, "unknown");
	for (size_t i = 0; i < PU_ARRAY_LEN(routes); i++) {
		const char *p = routes[i].pattern;

		if (!match(p, path, param))
			continue;
		brace = strchr(p, '{');
		if (!brace)
			snprintf(out, PU_API_PARAM_MAX, "%s", p);
		else
			snprintf(out, PU_API_PARAM_MAX, "%.*s:id%s", (int)(brace - p), p,
				 strchr(p, '}') + 1);
		return;
	}
}

static void on_answered(void *arg, const struct pu_http_request *rq, unsigned status, pu_time took)
{
	struct pu_api *api = arg;
	char label[PU_API_PARAM_MAX];

	if (!api->events)
		return;
	label_of(pu_http_path(rq), label);
	pu_events_tell(api->events, &(struct pu_event){
		.kind = PU_EVENT_API_ACCESS, .what = pu_http_method(rq), .detail = label,
		.n = status, .duration_us = took / 1000 });
}

static void on_request(void *arg, struct pu_http_request *rq)
{
	struct pu_api_call c = { .api = arg, .rq = rq };
	const char *method = pu_http_method(rq);
	bool known = false;

	for (size_t i = 0; i < PU_ARRAY_LEN(routes); i++) {
		if (!match(routes[i].pattern, pu_http_path(rq), c.param))
			continue;
		known = true;
		if (strcmp(routes[i].method, method) == 0) {
			call_route(c.api, &routes[i], &c);
			return;
		}
	}
	if (known)
		reply_plain(rq, MHD_HTTP_METHOD_NOT_ALLOWED, "Method Not Allowed\n");
	else
		reply_plain(rq, MHD_HTTP_NOT_FOUND, "404 page not found\n");
}

void pu_api_post_resolve(struct pu_api_call *c)
{
	const char *name = pu_api_body_string(c, "name");
	char id[PU_PEERID_TEXT_MAX], *text = NULL;
	const char *source;
	struct pu_peerid peer;
	bool from_id;
	size_t len = 0;
	FILE *f;

	if (!name || !*name) {
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST, "name is required");
		return;
	}
	if (c->api->ops->resolve(c->api->ops_arg, name, &peer, &from_id) < 0) {
		pu_api_reply_error(c->rq, MHD_HTTP_NOT_FOUND, "name not found: %s", name);
		return;
	}
	pu_peerid_text(&peer, id);
	source = from_id ? "peer_id" : "local_config";
	if (!c->text) {
		pu_api_reply(c->rq, MHD_HTTP_OK,
			     json_pack("{s:s, s:s, s:s}", "name", name, "peer_id", id, "source",
				       source));
		return;
	}
	f = open_memstream(&text, &len);
	if (f) {
		fprintf(f, "%s \u2192 %s (source: %s)\n", name, id, source);
		fclose(f);
	}
	pu_api_reply_text(c->rq, text, len);
}

void pu_api_post_reload(struct pu_api_call *c)
{
	struct pu_failure why = { .what = "" };

	if (c->api->ops->reload(c->api->ops_arg, &why) < 0)
		pu_api_reply_error(c->rq, MHD_HTTP_INTERNAL_SERVER_ERROR, "%s%s%s", why.what,
				   why.what[0] ? ": " : "", why.why);
	else
		pu_api_reply(c->rq, MHD_HTTP_OK, json_pack("{s:s}", "status", "reloaded"));
}

static void on_shutdown_timer(void *arg)
{
	struct pu_api *api = arg;

	api->ops->shutdown(api->ops_arg);
}

void pu_api_post_shutdown(struct pu_api_call *c)
{
	struct pu_timer *t = &c->api->shutdown_timer;

	if (!pu_timer_active(t))
		pu_timer_set(t, pu_loop_now(c->api->loop) + PU_MS(SHUTDOWN_DELAY_MS));
	pu_api_reply(c->rq, MHD_HTTP_OK, json_pack("{s:s}", "status", "shutting down"));
}

static int write_cookie(struct pu_api *api, const struct pu_file_owner *owner,
			char cookie[2 * COOKIE_BYTES + 1], struct pu_failure *why)
{
	uint8_t secret[COOKIE_BYTES];
	int r;

	pu_loop_random(api->loop, secret, sizeof secret);
	pu_hex_encode(pu_bytes(secret, sizeof secret), cookie, 2 * COOKIE_BYTES + 1);
	explicit_bzero(secret, sizeof secret);
	r = pu_file_replace(api->cookie_path, pu_bytes_str(cookie), 0600, owner);
	if (r < 0)
		return pu_failure_set(why, r, api->cookie_path, NULL, "%s", pu_err_text(r));
	return 0;
}

static const char unauthorized[] =
	"{\"error\":\"unauthorized: invalid or missing auth token\"}\n";

static int open_socket(struct pu_api *api, const struct pu_api_options *opt,
		       struct pu_failure *why)
{
	char cookie[2 * COOKIE_BYTES + 1];
	struct pu_http_options http = {
		.loop = api->loop, .token = cookie, .handler = on_request, .arg = api,
		.unauthorized_body = unauthorized, .on_answered = on_answered,
	};
	int r = pu_sock_listen(opt->socket_path, &opt->owner, &http.listen_fd, why);

	if (r < 0)
		return r;
	r = write_cookie(api, &opt->owner, cookie, why);
	if (r < 0) {
		close(http.listen_fd);
		unlink(opt->socket_path);
		return r;
	}
	r = pu_http_start(&http, &api->http);
	explicit_bzero(cookie, sizeof cookie);
	if (r < 0) {
		unlink(opt->socket_path);
		unlink(opt->cookie_path);
		return pu_failure_set(why, r, opt->socket_path, NULL, "%s", pu_err_text(r));
	}
	return 0;
}

static void free_api(struct pu_api *api)
{
	free(api->version);
	free(api->socket_path);
	free(api->cookie_path);
	free(api);
}

int pu_api_start(const struct pu_api_options *opt, struct pu_api **papi, struct pu_failure *why)
{
	struct pu_api *api = calloc(1, sizeof *api);
	int r;

	if (!api)
		return pu_failure_set(why, PU_ENOMEM, "API", NULL, "%s", pu_err_text(PU_ENOMEM));
	api->loop = opt->loop;
	api->ops = opt->ops;
	api->ops_arg = opt->ops_arg;
	api->events = opt->events;
	pu_list_init(&api->pings);
	pu_list_init(&api->traces);
	pu_list_init(&api->pairings);
	pu_timer_init(&api->shutdown_timer, api->loop, on_shutdown_timer, api);
	api->version = strdup(opt->version);
	api->socket_path = strdup(opt->socket_path);
	api->cookie_path = strdup(opt->cookie_path);
	if (api->version && api->socket_path && api->cookie_path)
		r = open_socket(api, opt, why);
	else
		r = pu_failure_set(why, PU_ENOMEM, "API", NULL, "%s", pu_err_text(PU_ENOMEM));
	if (r < 0) {
		free_api(api);
		return r;
	}
	*papi = api;
	return 0;
}

void pu_api_stop(struct pu_api *api)
{
	if (!api)
		return;
	/* First nobody can find us, then nobody is served. */
	unlink(api->socket_path);
	unlink(api->cookie_path);
	pu_timer_stop(&api->shutdown_timer);
	pu_http_stop(api->http);
	pu_api_pings_drop(api);
	pu_api_traces_drop(api);
	pu_api_pairings_drop(api);
	free_api(api);
}
