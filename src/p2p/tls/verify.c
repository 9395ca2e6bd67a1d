#include "p2p/tls/verify.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/wire.h"
#include "p2p/tls/certificate.h"

enum {
	DER_SEQUENCE = 0x30,
	DER_OCTET_STRING = 0x04,
	EXTENSIONS_MAX = 64,
	OID_MAX = 128,
	SIGNED_KEY_MAX = PU_PUBKEY_MAX + PU_SIGNATURE_MAX + 16,
};

static const char signature_prefix[] = PU_TLS_SIGNATURE_PREFIX;

/* The content of one DER element with that tag. Lengths up to 65535, minimal form. */
static struct pu_bytes der_element(struct pu_rd *r, uint8_t tag)
{
	size_t len;

	if (pu_rd_u8(r) != tag)
		r->err = PU_EPROTO;
	len = pu_rd_u8(r);
	if (len == 0x81) {
		len = pu_rd_u8(r);
		if (len < 0x80)
			r->err = PU_EPROTO;
	} else if (len == 0x82) {
		len = pu_rd_be16(r);
		if (len < 0x100)
			r->err = PU_EPROTO;
	} else if (len >= 0x80) {
		r->err = PU_EPROTO;
	}
	return pu_rd_bytes(r, len);
}

/* SignedKey: borrows from ext. */
static int parse_signed_key(struct pu_bytes ext, struct pu_bytes *key, struct pu_bytes *sig)
{
	struct pu_rd outer = pu_rd_init(ext.p, ext.len), inner;
	struct pu_bytes body = der_element(&outer, DER_SEQUENCE);

	if (pu_rd_end(&outer) < 0)
		return PU_EPROTO;
	inner = pu_rd_init(body.p, body.len);
	*key = der_element(&inner, DER_OCTET_STRING);
	*sig = der_element(&inner, DER_OCTET_STRING);
	return pu_rd_end(&inner);
}

/* GnuTLS neither notices a doubled extension nor can tell one critical extension
 * from another, so the list is walked here. */
static int find_extension(gnutls_x509_crt_t crt, uint8_t out[SIGNED_KEY_MAX], size_t *plen)
{
	bool found = false;

	for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
		char oid[OID_MAX];
		size_t oid_len = sizeof oid, len = SIGNED_KEY_MAX;
		unsigned critical = 0;
		int r = gnutls_x509_crt_get_extension_info(crt, i, oid, &oid_len, &critical);

		if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return found ? 0 : PU_EPROTO;
		if (r < 0)
			return PU_EPROTO;
		if (strcmp(oid, PU_TLS_EXTENSION_OID) != 0) {
			if (critical)
				return PU_EPROTO;
			continue;
		}
		if (found || gnutls_x509_crt_get_extension_data(crt, i, out, &len) < 0)
			return PU_EPROTO;
		found = true;
		*plen = len;
	}
	return PU_EPROTO;
}

/* The certificate against itself and the clock. gnutls_x509_crt_verify() answers
 * "good" for a certificate that is its own authority without looking at the
 * signature; list verification with DO_NOT_ALLOW_SAME does look. The time is
 * compared here because the library would ask the system clock. */
static int check_certificate(gnutls_x509_crt_t crt, int64_t now)
{
	const unsigned flags = GNUTLS_VERIFY_DO_NOT_ALLOW_SAME |
			       GNUTLS_VERIFY_IGNORE_UNKNOWN_CRIT_EXTENSIONS |
			       GNUTLS_VERIFY_DISABLE_TIME_CHECKS |
			       GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS;
	unsigned status = ~0u;
	time_t from = gnutls_x509_crt_get_activation_time(crt);
	time_t until = gnutls_x509_crt_get_expiration_time(crt);

	if (from == (time_t)-1 || until == (time_t)-1)
		return PU_EPROTO;
	if (now < (int64_t)from || now > (int64_t)until)
		return PU_ECRYPTO;
	if (gnutls_x509_crt_list_verify(&crt, 1, &crt, 1, NULL, 0, flags, &status) < 0)
		return PU_ECRYPTO;
	return status == 0 ? 0 : PU_ECRYPTO;
}

static int check_host_signature(gnutls_x509_crt_t crt, const struct pu_pubkey *host,
				struct pu_bytes sig)
{
	const size_t prefix_len = sizeof signature_prefix - 1;
	gnutls_datum_t spki = { 0 };
	gnutls_pubkey_t pub = NULL;
	uint8_t *msg = NULL;
	int r = PU_EPROTO;

	if (gnutls_pubkey_init(&pub) < 0)
		return PU_ENOMEM;
	if (gnutls_pubkey_import_x509(pub, crt, 0) < 0 ||
	    gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_DER, &spki) < 0)
		goto out;
	msg = malloc(prefix_len + spki.size);
	if (!msg) {
		r = PU_ENOMEM;
		goto out;
	}
	memcpy(msg, signature_prefix, prefix_len);
	memcpy(msg + prefix_len, spki.data, spki.size);
	r = pu_pubkey_verify(host, pu_bytes(msg, prefix_len + spki.size), sig);
out:
	free(msg);
	gnutls_free(spki.data);
	gnutls_pubkey_deinit(pub);
	return r;
}

static int check_identity(gnutls_x509_crt_t crt, const struct pu_peerid *expected,
			  struct pu_pubkey *remote)
{
	uint8_t ext[SIGNED_KEY_MAX];
	struct pu_bytes key, sig;
	struct pu_pubkey host;
	size_t len = 0;
	int r;

	r = find_extension(crt, ext, &len);
	if (r < 0)
		return r;
	r = parse_signed_key(pu_bytes(ext, len), &key, &sig);
	if (r < 0)
		return r;
	r = pu_pubkey_decode(&host, key);
	if (r < 0)
		return r;
	r = check_host_signature(crt, &host, sig);
	if (r < 0)
		return r;
	if (expected && !pu_peerid_eq(expected, &host.peer))
		return PU_EPEERID;
	*remote = host;
	return 0;
}

int pu_tls_verify(struct pu_bytes der, const struct pu_peerid *expected, int64_t now,
		  struct pu_pubkey *remote)
{
	gnutls_datum_t d = { (unsigned char *)der.p, (unsigned)der.len };
	gnutls_x509_crt_t crt;
	int r;

	if (der.len == 0 || der.len > PU_TLS_CERTIFICATE_MAX)
		return PU_EPROTO;
	if (gnutls_x509_crt_init(&crt) < 0)
		return PU_ENOMEM;
	if (gnutls_x509_crt_import(crt, &d, GNUTLS_X509_FMT_DER) < 0)
		r = PU_EPROTO;
	else
		r = check_certificate(crt, now);
	if (r == 0)
		r = check_identity(crt, expected, remote);
	gnutls_x509_crt_deinit(crt);
	return r;
}

int pu_tls_verify_session(gnutls_session_t s, const struct pu_peerid *expected, int64_t now,
			  struct pu_pubkey *remote)
{
	unsigned n = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(s, &n);

	if (!chain || n != 1)
		return PU_EPROTO;
	return pu_tls_verify(pu_bytes(chain->data, chain->size), expected, now, remote);
}
