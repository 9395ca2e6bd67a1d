#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/wire.h"
#include "support/craft.h"
#include "tun/icmp_limit.h"
#include "tun/packet.h"

static uint8_t buf[4096], out[PU_ICMP_ERROR_MAX];
static const struct pu_ip from4 = { .version = 4, .b = { 10, 64, 0, 1 } };
static const struct pu_ip from6 = { .version = 6, .b = { 0xfd, 1 } };

static const struct craft udp4 = { .version = 4, .proto = CRAFT_UDP, .src = 1, .dst = 2,
				   .payload = 20 };
static const struct craft udp6 = { .version = 6, .proto = CRAFT_UDP, .src = 1, .dst = 2,
				   .payload = 20 };

static int answer(size_t len, enum pu_icmp_error what, uint32_t mtu)
{
	struct pu_packet k;

	assert_int_equal(pu_packet_parse(&k, buf, len, len), 0);
	return pu_packet_icmp_error(out, buf, len, &k, what, mtu,
				    k.src.version == 4 ? &from4 : &from6);
}

static void fix_header(void)
{
	pu_put_be16(buf + 10, 0);
	pu_put_be16(buf + 10, (uint16_t)~craft_sum(0, buf, (buf[0] & 0xfu) * 4));
}

static void errors_carry_type_code_and_quote(void **state)
{
	static const struct {
		enum pu_icmp_error what;
		uint8_t type4, code4, type6, code6;
	} kinds[] = {
		{ PU_ICMP_NO_ROUTE, 3, 0, 1, 0 },	  { PU_ICMP_HOST_UNREACHABLE, 3, 1, 1, 3 },
		{ PU_ICMP_PORT_UNREACHABLE, 3, 3, 1, 4 }, { PU_ICMP_NOT_ALLOWED, 3, 13, 1, 1 },
		{ PU_ICMP_TIME_EXCEEDED, 11, 0, 3, 0 },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(kinds); i++) {
		size_t len = craft_packet(buf, &udp4);
		int n = answer(len, kinds[i].what, 0);

		assert_int_equal(n, 28 + len);
		assert_true(craft_checksums_good(out, (size_t)n));
		assert_memory_equal(out + 12, from4.b, 4);
		assert_memory_equal(out + 16, buf + 12, 4);
		assert_int_equal(out[20], kinds[i].type4);
		assert_int_equal(out[21], kinds[i].code4);
		assert_memory_equal(out + 28, buf, len);

		len = craft_packet(buf, &udp6);
		n = answer(len, kinds[i].what, 0);
		assert_int_equal(n, 48 + len);
		assert_true(craft_checksums_good(out, (size_t)n));
		assert_memory_equal(out + 8, from6.b, 16);
		assert_memory_equal(out + 24, buf + 8, 16);
		assert_int_equal(out[40], kinds[i].type6);
		assert_int_equal(out[41], kinds[i].code6);
		assert_memory_equal(out + 48, buf, len);
	}
}

static void quote_is_cut_where_the_standards_say(void **state)
{
	struct craft c = udp4;

	c.payload = 1400;
	assert_int_equal(answer(craft_packet(buf, &c), PU_ICMP_NO_ROUTE, 0), 576);
	assert_true(craft_checksums_good(out, 576));
	c = udp6;
	c.payload = 1400;
	assert_int_equal(answer(craft_packet(buf, &c), PU_ICMP_NO_ROUTE, 0), 1280);
	assert_true(craft_checksums_good(out, 1280));
}

static void too_big_names_the_mtu(void **state)
{
	struct craft c = udp4;

	c.payload = 1400;
	c.df = true;
	assert_int_equal(answer(craft_packet(buf, &c), PU_ICMP_TOO_BIG, 1184), 576);
	assert_int_equal(out[20], 3);
	assert_int_equal(out[21], 4);
	assert_int_equal(pu_get_be16(out + 24), 0);
	assert_int_equal(pu_get_be16(out + 26), 1184);
	c.df = false; /* may be fragmented instead */
	assert_int_equal(answer(craft_packet(buf, &c), PU_ICMP_TOO_BIG, 1184), PU_EDENIED);
	c = udp6;
	c.payload = 1400;
	assert_int_equal(answer(craft_packet(buf, &c), PU_ICMP_TOO_BIG, 1330), 1280);
	assert_int_equal(out[40], 2);
	assert_int_equal(pu_get_be32(out + 44), 1330);
	assert_int_equal(answer(craft_packet(buf, &c), PU_ICMP_TOO_BIG, 1100), 1280);
	assert_int_equal(pu_get_be32(out + 44), 1280);
	c.payload = 1232;
	assert_int_equal(answer(craft_packet(buf, &c), PU_ICMP_TOO_BIG, 1100), PU_EDENIED);
}

static void some_ipv4_packets_are_never_answered(void **state)
{
	static const struct {
		const char *why;
		size_t at;
		uint8_t value;
	} bad[] = {
		{ "later fragment", 7, 9 },   { "to multicast", 16, 224 },
		{ "to broadcast", 16, 255 },  { "to 0.x", 16, 0 },
		{ "from 0.x", 12, 0 },	      { "from loopback", 12, 127 },
		{ "from multicast", 12, 239 }, { "from broadcast", 12, 255 },
	};
	size_t len;

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++) {
		len = craft_packet(buf, &udp4);
		buf[bad[i].at] = bad[i].value;
		fix_header();
		if (answer(len, PU_ICMP_NO_ROUTE, 0) != PU_EDENIED)
			fail_msg("answered: %s", bad[i].why);
	}
	for (unsigned type = 0; type < 256; type++) {
		struct craft c = { .version = 4, .proto = CRAFT_ICMP, .src = 1, .dst = 2,
				   .icmp_type = (uint8_t)type, .payload = 28 };
		bool query = type == 0 || type == 8 || type == 9 || type == 10 || type == 13 ||
			     type == 14;
		int n = answer(craft_packet(buf, &c), PU_ICMP_NO_ROUTE, 0);

		assert_int_equal(n == PU_EDENIED, !query);
	}
	/* The first fragment of something is answered. */
	len = craft_packet(buf, &udp4);
	buf[6] = 0x20;
	fix_header();
	assert_int_equal(answer(len, PU_ICMP_NO_ROUTE, 0), 28 + len);
}

static void some_ipv6_packets_are_never_answered(void **state)
{
	size_t len = craft_packet(buf, &udp6);

	buf[24] = 0xff;
	assert_int_equal(answer(len, PU_ICMP_NO_ROUTE, 0), PU_EDENIED);
	len = craft_packet(buf, &udp6);
	buf[8] = 0xff;
	assert_int_equal(answer(len, PU_ICMP_NO_ROUTE, 0), PU_EDENIED);
	len = craft_packet(buf, &udp6);
	memset(buf + 8, 0, 16);
	assert_int_equal(answer(len, PU_ICMP_NO_ROUTE, 0), PU_EDENIED);
	for (unsigned type = 0; type < 256; type++) {
		struct craft c = { .version = 6, .proto = CRAFT_ICMP6, .src = 1, .dst = 2,
				   .icmp_type = (uint8_t)type, .payload = 48 };
		int n = answer(craft_packet(buf, &c), PU_ICMP_NO_ROUTE, 0);

		assert_int_equal(n == PU_EDENIED, type < 128 || type == 137);
	}
}

static void too_big_answers_even_ipv6_multicast(void **state)
{
	struct craft c = udp6;
	size_t len;

	c.payload = 1400;
	len = craft_packet(buf, &c);
	buf[24] = 0xff;
	assert_int_equal(answer(len, PU_ICMP_TOO_BIG, 1400), 1280);
}

static void address_of_the_other_family_is_refused(void **state)
{
	size_t len = craft_packet(buf, &udp4);
	struct pu_packet k;

	assert_int_equal(pu_packet_parse(&k, buf, len, len), 0);
	assert_int_equal(pu_packet_icmp_error(out, buf, len, &k, PU_ICMP_NO_ROUTE, 0, &from6),
			 PU_EINVAL);
}

static void echo_reply_is_what_a_host_would_send(void **state)
{
	uint8_t want[512];
	uint64_t rnd = 4;

	for (int i = 0; i < 2000; i++) {
		struct craft c = { .version = i % 2 ? 4 : 6, .src = 1, .dst = 2 };
		struct pu_packet k;
		size_t len;

		c.proto = c.version == 4 ? CRAFT_ICMP : CRAFT_ICMP6;
		c.icmp_type = c.version == 4 ? 8 : 128;
		c.sport = (uint16_t)craft_random(&rnd);
		c.seq = craft_random(&rnd);
		c.payload = craft_random(&rnd) % 64;
		c.seed = craft_random(&rnd);
		len = craft_packet(buf, &c);
		assert_int_equal(pu_packet_parse(&k, buf, len, len), 0);
		pu_packet_make_echo_reply(buf, len, &k);
		c.icmp_type = c.version == 4 ? 0 : 129;
		c.src = 2;
		c.dst = 1;
		craft_packet(want, &c);
		assert_memory_equal(buf, want, len);
	}
}

static int refuse(const struct craft *c)
{
	struct pu_packet k;
	size_t len = craft_packet(buf, c);

	assert_int_equal(pu_packet_parse(&k, buf, len, len), 0);
	return pu_packet_tcp_refuse(out, buf, &k);
}

static void syn_is_refused_with_a_reset_that_acknowledges_it(void **state)
{
	struct craft c = { .version = 4, .proto = CRAFT_TCP, .src = 1, .dst = 2, .sport = 4000,
			   .dport = 22, .seq = 0xffffffff, .tcp_flags = 0x02, .tcp_options = 20 };

	assert_int_equal(refuse(&c), 40);
	assert_true(craft_checksums_good(out, 40));
	assert_memory_equal(out + 12, "\x0a\x40\x01\x02\x0a\x40\x01\x01", 8);
	assert_int_equal(pu_get_be16(out + 20), 22);
	assert_int_equal(pu_get_be16(out + 22), 4000);
	assert_int_equal(pu_get_be32(out + 24), 0);
	assert_int_equal(pu_get_be32(out + 28), 0);
	assert_int_equal(out[33], 0x14);
	c.version = 6;
	c.seq = 1000;
	c.payload = 5; /* fast open */
	assert_int_equal(refuse(&c), 60);
	assert_true(craft_checksums_good(out, 60));
	assert_int_equal(pu_get_be32(out + 48), 1006);
}

static void other_segments_are_reset_as_rfc_9293_says(void **state)
{
	struct craft c = { .version = 4, .proto = CRAFT_TCP, .src = 1, .dst = 2, .seq = 5,
			   .ack = 777, .tcp_flags = 0x10, .payload = 9 };

	assert_int_equal(refuse(&c), 40);
	assert_true(craft_checksums_good(out, 40));
	assert_int_equal(pu_get_be32(out + 24), 777);
	assert_int_equal(out[33], 0x04);
	c.tcp_flags = 0x04;
	assert_int_equal(refuse(&c), PU_EDENIED);
	c.proto = CRAFT_UDP;
	assert_int_equal(refuse(&c), PU_EDENIED);
}

static void bucket_allows_a_burst_and_then_the_rate(void **state)
{
	struct pu_icmp_limit l = { 0 };
	pu_time now = PU_SEC(1000);
	unsigned n = 0;

	while (pu_icmp_limit_take(&l, now))
		n++;
	assert_int_equal(n, PU_ICMP_BURST);
	assert_int_equal(l.refused, 1);
	for (n = 0; now < PU_SEC(1002); now += PU_MS(1))
		n += pu_icmp_limit_take(&l, now);
	assert_in_range(n, 2 * PU_ICMP_PER_SECOND - 1, 2 * PU_ICMP_PER_SECOND + 1);
	now += PU_SEC(60);
	for (n = 0; pu_icmp_limit_take(&l, now); n++)
		;
	assert_int_equal(n, PU_ICMP_BURST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_carry_type_code_and_quote),
		cmocka_unit_test(quote_is_cut_where_the_standards_say),
		cmocka_unit_test(too_big_names_the_mtu),
		cmocka_unit_test(some_ipv4_packets_are_never_answered),
		cmocka_unit_test(some_ipv6_packets_are_never_answered),
		cmocka_unit_test(too_big_answers_even_ipv6_multicast),
		cmocka_unit_test(address_of_the_other_family_is_refused),
		cmocka_unit_test(echo_reply_is_what_a_host_would_send),
		cmocka_unit_test(syn_is_refused_with_a_reset_that_acknowledges_it),
		cmocka_unit_test(other_segments_are_reset_as_rfc_9293_says),
		cmocka_unit_test(bucket_allows_a_burst_and_then_the_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
