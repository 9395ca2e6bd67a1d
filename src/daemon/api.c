#include "daemon/api_internal.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/err.h"
#include "daemon/json_line.h"
#include "daemon/json_text.h"
#include "daemon/sock.h"

enum {
	COOKIE_BYTES = 32,
	SHUTDOWN_DELAY_MS = 100,
	ALLOW_MAX = 128,
};

/* The route table. {…} matches one segment; text: the route has a text form. */
const struct pu_api_route pu_api_routes[] = {
	{ "GET", "/v1/status", true, false, pu_api_get_status },
	{ "GET", "/v1/metrics", true, false, pu_api_get_metrics },
	{ "GET", "/v1/services", true, false, pu_api_get_services },
	{ "GET", "/v1/peers", true, false, pu_api_get_peers },
	{ "GET", "/v1/peers/{peer}/services", true, false, pu_api_get_peer_services },
	{ "GET", "/v1/auth", true, false, pu_api_get_auth },
	{ "POST", "/v1/auth", false, true, pu_api_post_auth },
	{ "DELETE", "/v1/auth/{peer_id}", false, false, pu_api_delete_auth },
	{ "GET", "/v1/paths", true, false, pu_api_get_paths },
	{ "GET", "/v1/why/{peer}", false, false, pu_api_get_why },
	{ "GET", "/v1/invites", false, false, pu_api_get_invites },
	{ "POST", "/v1/invites", false, true, pu_api_post_invite },
	{ "GET", "/v1/invites/{id}", false, false, pu_api_get_invite },
	{ "DELETE", "/v1/invites/{id}", false, false, pu_api_delete_invite },
	{ "POST", "/v1/join", false, true, pu_api_post_join },
	{ "GET", "/v1/vpn", true, false, pu_api_get_vpn },
	{ "GET", "/v1/events", false, false, pu_api_get_events },
	{ "POST", "/v1/traceroute", true, true, pu_api_post_trace },
	{ "POST", "/v1/ping", true, true, pu_api_post_ping },
	{ "POST", "/v1/wake", false, true, pu_api_post_wake },
	{ "POST", "/v1/resolve", true, true, pu_api_post_resolve },
	{ "GET", "/v1/connect", true, false, pu_api_get_connect },
	{ "POST", "/v1/connect", false, true, pu_api_post_connect },
	{ "DELETE", "/v1/connect/{id}", false, false, pu_api_delete_connect },
	{ "POST", "/v1/expose", false, true, pu_api_post_expose },
	{ "DELETE", "/v1/expose/{name}", false, false, pu_api_delete_expose },
	{ "POST", "/v1/reload", false, false, pu_api_post_reload },
	{ "POST", "/v1/shutdown", false, false, pu_api_post_shutdown },
};
const size_t pu_api_n_routes = PU_ARRAY_LEN(pu_api_routes);

static void respond_json(struct pu_http_request *rq, unsigned status, PU_TAKES json_t *envelope)
{
	static const char lost[] = "{\"error\":\"out of memory\"}\n";
	size_t len;
	char *line = pu_json_line(envelope, true, &len);

	json_decref(envelope);
	if (!line) {
		status = MHD_HTTP_INTERNAL_SERVER_ERROR;
		line = strdup(lost);
		len = sizeof lost - 1;
	}
	pu_http_respond(rq, status, "application/json", line, line ? len : 0);
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

void pu_api_reply_failure(struct pu_http_request *rq, unsigned status,
			  const struct pu_failure *why)
{
	pu_api_reply_error(rq, status, "%s%s%s", why->what, why->what[0] ? ": " : "", why->why);
}

void pu_api_reply_text(struct pu_http_request *rq, char *text, size_t len)
{
	if (!text)
		respond_json(rq, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
	else
		pu_http_respond(rq, MHD_HTTP_OK, "text/plain", text, len);
}

/* What Go's HTTP server says about requests that lead nowhere. */
static void reply_plain(struct pu_http_request *rq, unsigned status, const char *text)
{
	char *copy = strdup(text);

	pu_http_add_header(rq, "X-Content-Type-Options", "nosniff");
	pu_http_respond(rq, status, "text/plain; charset=utf-8", copy, copy ? strlen(copy) : 0);
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

	return (format && strcmp(format, "text") == 0) || (accept && strstr(accept, "text/plain"));
}

static void call_route(const struct pu_api_route *r, struct pu_api_call *c)
{
	c->text = r->text && wants_text(c->rq);
	if (r->body) {
		c->body = pu_api_body_parse(pu_http_body(c->rq));
		if (!c->body) {
			pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST, "invalid request body");
			return;
		}
	}
	r->handler(c);
	json_decref(c->body);
}

/* HEAD is GET without its body, which libmicrohttpd leaves out. */
static bool same_method(const struct pu_api_route *r, const char *method)
{
	return strcmp(r->method, method) == 0 ||
	       (strcmp(r->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static void reply_not_allowed(struct pu_http_request *rq)
{
	static const char *const methods[] = { "DELETE", "GET", "HEAD", "POST" };
	char param[PU_API_PARAM_MAX], allow[ALLOW_MAX] = "";
	size_t n = 0;

	for (size_t m = 0; m < PU_ARRAY_LEN(methods); m++) {
		bool found = false;

		for (size_t i = 0; i < pu_api_n_routes && !found; i++)
			found = same_method(&pu_api_routes[i], methods[m]) &&
				match(pu_api_routes[i].pattern, pu_http_path(rq), param);
		if (found)
			n += (size_t)snprintf(allow + n, sizeof allow - n, "%s%s", n ? ", " : "",
					      methods[m]);
	}
	pu_http_add_header(rq, MHD_HTTP_HEADER_ALLOW, allow);
	reply_plain(rq, MHD_HTTP_METHOD_NOT_ALLOWED, "Method Not Allowed\n");
}

/* "/v1/auth/{peer}" → "/v1/auth/:id": no ID gets into logs, nor makes series of its own. */
static void label_of(const char *path, char out[PU_API_PARAM_MAX])
{
	char param[PU_API_PARAM_MAX];
	const char *brace;

	snprintf(out, PU_API_PARAM_MAX, "unknown");
	for (size_t i = 0; i < pu_api_n_routes; i++) {
		const char *p = pu_api_routes[i].pattern;

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
	bool known = false;

	if (c.api->stopping) {
		pu_api_reply_error(rq, MHD_HTTP_SERVICE_UNAVAILABLE, "the daemon is stopping");
		return;
	}
	for (size_t i = 0; i < pu_api_n_routes; i++) {
		if (!match(pu_api_routes[i].pattern, pu_http_path(rq), c.param))
			continue;
		known = true;
		if (same_method(&pu_api_routes[i], pu_http_method(rq))) {
			call_route(&pu_api_routes[i], &c);
			return;
		}
	}
	if (known)
		reply_not_allowed(rq);
	else
		reply_plain(rq, MHD_HTTP_NOT_FOUND, "404 page not found\n");
}

void pu_api_post_resolve(struct pu_api_call *c)
{
	const char *name = pu_api_body_need(c, "name");
	char id[PU_PEERID_TEXT_MAX], quoted[PU_API_QUOTE_MAX], *text = NULL;
	const char *source;
	struct pu_peerid peer;
	bool from_id;
	size_t len = 0;
	FILE *f;

	if (!name) {
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST, "name is required");
		return;
	}
	if (c->api->ops->resolve(c->api->ops_arg, name, &peer, &from_id) < 0) {
		pu_api_reply_error(c->rq, MHD_HTTP_NOT_FOUND,
				   "cannot resolve %s: name not found: %.*s",
				   pu_api_quote(name, quoted), PU_API_QUOTED, name);
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
		pu_api_reply_failure(c->rq, MHD_HTTP_INTERNAL_SERVER_ERROR, &why);
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
	pu_api_streams_free(api);
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
	pu_list_init(&api->pings);
	pu_list_init(&api->traces);
	pu_list_init(&api->wakes);
	pu_list_init(&api->pairings);
	pu_list_init(&api->connects);
	api->events = opt->events;
	api->metrics = opt->metrics;
	pu_timer_init(&api->shutdown_timer, api->loop, on_shutdown_timer, api);
	api->version = strdup(opt->version);
	api->socket_path = strdup(opt->socket_path);
	api->cookie_path = strdup(opt->cookie_path);
	if (api->version && api->socket_path && api->cookie_path &&
	    pu_api_streams_start(api) == 0)
		r = open_socket(api, opt, why);
	else
		r = pu_failure_set(why, PU_ENOMEM, "API", NULL, "%s", pu_err_text(PU_ENOMEM));
	if (r < 0) {
		pu_api_streams_stop(api);
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
	api->stopping = true;
	unlink(api->socket_path);
	unlink(api->cookie_path);
	pu_timer_stop(&api->shutdown_timer);
	pu_api_streams_stop(api);
	pu_http_stop(api->http);
	pu_api_pings_drop(api);
	pu_api_traces_drop(api);
	pu_api_wakes_drop(api);
	pu_api_pairings_drop(api);
	pu_api_connects_drop(api);
	free_api(api);
}
