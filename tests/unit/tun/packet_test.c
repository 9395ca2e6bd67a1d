#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/wire.h"
#include "support/craft.h"
#include "tun/packet.h"

static uint8_t buf[70000];

static const struct craft tcp4 = { .version = 4, .proto = CRAFT_TCP, .src = 1, .dst = 2,
				   .sport = 40000, .dport = 22, .tcp_flags = 0x10,
				   .payload = 100, .df = true };
static const struct craft udp6 = { .version = 6, .proto = CRAFT_UDP, .src = 3, .dst = 4,
				   .sport = 5353, .dport = 53, .payload = 33 };

/* Parses an exact copy on the heap, so that a sanitizer sees one byte too many. */
static int parse(struct pu_packet *k, const uint8_t *p, size_t len, size_t total)
{
	uint8_t *copy = malloc(len ? len : 1);
	int r;

	memcpy(copy, p, len);
	r = pu_packet_parse(k, copy, len, total);
	free(copy);
	return r;
}

static void fix_header(void)
{
	pu_put_be16(buf + 10, 0);
	pu_put_be16(buf + 10, (uint16_t)~craft_sum(0, buf, (buf[0] & 0xfu) * 4));
}

static void tcp4_fields_are_seen(void **state)
{
	struct craft c = tcp4;
	struct pu_packet k;
	size_t len;

	c.ip_options = 8;
	c.tcp_options = 12;
	len = craft_packet(buf, &c);
	assert_int_equal(parse(&k, buf, len, len), 0);
	assert_int_equal(k.proto, 6);
	assert_int_equal(k.ip_len, 28);
	assert_int_equal(k.transport_len, 32);
	assert_int_equal(k.total_len, len);
	assert_int_equal(k.sport, 40000);
	assert_int_equal(k.dport, 22);
	assert_int_equal(k.tcp_flags, 0x10);
	assert_int_equal(k.hop_limit, 64);
	assert_true(k.dont_fragment);
	assert_false(k.fragment);
	assert_memory_equal(k.src.b, "\x0a\x40\x01\x01", 4);
	assert_memory_equal(k.dst.b, "\x0a\x40\x01\x02", 4);
}

static void udp6_behind_options_is_seen(void **state)
{
	struct craft c = udp6;
	struct pu_packet k;
	size_t len;

	c.ip_options = 16;
	len = craft_packet(buf, &c);
	assert_int_equal(parse(&k, buf, len, len), 0);
	assert_int_equal(k.proto, 17);
	assert_int_equal(k.ip_len, 56);
	assert_int_equal(k.sport, 5353);
	assert_int_equal(k.dport, 53);
	assert_int_equal(k.src.version, 6);
	assert_int_equal(k.dst.b[15], 4);
	assert_true(k.dont_fragment);
}

static void headers_alone_are_enough(void **state)
{
	size_t len = craft_packet(buf, &tcp4);
	struct pu_packet k;

	assert_int_equal(parse(&k, buf, 40, len), 0);
	assert_int_equal(k.transport_len, 20);
	assert_int_equal(k.seen, 40);
	assert_int_equal(parse(&k, buf, 39, len), 0);
	assert_int_equal(k.transport_len, 0);
	assert_int_equal(parse(&k, buf, 19, len), PU_EPROTO);
}

static void every_truncation_is_refused(void **state)
{
	struct pu_packet k;
	size_t len = craft_packet(buf, &tcp4);

	for (size_t n = 0; n < len; n++)
		assert_int_equal(parse(&k, buf, n, n), PU_EPROTO);
	assert_int_equal(parse(&k, buf, len + 1, len + 1), PU_EPROTO);
	len = craft_packet(buf, &udp6);
	for (size_t n = 0; n < len; n++)
		assert_int_equal(parse(&k, buf, n, n), PU_EPROTO);
	assert_int_equal(parse(&k, buf, len + 1, len + 1), PU_EPROTO);
}

/* One byte of a good packet changed, header checksum put right again: refused, and
 * the result untouched. */
static void bad_headers_are_refused(void **state)
{
	static const struct {
		const char *why;
		bool v6;
		uint8_t ip_options;
		size_t at;
		uint8_t value;
	} bad[] = {
		{ "version 5", false, 0, 0, 0x55 },
		{ "header of 16 bytes", false, 0, 0, 0x44 },
		{ "header longer than the packet", false, 0, 3, 19 },
		{ "total length differs", false, 0, 3, 77 },
		{ "option of length 0", false, 4, 20, 7 },
		{ "option without length", false, 4, 23, 7 },
		{ "loose source route", false, 4, 20, 131 },
		{ "strict source route", false, 4, 20, 137 },
		{ "TCP header of 16 bytes", false, 0, 32, 0x40 },
		{ "IPv6 payload length differs", true, 0, 5, 7 },
		{ "extension header beyond the packet", true, 8, 41, 200 },
		{ "UDP length 7", true, 0, 45, 7 },
		{ "UDP length beyond the packet", true, 0, 45, 42 },
	};
	struct pu_packet k = { .sport = 7777 };

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++) {
		struct craft c = bad[i].v6 ? udp6 : tcp4;
		size_t len;

		c.ip_options = bad[i].ip_options;
		len = craft_packet(buf, &c);
		if (bad[i].at == 20) /* an option takes the place of padding */
			memset(buf + 20, 3, c.ip_options);
		buf[bad[i].at] = bad[i].value;
		if (bad[i].at == 20)
			buf[21] = bad[i].value == 7 ? 0 : 3;
		if (!bad[i].v6)
			fix_header();
		if (parse(&k, buf, len, len) != PU_EPROTO)
			fail_msg("accepted: %s", bad[i].why);
		assert_int_equal(k.sport, 7777);
	}
}

static void wrong_header_checksum_is_refused(void **state)
{
	size_t len = craft_packet(buf, &tcp4);
	struct pu_packet k;

	buf[8]--;
	assert_int_equal(parse(&k, buf, len, len), PU_EPROTO);
}

static void fragments_are_told_apart(void **state)
{
	struct craft c = tcp4;
	struct pu_packet k;
	size_t len;

	c.df = false;
	len = craft_packet(buf, &c);
	pu_put_be16(buf + 6, 0x2000); /* first */
	fix_header();
	assert_int_equal(parse(&k, buf, len, len), 0);
	assert_true(k.fragment);
	assert_int_equal(k.proto, 6);
	assert_int_equal(k.dport, 22);
	pu_put_be16(buf + 6, 0x0010); /* last */
	fix_header();
	assert_int_equal(parse(&k, buf, len, len), 0);
	assert_true(k.fragment);
	assert_int_equal(k.proto, 0xff);
	assert_int_equal(k.dport, 0);
	assert_int_equal(k.transport_len, 0);
	/* A first fragment too small for the TCP header (RFC 1858). */
	pu_put_be16(buf + 6, 0x2000);
	pu_put_be16(buf + 2, 36);
	fix_header();
	assert_int_equal(parse(&k, buf, 36, 36), PU_EPROTO);
}

static size_t make_fragment6(unsigned frag)
{
	struct craft c = udp6;
	size_t len;

	c.ip_options = 8;
	len = craft_packet(buf, &c);
	buf[6] = 44;
	buf[41] = 0;
	pu_put_be16(buf + 42, (uint16_t)frag);
	return len;
}

static void ipv6_fragments_are_told_apart(void **state)
{
	struct pu_packet k;
	size_t len = make_fragment6(0x0001);

	assert_int_equal(parse(&k, buf, len, len), 0);
	assert_true(k.fragment);
	assert_int_equal(k.dport, 53);
	len = make_fragment6(0x0100);
	assert_int_equal(parse(&k, buf, len, len), 0);
	assert_true(k.fragment);
	assert_int_equal(k.proto, 0xff);
	assert_int_equal(k.ip_len, 48);
	len = make_fragment6(0); /* atomic */
	assert_int_equal(parse(&k, buf, len, len), 0);
	assert_false(k.fragment);
	assert_int_equal(k.dport, 53);
}

static void routing_header_in_use_is_refused(void **state)
{
	struct craft c = udp6;
	struct pu_packet k;
	size_t len;

	c.ip_options = 24;
	len = craft_packet(buf, &c);
	buf[6] = 43;
	buf[42] = 0;
	buf[43] = 1;
	assert_int_equal(parse(&k, buf, len, len), PU_EPROTO);
	buf[43] = 0; /* arrived */
	assert_int_equal(parse(&k, buf, len, len), 0);
}

static void long_chain_of_extension_headers_is_refused(void **state)
{
	struct pu_packet k;

	for (unsigned n = 8; n <= 9; n++) {
		size_t len = 40 + 8 * n + 8;

		memset(buf, 0, len);
		buf[0] = 0x60;
		pu_put_be16(buf + 4, (uint16_t)(len - 40));
		buf[6] = 60;
		for (unsigned i = 0; i < n; i++)
			buf[40 + 8 * i] = i + 1 < n ? 60 : 59;
		assert_int_equal(parse(&k, buf, len, len), n == 8 ? 0 : PU_EPROTO);
	}
}

static void hop_by_hop_header_comes_first_or_never(void **state)
{
	for (int first = 0; first < 2; first++) {
		struct pu_packet k;

		memset(buf, 0, 56);
		buf[0] = 0x60;
		buf[5] = 16;
		buf[6] = first ? 0 : 60;
		buf[40] = first ? 60 : 0;
		buf[48] = 59;
		assert_int_equal(parse(&k, buf, 56, 56), first ? 0 : PU_EPROTO);
	}
}

static void echo_is_recognised(void **state)
{
	struct craft c = { .version = 4, .proto = CRAFT_ICMP, .icmp_type = 8, .sport = 99 };
	struct pu_packet k;
	size_t len = craft_packet(buf, &c);

	assert_int_equal(parse(&k, buf, len, len), 0);
	assert_true(pu_packet_is_echo_request(&k));
	assert_false(pu_packet_is_echo_reply(&k));
	assert_int_equal(k.sport, 99);
	c = (struct craft){ .version = 6, .proto = CRAFT_ICMP6, .icmp_type = 129, .sport = 98 };
	len = craft_packet(buf, &c);
	assert_int_equal(parse(&k, buf, len, len), 0);
	assert_true(pu_packet_is_echo_reply(&k));
	assert_int_equal(k.sport, 98);
	/* ICMPv4 inside IPv6 is nothing. */
	c.proto = CRAFT_ICMP;
	c.icmp_type = 8;
	len = craft_packet(buf, &c);
	assert_int_equal(parse(&k, buf, len, len), 0);
	assert_false(pu_packet_is_echo_request(&k));
}

static void noise_never_reads_too_far(void **state)
{
	struct pu_packet k;
	uint64_t rnd = 3;

	for (int i = 0; i < 20000; i++) {
		size_t len = craft_random(&rnd) % 200;

		for (size_t j = 0; j < len; j++)
			buf[j] = (uint8_t)craft_random(&rnd);
		if (len > 6 && i % 2) {
			buf[0] = 0x60;
			buf[6] = (uint8_t[]){ 0, 43, 44, 60, 6, 17, 58 }[i / 2 % 7];
			pu_put_be16(buf + 4, (uint16_t)(len - 40));
		}
		parse(&k, buf, len, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp4_fields_are_seen),
		cmocka_unit_test(udp6_behind_options_is_seen),
		cmocka_unit_test(headers_alone_are_enough),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(bad_headers_are_refused),
		cmocka_unit_test(wrong_header_checksum_is_refused),
		cmocka_unit_test(fragments_are_told_apart),
		cmocka_unit_test(ipv6_fragments_are_told_apart),
		cmocka_unit_test(routing_header_in_use_is_refused),
		cmocka_unit_test(long_chain_of_extension_headers_is_refused),
		cmocka_unit_test(hop_by_hop_header_comes_first_or_never),
		cmocka_unit_test(echo_is_recognised),
		cmocka_unit_test(noise_never_reads_too_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
