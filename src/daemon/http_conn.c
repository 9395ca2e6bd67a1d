/* libmicrohttpd counts the time since the last byte; a client that sends one byte now and then
 * would keep its place for ever. Here counts the time until a request is whole. */
#include <stdlib.h>
#include <sys/socket.h>

#include "daemon/http_internal.h"

struct http_conn {
	struct pu_list node; /* in none while busy */
	struct pu_http *http;
	struct MHD_Connection *conn;
	pu_time since;
};

static void cut(struct http_conn *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c->conn, MHD_CONNECTION_INFO_CONNECTION_FD);

	/* libmicrohttpd reads the end, and closes. */
	pu_list_remove(&c->node);
	if (info)
		shutdown(info->connect_fd, SHUT_RDWR);
}

static void arm(struct pu_http *h)
{
	struct pu_list *first = pu_list_first(&h->conns);

	if (first && !pu_timer_active(&h->slow))
		pu_timer_set(&h->slow, PU_CONTAINER_OF(first, struct http_conn, node)->since +
					       PU_SEC(PU_HTTP_REQUEST_S));
}

static void check(void *arg)
{
	struct pu_http *h = arg;

	PU_LIST_FOREACH (it, tmp, &h->conns) {
		struct http_conn *c = PU_CONTAINER_OF(it, struct http_conn, node);

		if (pu_loop_now(h->loop) < c->since + PU_SEC(PU_HTTP_REQUEST_S))
			break;
		cut(c);
	}
	arm(h);
}

static void wait_for_request(struct http_conn *c)
{
	c->since = pu_loop_now(c->http->loop);
	pu_list_remove(&c->node);
	pu_list_append(&c->http->conns, &c->node);
	arm(c->http);
}

void pu_http_conn_notify(void *cls, struct MHD_Connection *conn, void **socket_context,
			 enum MHD_ConnectionNotificationCode code)
{
	struct http_conn *c = *socket_context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		c = calloc(1, sizeof *c);
		*socket_context = c;
		if (!c)
			return;
		c->http = cls;
		c->conn = conn;
		pu_list_init(&c->node);
		wait_for_request(c);
	} else if (c) {
		pu_list_remove(&c->node);
		free(c);
		*socket_context = NULL;
	}
}

void pu_http_conn_busy(struct MHD_Connection *conn, bool busy)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http_conn *c = info ? info->socket_context : NULL;

	if (c && busy)
		pu_list_remove(&c->node);
	else if (c)
		wait_for_request(c);
}

void pu_http_conns_init(struct pu_http *h)
{
	pu_list_init(&h->conns);
	pu_timer_init(&h->slow, h->loop, check, h);
}

void pu_http_conns_deinit(struct pu_http *h)
{
	pu_timer_stop(&h->slow);
}
