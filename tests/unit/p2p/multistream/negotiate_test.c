#include "p2p/multistream/negotiate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/vectors.h"

#define HEADER "\x13/multistream/1.0.0\n"
#define NA "\x03na\n"
#define NOISE "\x07/noise\n"
#define TLS "\x0b/tls/1.0.0\n"

static const char *const noise_only[] = { "/noise", NULL };
static const char *const tls_then_noise[] = { "/tls/1.0.0", "/noise", NULL };

static bool supports_noise(void *arg, struct pu_bytes name)
{
	if (arg)
		++*(int *)arg;
	return pu_bytes_eq_str(name, "/noise");
}

static void assert_buf(struct pu_buf *b, const char *want)
{
	assert_int_equal(b->len, strlen(want));
	assert_memory_equal(pu_buf_bytes(b).p, want, b->len);
	pu_buf_clear(b, SIZE_MAX);
}

static int feed(struct pu_multistream *ms, const char *in, size_t *pused, struct pu_buf *out)
{
	return pu_multistream_recv(ms, pu_bytes_str(in), pused, out);
}

static void lines_are_the_known_bytes(void **state)
{
	struct pu_vectors *v = pu_vectors_load("multistream.txt");
	struct pu_bytes header = pu_vectors_hex(v, "/multistream/1.0.0");
	const char *name, *value;
	struct pu_buf out;
	size_t i = 0;

	pu_buf_init(&out, PU_MULTISTREAM_OUT_MAX);
	while (pu_vectors_next(v, &i, &name, &value)) {
		const char *list[] = { name, NULL };
		struct pu_multistream ms;
		struct pu_bytes line, got;

		if (name[0] != '/')
			continue;
		assert_int_equal(pu_multistream_initiate(&ms, list, false, &out), 0);
		line = pu_vectors_hex(v, name);
		got = pu_buf_bytes(&out);
		assert_int_equal(got.len, header.len + line.len);
		assert_memory_equal(got.p, header.p, header.len);
		assert_memory_equal(got.p + header.len, line.p, line.len);
		pu_buf_clear(&out, SIZE_MAX);
	}
	pu_buf_deinit(&out);
	pu_vectors_free(v);
}

static void initiator_proposes_without_waiting_and_accepts_the_echo(void **state)
{
	struct pu_multistream ms;
	struct pu_buf out;
	size_t used;

	pu_buf_init(&out, PU_MULTISTREAM_OUT_MAX);
	assert_int_equal(pu_multistream_initiate(&ms, noise_only, false, &out), 0);
	assert_buf(&out, HEADER NOISE);
	assert_null(pu_multistream_protocol(&ms));
	assert_int_equal(feed(&ms, HEADER, &used, &out), PU_EAGAIN);
	assert_int_equal(used, strlen(HEADER));
	assert_int_equal(feed(&ms, NOISE "payload", &used, &out), 0);
	assert_int_equal(used, strlen(NOISE));
	assert_ptr_equal(pu_multistream_protocol(&ms), noise_only[0]);
	assert_int_equal(out.len, 0);
	/* Finished is finished: payload is not looked at. */
	assert_int_equal(feed(&ms, "payload", &used, &out), 0);
	assert_int_equal(used, 0);
	pu_buf_deinit(&out);
}

static void initiator_tries_its_list_in_order(void **state)
{
	struct pu_multistream ms;
	struct pu_buf out;
	size_t used;

	pu_buf_init(&out, PU_MULTISTREAM_OUT_MAX);
	assert_int_equal(pu_multistream_initiate(&ms, tls_then_noise, false, &out), 0);
	assert_buf(&out, HEADER TLS);
	assert_int_equal(feed(&ms, HEADER NA, &used, &out), PU_EAGAIN);
	assert_int_equal(used, strlen(HEADER NA));
	assert_buf(&out, NOISE);
	assert_int_equal(feed(&ms, NOISE, &used, &out), 0);
	assert_string_equal(pu_multistream_protocol(&ms), "/noise");
	pu_buf_deinit(&out);
}

static void initiator_gives_up_after_the_last_refusal(void **state)
{
	struct pu_multistream ms;
	struct pu_buf out;
	size_t used;

	pu_buf_init(&out, PU_MULTISTREAM_OUT_MAX);
	assert_int_equal(pu_multistream_initiate(&ms, noise_only, false, &out), 0);
	pu_buf_clear(&out, SIZE_MAX);
	assert_int_equal(feed(&ms, HEADER NA "x", &used, &out), PU_ENOPROTO);
	assert_int_equal(used, strlen(HEADER NA));
	assert_int_equal(out.len, 0);
	assert_int_equal(feed(&ms, NOISE, &used, &out), PU_ENOPROTO);
	assert_int_equal(used, 0);
	assert_null(pu_multistream_protocol(&ms));
	pu_buf_deinit(&out);
}

static void initiator_refuses_an_echo_of_something_else(void **state)
{
	static const char *const answers[] = {
		HEADER TLS, HEADER HEADER, NOISE, HEADER "\x08/noisee\n", HEADER "\x06/nois\n",
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(answers); i++) {
		struct pu_multistream ms;
		struct pu_buf out;
		size_t used;

		pu_buf_init(&out, PU_MULTISTREAM_OUT_MAX);
		assert_int_equal(pu_multistream_initiate(&ms, noise_only, false, &out), 0);
		assert_int_equal(feed(&ms, answers[i], &used, &out), PU_EPROTO);
		pu_buf_deinit(&out);
	}
}

static void lazy_needs_exactly_one_candidate(void **state)
{
	static const char *const none[] = { NULL };
	static const char *const bad[] = { "/with\nnewline", NULL };
	struct pu_multistream ms;
	struct pu_buf out;

	pu_buf_init(&out, PU_MULTISTREAM_OUT_MAX);
	assert_int_equal(pu_multistream_initiate(&ms, none, false, &out), PU_EINVAL);
	assert_int_equal(pu_multistream_initiate(&ms, bad, false, &out), PU_EINVAL);
	assert_int_equal(pu_multistream_initiate(&ms, tls_then_noise, true, &out), PU_EINVAL);
	assert_int_equal(out.len, 0);
	assert_int_equal(pu_multistream_initiate(&ms, noise_only, true, &out), 0);
	assert_string_equal(pu_multistream_protocol(&ms), "/noise");
	pu_buf_deinit(&out);
}

static void responder_says_hello_at_once_and_echoes(void **state)
{
	struct pu_multistream ms;
	struct pu_buf out;
	size_t used;

	pu_buf_init(&out, PU_MULTISTREAM_OUT_MAX);
	assert_int_equal(pu_multistream_respond(&ms, supports_noise, NULL, &out), 0);
	assert_buf(&out, HEADER);
	/* Header, proposal and first payload in one segment, as rust and go send them. */
	assert_int_equal(feed(&ms, HEADER NOISE "payload", &used, &out), 0);
	assert_int_equal(used, strlen(HEADER NOISE));
	assert_buf(&out, NOISE);
	assert_string_equal(pu_multistream_protocol(&ms), "/noise");
	pu_buf_deinit(&out);
}

static void responder_refuses_and_keeps_reading(void **state)
{
	struct pu_multistream ms;
	struct pu_buf out;
	int asked = 0;
	size_t used;

	pu_buf_init(&out, PU_MULTISTREAM_OUT_MAX);
	assert_int_equal(pu_multistream_respond(&ms, supports_noise, &asked, &out), 0);
	assert_buf(&out, HEADER);
	assert_int_equal(feed(&ms, HEADER TLS "\x03ls\n" "\x01\n" "\x04/\x01x\n", &used, &out),
			 PU_EAGAIN);
	assert_buf(&out, NA NA NA NA);
	/* Neither the listing nor names that cannot be ours reach the callback. */
	assert_int_equal(asked, 1);
	assert_null(pu_multistream_protocol(&ms));
	assert_int_equal(feed(&ms, NOISE, &used, &out), 0);
	assert_buf(&out, NOISE);
	pu_buf_deinit(&out);
}

static void responder_ends_a_guessing_game(void **state)
{
	struct pu_multistream ms;
	struct pu_buf out;
	size_t used;

	pu_buf_init(&out, PU_MULTISTREAM_OUT_MAX);
	assert_int_equal(pu_multistream_respond(&ms, supports_noise, NULL, &out), 0);
	assert_int_equal(feed(&ms, HEADER, &used, &out), PU_EAGAIN);
	for (int i = 0; i < PU_MULTISTREAM_PROPOSALS_MAX; i++)
		assert_int_equal(feed(&ms, TLS, &used, &out), PU_EAGAIN);
	assert_int_equal(feed(&ms, NOISE, &used, &out), PU_ELIMIT);
	assert_int_equal(feed(&ms, NOISE, &used, &out), PU_ELIMIT);
	pu_buf_deinit(&out);
}

static void incomplete_lines_stay_with_the_caller(void **state)
{
	static const char all[] = HEADER NOISE;
	struct pu_multistream ms;
	struct pu_buf out;
	size_t used, off = 0;
	int r = PU_EAGAIN;

	pu_buf_init(&out, PU_MULTISTREAM_OUT_MAX);
	assert_int_equal(pu_multistream_respond(&ms, supports_noise, NULL, &out), 0);
	for (size_t end = 0; end < sizeof all; end++) {
		r = pu_multistream_recv(&ms, pu_bytes(all + off, end - off), &used, &out);
		off += used;
		if (r == 0)
			break;
		assert_int_equal(r, PU_EAGAIN);
		assert_true(off == 0 || off == strlen(HEADER));
	}
	assert_int_equal(r, 0);
	assert_int_equal(off, sizeof all - 1);
	assert_buf(&out, HEADER NOISE);
	pu_buf_deinit(&out);
}

static void lines_beyond_the_limit_are_refused_by_their_length(void **state)
{
	static const struct {
		uint8_t b[4];
		size_t len;
	} bad[] = {
		{ { 0x00 }, 1 },             /* no room for the newline */
		{ { 0x81, 0x08 }, 2 },       /* 1025 */
		{ { 0xff, 0xff }, 2 },       /* longer still */
		{ { 0x83, 0x00 }, 2 },       /* padded varint */
		{ { 0x03, 'n', 'a', 'x' }, 4 }, /* no newline */
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++) {
		struct pu_multistream ms;
		struct pu_buf out;
		size_t used;

		pu_buf_init(&out, PU_MULTISTREAM_OUT_MAX);
		assert_int_equal(pu_multistream_respond(&ms, supports_noise, NULL, &out), 0);
		assert_int_equal(pu_multistream_recv(&ms, pu_bytes(bad[i].b, bad[i].len), &used,
						     &out), PU_EPROTO);
		pu_buf_deinit(&out);
	}
}

static void the_longest_line_is_read_and_a_long_name_refused(void **state)
{
	uint8_t line[2 + PU_MULTISTREAM_LINE_MAX];
	struct pu_multistream ms;
	struct pu_buf out;
	size_t used;

	memset(line, 'x', sizeof line);
	line[0] = 0x80;
	line[1] = 0x08;
	line[sizeof line - 1] = '\n';
	pu_buf_init(&out, PU_MULTISTREAM_OUT_MAX);
	assert_int_equal(pu_multistream_respond(&ms, supports_noise, NULL, &out), 0);
	assert_int_equal(feed(&ms, HEADER, &used, &out), PU_EAGAIN);
	pu_buf_clear(&out, SIZE_MAX);
	assert_int_equal(pu_multistream_recv(&ms, pu_bytes(line, sizeof line - 1), &used, &out),
			 PU_EAGAIN);
	assert_int_equal(used, 0);
	assert_int_equal(pu_multistream_recv(&ms, pu_bytes(line, sizeof line), &used, &out),
			 PU_EAGAIN);
	assert_int_equal(used, sizeof line);
	assert_buf(&out, NA);
	pu_buf_deinit(&out);
}

static void a_full_output_is_an_error_not_a_hang(void **state)
{
	struct pu_multistream ms;
	struct pu_buf out;
	size_t used;

	pu_buf_init(&out, strlen(HEADER) + 2);
	assert_int_equal(pu_multistream_initiate(&ms, noise_only, false, &out), PU_ELIMIT);
	pu_buf_clear(&out, SIZE_MAX);
	assert_int_equal(pu_multistream_respond(&ms, supports_noise, NULL, &out), 0);
	assert_int_equal(feed(&ms, HEADER NOISE, &used, &out), PU_ELIMIT);
	assert_null(pu_multistream_protocol(&ms));
	pu_buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_the_known_bytes),
		cmocka_unit_test(initiator_proposes_without_waiting_and_accepts_the_echo),
		cmocka_unit_test(initiator_tries_its_list_in_order),
		cmocka_unit_test(initiator_gives_up_after_the_last_refusal),
		cmocka_unit_test(initiator_refuses_an_echo_of_something_else),
		cmocka_unit_test(lazy_needs_exactly_one_candidate),
		cmocka_unit_test(responder_says_hello_at_once_and_echoes),
		cmocka_unit_test(responder_refuses_and_keeps_reading),
		cmocka_unit_test(responder_ends_a_guessing_game),
		cmocka_unit_test(incomplete_lines_stay_with_the_caller),
		cmocka_unit_test(lines_beyond_the_limit_are_refused_by_their_length),
		cmocka_unit_test(the_longest_line_is_read_and_a_long_name_refused),
		cmocka_unit_test(a_full_output_is_an_error_not_a_hang),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
