#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/wire.h"
#include "support/craft.h"
#include "tun/packet.h"

static uint8_t buf[4096], want[4096];

static struct pu_ip random_ip(unsigned version, uint64_t *rnd)
{
	struct pu_ip a = { .version = (uint8_t)version };

	for (size_t i = 0; i < (version == 4 ? 4 : 16); i++)
		a.b[i] = (uint8_t)craft_random(rnd);
	return a;
}

static struct craft random_craft(uint64_t *rnd)
{
	static const uint8_t protos[] = { CRAFT_TCP, CRAFT_UDP, CRAFT_ICMP };
	struct craft c = { .version = craft_random(rnd) % 2 ? 4 : 6 };

	c.proto = protos[craft_random(rnd) % 3];
	if (c.proto == CRAFT_ICMP && c.version == 6)
		c.proto = CRAFT_ICMP6;
	c.src = (uint8_t)craft_random(rnd);
	c.dst = (uint8_t)craft_random(rnd);
	c.sport = (uint16_t)craft_random(rnd);
	c.dport = (uint16_t)craft_random(rnd);
	c.seq = craft_random(rnd);
	c.tcp_flags = (uint8_t)craft_random(rnd);
	c.tcp_options = craft_random(rnd) % 5 * 4;
	c.ip_options = craft_random(rnd) % 3 * 8;
	c.icmp_type = 200;
	c.payload = craft_random(rnd) % 300;
	c.seed = craft_random(rnd);
	return c;
}

/* The same packet with the addresses already in place, checksums made anew. */
static void make_wanted(size_t len, const struct pu_packet *k, bool partial,
			const struct pu_ip *src, const struct pu_ip *dst)
{
	size_t at = k->src.version == 4 ? 12 : 8, n = k->src.version == 4 ? 4 : 16;
	size_t field = k->ip_len + (k->proto == 6 ? 16u : k->proto == 17 ? 6u : 2u);
	uint16_t v;

	memcpy(want, buf, len);
	memcpy(want + at, src->b, n);
	memcpy(want + at + n, dst->b, n);
	if (k->src.version == 4) {
		pu_put_be16(want + 10, 0);
		pu_put_be16(want + 10, (uint16_t)~craft_sum(0, want, k->ip_len));
	}
	craft_make_partial(want, len);
	if (partial)
		return;
	v = (uint16_t)~craft_sum(0, want + k->ip_len, len - k->ip_len);
	pu_put_be16(want + field, v == 0 && k->proto == 17 ? 0xffff : v);
}

static void rewriting_equals_recomputation(void **state)
{
	uint64_t rnd = 11;

	for (int i = 0; i < 20000; i++) {
		struct craft c = random_craft(&rnd);
		size_t len = craft_packet(buf, &c);
		bool partial = i % 2 && (c.proto == CRAFT_TCP || c.proto == CRAFT_UDP);
		struct pu_ip src = random_ip(c.version, &rnd), dst = random_ip(c.version, &rnd);
		struct pu_packet k;

		if (partial)
			craft_make_partial(buf, len);
		assert_int_equal(pu_packet_parse(&k, buf, len, len), 0);
		make_wanted(len, &k, partial, &src, &dst);
		pu_packet_rewrite(buf, &k, partial ? PU_PKT_CSUM_PARTIAL : 0, &src, &dst);
		if (partial) /* both forms of zero are the same sum */
			assert_true(craft_partial_good(buf, len));
		else
			assert_memory_equal(buf, want, len);
	}
}

static void completing_gives_a_good_checksum(void **state)
{
	uint64_t rnd = 5;

	for (int i = 0; i < 5000; i++) {
		struct craft c = random_craft(&rnd);
		size_t len, head;
		struct pu_packet k;

		if (c.proto != CRAFT_TCP)
			c.proto = CRAFT_UDP;
		len = craft_packet(want, &c);
		memcpy(buf, want, len);
		craft_make_partial(buf, len);
		assert_int_equal(pu_packet_parse(&k, buf, len, len), 0);
		head = (size_t)k.ip_len + k.transport_len;
		head += craft_random(&rnd) % (len - head + 1); /* odd pieces too */
		pu_packet_complete_checksum(buf, head, pu_bytes(buf + head, len - head), &k);
		assert_memory_equal(buf, want, len);
	}
}

/* A sum of zero is written as 0xffff, since 0 means that there is none. */
static void udp_checksum_never_becomes_absent(void **state)
{
	struct craft c = { .version = 4, .proto = CRAFT_UDP, .src = 1, .dst = 2, .payload = 20 };
	struct pu_ip before = pu_ip4("\x0a\x40\x09\x09"), after = pu_ip4("\x0a\x40\x01\x01");
	size_t len = craft_packet(buf, &c);
	struct pu_packet k;

	/* What the checksum was, put into the payload, makes the sum zero. */
	memset(buf + 28, 0, 2);
	craft_make_partial(buf, len);
	pu_put_be16(buf + 28, (uint16_t)~craft_sum(0, buf + 20, len - 20));
	assert_int_equal(pu_packet_parse(&k, buf, len, len), 0);
	pu_packet_complete_checksum(buf, len, pu_bytes(NULL, 0), &k);
	assert_int_equal(pu_get_be16(buf + 26), 0xffff);
	pu_packet_rewrite(buf, &k, 0, &before, NULL);
	assert_int_not_equal(pu_get_be16(buf + 26), 0xffff);
	pu_packet_rewrite(buf, &k, 0, &after, NULL);
	assert_int_equal(pu_get_be16(buf + 26), 0xffff);
}

static void absent_udp_checksum_stays_absent(void **state)
{
	struct craft c = { .version = 4, .proto = CRAFT_UDP, .src = 1, .dst = 2, .payload = 20 };
	size_t len = craft_packet(buf, &c);
	struct pu_ip to = pu_ip4("\x01\x02\x03\x04");
	struct pu_packet k;

	pu_put_be16(buf + 26, 0);
	assert_int_equal(pu_packet_parse(&k, buf, len, len), 0);
	pu_packet_rewrite(buf, &k, 0, &to, &to);
	assert_int_equal(pu_get_be16(buf + 26), 0);
	assert_memory_equal(buf + 12, "\x01\x02\x03\x04\x01\x02\x03\x04", 8);
}

static void other_family_and_null_leave_the_address(void **state)
{
	struct craft c = { .version = 4, .proto = CRAFT_UDP, .src = 1, .dst = 2, .payload = 20 };
	size_t len = craft_packet(buf, &c);
	struct pu_ip six = { .version = 6, .b = { 1 } };
	struct pu_packet k;

	memcpy(want, buf, len);
	assert_int_equal(pu_packet_parse(&k, buf, len, len), 0);
	pu_packet_rewrite(buf, &k, 0, &six, NULL);
	assert_memory_equal(buf, want, len);
}

static void later_fragment_changes_in_the_header_only(void **state)
{
	struct craft c = { .version = 4, .proto = CRAFT_UDP, .src = 1, .dst = 2, .payload = 64 };
	size_t len = craft_packet(buf, &c);
	struct pu_ip to = pu_ip4("\x0a\x40\x07\x07");
	struct pu_packet k;

	pu_put_be16(buf + 6, 0x0020);
	pu_put_be16(buf + 10, 0);
	pu_put_be16(buf + 10, (uint16_t)~craft_sum(0, buf, 20));
	memcpy(want, buf, len);
	assert_int_equal(pu_packet_parse(&k, buf, len, len), 0);
	pu_packet_rewrite(buf, &k, 0, &to, NULL);
	assert_memory_equal(buf + 20, want + 20, len - 20);
	assert_memory_equal(buf + 12, to.b, 4);
	assert_int_equal(craft_sum(0, buf, 20), 0xffff);
}

/* An error from 10.64.1.2 to 10.64.1.1 quotes what .1 had sent to .2. */
static void quoted_packet_is_changed_the_other_way_round(void **state)
{
	struct craft quoted = { .proto = CRAFT_UDP, .src = 1, .dst = 2, .sport = 9, .payload = 30 };
	struct craft error = { .src = 2, .dst = 1, .icmp_code = 3 };

	for (unsigned version = 4; version <= 6; version += 2) {
		uint8_t inner[200];
		struct pu_ip from = { .version = (uint8_t)version, .b = { 1, 1, 1, 1, 1 } };
		struct pu_ip to = { .version = (uint8_t)version, .b = { 2, 2, 2, 2, 2 } };
		size_t n = version == 4 ? 4 : 16, at = version == 4 ? 12 : 8, len, head;
		struct pu_packet k;

		quoted.version = error.version = (uint8_t)version;
		error.proto = version == 4 ? CRAFT_ICMP : CRAFT_ICMP6;
		error.icmp_type = version == 4 ? 3 : 1;
		error.payload = craft_packet(inner, &quoted);
		len = craft_packet(buf, &error);
		head = len - error.payload;
		memcpy(buf + head, inner, error.payload);
		pu_put_be16(buf + head - 6, 0);
		if (version == 6)
			craft_make_partial(buf, len);
		pu_put_be16(buf + head - 6,
			    (uint16_t)~craft_sum(0, buf + head - 8, len - head + 8));
		assert_true(craft_checksums_good(buf, len));
		assert_int_equal(pu_packet_parse(&k, buf, len, len), 0);

		pu_packet_rewrite(buf, &k, 0, &from, &to);
		assert_true(craft_checksums_good(buf, len));
		assert_memory_equal(buf + at, from.b, n);
		assert_memory_equal(buf + at + n, to.b, n);
		assert_memory_equal(buf + head + at, to.b, n);
		assert_memory_equal(buf + head + at + n, from.b, n);
		if (version == 4)
			assert_int_equal(craft_sum(0, buf + head, 20), 0xffff);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rewriting_equals_recomputation),
		cmocka_unit_test(completing_gives_a_good_checksum),
		cmocka_unit_test(udp_checksum_never_becomes_absent),
		cmocka_unit_test(absent_udp_checksum_stays_absent),
		cmocka_unit_test(other_family_and_null_leave_the_address),
		cmocka_unit_test(later_fragment_changes_in_the_header_only),
		cmocka_unit_test(quoted_packet_is_changed_the_other_way_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
