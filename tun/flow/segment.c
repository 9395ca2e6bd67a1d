#include "tun/flow/segment.h"

#include "base/wire.h"
#include "tun/headers.h"
#include "tun/vnet.h"

enum {
	HOP_LIMIT = 64,
	MSS_DEFAULT4 = 536,  /* RFC 9293, 3.7.1 */
	MSS_DEFAULT6 = 1220,
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_MSS_LEN = 4,
};

static void put_ip4(uint8_t *p, size_t total, const void *src, const void *dst)
{
	memset(p, 0, IPV4_MIN);
	p[0] = 0x45;
	pu_put_be16(p + IPV4_LEN, (uint16_t)total);
	pu_put_be16(p + IPV4_FRAG, IPV4_DF);
	p[IPV4_TTL] = HOP_LIMIT;
	p[IPV4_PROTO] = PROTO_TCP;
	memcpy(p + IPV4_SRC, src, 4);
	memcpy(p + IPV4_DST, dst, 4);
	pu_put_be16(p + IPV4_CSUM, (uint16_t)~pu_csum_fold(pu_csum_add(0, p, IPV4_MIN)));
}

static void put_ip6(uint8_t *p, size_t payload, const void *src, const void *dst)
{
	memset(p, 0, IPV6_MIN);
	p[0] = 0x60;
	pu_put_be16(p + IPV6_LEN, (uint16_t)payload);
	p[IPV6_NEXT] = PROTO_TCP;
	p[IPV6_HOPS] = HOP_LIMIT;
	memcpy(p + IPV6_SRC, src, 16);
	memcpy(p + IPV6_DST, dst, 16);
}

size_t pu_flow_segment_to_stack(uint8_t *out, const uint8_t *ip, const struct pu_packet *info,
				uint32_t from)
{
	size_t payload = (size_t)info->total_len - info->ip_len - info->transport_len;
	bool syn = info->tcp_flags & TCP_FLAG_SYN;
	size_t tcp_len = syn ? info->transport_len : TCP_MIN;
	uint8_t src[4], dst[4], *tcp = out + IPV4_MIN;

	pu_put_be32(src, from);
	pu_put_be32(dst, PU_FLOW_STACK_ADDR);
	put_ip4(out, IPV4_MIN + tcp_len + payload, src, dst);
	memcpy(tcp, ip + info->ip_len, tcp_len);
	pu_put_be16(tcp + 2, PU_FLOW_STACK_PORT);
	tcp[TCP_OFFSET] = (uint8_t)(tcp_len / 4 << 4);
	pu_put_be16(tcp + TCP_CSUM, 0);
	return IPV4_MIN + tcp_len;
}

void pu_flow_segment_complete(uint8_t *packet, size_t len)
{
	uint8_t *tcp = packet + IPV4_MIN;
	size_t tcp_len = len - IPV4_MIN;
	uint64_t sum;

	pu_put_be16(tcp + TCP_CSUM, 0);
	sum = pu_csum_add(pu_csum_pseudo(packet, PROTO_TCP, tcp_len), tcp, tcp_len);
	pu_put_be16(tcp + TCP_CSUM, (uint16_t)~pu_csum_fold(sum));
}

static void put_vnet(uint8_t *p, const uint8_t *ip, size_t ip_len, size_t tcp_len, size_t payload,
		     uint16_t mss)
{
	struct virtio_net_hdr v = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.hdr_len = (uint16_t)(ip_len + tcp_len),
		.csum_start = (uint16_t)ip_len,
		.csum_offset = TCP_CSUM,
	};

	if (payload > mss) {
		v.gso_type = ip[0] >> 4 == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
		v.gso_size = mss;
	}
	memcpy(p, &v, sizeof v);
}

size_t pu_flow_segment_to_device(uint8_t *out, const uint8_t *packet, size_t len,
				 const struct pu_flow_tuple *t, uint16_t mss, size_t *pskip)
{
	size_t ip_len = t->local.version == 4 ? IPV4_MIN : IPV6_MIN;
	uint8_t *ip = out + PU_TUN_VNET_LEN, *tcp = ip + ip_len;
	size_t head, rest;

	if (len < IPV4_MIN + TCP_MIN)
		return 0;
	rest = len - IPV4_MIN;
	head = (size_t)(packet[IPV4_MIN + TCP_OFFSET] >> 4) * 4;
	if (head < TCP_MIN || head > rest || rest + ip_len > PU_PKT_MAX)
		return 0;
	if (t->local.version == 4)
		put_ip4(ip, ip_len + rest, t->remote.b, t->local.b);
	else
		put_ip6(ip, rest, t->remote.b, t->local.b);
	memcpy(tcp, packet + IPV4_MIN, head);
	pu_put_be16(tcp, t->remote_port);
	pu_put_be16(tcp + 2, t->local_port);
	pu_put_be16(tcp + TCP_CSUM, pu_csum_fold(pu_csum_pseudo(ip, PROTO_TCP, rest)));
	put_vnet(out, ip, ip_len, head, rest - head, mss);
	*pskip = IPV4_MIN + head;
	return PU_TUN_VNET_LEN + ip_len + head;
}

uint16_t pu_flow_segment_mss(const uint8_t *ip, const struct pu_packet *info)
{
	uint16_t mss = info->src.version == 4 ? MSS_DEFAULT4 : MSS_DEFAULT6;
	struct pu_rd r = pu_rd_init(ip + info->ip_len + TCP_MIN, info->transport_len - TCP_MIN);

	while (r.left > 0 && !r.err) {
		uint8_t kind = pu_rd_u8(&r), len;

		if (kind == OPT_END)
			break;
		if (kind == OPT_NOP)
			continue;
		len = pu_rd_u8(&r);
		if (len < 2)
			break;
		if (kind == OPT_MSS && len == OPT_MSS_LEN) {
			uint16_t v = pu_rd_be16(&r);

			mss = r.err ? mss : v;
			break;
		}
		pu_rd_bytes(&r, len - 2u);
	}
	return mss < PU_FLOW_MSS_MIN ? PU_FLOW_MSS_MIN : mss;
}
