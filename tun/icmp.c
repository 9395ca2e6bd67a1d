#include "tun/packet.h"

#include "base/err.h"
#include "base/wire.h"
#include "tun/headers.h"

enum {
	ERROR4_MAX = 576, /* RFC 1812, 4.3.2.3 */
	ERROR_TTL = 64,
	TOS_INTERNET_CONTROL = 0xc0, /* RFC 1812, 4.3.2.5 */
};

/* Type and code of an error in both families. */
struct error_kind {
	uint8_t type4, code4, type6, code6;
};

static struct error_kind kind_of(enum pu_icmp_error what)
{
	static const struct error_kind kinds[] = {
		[PU_ICMP_NO_ROUTE] = { ICMP4_UNREACHABLE, 0, ICMP6_UNREACHABLE, 0 },
		[PU_ICMP_HOST_UNREACHABLE] = { ICMP4_UNREACHABLE, 1, ICMP6_UNREACHABLE, 3 },
		[PU_ICMP_PORT_UNREACHABLE] = { ICMP4_UNREACHABLE, 3, ICMP6_UNREACHABLE, 4 },
		[PU_ICMP_NOT_ALLOWED] = { ICMP4_UNREACHABLE, 13, ICMP6_UNREACHABLE, 1 },
		[PU_ICMP_TOO_BIG] = { ICMP4_UNREACHABLE, 4, ICMP6_TOO_BIG, 0 },
		[PU_ICMP_TIME_EXCEEDED] = { ICMP4_TIME_EXCEEDED, 0, ICMP6_TIME_EXCEEDED, 0 },
	};

	return kinds[what];
}

/* RFC 1122, 3.2.2: not about errors, later fragments, or packets from or to what
 * is not a single host. Unknown types count as errors: we cannot tell. */
static bool may_answer4(const struct pu_packet *k)
{
	if (k->proto == PROTO_NONE_SEEN)
		return false;
	if (k->proto == PROTO_ICMP) {
		switch (k->icmp_type) {
		case ICMP4_ECHO:
		case ICMP4_ECHO_REPLY:
		case 9: /* router advertisement, solicitation */
		case 10:
		case 13: /* timestamp and reply */
		case 14:
			break;
		default:
			return false;
		}
		if (k->transport_len == 0)
			return false;
	}
	if (k->dst.b[0] >= 224 || k->dst.b[0] == 0)
		return false;
	return k->src.b[0] != 0 && k->src.b[0] != 127 && k->src.b[0] < 224;
}

/* RFC 4443, 2.4 (e). A later fragment may be of an error: we cannot tell. "Too big"
 * may answer multicast. */
static bool may_answer6(const struct pu_packet *k, enum pu_icmp_error what)
{
	static const uint8_t zero[16];

	if (k->proto == PROTO_NONE_SEEN)
		return false;
	if (k->proto == PROTO_ICMP6 &&
	    (k->transport_len == 0 || k->icmp_type < ICMP6_INFO_MIN ||
	     k->icmp_type == ICMP6_REDIRECT))
		return false;
	if (k->dst.b[0] == 0xff && what != PU_ICMP_TOO_BIG)
		return false;
	return k->src.b[0] != 0xff && memcmp(k->src.b, zero, sizeof zero) != 0;
}

static bool too_big_makes_sense(const struct pu_packet *k)
{
	return k->src.version == 4 ? k->dont_fragment : k->total_len > PU_IPV6_MIN_MTU;
}

static void put_ipv4(uint8_t *out, size_t len, uint8_t proto, const uint8_t *src,
		     const uint8_t *dst)
{
	memset(out, 0, IPV4_MIN);
	out[0] = 0x45;
	pu_put_be16(out + IPV4_LEN, (uint16_t)len);
	/* Never fragmented, so the identification may stay 0 (RFC 6864). */
	pu_put_be16(out + IPV4_FRAG, IPV4_DF);
	out[IPV4_TTL] = ERROR_TTL;
	out[IPV4_PROTO] = proto;
	memcpy(out + IPV4_SRC, src, 4);
	memcpy(out + IPV4_DST, dst, 4);
}

static void put_ipv6(uint8_t *out, size_t len, uint8_t proto, const uint8_t *src,
		     const uint8_t *dst)
{
	memset(out, 0, IPV6_MIN);
	out[0] = 0x60;
	pu_put_be16(out + IPV6_LEN, (uint16_t)(len - IPV6_MIN));
	out[IPV6_NEXT] = proto;
	out[IPV6_HOPS] = ERROR_TTL;
	memcpy(out + IPV6_SRC, src, 16);
	memcpy(out + IPV6_DST, dst, 16);
}

static void put_csum4(uint8_t *out)
{
	pu_put_be16(out + IPV4_CSUM, (uint16_t)~pu_csum_fold(pu_csum_add(0, out, IPV4_MIN)));
}

static int error4(uint8_t *out, struct pu_bytes quote, const struct pu_packet *k,
		  enum pu_icmp_error what, uint32_t mtu, const struct pu_ip *from)
{
	size_t n = pu_min(quote.len, ERROR4_MAX - IPV4_MIN - ICMP_HEAD);
	uint8_t *icmp = out + IPV4_MIN;
	struct error_kind kind = kind_of(what);

	put_ipv4(out, IPV4_MIN + ICMP_HEAD + n, PROTO_ICMP, from->b, k->src.b);
	out[IPV4_TOS] = TOS_INTERNET_CONTROL;
	put_csum4(out);
	memset(icmp, 0, ICMP_HEAD);
	icmp[0] = kind.type4;
	icmp[1] = kind.code4;
	if (what == PU_ICMP_TOO_BIG)
		pu_put_be16(icmp + 6, (uint16_t)pu_min(mtu, PU_PKT_MAX));
	memcpy(icmp + ICMP_HEAD, quote.p, n);
	pu_put_be16(icmp + ICMP_CSUM, (uint16_t)~pu_csum_fold(pu_csum_add(0, icmp, ICMP_HEAD + n)));
	return (int)(IPV4_MIN + ICMP_HEAD + n);
}

static int error6(uint8_t *out, struct pu_bytes quote, const struct pu_packet *k,
		  enum pu_icmp_error what, uint32_t mtu, const struct pu_ip *from)
{
	size_t n = pu_min(quote.len, PU_ICMP_ERROR_MAX - IPV6_MIN - ICMP_HEAD);
	uint8_t *icmp = out + IPV6_MIN;
	struct error_kind kind = kind_of(what);
	uint64_t sum;

	put_ipv6(out, IPV6_MIN + ICMP_HEAD + n, PROTO_ICMP6, from->b, k->src.b);
	memset(icmp, 0, ICMP_HEAD);
	icmp[0] = kind.type6;
	icmp[1] = kind.code6;
	if (what == PU_ICMP_TOO_BIG)
		pu_put_be32(icmp + 4, (uint32_t)pu_max(mtu, PU_IPV6_MIN_MTU));
	memcpy(icmp + ICMP_HEAD, quote.p, n);
	sum = pu_csum_pseudo(out, PROTO_ICMP6, ICMP_HEAD + n);
	pu_put_be16(icmp + ICMP_CSUM,
		    (uint16_t)~pu_csum_fold(pu_csum_add(sum, icmp, ICMP_HEAD + n)));
	return (int)(IPV6_MIN + ICMP_HEAD + n);
}

int pu_packet_icmp_error(uint8_t *out, const uint8_t *p, size_t len, const struct pu_packet *info,
			 enum pu_icmp_error what, uint32_t mtu, const struct pu_ip *from)
{
	struct pu_bytes quote = pu_bytes(p, len);

	if (from->version != info->src.version)
		return PU_EINVAL;
	if (what == PU_ICMP_TOO_BIG && !too_big_makes_sense(info))
		return PU_EDENIED;
	if (info->src.version == 4)
		return may_answer4(info) ? error4(out, quote, info, what, mtu, from) : PU_EDENIED;
	return may_answer6(info, what) ? error6(out, quote, info, what, mtu, from) : PU_EDENIED;
}

static void swap(uint8_t *a, uint8_t *b, size_t len)
{
	uint8_t t[16];

	memcpy(t, a, len);
	memcpy(a, b, len);
	memcpy(b, t, len);
}

/* Swapping addresses changes no sum; only the type and the hop limit do. */
void pu_packet_make_echo_reply(uint8_t *p, size_t len, const struct pu_packet *info)
{
	uint8_t *icmp = p + info->ip_len;
	uint16_t v;

	if (len < (size_t)info->ip_len + ICMP_HEAD)
		return;
	v = (uint16_t)~pu_get_be16(icmp + ICMP_CSUM);
	if (info->src.version == 4) {
		swap(p + IPV4_SRC, p + IPV4_DST, 4);
		p[IPV4_TTL] = ERROR_TTL;
		pu_put_be16(p + IPV4_CSUM, 0);
		pu_put_be16(p + IPV4_CSUM,
			    (uint16_t)~pu_csum_fold(pu_csum_add(0, p, info->ip_len)));
		icmp[0] = ICMP4_ECHO_REPLY;
		v = pu_csum_fold((uint64_t)v + (0xffff - (ICMP4_ECHO << 8)));
	} else {
		swap(p + IPV6_SRC, p + IPV6_DST, 16);
		p[IPV6_HOPS] = ERROR_TTL;
		icmp[0] = ICMP6_ECHO_REPLY;
		v = pu_csum_fold((uint64_t)v + ((ICMP6_ECHO_REPLY - ICMP6_ECHO) << 8));
	}
	pu_put_be16(icmp + ICMP_CSUM, (uint16_t)~v);
}
