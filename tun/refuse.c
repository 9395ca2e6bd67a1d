#include "tun/packet.h"

#include "base/err.h"
#include "base/wire.h"
#include "tun/headers.h"

enum { RESET_TTL = 64 };

/* RFC 9293, 3.10.7.1: a reset of an acknowledged segment takes its sequence number
 * from there; otherwise it acknowledges all the segment occupied. */
static void put_reset(uint8_t *t, const uint8_t *from, const struct pu_packet *k)
{
	uint32_t occupied = (uint32_t)(k->total_len - k->ip_len - k->transport_len);

	memset(t, 0, TCP_MIN);
	memcpy(t, from + 2, 2);
	memcpy(t + 2, from, 2);
	t[TCP_OFFSET] = TCP_MIN / 4 << 4;
	if (k->tcp_flags & TCP_FLAG_ACK) {
		memcpy(t + TCP_SEQ, from + TCP_ACK, 4);
		t[TCP_FLAGS] = TCP_FLAG_RST;
		return;
	}
	occupied += !!(k->tcp_flags & TCP_FLAG_SYN) + !!(k->tcp_flags & TCP_FLAG_FIN);
	pu_put_be32(t + TCP_ACK, pu_get_be32(from + TCP_SEQ) + occupied);
	t[TCP_FLAGS] = TCP_FLAG_RST | TCP_FLAG_ACK;
}

static size_t put_ip(uint8_t *out, const struct pu_packet *k)
{
	if (k->src.version == 6) {
		memset(out, 0, IPV6_MIN);
		out[0] = 0x60;
		pu_put_be16(out + IPV6_LEN, TCP_MIN);
		out[IPV6_NEXT] = PROTO_TCP;
		out[IPV6_HOPS] = RESET_TTL;
		memcpy(out + IPV6_SRC, k->dst.b, 16);
		memcpy(out + IPV6_DST, k->src.b, 16);
		return IPV6_MIN;
	}
	memset(out, 0, IPV4_MIN);
	out[0] = 0x45;
	pu_put_be16(out + IPV4_LEN, IPV4_MIN + TCP_MIN);
	pu_put_be16(out + IPV4_FRAG, IPV4_DF);
	out[IPV4_TTL] = RESET_TTL;
	out[IPV4_PROTO] = PROTO_TCP;
	memcpy(out + IPV4_SRC, k->dst.b, 4);
	memcpy(out + IPV4_DST, k->src.b, 4);
	pu_put_be16(out + IPV4_CSUM, (uint16_t)~pu_csum_fold(pu_csum_add(0, out, IPV4_MIN)));
	return IPV4_MIN;
}

int pu_packet_tcp_refuse(uint8_t *out, const uint8_t *p, const struct pu_packet *info)
{
	uint8_t *t;
	uint64_t sum;

	if (info->proto != PROTO_TCP || info->fragment || info->transport_len == 0 ||
	    (info->tcp_flags & TCP_FLAG_RST))
		return PU_EDENIED;
	t = out + put_ip(out, info);
	put_reset(t, p + info->ip_len, info);
	sum = pu_csum_add(pu_csum_pseudo(out, PROTO_TCP, TCP_MIN), t, TCP_MIN);
	pu_put_be16(t + TCP_CSUM, (uint16_t)~pu_csum_fold(sum));
	return (int)(t - out) + TCP_MIN;
}
