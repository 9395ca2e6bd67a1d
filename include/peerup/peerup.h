/* libpeerup: a libp2p host for C programs. It speaks QUIC v1 and TCP with TLS 1.3 or
 * Noise and yamux, and so talks to go-, rust- and js-libp2p.
 *
 *   peerup_loop_new → peerup_identity_… → peerup_host_new → peerup_host_listen,
 *   _handle, _add_addr, _open → peerup_loop_run → peerup_loop_free
 *
 * And a client of a running peerup-vpn daemon (peerup/client.h), which needs no loop.
 *
 * Rules for everything in these headers:
 * - Functions that can fail return 0 or a negative PEERUP_E… and hand out results by
 *   trailing pointers, which are untouched on failure.
 * - A loop and what was made on it belong to one thread; different loops know nothing
 *   of each other. Exceptions say so.
 * - Callbacks come from peerup_loop_run(), _step() and _free(), never from inside
 *   another call of yours.
 * - Pointers that a callback gets are borrowed until it returns, except streams.
 * - Peer IDs and addresses are text: "12D3KooW…" and multiaddrs such as
 *   "/ip4/192.0.2.7/udp/4001/quic-v1". */
#ifndef PEERUP_PEERUP_H
#define PEERUP_PEERUP_H

#include "peerup/client.h"
#include "peerup/error.h"
#include "peerup/host.h"
#include "peerup/identity.h"
#include "peerup/loop.h"
#include "peerup/multiaddr.h"
#include "peerup/stream.h"
#include "peerup/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the library that runs, such as "0.1.0". */
PEERUP_API const char *peerup_version(void);

/* The library logs to stderr, from level "info" on, unless told otherwise here: "debug",
 * "info", "warn", "error" or "off". For the whole process; call it before threads use
 * the library. PEERUP_EINVAL. */
PEERUP_API int peerup_log_level(const char *level);
/* Whole lines without the newline, instead of stderr; NULL restores it. As above. */
typedef void peerup_log_fn(void *arg, const char *line, size_t len);
PEERUP_API void peerup_log_to(peerup_log_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif
#endif
