#include "base/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"

typedef int encode_fn(struct pu_bytes in, char *out, size_t cap);
typedef int decode_fn(const char *in, size_t len, uint8_t *out, size_t cap);

static void known_answers(void **state)
{
	static const struct {
		encode_fn *encode;
		decode_fn *decode;
		const char *bytes, *text;
	} cases[] = {
		/* RFC 4648 section 10, lower case and without padding */
		{ pu_base32_encode, pu_base32_decode, "", "" },
		{ pu_base32_encode, pu_base32_decode, "f", "my" },
		{ pu_base32_encode, pu_base32_decode, "fo", "mzxq" },
		{ pu_base32_encode, pu_base32_decode, "foo", "mzxw6" },
		{ pu_base32_encode, pu_base32_decode, "foob", "mzxw6yq" },
		{ pu_base32_encode, pu_base32_decode, "fooba", "mzxw6ytb" },
		{ pu_base32_encode, pu_base32_decode, "foobar", "mzxw6ytboi" },
		{ pu_base64url_encode, pu_base64url_decode, "f", "Zg" },
		{ pu_base64url_encode, pu_base64url_decode, "fo", "Zm8" },
		{ pu_base64url_encode, pu_base64url_decode, "foobar", "Zm9vYmFy" },
		{ pu_base64url_encode, pu_base64url_decode, "\xfb\xff\xfe", "-__-" },
		{ pu_hex_encode, pu_hex_decode, "foobar", "666f6f626172" },
		{ pu_base58_encode, pu_base58_decode, "", "" },
		{ pu_base58_encode, pu_base58_decode, "Hello World!", "2NEpo7TZRRrLZSi2U" },
		{ pu_base58_encode, pu_base58_decode,
		  "The quick brown fox jumps over the lazy dog.",
		  "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z" },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		char text[128];
		uint8_t b[128];
		size_t n = strlen(cases[i].bytes), m = strlen(cases[i].text);

		assert_int_equal(cases[i].encode(pu_bytes(cases[i].bytes, n), text, sizeof text), m);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(cases[i].decode(text, m, b, sizeof b), n);
		assert_memory_equal(b, cases[i].bytes, n);
		if (m == 0)
			continue;
		assert_int_equal(cases[i].encode(pu_bytes(cases[i].bytes, n), text, m), PU_ELIMIT);
		assert_int_equal(cases[i].decode(cases[i].text, m, b, n - 1), PU_ELIMIT);
	}
}

static void leading_zeros_survive_base58(void **state)
{
	static const uint8_t in[] = { 0, 0, 0x28, 0x7f, 0xb4, 0xcd };
	uint8_t b[8];
	char text[16];

	assert_int_equal(pu_base58_encode(pu_bytes(in, sizeof in), text, sizeof text), 8);
	assert_string_equal(text, "11233QC4");
	assert_int_equal(pu_base58_decode(text, 8, b, sizeof b), sizeof in);
	assert_memory_equal(b, in, sizeof in);
}

static void decoders_are_strict(void **state)
{
	uint8_t b[300];
	char ones[300];

	assert_int_equal(pu_base58_decode("0", 1, b, sizeof b), PU_EINVAL);
	assert_int_equal(pu_base58_decode("l", 1, b, sizeof b), PU_EINVAL);
	assert_int_equal(pu_base58_decode("a\0b", 3, b, sizeof b), PU_EINVAL);
	assert_int_equal(pu_base32_decode("MY", 2, b, sizeof b), PU_EINVAL);
	assert_int_equal(pu_base32_decode("my======", 8, b, sizeof b), PU_EINVAL);
	assert_int_equal(pu_base32_decode("mz", 2, b, sizeof b), PU_EINVAL);    /* bits left over */
	assert_int_equal(pu_base32_decode("mzx", 3, b, sizeof b), PU_EINVAL);   /* no such length */
	assert_int_equal(pu_base64url_decode("Zg==", 4, b, sizeof b), PU_EINVAL);
	assert_int_equal(pu_base64url_decode("Zh", 2, b, sizeof b), PU_EINVAL);
	assert_int_equal(pu_base64url_decode("Z", 1, b, sizeof b), PU_EINVAL);
	assert_int_equal(pu_base64url_decode("+/", 2, b, sizeof b), PU_EINVAL);
	assert_int_equal(pu_hex_decode("abc", 3, b, sizeof b), PU_EINVAL);
	assert_int_equal(pu_hex_decode("AB", 2, b, sizeof b), PU_EINVAL);
	memset(ones, '1', sizeof ones);
	assert_int_equal(pu_base58_decode(ones, sizeof ones, b, sizeof b), PU_EINVAL);
	memset(b, 1, sizeof b);
	assert_int_equal(pu_base58_encode(pu_bytes(b, sizeof b), ones, sizeof ones), PU_ELIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(leading_zeros_survive_base58),
		cmocka_unit_test(decoders_are_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
