/* Names in front of a multiaddr become IP addresses. */
#ifndef PU_P2P_HOST_DIAL_NAMES_H
#define PU_P2P_HOST_DIAL_NAMES_H

#include "p2p/transport/net.h"

struct pu_dial_names;

/* True when the address starts with dns, dns4, dns6 or dnsaddr and is not a circuit. */
bool pu_dial_names_needed(const struct pu_multiaddr *ma);

/* The addresses found, without the peer's /p2p; those of a dnsaddr may start with
 * names themselves. The name of a web server is kept for it as /sni/NAME in front of /ws,
 * also where there is no TLS. err: PU_ENOENT and the like, n 0 then. */
typedef void pu_dial_names_fn(void *arg, int err, const struct pu_multiaddr *ma, size_t n);

/* fn comes later, exactly once unless canceled. Records of a dnsaddr that name
 * another peer are left out. PU_EINVAL, PU_ENOMEM, or what the resolver says. */
int pu_dial_names_start(struct pu_net *net, const struct pu_multiaddr *ma,
			const struct pu_peerid *peer, pu_dial_names_fn *fn, void *arg,
			struct pu_dial_names **pn);
void pu_dial_names_cancel(struct pu_dial_names *dn);

#endif
