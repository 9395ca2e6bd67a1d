#include "p2p/discovery/mdns_addrs.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { HOST_ADDRS_MAX = 64 };

static bool ip_of(const struct pu_multiaddr *ma, struct pu_ma_part *ip)
{
	size_t off = 0;

	return pu_multiaddr_next(ma, &off, ip) && (ip->code == PU_MA_IP4 || ip->code == PU_MA_IP6);
}

bool pu_mdns_addrs_sockaddr(const struct pu_mdns_addrs *a, size_t i, union pu_sockaddr *sa)
{
	struct pu_ma_part ip;

	memset(sa, 0, sizeof *sa);
	if (!ip_of(&a->ip[i], &ip) || pu_multiaddr_is_loopback(&a->ip[i]))
		return false;
	sa->sa.sa_family = ip.code == PU_MA_IP4 ? AF_INET : AF_INET6;
	if (ip.code == PU_MA_IP4)
		memcpy(&sa->v4.sin_addr, ip.value.p, ip.value.len);
	else
		memcpy(&sa->v6.sin6_addr, ip.value.p, ip.value.len);
	return true;
}

bool pu_mdns_addrs_set(struct pu_mdns_addrs *a, struct pu_net *net, const struct pu_multiaddr *ip,
		       size_t n)
{
	bool changed;

	n = pu_min(n, PU_MDNS_INTERFACES_MAX);
	changed = n != a->n;
	a->n = n;
	for (size_t i = 0; i < n; i++) {
		union pu_sockaddr sa;
		unsigned ifindex;

		changed |= !pu_multiaddr_eq(&a->ip[i], &ip[i]);
		a->ip[i] = ip[i];
		ifindex = pu_mdns_addrs_sockaddr(a, i, &sa) ? net->ops->interface_of(net, &sa) : 0;
		changed |= ifindex != a->ifindex[i];
		a->ifindex[i] = ifindex;
	}
	return changed;
}

/* The number of our interface that has exactly this address; 0: none. */
static unsigned interface_of(const struct pu_mdns_addrs *a, const struct pu_multiaddr *ma)
{
	struct pu_ma_part ip, own;

	if (!ip_of(ma, &ip))
		return 0;
	for (size_t i = 0; i < a->n; i++)
		if (ip_of(&a->ip[i], &own) && own.code == ip.code &&
		    pu_bytes_eq(own.value, ip.value))
			return a->ifindex[i];
	return 0;
}

static bool is_private(const struct pu_ma_part *ip)
{
	const uint8_t *b = ip->value.p;

	if (ip->code == PU_MA_IP6)
		return (b[0] & 0xfe) == 0xfc;
	return b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168) ||
	       (b[0] == 169 && b[1] == 254);
}

/* In the network of one of our addresses, as networks mostly are. */
static bool is_near(const struct pu_mdns_addrs *a, const struct pu_ma_part *ip)
{
	size_t n_bytes = ip->code == PU_MA_IP4 ? 3 : 8;
	struct pu_ma_part own;

	for (size_t i = 0; i < a->n; i++)
		if (ip_of(&a->ip[i], &own) && own.code == ip->code &&
		    memcmp(own.value.p, ip->value.p, n_bytes) == 0)
			return true;
	return false;
}

/* IPv6 link-local addresses mean nothing without an interface, and theirs is not ours. */
static bool is_direct(const struct pu_multiaddr *ma)
{
	enum pu_ma_kind kind = pu_multiaddr_kind(ma);
	struct pu_ma_part ip;

	if ((kind != PU_MA_KIND_TCP && kind != PU_MA_KIND_QUIC) || !ip_of(ma, &ip))
		return false;
	return !pu_multiaddr_is_loopback(ma) && !pu_multiaddr_is_unspecified(ma) &&
	       !(ip.code == PU_MA_IP6 && ip.value.p[0] == 0xfe);
}

bool pu_mdns_addrs_believe(const struct pu_mdns_addrs *a, const struct pu_multiaddr *ma)
{
	struct pu_ma_part ip;

	return is_direct(ma) && ip_of(ma, &ip) && (is_private(&ip) || is_near(a, &ip));
}

static bool write_text(const struct pu_host *h, const struct pu_multiaddr *ma,
		       char out[PU_MDNS_TEXT_MAX + 1])
{
	struct pu_multiaddr full = *ma;
	char text[PU_MULTIADDR_TEXT_MAX];
	int n;

	if (pu_multiaddr_append(&full, PU_MA_P2P, pu_peerid_bytes(pu_host_id(h))) < 0)
		return false;
	n = snprintf(out, PU_MDNS_TEXT_MAX + 1, "dnsaddr=%s", pu_multiaddr_text(&full, text));
	return n > 0 && n <= PU_MDNS_TEXT_MAX;
}

void pu_mdns_addrs_tell(const struct pu_mdns_addrs *a, const struct pu_host *h, unsigned ifindex,
			struct pu_mdns_tell *out)
{
	struct pu_multiaddr ma[HOST_ADDRS_MAX];
	size_t n = pu_host_addrs(h, ma, PU_ARRAY_LEN(ma));

	out->n = 0;
	out->port = 0;
	for (size_t i = 0; i < n && out->n < PU_MDNS_TELL_MAX; i++) {
		union pu_sockaddr sa;

		if (!is_direct(&ma[i]) || interface_of(a, &ma[i]) != ifindex ||
		    pu_multiaddr_to_sockaddr(&ma[i], &sa) < 0 ||
		    !write_text(h, &ma[i], out->text[out->n]))
			continue;
		/* The port is at the same place in both families. */
		if (out->n == 0)
			out->port = ntohs(sa.v4.sin_port);
		out->span[out->n] = pu_bytes_str(out->text[out->n]);
		out->n++;
	}
}

uint64_t pu_mdns_addrs_digest(const struct pu_mdns_addrs *a, const struct pu_host *h)
{
	struct pu_multiaddr ma[HOST_ADDRS_MAX];
	size_t n = pu_host_addrs(h, ma, PU_ARRAY_LEN(ma));
	uint64_t sum = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++) {
		unsigned ifindex = is_direct(&ma[i]) ? interface_of(a, &ma[i]) : 0;

		if (!ifindex)
			continue;
		sum = (sum ^ ifindex) * 0x100000001b3u;
		for (size_t k = 0; k < ma[i].len; k++)
			sum = (sum ^ ma[i].b[k]) * 0x100000001b3u;
	}
	return sum;
}
