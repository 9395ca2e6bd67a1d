/* What the route handlers share. */
#ifndef PU_DAEMON_API_INTERNAL_H
#define PU_DAEMON_API_INTERNAL_H

#include <jansson.h>
#include <stdio.h>

#include "daemon/api.h"
#include "daemon/http.h"

enum {
	PU_API_PARAM_MAX = 256,
	PU_API_QUOTED = 256, /* bytes of a text from a request that an error repeats */
	PU_API_QUOTE_MAX = 4 * PU_API_QUOTED + 3,
};

struct pu_api_streams;

struct pu_api {
	struct pu_loop *loop;
	struct pu_http *http;
	const struct pu_api_ops *ops;
	void *ops_arg;
	char *version, *socket_path, *cookie_path;
	struct pu_list pings;           /* struct ping, see api_ping.c */
	struct pu_list traces;          /* struct trace, see api_trace.c */
	struct pu_list wakes;           /* struct wake, see api_wake.c */
	struct pu_list pairings;        /* struct waiter, see api_invite.c */
	struct pu_list connects;        /* struct connect, see api_connect.c */
	struct pu_metrics *metrics;     /* NULL: none */
	bool stopping;
	struct pu_events *events;       /* NULL: none */
	struct pu_api_streams *streams; /* see api_events.c */
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

struct pu_api_route {
	const char *method, *pattern;
	bool text, body;
	pu_api_handler_fn *handler;
};
extern const struct pu_api_route pu_api_routes[];
extern const size_t pu_api_n_routes;

pu_api_handler_fn pu_api_get_status, pu_api_get_peers, pu_api_get_paths, pu_api_get_why,
	pu_api_post_ping, pu_api_post_trace, pu_api_post_resolve, pu_api_post_reload,
	pu_api_post_shutdown;
/* invitations and codes */
pu_api_handler_fn pu_api_get_invites, pu_api_get_invite, pu_api_post_invite,
	pu_api_delete_invite, pu_api_post_join;
/* counters */
pu_api_handler_fn pu_api_get_metrics;
/* services and proxies */
pu_api_handler_fn pu_api_get_services, pu_api_get_peer_services, pu_api_post_expose,
	pu_api_delete_expose, pu_api_get_connect, pu_api_post_connect, pu_api_delete_connect;
/* members */
pu_api_handler_fn pu_api_get_auth, pu_api_post_auth, pu_api_delete_auth;
/* device and events */
pu_api_handler_fn pu_api_post_wake;
pu_api_handler_fn pu_api_get_vpn, pu_api_get_events;

/* Answers. data is taken; the text is printf-like and becomes {"error": …}. */
void pu_api_reply(struct pu_http_request *rq, unsigned status, PU_TAKES json_t *data);
void pu_api_reply_error(struct pu_http_request *rq, unsigned status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* text: malloc()ed, taken. NULL: out of memory. */
void pu_api_reply_text(struct pu_http_request *rq, PU_TAKES char *text, size_t len);

/* A list on its way to the client, as JSON or as lines of text. */
struct pu_api_list {
	json_t *array; /* or */
	FILE *text;
	char *p;
	size_t len;
};
/* False: answered already, memory is out. */
bool pu_api_list_begin(struct pu_api_call *c, struct pu_api_list *l);
void pu_api_list_reply(struct pu_api_call *c, struct pu_api_list *l);
/* Something else is answered. */
void pu_api_list_drop(struct pu_api_list *l);

/* A body as an object; null is an empty one. NULL: invalid. */
json_t *pu_api_body_parse(struct pu_bytes b);
/* String member of a body, NULL when absent or null. */
const char *pu_api_body_string(const struct pu_api_call *c, const char *key);
/* The same, but an empty one is as good as none. */
const char *pu_api_body_need(const struct pu_api_call *c, const char *key);
/* The peer that the string member names; answers with an error itself when there is
 * none (false). */
bool pu_api_body_peer(const struct pu_api_call *c, const char *key, struct pu_peerid *peer,
		      const char **ptext);

/* A text of a request in quotation marks, with the escapes of Go, cut if it is long. */
const char *pu_api_quote(const char *s, char out[PU_API_QUOTE_MAX]);
/* Milliseconds with microseconds, as JSON numbers and texts show them. */
double pu_api_ms(pu_time t);
/* Open pings, and traces, are forgotten without an answer. */
void pu_api_pings_drop(struct pu_api *api);
void pu_api_traces_drop(struct pu_api *api);
void pu_api_wakes_drop(struct pu_api *api);
void pu_api_pairings_drop(struct pu_api *api);
void pu_api_connects_drop(struct pu_api *api);
/* The event streams: what was told is remembered from start to stop. PU_ENOMEM. */
int pu_api_streams_start(struct pu_api *api);
void pu_api_streams_stop(struct pu_api *api);
void pu_api_streams_free(struct pu_api *api);
/* {"up": …, "interface": …} of the device. */
json_t *pu_api_vpn_json(const struct pu_api_vpn *v);
/* An op failed: what and why as one text. */
void pu_api_reply_failure(struct pu_http_request *rq, unsigned status,
			  const struct pu_failure *why);

#endif
