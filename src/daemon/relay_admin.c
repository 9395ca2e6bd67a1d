#include "daemon/relay_admin.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/err.h"
#include "base/rfc3339.h"
#include "daemon/http.h"
#include "daemon/json_text.h"
#include "daemon/sock.h"

enum { COOKIE_BYTES = 32, ERROR_MAX = 1280 };

static const char route[] = "/v1/pair";

struct pu_relay_admin {
	struct pu_relay_server *server;
	struct pu_http *http;
	char socket_path[PU_RELAY_ADMIN_PATH_MAX], cookie_path[PU_RELAY_ADMIN_PATH_MAX];
};

/* Answers. */

static void reply(struct pu_http_request *rq, unsigned status, PU_TAKES json_t *o)
{
	char *s = o ? json_dumps(o, JSON_COMPACT) : NULL, *line = NULL;
	int n = s ? asprintf(&line, "%s\n", s) : -1;

	if (s)
		explicit_bzero(s, strlen(s)); /* may hold codes */
	free(s);
	json_decref(o);
	if (n < 0)
		pu_http_respond(rq, 500, "application/json", NULL, 0);
	else
		pu_http_respond(rq, status, "application/json", line, (size_t)n);
}

static void reply_error(struct pu_http_request *rq, unsigned status, const char *fmt, ...)
{
	char text[ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	reply(rq, status, json_pack("{s:o}", "error", pu_json_text(text)));
}

static void reply_plain(struct pu_http_request *rq, unsigned status, const char *text)
{
	char *copy = strdup(text);

	pu_http_respond(rq, status, "text/plain; charset=utf-8", copy, copy ? strlen(copy) : 0);
}

/* POST /v1/pair */

/* A whole number, or what was there before when there is none. False: something else. */
static bool take_int(const json_t *body, const char *key, json_int_t *v)
{
	const json_t *j = json_object_get(body, key);

	if (j && !json_is_null(j) && !json_is_integer(j))
		return false;
	if (json_is_integer(j))
		*v = json_integer_value(j);
	return true;
}

static bool take_text(const json_t *body, const char *key, const char **v)
{
	const json_t *j = json_object_get(body, key);

	if (j && !json_is_null(j) && !json_is_string(j))
		return false;
	if (json_is_string(j))
		*v = json_string_value(j);
	return true;
}

struct wish {
	json_int_t count, ttl, expires;
	const char *network;
};

static bool read_wish(const json_t *body, struct wish *w)
{
	return (json_is_object(body) || json_is_null(body)) && take_int(body, "count", &w->count) &&
	       take_int(body, "ttl_seconds", &w->ttl) &&
	       take_int(body, "expires_seconds", &w->expires) &&
	       take_text(body, "namespace", &w->network);
}

static json_t *made(const struct pu_group *g, char (*codes)[PU_CODE_TEXT_MAX + 1])
{
	json_t *list = json_array();
	char when[PU_RFC3339_MAX];

	for (unsigned i = 0; i < g->n; i++)
		json_array_append_new(list, json_string(codes[i]));
	return json_pack("{s:s, s:o, s:s}", "group_id", g->id, "codes", list, "expires_at",
			 pu_rfc3339_text(g->expires, when));
}

static void make(struct pu_relay_admin *a, struct pu_http_request *rq,
		 const struct pu_relay_pairing_order *o)
{
	char (*codes)[PU_CODE_TEXT_MAX + 1] = calloc(o->n, sizeof *codes);
	struct pu_failure why = { .what = "" };
	struct pu_group *g;
	int r = codes ? pu_relay_pairing_make(a->server->pairing, o, &g, codes, &why) : PU_ENOMEM;

	if (r == 0)
		reply(rq, 200, made(g, codes));
	else if (r == PU_EINVAL)
		reply_error(rq, 400, "invalid namespace");
	else if (r == PU_ENOENT)
		reply_error(rq, 500, "failed to encode code: %s", why.why);
	else
		reply_error(rq, 500, "failed to create group: %s", pu_err_text(r));
	if (codes)
		explicit_bzero(codes, o->n * sizeof *codes);
	free(codes);
}

static void post(struct pu_relay_admin *a, struct pu_http_request *rq)
{
	struct pu_bytes b = pu_http_body(rq);
	struct wish w = { .network = "" };
	/* As in Go: so much is read, and of that the first value. */
	json_t *body = json_loadb((const char *)b.p, pu_min(b.len, PU_RELAY_ADMIN_BODY_MAX),
				  JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, NULL);

	if (!body || !read_wish(body, &w))
		reply_error(rq, 400, "invalid request body");
	else if (w.count > PU_GROUP_CODES_MAX)
		reply_error(rq, 400, "count exceeds maximum (%d)", PU_GROUP_CODES_MAX);
	else if (w.ttl > PU_GROUP_TTL_MAX_S)
		reply_error(rq, 400, "ttl_seconds exceeds maximum (%d)", PU_GROUP_TTL_MAX_S);
	else if (w.expires > PU_GROUP_MEMBER_TTL_MAX_S)
		reply_error(rq, 400, "expires_seconds exceeds maximum (%lld)",
			    PU_GROUP_MEMBER_TTL_MAX_S);
	else
		make(a, rq, &(struct pu_relay_pairing_order){
				    .n = w.count < 1 ? 1 : (unsigned)w.count,
				    .ttl = w.ttl < 1 ? PU_RELAY_ADMIN_TTL_S : w.ttl,
				    .member_ttl = w.expires < 0 ? 0 : w.expires,
				    .network = w.network });
	json_decref(body);
}

/* GET /v1/pair */

static json_t *peers_of(const struct pu_group *g)
{
	json_t *list = json_array();
	char id[PU_PEERID_TEXT_MAX];

	for (unsigned i = 0; i < g->n; i++)
		if (g->slot[i].used)
			json_array_append_new(
				list, json_pack("{s:s, s:o}", "peer_id",
						pu_peerid_text(&g->slot[i].peer, id), "name",
						pu_json_text(g->slot[i].name)));
	return list;
}

static void add_group(void *arg, const struct pu_group *g)
{
	json_t *o = json_object(), *list = arg;
	char when[PU_RFC3339_MAX];

	json_object_set_new(o, "id", json_string(g->id));
	if (g->network[0])
		json_object_set_new(o, "namespace", json_string(g->network));
	json_object_set_new(o, "expires_at", json_string(pu_rfc3339_text(g->expires, when)));
	json_object_set_new(o, "total", json_integer(g->n));
	json_object_set_new(o, "used", json_integer(g->n_used));
	if (g->n_used > 0)
		json_object_set_new(o, "peers", peers_of(g));
	json_array_append_new(list, o);
}

static void get(struct pu_relay_admin *a, struct pu_http_request *rq)
{
	json_t *list = json_array();

	pu_groups_each(pu_relay_pairing_groups(a->server->pairing), add_group, list);
	reply(rq, 200, list);
}

/* DELETE /v1/pair/{id} */

static void delete(struct pu_relay_admin *a, struct pu_http_request *rq, const char *id)
{
	if (pu_groups_remove(pu_relay_pairing_groups(a->server->pairing), id) < 0)
		reply_error(rq, 404, "group not found");
	else
		reply(rq, 200, json_pack("{s:s}", "status", "revoked"));
}

static void on_request(void *arg, struct pu_http_request *rq)
{
	struct pu_relay_admin *a = arg;
	const char *method = pu_http_method(rq), *path = pu_http_path(rq), *rest;

	if (strncmp(path, route, sizeof route - 1) != 0) {
		reply_plain(rq, 404, "404 page not found\n");
		return;
	}
	rest = path + sizeof route - 1;
	if (*rest == '\0' && strcmp(method, "POST") == 0)
		post(a, rq);
	else if (*rest == '\0' && strcmp(method, "GET") == 0)
		get(a, rq);
	else if (*rest != '\0' && (rest[0] != '/' || !rest[1] || strchr(rest + 1, '/')))
		reply_plain(rq, 404, "404 page not found\n");
	else if (*rest != '\0' && strcmp(method, "DELETE") == 0)
		delete(a, rq, rest + 1);
	else
		reply_plain(rq, 405, "Method Not Allowed\n");
}

/* Life. */

int pu_relay_admin_paths(const char *config, char socket_path[PU_RELAY_ADMIN_PATH_MAX],
			 char cookie_path[PU_RELAY_ADMIN_PATH_MAX])
{
	const char *slash = strrchr(config, '/'), *dir = slash ? config : "./";
	int n = slash ? (int)(slash + 1 - config) : 2;

	if (snprintf(socket_path, PU_RELAY_ADMIN_PATH_MAX, "%.*s" PU_RELAY_ADMIN_SOCKET, n, dir) >=
		    PU_RELAY_ADMIN_PATH_MAX ||
	    snprintf(cookie_path, PU_RELAY_ADMIN_PATH_MAX, "%.*s" PU_RELAY_ADMIN_COOKIE, n, dir) >=
		    PU_RELAY_ADMIN_PATH_MAX)
		return PU_ELIMIT;
	return 0;
}

static int serve(struct pu_relay_admin *a, int fd, struct pu_failure *why)
{
	uint8_t secret[COOKIE_BYTES];
	char cookie[2 * COOKIE_BYTES + 1];
	struct pu_http_options opt = { .loop = a->server->loop, .listen_fd = fd, .token = cookie,
				       .unauthorized_body = "{\"error\":\"unauthorized\"}\n",
				       .handler = on_request, .arg = a };
	int r;

	pu_loop_random(a->server->loop, secret, sizeof secret);
	pu_hex_encode(pu_bytes(secret, sizeof secret), cookie, sizeof cookie);
	r = pu_file_replace(a->cookie_path, pu_bytes_str(cookie), 0600, a->server->owner);
	if (r < 0) {
		close(fd);
		pu_failure_set(why, r, a->cookie_path, NULL, "%s", pu_err_text(r));
	} else {
		r = pu_http_start(&opt, &a->http);
	}
	explicit_bzero(secret, sizeof secret);
	explicit_bzero(cookie, sizeof cookie);
	return r;
}

int pu_relay_admin_start(struct pu_relay_server *s, struct pu_relay_admin **pa,
			 struct pu_failure *why)
{
	struct pu_relay_admin *a = calloc(1, sizeof *a);
	int fd, r = a ? pu_relay_admin_paths(s->cfg->path, a->socket_path, a->cookie_path)
		      : PU_ENOMEM;

	if (r == 0) {
		a->server = s;
		r = pu_sock_listen(a->socket_path, s->owner, &fd, why);
	}
	if (r == 0) {
		r = serve(a, fd, why);
		if (r < 0)
			unlink(a->socket_path);
	}
	if (r < 0) {
		free(a);
		return pu_failure_set(why, r, PU_RELAY_ADMIN_SOCKET, NULL, "%s", pu_err_text(r));
	}
	*pa = a;
	return 0;
}

void pu_relay_admin_stop(struct pu_relay_admin *a)
{
	if (!a)
		return;
	pu_http_stop(a->http);
	unlink(a->socket_path);
	unlink(a->cookie_path);
	free(a);
}
