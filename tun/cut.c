#include "tun/cut.h"

#include "base/err.h"
#include "base/wire.h"
#include "tun/headers.h"

void pu_tun_cutter_init(struct pu_tun_cutter *c, const struct pu_tun_frame *f)
{
	const uint8_t *ip = pu_tun_frame_ip(f);

	*c = (struct pu_tun_cutter){ .frame = f };
	if (f->n_packets == 1)
		return;
	c->pseudo_sum = pu_csum_pseudo(ip, f->info.proto, 0);
	if (f->info.src.version == 4) {
		c->ip_sum = pu_csum_add(0, ip, IPV4_LEN);
		c->ip_sum = pu_csum_add(c->ip_sum, ip + IPV4_FRAG, IPV4_CSUM - IPV4_FRAG);
		c->ip_sum = pu_csum_add(c->ip_sum, ip + IPV4_SRC, f->info.ip_len - IPV4_SRC);
	}
}

/* Packet i of the frame gets its own length and, with IPv4, identification. */
static void fix_ip(const struct pu_tun_cutter *c, uint8_t *head, unsigned i, size_t len)
{
	uint16_t id;

	if (c->frame->info.src.version == 6) {
		pu_put_be16(head + IPV6_LEN, (uint16_t)(len - IPV6_MIN));
		return;
	}
	id = (uint16_t)(pu_get_be16(head + IPV4_ID) + i);
	pu_put_be16(head + IPV4_LEN, (uint16_t)len);
	pu_put_be16(head + IPV4_ID, id);
	pu_put_be16(head + IPV4_CSUM, (uint16_t)~pu_csum_fold(c->ip_sum + len + id));
}

/* CWR answers one congestion signal: first packet only. FIN and PSH are about the
 * end of the data: last packet only. */
static void fix_tcp(uint8_t *t, unsigned i, unsigned n, size_t offset)
{
	pu_put_be32(t + TCP_SEQ, pu_get_be32(t + TCP_SEQ) + (uint32_t)offset);
	if (i > 0)
		t[TCP_FLAGS] &= (uint8_t)~TCP_FLAG_CWR;
	if (i + 1 < n)
		t[TCP_FLAGS] &= (uint8_t)~(TCP_FLAG_FIN | TCP_FLAG_PSH);
}

static void cut_one(const struct pu_tun_cutter *c, struct pu_pkt *pkt, uint8_t *head)
{
	const struct pu_tun_frame *f = c->frame;
	const uint8_t *ip = pu_tun_frame_ip(f);
	size_t offset = (size_t)c->next * f->payload_max;
	size_t n = pu_min(f->payload_max, f->info.total_len - f->head_len - offset);
	size_t transport = f->head_len - f->info.ip_len + n;
	uint8_t *t = head + f->info.ip_len;

	memcpy(head, ip, f->head_len);
	fix_ip(c, head, c->next, f->head_len + n);
	if (f->info.proto == PROTO_TCP)
		fix_tcp(t, c->next, f->n_packets, offset);
	else
		pu_put_be16(t + UDP_LEN, (uint16_t)transport);
	pu_put_be16(t + csum_offset(f->info.proto), pu_csum_fold(c->pseudo_sum + transport));
	*pkt = (struct pu_pkt){ .head = pu_bytes(head, f->head_len),
				.body = pu_bytes(ip + f->head_len + offset, n),
				.flags = f->flags };
}

size_t pu_tun_cutter_next(struct pu_tun_cutter *c, struct pu_pkt *pkt,
			  uint8_t (*head)[PU_TUN_HEAD_MAX], size_t max)
{
	const struct pu_tun_frame *f = c->frame;
	size_t n = 0;

	if (f->n_packets == 1 && c->next == 0 && max > 0) {
		pkt[n++] = (struct pu_pkt){ .head = pu_bytes(pu_tun_frame_ip(f), f->info.total_len),
					    .flags = f->flags };
		c->next++;
	}
	for (; n < max && c->next < f->n_packets; c->next++, n++)
		cut_one(c, &pkt[n], head[n]);
	return n;
}

int pu_tun_cut_frame(struct pu_tun_cut *cut, uint8_t *frame, size_t len)
{
	struct pu_tun_cutter c;
	struct pu_tun_frame f;
	int r = pu_tun_frame_parse(&f, frame, len);

	if (r < 0)
		return r;
	if (f.n_packets > PU_TUN_SEGMENTS_MAX)
		return PU_EPROTO;
	pu_tun_cutter_init(&c, &f);
	return (int)pu_tun_cutter_next(&c, cut->pkt, cut->head, PU_TUN_SEGMENTS_MAX);
}
