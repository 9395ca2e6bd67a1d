#include "p2p/circuit/addr.h"

#include "base/err.h"

int pu_circuit_addr_split(const struct pu_multiaddr *ma, struct pu_multiaddr *base,
			  struct pu_peerid *relay)
{
	struct pu_multiaddr front = *ma;
	struct pu_ma_part part;
	size_t off = 0, last = 0;

	if (pu_multiaddr_kind(ma) != PU_MA_KIND_CIRCUIT)
		return PU_EINVAL;
	while (pu_multiaddr_next(ma, &off, &part) && off < ma->len)
		last = off;
	front.len = (uint8_t)last;
	return pu_multiaddr_split_peer(&front, base, relay) < 0 ? PU_EINVAL : 0;
}

int pu_circuit_addr_make(const struct pu_multiaddr *base, const struct pu_peerid *relay,
			 struct pu_multiaddr *out)
{
	struct pu_bytes none = { NULL, 0 };
	struct pu_multiaddr ma;
	struct pu_peerid named;
	int r = pu_circuit_addr_split(base, &ma, &named);

	if (r < 0 && pu_multiaddr_split_peer(base, &ma, &named) < 0)
		named = *relay;
	if (!pu_peerid_eq(&named, relay) || pu_multiaddr_has(&ma, PU_MA_P2P_CIRCUIT) ||
	    pu_multiaddr_has(&ma, PU_MA_P2P))
		return PU_EINVAL;
	r = pu_multiaddr_append(&ma, PU_MA_P2P, pu_peerid_bytes(relay));
	if (r == 0)
		r = pu_multiaddr_append(&ma, PU_MA_P2P_CIRCUIT, none);
	if (r == 0)
		*out = ma;
	return r;
}
