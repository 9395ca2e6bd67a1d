#include "peerup/multiaddr.h"

#include "base/err.h"
#include "p2p/addr/multiaddr.h"

_Static_assert((int)PEERUP_ADDR_TEXT_MAX >= (int)PU_MULTIADDR_TEXT_MAX, "room for every address");

int peerup_multiaddr_normalize(const char *text, char *out)
{
	struct pu_multiaddr ma;
	int r = text ? pu_multiaddr_from_text(&ma, text) : PU_EINVAL;

	if (r == 0)
		pu_multiaddr_text(&ma, out);
	return r;
}

int peerup_multiaddr_split(const char *text, char *addr, char *peer)
{
	struct pu_multiaddr ma, rest;
	struct pu_peerid id;
	int r = text ? pu_multiaddr_from_text(&ma, text) : PU_EINVAL;

	if (r == 0)
		r = pu_multiaddr_split_peer(&ma, &rest, &id);
	if (r < 0)
		return r;
	pu_multiaddr_text(&rest, addr);
	pu_peerid_text(&id, peer);
	return 0;
}
