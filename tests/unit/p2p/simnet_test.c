/* The simulated network must be trustworthy before anything is tested on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "support/simnet.h"

struct net {
	struct pu_sim *sim;
	struct pu_sim_node *a, *b;
};

static struct net setup(const struct pu_sim_link *link, uint64_t seed)
{
	struct net t = { .sim = pu_sim_new(seed) };

	t.a = pu_sim_node_new(t.sim, "a");
	t.b = pu_sim_node_new(t.sim, "b");
	pu_sim_node_add_ip(t.a, "10.0.0.1");
	pu_sim_node_add_ip(t.a, "fd00::1");
	pu_sim_node_add_ip(t.b, "10.0.0.2");
	pu_sim_node_add_ip(t.b, "fd00::2");
	if (link)
		pu_sim_link(t.a, t.b, link);
	return t;
}

/* UDP */

struct udp_sink {
	struct pu_sim *sim;
	unsigned n, calls, batches, writable;
	size_t bytes;
	uint8_t order[4096];
	pu_time first;
	struct pu_dgrams last;
};

static void udp_recv(void *arg, const struct pu_dgrams *d, size_t n)
{
	struct udp_sink *s = arg;

	if (!s->n)
		s->first = pu_sim_now(s->sim);
	s->calls++;
	for (size_t i = 0; i < n; i++) {
		s->batches++;
		s->last = d[i];
		s->bytes += d[i].len;
		for (size_t off = 0; off < d[i].len; off += d[i].segment)
			s->order[s->n++ % sizeof s->order] = d[i].p[off];
	}
}

static void udp_writable(void *arg)
{
	((struct udp_sink *)arg)->writable++;
}

static const struct pu_udp_events udp_events = { udp_recv, udp_writable };

struct udp_pair {
	struct net t;
	struct udp_sink sa, sb;
	struct pu_udp *ua, *ub;
};

static void udp_setup(struct udp_pair *p, const struct pu_sim_link *link, const char *any)
{
	union pu_sockaddr bind_a = pu_sim_sockaddr(any, 0), bind_b = pu_sim_sockaddr(any, 4001);

	memset(p, 0, sizeof *p);
	p->t = setup(link, pu_sim_seed());
	p->sa.sim = p->sb.sim = p->t.sim;
	assert_int_equal(pu_sim_net(p->t.a)->ops->udp_open(pu_sim_net(p->t.a), &bind_a, &udp_events,
							   &p->sa, &p->ua), 0);
	assert_int_equal(pu_sim_net(p->t.b)->ops->udp_open(pu_sim_net(p->t.b), &bind_b, &udp_events,
							   &p->sb, &p->ub), 0);
}

static void udp_teardown(struct udp_pair *p)
{
	pu_sim_net(p->t.a)->ops->udp_close(p->ua);
	pu_sim_net(p->t.b)->ops->udp_close(p->ub);
	pu_sim_free(p->t.sim);
}

static int udp_send(struct udp_pair *p, const char *ip, const uint8_t *b, size_t len, size_t seg)
{
	struct pu_dgrams d = { .remote = pu_sim_sockaddr(ip, 4001), .p = b, .len = len,
			       .segment = seg, .ecn = 1 };

	return pu_sim_net(p->t.a)->ops->udp_send(p->ua, &d);
}

static void udp_batch_is_cut_and_arrives_after_the_delay(void **state)
{
	struct pu_sim_link link = { .delay = PU_MS(10) };
	uint8_t b[3000];
	struct udp_pair p;
	pu_time start;

	udp_setup(&p, &link, "0.0.0.0");
	memset(b, 7, sizeof b);
	start = pu_sim_now(p.t.sim);
	assert_int_equal(udp_send(&p, "10.0.0.2", b, sizeof b, 1200), 0);
	pu_sim_run(p.t.sim, PU_SEC(1));
	assert_int_equal(p.sb.n, 3);
	assert_int_equal(p.sb.bytes, 3000);
	assert_int_equal(p.sb.last.ecn, 1);
	assert_int_equal(p.sb.first - start, PU_MS(10));
	assert_int_equal(p.sb.last.local.v4.sin_addr.s_addr,
			 pu_sim_sockaddr("10.0.0.2", 0).v4.sin_addr.s_addr);
	udp_teardown(&p);
}

static void udp_works_over_ipv6_and_loopback(void **state)
{
	uint8_t b[100] = { 0 };
	struct udp_pair p;

	udp_setup(&p, NULL, "::");
	assert_int_equal(udp_send(&p, "fd00::2", b, sizeof b, 100), 0);
	assert_int_equal(udp_send(&p, "::1", b, sizeof b, 100), 0);
	assert_int_equal(udp_send(&p, "10.0.0.2", b, sizeof b, 100), PU_EINVAL);
	pu_sim_run(p.t.sim, PU_SEC(1));
	assert_int_equal(p.sb.n, 1); /* the one to ::1 stayed on a */
	udp_teardown(&p);
}

static void udp_loss_follows_the_probability(void **state)
{
	struct pu_sim_link link = { .delay = PU_MS(1), .loss = 100000 };
	uint8_t b[10] = { 0 };
	struct udp_pair p;

	udp_setup(&p, &link, "0.0.0.0");
	for (int i = 0; i < 2000; i++)
		assert_int_equal(udp_send(&p, "10.0.0.2", b, sizeof b, 10), 0);
	pu_sim_run(p.t.sim, PU_SEC(1));
	assert_in_range(p.sb.n, 1700, 1900);
	assert_int_equal(pu_sim_counters(p.t.a, p.t.b).udp_lost + p.sb.n, 2000);
	udp_teardown(&p);
}

static void udp_too_long_vanishes_on_the_path_and_is_refused_at_home(void **state)
{
	struct pu_sim_link link = { .delay = PU_MS(1), .mtu = 1300 };
	uint8_t b[1500] = { 0 };
	struct udp_pair p;

	udp_setup(&p, &link, "0.0.0.0");
	assert_int_equal(udp_send(&p, "10.0.0.2", b, 1272, 1272), 0);
	assert_int_equal(udp_send(&p, "10.0.0.2", b, 1273, 1273), 0);
	assert_int_equal(udp_send(&p, "10.0.0.2", b, 1473, 1473), PU_E2BIG);
	pu_sim_run(p.t.sim, PU_SEC(1));
	assert_int_equal(p.sb.n, 1);
	assert_int_equal(pu_sim_counters(p.t.a, p.t.b).udp_too_big, 1);
	udp_teardown(&p);
}

static void udp_rate_delays_and_the_queue_drops(void **state)
{
	struct pu_sim_link link = { .delay = PU_MS(1), .rate = 8000000, .queue = 10280 };
	uint8_t b[1000] = { 0 };
	struct udp_pair p;
	pu_time start;

	udp_setup(&p, &link, "0.0.0.0");
	start = pu_sim_now(p.t.sim);
	for (int i = 0; i < 20; i++)
		assert_int_equal(udp_send(&p, "10.0.0.2", b, 1000, 1000), 0);
	pu_sim_run(p.t.sim, PU_SEC(1));
	assert_int_equal(p.sb.n, 10); /* 1 MB/s: each takes 1.028 ms, ten fit */
	assert_true(p.sb.first - start >= PU_MS(2));
	udp_teardown(&p);
}

static void udp_reorders_and_duplicates_when_asked(void **state)
{
	struct pu_sim_link link = { .delay = PU_MS(5), .reorder = 200000, .duplicate = 200000 };
	struct udp_pair p;
	unsigned late = 0;

	udp_setup(&p, &link, "0.0.0.0");
	for (unsigned i = 0; i < 200; i++) {
		uint8_t b = (uint8_t)i;

		assert_int_equal(udp_send(&p, "10.0.0.2", &b, 1, 1), 0);
		pu_sim_run(p.t.sim, PU_US(100));
	}
	pu_sim_run(p.t.sim, PU_SEC(1));
	assert_in_range(p.sb.n, 210, 290);
	for (unsigned i = 1; i < p.sb.n; i++)
		late += p.sb.order[i] < p.sb.order[i - 1];
	assert_true(late > 10);
	udp_teardown(&p);
}

static void udp_says_again_and_then_writable(void **state)
{
	struct pu_sim_link link = { .delay = PU_MS(1), .again = PU_SIM_MILLION };
	struct udp_pair p;
	uint8_t b = 0;

	udp_setup(&p, &link, "0.0.0.0");
	assert_int_equal(udp_send(&p, "10.0.0.2", &b, 1, 1), PU_EAGAIN);
	pu_sim_run(p.t.sim, PU_MS(2));
	assert_int_equal(p.sa.writable, 1);
	udp_teardown(&p);
}

static void udp_port_is_taken_once(void **state)
{
	union pu_sockaddr sa = pu_sim_sockaddr("10.0.0.2", 4001);
	struct udp_pair p;
	struct pu_udp *u;

	udp_setup(&p, NULL, "0.0.0.0");
	assert_int_equal(pu_sim_net(p.t.b)->ops->udp_open(pu_sim_net(p.t.b), &sa, &udp_events, NULL,
							  &u), PU_EADDRINUSE);
	sa = pu_sim_sockaddr("10.0.0.9", 4002);
	assert_int_equal(pu_sim_net(p.t.b)->ops->udp_open(pu_sim_net(p.t.b), &sa, &udp_events, NULL,
							  &u), PU_EUNREACH);
	udp_teardown(&p);
}

/* TCP */

struct peer {
	struct pu_net *net;
	struct pu_sim *sim;
	struct pu_tcp *t;
	int connect_err; /* 1: not told */
	int error;
	bool eof;
	size_t recvd, to_send, sent, take_max;
	uint8_t next;
	pu_time connected_at;
};

static void pump(struct peer *p)
{
	uint8_t b[5000];

	while (p->sent < p->to_send) {
		struct iovec iov = { b, pu_min(sizeof b, p->to_send - p->sent) };
		int r;

		for (size_t i = 0; i < iov.iov_len; i++)
			b[i] = (uint8_t)(p->sent + i);
		r = p->net->ops->tcp_write(p->t, &iov, 1);
		if (r < 0)
			return;
		p->sent += (size_t)r;
		if ((size_t)r < iov.iov_len)
			return;
	}
	if (p->to_send)
		p->net->ops->tcp_shutdown(p->t);
}

static void tcp_connected(void *arg, int err)
{
	struct peer *p = arg;

	p->connect_err = err;
	p->connected_at = pu_sim_now(p->sim);
	if (!err)
		pump(p);
}

static size_t tcp_recv(void *arg, const uint8_t *b, size_t len)
{
	struct peer *p = arg;

	if (p->take_max && len > p->take_max)
		len = p->take_max;
	for (size_t i = 0; i < len; i++)
		assert_int_equal(b[i], p->next++);
	p->recvd += len;
	return len;
}

static void tcp_eof(void *arg)
{
	((struct peer *)arg)->eof = true;
}

static void tcp_writable(void *arg)
{
	pump(arg);
}

static void tcp_error(void *arg, int err)
{
	((struct peer *)arg)->error = err;
}

static const struct pu_tcp_events tcp_events = { tcp_connected, tcp_recv, tcp_eof, tcp_writable,
						 tcp_error };

static void accepted(void *arg, struct pu_tcp *t)
{
	struct peer *p = arg;

	assert_null(p->t);
	p->t = t;
	p->net->ops->tcp_set_events(t, &tcp_events, p);
	pump(p);
}

struct tcp_pair {
	struct net t;
	struct peer a, b;
	struct pu_tcp_listener *l;
};

static void tcp_setup(struct tcp_pair *p, const struct pu_sim_link *link)
{
	union pu_sockaddr sa = pu_sim_sockaddr("0.0.0.0", 4001);

	memset(p, 0, sizeof *p);
	p->t = setup(link, pu_sim_seed());
	p->a = (struct peer){ .net = pu_sim_net(p->t.a), .sim = p->t.sim, .connect_err = 1 };
	p->b = (struct peer){ .net = pu_sim_net(p->t.b), .sim = p->t.sim, .connect_err = 1 };
	assert_int_equal(p->b.net->ops->tcp_listen(p->b.net, &sa, accepted, &p->b, &p->l), 0);
}

static void tcp_dial(struct tcp_pair *p, const char *ip, uint16_t port)
{
	union pu_sockaddr sa = pu_sim_sockaddr(ip, port);

	assert_int_equal(p->a.net->ops->tcp_connect(p->a.net, &sa, NULL, &tcp_events, &p->a,
						    &p->a.t), 0);
}

static void tcp_teardown(struct tcp_pair *p)
{
	if (p->a.t)
		p->a.net->ops->tcp_close(p->a.t, true);
	if (p->b.t)
		p->b.net->ops->tcp_close(p->b.t, true);
	if (p->l)
		p->b.net->ops->tcp_listener_close(p->l);
	pu_sim_free(p->t.sim);
}

static void tcp_carries_bytes_both_ways(void **state)
{
	struct pu_sim_link link = { .delay = PU_MS(10), .loss = 50000, .jitter = PU_MS(5) };
	struct tcp_pair p;

	tcp_setup(&p, &link);
	p.a.to_send = 3000000;
	p.b.to_send = 1000;
	tcp_dial(&p, "10.0.0.2", 4001);
	pu_sim_run(p.t.sim, PU_SEC(30));
	assert_int_equal(p.a.connect_err, 0);
	assert_int_equal(p.b.recvd, 3000000);
	assert_int_equal(p.a.recvd, 1000);
	assert_true(p.a.eof && p.b.eof);
	assert_int_equal(p.a.error, 0);
	tcp_teardown(&p);
}

static void tcp_writer_is_limited_by_a_slow_reader(void **state)
{
	struct tcp_pair p;

	tcp_setup(&p, NULL);
	p.a.to_send = 1000000;
	p.b.take_max = 10;
	tcp_dial(&p, "10.0.0.2", 4001);
	pu_sim_run(p.t.sim, PU_SEC(5));
	assert_true(p.b.recvd < 1000); /* the first chunk that was too long stopped it */
	assert_in_range(p.a.sent, PU_SIM_TCP_WINDOW, PU_SIM_TCP_WINDOW + 1000);
	p.b.take_max = 0;
	p.b.net->ops->tcp_resume(p.b.t);
	pu_sim_run(p.t.sim, PU_SEC(5));
	assert_int_equal(p.b.recvd, 1000000);
	assert_true(p.b.eof);
	tcp_teardown(&p);
}

static void tcp_is_refused_without_listener(void **state)
{
	struct tcp_pair p;

	tcp_setup(&p, NULL);
	tcp_dial(&p, "10.0.0.2", 4002);
	pu_sim_run(p.t.sim, PU_SEC(1));
	assert_int_equal(p.a.connect_err, PU_EREFUSED);
	tcp_teardown(&p);
}

static void tcp_times_out_in_a_black_hole(void **state)
{
	struct pu_sim_link link = { .no_tcp = true };
	struct tcp_pair p;

	tcp_setup(&p, &link);
	tcp_dial(&p, "10.0.0.2", 4001);
	pu_sim_run(p.t.sim, PU_SEC(30));
	assert_int_equal(p.a.connect_err, 1);
	pu_sim_run(p.t.sim, PU_SEC(200));
	assert_int_equal(p.a.connect_err, PU_ETIMEDOUT);
	tcp_teardown(&p);
}

static void tcp_reset_and_canceled_dials_are_seen_by_the_other_side(void **state)
{
	struct tcp_pair p;

	tcp_setup(&p, NULL);
	tcp_dial(&p, "10.0.0.2", 4001);
	p.a.net->ops->tcp_close(p.a.t, true);
	p.a.t = NULL;
	pu_sim_run(p.t.sim, PU_SEC(1));
	assert_null(p.b.t); /* never accepted */
	tcp_dial(&p, "10.0.0.2", 4001);
	pu_sim_run(p.t.sim, PU_SEC(1));
	assert_non_null(p.b.t);
	p.a.net->ops->tcp_close(p.a.t, true);
	p.a.t = NULL;
	pu_sim_run(p.t.sim, PU_SEC(1));
	assert_int_equal(p.b.error, PU_ERESET);
	tcp_teardown(&p);
}

static void tcp_survives_a_link_that_was_down(void **state)
{
	struct pu_sim_link up = { .delay = PU_MS(1) }, down = { .delay = PU_MS(1), .down = true };
	struct tcp_pair p;

	tcp_setup(&p, &up);
	p.a.to_send = 100000;
	tcp_dial(&p, "10.0.0.2", 4001);
	pu_sim_run(p.t.sim, PU_US(2500));
	pu_sim_link(p.t.a, p.t.b, &down);
	pu_sim_run(p.t.sim, PU_SEC(10));
	assert_int_equal(p.b.recvd, 0);
	pu_sim_link(p.t.a, p.t.b, &up);
	pu_sim_run(p.t.sim, PU_SEC(10));
	assert_int_equal(p.b.recvd, 100000);
	tcp_teardown(&p);
}

static void tcp_opens_simultaneously(void **state)
{
	union pu_sockaddr sa = pu_sim_sockaddr("10.0.0.1", 1000), sb = pu_sim_sockaddr("10.0.0.2", 2000);
	struct tcp_pair p;

	tcp_setup(&p, NULL);
	p.a.to_send = 10;
	p.b.to_send = 10;
	assert_int_equal(p.a.net->ops->tcp_connect(p.a.net, &sb, &sa, &tcp_events, &p.a, &p.a.t), 0);
	assert_int_equal(p.b.net->ops->tcp_connect(p.b.net, &sa, &sb, &tcp_events, &p.b, &p.b.t), 0);
	pu_sim_run(p.t.sim, PU_SEC(1));
	assert_int_equal(p.a.connect_err, 0);
	assert_int_equal(p.b.connect_err, 0);
	assert_int_equal(p.a.recvd, 10);
	assert_int_equal(p.b.recvd, 10);
	tcp_teardown(&p);
}

/* The rest. */

static pu_time run_of_seed(uint64_t seed)
{
	struct pu_sim_link link = { .delay = PU_MS(3), .jitter = PU_MS(9), .loss = 200000 };
	struct tcp_pair p;
	pu_time t;

	memset(&p, 0, sizeof p);
	p.t = setup(&link, seed);
	p.a = (struct peer){ .net = pu_sim_net(p.t.a), .sim = p.t.sim, .connect_err = 1 };
	tcp_dial(&p, "10.0.0.2", 4001);
	pu_sim_run(p.t.sim, PU_SEC(100));
	t = p.a.connected_at;
	tcp_teardown(&p);
	return t;
}

static void same_seed_same_run(void **state)
{
	assert_int_equal(run_of_seed(5), run_of_seed(5));
	assert_int_not_equal(run_of_seed(5), run_of_seed(6));
}

struct answer {
	int err;
	size_t n;
	char txt[64];
};

static void resolved(void *arg, int err, const struct pu_resolved *r)
{
	struct answer *a = arg;

	a->err = err;
	if (!r)
		return;
	a->n = r->n_addrs + r->n_txt;
	if (r->n_txt)
		strncpy(a->txt, r->txt[0], sizeof a->txt - 1);
}

static void names_resolve_later(void **state)
{
	struct net t = setup(NULL, 1);
	struct pu_net *net = pu_sim_net(t.a);
	struct answer a = { .err = 1 }, b = { .err = 1 }, c = { .err = 1 }, d = { .err = 1 };
	struct pu_resolve *r;

	pu_sim_add_name(t.sim, "x.test", "10.0.0.2", NULL);
	pu_sim_add_name(t.sim, "x.test", "fd00::2", NULL);
	pu_sim_add_name(t.sim, "_dnsaddr.x.test", NULL, "dnsaddr=/ip4/10.0.0.2/tcp/1");
	assert_int_equal(net->ops->resolve(net, "x.test", PU_RESOLVE_IP, resolved, &a, &r), 0);
	assert_int_equal(net->ops->resolve(net, "x.test", PU_RESOLVE_IP6, resolved, &b, &r), 0);
	assert_int_equal(net->ops->resolve(net, "_dnsaddr.x.test", PU_RESOLVE_TXT, resolved, &c, &r), 0);
	assert_int_equal(net->ops->resolve(net, "y.test", PU_RESOLVE_IP, resolved, &d, &r), 0);
	assert_int_equal(a.err, 1);
	pu_sim_run(t.sim, PU_SEC(1));
	assert_int_equal(a.n, 2);
	assert_int_equal(b.n, 1);
	assert_string_equal(c.txt, "dnsaddr=/ip4/10.0.0.2/tcp/1");
	assert_int_equal(d.err, PU_ENOENT);
	d.err = 1;
	assert_int_equal(net->ops->resolve(net, "y.test", PU_RESOLVE_IP, resolved, &d, &r), 0);
	net->ops->resolve_cancel(r);
	pu_sim_run(t.sim, PU_SEC(1));
	assert_int_equal(d.err, 1);
	pu_sim_free(t.sim);
}

static void tick(void *arg)
{
	++*(unsigned *)arg;
}

static void timers_and_jobs_run_in_virtual_time(void **state)
{
	struct net t = setup(NULL, 1);
	struct pu_timer timer;
	struct pu_job job;
	unsigned timers = 0, jobs = 0;

	pu_timer_init(&timer, pu_sim_loop(t.a), tick, &timers);
	pu_job_init(&job, pu_sim_loop(t.b), tick, &jobs);
	pu_timer_set(&timer, pu_loop_now(pu_sim_loop(t.a)) + PU_SEC(3600));
	pu_job_defer(&job);
	pu_sim_run(t.sim, PU_SEC(3599));
	assert_int_equal(jobs, 1);
	assert_int_equal(timers, 0);
	pu_sim_run(t.sim, PU_SEC(1));
	assert_int_equal(timers, 1);
	pu_sim_free(t.sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(udp_batch_is_cut_and_arrives_after_the_delay),
		cmocka_unit_test(udp_works_over_ipv6_and_loopback),
		cmocka_unit_test(udp_loss_follows_the_probability),
		cmocka_unit_test(udp_too_long_vanishes_on_the_path_and_is_refused_at_home),
		cmocka_unit_test(udp_rate_delays_and_the_queue_drops),
		cmocka_unit_test(udp_reorders_and_duplicates_when_asked),
		cmocka_unit_test(udp_says_again_and_then_writable),
		cmocka_unit_test(udp_port_is_taken_once),
		cmocka_unit_test(tcp_carries_bytes_both_ways),
		cmocka_unit_test(tcp_writer_is_limited_by_a_slow_reader),
		cmocka_unit_test(tcp_is_refused_without_listener),
		cmocka_unit_test(tcp_times_out_in_a_black_hole),
		cmocka_unit_test(tcp_reset_and_canceled_dials_are_seen_by_the_other_side),
		cmocka_unit_test(tcp_survives_a_link_that_was_down),
		cmocka_unit_test(tcp_opens_simultaneously),
		cmocka_unit_test(same_seed_same_run),
		cmocka_unit_test(names_resolve_later),
		cmocka_unit_test(timers_and_jobs_run_in_virtual_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
