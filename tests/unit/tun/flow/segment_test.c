#include "tun/flow/segment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/wire.h"
#include "support/craft.h"
#include "tun/frame.h"

enum { NUMBER = 0x0a010002, SYN = 0x02, ACK = 0x10, PSH = 0x08 };

static uint8_t packet[65535], out[65535];

static struct craft base(uint8_t version)
{
	return (struct craft){ .version = version, .proto = CRAFT_TCP, .src = 1, .dst = 2,
			       .sport = 40000, .dport = 22, .seq = 7, .ack = 9,
			       .tcp_flags = ACK, .window = 1000, .payload = 100, .seed = 3 };
}

static struct pu_packet parse(const struct craft *c)
{
	size_t n = craft_packet(packet, c);
	struct pu_packet info;

	assert_int_equal(pu_packet_parse(&info, packet, n, n), 0);
	return info;
}

/* What lwIP gets, whole. */
static size_t to_stack(const struct pu_packet *info)
{
	size_t skip = (size_t)info->ip_len + info->transport_len;
	size_t head = pu_flow_segment_to_stack(out, packet, info, NUMBER);

	memcpy(out + head, packet + skip, info->total_len - skip);
	return head + info->total_len - skip;
}

static void a_segment_enters_lwip_as_ipv4_of_its_flow(void **state)
{
	for (uint8_t version = 4; version <= 6; version += 2) {
		struct craft c = base(version);
		struct pu_packet info, in;
		size_t n;

		c.ip_options = 8;
		c.tcp_options = 12;
		info = parse(&c);
		n = to_stack(&info);
		assert_int_equal(n, 20 + 20 + c.payload);
		pu_flow_segment_complete(out, n);
		assert_true(craft_checksums_good(out, n));
		assert_int_equal(pu_packet_parse(&in, out, n, n), 0);
		assert_int_equal(pu_get_be32(in.src.b), NUMBER);
		assert_int_equal(pu_get_be32(in.dst.b), PU_FLOW_STACK_ADDR);
		assert_int_equal(in.sport, 40000);
		assert_int_equal(in.dport, PU_FLOW_STACK_PORT);
		assert_int_equal(in.tcp_flags, ACK);
		assert_int_equal(in.transport_len, 20);
		assert_memory_equal(out + 20 + 4, packet + info.ip_len + 4, 8);
		assert_memory_equal(out + 40, packet + info.ip_len + 32, c.payload);
	}
}

static void only_a_syn_keeps_its_options(void **state)
{
	struct craft c = base(4);
	struct pu_packet info;

	c.tcp_flags = SYN;
	c.tcp_options = 20;
	c.payload = 0;
	info = parse(&c);
	assert_int_equal(to_stack(&info), 20 + 40);
	assert_memory_equal(out + 40, packet + 40, 20);
}

static const struct pu_flow_tuple tuple4 = { { 4, { 10, 64, 0, 1 } }, { 4, { 10, 64, 9, 9 } },
					     40000, 22 };
static const struct pu_flow_tuple tuple6 = { { 6, { 0xfd, [15] = 1 } }, { 6, { 0xfd, [15] = 9 } },
					     40000, 22 };

/* A packet as lwIP writes it, made into a frame; its IP length. */
static struct pu_tun_frame to_device(const struct pu_flow_tuple *t, size_t payload, uint16_t mss)
{
	struct craft c = base(4);
	struct pu_tun_frame f;
	size_t n, head, skip;

	c.payload = payload;
	c.tcp_flags = ACK | PSH;
	n = craft_packet(packet, &c);
	head = pu_flow_segment_to_device(out, packet, n, t, mss, &skip);
	assert_int_equal(skip, 40);
	memcpy(out + head, packet + skip, n - skip);
	assert_int_equal(pu_tun_frame_parse(&f, out, head + n - skip), 0);
	return f;
}

static void a_segment_leaves_with_the_addresses_of_the_program(void **state)
{
	struct pu_tun_frame f = to_device(&tuple4, 100, 1000);

	assert_true(pu_ip_eq(&f.info.src, &tuple4.remote));
	assert_true(pu_ip_eq(&f.info.dst, &tuple4.local));
	assert_int_equal(f.info.sport, 22);
	assert_int_equal(f.info.dport, 40000);
	assert_int_equal(f.flags, PU_PKT_CSUM_PARTIAL);
	assert_true(craft_partial_good(out + PU_TUN_VNET_LEN, f.info.total_len));
	assert_int_equal(f.n_packets, 1);

	f = to_device(&tuple6, 100, 1000);
	assert_true(pu_ip_eq(&f.info.src, &tuple6.remote));
	assert_true(pu_ip_eq(&f.info.dst, &tuple6.local));
	assert_true(craft_partial_good(out + PU_TUN_VNET_LEN, f.info.total_len));
}

static void a_large_segment_is_a_super_packet(void **state)
{
	struct pu_tun_frame f = to_device(&tuple4, 50001, 1000);

	assert_int_equal(f.n_packets, 51);
	assert_int_equal(f.payload_max, 1000);
	f = to_device(&tuple6, 50000, 1000);
	assert_int_equal(f.n_packets, 50);
	f = to_device(&tuple4, 1000, 1000);
	assert_int_equal(f.n_packets, 1);
}

static void a_malformed_packet_of_lwip_is_not_written(void **state)
{
	struct craft c = base(4);
	size_t n = craft_packet(packet, &c), skip;

	assert_int_equal(pu_flow_segment_to_device(out, packet, 39, &tuple4, 1000, &skip), 0);
	packet[20 + 12] = 4 << 4;
	assert_int_equal(pu_flow_segment_to_device(out, packet, n, &tuple4, 1000, &skip), 0);
	packet[20 + 12] = 15 << 4;
	assert_int_equal(pu_flow_segment_to_device(out, packet, 50, &tuple4, 1000, &skip), 0);
	c.payload = 65535 - 40;
	n = craft_packet(packet, &c);
	assert_int_equal(pu_flow_segment_to_device(out, packet, n, &tuple6, 1000, &skip), 0);
}

static uint16_t mss_of(uint8_t version, const uint8_t *options, size_t len)
{
	struct craft c = base(version);
	struct pu_packet info;

	c.tcp_flags = SYN;
	c.tcp_options = (uint8_t)len;
	c.payload = 0;
	info = parse(&c);
	if (len > 0)
		memcpy(packet + info.ip_len + 20, options, len);
	return pu_flow_segment_mss(packet, &info);
}

static void the_mss_comes_from_the_syn(void **state)
{
	static const uint8_t plain[] = { 2, 4, 0x05, 0xb4 };
	static const uint8_t behind[] = { 1, 1, 3, 3, 7, 2, 4, 0x05, 0x78, 0, 0, 0 };
	static const uint8_t ended[] = { 0, 0, 0, 0, 2, 4, 0x05, 0xb4 };
	static const uint8_t tiny[] = { 2, 4, 0, 1 };
	static const uint8_t cut[] = { 1, 1, 2, 4 };
	static const uint8_t lies[] = { 2, 0, 0x05, 0xb4 };
	static const uint8_t long_one[] = { 8, 40, 2, 4 };

	assert_int_equal(mss_of(4, plain, sizeof plain), 1460);
	assert_int_equal(mss_of(4, behind, sizeof behind), 1400);
	assert_int_equal(mss_of(4, ended, sizeof ended), 536);
	assert_int_equal(mss_of(6, ended, sizeof ended), 1220);
	assert_int_equal(mss_of(4, tiny, sizeof tiny), PU_FLOW_MSS_MIN);
	assert_int_equal(mss_of(4, cut, sizeof cut), 536);
	assert_int_equal(mss_of(4, lies, sizeof lies), 536);
	assert_int_equal(mss_of(4, long_one, sizeof long_one), 536);
	assert_int_equal(mss_of(4, NULL, 0), 536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_enters_lwip_as_ipv4_of_its_flow),
		cmocka_unit_test(only_a_syn_keeps_its_options),
		cmocka_unit_test(a_segment_leaves_with_the_addresses_of_the_program),
		cmocka_unit_test(a_large_segment_is_a_super_packet),
		cmocka_unit_test(a_malformed_packet_of_lwip_is_not_written),
		cmocka_unit_test(the_mss_comes_from_the_syn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
