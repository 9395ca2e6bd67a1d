/* Real UDP sockets over loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/loop_uv.h"
#include "p2p/transport/udp_uv.h"

static struct pu_loop_uv *uv;
static struct pu_loop *loop;

struct sink {
	struct pu_udp *u;
	union pu_sockaddr addr;
	uint64_t n, bytes; /* datagrams */
	size_t last_len;
	uint8_t ecn;
	union pu_sockaddr remote, local;
	uint64_t expect;
	unsigned writable;
	bool close_inside;
};

static void on_recv(void *arg, const struct pu_dgrams *d, size_t n)
{
	struct sink *s = arg;

	for (size_t i = 0; i < n; i++) {
		assert_true(d[i].segment > 0 && d[i].len > 0);
		s->n += (d[i].len + d[i].segment - 1) / d[i].segment;
		s->bytes += d[i].len;
		s->last_len = d[i].len;
		s->ecn = d[i].ecn;
		s->remote = d[i].remote;
		s->local = d[i].local;
	}
	if (s->close_inside) {
		pu_udp_uv_close(s->u);
		s->u = NULL;
	}
	if (s->n >= s->expect)
		pu_loop_uv_stop(uv);
}

static void on_writable(void *arg)
{
	struct sink *s = arg;

	s->writable++;
}

static const struct pu_udp_events events = { .on_recv = on_recv, .on_writable = on_writable };

static void on_timeout(void *arg)
{
	pu_loop_uv_stop(uv);
}

static void run(unsigned ms)
{
	struct pu_timer t;

	pu_loop_uv_enter(loop);
	pu_timer_init(&t, loop, on_timeout, NULL);
	pu_timer_set(&t, pu_loop_now(loop) + PU_MS(ms));
	pu_loop_uv_leave(loop);
	pu_loop_uv_run(uv);
	pu_timer_stop(&t);
}

static union pu_sockaddr address(const char *text)
{
	struct pu_multiaddr ma;
	union pu_sockaddr sa;

	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	assert_int_equal(pu_multiaddr_to_sockaddr(&ma, &sa), 0);
	return sa;
}

static void open_sink(struct sink *s, const char *bind)
{
	union pu_sockaddr sa = address(bind);

	*s = (struct sink){ .expect = 1 };
	assert_int_equal(pu_udp_uv_open(loop, &sa, &events, s, &s->u), 0);
	pu_udp_uv_local(s->u, &s->addr);
}

static int setup(void **state)
{
	if (pu_loop_uv_new(&uv) < 0)
		return -1;
	loop = pu_loop_uv_loop(uv);
	return 0;
}

static int teardown(void **state)
{
	pu_loop_uv_free(uv);
	return 0;
}

static void exchange(const char *bind, bool v6)
{
	static uint8_t data[100] = { 42 };
	struct sink a, b;
	struct pu_dgrams d = { .p = data, .len = 100, .segment = 100, .ecn = 2 };

	open_sink(&a, bind);
	open_sink(&b, bind);
	d.remote = b.addr;
	assert_int_equal(pu_udp_uv_send(a.u, &d), 0);
	run(1000);
	assert_int_equal(b.n, 1);
	assert_int_equal(b.bytes, 100);
	assert_int_equal(b.ecn, 2);
	assert_true(pu_sockaddr_eq(&b.remote, &a.addr));
	assert_true(pu_sockaddr_eq(&b.local, &b.addr));
	assert_int_equal(b.local.sa.sa_family, v6 ? AF_INET6 : AF_INET);
	pu_udp_uv_close(a.u);
	pu_udp_uv_close(b.u);
}

static void datagram_tells_both_addresses_and_ecn(void **state)
{
	exchange("/ip4/127.0.0.1/udp/0/quic-v1", false);
}

static void ipv6_does_the_same(void **state)
{
	exchange("/ip6/::1/udp/0/quic-v1", true);
}

static void batch_arrives_as_its_datagrams(void **state)
{
	static uint8_t data[60000];
	struct sink a, b;
	struct pu_dgrams d = { .p = data, .len = 40 * 1400 + 500, .segment = 1400 };

	open_sink(&a, "/ip4/127.0.0.1/udp/0/quic-v1");
	open_sink(&b, "/ip4/127.0.0.1/udp/0/quic-v1");
	b.expect = 41;
	d.remote = b.addr;
	assert_int_equal(pu_udp_uv_send(a.u, &d), 0);
	run(1000);
	assert_int_equal(b.n, 41);
	assert_int_equal(b.bytes, 40 * 1400 + 500);
	pu_udp_uv_close(a.u);
	pu_udp_uv_close(b.u);
}

static void answer_leaves_from_the_address_that_was_asked(void **state)
{
	static uint8_t data[10];
	struct sink any, c;
	struct pu_dgrams d = { .p = data, .len = 10, .segment = 10 };

	open_sink(&any, "/ip4/0.0.0.0/udp/0/quic-v1");
	open_sink(&c, "/ip4/127.0.0.1/udp/0/quic-v1");
	d.remote = any.addr;
	d.remote.v4.sin_addr.s_addr = htonl(0x7f000009);
	assert_int_equal(pu_udp_uv_send(c.u, &d), 0);
	run(1000);
	assert_int_equal(any.n, 1);
	assert_int_equal(any.local.v4.sin_addr.s_addr, htonl(0x7f000009));
	d.remote = any.remote;
	d.local = any.local;
	assert_int_equal(pu_udp_uv_send(any.u, &d), 0);
	run(1000);
	assert_int_equal(c.n, 1);
	assert_int_equal(c.remote.v4.sin_addr.s_addr, htonl(0x7f000009));
	pu_udp_uv_close(any.u);
	pu_udp_uv_close(c.u);
}

static void too_long_is_said_so(void **state)
{
	static uint8_t data[65000];
	struct sink a;
	struct pu_dgrams d = { .p = data, .len = 65000, .segment = 65000 };

	/* Loopback takes 64 KiB, but nothing takes more than an IP packet. */
	open_sink(&a, "/ip6/::1/udp/0/quic-v1");
	d.remote = a.addr;
	d.len = d.segment = 65000;
	assert_int_equal(pu_udp_uv_send(a.u, &d), 0);
	d.len = 0;
	assert_int_equal(pu_udp_uv_send(a.u, &d), PU_EINVAL);
	pu_udp_uv_close(a.u);
}

static void port_in_use_is_refused(void **state)
{
	struct sink a;
	struct pu_udp *u;

	open_sink(&a, "/ip4/127.0.0.1/udp/0/quic-v1");
	assert_int_equal(pu_udp_uv_open(loop, &a.addr, &events, NULL, &u), PU_EADDRINUSE);
	pu_udp_uv_close(a.u);
}

static void ipv6_leaves_ipv4_alone(void **state)
{
	union pu_sockaddr v4 = address("/ip4/0.0.0.0/udp/0/quic-v1");
	struct sink a;
	struct pu_udp *u;

	open_sink(&a, "/ip6/::/udp/0/quic-v1");
	v4.v4.sin_port = a.addr.v6.sin6_port;
	assert_int_equal(pu_udp_uv_open(loop, &v4, &events, NULL, &u), 0);
	pu_udp_uv_close(u);
	pu_udp_uv_close(a.u);
}

static void socket_may_be_closed_inside_its_callback(void **state)
{
	static uint8_t data[10];
	struct sink a, b;
	struct pu_dgrams d = { .p = data, .len = 10, .segment = 10 };

	open_sink(&a, "/ip4/127.0.0.1/udp/0/quic-v1");
	open_sink(&b, "/ip4/127.0.0.1/udp/0/quic-v1");
	b.close_inside = true;
	d.remote = b.addr;
	for (int i = 0; i < 20; i++)
		assert_int_equal(pu_udp_uv_send(a.u, &d), 0);
	run(1000);
	assert_in_range(b.n, 1, 20);
	run(50);
	assert_null(b.u);
	pu_udp_uv_close(a.u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagram_tells_both_addresses_and_ecn),
		cmocka_unit_test(ipv6_does_the_same),
		cmocka_unit_test(batch_arrives_as_its_datagrams),
		cmocka_unit_test(answer_leaves_from_the_address_that_was_asked),
		cmocka_unit_test(too_long_is_said_so),
		cmocka_unit_test(port_in_use_is_refused),
		cmocka_unit_test(ipv6_leaves_ipv4_alone),
		cmocka_unit_test(socket_may_be_closed_inside_its_callback),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
