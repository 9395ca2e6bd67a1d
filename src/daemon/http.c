#include "daemon/http.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop_uv.h"

enum { HANGUP_CHECK_MS = 1000 };

struct pu_http {
	struct pu_loop *loop;
	struct MHD_Daemon *mhd;
	uv_poll_t poll;
	struct pu_timer timer; /* libmicrohttpd's own timeouts */
	struct pu_timer hangup; /* while requests are suspended: did a client leave? */
	char *token, *unauthorized_body;
	pu_http_handler_fn *handler;
	pu_http_answered_fn *on_answered;
	void *arg;
	struct pu_list requests;
};

enum state {
	READING,   /* body may be coming */
	REFUSED,   /* answered with an error before the body was complete */
	HANDLED,   /* handler was called */
	SUSPENDED, /* handler was called and did not answer yet */
	ANSWERED,  /* response is set */
	GONE,      /* the client left while the request was suspended */
};

struct pu_http_request {
	struct pu_http *http;
	struct MHD_Connection *conn;
	struct pu_list node;
	enum state state;
	char *method, *path;
	struct pu_buf body;
	struct MHD_Response *response;
	unsigned status;
	pu_time began;
	pu_job_fn *on_gone;
	void *gone_arg;
};

const char *pu_http_method(const struct pu_http_request *rq)
{
	return rq->method;
}

const char *pu_http_path(const struct pu_http_request *rq)
{
	return rq->path;
}

const char *pu_http_query(const struct pu_http_request *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->conn, MHD_GET_ARGUMENT_KIND, name);
}

const char *pu_http_header(const struct pu_http_request *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->conn, MHD_HEADER_KIND, name);
}

bool pu_http_is_local(const struct pu_http_request *rq)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(rq->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *sa = info ? info->client_addr : NULL;
	const struct in6_addr *ip6;

	if (!sa)
		return false;
	if (sa->sa_family == AF_INET)
		return ((const uint8_t *)&((const struct sockaddr_in *)sa)->sin_addr)[0] == 127;
	if (sa->sa_family != AF_INET6)
		return sa->sa_family == AF_UNIX;
	ip6 = &((const struct sockaddr_in6 *)sa)->sin6_addr;
	return IN6_IS_ADDR_LOOPBACK(ip6) ||
	       (IN6_IS_ADDR_V4MAPPED(ip6) && ip6->s6_addr[12] == 127);
}

struct pu_bytes pu_http_body(const struct pu_http_request *rq)
{
	/* The terminator was appended when the body was complete. */
	struct pu_bytes b = pu_buf_bytes(&rq->body);

	b.len--;
	return b;
}

void pu_http_on_gone(struct pu_http_request *rq, pu_job_fn *fn, void *arg)
{
	rq->on_gone = fn;
	rq->gone_arg = arg;
}

static void set_response(struct pu_http_request *rq, unsigned status, const char *content_type,
			 void *body, size_t len, enum MHD_ResponseMemoryMode mode)
{
	rq->response = MHD_create_response_from_buffer(len, body, mode);
	rq->status = status;
	if (rq->response)
		MHD_add_response_header(rq->response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	else if (mode == MHD_RESPMEM_MUST_FREE)
		free(body);
}

/* Nothing becomes readable by resuming: the next turn has to look. */
static void resume(struct pu_http_request *rq)
{
	MHD_resume_connection(rq->conn);
	pu_timer_set(&rq->http->timer, pu_loop_now(rq->http->loop));
}

void pu_http_respond(struct pu_http_request *rq, unsigned status, const char *content_type,
		     char *body, size_t len)
{
	bool suspended = rq->state == SUSPENDED;

	rq->state = ANSWERED;
	rq->on_gone = NULL;
	set_response(rq, status, content_type, body, len, MHD_RESPMEM_MUST_FREE);
	if (suspended)
		resume(rq);
}

/* MHD_NO closes the connection: all that is left when memory is out. */
static enum MHD_Result queue(struct pu_http_request *rq)
{
	struct pu_http *h = rq->http;
	enum MHD_Result r;

	if (!rq->response)
		return MHD_NO;
	if (h->on_answered)
		h->on_answered(h->arg, rq, rq->status, pu_loop_uv_clock(h->loop) - rq->began);
	r = MHD_queue_response(rq->conn, rq->status, rq->response);
	MHD_destroy_response(rq->response);
	rq->response = NULL;
	return r;
}

/* Constant time in what differs; the length is no secret. */
static bool same_secret(const char *a, const char *b)
{
	size_t n = strlen(b);
	unsigned diff = 0;

	if (strlen(a) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		diff |= (unsigned)(a[i] ^ b[i]);
	return diff == 0;
}

static bool authorized(const struct pu_http_request *rq)
{
	static const char scheme[] = "Bearer ";
	const char *value = pu_http_header(rq, MHD_HTTP_HEADER_AUTHORIZATION);

	if (!rq->http->token)
		return true;
	return value && strncmp(value, scheme, sizeof scheme - 1) == 0 &&
	       same_secret(value + sizeof scheme - 1, rq->http->token);
}

static struct pu_http_request *new_request(struct pu_http *h, struct MHD_Connection *conn,
					   const char *path, const char *method)
{
	struct pu_http_request *rq = calloc(1, sizeof *rq);

	if (!rq)
		return NULL;
	rq->http = h;
	rq->conn = conn;
	rq->began = pu_loop_uv_clock(h->loop);
	pu_buf_init(&rq->body, PU_HTTP_BODY_MAX + 1);
	rq->method = strdup(method);
	rq->path = strdup(path);
	if (!rq->method || !rq->path) {
		free(rq->method);
		free(rq->path);
		free(rq);
		return NULL;
	}
	pu_list_append(&h->requests, &rq->node);
	return rq;
}

static enum MHD_Result refuse(struct pu_http_request *rq, unsigned status, const char *body)
{
	rq->state = REFUSED;
	set_response(rq, status, "application/json", (void *)body, strlen(body),
		     MHD_RESPMEM_MUST_COPY);
	return queue(rq);
}

static enum MHD_Result dispatch(struct pu_http_request *rq)
{
	struct pu_http *h = rq->http;

	if (pu_buf_append(&rq->body, "", 1) < 0)
		return MHD_NO;
	rq->state = HANDLED;
	h->handler(h->arg, rq);
	if (rq->state == ANSWERED)
		return queue(rq);
	rq->state = SUSPENDED;
	MHD_suspend_connection(rq->conn);
	if (!pu_timer_active(&h->hangup))
		pu_timer_set(&h->hangup, pu_loop_now(h->loop) + PU_MS(HANGUP_CHECK_MS));
	return MHD_YES;
}

static bool has_left(const struct pu_http_request *rq)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(rq->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct pollfd p = { .fd = info ? info->connect_fd : -1 };

	/* A client that only finished writing still wants its answer: no POLLRDHUP. */
	return info && poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

/* libmicrohttpd does not look at suspended connections, and a series of pings can be
 * long: clients that left must not hold their places. */
static void check_hangups(void *arg)
{
	struct pu_http *h = arg;
	bool any = false;

	PU_LIST_FOREACH (it, tmp, &h->requests) {
		struct pu_http_request *rq = PU_CONTAINER_OF(it, struct pu_http_request, node);

		if (rq->state != SUSPENDED)
			continue;
		any = true;
		if (!has_left(rq))
			continue;
		rq->state = GONE;
		resume(rq);
	}
	if (any)
		pu_timer_set(&h->hangup, pu_loop_now(h->loop) + PU_MS(HANGUP_CHECK_MS));
}

/* libmicrohttpd calls this with the headers, for each piece of the body, at its end,
 * and once more after a suspended request was resumed. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *conn, const char *url,
				  const char *method, const char *version,
				  const char *upload_data, size_t *upload_len, void **pctx)
{
	struct pu_http_request *rq = *pctx;

	if (!rq) {
		rq = new_request(arg, conn, url, method);
		*pctx = rq;
		if (!rq)
			return MHD_NO;
		return authorized(rq) ? MHD_YES :
					refuse(rq, MHD_HTTP_UNAUTHORIZED,
					       rq->http->unauthorized_body);
	}
	if (rq->state == ANSWERED)
		return queue(rq);
	if (rq->state == GONE)
		return MHD_NO;
	if (*upload_len == 0)
		return rq->state == READING ? dispatch(rq) : MHD_YES;
	if (rq->state == READING && rq->body.len + *upload_len > PU_HTTP_BODY_MAX)
		return MHD_NO;
	if (rq->state == READING && pu_buf_append(&rq->body, upload_data, *upload_len) < 0)
		return MHD_NO;
	*upload_len = 0;
	return MHD_YES;
}

static void on_completed(void *arg, struct MHD_Connection *conn, void **pctx,
			 enum MHD_RequestTerminationCode code)
{
	struct pu_http_request *rq = *pctx;

	if (!rq)
		return;
	*pctx = NULL;
	if (rq->on_gone)
		rq->on_gone(rq->gone_arg);
	if (rq->response)
		MHD_destroy_response(rq->response);
	pu_list_remove(&rq->node);
	pu_buf_deinit(&rq->body);
	free(rq->method);
	free(rq->path);
	free(rq);
}

static unsigned n_conns(const struct pu_http *h)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info ? info->num_connections : 0;
}

/* At its limit of connections libmicrohttpd stops listening, and it listens again only
 * in the run after the one that closed some: nothing would wake it for that. */
static void run(struct pu_http *h)
{
	MHD_UNSIGNED_LONG_LONG ms;
	unsigned before;

	do {
		before = n_conns(h);
		MHD_run(h->mhd);
	} while (n_conns(h) < before);
	if (MHD_get_timeout(h->mhd, &ms) == MHD_YES)
		pu_timer_set(&h->timer, pu_loop_now(h->loop) + PU_MS(ms));
	else
		pu_timer_stop(&h->timer);
}

static void on_ready(uv_poll_t *p, int status, int events)
{
	struct pu_http *h = p->data;

	pu_loop_uv_enter(h->loop);
	run(h);
	pu_loop_uv_leave(h->loop);
}

static void on_timer(void *arg)
{
	run(arg);
}

static void silent(void *arg, const char *fmt, va_list ap)
{
}

static int start_mhd(struct pu_http *h, int fd)
{
	const union MHD_DaemonInfo *info;

	h->mhd = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
		NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, silent, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)PU_HTTP_CONNS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)PU_HTTP_IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)PU_HTTP_CONN_MEMORY, MHD_OPTION_END);
	if (!h->mhd)
		return PU_ESYS;
	info = MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || uv_poll_init(pu_loop_uv_of(h->loop), &h->poll, info->epoll_fd) < 0)
		return PU_ESYS;
	h->poll.data = h;
	return 0;
}

static void free_http(struct pu_http *h)
{
	free(h->token);
	free(h->unauthorized_body);
	free(h);
}

int pu_http_start(const struct pu_http_options *opt, struct pu_http **ph)
{
	struct pu_http *h = calloc(1, sizeof *h);
	int r = 0;

	if (!h)
		return PU_ENOMEM;
	h->loop = opt->loop;
	h->handler = opt->handler;
	h->on_answered = opt->on_answered;
	h->arg = opt->arg;
	pu_list_init(&h->requests);
	pu_timer_init(&h->timer, h->loop, on_timer, h);
	pu_timer_init(&h->hangup, h->loop, check_hangups, h);
	h->unauthorized_body = strdup(opt->unauthorized_body);
	if (opt->token)
		h->token = strdup(opt->token);
	if (!h->unauthorized_body || (opt->token && !h->token))
		r = PU_ENOMEM;
	if (r == 0)
		r = start_mhd(h, opt->listen_fd);
	if (r < 0) {
		if (h->mhd)
			MHD_stop_daemon(h->mhd);
		free_http(h);
		return r;
	}
	uv_poll_start(&h->poll, UV_READABLE, on_ready);
	*ph = h;
	return 0;
}

static void on_poll_closed(uv_handle_t *p)
{
	free_http(p->data);
}

void pu_http_stop(struct pu_http *h)
{
	if (!h)
		return;
	/* libmicrohttpd does not stop while connections are suspended. */
	PU_LIST_FOREACH (it, tmp, &h->requests) {
		struct pu_http_request *rq = PU_CONTAINER_OF(it, struct pu_http_request, node);

		if (rq->state == SUSPENDED) {
			rq->state = GONE;
			MHD_resume_connection(rq->conn);
		}
	}
	uv_poll_stop(&h->poll);
	pu_timer_stop(&h->timer);
	pu_timer_stop(&h->hangup);
	MHD_stop_daemon(h->mhd);
	uv_close((uv_handle_t *)&h->poll, on_poll_closed);
}
