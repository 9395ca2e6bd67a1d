/* A libp2p host: listens, connects, agrees on protocols, hands out streams. */
#ifndef PEERUP_HOST_H
#define PEERUP_HOST_H

#include "peerup/error.h"
#include "peerup/identity.h"
#include "peerup/loop.h"
#include "peerup/stream.h"
#include "peerup/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct peerup_host;
struct peerup_request;

/* One connection; borrowed until the callback returns. */
struct peerup_conn_info {
	const char *peer;
	const char *remote;   /* its address, without /p2p */
	const char *security; /* "tls", "noise" or "quic" */
	bool inbound;
};

/* Start from PEERUP_HOST_OPTIONS_INIT: zero and NULL mean the default. */
struct peerup_host_options {
	size_t size; /* of this struct, as your compiler saw it */
	const char *agent; /* told to peers; default "libpeerup/<version>" */
	bool no_tcp, no_quic; /* without TCP there are no WebSockets either */
	unsigned max_conns;          /* default 256 */
	unsigned max_conns_per_peer; /* default 8 */
	unsigned max_streams;        /* that a peer may open on a connection, default 256 */
	unsigned idle_timeout_s;     /* close connections without streams after this;
				      * default never */
	/* May this peer connect to us? Asked when it has proved who it is. NULL: everyone
	 * may. The only thing it may do is answer. */
	bool (*gate)(void *arg, const char *peer, const char *remote);
	/* What happens; each may be NULL. A peer may have several connections: last says
	 * that none is left. */
	void (*on_connected)(void *arg, const struct peerup_conn_info *c);
	void (*on_disconnected)(void *arg, const struct peerup_conn_info *c, int err, bool last);
	/* The peer told its protocols and addresses (again). */
	void (*on_identified)(void *arg, const char *peer, const char *agent);
	/* Our own addresses changed: see peerup_host_addr(). */
	void (*on_addrs)(void *arg);
	void *arg; /* for all of these */
};

#ifdef __cplusplus
#define PEERUP_HOST_OPTIONS_INIT { sizeof(struct peerup_host_options) }
#else
#define PEERUP_HOST_OPTIONS_INIT { .size = sizeof(struct peerup_host_options) }
#endif

/* opt may be NULL; it and the identity are copied. PEERUP_EINVAL (size, or nothing to
 * talk with), PEERUP_ECLOSED (the loop is being freed), PEERUP_ENOMEM, PEERUP_ESYS. */
PEERUP_API int peerup_host_new(struct peerup_loop *loop, const struct peerup_identity *id,
			       const struct peerup_host_options *opt, struct peerup_host **ph);
/* Says goodbye to all peers; their streams hear on_closed, requests PEERUP_ECANCELED.
 * Then on_closed (may be NULL) fires once and the host is gone; until then every other
 * call on it does nothing or returns PEERUP_ECLOSED. From anywhere. */
typedef void peerup_closed_fn(void *arg);
PEERUP_API void peerup_host_close(struct peerup_host *h, peerup_closed_fn *on_closed, void *arg);

/* The host's own peer ID; lives as long as the host. */
PEERUP_API const char *peerup_host_peer(const struct peerup_host *h);

/* Listens on an address such as "/ip4/0.0.0.0/udp/0/quic-v1", "/ip6/::/tcp/4001" or
 * "/ip4/0.0.0.0/tcp/8080/ws"; port 0
 * takes a free one. May be called for several. PEERUP_EINVAL, PEERUP_ENOTSUP (no
 * transport for it), PEERUP_EADDRINUSE, PEERUP_EPERM, PEERUP_ECLOSED, … */
PEERUP_API int peerup_host_listen(struct peerup_host *h, const char *addr);
/* Address number i, from 0, at which peers may reach us, ready to be given away: real
 * port, interface addresses instead of 0.0.0.0, "/p2p/<our id>" at the end. out has
 * PEERUP_ADDR_TEXT_MAX bytes. PEERUP_ENOENT behind the last. */
PEERUP_API int peerup_host_addr(const struct peerup_host *h, size_t i, char *out);

/* Where a peer may be found: an address that ends in "/p2p/<its id>". Kept until
 * removed. PEERUP_EINVAL, PEERUP_ELIMIT, PEERUP_ENOMEM, PEERUP_ECLOSED. */
PEERUP_API int peerup_host_add_addr(struct peerup_host *h, const char *addr);
PEERUP_API int peerup_host_remove_addr(struct peerup_host *h, const char *addr);

/* Streams that peers open for a protocol such as "/echo/1.0.0" go to fn.
 * PEERUP_EEXIST, PEERUP_EINVAL (empty or too long), PEERUP_ENOMEM, PEERUP_ECLOSED. */
typedef void peerup_stream_fn(void *arg, struct peerup_stream *st);
PEERUP_API int peerup_host_handle(struct peerup_host *h, const char *protocol,
				  peerup_stream_fn *fn, void *arg);
/* Open streams stay. */
PEERUP_API void peerup_host_unhandle(struct peerup_host *h, const char *protocol);

/* Makes sure that there is a connection. on_done fires once, later: 0; PEERUP_EUNREACH (no
 * address known, or none answers), PEERUP_EREFUSED, PEERUP_ETIMEDOUT, PEERUP_EPEERID,
 * PEERUP_EDENIED (the peer does not want us), PEERUP_ECANCELED (host closed), … preq may
 * be NULL; the request is gone when on_done fires.
 * At once: PEERUP_EINVAL (no peer ID, or ours), PEERUP_ENOMEM, PEERUP_ECLOSED. */
typedef void peerup_connect_fn(void *arg, int err);
PEERUP_API int peerup_host_connect(struct peerup_host *h, const char *peer,
				   peerup_connect_fn *on_done, void *arg,
				   struct peerup_request **preq);
/* Connects if needed and opens a stream for the first protocol of the list (NULL ends
 * it) that the peer supports; peerup_stream_protocol() tells which. err as above, and
 * PEERUP_ENOPROTO when it supports none; st is NULL then. */
typedef void peerup_open_fn(void *arg, int err, struct peerup_stream *st);
PEERUP_API int peerup_host_open(struct peerup_host *h, const char *peer,
				const char *const *protocols, peerup_open_fn *on_done, void *arg,
				struct peerup_request **preq);
/* on_done will not fire; the request is gone. */
PEERUP_API void peerup_request_cancel(struct peerup_request *req);

/* False also for what is no peer ID. */
PEERUP_API bool peerup_host_is_connected(const struct peerup_host *h, const char *peer);
/* Did the peer list the protocol when it identified itself? */
PEERUP_API bool peerup_host_supports(const struct peerup_host *h, const char *peer,
				     const char *protocol);
/* Closes all connections to the peer. */
PEERUP_API void peerup_host_disconnect(struct peerup_host *h, const char *peer);

#ifdef __cplusplus
}
#endif
#endif
