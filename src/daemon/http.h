/* HTTP/1.1 on a listening socket inside our loop: libmicrohttpd without threads.
 * Bearer authentication, limits, answers now or later. */
#ifndef PU_DAEMON_HTTP_H
#define PU_DAEMON_HTTP_H

#include "base/loop.h"

enum {
	PU_HTTP_BODY_MAX = 1024 * 1024, /* of a request */
	PU_HTTP_BODIES_MAX = 8 * 1024 * 1024, /* of all requests together */
	PU_HTTP_SWALLOW_MAX = 16 * 1024 * 1024, /* of a body that is too long, until we hang up */
	PU_HTTP_CONNS_MAX = 128,       /* more wait in the backlog */
	PU_HTTP_IDLE_S = 30,           /* a client may be silent that long */
	PU_HTTP_REQUEST_S = 30,        /* and take that long for a whole request */
	PU_HTTP_HEADERS_MAX = 4,
	PU_HTTP_CONN_MEMORY = 32 * 1024, /* request line and headers */
};

struct pu_http;
struct pu_http_request;

/* A whole, authenticated request. Must be answered once with pu_http_respond() or
 * pu_http_respond_stream(), from inside or later. */
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
/* Streams may say their last words; open requests are dropped: their on_gone is called.
 * NULL is fine. */
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

/* One more header of the answer; name is static, value copied. PU_ENOMEM. */
int pu_http_add_header(struct pu_http_request *rq, const char *name, const char *value);
/* Called when the request ends without an answer, or in the middle of a stream; the request
 * is gone afterwards. */
void pu_http_on_gone(struct pu_http_request *rq, pu_job_fn *fn, void *arg);
/* body is malloc()ed and taken; content_type is static. The request is gone. */
void pu_http_respond(struct pu_http_request *rq, unsigned status, const char *content_type,
		     PU_TAKES char *body, size_t len);

#define PU_HTTP_STREAM_END SIZE_MAX
/* Writes the next bytes of a stream, at most max, and returns how many; 0: nothing now;
 * PU_HTTP_STREAM_END: nothing any more. */
typedef size_t pu_http_more_fn(void *arg, char *out, size_t max);
/* An answer that goes on until the client leaves. more is called when there is room, and after
 * a 0 again once pu_http_wake() was called. The request lives until on_gone, which has
 * to be set. PU_ENOMEM: not answered. */
int pu_http_respond_stream(struct pu_http_request *rq, const char *content_type,
			   pu_http_more_fn *more, void *arg);
void pu_http_wake(struct pu_http_request *rq);

#endif
