/* What the route handlers share. */
#ifndef PU_DAEMON_API_INTERNAL_H
#define PU_DAEMON_API_INTERNAL_H

#include <jansson.h>
#include <stdio.h>

#include "daemon/api.h"
#include "daemon/http.h"

enum { PU_API_PARAM_MAX = 256 };

struct pu_api {
	struct pu_loop *loop;
	struct pu_http *http;
	const struct pu_api_ops *ops;
	void *ops_arg;
	struct pu_events *events;
	char *version, *socket_path, *cookie_path;
	struct pu_list pings;           /* struct ping, see api_ping.c */
	struct pu_list traces;          /* struct trace, see api_trace.c */
	struct pu_list pairings;        /* struct waiter, see api_invite.c */
	struct pu_timer shutdown_timer; /* lets the answer leave first */
};

/* One request on its way through a handler. */
struct pu_api_call {
	struct pu_api *api;
	struct pu_http_request *rq;
	bool text;                    /* the client prefers text and the route has it */
	json_t *body;                 /* object; NULL for routes without a body */
	char param[PU_API_PARAM_MAX]; /* what {…} of the pattern matched */
};

typedef void pu_api_handler_fn(struct pu_api_call *c);

pu_api_handler_fn pu_api_get_status, pu_api_get_peers, pu_api_get_paths, pu_api_get_why,
	pu_api_post_ping, pu_api_post_trace, pu_api_post_resolve, pu_api_post_reload,
	pu_api_post_shutdown;
/* invitations and codes */
pu_api_handler_fn pu_api_get_invites, pu_api_get_invite, pu_api_post_invite,
	pu_api_delete_invite, pu_api_post_join;

/* Answers. data is taken; the text is printf-like and becomes {"error": …}. */
void pu_api_reply(struct pu_http_request *rq, unsigned status, PU_TAKES json_t *data);
void pu_api_reply_error(struct pu_http_request *rq, unsigned status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* text: malloc()ed, taken. NULL: out of memory. */
void pu_api_reply_text(struct pu_http_request *rq, PU_TAKES char *text, size_t len);

/* String member of a body, NULL when absent or of another type. */
const char *pu_api_body_string(const struct pu_api_call *c, const char *key);
/* The peer that the string member names; answers with an error itself when there is
 * none (false). */
bool pu_api_body_peer(const struct pu_api_call *c, const char *key, struct pu_peerid *peer,
		      const char **ptext);

/* Milliseconds with microseconds, as JSON numbers and texts show them. */
double pu_api_ms(pu_time t);
/* Open pings, and traces, are forgotten without an answer. */
void pu_api_pings_drop(struct pu_api *api);
void pu_api_traces_drop(struct pu_api *api);
void pu_api_pairings_drop(struct pu_api *api);

#endif
