#include "tun/frame.h"

#include "base/err.h"
#include "base/wire.h"
#include "tun/headers.h"
#include "tun/offload.h"
#include "tun/vnet.h"

/* True when the checksum left to us is the one that PU_PKT_CSUM_PARTIAL means. */
static bool is_transport_csum(const struct pu_tun_frame *f, const struct virtio_net_hdr *v)
{
	const struct pu_packet *k = &f->info;
	unsigned off = csum_offset(k->proto);

	if (off == 0 || k->fragment || k->transport_len == 0)
		return false;
	if (v->csum_start != k->ip_len || v->csum_offset != off)
		return false;
	/* The far kernel will sum to the end of the packet. */
	return k->proto != PROTO_UDP ||
	       pu_get_be16(pu_tun_frame_ip(f) + k->ip_len + UDP_LEN) == k->total_len - k->ip_len;
}

static int complete_other(struct pu_tun_frame *f, struct virtio_net_hdr *v)
{
	uint8_t *ip = pu_tun_frame_ip(f);
	size_t at = (size_t)v->csum_start + v->csum_offset;
	uint16_t sum;

	if (v->csum_start < f->info.ip_len || at + 2 > f->info.total_len)
		return PU_EPROTO;
	sum = (uint16_t)~pu_csum_fold(
		pu_csum_add(0, ip + v->csum_start, f->info.total_len - v->csum_start));
	/* 0 means "none" to UDP and is the same number to everybody else. */
	pu_put_be16(ip + at, sum ? sum : 0xffff);
	v->flags &= (uint8_t)~VIRTIO_NET_HDR_F_NEEDS_CSUM;
	memcpy(f->base, v, sizeof *v);
	/* The field may lie anywhere, in what was parsed too. */
	return pu_packet_parse(&f->info, ip, f->info.total_len, f->info.total_len);
}

/* What the offload says must agree with the headers. */
static bool gso_fits(const struct pu_packet *k, const struct virtio_net_hdr *v)
{
	bool tcp = k->proto == PROTO_TCP && !(k->tcp_flags & (TCP_FLAG_SYN | TCP_FLAG_RST));

	switch (v->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return tcp && k->src.version == 4;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return tcp && k->src.version == 6;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		return k->proto == PROTO_UDP;
	default:
		return false;
	}
}

static int check_gso(struct pu_tun_frame *f, const struct virtio_net_hdr *v)
{
	const struct pu_packet *k = &f->info;
	unsigned payload;

	/* A partial checksum was checked to be of an unfragmented TCP or UDP packet
	 * whose transport header is at hand. */
	if (!(f->flags & PU_PKT_CSUM_PARTIAL) || !gso_fits(k, v) || v->gso_size == 0)
		return PU_EPROTO;
	if (f->head_len > PU_TUN_HEAD_MAX)
		return PU_EPROTO;
	payload = k->total_len - f->head_len;
	if (payload <= v->gso_size)
		return 0;
	f->payload_max = v->gso_size;
	f->n_packets = (payload + v->gso_size - 1) / v->gso_size;
	f->packet_max = f->head_len + v->gso_size;
	return 0;
}

int pu_tun_frame_parse(struct pu_tun_frame *f, uint8_t *base, size_t len)
{
	struct virtio_net_hdr v;
	int r;

	if (len <= sizeof v || len > PU_TUN_FRAME_MAX)
		return PU_EPROTO;
	memcpy(&v, base, sizeof v);
	*f = (struct pu_tun_frame){ .base = base, .len = len, .n_packets = 1 };
	r = pu_packet_parse(&f->info, base + sizeof v, len - sizeof v, len - sizeof v);
	if (r < 0)
		return r;
	if (v.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (is_transport_csum(f, &v))
			f->flags |= PU_PKT_CSUM_PARTIAL;
		else if (v.gso_type != VIRTIO_NET_HDR_GSO_NONE)
			return PU_EPROTO;
		else
			r = complete_other(f, &v);
	}
	if (r < 0)
		return r;
	f->head_len = f->info.ip_len + f->info.transport_len;
	f->packet_max = f->info.total_len;
	return v.gso_type == VIRTIO_NET_HDR_GSO_NONE ? 0 : check_gso(f, &v);
}
