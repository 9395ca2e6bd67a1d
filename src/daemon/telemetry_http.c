#include "daemon/telemetry_http.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "daemon/http.h"

enum { BACKLOG = 16 };

struct pu_telemetry_http {
	struct pu_telemetry_http_options opt;
	struct pu_http *http;
};

static void answer_text(struct pu_http_request *rq, unsigned status, const char *type,
			const char *text)
{
	char *body = strdup(text);

	pu_http_respond(rq, status, type, body, body ? strlen(body) : 0);
}

static void answer_health(const struct pu_telemetry_http *h, struct pu_http_request *rq)
{
	char text[PU_TELEMETRY_HEALTH_MAX];

	if (!pu_http_is_local(rq)) {
		answer_text(rq, 403, "text/plain; charset=utf-8", "forbidden\n");
		return;
	}
	h->opt.health(h->opt.arg, text);
	answer_text(rq, 200, "application/json", text);
}

static void answer_metrics(const struct pu_telemetry_http *h, struct pu_http_request *rq)
{
	size_t len = 0;
	char *text = pu_metrics_text(h->opt.metrics, &len);

	pu_http_respond(rq, text ? 200 : 500, "text/plain; version=0.0.4; charset=utf-8", text,
			text ? len : 0);
}

static void on_request(void *arg, struct pu_http_request *rq)
{
	const struct pu_telemetry_http *h = arg;
	const char *path = pu_http_path(rq);

	if (h->opt.health && strcmp(path, "/healthz") == 0)
		answer_health(h, rq);
	else if (h->opt.metrics && strcmp(path, "/metrics") == 0)
		answer_metrics(h, rq);
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

int pu_telemetry_http_start(const struct pu_telemetry_http_options *opt,
			    struct pu_telemetry_http **ph, struct pu_failure *why)
{
	struct pu_http_options http = { .loop = opt->loop, .unauthorized_body = "",
					.handler = on_request };
	struct pu_telemetry_http *h = calloc(1, sizeof *h);
	int r = h ? listen_at(opt->listen, &http.listen_fd) : PU_ENOMEM;

	if (r < 0) {
		free(h);
		return pu_failure_set(why, r, opt->key, "ss -lntp",
				      "cannot listen on %s port %u: %s", opt->listen->host,
				      opt->listen->port, pu_err_text(r));
	}
	h->opt = *opt;
	http.arg = h;
	r = pu_http_start(&http, &h->http);
	if (r < 0) {
		free(h);
		return pu_failure_set(why, r, opt->key, NULL, "%s", pu_err_text(r));
	}
	*ph = h;
	return 0;
}

void pu_telemetry_http_stop(struct pu_telemetry_http *h)
{
	if (!h)
		return;
	pu_http_stop(h->http);
	free(h);
}
