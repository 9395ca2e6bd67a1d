/* Hosts that talk over WebSockets in virtual time, and strangers who do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "support/hosts.h"
#include "support/tls_server.h"

static const char *const ws_listen[] = { "/ip4/10.0.0.2/tcp/4001/ws", NULL };
static const char *const echo[] = { "/echo/1", NULL };

struct pair {
	struct pu_sim *sim;
	struct test_host a, b; /* b listens */
};

static void pair_init(struct pair *p)
{
	p->sim = pu_sim_new(pu_sim_seed());
	test_host_init(&p->a, p->sim, 1, "10.0.0.1", NULL);
	test_host_init(&p->b, p->sim, 2, "10.0.0.2", NULL);
	p->a.ws = p->b.ws = true;
}

static void pair_start(struct pair *p)
{
	test_host_start(&p->a, NULL);
	test_host_start(&p->b, ws_listen);
	test_host_introduce(&p->a, &p->b);
}

static void pair_deinit(struct pair *p)
{
	if (p->a.h)
		test_host_stop(&p->a);
	test_host_stop(&p->b);
	pu_sim_free(p->sim);
}

struct addr_seen {
	struct pu_multiaddr remote, local;
	const char *security;
	unsigned n;
};

static void note_addr(void *arg, struct pu_conn *c)
{
	struct addr_seen *s = arg;

	s->remote = c->remote;
	s->local = c->local;
	s->security = c->security;
	s->n++;
}

static bool is_text(const struct pu_multiaddr *ma, const char *text)
{
	char buf[PU_MULTIADDR_TEXT_MAX];

	return strcmp(pu_multiaddr_text(ma, buf), text) == 0;
}

struct sender {
	size_t sent, total, back;
	bool eof;
};

static void pump(struct sender *s, struct pu_stream *st)
{
	static uint8_t b[100000];

	while (s->sent < s->total) {
		size_t n = pu_min(sizeof b, s->total - s->sent), took;

		for (size_t i = 0; i < n; i++)
			b[i] = (uint8_t)((s->sent + i) * 31 >> 3);
		took = pu_stream_write(st, b, n);
		s->sent += took;
		if (took < n)
			return;
	}
	pu_stream_shutdown(st);
}

static size_t sender_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct sender *s = arg;

	for (size_t i = 0; i < len; i++)
		assert_int_equal(p[i], (uint8_t)((s->back + i) * 31 >> 3));
	s->back += len;
	return len;
}

static void sender_eof(void *arg, struct pu_stream *st)
{
	((struct sender *)arg)->eof = true;
	pu_stream_close(st);
}

static void sender_writable(void *arg, struct pu_stream *st)
{
	pump(arg, st);
}

static void sender_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	fail_msg("the stream ended early: %s", pu_err_text(err));
}

static const struct pu_stream_events sender_events = { sender_recv, sender_eof, sender_writable,
						       sender_closed };

static bool all_back(void *arg)
{
	return ((struct sender *)arg)->eof;
}

static void carry(struct pair *p, size_t total)
{
	struct test_sink sink = { .echo = true };
	struct sender s = { .total = total };
	struct test_dial d = { .ev = &sender_events, .arg = &s };

	assert_int_equal(pu_host_handle(p->b.h, echo[0], test_sink_accept, &sink), 0);
	test_open(&p->a, &p->b, echo, &d, PU_SEC(10));
	assert_int_equal(d.err, 0);
	pump(&s, d.st);
	assert_true(pu_sim_run_until(p->sim, all_back, &s, PU_SEC(120)));
	assert_int_equal(s.back, total);
	pu_host_unhandle(p->b.h, echo[0]);
}

static void hosts_meet_and_talk(void **state)
{
	static const enum pu_security order[] = { PU_SECURITY_NOISE, PU_SECURITY_TLS };

	for (size_t i = 0; i < PU_ARRAY_LEN(order); i++) {
		struct addr_seen a = { 0 }, b = { 0 };
		struct pair p;

		pair_init(&p);
		p.a.cfg.tcp.order[0] = order[i];
		pair_start(&p);
		carry(&p, 3 << 20);
		pu_host_each_conn(p.a.h, note_addr, &a);
		pu_host_each_conn(p.b.h, note_addr, &b);
		assert_int_equal(a.n, 1);
		assert_string_equal(a.security, i == 0 ? "noise" : "tls");
		assert_true(is_text(&a.remote, "/ip4/10.0.0.2/tcp/4001/ws"));
		assert_true(is_text(&b.local, "/ip4/10.0.0.2/tcp/4001/ws"));
		assert_int_equal(pu_multiaddr_kind(&b.remote), PU_MA_KIND_WS);
		pair_deinit(&p);
	}
}

static void a_goodbye_is_heard_at_once(void **state)
{
	struct pair p;

	pair_init(&p);
	pair_start(&p);
	carry(&p, 1);
	test_host_stop(&p.a);
	pu_sim_run(p.sim, PU_MS(10));
	assert_int_equal(p.b.disconnected, 1);
	assert_int_equal(p.b.closed_err, PU_ECLOSED);
	assert_int_equal(p.b.closed_code, PU_CONN_CODE_SHUTDOWN);
	pair_deinit(&p);
}

/* Over TLS: a knows b by the name of the server in front of it. */

struct proxied {
	struct pair p;
	struct pu_sim_node *node;
	struct tls_server *server;
	char authority[64];
};

static void proxied_init(struct proxied *x, const struct tls_server_config *how, bool trusted)
{
	struct tls_server_config cfg = *how;

	memset(x, 0, sizeof *x);
	pair_init(&x->p);
	x->node = pu_sim_node_new(x->p.sim, "proxy");
	pu_sim_node_add_ip(x->node, "10.0.0.3");
	pu_sim_add_name(x->p.sim, "relay.example", "10.0.0.3", NULL);
	cfg.loop = pu_sim_loop(x->node);
	cfg.net = pu_sim_net(x->node);
	cfg.listen = pu_sim_sockaddr("10.0.0.3", 443);
	cfg.backend = pu_sim_sockaddr("10.0.0.2", 4001);
	x->server = tls_server_new(&cfg);
	test_ca_write(tls_server_authority(x->server), x->authority);
	x->p.a.trust_file = trusted ? x->authority : NULL;
	test_host_start(&x->p.a, NULL);
	test_host_start(&x->p.b, ws_listen);
}

static void proxied_deinit(struct proxied *x)
{
	unlink(x->authority);
	test_host_stop(&x->p.a);
	test_host_stop(&x->p.b);
	tls_server_free(x->server);
	pu_sim_free(x->p.sim);
}

static void add_addr(struct pair *p, const char *text)
{
	struct pu_multiaddr ma;

	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	assert_int_equal(pu_host_add_addr(p->a.h, &p->b.key.peer, &ma, true), 0);
}

static int dial(struct pair *p, const char *text)
{
	struct test_dial d = { 0 };

	add_addr(p, text);
	test_connect(&p->a, &p->b, &d, PU_SEC(30));
	assert_true(d.done);
	return d.err;
}

static void a_name_leads_through_tls_to_the_host_behind(void **state)
{
	static const struct {
		const char *addr, *name, *remote;
	} way[] = {
		{ "/dns4/relay.example/tcp/443/wss", "relay.example",
		  "/ip4/10.0.0.3/tcp/443/tls/sni/relay.example/ws" },
		{ "/dns/relay.example/tcp/443/tls/ws", "relay.example",
		  "/ip4/10.0.0.3/tcp/443/tls/sni/relay.example/ws" },
		{ "/ip4/10.0.0.3/tcp/443/tls/sni/relay.example/ws", "relay.example",
		  "/ip4/10.0.0.3/tcp/443/tls/sni/relay.example/ws" },
		{ "/ip4/10.0.0.3/tcp/443/tls/ws", "", "/ip4/10.0.0.3/tcp/443/tls/ws" },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(way); i++) {
		const struct tls_server_config how = {
			.cert = { .dns = "relay.example", .ip = "10.0.0.3" }, .tls12 = i == 1
		};
		struct addr_seen seen = { 0 };
		struct proxied x;

		proxied_init(&x, &how, true);
		assert_int_equal(dial(&x.p, way[i].addr), 0);
		carry(&x.p, 1 << 20);
		pu_host_each_conn(x.p.a.h, note_addr, &seen);
		assert_true(is_text(&seen.remote, way[i].remote));
		assert_string_equal(tls_server_name_asked(x.server), way[i].name);
		assert_string_equal(tls_server_alpn(x.server), "http/1.1");
		proxied_deinit(&x);
	}
}

static void a_server_that_cannot_prove_its_name_is_refused(void **state)
{
	static const struct tls_server_config liar[] = {
		{ .cert = { .dns = "other.example" } },
		{ .cert = { .ip = "10.0.0.3" } }, /* the right address is not the right name */
		{ .cert = { .dns = "relay.example", .expired = true } },
		{ .cert = { .dns = "relay.example" } }, /* of an authority that we do not trust */
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(liar); i++) {
		struct proxied x;

		proxied_init(&x, &liar[i], i != 3);
		assert_int_equal(dial(&x.p, "/dns4/relay.example/tcp/443/wss"), PU_ECRYPTO);
		pu_sim_run(x.p.sim, PU_SEC(1));
		assert_int_equal(x.p.b.connected, 0);
		proxied_deinit(&x);
	}
}

static void without_authorities_nothing_is_trusted(void **state)
{
	const struct tls_server_config how = { .cert = { .dns = "relay.example" } };
	struct proxied x;

	proxied_init(&x, &how, true);
	unlink(x.authority);
	assert_int_equal(dial(&x.p, "/dns4/relay.example/tcp/443/wss"), PU_ENOENT);
	proxied_deinit(&x);
}

/* Strangers: plain TCP sockets on a node of their own. */

enum { RAW_MAX = 40 };

struct raw {
	struct pu_net *net;
	struct pu_tcp *t;
	struct pu_buf got;
	bool connected, over;
	const char *answer; /* said once something was heard */
};

static void raw_say(struct raw *r, const char *text)
{
	struct iovec iov = { (void *)text, strlen(text) };

	assert_int_equal(r->net->ops->tcp_write(r->t, &iov, 1), (int)iov.iov_len);
}

static void raw_connect(void *arg, int err)
{
	struct raw *r = arg;

	r->connected = err == 0;
	r->over = err < 0;
}

static size_t raw_recv(void *arg, const uint8_t *p, size_t len)
{
	struct raw *r = arg;

	assert_int_equal(pu_buf_append(&r->got, p, len), 0);
	if (r->answer)
		raw_say(r, r->answer);
	r->answer = NULL;
	return len;
}

static void raw_over(void *arg)
{
	((struct raw *)arg)->over = true;
}

static void raw_error(void *arg, int err)
{
	((struct raw *)arg)->over = true;
}

static const struct pu_tcp_events raw_events = { raw_connect, raw_recv, raw_over, NULL, raw_error };

static void raw_open(struct raw *r, struct pu_sim_node *n, const char *ip)
{
	union pu_sockaddr to = pu_sim_sockaddr(ip, 4001);

	memset(r, 0, sizeof *r);
	pu_buf_init(&r->got, 1 << 20);
	r->net = pu_sim_net(n);
	assert_int_equal(r->net->ops->tcp_connect(r->net, &to, NULL, &raw_events, r, &r->t), 0);
}

static void raw_accept(void *arg, struct pu_tcp *t)
{
	struct raw *r = arg;

	r->t = t;
	r->net->ops->tcp_set_events(t, &raw_events, r);
}

static void raw_close(struct raw *r)
{
	if (r->t)
		r->net->ops->tcp_close(r->t, true);
	pu_buf_deinit(&r->got);
}

static bool raw_got(const struct raw *r, const char *text)
{
	struct pu_bytes b = pu_buf_bytes(&r->got);

	return b.len > 0 && memmem(b.p, b.len, text, strlen(text)) != NULL;
}

/* a dials a server that says one thing; returns the error. */
static int dial_liar(const char *addr, const char *answer, struct raw *r, pu_time *took)
{
	struct pu_tcp_listener *l;
	struct test_dial d = { 0 };
	struct pu_sim_node *liar;
	union pu_sockaddr at = pu_sim_sockaddr("10.0.0.9", 80);
	struct pair p;

	pair_init(&p);
	test_host_start(&p.a, NULL);
	test_host_start(&p.b, NULL);
	liar = pu_sim_node_new(p.sim, "liar");
	pu_sim_node_add_ip(liar, "10.0.0.9");
	pu_sim_add_name(p.sim, "relay.example", "10.0.0.9", NULL);
	memset(r, 0, sizeof *r);
	pu_buf_init(&r->got, 1 << 20);
	r->net = pu_sim_net(liar);
	r->answer = answer;
	assert_int_equal(r->net->ops->tcp_listen(r->net, &at, raw_accept, r, &l), 0);
	add_addr(&p, addr);
	test_connect(&p.a, &p.b, &d, PU_SEC(30));
	assert_true(d.done);
	*took = d.took;
	r->net->ops->tcp_close(r->t, true);
	r->t = NULL;
	r->net->ops->tcp_listener_close(l);
	pair_deinit(&p);
	return d.err;
}

static void a_server_hears_its_name(void **state)
{
	static const char *const addr[] = { "/dns4/relay.example/tcp/80/ws", "/ip4/10.0.0.9/tcp/80/ws" };
	static const char *const field[] = { "\r\nHost: relay.example\r\n", "\r\nHost: 10.0.0.9\r\n" };
	struct raw r;
	pu_time took;

	for (size_t i = 0; i < PU_ARRAY_LEN(addr); i++) {
		assert_int_equal(dial_liar(addr[i], "HTTP/1.1 403 Forbidden\r\n\r\n", &r, &took),
				 PU_EDENIED);
		assert_true(raw_got(&r, field[i]));
		raw_close(&r);
	}
}

static void dials_end_whatever_the_server_says(void **state)
{
	static const struct {
		int err;
		const char *answer;
	} liar[] = {
		{ PU_ETIMEDOUT, NULL },
		{ PU_ETIMEDOUT, "HTTP/1.1 101 Switching Protocols\r\nX: y\r\n" },
		{ PU_EREFUSED, "HTTP/1.1 502 Bad Gateway\r\n\r\n" },
		{ PU_ENOPROTO, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" },
		{ PU_EPROTO, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
			     "Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
			     "\r\n" },
		{ PU_EPROTO, "\x13/multistream/1.0.0\n\r\n\r\n" },
	};
	struct raw r;
	pu_time took;

	for (size_t i = 0; i < PU_ARRAY_LEN(liar); i++) {
		assert_int_equal(dial_liar("/ip4/10.0.0.9/tcp/80/ws", liar[i].answer, &r, &took),
				 liar[i].err);
		assert_true(took <= PU_SEC(PU_HOST_DIAL_TIMEOUT_S));
		raw_close(&r);
	}
}

static unsigned count_open(const struct raw *r, unsigned n)
{
	unsigned open = 0;

	for (unsigned i = 0; i < n; i++)
		open += r[i].connected && !r[i].over;
	return open;
}

static void the_silent_do_not_keep_others_out(void **state)
{
	static const char *const any[] = { "/ip4/0.0.0.0/tcp/4001/ws", NULL };
	static const unsigned allowed[] = { 8, RAW_MAX }; /* strangers; a proxy beside us */
	static struct raw r[RAW_MAX];

	for (int proxy = 0; proxy <= 1; proxy++) {
		struct pu_sim_node *stranger;
		struct test_dial d = { 0 };
		struct pair p;

		pair_init(&p);
		stranger = pu_sim_node_new(p.sim, "stranger");
		pu_sim_node_add_ip(stranger, "10.0.0.9");
		test_host_start(&p.a, NULL);
		test_host_start(&p.b, any);
		test_host_introduce(&p.a, &p.b);
		for (int i = 0; i < RAW_MAX; i++)
			raw_open(&r[i], proxy ? p.b.node : stranger, proxy ? "127.0.0.1" : "10.0.0.2");
		pu_sim_run(p.sim, PU_SEC(1));
		assert_int_equal(count_open(r, RAW_MAX), allowed[proxy]);
		test_connect(&p.a, &p.b, &d, PU_SEC(5));
		assert_int_equal(d.err, 0);
		pu_sim_run(p.sim, PU_SEC(16)); /* patience ends */
		assert_int_equal(count_open(r, RAW_MAX), 0);
		for (int i = 0; i < RAW_MAX; i++)
			raw_close(&r[i]);
		pair_deinit(&p);
	}
}

static void a_listener_survives_strangers(void **state)
{
	static const char *const words[] = {
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01\x02 no TLS here\r\n\r\n",
		"\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
	};
	struct pu_host_stats stats;
	struct pu_sim_node *stranger;
	struct pair p;

	pair_init(&p);
	pair_start(&p);
	stranger = pu_sim_node_new(p.sim, "stranger");
	pu_sim_node_add_ip(stranger, "10.0.0.9");
	for (size_t i = 0; i < PU_ARRAY_LEN(words); i++) {
		struct raw r;

		raw_open(&r, stranger, "10.0.0.2");
		pu_sim_run(p.sim, PU_MS(100));
		raw_say(&r, words[i]);
		pu_sim_run(p.sim, PU_MS(100));
		assert_true(r.over);
		assert_true(raw_got(&r, "HTTP/1.1 4"));
		raw_close(&r);
	}
	pu_host_stats(p.b.h, &stats);
	assert_int_equal(stats.inbound_failed, PU_ARRAY_LEN(words));
	carry(&p, 1000);
	pair_deinit(&p);
}

static void only_plain_websockets_can_be_listened_for(void **state)
{
	static const char *const no[] = { "/ip4/10.0.0.2/tcp/443/wss", "/ip4/10.0.0.2/tcp/443/tls/ws",
					  "/ip4/10.0.0.2/tcp/443/sni/a/ws" };
	struct pu_multiaddr ma;
	struct pair p;

	pair_init(&p);
	pair_start(&p);
	for (size_t i = 0; i < PU_ARRAY_LEN(no); i++) {
		assert_int_equal(pu_multiaddr_from_text(&ma, no[i]), 0);
		assert_int_equal(pu_host_listen(p.b.h, &ma), PU_ENOTSUP);
	}
	pair_deinit(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_meet_and_talk),
		cmocka_unit_test(a_goodbye_is_heard_at_once),
		cmocka_unit_test(a_name_leads_through_tls_to_the_host_behind),
		cmocka_unit_test(a_server_that_cannot_prove_its_name_is_refused),
		cmocka_unit_test(without_authorities_nothing_is_trusted),
		cmocka_unit_test(a_server_hears_its_name),
		cmocka_unit_test(dials_end_whatever_the_server_says),
		cmocka_unit_test(the_silent_do_not_keep_others_out),
		cmocka_unit_test(a_listener_survives_strangers),
		cmocka_unit_test(only_plain_websockets_can_be_listened_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
