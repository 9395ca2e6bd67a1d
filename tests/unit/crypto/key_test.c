#include "crypto/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <gnutls/abstract.h>

#include "base/err.h"
#include "support/vectors.h"

static struct pu_bytes vec(struct pu_vectors *v, const char *type, const char *what)
{
	char name[64];

	snprintf(name, sizeof name, "%s.%s", type, what);
	return pu_vectors_hex(v, name);
}

static int setup(void **state)
{
	*state = pu_vectors_load("keys.txt");
	return pu_crypto_init();
}

static int teardown(void **state)
{
	pu_vectors_free(*state);
	return 0;
}

static void our_key_survives_a_round_trip(void **state)
{
	struct pu_bytes pb = vec(*state, "ed25519", "private");
	struct pu_bytes pub = vec(*state, "ed25519", "public");
	char text[PU_PEERID_TEXT_MAX];
	uint8_t out[68];
	struct pu_key k;

	assert_int_equal(pu_key_decode(&k, pb), 0);
	assert_int_equal(pb.len, sizeof out);
	pu_key_encode(&k, out);
	assert_memory_equal(out, pb.p, sizeof out);
	assert_true(pu_bytes_eq(pu_key_public(&k), pub));
	assert_string_equal(pu_peerid_text(&k.peer, text),
			    pu_vectors_text(*state, "ed25519.id"));
	pu_key_deinit(&k);
	for (size_t i = 0; i < sizeof k; i++)
		assert_int_equal(((uint8_t *)&k)[i], 0);
}

static void a_seed_gives_the_known_identity(void **state)
{
	char text[PU_PEERID_TEXT_MAX];
	struct pu_key k;

	assert_int_equal(pu_key_from_seed(&k, vec(*state, "b", "seed").p), 0);
	assert_true(pu_bytes_eq(pu_key_public(&k), vec(*state, "b", "public")));
	assert_string_equal(pu_peerid_text(&k.peer, text), pu_vectors_text(*state, "b.id"));
	pu_key_deinit(&k);
}

static void every_key_type_gives_the_specified_peer_id(void **state)
{
	static const char *const types[] = { "ed25519", "secp256k1", "ecdsa", "rsa" };
	char text[PU_PEERID_TEXT_MAX], name[32];
	struct pu_pubkey k;

	for (size_t i = 0; i < PU_ARRAY_LEN(types); i++) {
		struct pu_bytes pb = vec(*state, types[i], "public");

		assert_int_equal(pu_pubkey_decode(&k, pb), 0);
		assert_true(pu_bytes_eq(pb, pu_bytes(k.encoded, k.len)));
		snprintf(name, sizeof name, "%s.id", types[i]);
		assert_string_equal(pu_peerid_text(&k.peer, text), pu_vectors_text(*state, name));
	}
}

static void every_cut_and_every_longer_key_is_refused(void **state)
{
	static const char *const types[] = { "ed25519", "secp256k1", "ecdsa", "rsa" };
	uint8_t longer[PU_PUBKEY_MAX + 1];
	struct pu_pubkey k;

	for (size_t i = 0; i < PU_ARRAY_LEN(types); i++) {
		struct pu_bytes pb = vec(*state, types[i], "public");

		for (size_t n = 0; n < pb.len; n++)
			assert_int_equal(pu_pubkey_decode(&k, pu_bytes(pb.p, n)), PU_EPROTO);
		memcpy(longer, pb.p, pb.len);
		longer[pb.len] = 0;
		assert_int_equal(pu_pubkey_decode(&k, pu_bytes(longer, pb.len + 1)), PU_EPROTO);
	}
}

static void an_uncommon_encoding_has_the_same_peer_id(void **state)
{
	struct pu_bytes pub = vec(*state, "ed25519", "public");
	/* Data first, an unknown field, then the type in two varint bytes. */
	uint8_t pb[64] = { 0 };
	struct pu_pubkey a, b;
	size_t n;

	memcpy(pb, pub.p + 2, 34);
	n = 34;
	memcpy(pb + n, "\x18\x05\x08\x81\x00", 5);
	n += 5;
	assert_int_equal(pu_pubkey_decode(&a, pub), 0);
	assert_int_equal(pu_pubkey_decode(&b, pu_bytes(pb, n)), 0);
	assert_true(pu_peerid_eq(&a.peer, &b.peer));
	assert_true(pu_bytes_eq(pu_bytes(b.encoded, b.len), pub));
}

static void unknown_types_are_not_supported(void **state)
{
	uint8_t pb[36];
	struct pu_pubkey k;

	memcpy(pb, vec(*state, "ed25519", "public").p, sizeof pb);
	pb[1] = 4;
	assert_int_equal(pu_pubkey_decode(&k, pu_bytes(pb, sizeof pb)), PU_ENOTSUP);
}

static void a_private_key_whose_parts_disagree_is_refused(void **state)
{
	struct pu_bytes pb = vec(*state, "ed25519", "private");
	uint8_t bad[68];
	struct pu_key k;

	for (size_t i = 4; i < sizeof bad; i++) {
		memcpy(bad, pb.p, sizeof bad);
		bad[i] ^= 1;
		assert_int_equal(pu_key_decode(&k, pu_bytes(bad, sizeof bad)), PU_EINVAL);
	}
	for (size_t n = 0; n < pb.len; n++)
		assert_int_equal(pu_key_decode(&k, pu_bytes(pb.p, n)), PU_EINVAL);
	assert_int_equal(pu_key_decode(&k, vec(*state, "rsa", "private")), PU_ENOTSUP);
	assert_int_equal(pu_key_decode(&k, vec(*state, "ecdsa", "private")), PU_ENOTSUP);
	assert_int_equal(pu_key_decode(&k, vec(*state, "secp256k1", "private")), PU_ENOTSUP);
}

static void the_legacy_form_loads_when_its_copies_agree(void **state)
{
	struct pu_vectors *v = pu_vectors_load("signatures.txt");
	struct pu_bytes pb = vec(v, "legacy", "private");
	uint8_t bad[128], sig[64];
	struct pu_key k;

	assert_int_equal(pu_key_decode(&k, pb), 0);
	assert_true(pu_bytes_eq(pu_key_public(&k), vec(v, "legacy", "public")));
	pu_key_sign(&k, vec(v, "hello", "message"), sig);
	assert_true(pu_bytes_eq(pu_bytes(sig, sizeof sig), vec(v, "legacy", "signature")));
	memcpy(bad, pb.p, pb.len);
	bad[pb.len - 1] ^= 1;
	assert_int_equal(pu_key_decode(&k, pu_bytes(bad, pb.len)), PU_EINVAL);
	pu_key_deinit(&k);
	pu_vectors_free(v);
}

static void signatures_of_others_are_verified(void **state)
{
	static const struct {
		const char *key, *message;
	} cases[] = {
		{ "legacy", "hello" },	  { "normal", "hello" }, { "secp256k1-js", "hello" },
		{ "secp256k1", "best" },  { "ecdsa", "best" },
	};
	struct pu_vectors *v = pu_vectors_load("signatures.txt");

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		struct pu_bytes msg = vec(v, cases[i].message, "message");
		struct pu_bytes sig = vec(v, cases[i].key, "signature");
		uint8_t bad[128];
		struct pu_pubkey k;

		assert_int_equal(pu_pubkey_decode(&k, vec(v, cases[i].key, "public")), 0);
		assert_int_equal(pu_pubkey_verify(&k, msg, sig), 0);
		assert_int_equal(pu_pubkey_verify(&k, pu_bytes(msg.p, msg.len - 1), sig),
				 PU_ECRYPTO);
		for (size_t n = 0; n < sig.len; n++) {
			memcpy(bad, sig.p, sig.len);
			bad[n] ^= 0x40;
			assert_int_equal(pu_pubkey_verify(&k, msg, pu_bytes(bad, sig.len)),
					 PU_ECRYPTO);
			assert_int_equal(pu_pubkey_verify(&k, msg, pu_bytes(sig.p, n)), PU_ECRYPTO);
		}
	}
	pu_vectors_free(v);
}

static gnutls_privkey_t rsa_of(struct pu_bytes pb)
{
	/* 08 00 12 82-style length: the PKCS#1 body starts behind five bytes. */
	gnutls_datum_t der = { (unsigned char *)pb.p + 5, (unsigned)pb.len - 5 };
	gnutls_x509_privkey_t x;
	gnutls_privkey_t k;

	assert_int_equal(gnutls_x509_privkey_init(&x), 0);
	assert_int_equal(gnutls_x509_privkey_import(x, &der, GNUTLS_X509_FMT_DER), 0);
	assert_int_equal(gnutls_privkey_init(&k), 0);
	assert_int_equal(gnutls_privkey_import_x509(k, x, GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE), 0);
	return k;
}

static void rsa_signatures_are_verified(void **state)
{
	gnutls_privkey_t priv = rsa_of(vec(*state, "rsa", "private"));
	struct pu_bytes msg = pu_bytes_str("a message");
	gnutls_datum_t in = { (unsigned char *)msg.p, (unsigned)msg.len }, out;
	struct pu_pubkey k;

	assert_int_equal(pu_pubkey_decode(&k, vec(*state, "rsa", "public")), 0);
	assert_int_equal(gnutls_privkey_sign_data(priv, GNUTLS_DIG_SHA256, 0, &in, &out), 0);
	assert_int_equal(pu_pubkey_verify(&k, msg, pu_bytes(out.data, out.size)), 0);
	out.data[7] ^= 1;
	assert_int_equal(pu_pubkey_verify(&k, msg, pu_bytes(out.data, out.size)), PU_ECRYPTO);
	gnutls_free(out.data);
	assert_int_equal(gnutls_privkey_sign_data(priv, GNUTLS_DIG_SHA512, 0, &in, &out), 0);
	assert_int_equal(pu_pubkey_verify(&k, msg, pu_bytes(out.data, out.size)), PU_ECRYPTO);
	gnutls_free(out.data);
	gnutls_privkey_deinit(priv);
}

static size_t encode_spki(gnutls_pk_algorithm_t algo, unsigned bits, uint8_t type, uint8_t *pb)
{
	gnutls_privkey_t priv;
	gnutls_pubkey_t pub;
	gnutls_datum_t der;
	size_t n = 0;

	assert_int_equal(gnutls_privkey_init(&priv), 0);
	assert_int_equal(gnutls_privkey_generate(priv, algo, bits, 0), 0);
	assert_int_equal(gnutls_pubkey_init(&pub), 0);
	assert_int_equal(gnutls_pubkey_import_privkey(pub, priv, 0, 0), 0);
	assert_int_equal(gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_DER, &der), 0);
	pb[n++] = 0x08;
	pb[n++] = type;
	pb[n++] = 0x12;
	if (der.size >= 0x80)
		pb[n++] = (uint8_t)(der.size | 0x80);
	pb[n++] = (uint8_t)(der.size >= 0x80 ? der.size >> 7 : der.size);
	memcpy(pb + n, der.data, der.size);
	n += der.size;
	gnutls_free(der.data);
	gnutls_pubkey_deinit(pub);
	gnutls_privkey_deinit(priv);
	return n;
}

static void keys_too_small_or_of_the_wrong_curve_are_refused(void **state)
{
	uint8_t pb[512];
	struct pu_pubkey k;
	size_t n;

	n = encode_spki(GNUTLS_PK_RSA, 1024, PU_KEY_RSA, pb);
	assert_int_equal(pu_pubkey_decode(&k, pu_bytes(pb, n)), PU_EPROTO);
	n = encode_spki(GNUTLS_PK_RSA, 2048, PU_KEY_RSA, pb);
	assert_int_equal(pu_pubkey_decode(&k, pu_bytes(pb, n)), 0);
	pb[1] = PU_KEY_ECDSA;
	assert_int_equal(pu_pubkey_decode(&k, pu_bytes(pb, n)), PU_EPROTO);
	n = encode_spki(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1),
			PU_KEY_ECDSA, pb);
	assert_int_equal(pu_pubkey_decode(&k, pu_bytes(pb, n)), PU_EPROTO);
	n = encode_spki(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
			PU_KEY_ECDSA, pb);
	assert_int_equal(pu_pubkey_decode(&k, pu_bytes(pb, n)), 0);
}

static void a_point_that_is_not_on_the_curve_is_refused(void **state)
{
	uint8_t pb[37] = { 0x08, 0x02, 0x12, 0x21, 0x02 };
	struct pu_pubkey k;

	pb[36] = 5; /* x = 5 has no y on secp256k1 */
	assert_int_equal(pu_pubkey_decode(&k, pu_bytes(pb, sizeof pb)), PU_EPROTO);
}

static void the_all_zero_ed25519_key_signs_nothing(void **state)
{
	uint8_t pb[36] = { 0x08, 0x01, 0x12, 0x20 }, sig[64] = { 0 };
	struct pu_pubkey k;

	/* A key of small order would accept forged signatures. */
	assert_int_equal(pu_pubkey_decode(&k, pu_bytes(pb, sizeof pb)), 0);
	assert_int_equal(pu_pubkey_verify(&k, pu_bytes_str("x"), pu_bytes(sig, sizeof sig)),
			 PU_ECRYPTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_key_survives_a_round_trip),
		cmocka_unit_test(a_seed_gives_the_known_identity),
		cmocka_unit_test(every_key_type_gives_the_specified_peer_id),
		cmocka_unit_test(every_cut_and_every_longer_key_is_refused),
		cmocka_unit_test(an_uncommon_encoding_has_the_same_peer_id),
		cmocka_unit_test(unknown_types_are_not_supported),
		cmocka_unit_test(a_private_key_whose_parts_disagree_is_refused),
		cmocka_unit_test(the_legacy_form_loads_when_its_copies_agree),
		cmocka_unit_test(signatures_of_others_are_verified),
		cmocka_unit_test(rsa_signatures_are_verified),
		cmocka_unit_test(keys_too_small_or_of_the_wrong_curve_are_refused),
		cmocka_unit_test(a_point_that_is_not_on_the_curve_is_refused),
		cmocka_unit_test(the_all_zero_ed25519_key_signs_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
