/* Multiaddrs that start with an IP address: to and from socket addresses, classes. */
#include "p2p/addr/multiaddr.h"

#include <net/if.h>

#include "base/err.h"
#include "base/wire.h"

/* The IP component in front, behind an optional zone, which is returned as well. */
static bool find_ip(const struct pu_multiaddr *ma, size_t *poff, struct pu_bytes *zone,
		    struct pu_ma_part *ip)
{
	*zone = pu_bytes(NULL, 0);
	if (!pu_multiaddr_next(ma, poff, ip))
		return false;
	if (ip->code == PU_MA_IP6ZONE) {
		*zone = ip->value;
		return pu_multiaddr_next(ma, poff, ip) && ip->code == PU_MA_IP6;
	}
	return ip->code == PU_MA_IP4 || ip->code == PU_MA_IP6;
}

static int scope_of(struct pu_bytes zone, uint32_t *pscope)
{
	char name[IF_NAMESIZE];

	if (zone.len == 0)
		return 0;
	if (zone.len >= sizeof name)
		return PU_EINVAL;
	memcpy(name, zone.p, zone.len);
	name[zone.len] = '\0';
	*pscope = if_nametoindex(name);
	return *pscope ? 0 : PU_EINVAL;
}

int pu_multiaddr_to_sockaddr(const struct pu_multiaddr *ma, union pu_sockaddr *sa)
{
	struct pu_ma_part ip, port;
	struct pu_bytes zone;
	uint32_t scope = 0;
	size_t off = 0;

	if (!find_ip(ma, &off, &zone, &ip) || !pu_multiaddr_next(ma, &off, &port) ||
	    (port.code != PU_MA_TCP && port.code != PU_MA_UDP) || scope_of(zone, &scope) < 0)
		return PU_EINVAL;
	memset(sa, 0, sizeof *sa);
	if (ip.code == PU_MA_IP4) {
		sa->v4.sin_family = AF_INET;
		memcpy(&sa->v4.sin_addr, ip.value.p, 4);
		memcpy(&sa->v4.sin_port, port.value.p, 2);
	} else {
		sa->v6.sin6_family = AF_INET6;
		memcpy(&sa->v6.sin6_addr, ip.value.p, 16);
		memcpy(&sa->v6.sin6_port, port.value.p, 2);
		sa->v6.sin6_scope_id = scope;
	}
	return 0;
}

static int append_ip(struct pu_multiaddr *ma, const union pu_sockaddr *sa, uint16_t *pport)
{
	const uint8_t *b = sa->v6.sin6_addr.s6_addr;

	if (sa->sa.sa_family == AF_INET) {
		*pport = ntohs(sa->v4.sin_port);
		return pu_multiaddr_append(ma, PU_MA_IP4, pu_bytes(&sa->v4.sin_addr, 4));
	}
	if (sa->sa.sa_family != AF_INET6)
		return PU_EINVAL;
	*pport = ntohs(sa->v6.sin6_port);
	if (IN6_IS_ADDR_V4MAPPED(&sa->v6.sin6_addr))
		return pu_multiaddr_append(ma, PU_MA_IP4, pu_bytes(b + 12, 4));
	return pu_multiaddr_append(ma, PU_MA_IP6, pu_bytes(b, 16));
}

int pu_multiaddr_from_sockaddr(struct pu_multiaddr *ma, const union pu_sockaddr *sa,
			       enum pu_ma_kind kind)
{
	const struct pu_bytes none = { NULL, 0 };
	struct pu_multiaddr made = { 0 };
	uint8_t port_be[2];
	uint16_t port = 0;
	int r;

	if (kind == PU_MA_KIND_OTHER || kind == PU_MA_KIND_CIRCUIT)
		return PU_EINVAL;
	r = append_ip(&made, sa, &port);
	if (r < 0)
		return r;
	pu_put_be16(port_be, port);
	r = pu_multiaddr_append(&made, kind == PU_MA_KIND_QUIC ? PU_MA_UDP : PU_MA_TCP,
				pu_bytes(port_be, 2));
	if (r == 0 && kind == PU_MA_KIND_QUIC)
		r = pu_multiaddr_append(&made, PU_MA_QUIC_V1, none);
	if (r == 0 && kind == PU_MA_KIND_WSS)
		r = pu_multiaddr_append(&made, PU_MA_TLS, none);
	if (r == 0 && (kind == PU_MA_KIND_WS || kind == PU_MA_KIND_WSS))
		r = pu_multiaddr_append(&made, PU_MA_WS, none);
	if (r == 0)
		*ma = made;
	return r;
}

struct prefix {
	uint8_t b[4];
	uint8_t bits;
};

static bool in_prefix(const uint8_t *ip, const struct prefix *p)
{
	uint32_t mask = p->bits ? UINT32_MAX << (32 - p->bits) : 0;

	return ((pu_get_be32(ip) ^ pu_get_be32(p->b)) & mask) == 0;
}

static bool is_public4(const uint8_t *ip)
{
	static const struct prefix special[] = {
		{ { 0, 0, 0, 0 }, 8 },	     { { 10, 0, 0, 0 }, 8 },
		{ { 100, 64, 0, 0 }, 10 },   { { 127, 0, 0, 0 }, 8 },
		{ { 169, 254, 0, 0 }, 16 },  { { 172, 16, 0, 0 }, 12 },
		{ { 192, 0, 0, 0 }, 24 },    { { 192, 0, 2, 0 }, 24 },
		{ { 192, 88, 99, 0 }, 24 },  { { 192, 168, 0, 0 }, 16 },
		{ { 198, 18, 0, 0 }, 15 },   { { 198, 51, 100, 0 }, 24 },
		{ { 203, 0, 113, 0 }, 24 },  { { 224, 0, 0, 0 }, 4 },
		{ { 240, 0, 0, 0 }, 4 },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(special); i++)
		if (in_prefix(ip, &special[i]))
			return false;
	return true;
}

static bool is_public6(const uint8_t *ip)
{
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
	static const uint8_t documentation[4] = { 0x20, 0x01, 0x0d, 0xb8 };

	if (memcmp(ip, nat64, sizeof nat64) == 0)
		return is_public4(ip + 12);
	return (ip[0] & 0xe0) == 0x20 && memcmp(ip, documentation, sizeof documentation) != 0;
}

bool pu_multiaddr_is_public(const struct pu_multiaddr *ma)
{
	struct pu_bytes zone;
	struct pu_ma_part ip;
	size_t off = 0;

	if (!find_ip(ma, &off, &zone, &ip))
		return false;
	return ip.code == PU_MA_IP4 ? is_public4(ip.value.p) : is_public6(ip.value.p);
}

bool pu_multiaddr_is_loopback(const struct pu_multiaddr *ma)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t loopback6[16] = { [15] = 1 };
	struct pu_bytes zone;
	struct pu_ma_part ip;
	size_t off = 0;

	if (!find_ip(ma, &off, &zone, &ip))
		return false;
	if (ip.code == PU_MA_IP4)
		return ip.value.p[0] == 127;
	return memcmp(ip.value.p, loopback6, 16) == 0 ||
	       (memcmp(ip.value.p, mapped, 12) == 0 && ip.value.p[12] == 127);
}

bool pu_multiaddr_is_unspecified(const struct pu_multiaddr *ma)
{
	static const uint8_t zero[16];
	struct pu_bytes zone;
	struct pu_ma_part ip;
	size_t off = 0;

	return find_ip(ma, &off, &zone, &ip) && memcmp(ip.value.p, zero, ip.value.len) == 0;
}

socklen_t pu_sockaddr_len(const union pu_sockaddr *sa)
{
	return sa->sa.sa_family == AF_INET6 ? sizeof sa->v6 : sizeof sa->v4;
}

bool pu_sockaddr_same_ip(const union pu_sockaddr *a, const union pu_sockaddr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr);
}

bool pu_sockaddr_eq(const union pu_sockaddr *a, const union pu_sockaddr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->v4.sin_port == b->v4.sin_port &&
		       a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return a->v6.sin6_port == b->v6.sin6_port &&
	       a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
	       IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr);
}

void pu_multiaddr_from_ip(struct pu_multiaddr *ma, int family, const uint8_t *addr)
{
	bool v4 = family == AF_INET;

	ma->len = 0;
	/* An empty multiaddr has room for any address. */
	(void)pu_multiaddr_append(ma, v4 ? PU_MA_IP4 : PU_MA_IP6, pu_bytes(addr, v4 ? 4 : 16));
}
