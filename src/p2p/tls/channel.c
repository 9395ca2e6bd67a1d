#include "p2p/tls/channel.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/loop.h"
#include "p2p/tls/verify.h"

enum {
	MUXERS_MAX = 8,
	LATE_MAX = 4096, /* an alert and a few key updates */
};

/* X25519 first: NORMAL would send a P-256 share. AES before ChaCha20, whatever the
 * client prefers: it is seven times as fast here. */
static const char priority[] =
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:"
	"+CHACHA20-POLY1305:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"
	"%SERVER_PRECEDENCE";

struct tls {
	struct pu_secure s;
	gnutls_session_t session;
	struct pu_tls_credentials *own; /* or NULL: borrowed ones are used */
	struct pu_loop *loop;
	const char *const *muxers;
	struct pu_peerid expected; /* empty: anyone */
	struct pu_pubkey verified; /* of the certificate, before it is proved */
	int verdict;
	/* Only inside an operation: where the record layer reads and writes. */
	struct pu_buf *in, *out;
	struct pu_buf late; /* written while there was no output: leaves with the next */
};

static struct tls *tls_of(struct pu_secure *s)
{
	return PU_CONTAINER_OF(s, struct tls, s);
}

/* ---- The record layer's transport ---- */

static ssize_t pull(gnutls_transport_ptr_t ptr, void *p, size_t len)
{
	struct tls *t = ptr;
	size_t n = t->in ? pu_min(len, t->in->len) : 0;

	if (n == 0) {
		gnutls_transport_set_errno(t->session, EAGAIN);
		return -1;
	}
	memcpy(p, pu_buf_bytes(t->in).p, n);
	pu_buf_consume(t->in, n);
	return (ssize_t)n;
}

static int pull_timeout(gnutls_transport_ptr_t ptr, unsigned ms)
{
	struct tls *t = ptr;

	return t->in && t->in->len > 0;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const void *p, size_t len)
{
	struct tls *t = ptr;

	if (pu_buf_append(t->out ? t->out : &t->late, p, len) < 0) {
		gnutls_transport_set_errno(t->session, ENOBUFS);
		return -1;
	}
	return (ssize_t)len;
}

static void begin(struct tls *t, struct pu_buf *in, struct pu_buf *out)
{
	t->in = in;
	t->out = out;
	if (out && t->late.len > 0 &&
	    pu_buf_append(out, pu_buf_bytes(&t->late).p, t->late.len) == 0)
		pu_buf_clear(&t->late, 0);
}

static void end(struct tls *t)
{
	t->in = t->out = NULL;
}

/* ---- Handshake ---- */

static int on_verify(gnutls_session_t session)
{
	struct tls *t = gnutls_session_get_ptr(session);

	t->verdict = pu_tls_verify_session(session,
					   pu_peerid_empty(&t->expected) ? NULL : &t->expected,
					   pu_loop_unix(t->loop), &t->verified);
	return t->verdict < 0 ? GNUTLS_E_CERTIFICATE_ERROR : 0;
}

static int failure(struct tls *t, int r)
{
	if (t->verdict < 0)
		return t->verdict;
	switch (r) {
	case GNUTLS_E_MEMORY_ERROR:
		return PU_ENOMEM;
	case GNUTLS_E_PUSH_ERROR:
		return PU_ELIMIT;
	case GNUTLS_E_FATAL_ALERT_RECEIVED: /* it did not like us */
		return PU_EDENIED;
	case GNUTLS_E_DECRYPTION_FAILED:
	case GNUTLS_E_PK_SIG_VERIFY_FAILED:
		return PU_ECRYPTO;
	default:
		return PU_EPROTO;
	}
}

static const char *selected_muxer(struct tls *t)
{
	gnutls_datum_t alpn;

	if (gnutls_alpn_get_selected_protocol(t->session, &alpn) < 0)
		return NULL;
	for (const char *const *m = t->muxers; m && *m; m++)
		if (pu_bytes_eq_str(pu_bytes(alpn.data, alpn.size), *m))
			return *m;
	return NULL;
}

static int op_handshake(struct pu_secure *s, struct pu_buf *in, struct pu_buf *out)
{
	struct tls *t = tls_of(s);
	int r;

	begin(t, in, out);
	do
		r = gnutls_handshake(t->session);
	while (r == GNUTLS_E_INTERRUPTED || r == GNUTLS_E_WARNING_ALERT_RECEIVED);
	if (r == GNUTLS_E_AGAIN) {
		r = PU_EAGAIN;
	} else if (r < 0) {
		gnutls_alert_send_appropriate(t->session, r);
		r = failure(t, r);
	} else {
		t->s.remote = t->verified;
		t->s.muxer = selected_muxer(t);
	}
	end(t);
	return r;
}

/* ---- Records ---- */

static int op_seal(struct pu_secure *s, struct pu_bytes data, struct pu_buf *out)
{
	struct tls *t = tls_of(s);
	size_t records = (data.len + PU_TLS_PLAIN_MAX - 1) / PU_TLS_PLAIN_MAX;
	uint8_t *unused;
	int r;

	if (data.len == 0)
		return 0;
	/* All or nothing: the record layer must never find the output full. */
	r = pu_buf_reserve(out, data.len + records * PU_TLS_OVERHEAD + t->late.len + LATE_MAX,
			   &unused);
	if (r < 0)
		return r;
	begin(t, NULL, out);
	for (size_t off = 0; off < data.len && r == 0;) {
		ssize_t n = gnutls_record_send(t->session, data.p + off, data.len - off);

		if (n > 0)
			off += (size_t)n;
		else if (n != GNUTLS_E_INTERRUPTED)
			r = n == GNUTLS_E_MEMORY_ERROR ? PU_ENOMEM : PU_ECRYPTO;
	}
	end(t);
	return r;
}

/* One record. PU_EAGAIN: in is short of one. */
static int open_record(struct tls *t, struct pu_buf *out)
{
	size_t before = t->in->len;
	uint8_t *p;
	ssize_t n;
	int r;

	r = pu_buf_reserve(out, PU_TLS_PLAIN_MAX, &p);
	if (r < 0)
		return r;
	n = gnutls_record_recv(t->session, p, PU_TLS_PLAIN_MAX);
	if (n > 0) {
		pu_buf_commit(out, (size_t)n);
		return 0;
	}
	if (n == 0)
		return PU_EEOF;
	if (!gnutls_error_is_fatal((int)n)) /* a ticket, a key update, or not enough */
		return t->in->len < before && t->in->len > 0 ? 0 : PU_EAGAIN;
	return failure(t, (int)n);
}

static int op_open(struct pu_secure *s, struct pu_buf *in, struct pu_buf *out)
{
	struct tls *t = tls_of(s);
	int r = 0;

	begin(t, in, NULL);
	while (r == 0 && pu_buf_room(out) >= PU_TLS_PLAIN_MAX)
		r = open_record(t, out);
	end(t);
	return r == PU_EAGAIN ? 0 : r;
}

static void op_close(struct pu_secure *s, struct pu_buf *out)
{
	struct tls *t = tls_of(s);

	begin(t, NULL, out);
	gnutls_bye(t->session, GNUTLS_SHUT_WR);
	end(t);
}

static void op_free(struct pu_secure *s)
{
	struct tls *t = tls_of(s);

	if (t->session)
		gnutls_deinit(t->session);
	pu_buf_deinit(&t->late);
	pu_tls_credentials_free(t->own);
	free(t);
}

static const struct pu_secure_ops tls_ops = {
	.protocol = PU_TLS_PROTOCOL,
	.handshake = op_handshake,
	.seal = op_seal,
	.open = op_open,
	.close = op_close,
	.free = op_free,
};

/* ---- Birth ---- */

/* The muxers in order of preference, then "libp2p": negotiate it later. */
static int set_alpn(struct tls *t)
{
	gnutls_datum_t list[MUXERS_MAX + 1];
	unsigned n = 0;

	for (const char *const *m = t->muxers; m && *m; m++) {
		if (n == MUXERS_MAX)
			return PU_EINVAL;
		list[n++] = (gnutls_datum_t){ (unsigned char *)*m, (unsigned)strlen(*m) };
	}
	list[n++] = (gnutls_datum_t){ (unsigned char *)"libp2p", sizeof "libp2p" - 1 };
	return gnutls_alpn_set_protocols(t->session, list, n, GNUTLS_ALPN_MANDATORY) < 0
		       ? PU_ECRYPTO
		       : 0;
}

static int configure(struct tls *t, const struct pu_tls_credentials *cred, bool server)
{
	gnutls_session_t s = t->session;

	if (gnutls_priority_set_direct(s, priority, NULL) < 0 ||
	    gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, pu_tls_credentials_gnutls(cred)) < 0)
		return PU_ECRYPTO;
	gnutls_session_set_ptr(s, t);
	gnutls_session_set_verify_function(s, on_verify);
	gnutls_transport_set_ptr(s, t);
	gnutls_transport_set_pull_function(s, pull);
	gnutls_transport_set_pull_timeout_function(s, pull_timeout);
	gnutls_transport_set_push_function(s, push);
	gnutls_handshake_set_max_packet_length(s, PU_TLS_HANDSHAKE_MAX);
	if (server) {
		gnutls_certificate_server_set_request(s, GNUTLS_CERT_REQUIRE);
		gnutls_certificate_send_x509_rdn_sequence(s, 1); /* 1: no names of CAs */
	}
	return set_alpn(t);
}

int pu_tls_new(const struct pu_secure_config *cfg, struct pu_secure **ps)
{
	const unsigned flags = GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS | GNUTLS_NO_SIGNAL |
			       (cfg->initiator ? GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT
					       : GNUTLS_SERVER);
	struct tls *t = calloc(1, sizeof *t);
	int r = 0;

	if (!t)
		return PU_ENOMEM;
	t->s.ops = &tls_ops;
	t->loop = cfg->loop;
	t->muxers = cfg->muxers;
	pu_buf_init(&t->late, LATE_MAX);
	if (cfg->expected)
		t->expected = *cfg->expected;
	if (!cfg->tls)
		r = pu_tls_credentials_new(cfg->key, cfg->loop, &t->own);
	if (r == 0 && gnutls_init(&t->session, flags) < 0)
		r = PU_ENOMEM;
	if (r == 0)
		r = configure(t, cfg->tls ? cfg->tls : t->own, !cfg->initiator);
	if (r < 0) {
		op_free(&t->s);
		return r;
	}
	*ps = &t->s;
	return 0;
}
