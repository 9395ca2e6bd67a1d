#include "lib/client_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "daemon/paths.h"

enum { EXTRA_MS = 60000, PING_COUNT = 4, PING_INTERVAL_MS = 1000 };

static int find_paths(struct peerup_client *c, const char *config, const char *instance)
{
	struct pu_paths *paths = calloc(1, sizeof *paths);
	char instance_config[PU_PATHS_LEN];
	struct pu_paths_env env;
	int r = 0;

	if (!paths)
		return PU_ENOMEM;
	pu_paths_env_get(&env);
	if (instance) {
		r = pu_paths_instance(instance_config, &env, instance, NULL);
		config = instance_config;
	}
	if (r == 0)
		r = pu_paths_find(paths, &env, config, NULL);
	if (r == 0) {
		c->socket_path = strdup(paths->socket);
		c->cookie_path = strdup(paths->cookie);
	}
	free(paths);
	return r;
}

int peerup_client_open(const struct peerup_client_options *opt, struct peerup_client **pc)
{
	static const struct peerup_client_options none = PEERUP_CLIENT_OPTIONS_INIT;
	struct peerup_client *c;
	int r = 0;

	opt = opt ? opt : &none;
	if (opt->size != sizeof *opt || opt->timeout_ms > INT32_MAX ||
	    !opt->socket_path != !opt->cookie_path ||
	    (opt->instance && (opt->config || !pu_paths_instance_ok(opt->instance))))
		return PU_EINVAL;
	c = calloc(1, sizeof *c);
	if (!c)
		return PU_ENOMEM;
	if (opt->socket_path) {
		c->socket_path = strdup(opt->socket_path);
		c->cookie_path = strdup(opt->cookie_path);
	} else {
		r = find_paths(c, opt->config, opt->instance);
	}
	if (r == 0 && (!c->socket_path || !c->cookie_path))
		r = PU_ENOMEM;
	if (r < 0) {
		peerup_client_close(c);
		return r;
	}
	c->target = (struct pu_ask_target){ c->socket_path, c->cookie_path, (int)opt->timeout_ms,
					    opt->answer_max };
	*pc = c;
	return 0;
}

void peerup_client_close(struct peerup_client *c)
{
	if (!c)
		return;
	pu_ask_stream_free(c->watch);
	free(c->answer);
	free(c->socket_path);
	free(c->cookie_path);
	free(c);
}

void pu_lib_client_begin(struct peerup_client *c)
{
	free(c->answer);
	c->answer = NULL;
	c->http_status = 0;
	c->error[0] = '\0';
}

/* What a refusal means, by the status that came with it. */
static int refused(int http_status)
{
	switch (http_status) {
	case 400:
		return PU_EINVAL;
	case 401:
		return PU_EPERM;
	case 404:
		return PU_ENOENT;
	case 409:
		return PU_EEXIST;
	case 503:
		return PU_ELIMIT;
	case 502:
	case 504:
		return PU_EUNREACH;
	default:
		return PU_EDENIED;
	}
}

int pu_lib_client_end(struct peerup_client *c, int r, const struct pu_failure *why)
{
	if (r == 0)
		return 0;
	snprintf(c->error, sizeof c->error, "%s%s%s", why->what, why->what[0] ? ": " : "",
		 why->why[0] ? why->why : pu_err_text(r));
	return r == PU_EDENIED ? refused(c->http_status) : r;
}

/* target: ours, or with another patience. */
static int call(struct peerup_client *c, const struct pu_ask_target *target, const char *method,
		const char *path, const char *body, const char **pjson)
{
	struct pu_failure why = { .what = "" };
	int r;

	pu_lib_client_begin(c);
	r = pu_ask_data(target, method, path, body, &c->answer, &c->http_status, &why);
	if (r == 0 && pjson)
		*pjson = c->answer;
	return pu_lib_client_end(c, r, &why);
}

int peerup_client_call(struct peerup_client *c, const char *method, const char *path,
		       const char *body, const char **pjson)
{
	return method && path ? call(c, &c->target, method, path, body, pjson) : PU_EINVAL;
}

int peerup_client_http_status(const struct peerup_client *c)
{
	return c->http_status;
}

const char *peerup_client_error(const struct peerup_client *c)
{
	return c->error;
}

int peerup_client_status(struct peerup_client *c, const char **pjson)
{
	return call(c, &c->target, "GET", "/v1/status", NULL, pjson);
}

int peerup_client_peers(struct peerup_client *c, const char **pjson)
{
	return call(c, &c->target, "GET", "/v1/peers", NULL, pjson);
}

/* As call(), with a body made by asprintf(), whose result was len. */
static int call_with(struct peerup_client *c, const struct pu_ask_target *target, const char *path,
		     int len, char *body)
{
	int r;

	if (len < 0)
		return PU_ENOMEM;
	r = call(c, target, "POST", path, body, NULL);
	free(body);
	return r;
}

/* 0 when the member was there. Whoever answers without it is not our daemon. */
static int take_member(struct peerup_client *c, const char *key, char *out, size_t cap)
{
	struct pu_failure why = { .what = "daemon", .why = "an answer that makes no sense" };

	return pu_lib_client_end(c, pu_ask_member(c->answer, key, out, cap) < 0 ? PU_EPROTO : 0,
				 &why);
}

int peerup_client_ping(struct peerup_client *c, const char *peer, unsigned count,
		       unsigned interval_ms, const char **pjson)
{
	struct pu_ask_target patient = c->target;
	uint64_t own_ms;
	char *quoted, *body;
	int r;

	count = count ? count : PING_COUNT;
	interval_ms = interval_ms ? interval_ms : PING_INTERVAL_MS;
	own_ms = (uint64_t)count * interval_ms;
	if (!peer || own_ms > INT32_MAX / 2)
		return PU_EINVAL;
	patient.timeout_ms = (int)own_ms + (int)pu_min(c->target.timeout_ms ? c->target.timeout_ms :
									      EXTRA_MS,
						       INT32_MAX / 2);
	quoted = pu_ask_quote(peer);
	if (!quoted)
		return PU_ENOMEM;
	r = asprintf(&body, "{\"peer\":%s,\"count\":%u,\"interval_ms\":%u}", quoted, count,
		     interval_ms);
	free(quoted);
	r = call_with(c, &patient, "/v1/ping", r, body);
	if (r == 0 && pjson)
		*pjson = c->answer;
	return r;
}

int peerup_client_resolve(struct peerup_client *c, const char *name, char *out)
{
	char *quoted, *body;
	int r;

	if (!name)
		return PU_EINVAL;
	quoted = pu_ask_quote(name);
	if (!quoted)
		return PU_ENOMEM;
	r = asprintf(&body, "{\"name\":%s}", quoted);
	free(quoted);
	r = call_with(c, &c->target, "/v1/resolve", r, body);
	return r < 0 ? r : take_member(c, "peer_id", out, PEERUP_PEER_TEXT_MAX);
}

int peerup_client_connect(struct peerup_client *c, const char *peer, const char *service,
			  const char *listen, char *id, char *addr)
{
	char *p, *s, *l, *body = NULL;
	int r = -1;

	if (!peer || !service || !listen)
		return PU_EINVAL;
	p = pu_ask_quote(peer);
	s = pu_ask_quote(service);
	l = pu_ask_quote(listen);
	if (p && s && l)
		r = asprintf(&body, "{\"peer\":%s,\"service\":%s,\"listen\":%s}", p, s, l);
	free(p);
	free(s);
	free(l);
	r = call_with(c, &c->target, "/v1/connect", r, body);
	if (r == 0)
		r = take_member(c, "id", id, PEERUP_CLIENT_TEXT_MAX);
	return r < 0 ? r : take_member(c, "listen_address", addr, PEERUP_CLIENT_TEXT_MAX);
}

int peerup_client_disconnect(struct peerup_client *c, const char *id)
{
	char path[PU_ASK_PATH_MAX] = "/v1/connect/";
	size_t n = strlen(path);

	if (!id || !*id || pu_ask_escape(id, path + n, sizeof path - n) < 0)
		return PU_EINVAL;
	return call(c, &c->target, "DELETE", path, NULL, NULL);
}

int peerup_client_shutdown(struct peerup_client *c)
{
	return call(c, &c->target, "POST", "/v1/shutdown", NULL, NULL);
}
