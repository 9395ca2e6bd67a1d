#include "p2p/transport/ws.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "base/wire.h"
#include "p2p/tls/client_pipe.h"
#include "p2p/transport/tcp_layer.h"
#include "p2p/transport/ws_http.h"
#include "p2p/transport/ws_pipe.h"

enum { PORT_HTTP = 80, PORT_HTTPS = 443, NAME_CAP = 254 };

struct ws_layer {
	struct pu_loop *loop;
	char *trust_file;           /* NULL: the system's */
	struct pu_tls_trust *trust; /* since the first dial with TLS */
};

/* What an address says about the web server behind it. */
struct server {
	bool tls;
	uint16_t port;
	char name[NAME_CAP]; /* or IP address as text */
	char host[PU_WS_HTTP_HOST_MAX];
};

static bool can_listen(const struct pu_multiaddr *ma)
{
	return pu_multiaddr_kind(ma) == PU_MA_KIND_WS && !pu_multiaddr_has(ma, PU_MA_SNI);
}

static bool can_dial(const struct pu_multiaddr *ma)
{
	enum pu_ma_kind kind = pu_multiaddr_kind(ma);

	return kind == PU_MA_KIND_WS || kind == PU_MA_KIND_WSS;
}

/* Names come from strangers, but the parts of a multiaddr hold no blanks or control bytes:
 * nothing in them can end the line of a header. */
static int read_name(struct server *s, const union pu_sockaddr *sa, struct pu_bytes sni)
{
	if (sni.len >= sizeof s->name || memchr(sni.p ? sni.p : (const void *)"", 0, sni.len))
		return PU_EINVAL;
	if (sni.len > 0)
		snprintf(s->name, sizeof s->name, "%.*s", (int)sni.len, (const char *)sni.p);
	else if (sa->sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &sa->v4.sin_addr, s->name, sizeof s->name);
	else
		inet_ntop(AF_INET6, &sa->v6.sin6_addr, s->name, sizeof s->name);
	return 0;
}

static void make_host(struct server *s)
{
	bool bare6 = strchr(s->name, ':') != NULL;
	bool usual = s->port == (s->tls ? PORT_HTTPS : PORT_HTTP);
	char port[8] = "";

	if (!usual)
		snprintf(port, sizeof port, ":%u", s->port);
	snprintf(s->host, sizeof s->host, "%s%s%s%s", bare6 ? "[" : "", s->name, bare6 ? "]" : "",
		 port);
}

static int read_server(struct server *s, const struct pu_multiaddr *ma)
{
	struct pu_bytes sni = { NULL, 0 };
	struct pu_ma_part part;
	union pu_sockaddr sa;
	size_t off = 0;
	int r = pu_multiaddr_to_sockaddr(ma, &sa);

	if (r < 0)
		return r;
	while (pu_multiaddr_next(ma, &off, &part))
		if (part.code == PU_MA_SNI)
			sni = part.value;
	memset(s, 0, sizeof *s);
	s->tls = pu_multiaddr_kind(ma) == PU_MA_KIND_WSS;
	s->port = ntohs(sa.sa.sa_family == AF_INET ? sa.v4.sin_port : sa.v6.sin6_port);
	r = read_name(s, &sa, sni);
	if (r == 0)
		make_host(s);
	return r;
}

static int trust(struct ws_layer *w)
{
	int r = w->trust ? 0 : pu_tls_trust_new(w->trust_file, &w->trust);

	if (r < 0)
		pu_log(PU_LOG_WARN, "ws", "no certificates of authorities",
		       PU_KV_STR("file", w->trust_file ? w->trust_file : "of the system"),
		       PU_KV_ERR(r));
	return r;
}

static int wrap_tls(struct ws_layer *w, const struct server *s, PU_TAKES struct pu_pipe *below,
		    struct pu_pipe **pp)
{
	struct pu_tls_client_config cfg = { .loop = w->loop, .name = s->name, .alpn = "http/1.1" };
	int r = trust(w);

	if (r < 0) {
		below->ops->close(below, true);
		return r;
	}
	cfg.trust = w->trust;
	return pu_tls_client_pipe_new(&cfg, below, pp);
}

/* The name that only our own dialler knows is no part of the peer's address. */
static void forget_name(struct pu_upgrade_config *uc, const struct server *s)
{
	union pu_sockaddr sa;

	if (!s->tls && pu_multiaddr_has(&uc->remote, PU_MA_SNI) &&
	    pu_multiaddr_to_sockaddr(&uc->remote, &sa) == 0)
		pu_multiaddr_from_sockaddr(&uc->remote, &sa, PU_MA_KIND_WS);
}

static int wrap(void *ctx, struct pu_upgrade_config *uc, PU_TAKES struct pu_pipe *below,
		struct pu_pipe **pp)
{
	struct ws_layer *w = ctx;
	struct server s;
	int r;

	if (uc->inbound)
		return pu_ws_pipe_server(w->loop, below, pp);
	r = read_server(&s, &uc->remote);
	if (r < 0) {
		below->ops->close(below, true);
		return r;
	}
	forget_name(uc, &s);
	if (s.tls)
		r = wrap_tls(w, &s, below, &below);
	return r < 0 ? r : pu_ws_pipe_client(w->loop, below, s.host, pp);
}

static void layer_free(void *ctx)
{
	struct ws_layer *w = ctx;

	pu_tls_trust_free(w->trust);
	free(w->trust_file);
	free(w);
}

static const struct pu_tcp_layer_ops ws_layer_ops = {
	.name = "ws",
	.can_dial = can_dial,
	.can_listen = can_listen,
	.kind = PU_MA_KIND_WS,
	.wrap = wrap,
	.free = layer_free,
	.proxied = true,
};

int pu_ws_transport_new(const struct pu_transport_config *cfg,
			const struct pu_tcp_transport_options *opt, const char *trust_file,
			struct pu_transport **pt)
{
	static const struct pu_tcp_transport_options usual = {
		.order = { PU_SECURITY_TLS, PU_SECURITY_NOISE }
	};
	struct ws_layer *w = calloc(1, sizeof *w);

	if (!w)
		return PU_ENOMEM;
	w->loop = cfg->loop;
	if (trust_file) {
		w->trust_file = strdup(trust_file);
		if (!w->trust_file) {
			free(w);
			return PU_ENOMEM;
		}
	}
	return pu_tcp_layered_new(cfg, opt ? opt : &usual, &ws_layer_ops, w, pt);
}

int pu_ws_transport_add(struct pu_host *h, const struct pu_tcp_transport_options *opt,
			const char *trust_file)
{
	struct pu_transport_config tc = pu_host_transport_config(h);
	struct pu_transport *t;
	int r = pu_ws_transport_new(&tc, opt, trust_file, &t);

	if (r == 0)
		pu_host_add_transport(h, t);
	return r;
}
