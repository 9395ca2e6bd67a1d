#include "crypto/pubkey.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <secp256k1.h>
#include <sodium.h>

#include "base/err.h"
#include "crypto/pb.h"

enum {
	RSA_BITS_MIN = 2048,
	RSA_BITS_MAX = 8192,
	SECP256K1_LEN = 33,
	ID_INLINE_MAX = 42, /* longer encodings are named by their hash */
	MH_IDENTITY = 0x00,
	MH_SHA2_256 = 0x12,
};

int pu_pubkey_split(struct pu_bytes pb, enum pu_key_type *ptype, struct pu_bytes *pdata)
{
	struct pu_rd r = pu_rd_init(pb.p, pb.len);
	bool has_type = false, has_data = false;
	struct pu_bytes data = { NULL, 0 };
	struct pu_pb_field f;
	uint64_t type = 0;

	while (pu_pb_next(&r, &f)) {
		if (pu_pb_is(&f, 1, PU_PB_VARINT)) {
			type = f.value;
			has_type = true;
		} else if (pu_pb_is(&f, 2, PU_PB_BYTES)) {
			data = f.bytes;
			has_data = true;
		}
	}
	if (pu_rd_end(&r) < 0 || !has_type || !has_data)
		return PU_EPROTO;
	if (type > PU_KEY_ECDSA)
		return PU_ENOTSUP;
	*ptype = (enum pu_key_type)type;
	*pdata = data;
	return 0;
}

static void derive_peer(struct pu_pubkey *k)
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	struct pu_bytes digest = pu_bytes(k->encoded, k->len);
	struct pu_wr w = pu_wr_init(k->peer.b, sizeof k->peer.b);

	if (k->len > ID_INLINE_MAX) {
		crypto_hash_sha256(hash, k->encoded, k->len);
		digest = pu_bytes(hash, sizeof hash);
	}
	pu_wr_uvarint(&w, k->len > ID_INLINE_MAX ? MH_SHA2_256 : MH_IDENTITY);
	pu_wr_lp(&w, digest);
	k->peer.len = (uint8_t)w.len;
}

int pu_pubkey_from_parts(struct pu_pubkey *k, enum pu_key_type type, struct pu_bytes data)
{
	struct pu_wr w = pu_wr_init(k->encoded, sizeof k->encoded);

	memset(k, 0, sizeof *k);
	pu_pb_put_varint(&w, 1, type);
	pu_pb_put_bytes(&w, 2, data);
	if (pu_wr_end(&w) < 0)
		return PU_EPROTO;
	k->type = type;
	k->len = (uint16_t)w.len;
	derive_peer(k);
	return 0;
}

static bool is_p256(gnutls_pubkey_t pk)
{
	gnutls_ecc_curve_t curve;

	return gnutls_pubkey_export_ecc_raw2(pk, &curve, NULL, NULL, 0) == 0 &&
	       curve == GNUTLS_ECC_CURVE_SECP256R1;
}

static bool is_sound(gnutls_pubkey_t pk, enum pu_key_type type)
{
	unsigned bits = 0;
	int algo = gnutls_pubkey_get_pk_algorithm(pk, &bits);

	if (type == PU_KEY_ECDSA)
		return algo == GNUTLS_PK_ECDSA && is_p256(pk);
	return algo == GNUTLS_PK_RSA && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
}

/* A SubjectPublicKeyInfo; the caller deinits *ppk. PU_EPROTO, PU_ENOMEM. */
static int import_spki(struct pu_bytes der, enum pu_key_type type, gnutls_pubkey_t *ppk)
{
	gnutls_datum_t in = { (unsigned char *)der.p, (unsigned)der.len };
	gnutls_pubkey_t pk;

	if (gnutls_pubkey_init(&pk) < 0)
		return PU_ENOMEM;
	if (gnutls_pubkey_import(pk, &in, GNUTLS_X509_FMT_DER) < 0 || !is_sound(pk, type)) {
		gnutls_pubkey_deinit(pk);
		return PU_EPROTO;
	}
	*ppk = pk;
	return 0;
}

/* One key must not have two peer IDs: only the encoding we would write ourselves
 * is accepted. */
static int check_spki(struct pu_bytes der, enum pu_key_type type)
{
	gnutls_datum_t out = { NULL, 0 };
	gnutls_pubkey_t pk;
	int r;

	r = import_spki(der, type, &pk);
	if (r < 0)
		return r;
	if (gnutls_pubkey_export2(pk, GNUTLS_X509_FMT_DER, &out) < 0 ||
	    !pu_bytes_eq(der, pu_bytes(out.data, out.size)))
		r = PU_EPROTO;
	gnutls_free(out.data);
	gnutls_pubkey_deinit(pk);
	return r;
}

static int check_data(enum pu_key_type type, struct pu_bytes data)
{
	secp256k1_pubkey pk;

	switch (type) {
	case PU_KEY_ED25519:
		return data.len == crypto_sign_PUBLICKEYBYTES ? 0 : PU_EPROTO;
	case PU_KEY_SECP256K1:
		if (data.len != SECP256K1_LEN ||
		    !secp256k1_ec_pubkey_parse(secp256k1_context_static, &pk, data.p, data.len))
			return PU_EPROTO;
		return 0;
	case PU_KEY_RSA:
	case PU_KEY_ECDSA:
		return check_spki(data, type);
	}
	return PU_ENOTSUP;
}

int pu_pubkey_decode(struct pu_pubkey *k, struct pu_bytes pb)
{
	enum pu_key_type type;
	struct pu_bytes data;
	int r;

	if (pb.len > PU_PUBKEY_MAX)
		return PU_EPROTO;
	r = pu_pubkey_split(pb, &type, &data);
	if (r < 0)
		return r;
	r = check_data(type, data);
	if (r < 0)
		return r;
	return pu_pubkey_from_parts(k, type, data);
}

static bool verify_ed25519(struct pu_bytes data, struct pu_bytes msg, struct pu_bytes sig)
{
	return sig.len == crypto_sign_BYTES &&
	       crypto_sign_verify_detached(sig.p, msg.p, msg.len, data.p) == 0;
}

static bool verify_secp256k1(struct pu_bytes data, struct pu_bytes msg, struct pu_bytes sig)
{
	const secp256k1_context *ctx = secp256k1_context_static;
	uint8_t hash[crypto_hash_sha256_BYTES];
	secp256k1_ecdsa_signature s;
	secp256k1_pubkey pk;

	if (!secp256k1_ec_pubkey_parse(ctx, &pk, data.p, data.len) ||
	    !secp256k1_ecdsa_signature_parse_der(ctx, &s, sig.p, sig.len))
		return false;
	/* Others accept both values of S; the library wants the lower one. */
	secp256k1_ecdsa_signature_normalize(ctx, &s, &s);
	crypto_hash_sha256(hash, msg.p, msg.len);
	return secp256k1_ecdsa_verify(ctx, &s, hash, &pk) == 1;
}

static bool verify_spki(enum pu_key_type type, struct pu_bytes data, struct pu_bytes msg,
			struct pu_bytes sig)
{
	gnutls_datum_t m = { (unsigned char *)msg.p, (unsigned)msg.len };
	gnutls_datum_t s = { (unsigned char *)sig.p, (unsigned)sig.len };
	gnutls_sign_algorithm_t algo =
		type == PU_KEY_RSA ? GNUTLS_SIGN_RSA_SHA256 : GNUTLS_SIGN_ECDSA_SHA256;
	gnutls_pubkey_t pk;
	bool ok;

	if (msg.len > UINT32_MAX || import_spki(data, type, &pk) < 0)
		return false;
	ok = gnutls_pubkey_verify_data2(pk, algo, 0, &m, &s) >= 0;
	gnutls_pubkey_deinit(pk);
	return ok;
}

static bool verify(const struct pu_pubkey *k, struct pu_bytes msg, struct pu_bytes sig)
{
	enum pu_key_type type;
	struct pu_bytes data;

	if (sig.len > PU_SIGNATURE_MAX ||
	    pu_pubkey_split(pu_bytes(k->encoded, k->len), &type, &data) < 0)
		return false;
	switch (type) {
	case PU_KEY_ED25519:
		return verify_ed25519(data, msg, sig);
	case PU_KEY_SECP256K1:
		return verify_secp256k1(data, msg, sig);
	case PU_KEY_RSA:
	case PU_KEY_ECDSA:
		return verify_spki(type, data, msg, sig);
	}
	return false;
}

int pu_pubkey_verify(const struct pu_pubkey *k, struct pu_bytes msg, struct pu_bytes sig)
{
	return verify(k, msg, sig) ? 0 : PU_ECRYPTO;
}
