#include "p2p/tls/client_pipe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/stack/filter.h"

enum {
	RECORD_MAX = 16384,
	RECORD_OVERHEAD = 256,
	RECORDS_AT_ONCE = 4,
	/* Alerts and answers to key updates; a peer that wants more without reading ends. */
	LATE_MAX = 4096,
	OUT_MAX = RECORDS_AT_ONCE * (RECORD_MAX + RECORD_OVERHEAD) + LATE_MAX,
	NAME_MAX_LEN = 255,
};

struct pu_tls_trust {
	gnutls_certificate_credentials_t cred;
};

struct client {
	struct pu_filter f;
	gnutls_session_t session;
	struct pu_bytes in; /* only inside recv */
	char name[NAME_MAX_LEN + 1];
	uint8_t plain[RECORD_MAX];
};

static struct client *of(struct pu_filter *f)
{
	return PU_CONTAINER_OF(f, struct client, f);
}

/* Trust. */

int pu_tls_trust_new(const char *file, struct pu_tls_trust **pt)
{
	struct pu_tls_trust *t = calloc(1, sizeof *t);
	int n;

	if (!t || gnutls_certificate_allocate_credentials(&t->cred) < 0) {
		free(t);
		return PU_ENOMEM;
	}
	if (file)
		n = gnutls_certificate_set_x509_trust_file(t->cred, file, GNUTLS_X509_FMT_PEM);
	else
		n = gnutls_certificate_set_x509_system_trust(t->cred);
	if (n <= 0) {
		pu_tls_trust_free(t);
		return n == 0 || n == GNUTLS_E_FILE_ERROR ? PU_ENOENT : PU_EINVAL;
	}
	*pt = t;
	return 0;
}

void pu_tls_trust_free(struct pu_tls_trust *t)
{
	if (!t)
		return;
	gnutls_certificate_free_credentials(t->cred);
	free(t);
}

/* The record layer's transport. */

static ssize_t pull(gnutls_transport_ptr_t ptr, void *p, size_t len)
{
	struct client *c = ptr;
	size_t n = pu_min(len, c->in.len);

	if (n == 0) {
		gnutls_transport_set_errno(c->session, EAGAIN);
		return -1;
	}
	memcpy(p, c->in.p, n);
	c->in = pu_bytes(c->in.p + n, c->in.len - n);
	return (ssize_t)n;
}

static int pull_timeout(gnutls_transport_ptr_t ptr, unsigned ms)
{
	struct client *c = ptr;

	return c->in.len > 0;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const void *p, size_t len)
{
	struct client *c = ptr;

	if (pu_buf_append(&c->f.out, p, len) < 0) {
		gnutls_transport_set_errno(c->session, ENOBUFS);
		return -1;
	}
	return (ssize_t)len;
}

/* Handshake. */

static int failure(int r)
{
	switch (r) {
	case GNUTLS_E_MEMORY_ERROR:
		return PU_ENOMEM;
	case GNUTLS_E_PUSH_ERROR:
		return PU_ELIMIT;
	case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
	case GNUTLS_E_CERTIFICATE_ERROR:
	case GNUTLS_E_DECRYPTION_FAILED:
	case GNUTLS_E_PK_SIG_VERIFY_FAILED:
		return PU_ECRYPTO;
	default:
		return PU_EPROTO;
	}
}

static void log_failure(struct client *c, int r)
{
	gnutls_datum_t why = { 0 };

	if (!pu_log_enabled(PU_LOG_DEBUG))
		return;
	if (r == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
		gnutls_certificate_verification_status_print(
			gnutls_session_get_verify_cert_status(c->session), GNUTLS_CRT_X509, &why,
			0);
	pu_log(PU_LOG_DEBUG, "tls", "server refused", PU_KV_STR("name", c->name),
	       PU_KV_STR("why", why.data ? (const char *)why.data : gnutls_strerror(r)));
	gnutls_free(why.data);
}

/* An alert leaves before those above close us. */
static void broken(struct client *c, int r)
{
	log_failure(c, r);
	gnutls_alert_send_appropriate(c->session, r);
	pu_filter_flush(&c->f);
	pu_filter_fail(&c->f, failure(r));
}

/* GnuTLS also says "again" when it has handled something that is not for us, such as a
 * ticket, and more is there. */
static bool goes_on(const struct client *c, size_t before)
{
	return c->in.len > 0 && c->in.len < before;
}

static void shake(struct client *c)
{
	size_t before;
	int r;

	do {
		before = c->in.len;
		r = gnutls_handshake(c->session);
	} while (r < 0 && !gnutls_error_is_fatal(r) && goes_on(c, before));
	if (r == 0)
		pu_filter_open(&c->f);
	else if (gnutls_error_is_fatal(r))
		broken(c, r);
}

/* Records. */

static void open_records(struct client *c)
{
	while (!pu_filter_busy(&c->f) && !c->f.eof) {
		size_t before = c->in.len;
		ssize_t n = gnutls_record_recv(c->session, c->plain, sizeof c->plain);

		if (n > 0)
			pu_filter_deliver(&c->f, c->plain, (size_t)n);
		else if (n == 0)
			pu_filter_eof(&c->f);
		else if (gnutls_error_is_fatal((int)n))
			broken(c, (int)n);
		else if (!goes_on(c, before))
			return;
	}
}

static size_t client_recv(struct pu_filter *f, const uint8_t *p, size_t len)
{
	struct client *c = of(f);
	size_t unread;

	c->in = pu_bytes(p, len);
	if (!f->open)
		shake(c);
	if (f->open)
		open_records(c);
	unread = c->in.len;
	c->in = pu_bytes(NULL, 0);
	return len - unread;
}

static int client_seal(struct pu_filter *f, const uint8_t *b, size_t len)
{
	size_t done = 0;

	for (int i = 0; i < RECORDS_AT_ONCE && done < len; i++) {
		ssize_t n = gnutls_record_send(of(f)->session, b + done,
					       pu_min(len - done, RECORD_MAX));

		if (n < 0)
			return failure((int)n);
		done += (size_t)n;
	}
	return (int)done;
}

static void client_goodbye(struct pu_filter *f)
{
	gnutls_bye(of(f)->session, GNUTLS_SHUT_WR);
}

static void client_free(struct pu_filter *f)
{
	struct client *c = of(f);

	if (c->session)
		gnutls_deinit(c->session);
	explicit_bzero(c->plain, sizeof c->plain);
	free(c);
}

static const struct pu_filter_ops client_ops = {
	.recv = client_recv,
	.seal = client_seal,
	.goodbye = client_goodbye,
	.free = client_free,
};

/* Birth. */

static bool is_ip(const char *name)
{
	struct in6_addr a;

	return inet_pton(AF_INET, name, &a) == 1 || inet_pton(AF_INET6, name, &a) == 1;
}

static int configure(struct client *c, const struct pu_tls_client_config *cfg)
{
	gnutls_datum_t alpn = { (unsigned char *)cfg->alpn, (unsigned)strlen(cfg->alpn) };
	gnutls_session_t s;
	size_t len = strlen(cfg->name);

	if (len == 0 || len > NAME_MAX_LEN)
		return PU_EINVAL;
	memcpy(c->name, cfg->name, len + 1);
	if (gnutls_init(&c->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS |
				     GNUTLS_NO_SIGNAL) < 0)
		return PU_ENOMEM;
	s = c->session;
	if (gnutls_set_default_priority_append(s, "-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", NULL, 0) <
		    0 ||
	    gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, cfg->trust->cred) < 0 ||
	    (!is_ip(c->name) && gnutls_server_name_set(s, GNUTLS_NAME_DNS, c->name, len) < 0) ||
	    gnutls_alpn_set_protocols(s, &alpn, 1, 0) < 0)
		return PU_EINVAL;
	gnutls_session_set_verify_cert(s, c->name, 0);
	gnutls_transport_set_ptr(s, c);
	gnutls_transport_set_pull_function(s, pull);
	gnutls_transport_set_pull_timeout_function(s, pull_timeout);
	gnutls_transport_set_push_function(s, push);
	return 0;
}

int pu_tls_client_pipe_new(const struct pu_tls_client_config *cfg, PU_TAKES struct pu_pipe *below,
			   struct pu_pipe **pp)
{
	struct client *c = calloc(1, sizeof *c);
	int r;

	if (!c) {
		below->ops->close(below, true);
		return PU_ENOMEM;
	}
	pu_filter_init(&c->f, cfg->loop, &client_ops, below, OUT_MAX);
	c->f.end_below = true;
	r = configure(c, cfg);
	if (r == 0 && gnutls_handshake(c->session) != GNUTLS_E_AGAIN)
		r = PU_ECRYPTO;
	if (r < 0) {
		c->f.pipe.ops->close(&c->f.pipe, true);
		return r;
	}
	pu_filter_flush(&c->f); /* a broken pipe tells by on_error */
	*pp = &c->f.pipe;
	return 0;
}
