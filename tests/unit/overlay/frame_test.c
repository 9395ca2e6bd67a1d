#include "overlay/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/err.h"

static int decode(struct pu_frame_halves *h, const char *bytes, size_t len, pu_time now,
		  struct pu_frame_packet *out)
{
	return pu_frame_decode(h, pu_bytes(bytes, len), now, out);
}

/* RFC 9000 §A.1, and the borders of each length. */
static void quic_varints_are_those_of_rfc_9000(void **state)
{
	static const struct {
		uint64_t v;
		const char *bytes;
		int len;
	} known[] = {
		{ 37, "\x25", 1 },
		{ 15293, "\x7b\xbd", 2 },
		{ 494878333, "\x9d\x7f\x3e\x7d", 4 },
		{ 151288809941952652ull, "\xc2\x19\x7c\x5e\xff\x14\xe8\x8c", 8 },
		{ 63, "\x3f", 1 },
		{ 64, "\x40\x40", 2 },
		{ 16384, "\x80\x00\x40\x00", 4 },
	};
	uint8_t out[8];
	uint64_t v;

	for (size_t i = 0; i < PU_ARRAY_LEN(known); i++) {
		assert_int_equal(pu_frame_quic_varint(out, known[i].v), known[i].len);
		assert_memory_equal(out, known[i].bytes, known[i].len);
		assert_int_equal(pu_frame_quic_varint_decode(
					 pu_bytes(known[i].bytes, (size_t)known[i].len), &v),
				 known[i].len);
		assert_int_equal(v, known[i].v);
		assert_int_equal(pu_frame_quic_varint_decode(
					 pu_bytes(known[i].bytes, (size_t)known[i].len - 1), &v),
				 PU_EPROTO);
	}
}

static void whole_packet_keeps_its_checksum_flag(void **state)
{
	struct pu_frame_halves h = { 0 };
	struct pu_frame_packet p;

	assert_int_equal(decode(&h, "\x00pkt", 4, 0, &p), 1);
	assert_int_equal(p.flags, 0);
	assert_int_equal(p.data.len, 3);
	assert_int_equal(decode(&h, "\x01pkt", 4, 0, &p), 1);
	assert_int_equal(p.flags, PU_PKT_CSUM_PARTIAL);
}

static void halves_join_in_either_order(void **state)
{
	struct pu_frame_halves h = { 0 };
	struct pu_frame_packet p;

	assert_int_equal(decode(&h, "\x02\x00\x07\x00" "hel", 7, 0, &p), 0);
	assert_int_equal(decode(&h, "\x02\x00\x07\x01" "lo", 6, 1, &p), 1);
	assert_int_equal(p.data.len, 5);
	assert_memory_equal(p.data.p, "hello", 5);
	assert_int_equal(decode(&h, "\x02\x00\x08\x01" "lo", 6, 1, &p), 0);
	assert_int_equal(decode(&h, "\x02\x00\x08\x00" "hel", 7, 1, &p), 1);
	assert_memory_equal(p.data.p, "hello", 5);
	pu_frame_halves_deinit(&h);
}

static void lost_half_never_joins_a_stranger(void **state)
{
	struct pu_frame_halves h = { 0 };
	struct pu_frame_packet p;

	/* Other packet in the same slot. */
	assert_int_equal(decode(&h, "\x02\x00\x07\x00" "old", 7, 0, &p), 0);
	assert_int_equal(decode(&h, "\x02\x00\x47\x01" "new", 7, 1, &p), 0);
	/* The same number, long after. */
	assert_int_equal(decode(&h, "\x02\x00\x47\x00" "new", 7,
				PU_MS(PU_FRAME_HALF_AGE_MS) + 2, &p),
			 0);
	/* The same half twice. */
	assert_int_equal(decode(&h, "\x02\x00\x47\x00" "new", 7,
				PU_MS(PU_FRAME_HALF_AGE_MS) + 3, &p),
			 0);
	pu_frame_halves_deinit(&h);
}

static void malformed_frames_are_refused(void **state)
{
	struct pu_frame_halves h = { 0 };
	struct pu_frame_packet p;
	char big[1 + 3 + PU_FRAME_HALF_MAX + 1] = "\x02";

	assert_int_equal(decode(&h, "", 0, 0, &p), PU_EPROTO);
	assert_int_equal(decode(&h, "\x00", 1, 0, &p), PU_EPROTO);
	assert_int_equal(decode(&h, "\x04x", 2, 0, &p), PU_EPROTO);
	assert_int_equal(decode(&h, "\x02\x00\x01", 3, 0, &p), PU_EPROTO);
	assert_int_equal(decode(&h, "\x02\x00\x01\x00", 4, 0, &p), PU_EPROTO);
	assert_int_equal(decode(&h, "\x02\x00\x01\x02x", 5, 0, &p), PU_EPROTO);
	assert_int_equal(decode(&h, big, sizeof big, 0, &p), PU_EPROTO);
	pu_frame_halves_deinit(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quic_varints_are_those_of_rfc_9000),
		cmocka_unit_test(whole_packet_keeps_its_checksum_flag),
		cmocka_unit_test(halves_join_in_either_order),
		cmocka_unit_test(lost_half_never_joins_a_stranger),
		cmocka_unit_test(malformed_frames_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
