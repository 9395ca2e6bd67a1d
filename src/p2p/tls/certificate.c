#include "p2p/tls/certificate.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <time.h>

#include "base/err.h"

enum {
	SERIAL_LEN = 16,
	SIGNATURE_LEN = 64,
	/* SEQUENCE { OCTET STRING PublicKey, OCTET STRING signature }: every length
	 * of an Ed25519 identity fits DER's short form. */
	SIGNED_KEY_LEN = 2 + 2 + 36 + 2 + SIGNATURE_LEN,
	SPKI_MAX = 256,
	DER_SEQUENCE = 0x30,
	DER_OCTET_STRING = 0x04,
};

/* 1975-01-01 and 4096-01-01, as rust-libp2p has them: no certificate of ours is ever
 * "not yet valid" because a board woke up without a clock. */
static const time_t valid_from = 157766400;
static const time_t valid_until = 67090118400;

struct pu_tls_credentials {
	gnutls_certificate_credentials_t cred;
	gnutls_datum_t der;
};

/* Everything that exists only while the certificate is being made. */
struct work {
	gnutls_x509_privkey_t x509key;
	gnutls_privkey_t priv;
	gnutls_pubkey_t pub;
	gnutls_x509_crt_t crt;
	gnutls_datum_t spki;
};

static int from_gnutls(int r)
{
	return r == GNUTLS_E_MEMORY_ERROR ? PU_ENOMEM : PU_ECRYPTO;
}

static int make_key(struct work *w)
{
	int r;

	if ((r = gnutls_x509_privkey_init(&w->x509key)) < 0 ||
	    (r = gnutls_x509_privkey_generate(w->x509key, GNUTLS_PK_ECDSA,
					      GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
					      0)) < 0 ||
	    (r = gnutls_privkey_init(&w->priv)) < 0 ||
	    (r = gnutls_privkey_import_x509(w->priv, w->x509key, 0)) < 0 ||
	    (r = gnutls_pubkey_init(&w->pub)) < 0 ||
	    (r = gnutls_pubkey_import_privkey(w->pub, w->priv, 0, 0)) < 0 ||
	    (r = gnutls_pubkey_export2(w->pub, GNUTLS_X509_FMT_DER, &w->spki)) < 0)
		return from_gnutls(r);
	return 0;
}

static int signed_key(const struct pu_key *key, const gnutls_datum_t *spki,
		      uint8_t out[SIGNED_KEY_LEN])
{
	static const char prefix[] = PU_TLS_SIGNATURE_PREFIX;
	const size_t prefix_len = sizeof prefix - 1;
	uint8_t msg[sizeof prefix - 1 + SPKI_MAX];
	uint8_t *p = out;

	if (spki->size > SPKI_MAX)
		return PU_ECRYPTO;
	memcpy(msg, prefix, prefix_len);
	memcpy(msg + prefix_len, spki->data, spki->size);
	*p++ = DER_SEQUENCE;
	*p++ = SIGNED_KEY_LEN - 2;
	*p++ = DER_OCTET_STRING;
	*p++ = sizeof key->encoded;
	memcpy(p, key->encoded, sizeof key->encoded);
	p += sizeof key->encoded;
	*p++ = DER_OCTET_STRING;
	*p++ = SIGNATURE_LEN;
	pu_key_sign(key, pu_bytes(msg, prefix_len + spki->size), p);
	return 0;
}

static int make_certificate(struct work *w, const struct pu_key *key, struct pu_loop *loop)
{
	uint8_t ext[SIGNED_KEY_LEN], serial[SERIAL_LEN];
	int r;

	r = signed_key(key, &w->spki, ext);
	if (r < 0)
		return r;
	pu_loop_random(loop, serial, sizeof serial);
	serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and no leading zero octet */
	/* Nothing but the one extension: js looks at the first only, rust refuses
	 * other critical ones. An empty name on both sides, as rust and js have it. */
	if ((r = gnutls_x509_crt_init(&w->crt)) < 0 ||
	    (r = gnutls_x509_crt_set_version(w->crt, 3)) < 0 ||
	    (r = gnutls_x509_crt_set_serial(w->crt, serial, sizeof serial)) < 0 ||
	    (r = gnutls_x509_crt_set_activation_time(w->crt, valid_from)) < 0 ||
	    (r = gnutls_x509_crt_set_expiration_time(w->crt, valid_until)) < 0 ||
	    (r = gnutls_x509_crt_set_key(w->crt, w->x509key)) < 0 ||
	    (r = gnutls_x509_crt_set_extension_by_oid(w->crt, PU_TLS_EXTENSION_OID, ext,
						      sizeof ext, 1)) < 0 ||
	    (r = gnutls_x509_crt_privkey_sign(w->crt, w->crt, w->priv, GNUTLS_DIG_SHA256,
					      0)) < 0)
		return from_gnutls(r);
	return 0;
}

static void work_deinit(struct work *w)
{
	if (w->crt)
		gnutls_x509_crt_deinit(w->crt);
	if (w->pub)
		gnutls_pubkey_deinit(w->pub);
	if (w->priv)
		gnutls_privkey_deinit(w->priv);
	if (w->x509key)
		gnutls_x509_privkey_deinit(w->x509key);
	gnutls_free(w->spki.data);
}

int pu_tls_credentials_new(const struct pu_key *key, struct pu_loop *loop,
			   struct pu_tls_credentials **pc)
{
	struct work w = { 0 };
	struct pu_tls_credentials *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		return PU_ENOMEM;
	r = make_key(&w);
	if (r < 0)
		goto out;
	r = make_certificate(&w, key, loop);
	if (r < 0)
		goto out;
	if ((r = gnutls_certificate_allocate_credentials(&c->cred)) < 0 ||
	    (r = gnutls_certificate_set_x509_key(c->cred, &w.crt, 1, w.x509key)) < 0 ||
	    (r = gnutls_x509_crt_export2(w.crt, GNUTLS_X509_FMT_DER, &c->der)) < 0) {
		r = from_gnutls(r);
		goto out;
	}
	*pc = c;
	c = NULL;
	r = 0;
out:
	pu_tls_credentials_free(c);
	work_deinit(&w);
	return r;
}

void pu_tls_credentials_free(struct pu_tls_credentials *c)
{
	if (!c)
		return;
	if (c->cred)
		gnutls_certificate_free_credentials(c->cred);
	gnutls_free(c->der.data);
	free(c);
}

gnutls_certificate_credentials_t pu_tls_credentials_gnutls(const struct pu_tls_credentials *c)
{
	return c->cred;
}

struct pu_bytes pu_tls_credentials_der(const struct pu_tls_credentials *c)
{
	return pu_bytes(c->der.data, c->der.size);
}
