/* Ask a running peerup-vpn daemon: what it shows and does over its control socket.
 *
 *   peerup_client_open → peerup_client_status, _ping, _connect, _call, … → peerup_client_close
 *
 * Every call waits for its answer, at most options.timeout_ms. A client belongs to one thread.
 * It holds no connection between calls, so a daemon may come, go and come again meanwhile.
 *
 * Answers are JSON texts, as described in the daemon's API: the value of "data". They and the
 * texts of peerup_client_error() are borrowed until the next call on the client.
 *
 * Errors of all calls: PEERUP_EREFUSED when no daemon runs; PEERUP_EPERM when it is another
 * user's; PEERUP_ETIMEDOUT; PEERUP_E2BIG beyond options.answer_max; PEERUP_EPROTO when it is not
 * our daemon that answers; PEERUP_EINVAL, PEERUP_ENOENT, PEERUP_EEXIST, PEERUP_EUNREACH (the
 * peer), PEERUP_ELIMIT or PEERUP_EDENIED when the daemon said no; PEERUP_ENOTSUP when it does
 * not know the question; PEERUP_ENOMEM, PEERUP_ESYS, … */
#ifndef PEERUP_CLIENT_H
#define PEERUP_CLIENT_H

#include "peerup/error.h"
#include "peerup/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct peerup_client;

/* Start from PEERUP_CLIENT_OPTIONS_INIT: zero and NULL mean the default. */
struct peerup_client_options {
	size_t size; /* of this struct, as your compiler saw it */
	/* Where the daemon listens. Default: found as the program's commands find it, with
	 * these as their --config or --instance, from the environment variables HOME and
	 * PEERUP_RUNTIME_DIR. */
	const char *config, *instance;
	const char *socket_path, *cookie_path; /* both, or none */
	unsigned timeout_ms; /* default 120000 */
	size_t answer_max;   /* bytes; default 16 MiB */
};

#ifdef __cplusplus
#define PEERUP_CLIENT_OPTIONS_INIT { sizeof(struct peerup_client_options) }
#else
#define PEERUP_CLIENT_OPTIONS_INIT { .size = sizeof(struct peerup_client_options) }
#endif

/* opt may be NULL; it is copied. Does not ask anything yet. PEERUP_EINVAL (size, one path
 * without the other, no name of an instance), PEERUP_ENOENT (options.config), PEERUP_ELIMIT (a
 * path is too long), PEERUP_ENOMEM, PEERUP_ESYS (no home directory). */
PEERUP_API int peerup_client_open(const struct peerup_client_options *opt,
				  struct peerup_client **pc);
/* NULL is fine. */
PEERUP_API void peerup_client_close(struct peerup_client *c);

/* Any question of the API: "GET", "/v1/paths", NULL. body is JSON; pjson may be NULL. */
PEERUP_API int peerup_client_call(struct peerup_client *c, const char *method, const char *path,
				  const char *body, const char **pjson);
/* Status code of the last HTTP answer; 0: the last call got none. */
PEERUP_API int peerup_client_http_status(const struct peerup_client *c);
/* Why the last call failed, for people, with a name in front; "" when it did not. */
PEERUP_API const char *peerup_client_error(const struct peerup_client *c);

/* GET /v1/status and /v1/peers. */
PEERUP_API int peerup_client_status(struct peerup_client *c, const char **pjson);
PEERUP_API int peerup_client_peers(struct peerup_client *c, const char **pjson);
/* Pings a peer, named or by its ID; 0 and 0: 4 pings, a second apart. Waits until all are
 * over, timeout_ms beyond what they take by themselves. PEERUP_EUNREACH, PEERUP_EINVAL (who
 * is that?). Single losses are in the answer, {"results": […], "stats": {…}}. */
PEERUP_API int peerup_client_ping(struct peerup_client *c, const char *peer, unsigned count,
				  unsigned interval_ms, const char **pjson);
/* The ID behind a name; out has PEERUP_PEER_TEXT_MAX bytes. PEERUP_ENOENT. */
PEERUP_API int peerup_client_resolve(struct peerup_client *c, const char *name, char *out);

enum { PEERUP_CLIENT_TEXT_MAX = 128 };

/* Opens a local TCP port, such as "127.0.0.1:2222" or "127.0.0.1:0", that leads to a service
 * of a peer until it is disconnected or the daemon ends. id and addr have
 * PEERUP_CLIENT_TEXT_MAX bytes: the name of the port for disconnect, and its address. */
PEERUP_API int peerup_client_connect(struct peerup_client *c, const char *peer,
				     const char *service, const char *listen, char *id,
				     char *addr);
PEERUP_API int peerup_client_disconnect(struct peerup_client *c, const char *id);
/* Asks the daemon to stop; it does so after the answer. */
PEERUP_API int peerup_client_shutdown(struct peerup_client *c);

/* What happens in the daemon, as it happens. */
struct peerup_event {
	const char *kind; /* "peer_connected"; "lost": we were too slow for some */
	const char *json; /* an object */
};

/* Calls fn for every event of these kinds ("peer_connected,path"; NULL: all) until it returns
 * non-zero, which is returned then, or the daemon ends: PEERUP_EEOF. Not subject to timeout_ms.
 * fn may use other clients, not this one. */
typedef int peerup_event_fn(void *arg, const struct peerup_event *ev);
PEERUP_API int peerup_client_events(struct peerup_client *c, const char *kinds,
				    peerup_event_fn *fn, void *arg);

/* The same inside your own loop: begin, poll the descriptor, and take what there is until
 * PEERUP_EAGAIN. One watch per client; other calls on the client may go on meanwhile. */
PEERUP_API int peerup_client_watch(struct peerup_client *c, const char *kinds);
/* Readable when there may be an event; only to be polled. -1: nothing is watched. */
PEERUP_API int peerup_client_watch_fd(const struct peerup_client *c);
/* ev is valid until the next call of this function. Waits up to timeout_ms; 0: not at all;
 * negative: for ever. PEERUP_EAGAIN: nothing came; PEERUP_EEOF: the daemon ended, the watch
 * is over; PEERUP_ECLOSED: nothing is watched. */
PEERUP_API int peerup_client_watch_next(struct peerup_client *c, int timeout_ms,
					struct peerup_event *ev);
PEERUP_API void peerup_client_watch_end(struct peerup_client *c);

#ifdef __cplusplus
}
#endif
#endif
