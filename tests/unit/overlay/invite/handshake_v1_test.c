/* The conversation of peer-up, byte for byte. */
#include "overlay/invite/handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "crypto/dh.h"
#include "crypto/kdf.h"
#include "crypto/seal.h"
#include "support/handshake_pair.h"
#include "support/vectors.h"

enum { RANDOM_LEN = 32 + 24 };

static struct pu_vectors *v;
static struct pu_handshake_pair pair;
static uint8_t random_of_joiner[RANDOM_LEN], random_of_inviter[RANDOM_LEN];

static void fill_random(uint8_t *out, const char *secret, const char *nonce)
{
	memcpy(out, pu_vectors_hex(v, secret).p, 32);
	memcpy(out + 32, pu_vectors_hex(v, nonce).p, 24);
}

static int load(void **state)
{
	v = pu_vectors_load("invite_v1.txt");
	return 0;
}

static int unload(void **state)
{
	pu_vectors_free(v);
	return 0;
}

static int setup(void **state)
{
	pu_handshake_pair_init(&pair, PU_CODE_INVITE_V1);
	fill_random(random_of_joiner, "joiner.secret", "joiner.nonce");
	fill_random(random_of_inviter, "inviter.secret", "inviter.nonce");
	pair.joiner.random = random_of_joiner;
	pair.inviter.random = random_of_inviter;
	return 0;
}

static int teardown(void **state)
{
	pu_handshake_pair_deinit(&pair);
	return 0;
}

static void assert_message(size_t i, const uint8_t *p, size_t len)
{
	assert_true(pair.n_log > i);
	assert_int_equal(pair.log[i].len, len);
	assert_memory_equal(pair.log[i].b, p, len);
}

static void assert_vector(size_t i, const char *name)
{
	struct pu_bytes b = pu_vectors_hex(v, name);

	assert_message(i, b.p, b.len);
}

static void both_roles_say_what_peer_up_says(void **state)
{
	uint8_t hello[33] = { 1 };

	pu_handshake_pair_run(&pair);
	memcpy(hello + 1, pu_vectors_hex(v, "joiner.public").p, 32);
	assert_message(0, hello, sizeof hello);
	assert_vector(1, "inviter.public");
	assert_vector(2, "joiner.sealed");
	assert_vector(3, "inviter.sealed");
	assert_string_equal(pair.inviter.them.name, "laptop");
	assert_string_equal(pair.joiner.them.name, "home");
	assert_int_equal(pair.inviter.done + pair.joiner.done, 2);
}

static void an_inviter_hears_peer_ups_joiner(void **state)
{
	struct pu_bytes key = pu_vectors_hex(v, "joiner.public");
	struct pu_bytes name = pu_vectors_hex(v, "joiner.sealed");
	static const uint8_t one = 1;

	pu_handshake_pair_start(&pair);
	/* Go writes the version byte apart. */
	pu_handshake_recv(pair.inviter.h, &one, 1);
	pu_handshake_recv(pair.inviter.h, key.p, key.len);
	pu_handshake_recv(pair.inviter.h, name.p, name.len);
	assert_string_equal(pair.inviter.them.name, "laptop");
	assert_int_equal(pair.inviter.done, 1);
}

static void a_joiner_without_a_name_is_fine(void **state)
{
	memset(random_of_joiner + 32, 0, 24);
	pair.joiner.us.name[0] = '\0';
	pu_handshake_pair_run(&pair);
	assert_vector(2, "nobody.sealed");
	assert_string_equal(pair.inviter.them.name, "");
	assert_int_equal(pair.inviter.done, 1);
}

/* Seals as an inviter would and lets the joiner hear it. */
static void answer(const char *plain, size_t len)
{
	struct pu_bytes key = pu_vectors_hex(v, "inviter.public");
	static const struct pu_bytes none;
	uint8_t nonce[24] = { 9 }, msg[2 + 24 + 512 + 16];

	pu_handshake_pair_start(&pair);
	pu_handshake_recv(pair.joiner.h, key.p, key.len);
	msg[0] = (uint8_t)((len + 40) >> 8);
	msg[1] = (uint8_t)(len + 40);
	memcpy(msg + 2, nonce, 24);
	pu_seal(pu_vectors_hex(v, "key").p, nonce, none, pu_bytes(plain, len), msg + 26);
	pu_handshake_recv(pair.joiner.h, msg, len + 42);
}

static void answers_of_other_inviters_are_understood(void **state)
{
	static const struct {
		const char *plain, *name;
	} cases[] = {
		{ "OK ", "" }, { "OK", "" }, { "OK home \n", "home" }, { "OK  my home", "my home" },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		setup(NULL);
		answer(cases[i].plain, strlen(cases[i].plain));
		assert_int_equal(pair.joiner.done, 1);
		assert_string_equal(pair.joiner.them.name, cases[i].name);
		assert_int_equal(pair.joiner.them.access, PU_ACCESS_SERVICES);
		teardown(NULL);
	}
	setup(NULL);
}

static void answers_that_mean_no_are_failures(void **state)
{
	static const struct {
		const char *plain;
		size_t len;
		int err;
		const char *text;
	} cases[] = {
		{ "ERR server error", 16, PU_EREFUSED, "server error" },
		{ "ERR", 3, PU_EREFUSED, "" },
		{ "", 0, PU_EPROTO, "" },
		{ "ok home", 7, PU_EPROTO, "" },
		{ "OK ho\0me", 8, PU_EPROTO, "" },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		setup(NULL);
		answer(cases[i].plain, cases[i].len);
		assert_int_equal(pair.joiner.proven, 0);
		assert_int_equal(pair.joiner.failed, 1);
		assert_int_equal(pair.joiner.err, cases[i].err);
		assert_string_equal(pair.joiner.text, cases[i].text);
		teardown(NULL);
	}
	setup(NULL);
}

static void a_name_of_256_bytes_is_refused(void **state)
{
	char plain[3 + 256];

	memset(plain, 'x', sizeof plain);
	memcpy(plain, "OK ", 3);
	answer(plain, sizeof plain);
	assert_int_equal(pair.joiner.err, PU_EPROTO);
}

static void refused_lengths_end_it(void **state)
{
	static const struct {
		uint8_t prefix[2];
	} cases[] = { { { 0, 0 } }, { { 0, 23 } }, { { 0, 39 } }, { { 0x10, 1 } }, { { 0xff, 0xff } } };
	struct pu_bytes key = pu_vectors_hex(v, "inviter.public");

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		setup(NULL);
		pu_handshake_pair_start(&pair);
		pu_handshake_recv(pair.joiner.h, key.p, key.len);
		pu_handshake_recv(pair.joiner.h, cases[i].prefix, 2);
		assert_int_equal(pair.joiner.failed, 1);
		assert_int_equal(pair.joiner.err, PU_EPROTO);
		teardown(NULL);
	}
	setup(NULL);
}

static void other_versions_and_bad_keys_are_no_guess(void **state)
{
	static const uint8_t other[33] = { 2 }, low[33] = { 1 };

	pu_handshake_pair_start(&pair);
	pu_handshake_recv(pair.inviter.h, other, sizeof other);
	assert_int_equal(pair.inviter.err, PU_EPROTO);
	assert_int_equal(pair.inviter.guesses, 0);
	teardown(NULL);
	setup(NULL);
	pu_handshake_pair_start(&pair);
	pu_handshake_recv(pair.inviter.h, low, sizeof low);
	assert_int_equal(pair.inviter.err, PU_EPROTO);
	assert_int_equal(pair.inviter.guesses, 0);
	assert_int_equal(pair.inviter.sent, 0);
}

static void the_key_is_that_of_peer_up(void **state)
{
	uint8_t secret[32 + 8], key[32];
	static const struct pu_bytes none;

	assert_int_equal(pu_dh(pu_vectors_hex(v, "joiner.secret").p,
			       pu_vectors_hex(v, "inviter.public").p, secret),
			 0);
	assert_memory_equal(secret, pu_vectors_hex(v, "shared").p, 32);
	memcpy(secret + 32, pu_vectors_hex(v, "token").p, 8);
	pu_kdf_hkdf(pu_bytes(secret, sizeof secret), none, pu_bytes_str("peerup-invite-v1"), key,
		    sizeof key);
	assert_memory_equal(key, pu_vectors_hex(v, "key").p, sizeof key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_key_is_that_of_peer_up),
		cmocka_unit_test_setup_teardown(both_roles_say_what_peer_up_says, setup, teardown),
		cmocka_unit_test_setup_teardown(an_inviter_hears_peer_ups_joiner, setup, teardown),
		cmocka_unit_test_setup_teardown(a_joiner_without_a_name_is_fine, setup, teardown),
		cmocka_unit_test_setup_teardown(answers_of_other_inviters_are_understood, setup,
						teardown),
		cmocka_unit_test_setup_teardown(answers_that_mean_no_are_failures, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_of_256_bytes_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(refused_lengths_end_it, setup, teardown),
		cmocka_unit_test_setup_teardown(other_versions_and_bad_keys_are_no_guess, setup,
						teardown),
	};
	return cmocka_run_group_tests(tests, load, unload);
}
