#include "tun/packet.h"

#include "base/err.h"
#include "base/wire.h"
#include "tun/headers.h"

enum {
	EXT_HEADERS_MAX = 8,
	EXT_BYTES_MAX = 512,
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_LSRR = 131,
	OPT_SSRR = 137,
};

/* The bytes at hand and the length of the whole packet. */
struct input {
	const uint8_t *p;
	size_t len, total;
};

static int check_options(const uint8_t *p, size_t len)
{
	size_t n;

	for (; len > 0; p += n, len -= n) {
		if (p[0] == OPT_END)
			return 0;
		if (p[0] == OPT_NOP) {
			n = 1;
			continue;
		}
		if (len < 2 || p[1] < 2 || p[1] > len)
			return PU_EPROTO;
		if (p[0] == OPT_LSRR || p[0] == OPT_SSRR)
			return PU_EPROTO;
		n = p[1];
	}
	return 0;
}

static int parse_ipv4(struct pu_packet *k, const struct input *in)
{
	const uint8_t *p = in->p;
	unsigned frag, head;

	if (in->len < IPV4_MIN)
		return PU_EPROTO;
	head = (p[0] & 0xfu) * 4;
	if (head < IPV4_MIN || head > in->len || pu_get_be16(p + IPV4_LEN) != in->total)
		return PU_EPROTO;
	if (pu_csum_fold(pu_csum_add(0, p, head)) != 0xffff ||
	    check_options(p + IPV4_MIN, head - IPV4_MIN) < 0)
		return PU_EPROTO;
	frag = pu_get_be16(p + IPV4_FRAG);
	k->src.version = k->dst.version = 4;
	memcpy(k->src.b, p + IPV4_SRC, 4);
	memcpy(k->dst.b, p + IPV4_DST, 4);
	k->ip_len = (uint16_t)head;
	k->hop_limit = p[IPV4_TTL];
	k->dont_fragment = frag & IPV4_DF;
	k->fragment = frag & (IPV4_MF | IPV4_OFFSET);
	k->proto = frag & IPV4_OFFSET ? PROTO_NONE_SEEN : p[IPV4_PROTO];
	return 0;
}

/* One extension header at off: its length, 0 when next is not one, PU_EPROTO. */
static int ext_header(struct pu_packet *k, const struct input *in, size_t off, uint8_t next)
{
	const uint8_t *p = in->p + off;
	unsigned len;

	if (next != PROTO_HOP_BY_HOP && next != PROTO_ROUTING && next != PROTO_FRAGMENT &&
	    next != PROTO_DEST_OPTIONS)
		return 0;
	if (in->len - off < 8)
		return PU_EPROTO;
	len = next == PROTO_FRAGMENT ? 8 : (p[1] + 1u) * 8;
	if (len > in->len - off || off + len > IPV6_MIN + EXT_BYTES_MAX)
		return PU_EPROTO;
	if (next == PROTO_HOP_BY_HOP && off != IPV6_MIN)
		return PU_EPROTO;
	if (next == PROTO_ROUTING && p[3] != 0) /* segments left */
		return PU_EPROTO;
	if (next == PROTO_FRAGMENT) {
		unsigned frag = pu_get_be16(p + 2);

		k->fragment = frag & 0xfff9; /* offset and M; neither: atomic, RFC 6946 */
		if (frag & 0xfff8)
			k->proto = PROTO_NONE_SEEN;
	}
	return (int)len;
}

static int parse_ipv6(struct pu_packet *k, const struct input *in)
{
	const uint8_t *p = in->p;
	size_t off = IPV6_MIN;
	uint8_t next;

	if (in->len < IPV6_MIN || pu_get_be16(p + IPV6_LEN) + (size_t)IPV6_MIN != in->total)
		return PU_EPROTO;
	k->src.version = k->dst.version = 6;
	memcpy(k->src.b, p + IPV6_SRC, 16);
	memcpy(k->dst.b, p + IPV6_DST, 16);
	k->hop_limit = p[IPV6_HOPS];
	k->dont_fragment = true;
	next = p[IPV6_NEXT];
	for (int i = 0;; i++) {
		int n = ext_header(k, in, off, next);

		if (n < 0 || (n > 0 && i == EXT_HEADERS_MAX))
			return PU_EPROTO;
		if (n == 0)
			break;
		next = p[off];
		off += (size_t)n;
		/* What follows the header of a later fragment is payload. */
		if (k->proto == PROTO_NONE_SEEN)
			break;
	}
	k->ip_len = (uint16_t)off;
	if (k->proto != PROTO_NONE_SEEN)
		k->proto = next;
	return 0;
}

static int parse_tcp(struct pu_packet *k, const uint8_t *p, size_t len, size_t total)
{
	unsigned head;

	if (total < TCP_MIN)
		return PU_EPROTO;
	if (len < TCP_MIN)
		return 0;
	head = (p[TCP_OFFSET] >> 4) * 4u;
	if (head < TCP_MIN || head > total)
		return PU_EPROTO;
	k->sport = pu_get_be16(p);
	k->dport = pu_get_be16(p + 2);
	k->tcp_flags = p[TCP_FLAGS];
	k->transport_len = head <= len ? (uint16_t)head : 0;
	return 0;
}

static int parse_udp(struct pu_packet *k, const uint8_t *p, size_t len, size_t total)
{
	unsigned n;

	if (total < UDP_HEAD)
		return PU_EPROTO;
	if (len < UDP_HEAD)
		return 0;
	n = pu_get_be16(p + UDP_LEN);
	/* A first fragment names the length of the whole datagram. */
	if (n < UDP_HEAD || (!k->fragment && n > total))
		return PU_EPROTO;
	k->sport = pu_get_be16(p);
	k->dport = pu_get_be16(p + 2);
	k->transport_len = UDP_HEAD;
	return 0;
}

static int parse_icmp(struct pu_packet *k, const uint8_t *p, size_t len, size_t total)
{
	if (total < ICMP_HEAD)
		return PU_EPROTO;
	if (len < ICMP_HEAD)
		return 0;
	k->icmp_type = p[0];
	k->icmp_code = p[1];
	k->transport_len = ICMP_HEAD;
	if (pu_packet_is_echo_request(k) || pu_packet_is_echo_reply(k))
		k->sport = pu_get_be16(p + 4);
	return 0;
}

static int parse_transport(struct pu_packet *k, const struct input *in)
{
	const uint8_t *p = in->p + k->ip_len;
	size_t len = in->len - k->ip_len, total = in->total - k->ip_len;

	if (k->proto == PROTO_TCP)
		return parse_tcp(k, p, len, total);
	if (k->proto == PROTO_UDP)
		return parse_udp(k, p, len, total);
	if (k->proto == (k->src.version == 4 ? PROTO_ICMP : PROTO_ICMP6))
		return parse_icmp(k, p, len, total);
	return 0;
}

int pu_packet_parse(struct pu_packet *out, const uint8_t *p, size_t len, size_t total)
{
	struct input in = { p, len, total };
	struct pu_packet k = { 0 };
	int r = PU_EPROTO;

	if (len == 0 || len > total || total > PU_PKT_MAX)
		return PU_EPROTO;
	k.total_len = (uint16_t)total;
	k.seen = (uint16_t)len;
	if (p[0] >> 4 == 4)
		r = parse_ipv4(&k, &in);
	else if (p[0] >> 4 == 6)
		r = parse_ipv6(&k, &in);
	if (r == 0)
		r = parse_transport(&k, &in);
	if (r < 0)
		return r;
	*out = k;
	return 0;
}

static bool is_icmp(const struct pu_packet *k, uint8_t type4, uint8_t type6)
{
	if (k->fragment || k->transport_len == 0 || k->icmp_code != 0)
		return false;
	if (k->src.version == 4)
		return k->proto == PROTO_ICMP && k->icmp_type == type4;
	return k->proto == PROTO_ICMP6 && k->icmp_type == type6;
}

bool pu_packet_is_echo_request(const struct pu_packet *info)
{
	return is_icmp(info, ICMP4_ECHO, ICMP6_ECHO);
}

bool pu_packet_is_echo_reply(const struct pu_packet *info)
{
	return is_icmp(info, ICMP4_ECHO_REPLY, ICMP6_ECHO_REPLY);
}
