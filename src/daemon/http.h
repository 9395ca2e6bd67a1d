/* HTTP/1.1 on a listening socket inside our loop: libmicrohttpd without threads.
 * Bearer authentication, limits, answers now or later. */
#ifndef PU_DAEMON_HTTP_H
#define PU_DAEMON_HTTP_H

#include "base/loop.h"

enum {
	PU_HTTP_BODY_MAX = 1024 * 1024, /* of a request */
	PU_HTTP_CONNS_MAX = 32,
	PU_HTTP_IDLE_S = 30,           /* a client may be silent that long */
	PU_HTTP_CONN_MEMORY = 32 * 1024, /* request line and headers */
};

struct pu_http;
struct pu_http_request;

/* A whole, authenticated request. Must be answered once with pu_http_respond(), from
 * inside or later. */
typedef void pu_http_handler_fn(void *arg, struct pu_http_request *rq);

/* status was answered to rq after that time. */
typedef void pu_http_answered_fn(void *arg, const struct pu_http_request *rq, unsigned status,
				 pu_time took);

struct pu_http_options {
	struct pu_loop *loop; /* driven by base/loop_uv.c */
	int listen_fd;        /* taken, also on failure */
	const char *token;    /* Authorization: Bearer <token>, copied; NULL: no check */
	/* Body of the 401 answer, JSON with line feed; static. */
	const char *unauthorized_body;
	pu_http_handler_fn *handler;
	/* Every answer as it leaves, refusals too; may be NULL. */
	pu_http_answered_fn *on_answered;
	void *arg;
};

/* PU_ENOMEM, PU_ESYS. */
int pu_http_start(const struct pu_http_options *opt, struct pu_http **ph);
/* Open requests are dropped: their on_gone is called. NULL is fine. */
void pu_http_stop(struct pu_http *h);

/* Valid until the request is answered. */
const char *pu_http_method(const struct pu_http_request *rq);
const char *pu_http_path(const struct pu_http_request *rq);
const char *pu_http_query(const struct pu_http_request *rq, const char *name); /* or NULL */
const char *pu_http_header(const struct pu_http_request *rq, const char *name); /* or NULL */
/* The client is on this machine: a loopback address or a Unix socket. */
bool pu_http_is_local(const struct pu_http_request *rq);
/* Terminated by a zero behind the last byte. */
struct pu_bytes pu_http_body(const struct pu_http_request *rq);

/* Called when the request ends without an answer; the request is gone afterwards. */
void pu_http_on_gone(struct pu_http_request *rq, pu_job_fn *fn, void *arg);
/* body is malloc()ed and taken; content_type is static. The request is gone. */
void pu_http_respond(struct pu_http_request *rq, unsigned status, const char *content_type,
		     PU_TAKES char *body, size_t len);

#endif
