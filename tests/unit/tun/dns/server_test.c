#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop_uv.h"
#include "support/dns_zone.h"
#include "tun/dns/endpoint.h"
#include "tun/dns/message.h"
#include "tun/dns/server.h"

/* Everything runs in one thread: the loop is turned by hand while a test waits. */
struct env {
	struct pu_loop_uv *uv;
	struct pu_dns_server *server;
	uint16_t port, port6;
	int up_udp, up_tcp; /* a resolver that the test plays */
	uint16_t up_port;
};

enum { PATIENCE_MS = 4000, START_TRIES = 20 };

static const struct pu_ip loopback4 = { 4, { 127, 0, 0, 1 } };
static const struct pu_ip loopback6 = { 6, { [15] = 1 } };

static int64_t now_ms(void)
{
	return (int64_t)(pu_clock_monotonic() / 1000000);
}

static void turn(struct env *e)
{
	uv_run(pu_loop_uv_of(pu_loop_uv_loop(e->uv)), UV_RUN_NOWAIT);
}

static bool wait_fd(struct env *e, int fd, short events, int ms)
{
	int64_t end = now_ms() + ms;

	do {
		struct pollfd p = { .fd = fd, .events = events };

		turn(e);
		if (poll(&p, 1, 1) > 0)
			return true;
	} while (now_ms() < end);
	return false;
}

static void idle(struct env *e, int ms)
{
	int64_t end = now_ms() + ms;

	while (now_ms() < end) {
		turn(e);
		poll(NULL, 0, 1);
	}
}

static void start(struct env *e, unsigned n_upstreams, bool local_only)
{
	struct pu_dns_server_config cfg = {
		.zone = dns_zone_config(),
		.listen = { { loopback4, 0 }, { loopback6, 0 } },
		.n_listen = 2,
		.local_only = local_only,
		.tcp_idle_ms = 300,
		.upstream_ms = 150,
		.n_upstreams = n_upstreams,
	};
	int tries = 0, r;

	for (unsigned i = 0; i < n_upstreams; i++)
		cfg.upstreams[i] = (struct pu_dns_endpoint){ loopback4, e->up_port };
	/* A port that is free for UDP may be taken for TCP by somebody else. */
	do
		r = pu_dns_server_start(pu_loop_uv_loop(e->uv), &cfg, &e->server);
	while (r == PU_EADDRINUSE && ++tries < START_TRIES);
	assert_int_equal(r, 0);
	e->port = pu_dns_server_port(e->server, 0);
	e->port6 = pu_dns_server_port(e->server, 1);
	assert_int_not_equal(e->port, 0);
}

static int bound_socket(int type, uint16_t *pport)
{
	struct pu_dns_endpoint ep = { loopback4, *pport };
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	int fd = socket(AF_INET, type, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	pu_dns_endpoint_to_sockaddr(&ep, &ss);
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, sizeof(struct sockaddr_in)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 16), 0);
	getsockname(fd, (struct sockaddr *)&ss, &len);
	*pport = pu_dns_endpoint_from_sockaddr((struct sockaddr *)&ss).port;
	return fd;
}

static int setup(void **state)
{
	struct env *e = calloc(1, sizeof *e);

	pu_log_set_level(PU_LOG_OFF);
	assert_int_equal(pu_loop_uv_new(&e->uv), 0);
	e->up_udp = bound_socket(SOCK_DGRAM, &e->up_port);
	e->up_tcp = bound_socket(SOCK_STREAM, &e->up_port);
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	struct env *e = *state;

	pu_dns_server_stop(e->server);
	pu_loop_uv_free(e->uv);
	close(e->up_udp);
	close(e->up_tcp);
	free(e);
	return 0;
}

static int client(int type, const struct pu_ip *ip, uint16_t port)
{
	struct pu_dns_endpoint ep = { *ip, port };
	struct sockaddr_storage ss;
	int fd;

	pu_dns_endpoint_to_sockaddr(&ep, &ss);
	fd = socket(ss.ss_family, type, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, sizeof ss), 0);
	return fd;
}

static size_t make_query(uint8_t *p, uint16_t id, const char *name, unsigned type)
{
	size_t n = 12;

	memset(p, 0, 12);
	pu_put_be16(p, id);
	pu_put_be16(p + 2, PU_DNS_FLAG_RD);
	pu_put_be16(p + 4, 1);
	assert_true(ns_name_pton(name, p + 12, 255) >= 0);
	while (p[n])
		n += 1u + p[n];
	pu_put_be16(p + n + 1, (uint16_t)type);
	pu_put_be16(p + n + 3, ns_c_in);
	return n + 5;
}

static void send_udp(int fd, uint16_t id, const char *name, unsigned type)
{
	uint8_t q[300];
	size_t n = make_query(q, id, name, type);

	assert_int_equal(send(fd, q, n, 0), (ssize_t)n);
}

static void send_tcp(int fd, uint16_t id, const char *name, unsigned type)
{
	uint8_t q[302];
	size_t n = make_query(q + 2, id, name, type);

	pu_put_be16(q, (uint16_t)n);
	assert_int_equal(send(fd, q, n + 2, 0), (ssize_t)(n + 2));
}

static int recv_udp(struct env *e, int fd, uint8_t *p, size_t cap)
{
	return wait_fd(e, fd, POLLIN, PATIENCE_MS) ? (int)recv(fd, p, cap, 0) : -1;
}

/* Exactly len bytes; false at the end of the stream. */
static bool recv_all(struct env *e, int fd, uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n;

		if (!wait_fd(e, fd, POLLIN, PATIENCE_MS) || (n = recv(fd, p, len, 0)) <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static int recv_tcp(struct env *e, int fd, uint8_t *p, size_t cap)
{
	uint8_t len[2];

	if (!recv_all(e, fd, len, 2) || pu_get_be16(len) > cap ||
	    !recv_all(e, fd, p, pu_get_be16(len)))
		return -1;
	return pu_get_be16(len);
}

static unsigned rcode_of(const uint8_t *p)
{
	return p[3] & 0xf;
}

/* --- our own names --- */

static void udp_and_tcp_answer_on_both_families(void **state)
{
	struct env *e = *state;
	uint8_t out[1500];

	start(e, 0, true);
	for (int i = 0; i < 4; i++) {
		bool tcp = i & 1, v6 = i & 2;
		int fd = client(tcp ? SOCK_STREAM : SOCK_DGRAM, v6 ? &loopback6 : &loopback4,
				v6 ? e->port6 : e->port);
		int n;

		(tcp ? send_tcp : send_udp)(fd, (uint16_t)(7 + i), "home.p2p", ns_t_a);
		n = (tcp ? recv_tcp : recv_udp)(e, fd, out, sizeof out);
		assert_true(n > 12);
		assert_int_equal(pu_get_be16(out), 7 + i);
		assert_int_equal(rcode_of(out), ns_r_noerror);
		assert_int_equal(pu_get_be16(out + 6), 1);
		assert_memory_equal(out + n - 4, "\x0a\x40\x01\x02", 4);
		close(fd);
	}
}

static void foreign_names_are_refused_without_upstream(void **state)
{
	struct env *e = *state;
	uint8_t out[1500];
	struct pu_dns_server_stats st;
	int fd;

	start(e, 0, true);
	fd = client(SOCK_DGRAM, &loopback4, e->port);
	send_udp(fd, 1, "example.com", ns_t_a);
	assert_true(recv_udp(e, fd, out, sizeof out) > 0);
	assert_int_equal(rcode_of(out), ns_r_refused);
	pu_dns_server_stats(e->server, &st);
	assert_int_equal(st.refused, 1);
	assert_int_equal(st.forwarded, 0);
	close(fd);
}

static void a_tcp_client_may_ask_many_at_once(void **state)
{
	struct env *e = *state;
	uint8_t out[1500];
	int fd;

	start(e, 0, true);
	fd = client(SOCK_STREAM, &loopback4, e->port);
	for (uint16_t i = 0; i < 200; i++)
		send_tcp(fd, i, i % 2 ? "home.p2p" : "nobody.p2p", ns_t_a);
	for (uint16_t i = 0; i < 200; i++) {
		assert_true(recv_tcp(e, fd, out, sizeof out) > 0);
		assert_int_equal(pu_get_be16(out), i);
		assert_int_equal(rcode_of(out), i % 2 ? ns_r_noerror : ns_r_nxdomain);
	}
	close(fd);
}

static void a_tcp_client_that_half_closes_gets_its_answer(void **state)
{
	struct env *e = *state;
	uint8_t out[1500];
	int fd;

	start(e, 0, true);
	fd = client(SOCK_STREAM, &loopback4, e->port);
	send_tcp(fd, 5, "home.p2p", ns_t_a);
	shutdown(fd, SHUT_WR);
	assert_true(recv_tcp(e, fd, out, sizeof out) > 0);
	assert_false(recv_all(e, fd, out, 1));
	close(fd);
}

static void an_idle_tcp_client_is_closed(void **state)
{
	struct env *e = *state;
	int64_t began = now_ms();
	uint8_t out[2];
	int fd;

	start(e, 0, true);
	fd = client(SOCK_STREAM, &loopback4, e->port);
	/* Half a message does not count as activity. */
	assert_int_equal(send(fd, "\0", 1, 0), 1);
	assert_false(recv_all(e, fd, out, 1));
	assert_true(now_ms() - began >= 250 && now_ms() - began < PATIENCE_MS);
	close(fd);
}

static void the_number_of_tcp_clients_is_bounded(void **state)
{
	enum { N = PU_DNS_SERVER_TCP_PER_ADDRESS + 3 };
	struct env *e = *state;
	struct pu_dns_server_stats st;
	int fd[N];

	start(e, 0, true);
	for (int i = 0; i < N; i++) {
		fd[i] = client(SOCK_STREAM, &loopback4, e->port);
		idle(e, 2);
	}
	pu_dns_server_stats(e->server, &st);
	assert_int_equal(st.tcp_clients, PU_DNS_SERVER_TCP_PER_ADDRESS);
	assert_int_equal(st.tcp_rejected, 3);
	for (int i = 0; i < N; i++)
		close(fd[i]);
}

static void a_taken_port_is_an_error_and_leaves_nothing_open(void **state)
{
	struct env *e = *state;
	struct pu_dns_server_config cfg = { .zone = dns_zone_config(), .n_listen = 1 };
	struct pu_dns_server *s = NULL;
	uint16_t port = 0;
	int fd;

	fd = bound_socket(SOCK_DGRAM, &port);
	cfg.listen[0] = (struct pu_dns_endpoint){ loopback4, port };
	assert_int_equal(pu_dns_server_start(pu_loop_uv_loop(e->uv), &cfg, &s), PU_EADDRINUSE);
	assert_null(s);
	idle(e, 5);
	close(fd);
	/* TCP taken, UDP free: UDP must be free again afterwards. */
	fd = bound_socket(SOCK_STREAM, &port);
	assert_int_equal(pu_dns_server_start(pu_loop_uv_loop(e->uv), &cfg, &s), PU_EADDRINUSE);
	idle(e, 5);
	close(fd);
	fd = bound_socket(SOCK_DGRAM, &port);
	close(fd);
	cfg.listen[0] = (struct pu_dns_endpoint){ { 4, { 192, 0, 2, 1 } }, 0 };
	assert_int_equal(pu_dns_server_start(pu_loop_uv_loop(e->uv), &cfg, &s), PU_EUNREACH);
	idle(e, 5);
}

/* --- forwarding --- */

struct asked {
	uint8_t p[600];
	ssize_t len;
	struct sockaddr_storage from;
	socklen_t from_len;
};

static bool upstream_recv(struct env *e, struct asked *a, int ms)
{
	a->from_len = sizeof a->from;
	if (!wait_fd(e, e->up_udp, POLLIN, ms))
		return false;
	a->len = recvfrom(e->up_udp, a->p, sizeof a->p, 0, (struct sockaddr *)&a->from,
			  &a->from_len);
	return a->len > 0;
}

/* Answers with the question, a code and some bytes that stand for records. */
static void upstream_send(struct env *e, struct asked *a, unsigned rcode, size_t extra)
{
	uint8_t out[2000];

	memcpy(out, a->p, (size_t)a->len);
	memset(out + a->len, 0xab, extra);
	pu_put_be16(out + 2, (uint16_t)(PU_DNS_FLAG_QR | PU_DNS_FLAG_RA | rcode));
	sendto(e->up_udp, out, (size_t)a->len + extra, 0, (struct sockaddr *)&a->from,
	       a->from_len);
}

static void other_names_are_forwarded_with_fresh_ids_and_ports(void **state)
{
	struct env *e = *state;
	struct asked first, second;
	uint8_t out[1500];
	int fd, n;

	start(e, 1, true);
	fd = client(SOCK_DGRAM, &loopback4, e->port);
	send_udp(fd, 0x1111, "example.com", ns_t_a);
	assert_true(upstream_recv(e, &first, PATIENCE_MS));
	send_udp(fd, 0x2222, "example.org", ns_t_a);
	assert_true(upstream_recv(e, &second, PATIENCE_MS));
	assert_true(pu_get_be16(first.p) != 0x1111 || pu_get_be16(second.p) != 0x2222);
	assert_int_not_equal(((struct sockaddr_in *)&first.from)->sin_port,
			     ((struct sockaddr_in *)&second.from)->sin_port);
	upstream_send(e, &second, 0, 20);
	n = recv_udp(e, fd, out, sizeof out);
	assert_int_equal(n, second.len + 20);
	assert_int_equal(pu_get_be16(out), 0x2222);
	assert_memory_equal(out + 12, second.p + 12, (size_t)second.len - 12);
	upstream_send(e, &first, ns_r_nxdomain, 0);
	assert_true(recv_udp(e, fd, out, sizeof out) > 0);
	assert_int_equal(pu_get_be16(out), 0x1111);
	assert_int_equal(rcode_of(out), ns_r_nxdomain);
	close(fd);
}

static void our_own_names_never_leave_the_host(void **state)
{
	static const char *const ours[] = {
		"home.p2p", "nobody.p2p", "x.y.z.p2p", "p2p", "1.9.64.10.in-addr.arpa",
		"64.10.in-addr.arpa", "0.0.2.7.5.6.5.6.0.5.d.f.ip6.arpa",
	};
	struct env *e = *state;
	struct asked a;
	uint8_t out[1500];
	int fd;

	start(e, 1, true);
	fd = client(SOCK_DGRAM, &loopback4, e->port);
	for (size_t i = 0; i < PU_ARRAY_LEN(ours); i++) {
		send_udp(fd, 1, ours[i], ns_t_ds);
		assert_true(recv_udp(e, fd, out, sizeof out) > 0);
		assert_true(out[2] & PU_DNS_FLAG_AA >> 8);
	}
	assert_false(upstream_recv(e, &a, 20));
	close(fd);
}

static void forged_replies_are_not_passed_on(void **state)
{
	struct env *e = *state;
	struct asked a, forged;
	uint8_t out[1500];
	int fd;

	start(e, 1, true);
	fd = client(SOCK_DGRAM, &loopback4, e->port);
	send_udp(fd, 1, "example.com", ns_t_a);
	assert_true(upstream_recv(e, &a, PATIENCE_MS));
	forged = a;
	forged.p[0] ^= 1; /* another ID */
	upstream_send(e, &forged, 0, 0);
	forged = a;
	forged.p[13] ^= 1; /* another question */
	upstream_send(e, &forged, 0, 0);
	forged = a;
	forged.len = 11;
	upstream_send(e, &forged, 0, 0);
	assert_false(wait_fd(e, fd, POLLIN, 30));
	upstream_send(e, &a, 0, 4);
	assert_int_equal(recv_udp(e, fd, out, sizeof out), a.len + 4);
	close(fd);
}

static void a_silent_upstream_is_asked_again_and_fails_in_time(void **state)
{
	struct env *e = *state;
	int64_t began = now_ms();
	struct asked a;
	uint8_t out[1500];
	int fd;

	start(e, 2, true);
	fd = client(SOCK_DGRAM, &loopback4, e->port);
	send_udp(fd, 9, "example.com", ns_t_a);
	for (int i = 0; i < 3; i++)
		assert_true(upstream_recv(e, &a, PATIENCE_MS));
	assert_true(recv_udp(e, fd, out, sizeof out) > 0);
	assert_int_equal(rcode_of(out), ns_r_servfail);
	assert_int_equal(pu_get_be16(out), 9);
	assert_true(now_ms() - began >= 400);
	close(fd);
}

static void a_second_upstream_is_asked_when_the_first_cannot(void **state)
{
	struct env *e = *state;
	struct asked a;
	uint8_t out[1500];
	int fd;

	start(e, 2, true);
	fd = client(SOCK_DGRAM, &loopback4, e->port);
	send_udp(fd, 9, "example.com", ns_t_a);
	assert_true(upstream_recv(e, &a, PATIENCE_MS));
	upstream_send(e, &a, ns_r_servfail, 0);
	assert_true(upstream_recv(e, &a, 100));
	upstream_send(e, &a, ns_r_noerror, 16);
	assert_int_equal(recv_udp(e, fd, out, sizeof out), a.len + 16);
	close(fd);
}

static void a_dead_upstream_fails_fast(void **state)
{
	struct env *e = *state;
	int64_t began = now_ms();
	uint8_t out[1500];
	int fd;

	start(e, 1, true);
	close(e->up_udp);
	fd = client(SOCK_DGRAM, &loopback4, e->port);
	send_udp(fd, 9, "example.com", ns_t_a);
	assert_true(recv_udp(e, fd, out, sizeof out) > 0);
	assert_int_equal(rcode_of(out), ns_r_servfail);
	assert_true(now_ms() - began < 140);
	e->up_udp = -1;
	close(fd);
}

static void too_long_replies_are_cut_for_udp(void **state)
{
	struct env *e = *state;
	struct asked a;
	uint8_t out[1500];
	int fd;

	start(e, 1, true);
	fd = client(SOCK_DGRAM, &loopback4, e->port);
	send_udp(fd, 9, "example.com", ns_t_a);
	assert_true(upstream_recv(e, &a, PATIENCE_MS));
	upstream_send(e, &a, 0, 1000);
	assert_int_equal(recv_udp(e, fd, out, sizeof out), a.len);
	assert_true(out[2] & PU_DNS_FLAG_TC >> 8);
	close(fd);
}

static void tcp_questions_are_forwarded_over_tcp(void **state)
{
	struct env *e = *state;
	uint8_t q[600], out[1500];
	int fd, up, n;

	start(e, 1, true);
	fd = client(SOCK_STREAM, &loopback4, e->port);
	send_tcp(fd, 0x3333, "example.com", ns_t_a);
	assert_true(wait_fd(e, e->up_tcp, POLLIN, PATIENCE_MS));
	up = accept(e->up_tcp, NULL, NULL);
	n = recv_tcp(e, up, q + 2, sizeof q - 2);
	assert_true(n > 12);
	pu_put_be16(q, (uint16_t)n);
	q[4] |= 0x80;
	/* In two pieces. */
	assert_int_equal(send(up, q, 1, 0), 1);
	idle(e, 5);
	assert_int_equal(send(up, q + 1, (size_t)n + 1, 0), n + 1);
	assert_int_equal(recv_tcp(e, fd, out, sizeof out), n);
	assert_int_equal(pu_get_be16(out), 0x3333);
	close(up);
	close(fd);
}

static void stopping_with_questions_under_way_is_clean(void **state)
{
	struct env *e = *state;
	struct asked a;
	int udp, tcp;

	start(e, 1, true);
	udp = client(SOCK_DGRAM, &loopback4, e->port);
	tcp = client(SOCK_STREAM, &loopback4, e->port);
	send_udp(udp, 1, "example.com", ns_t_a);
	send_tcp(tcp, 2, "example.com", ns_t_a);
	send_tcp(tcp, 3, "example.net", ns_t_a);
	assert_true(upstream_recv(e, &a, PATIENCE_MS));
	idle(e, 10);
	pu_dns_server_stop(e->server);
	e->server = NULL;
	upstream_send(e, &a, 0, 0);
	idle(e, 10);
	close(udp);
	close(tcp);
}

static void a_client_that_leaves_takes_its_questions_along(void **state)
{
	struct env *e = *state;
	uint8_t out[1500];
	int fd, up;

	start(e, 1, true);
	fd = client(SOCK_STREAM, &loopback4, e->port);
	send_tcp(fd, 2, "example.com", ns_t_a);
	assert_true(wait_fd(e, e->up_tcp, POLLIN, PATIENCE_MS));
	up = accept(e->up_tcp, NULL, NULL);
	assert_true(recv_tcp(e, up, out, sizeof out) > 0);
	struct linger hard = { .l_onoff = 1 };
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(fd);
	assert_false(recv_all(e, up, out, 1));
	close(up);
}

/* --- against an implementation of others --- */

/* Runs dig; what it prints goes to out. False when there is no dig. */
static bool dig(struct env *e, const char *args, char *out, size_t cap)
{
	int fds[2], status = 0;
	size_t len = 0;
	char cmd[256];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	snprintf(cmd, sizeof cmd, "exec dig @127.0.0.1 -p %u +time=3 +tries=1 %s", e->port, args);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		close(fds[0]);
		execl("/bin/sh", "sh", "-c", cmd, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	for (;;) {
		ssize_t n;

		if (!wait_fd(e, fds[0], POLLIN, 10000))
			break;
		n = read(fds[0], out + len, cap - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	out[len] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	return !(WIFEXITED(status) && WEXITSTATUS(status) == 127);
}

static void dig_understands_the_answers(void **state)
{
	struct env *e = *state;
	char out[8192];

	start(e, 0, true);
	if (!dig(e, "+short HOME.p2p A", out, sizeof out))
		skip();
	assert_string_equal(out, "10.64.1.2\n");
	dig(e, "+short +tcp home.p2p AAAA", out, sizeof out);
	assert_string_equal(out, "fd50:6565:7200::12\n");
	dig(e, "+short -x 10.64.1.2", out, sizeof out);
	assert_string_equal(out, "home.p2p.\n");
	dig(e, "+short -x fd50:6565:7200::6", out, sizeof out);
	assert_string_equal(out, "six.p2p.\n");
	dig(e, "+short _ssh._tcp.home.p2p SRV", out, sizeof out);
	assert_string_equal(out, "0 0 22 home.p2p.\n");
	dig(e, "+short _ssh._tcp.home.p2p TXT", out, sizeof out);
	assert_string_equal(out, "\"service=ssh\" \"peer=12D3KooW\"\n");
	dig(e, "nobody.p2p A", out, sizeof out);
	assert_non_null(strstr(out, "status: NXDOMAIN"));
	assert_non_null(strstr(out, "SOA\tp2p. nobody.invalid. 1 3600 1200 604800 5"));
	assert_non_null(strstr(out, "EDNS: version: 0, flags:; udp: 1232"));
	assert_null(strstr(out, "WARNING"));
	dig(e, "+edns=5 +noednsneg home.p2p A", out, sizeof out);
	assert_non_null(strstr(out, "status: BADVERS"));
	/* Truncated over UDP, so dig comes again over TCP. */
	dig(e, "+noedns nas.p2p TXT", out, sizeof out);
	assert_non_null(strstr(out, "Truncated, retrying in TCP mode"));
	assert_non_null(strstr(out, "xxxxxxxx"));
	dig(e, "example.com A", out, sizeof out);
	assert_non_null(strstr(out, "status: REFUSED"));
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(udp_and_tcp_answer_on_both_families),
		T(foreign_names_are_refused_without_upstream),
		T(a_tcp_client_may_ask_many_at_once),
		T(a_tcp_client_that_half_closes_gets_its_answer),
		T(an_idle_tcp_client_is_closed),
		T(the_number_of_tcp_clients_is_bounded),
		T(a_taken_port_is_an_error_and_leaves_nothing_open),
		T(other_names_are_forwarded_with_fresh_ids_and_ports),
		T(our_own_names_never_leave_the_host),
		T(forged_replies_are_not_passed_on),
		T(a_silent_upstream_is_asked_again_and_fails_in_time),
		T(a_second_upstream_is_asked_when_the_first_cannot),
		T(a_dead_upstream_fails_fast),
		T(too_long_replies_are_cut_for_udp),
		T(tcp_questions_are_forwarded_over_tcp),
		T(stopping_with_questions_under_way_is_clean),
		T(a_client_that_leaves_takes_its_questions_along),
		T(dig_understands_the_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
