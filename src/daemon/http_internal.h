/* What the files of the HTTP server share. */
#ifndef PU_DAEMON_HTTP_INTERNAL_H
#define PU_DAEMON_HTTP_INTERNAL_H

#include <microhttpd.h>

#include "base/buf.h"
#include "base/loop_uv.h"
#include "daemon/http.h"

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
	size_t body_bytes; /* of all requests together */
	struct pu_list conns; /* http_conn.c: those that keep us waiting, oldest first */
	struct pu_timer slow;
};

enum pu_http_state {
	PU_HTTP_READING,   /* body may be coming */
	PU_HTTP_OVERFULL,  /* it is too long: swallowed, not kept */
	PU_HTTP_REFUSED,   /* answered with an error before the body was complete */
	PU_HTTP_HANDLED,   /* handler was called */
	PU_HTTP_SUSPENDED, /* handler was called and did not answer yet */
	PU_HTTP_ANSWERED,  /* response is set */
	PU_HTTP_IDLE,      /* a stream with nothing to say now; suspended */
	PU_HTTP_GONE,      /* the client left while the request was suspended */
};

struct pu_http_request {
	struct pu_http *http;
	struct MHD_Connection *conn;
	struct pu_list node;
	enum pu_http_state state;
	char *method, *path;
	struct pu_buf body;
	size_t swallowed;
	struct MHD_Response *response;
	unsigned status;
	struct { const char *name; char *value; } header[PU_HTTP_HEADERS_MAX];
	size_t n_headers;
	pu_time began;
	pu_job_fn *on_gone;
	void *gone_arg;
	pu_http_more_fn *more; /* of a stream */
	void *more_arg;
};

/* True for requests that libmicrohttpd holds suspended. */
static inline bool pu_http_is_suspended(const struct pu_http_request *rq)
{
	return rq->state == PU_HTTP_SUSPENDED || rq->state == PU_HTTP_IDLE;
}

/* Lets libmicrohttpd go on with a suspended request. */
void pu_http_resume(struct pu_http_request *rq);
/* While something is suspended, looks once a second whether its client is still there. */
void pu_http_watch_hangups(struct pu_http *h);
/* The response is made: headers, and who wants to know hears of it. */
void pu_http_set_response(struct pu_http_request *rq, unsigned status, const char *content_type,
			  PU_TAKES struct MHD_Response *response);

/* Connections that send no whole request in PU_HTTP_REQUEST_S are cut (http_conn.c). */
void pu_http_conns_init(struct pu_http *h);
void pu_http_conns_deinit(struct pu_http *h);
void pu_http_conn_notify(void *cls, struct MHD_Connection *conn, void **socket_context,
			 enum MHD_ConnectionNotificationCode code);
/* The connection has sent a whole request, or waits for the next one. */
void pu_http_conn_busy(struct MHD_Connection *conn, bool busy);

#endif
