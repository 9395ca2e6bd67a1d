/* Real sockets on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop_uv.h"
#include "p2p/host/host.h"
#include "p2p/transport/net_uv.h"

struct env {
	struct pu_loop_uv *driver;
	struct pu_loop *loop;
	struct pu_net *net;
	struct pu_timer limit;
	bool late;
};

static void too_late(void *arg)
{
	struct env *e = arg;

	e->late = true;
	pu_loop_uv_stop(e->driver);
}

static void env_init(struct env *e)
{
	memset(e, 0, sizeof *e);
	assert_int_equal(pu_loop_uv_new(&e->driver), 0);
	e->loop = pu_loop_uv_loop(e->driver);
	assert_int_equal(pu_net_uv_new(e->loop, &e->net), 0);
	pu_timer_init(&e->limit, e->loop, too_late, e);
}

static void env_deinit(struct env *e)
{
	pu_net_uv_free(e->net);
	pu_loop_uv_free(e->driver);
}

/* Runs until somebody stops the loop; false when nobody did. */
static bool run(struct env *e, unsigned ms)
{
	pu_loop_uv_enter(e->loop);
	pu_timer_set(&e->limit, pu_loop_now(e->loop) + PU_MS(ms));
	pu_loop_uv_leave(e->loop);
	e->late = false;
	pu_loop_uv_run(e->driver);
	pu_timer_stop(&e->limit);
	return !e->late;
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

struct end {
	struct env *e;
	struct pu_tcp *t;
	size_t to_send, sent, recvd, take_max;
	int connect_err, error;
	bool eof, stop_at_eof, stop_at_connect, stop_at_error, stop_at_full;
	uint8_t next;
};

static void pump(struct end *d)
{
	static uint8_t b[100000];
	struct iovec iov[2];
	int n;

	while (d->sent < d->to_send) {
		size_t len = pu_min(sizeof b, d->to_send - d->sent);

		for (size_t i = 0; i < len; i++)
			b[i] = (uint8_t)(d->sent + i);
		iov[0] = (struct iovec){ b, len / 3 };
		iov[1] = (struct iovec){ b + len / 3, len - len / 3 };
		n = d->e->net->ops->tcp_write(d->t, iov, 2);
		if (n < 0)
			return;
		d->sent += (size_t)n;
		if ((size_t)n < len)
			return;
	}
	if (d->to_send)
		d->e->net->ops->tcp_shutdown(d->t);
}

static void on_connect(void *arg, int err)
{
	struct end *d = arg;

	d->connect_err = err;
	if (!err)
		pump(d);
	if (d->stop_at_connect)
		pu_loop_uv_stop(d->e->driver);
}

static size_t on_recv(void *arg, const uint8_t *p, size_t len)
{
	struct end *d = arg;

	if (d->take_max && len > d->take_max)
		len = d->take_max;
	for (size_t i = 0; i < len; i++)
		if (p[i] != d->next++)
			fail();
	d->recvd += len;
	return len;
}

static void on_eof(void *arg)
{
	struct end *d = arg;

	d->eof = true;
	if (d->stop_at_eof)
		pu_loop_uv_stop(d->e->driver);
}

static void on_writable(void *arg)
{
	pump(arg);
}

static void on_error(void *arg, int err)
{
	struct end *d = arg;

	d->error = err;
	if (d->stop_at_error)
		pu_loop_uv_stop(d->e->driver);
}

static const struct pu_tcp_events events = { on_connect, on_recv, on_eof, on_writable, on_error };

static void on_accept(void *arg, struct pu_tcp *t)
{
	struct end *d = arg;

	d->t = t;
	d->e->net->ops->tcp_set_events(t, &events, d);
	pump(d);
}

struct tcp_pair {
	struct env e;
	struct end a, b;
	struct pu_tcp_listener *l;
	union pu_sockaddr at;
};

static void pair_init(struct tcp_pair *p)
{
	union pu_sockaddr any = loopback(0);

	memset(p, 0, sizeof *p);
	env_init(&p->e);
	p->a.e = p->b.e = &p->e;
	p->a.connect_err = 1;
	assert_int_equal(p->e.net->ops->tcp_listen(p->e.net, &any, on_accept, &p->b, &p->l), 0);
	p->e.net->ops->tcp_listener_local(p->l, &p->at);
	assert_int_not_equal(p->at.v4.sin_port, 0);
}

static void pair_dial(struct tcp_pair *p)
{
	assert_int_equal(p->e.net->ops->tcp_connect(p->e.net, &p->at, NULL, &events, &p->a, &p->a.t),
			 0);
}

static void pair_deinit(struct tcp_pair *p)
{
	if (p->a.t)
		p->e.net->ops->tcp_close(p->a.t, false);
	if (p->b.t)
		p->e.net->ops->tcp_close(p->b.t, false);
	if (p->l)
		p->e.net->ops->tcp_listener_close(p->l);
	env_deinit(&p->e);
}

static void bytes_go_both_ways(void **state)
{
	struct tcp_pair p;

	pair_init(&p);
	p.a.to_send = 20000000;
	p.b.to_send = 1000;
	p.b.stop_at_eof = true;
	pair_dial(&p);
	assert_true(run(&p.e, 20000));
	assert_int_equal(p.b.recvd, 20000000);
	assert_int_equal(p.a.recvd, 1000);
	pair_deinit(&p);
}

static void a_slow_consumer_stops_the_sender(void **state)
{
	struct tcp_pair p;
	size_t sent;

	pair_init(&p);
	p.a.to_send = 50000000;
	p.b.take_max = 1000;
	pair_dial(&p);
	assert_false(run(&p.e, 300));
	sent = p.a.sent;
	assert_true(p.b.recvd <= 1000);
	assert_true(sent < p.a.to_send);
	p.b.take_max = 0;
	p.b.stop_at_eof = true;
	p.e.net->ops->tcp_resume(p.b.t);
	assert_true(run(&p.e, 20000));
	assert_int_equal(p.b.recvd, 50000000);
	pair_deinit(&p);
}

static void refusal_is_told(void **state)
{
	struct tcp_pair p;

	pair_init(&p);
	p.e.net->ops->tcp_listener_close(p.l);
	p.l = NULL;
	p.a.stop_at_connect = true;
	pair_dial(&p);
	assert_true(run(&p.e, 5000));
	assert_int_equal(p.a.connect_err, PU_EREFUSED);
	pair_deinit(&p);
}

static void abort_is_a_reset_for_the_peer(void **state)
{
	struct tcp_pair p;

	pair_init(&p);
	p.a.stop_at_connect = true;
	pair_dial(&p);
	assert_true(run(&p.e, 5000));
	while (!p.b.t)
		run(&p.e, 10);
	p.b.stop_at_error = true;
	p.e.net->ops->tcp_close(p.a.t, true);
	p.a.t = NULL;
	assert_true(run(&p.e, 5000));
	assert_int_equal(p.b.error, PU_ERESET);
	assert_false(p.b.eof);
	pair_deinit(&p);
}

static void port_of_a_listener_serves_for_dialling_but_not_for_a_second_listener(void **state)
{
	struct tcp_pair p;
	struct pu_tcp_listener *l2, *l3;
	union pu_sockaddr any = loopback(0), local;
	struct end c = { 0 };

	pair_init(&p);
	assert_int_equal(p.e.net->ops->tcp_listen(p.e.net, &p.at, on_accept, &c, &l2),
			 PU_EADDRINUSE);
	c.e = &p.e;
	assert_int_equal(p.e.net->ops->tcp_listen(p.e.net, &any, on_accept, &c, &l3), 0);
	p.e.net->ops->tcp_listener_local(l3, &any);
	p.a.stop_at_connect = true;
	assert_int_equal(p.e.net->ops->tcp_connect(p.e.net, &p.at, &any, &events, &p.a, &p.a.t), 0);
	assert_true(run(&p.e, 5000));
	assert_int_equal(p.a.connect_err, 0);
	p.e.net->ops->tcp_local(p.a.t, &local);
	assert_int_equal(local.v4.sin_port, any.v4.sin_port);
	p.e.net->ops->tcp_listener_close(l3);
	pair_deinit(&p);
}

/* Names. */

struct answer {
	struct env *e;
	int err;
	size_t n;
	union pu_sockaddr first;
};

static void on_resolved(void *arg, int err, const struct pu_resolved *r)
{
	struct answer *a = arg;

	a->err = err;
	a->n = r ? r->n_addrs : 0;
	if (a->n)
		a->first = r->addrs[0];
	pu_loop_uv_stop(a->e->driver);
}

static void localhost_resolves(void **state)
{
	struct env e;
	struct answer a = { .e = &e, .err = 1 };
	struct pu_resolve *r;

	env_init(&e);
	assert_int_equal(e.net->ops->resolve(e.net, "localhost", PU_RESOLVE_IP4, on_resolved, &a, &r),
			 0);
	assert_true(run(&e, 5000));
	assert_int_equal(a.err, 0);
	assert_int_equal(a.first.v4.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	assert_int_equal(e.net->ops->resolve(e.net, "localhost", PU_RESOLVE_IP4, on_resolved, &a, &r),
			 0);
	a.err = 1;
	e.net->ops->resolve_cancel(r);
	assert_false(run(&e, 100));
	assert_int_equal(a.err, 1);
	env_deinit(&e);
}

/* Hosts. */

struct hosts {
	struct env e;
	struct pu_key ka, kb;
	struct pu_host *a, *b;
	struct pu_conn *c;
	int err;
	unsigned stopped;
};

static void host_connected(void *arg, int err, struct pu_conn *c)
{
	struct hosts *h = arg;

	h->err = err;
	h->c = c;
	pu_loop_uv_stop(h->e.driver);
}

static void host_stopped(void *arg)
{
	struct hosts *h = arg;

	if (++h->stopped == 2)
		pu_loop_uv_stop(h->e.driver);
}

static void hosts_meet_over(const char *listen, bool quic)
{
	struct hosts h;
	uint8_t seed[32] = { 1 };
	struct pu_host_config cfg = { .no_tcp = quic, .no_quic = !quic, .agent = "t" };
	struct pu_multiaddr ma;

	memset(&h, 0, sizeof h);
	env_init(&h.e);
	assert_int_equal(pu_crypto_init(), 0);
	assert_int_equal(pu_key_from_seed(&h.ka, seed), 0);
	seed[0] = 2;
	assert_int_equal(pu_key_from_seed(&h.kb, seed), 0);
	cfg.loop = h.e.loop;
	cfg.net = h.e.net;
	cfg.key = &h.ka;
	assert_int_equal(pu_host_new(&cfg, &h.a), 0);
	cfg.key = &h.kb;
	assert_int_equal(pu_host_new(&cfg, &h.b), 0);
	assert_int_equal(pu_multiaddr_from_text(&ma, listen), 0);
	assert_int_equal(pu_host_listen(h.b, &ma), 0);
	assert_int_equal(pu_host_addrs(h.b, &ma, 1), 1);
	assert_int_equal(pu_host_add_addr(h.a, &h.kb.peer, &ma, true), 0);
	assert_int_equal(pu_host_connect(h.a, &h.kb.peer, host_connected, &h, NULL), 0);
	assert_true(run(&h.e, 10000));
	assert_int_equal(h.err, 0);
	assert_true(pu_peerid_eq(&h.c->peer, &h.kb.peer));
	pu_loop_uv_enter(h.e.loop);
	pu_host_stop(h.a, host_stopped, &h);
	pu_host_stop(h.b, host_stopped, &h);
	pu_loop_uv_leave(h.e.loop);
	if (h.stopped < 2)
		assert_true(run(&h.e, 10000));
	pu_host_free(h.a);
	pu_host_free(h.b);
	env_deinit(&h.e);
}

static void hosts_meet_over_tcp(void **state)
{
	hosts_meet_over("/ip4/127.0.0.1/tcp/0", false);
	hosts_meet_over("/ip6/::1/tcp/0", false);
}

static void hosts_meet_over_quic(void **state)
{
	hosts_meet_over("/ip4/127.0.0.1/udp/0/quic-v1", true);
}

static void ignore_accept(void *arg, struct pu_tcp *t)
{
	struct env *e = arg;

	e->net->ops->tcp_close(t, false);
}

/* As `sudo peerup-vpn up` does: listens as root, dials as the user behind it. */
static int dial_as_somebody_else(void)
{
	union pu_sockaddr any = loopback(0), from, to;
	struct pu_tcp_listener *l, *target;
	struct env e;
	struct end d = { .e = &e, .stop_at_connect = true };

	env_init(&e);
	pu_net_uv_set_owner(e.net, 65534);
	if (e.net->ops->tcp_listen(e.net, &any, ignore_accept, &e, &l) < 0 ||
	    e.net->ops->tcp_listen(e.net, &any, ignore_accept, &e, &target) < 0)
		return 1;
	e.net->ops->tcp_listener_local(l, &from);
	e.net->ops->tcp_listener_local(target, &to);
	if (setresuid(65534, 65534, 65534) < 0)
		return 2;
	if (e.net->ops->tcp_connect(e.net, &to, &from, &events, &d, &d.t) < 0)
		return 3;
	return run(&e, 5000) && d.connect_err == 0 ? 0 : 4;
}

static void who_gave_up_root_may_still_dial_from_the_listening_port(void **state)
{
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(dial_as_somebody_else());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_go_both_ways),
		cmocka_unit_test(a_slow_consumer_stops_the_sender),
		cmocka_unit_test(refusal_is_told),
		cmocka_unit_test(abort_is_a_reset_for_the_peer),
		cmocka_unit_test(port_of_a_listener_serves_for_dialling_but_not_for_a_second_listener),
		cmocka_unit_test(localhost_resolves),
		cmocka_unit_test(who_gave_up_root_may_still_dial_from_the_listening_port),
		cmocka_unit_test(hosts_meet_over_tcp),
		cmocka_unit_test(hosts_meet_over_quic),
	};

	pu_log_set_level(getenv("PU_TEST_LOG") ? PU_LOG_DEBUG : PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
