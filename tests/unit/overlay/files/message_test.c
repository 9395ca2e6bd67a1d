/* Messages of a transfer: what is written reads the same, and what cannot be is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/codec.h"
#include "base/err.h"
#include "overlay/files/message.h"

static const uint8_t hash[PU_BLAKE2B_LEN] = { 1, 2, 3, 4, 5 };

static struct pu_files_message sample(enum pu_files_type type)
{
	struct pu_files_message m = { .type = type, .index = 7, .count = 9, .size = 1234567,
				      .status = PU_FILES_NO_SPACE };

	memcpy(m.hash, hash, sizeof hash);
	m.entry = (struct pu_files_entry){ .kind = PU_FILES_FILE, .size = 1234567,
					   .executable = true, .mtime = 1700000000 };
	m.path = pu_bytes_str("a/b");
	m.data = pu_bytes_str("content");
	return m;
}

static void every_message_reads_as_it_was_written(void **state)
{
	for (int t = PU_FILES_OFFER; t <= PU_FILES_FAIL; t++) {
		struct pu_files_message m = sample((enum pu_files_type)t), got;
		struct pu_buf b, again;
		size_t used;

		pu_buf_init(&b, PU_FILES_MESSAGE_MAX);
		pu_buf_init(&again, PU_FILES_MESSAGE_MAX);
		assert_int_equal(pu_files_message_write(&m, &b), 0);
		for (size_t i = 0; i < b.len; i++)
			assert_int_equal(pu_files_message_read(
						 pu_bytes(pu_buf_bytes(&b).p, i), &got, &used),
					 PU_EAGAIN);
		assert_int_equal(pu_files_message_read(pu_buf_bytes(&b), &got, &used), 0);
		assert_int_equal(used, b.len);
		assert_int_equal(got.type, t);
		assert_int_equal(pu_files_message_write(&got, &again), 0);
		assert_true(pu_bytes_eq(pu_buf_bytes(&b), pu_buf_bytes(&again)));
		pu_buf_deinit(&b);
		pu_buf_deinit(&again);
	}
}

static void an_entry_keeps_its_facts(void **state)
{
	struct pu_files_message m = sample(PU_FILES_ENTRY), got;
	struct pu_buf b;
	size_t used;

	pu_buf_init(&b, PU_FILES_MESSAGE_MAX);
	assert_int_equal(pu_files_message_write(&m, &b), 0);
	assert_int_equal(pu_files_message_read(pu_buf_bytes(&b), &got, &used), 0);
	assert_true(pu_bytes_eq_str(got.path, "a/b"));
	assert_int_equal(got.entry.size, 1234567);
	assert_int_equal(got.entry.mtime, 1700000000);
	assert_true(got.entry.executable);
	assert_int_equal(got.entry.kind, PU_FILES_FILE);
	pu_buf_deinit(&b);
}

static int read_hex(const char *hex)
{
	struct pu_files_message m;
	uint8_t b[256];
	size_t used;
	int n = pu_hex_decode(hex, strlen(hex), b, sizeof b);

	assert_true(n > 0);
	return pu_files_message_read(pu_bytes(b, (size_t)n), &m, &used);
}

static void malformed_messages_are_refused(void **state)
{
	assert_int_equal(read_hex("020803"), 0);          /* ACCEPT */
	assert_int_equal(read_hex("00"), PU_EPROTO);      /* no type */
	assert_int_equal(read_hex("020800"), PU_EPROTO);
	assert_int_equal(read_hex("02080e"), PU_EPROTO);  /* a type of later versions */
	assert_int_equal(read_hex("0408031001"), PU_EPROTO); /* an index that it does not have */
	assert_int_equal(read_hex("04080a1001"), PU_EPROTO); /* ACK without status */
	assert_int_equal(read_hex("06080a10012800"), 0);
	assert_int_equal(read_hex("08080a100110012800"), PU_EPROTO); /* twice */
	assert_int_equal(read_hex("08080a10a08d062800"), PU_EPROTO); /* index 100000 */
	assert_int_equal(read_hex("0408065a00"), PU_EPROTO); /* DATA of nothing */
	assert_int_equal(read_hex("040803780a"), 0);         /* a field of later versions */
	assert_int_equal(read_hex("818004"), PU_E2BIG);      /* 65537 bytes */
}

static void unknown_reasons_are_reasons(void **state)
{
	const uint8_t fail[] = { 4, 8, PU_FILES_FAIL, 0x28, 99 };
	struct pu_files_message m;
	size_t used;

	assert_int_equal(pu_files_message_read(pu_bytes(fail, sizeof fail), &m, &used), 0);
	assert_int_equal(m.status, PU_FILES_BROKEN);
}

static void data_has_its_limit(void **state)
{
	static uint8_t big[PU_FILES_MESSAGE_MAX];
	struct pu_files_message m = { .type = PU_FILES_DATA }, got;
	struct pu_buf b;
	size_t used;

	pu_buf_init(&b, 2 * PU_FILES_MESSAGE_MAX);
	m.data = pu_bytes(big, PU_FILES_DATA_MAX);
	assert_int_equal(pu_files_message_write(&m, &b), 0);
	assert_int_equal(pu_files_message_read(pu_buf_bytes(&b), &got, &used), 0);
	assert_int_equal(got.data.len, PU_FILES_DATA_MAX);
	pu_buf_clear(&b, 0);
	m.data.len++;
	assert_int_equal(pu_files_message_write(&m, &b), 0);
	assert_int_equal(pu_files_message_read(pu_buf_bytes(&b), &got, &used), PU_EPROTO);
	m.data.len = sizeof big;
	assert_int_equal(pu_files_message_write(&m, &b), PU_ELIMIT);
	pu_buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_reads_as_it_was_written),
		cmocka_unit_test(an_entry_keeps_its_facts),
		cmocka_unit_test(malformed_messages_are_refused),
		cmocka_unit_test(unknown_reasons_are_reasons),
		cmocka_unit_test(data_has_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
