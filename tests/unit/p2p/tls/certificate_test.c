/* Certificates that carry a libp2p identity: ours, the specification's, bad ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "base/err.h"
#include "p2p/tls/certificate.h"
#include "p2p/tls/verify.h"
#include "support/vectors.h"

static const int64_t today = 1700000000; /* 2023 */

static void counting_random(void *arg, void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)i;
}

static struct pu_loop loop;
static struct pu_key key;

static int setup(void **state)
{
	uint8_t seed[32] = { 7 };

	assert_int_equal(pu_crypto_init(), 0);
	pu_loop_init(&loop, 0, today * 1000000000, counting_random, NULL);
	return pu_key_from_seed(&key, seed);
}

static void official_certificates_are_judged_right(void **state)
{
	struct pu_vectors *v = pu_vectors_load("certificates.txt");
	static const char *const good[][2] = { { "certificate1", "peer1" },
					       { "certificate2", "peer2" },
					       { "certificate3", "peer3" } };
	struct pu_peerid id, other;
	struct pu_pubkey k;

	assert_int_equal(pu_peerid_from_text(&other, pu_vectors_text(v, "peer1")), 0);
	for (size_t i = 0; i < PU_ARRAY_LEN(good); i++) {
		struct pu_bytes der = pu_vectors_hex(v, good[i][0]);

		assert_int_equal(pu_peerid_from_text(&id, pu_vectors_text(v, good[i][1])), 0);
		assert_int_equal(pu_tls_verify(der, NULL, today, &k), 0);
		assert_true(pu_peerid_eq(&k.peer, &id));
		assert_int_equal(pu_tls_verify(der, &id, today, &k), 0);
		assert_int_equal(pu_tls_verify(der, &other, today, &k), i ? PU_EPEERID : 0);
	}
	assert_int_equal(pu_tls_verify(pu_vectors_hex(v, "certificate4"), NULL, today, &k),
			 PU_ECRYPTO);
	pu_vectors_free(v);
}

static void own_certificate_proves_our_identity(void **state)
{
	struct pu_tls_credentials *c;
	struct pu_pubkey k;

	assert_int_equal(pu_tls_credentials_new(&key, &loop, &c), 0);
	assert_in_range(pu_tls_credentials_der(c).len, 300, 450);
	assert_int_equal(pu_tls_verify(pu_tls_credentials_der(c), &key.peer, today, &k), 0);
	assert_memory_equal(k.encoded, key.encoded, sizeof key.encoded);
	/* Also for a board that woke up in 1980, and in a far future. */
	assert_int_equal(pu_tls_verify(pu_tls_credentials_der(c), &key.peer, 320000000, &k), 0);
	assert_int_equal(pu_tls_verify(pu_tls_credentials_der(c), &key.peer, 60000000000, &k), 0);
	pu_tls_credentials_free(c);
}

static void own_certificate_has_one_extension_and_no_name(void **state)
{
	struct pu_tls_credentials *c;
	gnutls_x509_crt_t crt;
	gnutls_datum_t d;
	char oid[64], dn[64];
	size_t len = sizeof oid, dn_len = sizeof dn;
	unsigned critical;

	assert_int_equal(pu_tls_credentials_new(&key, &loop, &c), 0);
	d = (gnutls_datum_t){ (unsigned char *)pu_tls_credentials_der(c).p,
			      (unsigned)pu_tls_credentials_der(c).len };
	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_import(crt, &d, GNUTLS_X509_FMT_DER), 0);
	assert_int_equal(gnutls_x509_crt_get_extension_info(crt, 0, oid, &len, &critical), 0);
	assert_string_equal(oid, PU_TLS_EXTENSION_OID);
	assert_true(critical);
	len = sizeof oid;
	assert_int_equal(gnutls_x509_crt_get_extension_info(crt, 1, oid, &len, &critical),
			 GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE);
	assert_true(gnutls_x509_crt_get_dn(crt, dn, &dn_len) < 0 || dn_len == 0);
	gnutls_x509_crt_deinit(crt);
	pu_tls_credentials_free(c);
}

/* ---- A workshop for wrong certificates ---- */

struct shop {
	gnutls_x509_privkey_t x509key;
	gnutls_privkey_t priv;
	gnutls_x509_crt_t crt;
	uint8_t ext[256]; /* SignedKey */
	size_t ext_len;
	uint8_t der[2048];
	size_t len;
};

static void shop_init(struct shop *s)
{
	uint8_t msg[512], serial = 1, *p = s->ext;
	static const char prefix[] = PU_TLS_SIGNATURE_PREFIX;
	gnutls_datum_t spki;
	gnutls_pubkey_t pub;

	memset(s, 0, sizeof *s);
	assert_int_equal(gnutls_x509_privkey_init(&s->x509key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(
				 s->x509key, GNUTLS_PK_ECDSA,
				 GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
	assert_int_equal(gnutls_privkey_init(&s->priv), 0);
	assert_int_equal(gnutls_privkey_import_x509(s->priv, s->x509key, 0), 0);
	assert_int_equal(gnutls_pubkey_init(&pub), 0);
	assert_int_equal(gnutls_pubkey_import_privkey(pub, s->priv, 0, 0), 0);
	assert_int_equal(gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_DER, &spki), 0);
	memcpy(msg, prefix, sizeof prefix - 1);
	memcpy(msg + sizeof prefix - 1, spki.data, spki.size);
	*p++ = 0x30; *p++ = 104; *p++ = 4; *p++ = 36;
	memcpy(p, key.encoded, 36);
	p += 36;
	*p++ = 4; *p++ = 64;
	pu_key_sign(&key, pu_bytes(msg, sizeof prefix - 1 + spki.size), p);
	s->ext_len = 106;
	gnutls_free(spki.data);
	gnutls_pubkey_deinit(pub);
	assert_int_equal(gnutls_x509_crt_init(&s->crt), 0);
	gnutls_x509_crt_set_version(s->crt, 3);
	gnutls_x509_crt_set_serial(s->crt, &serial, 1);
	gnutls_x509_crt_set_activation_time(s->crt, today - 3600);
	gnutls_x509_crt_set_expiration_time(s->crt, today + 3600);
	gnutls_x509_crt_set_key(s->crt, s->x509key);
}

static void shop_extension(struct shop *s, const char *oid, int critical)
{
	assert_int_equal(gnutls_x509_crt_set_extension_by_oid(s->crt, oid, s->ext, s->ext_len,
							      critical), 0);
}

static void shop_sign(struct shop *s, gnutls_privkey_t with)
{
	s->len = sizeof s->der;
	assert_int_equal(gnutls_x509_crt_privkey_sign(s->crt, s->crt, with, GNUTLS_DIG_SHA256, 0),
			 0);
	assert_int_equal(gnutls_x509_crt_export(s->crt, GNUTLS_X509_FMT_DER, s->der, &s->len), 0);
}

static size_t tbs_len(const uint8_t *tbs)
{
	assert_int_equal(tbs[0], 0x30);
	assert_int_equal(tbs[1], 0x82);
	return 4 + ((size_t)tbs[2] << 8 | tbs[3]);
}

/* Replaces a byte string in the certificate by one of the same length and signs
 * it anew. */
static void shop_patch(struct shop *s, const void *from, const void *to, size_t len)
{
	static const uint8_t alg[] = { 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
				       0x3d, 0x04, 0x03, 0x02 };
	uint8_t *tbs = s->der + 4, *at = memmem(tbs, s->len, from, len), *p;
	gnutls_datum_t data, sig;

	assert_non_null(at);
	memcpy(at, to, len);
	data = (gnutls_datum_t){ tbs, (unsigned)tbs_len(tbs) };
	assert_int_equal(gnutls_privkey_sign_data(s->priv, GNUTLS_DIG_SHA256, 0, &data, &sig), 0);
	p = tbs + data.size;
	memcpy(p, alg, sizeof alg);
	p += sizeof alg;
	*p++ = 3;
	*p++ = (uint8_t)(sig.size + 1);
	*p++ = 0;
	memcpy(p, sig.data, sig.size);
	p += sig.size;
	s->len = (size_t)(p - s->der);
	s->der[2] = (uint8_t)((s->len - 4) >> 8);
	s->der[3] = (uint8_t)(s->len - 4);
	gnutls_free(sig.data);
}

static void shop_deinit(struct shop *s)
{
	gnutls_x509_crt_deinit(s->crt);
	gnutls_privkey_deinit(s->priv);
	gnutls_x509_privkey_deinit(s->x509key);
}

static int judge(const struct shop *s)
{
	struct pu_pubkey k;

	return pu_tls_verify(pu_bytes(s->der, s->len), NULL, today, &k);
}

static void extension_need_not_be_critical(void **state)
{
	for (int critical = 0; critical < 2; critical++) {
		struct shop s;

		shop_init(&s);
		shop_extension(&s, PU_TLS_EXTENSION_OID, critical);
		shop_sign(&s, s.priv);
		assert_int_equal(judge(&s), 0);
		shop_deinit(&s);
	}
}

static void outside_its_dates_it_is_refused(void **state)
{
	struct shop s;
	struct pu_pubkey k;
	struct pu_bytes der;

	shop_init(&s);
	shop_extension(&s, PU_TLS_EXTENSION_OID, 1);
	shop_sign(&s, s.priv);
	der = pu_bytes(s.der, s.len);
	assert_int_equal(pu_tls_verify(der, NULL, today - 3601, &k), PU_ECRYPTO);
	assert_int_equal(pu_tls_verify(der, NULL, today - 3599, &k), 0);
	assert_int_equal(pu_tls_verify(der, NULL, today + 3599, &k), 0);
	assert_int_equal(pu_tls_verify(der, NULL, today + 3601, &k), PU_ECRYPTO);
	shop_deinit(&s);
}

static void self_signature_is_checked(void **state)
{
	struct shop s, other;

	shop_init(&s);
	shop_init(&other);
	shop_extension(&s, PU_TLS_EXTENSION_OID, 1);
	shop_sign(&s, s.priv);
	s.der[s.len - 1] ^= 1;
	assert_int_equal(judge(&s), PU_ECRYPTO);
	s.der[s.len - 1] ^= 1;
	assert_int_equal(judge(&s), 0);
	/* Signed by somebody else's key. */
	shop_sign(&s, other.priv);
	assert_int_equal(judge(&s), PU_ECRYPTO);
	shop_deinit(&s);
	shop_deinit(&other);
}

static void identity_signature_is_checked(void **state)
{
	struct shop s, other;

	shop_init(&s);
	s.ext[60] ^= 1;
	shop_extension(&s, PU_TLS_EXTENSION_OID, 1);
	shop_sign(&s, s.priv);
	assert_int_equal(judge(&s), PU_ECRYPTO);
	shop_deinit(&s);

	/* A good one stolen from another certificate. */
	shop_init(&s);
	shop_init(&other);
	memcpy(s.ext, other.ext, other.ext_len);
	shop_extension(&s, PU_TLS_EXTENSION_OID, 1);
	shop_sign(&s, s.priv);
	assert_int_equal(judge(&s), PU_ECRYPTO);
	shop_deinit(&s);
	shop_deinit(&other);
}

static void extension_must_be_there(void **state)
{
	struct shop s;

	shop_init(&s);
	shop_extension(&s, "1.3.6.1.4.1.53594.1.2", 0);
	shop_sign(&s, s.priv);
	assert_int_equal(judge(&s), PU_EPROTO);
	shop_deinit(&s);
}

static void doubled_extension_is_refused(void **state)
{
	static const uint8_t from[] = { 0x2b, 6, 1, 4, 1, 0x83, 0xa2, 0x5a, 1, 2 };
	static const uint8_t to[] = { 0x2b, 6, 1, 4, 1, 0x83, 0xa2, 0x5a, 1, 1 };
	struct shop s;

	shop_init(&s);
	shop_extension(&s, PU_TLS_EXTENSION_OID, 0);
	shop_extension(&s, "1.3.6.1.4.1.53594.1.2", 0);
	shop_sign(&s, s.priv);
	assert_int_equal(judge(&s), 0);
	shop_patch(&s, from, to, sizeof to);
	assert_int_equal(judge(&s), PU_EPROTO);
	shop_deinit(&s);
}

static void unknown_critical_extension_is_refused(void **state)
{
	for (int critical = 0; critical < 2; critical++) {
		struct shop s;

		shop_init(&s);
		shop_extension(&s, PU_TLS_EXTENSION_OID, 1);
		shop_extension(&s, "1.2.3.4.5", critical);
		shop_sign(&s, s.priv);
		assert_int_equal(judge(&s), critical ? PU_EPROTO : 0);
		shop_deinit(&s);
	}
}

static void trailing_bytes_in_the_extension_are_refused(void **state)
{
	struct shop s;

	shop_init(&s);
	s.ext_len++;
	shop_extension(&s, PU_TLS_EXTENSION_OID, 1);
	shop_sign(&s, s.priv);
	assert_int_equal(judge(&s), PU_EPROTO);
	shop_deinit(&s);

	shop_init(&s);
	s.ext[1]++;
	s.ext_len++;
	shop_extension(&s, PU_TLS_EXTENSION_OID, 1);
	shop_sign(&s, s.priv);
	assert_int_equal(judge(&s), PU_EPROTO);
	shop_deinit(&s);
}

static void garbage_is_refused(void **state)
{
	static const uint8_t zero[PU_TLS_CERTIFICATE_MAX + 1];
	struct pu_pubkey k;

	assert_int_equal(pu_tls_verify(pu_bytes(NULL, 0), NULL, today, &k), PU_EPROTO);
	assert_int_equal(pu_tls_verify(pu_bytes(zero, 100), NULL, today, &k), PU_EPROTO);
	assert_int_equal(pu_tls_verify(pu_bytes(zero, sizeof zero), NULL, today, &k), PU_EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(official_certificates_are_judged_right),
		cmocka_unit_test(own_certificate_proves_our_identity),
		cmocka_unit_test(own_certificate_has_one_extension_and_no_name),
		cmocka_unit_test(extension_need_not_be_critical),
		cmocka_unit_test(outside_its_dates_it_is_refused),
		cmocka_unit_test(self_signature_is_checked),
		cmocka_unit_test(identity_signature_is_checked),
		cmocka_unit_test(extension_must_be_there),
		cmocka_unit_test(doubled_extension_is_refused),
		cmocka_unit_test(unknown_critical_extension_is_refused),
		cmocka_unit_test(trailing_bytes_in_the_extension_are_refused),
		cmocka_unit_test(garbage_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
