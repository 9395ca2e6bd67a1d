/* Addresses of circuits: <relay address>/p2p/<relay>/p2p-circuit. */
#ifndef PU_P2P_CIRCUIT_ADDR_H
#define PU_P2P_CIRCUIT_ADDR_H

#include "p2p/addr/multiaddr.h"

/* The two halves of a circuit's address; *base is empty when it names the relay only.
 * PU_EINVAL: not the address of a circuit, or of one through another circuit. */
int pu_circuit_addr_split(const struct pu_multiaddr *ma, struct pu_multiaddr *base,
			  struct pu_peerid *relay);
/* The other way round. base may end in /p2p/<relay> or be a circuit through that relay
 * already. PU_EINVAL: it names another peer, or the result is too long. out may be base. */
int pu_circuit_addr_make(const struct pu_multiaddr *base, const struct pu_peerid *relay,
			 struct pu_multiaddr *out);

#endif
