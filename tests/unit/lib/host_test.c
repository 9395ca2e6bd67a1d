#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "peerup/peerup.h"

#define PROTOCOL "/test/1.0.0"

enum { TIMEOUT_MS = 20000 };

struct pair {
	struct peerup_loop *loop;
	struct peerup_host *server, *client;
	struct peerup_host_options server_opt;
	int err;            /* 1: no answer yet */
	unsigned connected, closed, stream_closed;
	int stream_err;
	bool close_on_connect, admit;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Turns the loop until the condition holds; returns how often. */
static unsigned turn_until(struct pair *p, const void *what, int (*holds)(const void *what),
			   int limit_ms)
{
	int64_t end = now_ms() + limit_ms;
	unsigned n = 0;

	while (!holds(what) && now_ms() < end) {
		struct pollfd fd = { peerup_loop_fd(p->loop), POLLIN, 0 };
		int left = (int)(end - now_ms()), ms = peerup_loop_timeout_ms(p->loop);

		poll(&fd, 1, ms < 0 || ms > left ? left : ms);
		assert_int_equal(peerup_loop_step(p->loop), 0);
		n++;
	}
	return n;
}

static int never(const void *what)
{
	return 0;
}

static int is_answered(const void *what)
{
	return ((const struct pair *)what)->err != 1;
}

static int is_set(const void *what)
{
	return *(const unsigned *)what > 0;
}

static void on_connected(void *arg, const struct peerup_conn_info *c)
{
	struct pair *p = arg;

	p->connected++;
	if (p->close_on_connect)
		peerup_host_close(p->server, NULL, NULL);
}

static bool gate(void *arg, const char *peer, const char *remote)
{
	return ((struct pair *)arg)->admit;
}

static void setup(struct pair *p)
{
	struct peerup_identity *id;
	char addr[PEERUP_ADDR_TEXT_MAX];

	memset(p, 0, sizeof *p);
	p->admit = true;
	p->err = 1;
	p->server_opt = (struct peerup_host_options)PEERUP_HOST_OPTIONS_INIT;
	p->server_opt.on_connected = on_connected;
	p->server_opt.gate = gate;
	p->server_opt.arg = p;
	assert_int_equal(peerup_loop_new(&p->loop), 0);
	assert_int_equal(peerup_identity_generate(&id), 0);
	assert_int_equal(peerup_host_new(p->loop, id, &p->server_opt, &p->server), 0);
	peerup_identity_free(id);
	assert_int_equal(peerup_identity_generate(&id), 0);
	assert_int_equal(peerup_host_new(p->loop, id, NULL, &p->client), 0);
	peerup_identity_free(id);
	assert_int_equal(peerup_host_listen(p->server, "/ip4/127.0.0.1/tcp/0"), 0);
	assert_int_equal(peerup_host_addr(p->server, 0, addr), 0);
	assert_int_equal(peerup_host_add_addr(p->client, addr), 0);
}

static void on_answer(void *arg, int err)
{
	((struct pair *)arg)->err = err;
}

static void on_closed(void *arg)
{
	((struct pair *)arg)->closed++;
}

static void connect_both(struct pair *p)
{
	assert_int_equal(peerup_host_connect(p->client, peerup_host_peer(p->server), on_answer, p,
					     NULL),
			 0);
	turn_until(p, p, is_answered, TIMEOUT_MS);
}

static void stranger_is_denied(void **state)
{
	struct pair p;

	setup(&p);
	p.admit = false;
	connect_both(&p);
	assert_int_equal(p.err, PEERUP_EDENIED);
	assert_int_equal(p.connected, 0);
	assert_false(peerup_host_is_connected(p.client, peerup_host_peer(p.server)));
	peerup_loop_free(p.loop);
}

static void connected_peer_can_be_disconnected(void **state)
{
	struct pair p;
	const char *server;

	setup(&p);
	server = peerup_host_peer(p.server);
	connect_both(&p);
	assert_int_equal(p.err, 0);
	assert_true(peerup_host_is_connected(p.client, server));
	peerup_host_disconnect(p.client, server);
	assert_false(peerup_host_is_connected(p.client, server));
	assert_false(peerup_host_is_connected(p.client, "nobody"));
	peerup_loop_free(p.loop);
}

static void wrong_peers_are_told_apart(void **state)
{
	static const char other[] = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
	static const char *const empty[] = { NULL };
	struct pair p;

	setup(&p);
	assert_int_equal(peerup_host_connect(p.client, "home", on_answer, &p, NULL), PEERUP_EINVAL);
	assert_int_equal(peerup_host_connect(p.client, peerup_host_peer(p.client), on_answer, &p,
					     NULL),
			 PEERUP_EINVAL);
	assert_int_equal(peerup_host_open(p.client, other, empty, (peerup_open_fn *)NULL, &p, NULL),
			 PEERUP_EINVAL);
	assert_int_equal(peerup_host_add_addr(p.client, "/ip4/127.0.0.1/tcp/1"), PEERUP_EINVAL);
	assert_int_equal(peerup_host_connect(p.client, other, on_answer, &p, NULL), 0);
	assert_int_equal(p.err, 1); /* never from inside the call */
	turn_until(&p, &p, is_answered, TIMEOUT_MS);
	assert_int_equal(p.err, PEERUP_EUNREACH);
	peerup_loop_free(p.loop);
}

static void wrong_options_and_addresses_are_refused(void **state)
{
	struct peerup_host_options opt = { 0 };
	struct peerup_host *h = NULL;
	struct peerup_identity *id;
	struct pair p;

	setup(&p);
	assert_int_equal(peerup_identity_generate(&id), 0);
	assert_int_equal(peerup_host_new(p.loop, id, &opt, &h), PEERUP_EINVAL);
	opt.size = sizeof opt;
	opt.no_tcp = opt.no_quic = true;
	assert_int_equal(peerup_host_new(p.loop, id, &opt, &h), PEERUP_EINVAL);
	assert_null(h);
	peerup_identity_free(id);
	assert_int_equal(peerup_host_listen(p.server, "127.0.0.1:80"), PEERUP_EINVAL);
	assert_int_equal(peerup_host_listen(p.server, "/ip4/127.0.0.1/tcp/80/wss"), PEERUP_ENOTSUP);
	peerup_loop_free(p.loop);
}

static void wildcard_is_told_as_real_addresses(void **state)
{
	char addr[PEERUP_ADDR_TEXT_MAX];
	struct pair p;
	size_t i;

	setup(&p);
	assert_int_equal(peerup_host_listen(p.client, "/ip4/0.0.0.0/udp/0/quic-v1"), 0);
	for (i = 0; peerup_host_addr(p.client, i, addr) == 0; i++) {
		assert_null(strstr(addr, "/0.0.0.0/"));
		assert_null(strstr(addr, "/udp/0/"));
		assert_non_null(strstr(addr, peerup_host_peer(p.client)));
	}
	assert_int_not_equal(i, 0);
	peerup_loop_free(p.loop);
}

static void host_closes_from_its_own_callback(void **state)
{
	struct pair p;

	setup(&p);
	p.close_on_connect = true;
	connect_both(&p);
	assert_int_equal(p.connected, 1);
	peerup_loop_free(p.loop);
}

static void closing_cancels_requests_and_ends_once(void **state)
{
	struct pair p;

	setup(&p);
	assert_int_equal(peerup_host_connect(p.client, peerup_host_peer(p.server), on_answer, &p,
					     NULL),
			 0);
	peerup_host_close(p.client, on_closed, &p);
	peerup_host_close(p.client, on_closed, &p);
	assert_int_equal(p.closed, 0);
	assert_int_equal(peerup_host_connect(p.client, peerup_host_peer(p.server), on_answer, &p,
					     NULL),
			 PEERUP_ECLOSED);
	turn_until(&p, &p.closed, is_set, TIMEOUT_MS);
	assert_int_equal(p.err, PEERUP_ECANCELED);
	assert_int_equal(p.closed, 1);
	peerup_loop_free(p.loop);
	assert_int_equal(p.closed, 1);
}

/* Streams. */

static void on_stream_closed(void *arg, struct peerup_stream *st, int err, uint32_t code)
{
	struct pair *p = arg;

	p->stream_closed++;
	p->stream_err = err;
	assert_int_equal(peerup_stream_write(st, "x", 1), 0);
}

static const struct peerup_stream_events stream_events = { .on_closed = on_stream_closed };

static void on_stream(void *arg, struct peerup_stream *st)
{
	peerup_stream_set_events(st, &stream_events, arg);
}

static void on_open(void *arg, int err, struct peerup_stream *st)
{
	struct pair *p = arg;

	p->err = err;
	if (st)
		peerup_stream_set_events(st, &stream_events, p);
}

static void open_stream(struct pair *p)
{
	static const char *const protocols[] = { PROTOCOL, NULL };

	p->err = 1;
	assert_int_equal(peerup_host_open(p->client, peerup_host_peer(p->server), protocols, on_open,
					  p, NULL),
			 0);
	turn_until(p, p, is_answered, TIMEOUT_MS);
}

static void streams_end_with_their_host(void **state)
{
	struct pair p;

	setup(&p);
	assert_int_equal(peerup_host_handle(p.server, PROTOCOL, on_stream, &p), 0);
	open_stream(&p);
	assert_int_equal(p.err, 0);
	peerup_loop_free(p.loop);
	assert_in_range(p.stream_closed, 1, 2);
	assert_int_equal(p.stream_err, PEERUP_ECLOSED);
}

static void unhandled_protocol_is_not_supported(void **state)
{
	struct pair p;

	setup(&p);
	assert_int_equal(peerup_host_handle(p.server, PROTOCOL, on_stream, &p), 0);
	peerup_host_unhandle(p.server, PROTOCOL);
	open_stream(&p);
	assert_int_equal(p.err, PEERUP_ENOPROTO);
	assert_int_equal(peerup_host_handle(p.server, PROTOCOL, on_stream, &p), 0);
	assert_int_equal(peerup_host_handle(p.server, "", on_stream, &p), PEERUP_EINVAL);
	peerup_loop_free(p.loop);
}

/* The loop. */

static void idle_loop_sleeps(void **state)
{
	struct pair p;

	setup(&p);
	connect_both(&p);
	turn_until(&p, NULL, never, 500); /* identify and its like */
	assert_in_range(turn_until(&p, NULL, never, 500), 1, 20);
	peerup_loop_free(p.loop);
}

static void *stop_soon(void *arg)
{
	usleep(50000);
	peerup_loop_stop(arg);
	return NULL;
}

static void loop_stops_from_another_thread_and_before_it_begins(void **state)
{
	struct peerup_loop *loop;
	pthread_t t;

	assert_int_equal(peerup_loop_new(&loop), 0);
	peerup_loop_stop(loop);
	assert_int_equal(peerup_loop_run(loop), 0);
	assert_int_equal(pthread_create(&t, NULL, stop_soon, loop), 0);
	assert_int_equal(peerup_loop_run(loop), 0);
	pthread_join(t, NULL);
	peerup_loop_free(loop);
	peerup_loop_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stranger_is_denied),
		cmocka_unit_test(connected_peer_can_be_disconnected),
		cmocka_unit_test(wrong_peers_are_told_apart),
		cmocka_unit_test(wrong_options_and_addresses_are_refused),
		cmocka_unit_test(wildcard_is_told_as_real_addresses),
		cmocka_unit_test(host_closes_from_its_own_callback),
		cmocka_unit_test(closing_cancels_requests_and_ends_once),
		cmocka_unit_test(streams_end_with_their_host),
		cmocka_unit_test(unhandled_protocol_is_not_supported),
		cmocka_unit_test(idle_loop_sleeps),
		cmocka_unit_test(loop_stops_from_another_thread_and_before_it_begins),
	};

	peerup_log_level("warn");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
