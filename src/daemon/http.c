#include "daemon/http.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "daemon/http_internal.h"

enum { HANGUP_CHECK_MS = 1000, LAST_RUNS = 4 };

static const char too_long[] = "{\"error\":\"invalid request body\"}\n";

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

int pu_http_add_header(struct pu_http_request *rq, const char *name, const char *value)
{
	char *copy = rq->n_headers < PU_HTTP_HEADERS_MAX ? strdup(value) : NULL;

	if (!copy)
		return PU_ENOMEM;
	rq->header[rq->n_headers].name = name;
	rq->header[rq->n_headers++].value = copy;
	return 0;
}

/* Nothing becomes readable by resuming: the next turn has to look. */
void pu_http_resume(struct pu_http_request *rq)
{
	MHD_resume_connection(rq->conn);
	pu_timer_set(&rq->http->timer, pu_loop_now(rq->http->loop));
}

void pu_http_set_response(struct pu_http_request *rq, unsigned status, const char *content_type,
			  PU_TAKES struct MHD_Response *response)
{
	bool suspended = rq->state == PU_HTTP_SUSPENDED;

	rq->state = PU_HTTP_ANSWERED;
	rq->response = response;
	rq->status = status;
	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	for (size_t i = 0; i < rq->n_headers && response; i++)
		MHD_add_response_header(response, rq->header[i].name, rq->header[i].value);
	if (suspended)
		pu_http_resume(rq);
}

void pu_http_respond(struct pu_http_request *rq, unsigned status, const char *content_type,
		     char *body, size_t len)
{
	struct MHD_Response *response =
		body ? MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE) : NULL;

	if (!response)
		free(body);
	rq->on_gone = NULL;
	pu_http_set_response(rq, status, content_type, response);
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

static void request_free(struct pu_http_request *rq)
{
	pu_list_remove(&rq->node);
	pu_buf_deinit(&rq->body);
	for (size_t i = 0; i < rq->n_headers; i++)
		free(rq->header[i].value);
	free(rq->method);
	free(rq->path);
	free(rq);
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
	pu_list_append(&h->requests, &rq->node);
	if (!rq->method || !rq->path) {
		request_free(rq);
		return NULL;
	}
	return rq;
}

static enum MHD_Result refuse(struct pu_http_request *rq, unsigned status, const char *body)
{
	char *copy = strdup(body);

	pu_http_respond(rq, status, "application/json", copy, copy ? strlen(copy) : 0);
	rq->state = PU_HTTP_REFUSED;
	return queue(rq);
}

void pu_http_watch_hangups(struct pu_http *h)
{
	if (!pu_timer_active(&h->hangup))
		pu_timer_set(&h->hangup, pu_loop_now(h->loop) + PU_MS(HANGUP_CHECK_MS));
}

static enum MHD_Result dispatch(struct pu_http_request *rq)
{
	struct pu_http *h = rq->http;

	if (pu_buf_append(&rq->body, "", 1) < 0)
		return MHD_NO;
	h->body_bytes++;
	rq->state = PU_HTTP_HANDLED;
	pu_http_conn_busy(rq->conn, true);
	h->handler(h->arg, rq);
	if (rq->state == PU_HTTP_ANSWERED)
		return queue(rq);
	rq->state = PU_HTTP_SUSPENDED;
	MHD_suspend_connection(rq->conn);
	pu_http_watch_hangups(h);
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

		if (!pu_http_is_suspended(rq))
			continue;
		any = true;
		if (!has_left(rq))
			continue;
		rq->state = PU_HTTP_GONE;
		pu_http_resume(rq);
	}
	if (any)
		pu_http_watch_hangups(h);
}

/* A body beyond the limits is read to its end, within reason, so that the client hears why. */
static enum MHD_Result take_body(struct pu_http_request *rq, const char *data, size_t len)
{
	struct pu_http *h = rq->http;

	if (rq->state == PU_HTTP_READING && (rq->body.len + len > PU_HTTP_BODY_MAX ||
					     h->body_bytes + len > PU_HTTP_BODIES_MAX))
		rq->state = PU_HTTP_OVERFULL;
	if (rq->state == PU_HTTP_OVERFULL) {
		rq->swallowed += len;
		return rq->swallowed > PU_HTTP_SWALLOW_MAX ? MHD_NO : MHD_YES;
	}
	if (rq->state != PU_HTTP_READING)
		return MHD_YES;
	if (pu_buf_append(&rq->body, data, len) < 0)
		return MHD_NO;
	h->body_bytes += len;
	return MHD_YES;
}

static enum MHD_Result body_complete(struct pu_http_request *rq)
{
	if (rq->state == PU_HTTP_READING)
		return dispatch(rq);
	if (rq->state == PU_HTTP_OVERFULL)
		return refuse(rq, MHD_HTTP_BAD_REQUEST, too_long);
	return MHD_YES;
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
	if (rq->state == PU_HTTP_ANSWERED)
		return queue(rq);
	if (rq->state == PU_HTTP_GONE)
		return MHD_NO;
	if (*upload_len == 0)
		return body_complete(rq);
	if (take_body(rq, upload_data, *upload_len) == MHD_NO)
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
	pu_http_conn_busy(conn, false);
	rq->http->body_bytes -= rq->body.len;
	request_free(rq);
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
		MHD_OPTION_NOTIFY_CONNECTION, pu_http_conn_notify, h,
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
	pu_http_conns_init(h);
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
	/* What streams have to say is on its way when each of their steps was run. */
	for (int i = 0; i < LAST_RUNS; i++)
		MHD_run(h->mhd);
	/* libmicrohttpd does not stop while connections are suspended. */
	PU_LIST_FOREACH (it, tmp, &h->requests) {
		struct pu_http_request *rq = PU_CONTAINER_OF(it, struct pu_http_request, node);

		if (pu_http_is_suspended(rq)) {
			rq->state = PU_HTTP_GONE;
			MHD_resume_connection(rq->conn);
		}
	}
	uv_poll_stop(&h->poll);
	pu_timer_stop(&h->timer);
	pu_timer_stop(&h->hangup);
	MHD_stop_daemon(h->mhd);
	pu_http_conns_deinit(h);
	uv_close((uv_handle_t *)&h->poll, on_poll_closed);
}
