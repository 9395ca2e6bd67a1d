#include "p2p/transport/quic_internal.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

#include "p2p/tls/verify.h"

/* TLS 1.3 without the middlebox compatibility that QUIC forbids; AES before ChaCha20
 * whatever the client prefers, because the cipher decides the speed of the path. */
static const char priority[] =
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:"
	"+CHACHA20-POLY1305:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"
	"%DISABLE_TLS13_COMPAT_MODE:%SERVER_PRECEDENCE";

struct pu_quic_tls {
	struct quic_conn *conn;
	gnutls_session_t session;
	ngtcp2_crypto_conn_ref ref;
	struct pu_peerid expected; /* empty: anyone */
	struct pu_pubkey *remote;
	int verdict;
};

static ngtcp2_conn *ref_conn(ngtcp2_crypto_conn_ref *ref)
{
	struct pu_quic_tls *t = ref->user_data;

	return t->conn->ng;
}

/* Runs when the Certificate message arrives, before the peer has proved that it
 * holds the certificate key: nobody may act on the result before the handshake is
 * complete. */
static int on_verify(gnutls_session_t session)
{
	ngtcp2_crypto_conn_ref *ref = gnutls_session_get_ptr(session);
	struct pu_quic_tls *t = ref->user_data;
	int r;

	if (!t->remote)
		t->remote = malloc(sizeof *t->remote);
	if (!t->remote) {
		t->verdict = PU_ENOMEM;
		return GNUTLS_E_MEMORY_ERROR;
	}
	r = pu_tls_verify_session(session, pu_peerid_empty(&t->expected) ? NULL : &t->expected,
				  pu_loop_unix(quic_loop(t->conn)), t->remote);
	if (r < 0) {
		t->verdict = r;
		free(t->remote);
		t->remote = NULL;
		return GNUTLS_E_CERTIFICATE_ERROR;
	}
	return 0;
}

static int configure(struct pu_quic_tls *t, bool server)
{
	static const char alpn_name[] = "libp2p";
	const gnutls_datum_t alpn = { (unsigned char *)alpn_name, sizeof alpn_name - 1 };
	gnutls_session_t s = t->session;

	if (gnutls_priority_set_direct(s, priority, NULL) < 0)
		return PU_ECRYPTO;
	if (server ? ngtcp2_crypto_gnutls_configure_server_session(s) != 0
		   : ngtcp2_crypto_gnutls_configure_client_session(s) != 0)
		return PU_ECRYPTO;
	gnutls_session_set_ptr(s, &t->ref);
	if (gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE,
				   pu_tls_credentials_gnutls(t->conn->q->cred)) < 0 ||
	    gnutls_alpn_set_protocols(s, &alpn, 1, GNUTLS_ALPN_MANDATORY) < 0)
		return PU_ECRYPTO;
	gnutls_session_set_verify_function(s, on_verify);
	if (server) {
		gnutls_certificate_server_set_request(s, GNUTLS_CERT_REQUIRE);
		gnutls_certificate_send_x509_rdn_sequence(s, 1); /* 1: no names of CAs */
	}
	return 0;
}

int pu_quic_tls_new(struct quic_conn *c, const struct pu_peerid *expected,
		    struct pu_quic_tls **pt)
{
	const bool server = c->c.inbound;
	const unsigned flags = GNUTLS_NO_END_OF_EARLY_DATA |
			       (server ? GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET
				       : GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT);
	struct pu_quic_tls *t = calloc(1, sizeof *t);
	int r;

	if (!t)
		return PU_ENOMEM;
	t->conn = c;
	t->ref.get_conn = ref_conn;
	t->ref.user_data = t;
	if (expected)
		t->expected = *expected;
	r = gnutls_init(&t->session, flags) < 0 ? PU_ENOMEM : configure(t, server);
	if (r < 0) {
		pu_quic_tls_free(t);
		return r;
	}
	ngtcp2_conn_set_tls_native_handle(c->ng, t->session);
	*pt = t;
	return 0;
}

void pu_quic_tls_free(struct pu_quic_tls *t)
{
	if (!t)
		return;
	if (t->session)
		gnutls_deinit(t->session);
	free(t->remote);
	free(t);
}

const struct pu_pubkey *pu_quic_tls_remote(const struct pu_quic_tls *t)
{
	return t->remote;
}

int pu_quic_tls_verdict(const struct pu_quic_tls *t)
{
	return t->verdict;
}

int pu_quic_tls_derive(const struct pu_key *key, const char *label,
		       uint8_t out[QUIC_SECRET_LEN])
{
	/* The seed half of the secret; HMAC-SHA-256 is a PRF of it. */
	if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, key->secret, 32, label, strlen(label), out) < 0)
		return PU_ECRYPTO;
	return 0;
}
