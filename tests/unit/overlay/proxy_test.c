/* A local port that leads to a peer's service, in virtual time: bytes, half-closes, retries,
 * limits, and an end that leaves nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "overlay/proxy.h"
#include "support/hosts.h"

/* a has the proxy, b the service; a program on a's machine uses it. */
static struct {
	struct pu_sim *sim;
	struct test_host a, b;
	struct pu_services *services;
	struct pu_tcp_listener *echo;
	struct pu_proxy *proxy;
	bool refuses_peers;
	unsigned n_told, attempts;
	int told;
} t;

static bool allowed(void *arg, const struct pu_peerid *peer)
{
	return !t.refuses_peers;
}

/* --- the service: echoes, and ends when its client does --------------------------------- */

static size_t echo_recv(void *arg, const uint8_t *p, size_t len)
{
	struct iovec iov = { .iov_base = (void *)p, .iov_len = len };
	int n = t.b.cfg.net->ops->tcp_write(arg, &iov, 1);

	return n > 0 ? (size_t)n : 0;
}

static void echo_eof(void *arg)
{
	t.b.cfg.net->ops->tcp_close(arg, false);
}

static void echo_error(void *arg, int err)
{
	t.b.cfg.net->ops->tcp_close(arg, true);
}

static void echo_writable(void *arg)
{
	t.b.cfg.net->ops->tcp_resume(arg);
}

static const struct pu_tcp_events echo_events = {
	.on_recv = echo_recv, .on_eof = echo_eof, .on_error = echo_error,
	.on_writable = echo_writable,
};

static void echo_accept(void *arg, struct pu_tcp *tcp)
{
	t.b.cfg.net->ops->tcp_set_events(tcp, &echo_events, tcp);
}

/* --- the program -------------------------------------------------------------------- */

struct program {
	struct pu_tcp *tcp;
	bool connected, eof, reset;
	size_t len;
	char got[64];
};

static void on_connect(void *arg, int err)
{
	((struct program *)arg)->connected = err == 0;
}

static size_t on_recv(void *arg, const uint8_t *p, size_t len)
{
	struct program *g = arg;
	size_t n = pu_min(len, sizeof g->got - g->len);

	memcpy(g->got + g->len, p, n);
	g->len += n;
	return len;
}

static void on_eof(void *arg)
{
	((struct program *)arg)->eof = true;
}

static void on_error(void *arg, int err)
{
	((struct program *)arg)->reset = true;
}

static const struct pu_tcp_events program_events = {
	.on_connect = on_connect, .on_recv = on_recv, .on_eof = on_eof, .on_error = on_error,
};

static void on_conn(void *arg, int err, unsigned attempts)
{
	t.n_told++;
	t.told = err;
	t.attempts = attempts;
}

static union pu_sockaddr local(uint16_t port)
{
	union pu_sockaddr sa = { .v4 = { .sin_family = AF_INET, .sin_port = htons(port) } };

	sa.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sa;
}

static void start_proxy(const char *service)
{
	union pu_sockaddr any = local(0);
	const struct pu_proxy_options opt = { .host = t.a.h, .net = t.a.cfg.net,
					      .peer = &t.b.key.peer, .service = service,
					      .listen = &any, .on_conn = on_conn };

	assert_int_equal(pu_proxy_start(&opt, &t.proxy), 0);
}

static struct pu_proxy_info info(void)
{
	struct pu_proxy_info i;

	pu_proxy_info(t.proxy, &i);
	return i;
}

static void use(struct program *g)
{
	union pu_sockaddr at = info().local;

	*g = (struct program){ .len = 0 };
	assert_int_equal(t.a.cfg.net->ops->tcp_connect(t.a.cfg.net, &at, NULL, &program_events, g,
						       &g->tcp),
			 0);
	pu_sim_run(t.sim, PU_MS(1));
	assert_true(g->connected);
}

static void say(struct program *g, const char *text)
{
	struct iovec iov = { .iov_base = (void *)text, .iov_len = strlen(text) };

	assert_int_equal(t.a.cfg.net->ops->tcp_write(g->tcp, &iov, 1), strlen(text));
}

static void leave(struct program *g, bool abort)
{
	t.a.cfg.net->ops->tcp_close(g->tcp, abort);
}

static int set_up(void **state)
{
	static const char *const listen_b[] = { "/ip4/10.0.0.2/tcp/4001", NULL };
	union pu_sockaddr at = local(7777);
	const struct pu_service_config echo = { .name = "echo", .local = at, .port = 7777 };

	memset(&t, 0, sizeof t);
	t.sim = pu_sim_new(pu_sim_seed());
	test_host_init(&t.a, t.sim, 1, "10.0.0.1", NULL);
	test_host_init(&t.b, t.sim, 2, "10.0.0.2", NULL);
	test_host_start(&t.a, (const char *const[]){ NULL });
	test_host_start(&t.b, listen_b);
	test_host_introduce(&t.a, &t.b);
	assert_int_equal(pu_services_new(t.b.h, t.b.cfg.net, allowed, NULL, &t.services), 0);
	assert_int_equal(pu_services_add(t.services, &echo), 0);
	assert_int_equal(t.b.cfg.net->ops->tcp_listen(t.b.cfg.net, &at, echo_accept, NULL, &t.echo), 0);
	return 0;
}

static int tear_down(void **state)
{
	pu_proxy_stop(t.proxy);
	pu_services_free(t.services);
	if (t.echo)
		t.b.cfg.net->ops->tcp_listener_close(t.echo);
	pu_sim_run(t.sim, PU_SEC(1));
	test_host_stop(&t.a);
	test_host_stop(&t.b);
	pu_sim_free(t.sim);
	return 0;
}

static void bytes_and_ends_pass_both_ways(void **state)
{
	struct program g;

	start_proxy("echo");
	use(&g);
	say(&g, "early"); /* before there is a stream */
	pu_sim_run(t.sim, PU_SEC(2));
	assert_memory_equal(g.got, "early", 5);
	say(&g, " and late");
	pu_sim_run(t.sim, PU_SEC(1));
	assert_int_equal(g.len, 14);
	assert_false(g.eof);
	assert_int_equal(info().active, 1);
	t.a.cfg.net->ops->tcp_shutdown(g.tcp);
	pu_sim_run(t.sim, PU_SEC(1));
	assert_true(g.eof);
	assert_int_equal(info().active, 0);
	assert_int_equal(info().opened, 1);
	assert_int_equal(t.told, 0);
	assert_int_equal(t.attempts, 1);
	leave(&g, false);
}

static void an_end_before_the_stream_is_not_lost(void **state)
{
	struct program g;

	start_proxy("echo");
	use(&g);
	t.a.cfg.net->ops->tcp_shutdown(g.tcp);
	pu_sim_run(t.sim, PU_SEC(2));
	assert_true(g.eof);
	assert_int_equal(info().active, 0);
	leave(&g, false);
}

static void an_answer_of_the_peer_is_final(void **state)
{
	struct program g;

	start_proxy("nothing");
	use(&g);
	pu_sim_run(t.sim, PU_SEC(1));
	assert_true(g.reset);
	assert_int_equal(t.told, PU_ENOPROTO);
	assert_int_equal(t.attempts, 1);
	leave(&g, true);
	pu_proxy_stop(t.proxy);
	start_proxy("echo");
	t.refuses_peers = true;
	use(&g);
	pu_sim_run(t.sim, PU_SEC(1));
	assert_true(g.reset);
	assert_int_equal(t.told, PU_EDENIED);
	leave(&g, true);
	t.refuses_peers = false;
	t.b.cfg.net->ops->tcp_listener_close(t.echo);
	t.echo = NULL;
	use(&g);
	pu_sim_run(t.sim, PU_SEC(1));
	assert_true(g.reset);
	assert_int_equal(t.told, PU_EREFUSED);
	assert_int_equal(info().failed, 2);
	leave(&g, true);
}

static void a_peer_that_cannot_be_reached_is_tried_four_times(void **state)
{
	const struct pu_sim_link down = { .down = true };
	struct program g;

	pu_sim_link(t.a.node, t.b.node, &down);
	start_proxy("echo");
	use(&g);
	pu_sim_run(t.sim, PU_SEC(6));
	assert_false(g.reset);
	pu_sim_run(t.sim, PU_SEC(200));
	assert_true(g.reset);
	assert_int_equal(t.n_told, 1);
	assert_int_equal(t.attempts, PU_PROXY_ATTEMPTS);
	assert_true(t.told < 0);
	assert_int_equal(info().failed, 1);
	assert_int_equal(info().last_error, t.told);
	assert_int_equal(info().active, 0);
	leave(&g, true);
}

static void a_peer_that_comes_back_in_time_is_reached(void **state)
{
	const struct pu_sim_link down = { .down = true }, up = { .delay = PU_MS(5) };
	struct program g;

	pu_sim_link(t.a.node, t.b.node, &down);
	start_proxy("echo");
	use(&g);
	say(&g, "hello");
	pu_sim_run(t.sim, PU_SEC(16)); /* the first attempt has failed */
	pu_sim_link(t.a.node, t.b.node, &up);
	pu_sim_run(t.sim, PU_SEC(60));
	assert_memory_equal(g.got, "hello", 5);
	assert_int_equal(t.told, 0);
	assert_true(t.attempts > 1);
	leave(&g, true);
	pu_sim_run(t.sim, PU_SEC(1));
	assert_int_equal(info().active, 0);
}

static void stopping_ends_what_is_open_and_what_waits(void **state)
{
	const struct pu_sim_link down = { .down = true };
	struct program open, waits;

	start_proxy("echo");
	use(&open);
	say(&open, "x");
	pu_sim_run(t.sim, PU_SEC(1));
	pu_sim_link(t.a.node, t.b.node, &down);
	use(&waits);
	pu_sim_run(t.sim, PU_SEC(1));
	assert_int_equal(info().active, 2);
	pu_proxy_stop(t.proxy);
	t.proxy = NULL;
	pu_sim_run(t.sim, PU_SEC(1));
	assert_true(open.reset);
	assert_true(waits.reset);
	leave(&open, true);
	leave(&waits, true);
}

static void there_are_so_many_connections_and_no_more(void **state)
{
	static struct program g[PU_PROXY_CONNS_MAX + 3];
	unsigned n_reset = 0;

	start_proxy("echo");
	for (size_t i = 0; i < PU_ARRAY_LEN(g); i++)
		use(&g[i]);
	pu_sim_run(t.sim, PU_MS(500));
	for (size_t i = 0; i < PU_ARRAY_LEN(g); i++)
		n_reset += g[i].reset;
	assert_int_equal(n_reset, 3);
	assert_int_equal(info().active, PU_PROXY_CONNS_MAX);
	assert_int_equal(info().last_error, PU_ELIMIT);
	for (size_t i = 0; i < PU_ARRAY_LEN(g); i++)
		leave(&g[i], true);
	pu_sim_run(t.sim, PU_SEC(2));
	assert_int_equal(info().active, 0);
}

static void names_and_ports_are_checked_first(void **state)
{
	union pu_sockaddr at = local(0);
	struct pu_proxy_options opt = { .host = t.a.h, .net = t.a.cfg.net, .peer = &t.b.key.peer,
					.service = "Echo", .listen = &at };
	struct pu_proxy *p = NULL;

	assert_int_equal(pu_proxy_start(&opt, &p), PU_EINVAL);
	opt.service = "invite";
	assert_int_equal(pu_proxy_start(&opt, &p), PU_EDENIED);
	start_proxy("echo");
	at = info().local;
	opt.service = "echo";
	assert_int_equal(pu_proxy_start(&opt, &p), PU_EADDRINUSE);
	assert_null(p);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_and_ends_pass_both_ways),
		TEST(an_end_before_the_stream_is_not_lost),
		TEST(an_answer_of_the_peer_is_final),
		TEST(a_peer_that_cannot_be_reached_is_tried_four_times),
		TEST(a_peer_that_comes_back_in_time_is_reached),
		TEST(stopping_ends_what_is_open_and_what_waits),
		TEST(there_are_so_many_connections_and_no_more),
		TEST(names_and_ports_are_checked_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
