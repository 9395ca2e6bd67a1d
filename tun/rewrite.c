#include "tun/packet.h"

#include "base/wire.h"
#include "tun/headers.h"

/* What a checksum must be told: new words plus the complement of the old ones
 * (RFC 1624, equation 3). Zero: nothing changed. */
static uint64_t put_addr(uint8_t *field, const struct pu_ip *to, unsigned version)
{
	size_t len = version == 4 ? 4 : 16;
	uint64_t old;

	if (!to || to->version != version || memcmp(field, to->b, len) == 0)
		return 0;
	old = pu_csum_fold(pu_csum_add(0, field, len));
	memcpy(field, to->b, len);
	return pu_csum_add(0xffff - old, field, len);
}

static void update_complete(uint8_t *field, uint64_t delta)
{
	uint16_t v = pu_get_be16(field);

	pu_put_be16(field, (uint16_t)~pu_csum_fold((uint16_t)~v + delta));
}

static void update_partial(uint8_t *field, uint64_t delta)
{
	pu_put_be16(field, pu_csum_fold(pu_get_be16(field) + delta));
}

static void update_udp(uint8_t *field, uint64_t delta)
{
	if (pu_get_be16(field) == 0) /* the sender made none */
		return;
	update_complete(field, delta);
	if (pu_get_be16(field) == 0)
		pu_put_be16(field, 0xffff);
}

/* False when the field is not at hand. */
static bool has_field(const struct pu_packet *k, unsigned off)
{
	return k->seen >= k->ip_len + off + 2;
}

static void update_transport(uint8_t *p, const struct pu_packet *k, unsigned flags, uint64_t delta)
{
	bool partial = flags & PU_PKT_CSUM_PARTIAL;
	uint8_t *t = p + k->ip_len;

	if (k->proto == PROTO_TCP && has_field(k, TCP_CSUM))
		(partial ? update_partial : update_complete)(t + TCP_CSUM, delta);
	else if (k->proto == PROTO_UDP && has_field(k, UDP_CSUM))
		(partial ? update_partial : update_udp)(t + UDP_CSUM, delta);
	else if (k->proto == PROTO_ICMP6 && k->src.version == 6 && has_field(k, ICMP_CSUM))
		update_complete(t + ICMP_CSUM, delta);
}

static bool is_icmp_error(const struct pu_packet *k)
{
	if (k->fragment || k->transport_len == 0)
		return false;
	if (k->src.version == 6)
		return k->proto == PROTO_ICMP6 && k->icmp_type < ICMP6_INFO_MIN;
	if (k->proto != PROTO_ICMP)
		return false;
	switch (k->icmp_type) {
	case ICMP4_UNREACHABLE:
	case ICMP4_QUENCH:
	case ICMP4_REDIRECT:
	case ICMP4_TIME_EXCEEDED:
	case ICMP4_PARAMETER:
		return true;
	default:
		return false;
	}
}

/* The quoted packet went the other way: its source is what the error's destination
 * was, its destination (unless a router answered) what the error's source was.
 * The quoted transport checksum stays: receivers cannot check it. Returns what the
 * ICMP checksum must be told. */
static uint64_t rewrite_quoted(uint8_t *q, size_t len, const struct pu_packet *k,
			       const struct pu_ip *src, const struct pu_ip *dst)
{
	unsigned version = k->src.version;
	size_t addr_len = version == 4 ? 4 : 16;
	uint8_t *qsrc = q + (version == 4 ? IPV4_SRC : IPV6_SRC);
	uint8_t *qdst = qsrc + addr_len;
	uint64_t delta = 0;

	if (len < (version == 4 ? IPV4_MIN : IPV6_MIN) || q[0] >> 4 != version)
		return 0;
	if (memcmp(qsrc, k->dst.b, addr_len) == 0)
		delta += put_addr(qsrc, dst, version);
	if (memcmp(qdst, k->src.b, addr_len) == 0)
		delta += put_addr(qdst, src, version);
	if (version == 6)
		return delta;
	/* The header checksum absorbs the change: the sum over the quoted header, and
	 * with it the ICMP checksum, stays. */
	update_complete(q + IPV4_CSUM, delta);
	return 0;
}

void pu_packet_rewrite(uint8_t *p, const struct pu_packet *info, unsigned flags,
		       const struct pu_ip *src, const struct pu_ip *dst)
{
	unsigned version = info->src.version;
	uint64_t delta, quoted = 0;

	delta = put_addr(p + (version == 4 ? IPV4_SRC : IPV6_SRC), src, version);
	delta += put_addr(p + (version == 4 ? IPV4_DST : IPV6_DST), dst, version);
	if (delta == 0)
		return;
	if (version == 4)
		update_complete(p + IPV4_CSUM, delta);
	if (is_icmp_error(info)) {
		size_t at = info->ip_len + (size_t)ICMP_HEAD;

		quoted = rewrite_quoted(p + at, info->seen - at, info, src, dst);
	}
	update_transport(p, info, flags, delta + quoted);
}

void pu_packet_complete_checksum(uint8_t *head, size_t head_len, struct pu_bytes body,
				 const struct pu_packet *info)
{
	unsigned off = csum_offset(info->proto);
	size_t at_hand = head_len - info->ip_len;
	uint64_t sum;
	uint16_t rest, v;

	if (off == 0 || head_len < (size_t)info->ip_len + off + 2)
		return;
	sum = pu_csum_add(0, head + info->ip_len, at_hand);
	rest = pu_csum_fold(pu_csum_add(0, body.p, body.len));
	if (at_hand & 1) /* the body's words straddle ours */
		rest = (uint16_t)(rest << 8 | rest >> 8);
	v = (uint16_t)~pu_csum_fold(sum + rest);
	if (v == 0 && info->proto == PROTO_UDP)
		v = 0xffff;
	pu_put_be16(head + info->ip_len + off, v);
}
