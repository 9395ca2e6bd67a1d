#include "support/tls_server.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

enum { BUF_MAX = 16 << 20 };

struct tls_server {
	struct tls_server_config cfg;
	struct pu_tcp_listener *l;
	struct pu_list sessions;
	struct test_ca ca;
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

		test_ca_must((int)n);
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
	test_ca_must(gnutls_init(&x->tls, GNUTLS_SERVER | GNUTLS_NONBLOCK));
	test_ca_must(gnutls_priority_set_direct(
		x->tls, s->cfg.tls12 ? "NORMAL:-VERS-ALL:+VERS-TLS1.2" : "NORMAL", NULL));
	test_ca_must(gnutls_credentials_set(x->tls, GNUTLS_CRD_CERTIFICATE, s->ca.cred));
	test_ca_must(gnutls_alpn_set_protocols(x->tls, &(gnutls_datum_t){ (void *)"http/1.1", 8 }, 1, 0));
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
	test_ca_init(&s->ca, &cfg->cert);
	if (cfg->net->ops->tcp_listen(cfg->net, &cfg->listen, on_accept, s, &s->l) < 0)
		abort();
	return s;
}

void tls_server_free(struct tls_server *s)
{
	PU_LIST_FOREACH(it, tmp, &s->sessions)
		session_free(PU_CONTAINER_OF(it, struct session, node));
	s->cfg.net->ops->tcp_listener_close(s->l);
	test_ca_deinit(&s->ca);
	free(s);
}

void tls_server_local(const struct tls_server *s, union pu_sockaddr *sa)
{
	s->cfg.net->ops->tcp_listener_local(s->l, sa);
}

const struct test_ca *tls_server_authority(const struct tls_server *s)
{
	return &s->ca;
}

const char *tls_server_name_asked(const struct tls_server *s)
{
	return s->name;
}

const char *tls_server_alpn(const struct tls_server *s)
{
	return s->alpn;
}
