/* WebSockets through real sockets on loopback, with a TLS server in front. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/loop_uv.h"
#include "p2p/transport/net_uv.h"
#include "p2p/transport/ws.h"
#include "support/tls_server.h"

enum { TOTAL = 8 << 20 };

static const char *const echo[] = { "/echo/1", NULL };

struct env {
	struct pu_loop_uv *driver;
	struct pu_loop *loop;
	struct pu_net *net;
	struct pu_timer limit;
	bool late;
	struct pu_key key[2];
	struct pu_host *h[2]; /* 1 listens */
	struct tls_server *server;
	char authority[64];
	uint16_t port, tls_port;
	unsigned stopped;
	int err;
	size_t sent, back;
	char remote[PU_MULTIADDR_TEXT_MAX];
};

static void too_late(void *arg)
{
	struct env *e = arg;

	e->late = true;
	pu_loop_uv_stop(e->driver);
}

static bool run(struct env *e, unsigned s)
{
	pu_loop_uv_enter(e->loop);
	pu_timer_set(&e->limit, pu_loop_now(e->loop) + PU_SEC(s));
	pu_loop_uv_leave(e->loop);
	e->late = false;
	pu_loop_uv_run(e->driver);
	pu_timer_stop(&e->limit);
	return !e->late;
}

/* Sends back what it gets. */

static size_t echo_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	return pu_stream_write(st, p, len);
}

static void echo_eof(void *arg, struct pu_stream *st)
{
	pu_stream_close(st);
}

static void echo_writable(void *arg, struct pu_stream *st)
{
	pu_stream_resume(st);
}

static void echo_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
}

static const struct pu_stream_events echo_events = { echo_recv, echo_eof, echo_writable, echo_closed };

static void on_echo(void *arg, struct pu_stream *st)
{
	pu_stream_set_events(st, &echo_events, arg);
}

/* Sends and compares. */

static void pump(struct env *e, struct pu_stream *st)
{
	static uint8_t b[65536];

	while (e->sent < TOTAL) {
		size_t n = pu_min(sizeof b, TOTAL - e->sent), took;

		for (size_t i = 0; i < n; i++)
			b[i] = (uint8_t)((e->sent + i) >> 7);
		took = pu_stream_write(st, b, n);
		e->sent += took;
		if (took < n)
			return;
	}
	pu_stream_shutdown(st);
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct env *e = arg;

	for (size_t i = 0; i < len; i++)
		assert_int_equal(p[i], (uint8_t)((e->back + i) >> 7));
	e->back += len;
	return len;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	struct env *e = arg;

	pu_stream_close(st);
	pu_loop_uv_stop(e->driver);
}

static void on_writable(void *arg, struct pu_stream *st)
{
	pump(arg, st);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct env *e = arg;

	e->err = err;
	pu_loop_uv_stop(e->driver);
}

static const struct pu_stream_events events = { on_recv, on_eof, on_writable, on_closed };

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct env *e = arg;

	e->err = err;
	if (err < 0) {
		pu_loop_uv_stop(e->driver);
		return;
	}
	pu_multiaddr_text(&st->conn->remote, e->remote);
	pu_stream_set_events(st, &events, e);
	pump(e, st);
}

static uint16_t port_of(const struct pu_multiaddr *ma)
{
	union pu_sockaddr sa;

	assert_int_equal(pu_multiaddr_to_sockaddr(ma, &sa), 0);
	return ntohs(sa.v4.sin_port);
}

static union pu_sockaddr loopback(uint16_t port)
{
	union pu_sockaddr sa;

	memset(&sa, 0, sizeof sa);
	sa.v4.sin_family = AF_INET;
	sa.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sa.v4.sin_port = htons(port);
	return sa;
}

static void make_host(struct env *e, int i, const char *trust_file)
{
	struct pu_host_config cfg = { .loop = e->loop, .net = e->net, .key = &e->key[i],
				      .agent = "test" };
	uint8_t seed[32] = { (uint8_t)(i + 1) };

	assert_int_equal(pu_key_from_seed(&e->key[i], seed), 0);
	assert_int_equal(pu_host_new(&cfg, &e->h[i]), 0);
	assert_int_equal(pu_ws_transport_add(e->h[i], NULL, trust_file), 0);
}

static void env_init(struct env *e)
{
	struct tls_server_config sc = { .cert = { .dns = "localhost", .ip = "127.0.0.1" } };
	struct pu_multiaddr ma;
	union pu_sockaddr sa;

	memset(e, 0, sizeof *e);
	assert_int_equal(pu_crypto_init(), 0);
	assert_int_equal(pu_loop_uv_new(&e->driver), 0);
	e->loop = pu_loop_uv_loop(e->driver);
	assert_int_equal(pu_net_uv_new(e->loop, &e->net), 0);
	pu_timer_init(&e->limit, e->loop, too_late, e);
	make_host(e, 1, NULL);
	assert_int_equal(pu_multiaddr_from_text(&ma, "/ip4/127.0.0.1/tcp/0/ws"), 0);
	assert_int_equal(pu_host_listen(e->h[1], &ma), 0);
	assert_int_equal(pu_host_addrs(e->h[1], &ma, 1), 1);
	assert_int_equal(pu_host_handle(e->h[1], echo[0], on_echo, NULL), 0);
	e->port = port_of(&ma);
	sc.loop = e->loop;
	sc.net = e->net;
	sc.listen = loopback(0);
	sc.backend = loopback(e->port);
	e->server = tls_server_new(&sc);
	tls_server_local(e->server, &sa);
	e->tls_port = ntohs(sa.v4.sin_port);
	test_ca_write(tls_server_authority(e->server), e->authority);
	make_host(e, 0, e->authority);
}

static void on_stopped(void *arg)
{
	struct env *e = arg;

	if (++e->stopped == 2)
		pu_loop_uv_stop(e->driver);
}

static void env_deinit(struct env *e)
{
	pu_host_stop(e->h[0], on_stopped, e);
	pu_host_stop(e->h[1], on_stopped, e);
	assert_true(run(e, 10));
	pu_host_free(e->h[0]);
	pu_host_free(e->h[1]);
	tls_server_free(e->server);
	unlink(e->authority);
	pu_net_uv_free(e->net);
	pu_loop_uv_free(e->driver);
}

static void hosts_talk_with_and_without_tls(void **state)
{
	static const struct {
		const char *addr, *remote;
		bool tls;
	} way[] = {
		{ "/ip4/127.0.0.1/tcp/%u/ws", "/ip4/127.0.0.1/tcp/%u/ws", false },
		{ "/dns4/localhost/tcp/%u/ws", "/ip4/127.0.0.1/tcp/%u/ws", false },
		{ "/ip4/127.0.0.1/tcp/%u/tls/ws", "/ip4/127.0.0.1/tcp/%u/tls/ws", true },
		{ "/dns4/localhost/tcp/%u/wss",
		  "/ip4/127.0.0.1/tcp/%u/tls/sni/localhost/ws", true },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(way); i++) {
		char text[256], remote[256];
		struct pu_multiaddr ma;
		struct env e;

		env_init(&e);
		snprintf(text, sizeof text, way[i].addr, way[i].tls ? e.tls_port : e.port);
		snprintf(remote, sizeof remote, way[i].remote, way[i].tls ? e.tls_port : e.port);
		assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
		assert_int_equal(pu_host_add_addr(e.h[0], &e.key[1].peer, &ma, true), 0);
		assert_int_equal(pu_host_open(e.h[0], &e.key[1].peer, NULL, echo, on_open, &e, NULL), 0);
		assert_true(run(&e, 60));
		assert_int_equal(e.err, 0);
		assert_int_equal(e.back, TOTAL);
		assert_string_equal(e.remote, remote);
		env_deinit(&e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_talk_with_and_without_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
