#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <linux/virtio_net.h>

#include "base/err.h"
#include "base/wire.h"
#include "support/craft.h"
#include "tun/cut.h"
#include "tun/packet.h"

static uint8_t frame[PU_TUN_FRAME_MAX], copy[PU_TUN_FRAME_MAX], one[PU_TUN_FRAME_MAX];
static struct pu_tun_cut cut;

static const struct craft tcp4 = { .version = 4, .proto = CRAFT_TCP, .src = 1, .dst = 2,
				   .sport = 4000, .dport = 80, .seq = 0xfffff000, .ack = 5,
				   .tcp_flags = 0x99, .window = 500, .tcp_options = 12,
				   .id = 0xfffe, .df = true, .payload = 20000, .seed = 9 };

/* What each packet must be: crafted on its own with complete checksums. */
static void check_packets(const struct craft *c, size_t payload_max, int n)
{
	size_t done = 0;

	assert_int_equal(n, (c->payload + payload_max - 1) / payload_max);
	for (int i = 0; i < n; i++) {
		const struct pu_pkt *p = &cut.pkt[i];
		struct pu_packet k;
		size_t len = pu_pkt_len(p);
		uint8_t *t;

		assert_int_equal(p->flags, PU_PKT_CSUM_PARTIAL);
		assert_int_equal(p->body.len, pu_min(payload_max, c->payload - done));
		memcpy(one, p->head.p, p->head.len);
		assert_int_equal(pu_packet_parse(&k, one, p->head.len, len), 0);
		pu_packet_complete_checksum(one, p->head.len, p->body, &k);
		memcpy(one + p->head.len, p->body.p, p->body.len);
		assert_true(craft_checksums_good(one, len));
		assert_memory_equal(p->body.p, copy + PU_TUN_VNET_LEN + p->head.len + done,
				    p->body.len);
		if (c->version == 4)
			assert_int_equal(pu_get_be16(one + 4), (uint16_t)(c->id + i));
		t = one + k.ip_len;
		if (c->proto == CRAFT_UDP) {
			assert_int_equal(pu_get_be16(t + 4), 8 + p->body.len);
		} else {
			uint8_t flags = c->tcp_flags;

			if (i > 0)
				flags &= 0x7f;
			if (i + 1 < n)
				flags &= 0xf6;
			assert_int_equal(pu_get_be32(t + 4), (uint32_t)(c->seq + done));
			assert_int_equal(t[13], flags);
			assert_memory_equal(t + 20, copy + PU_TUN_VNET_LEN + k.ip_len + 20,
					    c->tcp_options);
		}
		done += p->body.len;
	}
	assert_int_equal(done, c->payload);
}

static void super_packets_become_valid_packets(void **state)
{
	static const struct {
		uint8_t version, proto, ip_options;
		size_t payload;
		uint16_t each;
	} t[] = {
		{ 4, CRAFT_TCP, 0, 20000, 1448 },  { 6, CRAFT_TCP, 0, 60000, 1428 },
		{ 4, CRAFT_TCP, 24, 65400, 1000 }, { 6, CRAFT_TCP, 16, 3000, 1500 },
		{ 4, CRAFT_UDP, 0, 60000, 1200 },  { 6, CRAFT_UDP, 0, 2401, 1200 },
		{ 4, CRAFT_TCP, 0, 256 * 200, 200 }, { 4, CRAFT_UDP, 4, 3, 1 },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(t); i++) {
		struct craft c = tcp4;
		size_t len;

		c.version = t[i].version;
		c.proto = t[i].proto;
		c.ip_options = t[i].ip_options;
		c.payload = t[i].payload;
		len = craft_frame(frame, &c, t[i].each);
		memcpy(copy, frame, len);
		check_packets(&c, t[i].each, pu_tun_cut_frame(&cut, frame, len));
		assert_memory_equal(frame, copy, len);
	}
}

static void one_packet_passes_whole(void **state)
{
	struct craft c = tcp4;
	size_t len;

	c.payload = 100;
	len = craft_frame(frame, &c, 0);
	assert_int_equal(pu_tun_cut_frame(&cut, frame, len), 1);
	assert_ptr_equal(cut.pkt[0].head.p, frame + PU_TUN_VNET_LEN);
	assert_int_equal(cut.pkt[0].head.len, len - PU_TUN_VNET_LEN);
	assert_int_equal(cut.pkt[0].body.len, 0);
	assert_int_equal(cut.pkt[0].flags, PU_PKT_CSUM_PARTIAL);
	/* An offload with nothing to cut is the same. */
	len = craft_frame(frame, &c, 100);
	assert_int_equal(pu_tun_cut_frame(&cut, frame, len), 1);
	assert_int_equal(cut.pkt[0].head.len, len - PU_TUN_VNET_LEN);
	memset(frame, 0, PU_TUN_VNET_LEN);
	len = craft_packet(frame + PU_TUN_VNET_LEN, &c) + PU_TUN_VNET_LEN;
	assert_int_equal(pu_tun_cut_frame(&cut, frame, len), 1);
	assert_int_equal(cut.pkt[0].flags, 0);
}

static void too_many_segments_are_refused(void **state)
{
	struct craft c = tcp4;
	size_t len;

	c.payload = 257 * 100;
	len = craft_frame(frame, &c, 100);
	assert_int_equal(pu_tun_cut_frame(&cut, frame, len), PU_EPROTO);
}

static void cutter_goes_on_where_it_stopped(void **state)
{
	uint8_t head[7][PU_TUN_HEAD_MAX];
	struct pu_tun_cutter cutter;
	struct pu_tun_frame f;
	struct pu_pkt pkt[7];
	struct craft c = tcp4;
	size_t n, i = 0, len;

	c.payload = 600 * 100; /* more than PU_TUN_SEGMENTS_MAX */
	len = craft_frame(frame, &c, 100);
	assert_int_equal(pu_tun_frame_parse(&f, frame, len), 0);
	assert_int_equal(f.n_packets, 600);
	assert_int_equal(f.packet_max, 20 + 32 + 100);
	pu_tun_cutter_init(&cutter, &f);
	while ((n = pu_tun_cutter_next(&cutter, pkt, head, 7)) > 0)
		for (size_t j = 0; j < n; j++, i++)
			assert_int_equal(pu_get_be32(pkt[j].head.p + 24),
					 (uint32_t)(c.seq + 100 * i));
	assert_int_equal(i, 600);
}

struct spoiled {
	const char *why;
	uint8_t flags, gso_type;
	uint16_t gso_size, csum_start, csum_offset;
	uint8_t tcp_flags;
};

static void disagreeing_offloads_are_refused(void **state)
{
	static const struct spoiled bad[] = {
		{ "cut without checksum", 0, 1, 1000, 20, 16, 0x10 },
		{ "IPv6 offload of IPv4", 1, 4, 1000, 20, 16, 0x10 },
		{ "UDP offload of TCP", 1, 5, 1000, 20, 16, 0x10 },
		{ "UFO, never agreed", 1, 3, 1000, 20, 16, 0x10 },
		{ "unknown offload", 1, 9, 1000, 20, 16, 0x10 },
		{ "pieces of nothing", 1, 1, 0, 20, 16, 0x10 },
		{ "checksum elsewhere", 1, 1, 1000, 24, 16, 0x10 },
		{ "checksum field elsewhere", 1, 1, 1000, 20, 6, 0x10 },
		{ "SYN cut in pieces", 1, 1, 1000, 20, 16, 0x02 },
		{ "RST cut in pieces", 1, 1, 1000, 20, 16, 0x14 },
		{ "checksum behind the end", 1, 0, 0, 20, 65000, 0x10 },
		{ "checksum in the IP header", 1, 0, 0, 0, 10, 0x10 },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++) {
		struct virtio_net_hdr v = { .flags = bad[i].flags, .gso_type = bad[i].gso_type,
					    .gso_size = bad[i].gso_size,
					    .csum_start = bad[i].csum_start,
					    .csum_offset = bad[i].csum_offset };
		struct craft c = tcp4;
		size_t len;

		c.tcp_flags = bad[i].tcp_flags;
		len = craft_frame(frame, &c, 1000);
		assert_int_equal(pu_tun_cut_frame(&cut, frame, len),
				 (c.tcp_flags & 6) ? PU_EPROTO : 20);
		memcpy(frame, &v, sizeof v);
		if (pu_tun_cut_frame(&cut, frame, len) != PU_EPROTO)
			fail_msg("accepted: %s", bad[i].why);
	}
}

static void every_truncated_frame_is_refused(void **state)
{
	struct craft c = tcp4;
	size_t len;

	c.payload = 200;
	len = craft_frame(frame, &c, 50);
	for (size_t n = 0; n < len; n++) {
		uint8_t *exact = malloc(n ? n : 1);

		memcpy(exact, frame, n);
		assert_int_equal(pu_tun_cut_frame(&cut, exact, n), PU_EPROTO);
		free(exact);
	}
}

/* TCP inside IPv4 inside IPv4: the kernel leaves the inner checksum to us, and
 * nobody behind us would know. */
static void checksum_of_an_inner_packet_is_completed(void **state)
{
	struct craft c = tcp4;
	struct virtio_net_hdr v = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 40,
				    .csum_offset = 16 };
	uint8_t *ip = frame + PU_TUN_VNET_LEN;
	size_t len;

	c.payload = 77;
	len = craft_packet(ip + 20, &c);
	craft_make_partial(ip + 20, len);
	memcpy(ip, ip + 20, 20);
	ip[9] = 4;
	pu_put_be16(ip + 2, (uint16_t)(len + 20));
	pu_put_be16(ip + 10, 0);
	pu_put_be16(ip + 10, (uint16_t)~craft_sum(0, ip, 20));
	memcpy(frame, &v, sizeof v);
	assert_int_equal(pu_tun_cut_frame(&cut, frame, PU_TUN_VNET_LEN + len + 20), 1);
	assert_int_equal(cut.pkt[0].flags, 0);
	assert_int_equal(frame[0], 0);
	assert_true(craft_checksums_good(ip + 20, len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(super_packets_become_valid_packets),
		cmocka_unit_test(one_packet_passes_whole),
		cmocka_unit_test(too_many_segments_are_refused),
		cmocka_unit_test(cutter_goes_on_where_it_stopped),
		cmocka_unit_test(disagreeing_offloads_are_refused),
		cmocka_unit_test(every_truncated_frame_is_refused),
		cmocka_unit_test(checksum_of_an_inner_packet_is_completed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
