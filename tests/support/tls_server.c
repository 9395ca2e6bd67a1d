#include "support/tls_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

enum { BUF_MAX = 16 << 20, DAY = 24 * 3600 };

struct tls_server {
	struct tls_server_config cfg;
	struct pu_tcp_listener *l;
	struct pu_list sessions;
	gnutls_x509_privkey_t key, ca_key;
	gnutls_x509_crt_t crt, ca;
	gnutls_certificate_credentials_t cred;
	char name[256], alpn[32];
};

struct session {
	struct pu_list node;
	struct tls_server *s;
	struct pu_tcp *client, *backend;
	gnutls_session_t tls;
	struct pu_buf in;       /* from the client, sealed */
	struct pu_buf to_client, to_backend;
	bool shaken, connected, ended;
};

static struct pu_net *net_of(const struct session *x)
{
	return x->s->cfg.net;
}

/* Certificates. */

static void must(int r)
{
	if (r >= 0)
		return;
	fprintf(stderr, "tls_server: %s\n", gnutls_strerror(r));
	abort();
}

static gnutls_x509_privkey_t make_key(void)
{
	gnutls_x509_privkey_t key;

	must(gnutls_x509_privkey_init(&key));
	must(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
					  GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	return key;
}

static gnutls_x509_crt_t begin_crt(const char *name, gnutls_x509_privkey_t key, bool expired)
{
	const time_t now = time(NULL);
	gnutls_x509_crt_t crt;
	uint8_t serial = 1;

	must(gnutls_x509_crt_init(&crt));
	must(gnutls_x509_crt_set_version(crt, 3));
	must(gnutls_x509_crt_set_serial(crt, &serial, 1));
	must(gnutls_x509_crt_set_key(crt, key));
	must(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
					   (unsigned)strlen(name)));
	must(gnutls_x509_crt_set_activation_time(crt, now - 10 * DAY));
	must(gnutls_x509_crt_set_expiration_time(crt, expired ? now - DAY : now + 10 * DAY));
	return crt;
}

static void set_ip(gnutls_x509_crt_t crt, const char *ip)
{
	uint8_t b[16];
	unsigned len = inet_pton(AF_INET, ip, b) == 1 ? 4 : 16;

	if (len == 16 && inet_pton(AF_INET6, ip, b) != 1)
		abort();
	must(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, b, len,
						  GNUTLS_FSAN_APPEND));
}

static void make_certificates(struct tls_server *s)
{
	const struct tls_server_config *c = &s->cfg;

	s->ca_key = make_key();
	s->ca = begin_crt("test authority", s->ca_key, false);
	must(gnutls_x509_crt_set_basic_constraints(s->ca, 1, 0));
	must(gnutls_x509_crt_set_key_usage(s->ca, GNUTLS_KEY_KEY_CERT_SIGN));
	must(gnutls_x509_crt_sign2(s->ca, s->ca, s->ca_key, GNUTLS_DIG_SHA256, 0));
	s->key = make_key();
	s->crt = begin_crt("test server", s->key, c->expired);
	if (c->dns)
		must(gnutls_x509_crt_set_subject_alt_name(s->crt, GNUTLS_SAN_DNSNAME, c->dns,
							  (unsigned)strlen(c->dns),
							  GNUTLS_FSAN_APPEND));
	if (c->ip)
		set_ip(s->crt, c->ip);
	must(gnutls_x509_crt_set_key_usage(s->crt, GNUTLS_KEY_DIGITAL_SIGNATURE));
	must(gnutls_x509_crt_set_key_purpose_oid(s->crt, GNUTLS_KP_TLS_WWW_SERVER, 0));
	must(gnutls_x509_crt_sign2(s->crt, s->ca, s->ca_key, GNUTLS_DIG_SHA256, 0));
	must(gnutls_certificate_allocate_credentials(&s->cred));
	must(gnutls_certificate_set_x509_key(s->cred, &s->crt, 1, s->key));
}

void tls_server_write_authority(const struct tls_server *s, char path[64])
{
	gnutls_datum_t pem;
	ssize_t n;
	int fd;

	snprintf(path, 64, "/tmp/peerup-authority-XXXXXX");
	fd = mkstemp(path);
	must(gnutls_x509_crt_export2(s->ca, GNUTLS_X509_FMT_PEM, &pem));
	n = fd < 0 ? -1 : write(fd, pem.data, pem.size);
	if (n != (ssize_t)pem.size)
		abort();
	close(fd);
	gnutls_free(pem.data);
}

/* Sessions. */

static void session_end(struct session *x)
{
	if (x->ended)
		return;
	x->ended = true;
	net_of(x)->ops->tcp_close(x->client, false);
	net_of(x)->ops->tcp_close(x->backend, false);
	x->client = x->backend = NULL;
}

static void session_free(struct session *x)
{
	session_end(x);
	pu_list_remove(&x->node);
	gnutls_deinit(x->tls);
	pu_buf_deinit(&x->in);
	pu_buf_deinit(&x->to_client);
	pu_buf_deinit(&x->to_backend);
	free(x);
}

static void drain(struct session *x, struct pu_tcp *t, struct pu_buf *b)
{
	struct iovec iov = { (void *)pu_buf_bytes(b).p, b->len };
	int n;

	if (x->ended || b->len == 0)
		return;
	n = net_of(x)->ops->tcp_write(t, &iov, 1);
	if (n > 0)
		pu_buf_consume(b, (size_t)n);
}

static ssize_t pull(gnutls_transport_ptr_t ptr, void *p, size_t len)
{
	struct session *x = ptr;
	size_t n = pu_min(len, x->in.len);

	if (n == 0) {
		gnutls_transport_set_errno(x->tls, EAGAIN);
		return -1;
	}
	memcpy(p, pu_buf_bytes(&x->in).p, n);
	pu_buf_consume(&x->in, n);
	return (ssize_t)n;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const void *p, size_t len)
{
	struct session *x = ptr;

	if (pu_buf_append(&x->to_client, p, len) < 0)
		abort();
	return (ssize_t)len;
}

static void note_client(struct session *x)
{
	size_t len = sizeof x->s->name - 1;
	unsigned type;
	gnutls_datum_t alpn;

	memset(x->s->name, 0, sizeof x->s->name);
	gnutls_server_name_get(x->tls, x->s->name, &len, &type, 0);
	if (gnutls_alpn_get_selected_protocol(x->tls, &alpn) == 0)
		snprintf(x->s->alpn, sizeof x->s->alpn, "%.*s", (int)alpn.size, alpn.data);
}

/* False: the session is over. */
static bool process(struct session *x)
{
	static uint8_t plain[16384];
	ssize_t n = 0;

	if (!x->shaken) {
		n = gnutls_handshake(x->tls);
		if (n < 0)
			return n == GNUTLS_E_AGAIN;
		x->shaken = true;
		note_client(x);
	}
	while ((n = gnutls_record_recv(x->tls, plain, sizeof plain)) > 0)
		if (pu_buf_append(&x->to_backend, plain, (size_t)n) < 0)
			abort();
	return n == GNUTLS_E_AGAIN;
}

static size_t client_recv(void *arg, const uint8_t *p, size_t len)
{
	struct session *x = arg;
	bool goes_on;

	if (pu_buf_append(&x->in, p, len) < 0)
		abort();
	goes_on = process(x);
	drain(x, x->client, &x->to_client);
	if (x->connected)
		drain(x, x->backend, &x->to_backend);
	if (!goes_on)
		session_end(x);
	return len;
}

static void client_writable(void *arg)
{
	struct session *x = arg;

	drain(x, x->client, &x->to_client);
}

static void ended(void *arg)
{
	session_end(arg);
}

static void broken(void *arg, int err)
{
	session_end(arg);
}

static void backend_connect(void *arg, int err)
{
	struct session *x = arg;

	if (err < 0) {
		session_end(x);
		return;
	}
	x->connected = true;
	drain(x, x->backend, &x->to_backend);
}

static size_t backend_recv(void *arg, const uint8_t *p, size_t len)
{
	struct session *x = arg;

	for (size_t off = 0; off < len;) {
		ssize_t n = gnutls_record_send(x->tls, p + off, len - off);

		must((int)n);
		off += (size_t)n;
	}
	drain(x, x->client, &x->to_client);
	return len;
}

static void backend_writable(void *arg)
{
	struct session *x = arg;

	drain(x, x->backend, &x->to_backend);
}

static void backend_eof(void *arg)
{
	struct session *x = arg;

	gnutls_bye(x->tls, GNUTLS_SHUT_WR);
	drain(x, x->client, &x->to_client);
	session_end(x);
}

static const struct pu_tcp_events client_events = { NULL, client_recv, ended, client_writable,
						    broken };
static const struct pu_tcp_events backend_events = { backend_connect, backend_recv, backend_eof,
						     backend_writable, broken };

static void on_accept(void *arg, struct pu_tcp *t)
{
	struct tls_server *s = arg;
	struct session *x = calloc(1, sizeof *x);

	if (!x)
		abort();
	x->s = s;
	x->client = t;
	pu_buf_init(&x->in, BUF_MAX);
	pu_buf_init(&x->to_client, BUF_MAX);
	pu_buf_init(&x->to_backend, BUF_MAX);
	must(gnutls_init(&x->tls, GNUTLS_SERVER | GNUTLS_NONBLOCK));
	must(gnutls_priority_set_direct(x->tls, s->cfg.tls12 ? "NORMAL:-VERS-ALL:+VERS-TLS1.2"
							      : "NORMAL", NULL));
	must(gnutls_credentials_set(x->tls, GNUTLS_CRD_CERTIFICATE, s->cred));
	must(gnutls_alpn_set_protocols(x->tls, &(gnutls_datum_t){ (void *)"http/1.1", 8 }, 1, 0));
	gnutls_transport_set_ptr(x->tls, x);
	gnutls_transport_set_pull_function(x->tls, pull);
	gnutls_transport_set_push_function(x->tls, push);
	if (s->cfg.net->ops->tcp_connect(s->cfg.net, &s->cfg.backend, NULL, &backend_events, x,
					 &x->backend) < 0)
		abort();
	pu_list_append(&s->sessions, &x->node);
	s->cfg.net->ops->tcp_set_events(t, &client_events, x);
}

struct tls_server *tls_server_new(const struct tls_server_config *cfg)
{
	struct tls_server *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->cfg = *cfg;
	pu_list_init(&s->sessions);
	make_certificates(s);
	if (cfg->net->ops->tcp_listen(cfg->net, &cfg->listen, on_accept, s, &s->l) < 0)
		abort();
	return s;
}

void tls_server_free(struct tls_server *s)
{
	PU_LIST_FOREACH(it, tmp, &s->sessions)
		session_free(PU_CONTAINER_OF(it, struct session, node));
	s->cfg.net->ops->tcp_listener_close(s->l);
	gnutls_certificate_free_credentials(s->cred);
	gnutls_x509_crt_deinit(s->crt);
	gnutls_x509_crt_deinit(s->ca);
	gnutls_x509_privkey_deinit(s->key);
	gnutls_x509_privkey_deinit(s->ca_key);
	free(s);
}

void tls_server_local(const struct tls_server *s, union pu_sockaddr *sa)
{
	s->cfg.net->ops->tcp_listener_local(s->l, sa);
}

const char *tls_server_name_asked(const struct tls_server *s)
{
	return s->name;
}

const char *tls_server_alpn(const struct tls_server *s)
{
	return s->alpn;
}
