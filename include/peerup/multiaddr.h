/* Multiaddrs as text. */
#ifndef PEERUP_MULTIADDR_H
#define PEERUP_MULTIADDR_H

#include "peerup/error.h"
#include "peerup/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The canonical text; out has PEERUP_ADDR_TEXT_MAX bytes and may be text itself.
 * PEERUP_EINVAL: malformed, too long, or with an unknown protocol. */
PEERUP_API int peerup_multiaddr_normalize(const char *text, char *out);
/* Cuts "/p2p/<peer id>" off the end: the rest goes to addr (PEERUP_ADDR_TEXT_MAX bytes,
 * "" when nothing else is there), the ID to peer (PEERUP_PEER_TEXT_MAX). PEERUP_EINVAL;
 * PEERUP_ENOENT when it does not end so. */
PEERUP_API int peerup_multiaddr_split(const char *text, char *addr, char *peer);

#ifdef __cplusplus
}
#endif
#endif
