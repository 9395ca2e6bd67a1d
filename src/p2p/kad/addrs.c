#include "p2p/kad/addrs.h"

#include <stdlib.h>

bool pu_kad_addrs_next(const struct pu_kad_addrs *a, size_t *poff, struct pu_bytes *out)
{
	if (*poff >= a->len)
		return false;
	*out = pu_bytes(a->p + *poff + 1, a->p[*poff]);
	*poff += 1 + out->len;
	return true;
}

static bool has(const struct pu_kad_addrs *a, struct pu_bytes addr)
{
	struct pu_bytes known;
	size_t off = 0;

	while (pu_kad_addrs_next(a, &off, &known))
		if (pu_bytes_eq(known, addr))
			return true;
	return false;
}

bool pu_kad_addrs_add(struct pu_kad_addrs *a, const struct pu_kad_peer *from)
{
	size_t before = a->len;

	for (size_t i = 0; i < from->n_addrs; i++) {
		struct pu_bytes addr = from->addrs[i];
		size_t len = a->len + 1 + addr.len;
		uint8_t *p;

		if (addr.len > PU_MULTIADDR_MAX || len > PU_KAD_ADDRS_BYTES || has(a, addr))
			continue;
		p = realloc(a->p, len);
		if (!p)
			break;
		p[a->len] = (uint8_t)addr.len;
		memcpy(p + a->len + 1, addr.p, addr.len);
		a->p = p;
		a->len = len;
	}
	return a->len > before;
}

void pu_kad_addrs_lend(const struct pu_kad_addrs *a, struct pu_kad_peer *out)
{
	size_t off = 0;

	out->n_addrs = 0;
	while (out->n_addrs < PU_KAD_ADDRS_MAX &&
	       pu_kad_addrs_next(a, &off, &out->addrs[out->n_addrs]))
		out->n_addrs++;
}

void pu_kad_addrs_deinit(struct pu_kad_addrs *a)
{
	free(a->p);
	a->p = NULL;
	a->len = 0;
}
