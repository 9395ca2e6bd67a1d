#include "daemon/relay_http.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "daemon/http.h"

enum { BACKLOG = 16, ANSWER_MAX = 256 };

struct pu_relay_http {
	struct pu_relay_server *server;
	struct pu_http *http;
};

static void answer_text(struct pu_http_request *rq, unsigned status, const char *type,
			const char *text)
{
	char *body = strdup(text);

	pu_http_respond(rq, status, type, body, body ? strlen(body) : 0);
}

static void health(const struct pu_relay_server *s, struct pu_http_request *rq)
{
	pu_time up = pu_loop_now(s->loop) - s->started_at;
	struct pu_host_stats host;
	char text[ANSWER_MAX];

	if (!pu_http_is_local(rq)) {
		answer_text(rq, 403, "text/plain; charset=utf-8", "forbidden\n");
		return;
	}
	pu_host_stats(s->host, &host);
	snprintf(text, sizeof text,
		 "{\"connected_peers\":%u,\"status\":\"ok\",\"uptime_seconds\":%llu}\n",
		 host.n_peers, (unsigned long long)(up / PU_SEC(1)));
	answer_text(rq, 200, "application/json", text);
}

static void metrics(const struct pu_relay_server *s, struct pu_http_request *rq)
{
	size_t len = 0;
	char *text = pu_relay_server_metrics(s, &len);

	pu_http_respond(rq, text ? 200 : 500, "text/plain; version=0.0.4; charset=utf-8", text,
			text ? len : 0);
}

static void on_request(void *arg, struct pu_http_request *rq)
{
	const struct pu_relay_http *h = arg;
	const struct pu_relay_config *cfg = h->server->cfg;
	const char *path = pu_http_path(rq);

	if (cfg->health_enabled && strcmp(path, "/healthz") == 0)
		health(h->server, rq);
	else if (cfg->metrics_enabled && strcmp(path, "/metrics") == 0)
		metrics(h->server, rq);
	else
		answer_text(rq, 404, "text/plain; charset=utf-8", "404 page not found\n");
}

static int bind_to(const struct addrinfo *a, int *pfd)
{
	int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	if (fd < 0)
		return PU_ESYS;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		int r = pu_err_from_errno(errno);

		close(fd);
		return r;
	}
	*pfd = fd;
	return 0;
}

static int listen_at(const struct pu_hostport *hp, int *pfd)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *list;
	char port[8];
	int r = PU_ENOENT;

	snprintf(port, sizeof port, "%u", hp->port);
	if (getaddrinfo(hp->host[0] ? hp->host : NULL, port, &hints, &list) != 0)
		return PU_ENOENT;
	for (const struct addrinfo *a = list; a && r < 0; a = a->ai_next)
		r = bind_to(a, pfd);
	freeaddrinfo(list);
	return r;
}

int pu_relay_http_start(struct pu_relay_server *s, struct pu_relay_http **ph,
			struct pu_failure *why)
{
	const struct pu_relay_config *cfg = s->cfg;
	const struct pu_hostport *hp = cfg->health_enabled ? &cfg->health_listen
							   : &cfg->metrics_listen;
	struct pu_http_options opt = { .loop = s->loop, .unauthorized_body = "",
				       .handler = on_request };
	struct pu_relay_http *h;
	int r;

	*ph = NULL;
	if (!cfg->health_enabled && !cfg->metrics_enabled)
		return 0;
	r = listen_at(hp, &opt.listen_fd);
	if (r < 0)
		return pu_failure_set(why, r, cfg->health_enabled ? "health.listen_address"
								  : "telemetry.metrics.listen_address",
				      "ss -lntp", "cannot listen on %s port %u: %s", hp->host,
				      hp->port, pu_err_text(r));
	h = calloc(1, sizeof *h);
	if (!h) {
		close(opt.listen_fd);
		return PU_ENOMEM;
	}
	h->server = s;
	opt.arg = h;
	r = pu_http_start(&opt, &h->http);
	if (r < 0)
		free(h);
	else
		*ph = h;
	return r;
}

void pu_relay_http_stop(struct pu_relay_http *h)
{
	if (!h)
		return;
	pu_http_stop(h->http);
	free(h);
}
