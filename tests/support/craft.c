#include "support/craft.h"

#include <linux/virtio_net.h>

#include "base/wire.h"

uint32_t craft_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)(z >> 32);
}

uint16_t craft_sum(uint32_t start, const uint8_t *p, size_t len)
{
	uint32_t sum = start;

	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* IP header with what belongs to it; proto by reference. */
static size_t head_of(const uint8_t *p, uint8_t *proto)
{
	size_t off = 40;

	if (p[0] >> 4 == 4) {
		*proto = p[9];
		return (p[0] & 0xfu) * 4;
	}
	*proto = p[6];
	while (*proto == 60 || *proto == 0 || *proto == 44) {
		size_t n = *proto == 44 ? 8 : (p[off + 1] + 1u) * 8;

		*proto = p[off];
		off += n;
	}
	return off;
}

static size_t csum_at(uint8_t proto)
{
	return proto == CRAFT_TCP ? 16 : proto == CRAFT_UDP ? 6 : 2;
}

static uint16_t pseudo(const uint8_t *p, uint8_t proto, size_t len)
{
	bool v4 = p[0] >> 4 == 4;
	uint32_t sum = craft_sum(0, p + (v4 ? 12 : 8), v4 ? 8 : 32);

	if (proto == CRAFT_ICMP)
		return 0;
	sum += proto + (uint32_t)len;
	return craft_sum(sum, p, 0);
}

static uint16_t transport_sum(const uint8_t *p, size_t len)
{
	uint8_t proto;
	size_t off = head_of(p, &proto);

	return craft_sum(pseudo(p, proto, len - off), p + off, len - off);
}

static void put_checksums(uint8_t *p, size_t len)
{
	uint8_t proto, *field;
	size_t off = head_of(p, &proto);
	uint16_t v;

	if (p[0] >> 4 == 4) {
		pu_put_be16(p + 10, 0);
		pu_put_be16(p + 10, (uint16_t)~craft_sum(0, p, off));
	}
	field = p + off + csum_at(proto);
	pu_put_be16(field, 0);
	v = (uint16_t)~transport_sum(p, len);
	pu_put_be16(field, v == 0 && proto == CRAFT_UDP ? 0xffff : v);
}

static uint8_t *put_ip(uint8_t *out, const struct craft *c, size_t transport)
{
	size_t head = (c->version == 4 ? 20u : 40u) + c->ip_options;

	memset(out, 0, head);
	if (c->version == 4) {
		out[0] = (uint8_t)(0x40 | head / 4);
		pu_put_be16(out + 2, (uint16_t)(head + transport));
		pu_put_be16(out + 4, c->id);
		pu_put_be16(out + 6, c->df ? 0x4000 : 0);
		out[8] = 64;
		out[9] = c->proto;
		memcpy(out + 12, (uint8_t[]){ 10, 64, 1, c->src, 10, 64, 1, c->dst }, 8);
		memset(out + 20, 1, c->ip_options); /* no-operation */
		return out + head;
	}
	out[0] = 0x60;
	pu_put_be16(out + 4, (uint16_t)(c->ip_options + transport));
	out[6] = c->ip_options ? 60 : c->proto;
	out[7] = 64;
	out[8] = out[24] = 0xfd;
	out[23] = c->src;
	out[39] = c->dst;
	if (c->ip_options) {
		out[40] = c->proto;
		out[41] = (uint8_t)(c->ip_options / 8 - 1);
		out[42] = 1; /* PadN */
		out[43] = (uint8_t)(c->ip_options - 4);
	}
	return out + head;
}

static size_t put_transport(uint8_t *t, const struct craft *c, uint64_t *rnd)
{
	pu_put_be16(t, c->sport);
	pu_put_be16(t + 2, c->dport);
	if (c->proto == CRAFT_UDP) {
		pu_put_be16(t + 4, (uint16_t)(8 + c->payload));
		return 8;
	}
	if (c->proto != CRAFT_TCP) {
		memset(t, 0, 8);
		t[0] = c->icmp_type;
		t[1] = c->icmp_code;
		pu_put_be16(t + 4, c->sport);
		pu_put_be16(t + 6, (uint16_t)c->seq);
		return 8;
	}
	pu_put_be32(t + 4, c->seq);
	pu_put_be32(t + 8, c->ack);
	t[12] = (uint8_t)((20 + c->tcp_options) / 4 << 4);
	t[13] = c->tcp_flags;
	pu_put_be16(t + 14, c->window);
	pu_put_be32(t + 16, 0);
	for (unsigned i = 0; i < c->tcp_options; i++)
		t[20 + i] = (uint8_t)craft_random(rnd);
	return 20u + c->tcp_options;
}

size_t craft_packet(uint8_t *out, const struct craft *c)
{
	uint64_t rnd = c->seed;
	size_t transport = c->proto == CRAFT_TCP ? 20u + c->tcp_options : 8u;
	uint8_t *t = put_ip(out, c, transport + c->payload);

	t += put_transport(t, c, &rnd);
	for (size_t i = 0; i < c->payload; i++)
		t[i] = (uint8_t)craft_random(&rnd);
	t += c->payload;
	put_checksums(out, (size_t)(t - out));
	return (size_t)(t - out);
}

size_t craft_frame(uint8_t *out, const struct craft *c, uint16_t gso_size)
{
	struct virtio_net_hdr v = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM };
	size_t len = craft_packet(out + sizeof v, c);
	uint8_t proto;

	craft_make_partial(out + sizeof v, len);
	v.csum_start = (uint16_t)head_of(out + sizeof v, &proto);
	v.csum_offset = (uint16_t)csum_at(proto);
	if (gso_size) {
		v.gso_type = c->proto == CRAFT_UDP ? 5 : c->version == 4 ? 1 : 4;
		v.gso_size = gso_size;
		v.hdr_len = (uint16_t)(len - c->payload);
	}
	memcpy(out, &v, sizeof v);
	return sizeof v + len;
}

void craft_make_partial(uint8_t *p, size_t len)
{
	uint8_t proto;
	size_t off = head_of(p, &proto);

	pu_put_be16(p + off + csum_at(proto), pseudo(p, proto, len - off));
}

bool craft_partial_good(const uint8_t *p, size_t len)
{
	uint8_t proto;
	size_t off = head_of(p, &proto);
	uint16_t v = pu_get_be16(p + off + csum_at(proto));

	if (p[0] >> 4 == 4 && craft_sum(0, p, off) != 0xffff)
		return false;
	return v == pseudo(p, proto, len - off);
}

bool craft_checksums_good(const uint8_t *p, size_t len)
{
	uint8_t proto;
	size_t off = head_of(p, &proto);

	if (p[0] >> 4 == 4 && craft_sum(0, p, off) != 0xffff)
		return false;
	if (proto == CRAFT_UDP && pu_get_be16(p + off + 6) == 0)
		return false;
	return transport_sum(p, len) == 0xffff;
}
