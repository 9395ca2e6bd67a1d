#include "p2p/autonat/target.h"

#include <arpa/inet.h>

enum { OWN_MAX = 64 };

bool pu_autonat_target_same_ip(const struct pu_multiaddr *a, const struct pu_multiaddr *b)
{
	union pu_sockaddr x, y;

	return pu_multiaddr_to_sockaddr(a, &x) == 0 && pu_multiaddr_to_sockaddr(b, &y) == 0 &&
	       pu_sockaddr_same_ip(&x, &y);
}

/* One host, one port, and no other spelling of something else. */
static bool is_plain(const union pu_sockaddr *sa)
{
	if (sa->v4.sin_port == 0) /* at the same place in both families */
		return false;
	if (sa->sa.sa_family == AF_INET)
		return !IN_MULTICAST(ntohl(sa->v4.sin_addr.s_addr)) &&
		       sa->v4.sin_addr.s_addr != INADDR_BROADCAST;
	return !IN6_IS_ADDR_MULTICAST(&sa->v6.sin6_addr) &&
	       !IN6_IS_ADDR_V4MAPPED(&sa->v6.sin6_addr) &&
	       !IN6_IS_ADDR_V4COMPAT(&sa->v6.sin6_addr) && sa->v6.sin6_scope_id == 0;
}

struct ours {
	struct pu_multiaddr ma[OWN_MAX];
	size_t n;
};

static void list_ours(const struct pu_host *h, struct ours *o)
{
	o->n = pu_host_addrs(h, o->ma, OWN_MAX);
	o->n += pu_host_observed_addrs(h, 1, o->ma + o->n, OWN_MAX - o->n);
}

static bool is_our_ip(const struct ours *o, const struct pu_multiaddr *ma)
{
	for (size_t i = 0; i < o->n; i++)
		if (pu_autonat_target_same_ip(&o->ma[i], ma))
			return true;
	return false;
}

/* What we cannot get to says nothing about the peer: for IPv6 one needs an address of the
 * same reach; for IPv4 any, since there is NAT. */
static bool has_way(const struct ours *o, const struct pu_multiaddr *ma)
{
	union pu_sockaddr to, from;

	if (pu_multiaddr_to_sockaddr(ma, &to) < 0)
		return false;
	for (size_t i = 0; i < o->n; i++) {
		if (pu_multiaddr_to_sockaddr(&o->ma[i], &from) < 0 ||
		    from.sa.sa_family != to.sa.sa_family)
			continue;
		if (to.sa.sa_family == AF_INET || !pu_multiaddr_is_public(ma) ||
		    pu_multiaddr_is_public(&o->ma[i]))
			return true;
	}
	return false;
}

bool pu_autonat_target(const struct pu_autonat_target_rules *rules,
		       const struct pu_multiaddr *ma, struct pu_multiaddr *out)
{
	enum pu_ma_kind kind;
	struct pu_multiaddr rest;
	union pu_sockaddr sa;
	struct pu_peerid id;
	struct ours ours;
	bool own;

	if (ma->len == 0 || pu_multiaddr_has(ma, PU_MA_P2P_CIRCUIT))
		return false;
	if (pu_multiaddr_split_peer(ma, &rest, &id) == 0 &&
	    !pu_peerid_eq(&id, &rules->asker->peer))
		return false;
	kind = pu_multiaddr_kind(&rest);
	if ((kind != PU_MA_KIND_TCP && kind != PU_MA_KIND_QUIC) ||
	    pu_multiaddr_to_sockaddr(&rest, &sa) < 0 || !is_plain(&sa) ||
	    pu_multiaddr_is_unspecified(&rest))
		return false;
	if (!pu_multiaddr_is_public(&rest) && !rules->private_addrs)
		return false;
	/* Two nodes on one machine, in a lab, may ask about what they share. */
	list_ours(rules->h, &ours);
	own = pu_multiaddr_is_loopback(&rest) || is_our_ip(&ours, &rest);
	if (own && !(rules->private_addrs &&
		     pu_autonat_target_same_ip(&rest, &rules->asker->remote)))
		return false;
	if (!has_way(&ours, &rest))
		return false;
	*out = rest;
	return true;
}
