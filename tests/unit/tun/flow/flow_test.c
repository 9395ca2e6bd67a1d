/* The local program is a kernel socket in a thread; the flows' owner below offers a
 * small service on each of some ports. Skipped where no TUN device may be made. */
#include "tun/flow/flow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/loop_uv.h"
#include "support/tunlab.h"
#include "tun/frame.h"

enum {
	PORT_REFUSED = 1,
	PORT_UNREACHABLE = 2,
	PORT_DENIED = 3,
	PORT_SLOW_ACCEPT = 4, /* answers after SLOW_MS */
	PORT_ECHO = 7,
	PORT_SINK = 9,        /* counts and sums, answers with the result at EOF */
	PORT_NEVER = 10,
	PORT_LAZY_SINK = 11,  /* a sink that takes a little every few milliseconds */
	PORT_RESET = 12,      /* resets at the first byte */
	PORT_HELLO = 13,      /* says hello and closes */
	PORT_SOURCE = 19,     /* SOURCE_LEN bytes, then FIN */
	PORT_SHY_SOURCE = 20, /* the same, but close() instead of shutdown() */
};

enum {
	SLOW_MS = 200,
	SOURCE_LEN = 100 << 20,
	SHORT_SOURCE_LEN = 3 << 20,
	PARALLEL = 200,
	MTU = 1400,
	HANDLE = 42,
};

struct server {
	struct pu_loop_uv *uv;
	struct pu_loop *loop;
	struct pu_flow_table *table;
	uv_poll_t poll;
	uv_async_t done;
	unsigned n_syn, n_closed, n_eof, max_held_seen;
	int last_err;
	struct pu_flow *never;
	struct pu_list conns;
};

struct conn {
	struct pu_list in_server;
	struct server *s;
	struct pu_flow *flow;
	struct pu_timer timer;
	uint16_t port;
	uint64_t sent, received, sum;
	bool eof;
};

static struct pu_tun_device device = { .fd = -1 };
static const char *skip_reason;

/* Any byte of the stream by its position. */
static uint8_t pattern(uint64_t pos)
{
	return (uint8_t)(pos * 31 + (pos >> 11) * 7 + (pos >> 20));
}

static void fill(uint8_t *p, size_t len, uint64_t pos)
{
	for (size_t i = 0; i < len; i++)
		p[i] = pattern(pos + i);
}

/* 0 when the bytes are those of the stream, so the sum counts what is not. */
static uint64_t differences(const uint8_t *p, size_t len, uint64_t pos)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += p[i] != pattern(pos + i);
	return n;
}

/* ---- the owner ---- */

static void conn_free(struct conn *c)
{
	pu_timer_stop(&c->timer);
	pu_list_remove(&c->in_server);
	free(c);
}

static void close_conn(struct conn *c)
{
	pu_flow_close(c->flow);
	conn_free(c);
}

static void pump_source(struct conn *c)
{
	static uint8_t chunk[256 << 10];
	uint64_t total = c->port == PORT_SOURCE ? SOURCE_LEN : SHORT_SOURCE_LEN;
	size_t n, want;

	while (c->sent < total) {
		want = pu_min(sizeof chunk, (size_t)(total - c->sent));
		fill(chunk, want, c->sent);
		n = pu_flow_write(c->flow, chunk, want);
		c->sent += n;
		if (n < want)
			return;
	}
	if (c->port == PORT_SHY_SOURCE)
		close_conn(c);
	else
		pu_flow_shutdown(c->flow);
}

static void on_conn_timer(void *arg)
{
	struct conn *c = arg;

	if (c->port == PORT_SLOW_ACCEPT)
		pu_flow_accept(c->flow);
	else
		pu_flow_resume(c->flow);
}

static void on_syn(void *arg, struct pu_flow *f, uint32_t handle, uint16_t port)
{
	struct server *s = arg;
	struct conn *c = calloc(1, sizeof *c);
	struct pu_flow_stats stats;

	assert_int_equal(handle, HANDLE);
	pu_flow_table_stats(s->table, &stats);
	s->max_held_seen = (unsigned)pu_max(s->max_held_seen, stats.n_held);
	s->n_syn++;
	*c = (struct conn){ .s = s, .flow = f, .port = port };
	pu_timer_init(&c->timer, s->loop, on_conn_timer, c);
	pu_list_append(&s->conns, &c->in_server);
	pu_flow_set_arg(f, c);
	switch (port) {
	case PORT_REFUSED:
		pu_flow_refuse(f, PU_EREFUSED);
		conn_free(c);
		return;
	case PORT_UNREACHABLE:
		pu_flow_refuse(f, PU_EUNREACH);
		conn_free(c);
		return;
	case PORT_DENIED:
		pu_flow_refuse(f, PU_EDENIED);
		conn_free(c);
		return;
	case PORT_SLOW_ACCEPT:
		pu_timer_set(&c->timer, pu_loop_now(s->loop) + PU_MS(SLOW_MS));
		return;
	case PORT_NEVER:
		s->never = f;
		return;
	case PORT_HELLO:
		pu_flow_accept(f);
		assert_int_equal(pu_flow_write(f, "hello", 5), 0);
		return;
	default:
		pu_flow_accept(f);
		if (port == PORT_SOURCE || port == PORT_SHY_SOURCE)
			pump_source(c);
	}
}

static size_t on_recv(void *arg, struct pu_flow *f, const uint8_t *p, size_t len)
{
	struct conn *c = arg;
	size_t n = len;

	switch (c->port) {
	case PORT_RESET:
		pu_flow_reset(f);
		conn_free(c);
		return len;
	case PORT_LAZY_SINK:
		n = pu_min(len, 3000);
		pu_timer_set(&c->timer, pu_loop_now(c->s->loop) + PU_MS(1));
		/* fall through */
	case PORT_SINK:
		c->sum += differences(p, n, c->received);
		break;
	case PORT_SOURCE:
		break;
	default:
		n = pu_flow_write(f, p, len);
	}
	c->received += n;
	return n;
}

static void on_eof(void *arg, struct pu_flow *f)
{
	struct conn *c = arg;
	uint64_t answer[2] = { c->received, c->sum };

	c->s->n_eof++;
	c->eof = true;
	if (c->port == PORT_SINK || c->port == PORT_LAZY_SINK)
		assert_int_equal(pu_flow_write(f, answer, sizeof answer), sizeof answer);
	close_conn(c);
}

static void on_writable(void *arg, struct pu_flow *f)
{
	struct conn *c = arg;

	assert_true(pu_flow_room(f) > 0);
	if (c->port == PORT_HELLO) {
		assert_int_equal(pu_flow_write(f, "hello", 5), 5);
		close_conn(c);
	} else if (c->port == PORT_SOURCE || c->port == PORT_SHY_SOURCE) {
		pump_source(c);
	} else {
		pu_flow_resume(f);
	}
}

static void on_closed(void *arg, struct pu_flow *f, int err)
{
	struct conn *c = arg;

	c->s->n_closed++;
	c->s->last_err = err;
	if (c->s->never == f)
		c->s->never = NULL;
	conn_free(c);
}

static const struct pu_flow_events events = { on_syn, on_recv, on_eof, on_writable, on_closed };

static void on_readable(uv_poll_t *h, int status, int what)
{
	static uint8_t frame[PU_TUN_FRAME_MAX];
	struct server *s = h->data;
	struct pu_tun_frame f;
	int n;

	pu_loop_uv_enter(s->loop);
	for (int i = 0; i < 64 && (n = pu_tun_device_read(&device, frame, sizeof frame)) > 0; i++)
		if (pu_tun_frame_parse(&f, frame, (size_t)n) == 0 && f.info.proto == IPPROTO_TCP)
			pu_flow_table_input(s->table, frame, (size_t)n, &f.info, HANDLE);
	pu_loop_uv_leave(s->loop);
}

static void on_done(uv_async_t *h)
{
	pu_loop_uv_stop(((struct server *)h->data)->uv);
}

static void server_start(struct server *s, const struct pu_flow_limits *limits)
{
	*s = (struct server){ 0 };
	pu_list_init(&s->conns);
	assert_int_equal(pu_loop_uv_new(&s->uv), 0);
	s->loop = pu_loop_uv_loop(s->uv);
	assert_int_equal(pu_flow_table_new(s->loop, &device, &events, s, limits, &s->table), 0);
	uv_poll_init(pu_loop_uv_of(s->loop), &s->poll, device.fd);
	s->poll.data = s;
	uv_poll_start(&s->poll, UV_READABLE, on_readable);
	uv_async_init(pu_loop_uv_of(s->loop), &s->done, on_done);
	s->done.data = s;
}

static void server_stop(struct server *s)
{
	pu_flow_table_free(s->table);
	while (!pu_list_empty(&s->conns))
		conn_free(PU_CONTAINER_OF(pu_list_first(&s->conns), struct conn, in_server));
	uv_close((uv_handle_t *)&s->poll, NULL);
	uv_close((uv_handle_t *)&s->done, NULL);
	pu_loop_uv_free(s->uv);
}

/* ---- the local program ---- */

struct client {
	struct server *s;
	const char *(*run)(struct client *c);
	const char *failure;
	int family;
	char text[128];
};

static const char *failed(struct client *c, const char *what)
{
	snprintf(c->text, sizeof c->text, "%s: %s", what, strerror(errno));
	return c->text;
}

static int try_connect(int family, uint16_t port)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct timeval tv = { .tv_sec = 20 };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	inet_pton(AF_INET, "10.64.7.7", &a4.sin_addr);
	inet_pton(AF_INET6, "fd00:64::7:7", &a6.sin6_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
	if (family == AF_INET)
		r = connect(fd, (struct sockaddr *)&a4, sizeof a4);
	else
		r = connect(fd, (struct sockaddr *)&a6, sizeof a6);
	if (r == 0)
		return fd;
	r = errno;
	close(fd);
	errno = r;
	return -1;
}

static int send_all(int fd, const void *p, size_t len)
{
	const uint8_t *b = p;

	while (len > 0) {
		ssize_t n = send(fd, b, len, MSG_NOSIGNAL);

		if (n <= 0)
			return -1;
		b += n;
		len -= (size_t)n;
	}
	return 0;
}

static ssize_t recv_all(int fd, void *p, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = recv(fd, (uint8_t *)p + got, len - got, 0);

		if (n < 0)
			return -1;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static int send_pattern(int fd, uint64_t total)
{
	size_t chunk = 128 << 10;
	uint8_t *b = malloc(chunk);
	int r = 0;

	for (uint64_t pos = 0; r == 0 && pos < total; pos += chunk) {
		size_t n = pu_min(chunk, (size_t)(total - pos));

		fill(b, n, pos);
		r = send_all(fd, b, n);
	}
	free(b);
	return r;
}

static void *client_main(void *arg)
{
	struct client *c = arg;

	c->failure = c->run(c);
	uv_async_send(&c->s->done);
	return NULL;
}

/* Runs the local program against the server until it is through, and then until no
 * flow is left. */
static void run_with(struct server *s, const char *(*run)(struct client *), int family)
{
	struct client c = { .s = s, .run = run, .family = family };
	struct pu_flow_stats stats;
	pthread_t th;

	assert_int_equal(pthread_create(&th, NULL, client_main, &c), 0);
	pu_loop_uv_run(s->uv);
	pthread_join(th, NULL);
	if (c.failure)
		fail_msg("%s", c.failure);
	for (int i = 0; i < 2000; i++) {
		pu_flow_table_stats(s->table, &stats);
		if (stats.n_flows == 0)
			break;
		uv_run(pu_loop_uv_of(s->loop), UV_RUN_NOWAIT);
		usleep(1000);
	}
	assert_int_equal(stats.n_flows, 0);
	assert_int_equal(stats.n_held, 0);
}

static void run_both(const char *(*run)(struct client *))
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct server s;

	if (skip_reason)
		skip();
	for (size_t i = 0; i < 2; i++) {
		server_start(&s, NULL);
		run_with(&s, run, families[i]);
		server_stop(&s);
	}
}

/* ---- the tests ---- */

static const char *echo(struct client *c)
{
	int fd = try_connect(c->family, PORT_ECHO);
	char b[16];

	if (fd < 0)
		return failed(c, "connect");
	for (int i = 0; i < 100; i++) {
		if (send_all(fd, "ping", 4) < 0 || recv_all(fd, b, 4) != 4 || memcmp(b, "ping", 4))
			return failed(c, "echo");
	}
	shutdown(fd, SHUT_WR);
	if (recv_all(fd, b, 1) != 0)
		return failed(c, "no end of stream");
	close(fd);
	return NULL;
}

static void a_service_answers(void **state)
{
	run_both(echo);
}

static const char *refused(struct client *c)
{
	int want6[] = { ECONNREFUSED, EHOSTUNREACH, EACCES };
	int want4[] = { ECONNREFUSED, EHOSTUNREACH, EHOSTUNREACH };

	for (uint16_t port = PORT_REFUSED; port <= PORT_DENIED; port++) {
		int want = (c->family == AF_INET ? want4 : want6)[port - PORT_REFUSED];

		if (try_connect(c->family, port) >= 0)
			return "connected to a refusing service";
		if (errno != want)
			return failed(c, "another error");
	}
	return NULL;
}

static void a_refusal_looks_refused(void **state)
{
	run_both(refused);
}

static const char *held(struct client *c)
{
	pu_time before = pu_clock_monotonic(), took;
	int fd = try_connect(c->family, PORT_SLOW_ACCEPT);
	char b[4];

	took = pu_clock_monotonic() - before;
	if (fd < 0)
		return failed(c, "connect");
	if (took < PU_MS(SLOW_MS) || took > PU_MS(SLOW_MS + 400))
		return "connect() did not wait for the service";
	if (send_all(fd, "abcd", 4) < 0 || recv_all(fd, b, 4) != 4)
		return failed(c, "echo");
	close(fd);
	return NULL;
}

static void connect_returns_when_the_service_has_answered(void **state)
{
	run_both(held);
}

static const char *upload_to(struct client *c, uint16_t port, uint64_t total)
{
	int fd = try_connect(c->family, port);
	uint64_t answer[2];

	if (fd < 0)
		return failed(c, "connect");
	if (send_pattern(fd, total) < 0)
		return failed(c, "send");
	/* Half closed: the answer comes the other way. */
	shutdown(fd, SHUT_WR);
	if (recv_all(fd, answer, sizeof answer) != sizeof answer)
		return failed(c, "no answer after half-close");
	if (answer[0] != total || answer[1] != 0)
		return "bytes were lost or changed";
	if (recv_all(fd, answer, 1) != 0)
		return failed(c, "no end of stream");
	close(fd);
	return NULL;
}

static const char *upload(struct client *c)
{
	return upload_to(c, PORT_SINK, SOURCE_LEN);
}

static void a_hundred_megabytes_go_up(void **state)
{
	run_both(upload);
}

static const char *lazy_upload(struct client *c)
{
	return upload_to(c, PORT_LAZY_SINK, 600 << 10);
}

static void a_slow_owner_slows_the_program_down(void **state)
{
	run_both(lazy_upload);
}

static const char *download_from(struct client *c, uint16_t port, uint64_t total, bool slow)
{
	int fd = try_connect(c->family, port), rcvbuf = 16 << 10;
	size_t chunk = slow ? 5000 : 256 << 10;
	uint8_t *b = malloc(chunk);
	uint64_t pos = 0, bad = 0;
	ssize_t n = -1;

	if (fd >= 0 && slow)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
	while (fd >= 0 && (n = recv(fd, b, chunk, 0)) > 0) {
		bad += differences(b, (size_t)n, pos);
		pos += (uint64_t)n;
		if (slow)
			usleep(200);
	}
	free(b);
	if (fd < 0 || n < 0)
		return failed(c, fd < 0 ? "connect" : "receive");
	if (pos != total || bad) {
		snprintf(c->text, sizeof c->text, "%llu of %llu bytes, %llu of them changed",
			 (unsigned long long)pos, (unsigned long long)total,
			 (unsigned long long)bad);
		return c->text;
	}
	/* Still open this way. */
	if (port == PORT_SOURCE && send_all(fd, "x", 1) < 0)
		return failed(c, "send after their end");
	close(fd);
	return NULL;
}

static const char *download(struct client *c)
{
	return download_from(c, PORT_SOURCE, SOURCE_LEN, false);
}

static void a_hundred_megabytes_come_down(void **state)
{
	run_both(download);
}

static const char *slow_download(struct client *c)
{
	pu_time before = pu_clock_monotonic();
	const char *r = download_from(c, PORT_SHY_SOURCE, SHORT_SOURCE_LEN, true);

	if (!r && pu_clock_monotonic() - before > PU_SEC(8))
		return "stalled";
	return r;
}

static void a_slow_program_gets_everything_after_close(void **state)
{
	run_both(slow_download);
}

static const char *hello(struct client *c)
{
	int fd = try_connect(c->family, PORT_HELLO);
	char b[6] = "";

	if (fd < 0)
		return failed(c, "connect");
	if (recv_all(fd, b, 6) != 5 || memcmp(b, "hello", 5) != 0)
		return failed(c, "no hello");
	/* Like a closed socket: the first byte is answered with a reset. */
	if (send_all(fd, "x", 1) < 0)
		return failed(c, "send");
	usleep(50000);
	if (send_all(fd, "x", 1) == 0)
		return "a closed service still takes bytes";
	close(fd);
	return NULL;
}

static void a_closed_service_is_closed(void **state)
{
	run_both(hello);
}

static const char *reset_by_service(struct client *c)
{
	int fd = try_connect(c->family, PORT_RESET);
	char b[1];

	if (fd < 0)
		return failed(c, "connect");
	if (send_all(fd, "x", 1) < 0)
		return failed(c, "send");
	if (recv(fd, b, 1, 0) != -1 || errno != ECONNRESET)
		return failed(c, "not reset");
	close(fd);
	return NULL;
}

static void a_reset_goes_to_the_program(void **state)
{
	run_both(reset_by_service);
}

static const char *reset_by_program(struct client *c)
{
	struct linger l = { .l_onoff = 1, .l_linger = 0 };
	int fd = try_connect(c->family, PORT_ECHO);
	char b[4];

	if (fd < 0 || send_all(fd, "ping", 4) < 0 || recv_all(fd, b, 4) != 4)
		return failed(c, "echo");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
	close(fd);
	return NULL;
}

static void a_reset_goes_to_the_service(void **state)
{
	struct server s;

	if (skip_reason)
		skip();
	server_start(&s, NULL);
	run_with(&s, reset_by_program, AF_INET);
	assert_int_equal(s.n_closed, 1);
	assert_int_equal(s.last_err, PU_ERESET);
	assert_int_equal(s.n_eof, 0);
	server_stop(&s);
}

/* Many connections, each with its own stretch of bytes. */
static const char *parallel(struct client *c)
{
	static int fds[PARALLEL];
	uint8_t out[1000], in[1000];

	for (int i = 0; i < PARALLEL; i++) {
		fds[i] = try_connect(i % 2 ? AF_INET : AF_INET6, PORT_ECHO);
		if (fds[i] < 0)
			return failed(c, "connect");
	}
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < PARALLEL; i++) {
			fill(out, sizeof out, (uint64_t)i * 1000 + (uint64_t)round);
			if (send_all(fds[i], out, sizeof out) < 0)
				return failed(c, "send");
		}
		for (int i = 0; i < PARALLEL; i++) {
			if (recv_all(fds[i], in, sizeof in) != sizeof in ||
			    differences(in, sizeof in, (uint64_t)i * 1000 + (uint64_t)round))
				return failed(c, "echo of another");
		}
	}
	for (int i = 0; i < PARALLEL; i++)
		close(fds[i]);
	return NULL;
}

static void two_hundred_flows_are_kept_apart(void **state)
{
	struct server s;

	if (skip_reason)
		skip();
	server_start(&s, NULL);
	run_with(&s, parallel, AF_INET);
	assert_int_equal(s.n_syn, PARALLEL);
	assert_int_equal(s.n_eof, PARALLEL);
	server_stop(&s);
}

/* A held connect() that the program gives up; then one whose peer goes away. */
static const char *give_up(struct client *c)
{
	struct pollfd p = { .events = POLLOUT };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT_NEVER) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err = 0;
	socklen_t len = sizeof err;

	inet_pton(AF_INET, "10.64.7.7", &a.sin_addr);
	connect(fd, (struct sockaddr *)&a, sizeof a);
	p.fd = fd;
	/* Long enough for the SYN to be repeated. */
	if (poll(&p, 1, 1300) != 0)
		return "a held connect() returned";
	uv_async_send(&c->s->done);
	if (poll(&p, 1, 2000) != 1)
		return "the loss of the peer was not told";
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	close(fd);
	return err == ECONNREFUSED ? NULL : "another error";
}

static void a_peer_that_goes_away_takes_its_flows_along(void **state)
{
	struct client c = { .run = give_up };
	struct pu_flow_stats stats;
	struct server s;
	pthread_t th;

	if (skip_reason)
		skip();
	server_start(&s, NULL);
	c.s = &s;
	assert_int_equal(pthread_create(&th, NULL, client_main, &c), 0);
	pu_loop_uv_run(s.uv);
	assert_int_equal(s.n_syn, 1);
	assert_non_null(s.never);
	pu_loop_uv_enter(s.loop);
	pu_flow_table_reset_handle(s.table, HANDLE + 1);
	assert_int_equal(s.n_closed, 0);
	pu_flow_table_reset_handle(s.table, HANDLE);
	assert_int_equal(s.n_closed, 0); /* never from inside a call */
	pu_loop_uv_leave(s.loop);
	assert_int_equal(s.n_closed, 1);
	assert_int_equal(s.last_err, PU_ERESET);
	pu_loop_uv_run(s.uv);
	pthread_join(th, NULL);
	if (c.failure)
		fail_msg("%s", c.failure);
	pu_flow_table_stats(s.table, &stats);
	assert_int_equal(stats.n_flows, 0);
	server_stop(&s);
}

static const char *too_many(struct client *c)
{
	int fd[3];

	for (int i = 0; i < 2; i++) {
		fd[i] = try_connect(AF_INET, PORT_ECHO);
		if (fd[i] < 0)
			return failed(c, "connect");
	}
	if (try_connect(AF_INET, PORT_ECHO) >= 0 || errno != ECONNREFUSED)
		return "the third flow was not refused";
	close(fd[0]);
	usleep(50000);
	fd[2] = try_connect(AF_INET, PORT_ECHO);
	if (fd[2] < 0)
		return failed(c, "connect after one has gone");
	close(fd[1]);
	close(fd[2]);
	return NULL;
}

static void the_number_of_flows_is_bounded(void **state)
{
	const struct pu_flow_limits limits = { .max_flows = 2 };
	struct pu_flow_stats stats;
	struct server s;

	if (skip_reason)
		skip();
	server_start(&s, &limits);
	run_with(&s, too_many, AF_INET);
	pu_flow_table_stats(s.table, &stats);
	assert_int_equal(stats.refused_limit, 1);
	assert_int_equal(stats.accepted, 3);
	server_stop(&s);
}

static const char *stray(struct client *c)
{
	int fd = try_connect(AF_INET, PORT_ECHO);
	char b[4];

	if (fd < 0 || send_all(fd, "ping", 4) < 0 || recv_all(fd, b, 4) != 4)
		return failed(c, "echo");
	uv_async_send(&c->s->done);
	usleep(200000); /* the server has been replaced */
	if (send_all(fd, "ping", 4) < 0)
		return failed(c, "send");
	if (recv(fd, b, 4, 0) != -1 || errno != ECONNRESET)
		return failed(c, "a stray segment was not answered with a reset");
	close(fd);
	return NULL;
}

static void a_segment_of_no_flow_is_answered_with_a_reset(void **state)
{
	struct client c = { .run = stray };
	struct server s;
	pthread_t th;
	int flags;

	if (skip_reason)
		skip();
	server_start(&s, NULL);
	c.s = &s;
	assert_int_equal(pthread_create(&th, NULL, client_main, &c), 0);
	pu_loop_uv_run(s.uv);
	/* The resets of the old table get lost. */
	flags = device.fd;
	device.fd = -1;
	pu_flow_table_free(s.table);
	device.fd = flags;
	assert_int_equal(pu_flow_table_new(s.loop, &device, &events, &s, NULL, &s.table), 0);
	pu_loop_uv_run(s.uv);
	pthread_join(th, NULL);
	if (c.failure)
		fail_msg("%s", c.failure);
	assert_int_equal(s.n_syn, 1);
	server_stop(&s);
}

static const char *quiet(struct client *c)
{
	int fd = try_connect(AF_INET, PORT_ECHO);
	char b[4];

	if (fd < 0 || send_all(fd, "ping", 4) < 0 || recv_all(fd, b, 4) != 4)
		return failed(c, "echo");
	usleep(700000);
	uv_async_send(&c->s->done);
	usleep(100000);
	close(fd);
	return NULL;
}

static void an_idle_flow_wakes_nobody(void **state)
{
	struct client c = { .run = quiet };
	struct server s;
	pthread_t th;

	if (skip_reason)
		skip();
	server_start(&s, NULL);
	c.s = &s;
	assert_int_equal(pthread_create(&th, NULL, client_main, &c), 0);
	pu_loop_uv_run(s.uv);
	/* What is left is the sweep after minutes. */
	assert_true(pu_loop_next_timeout(s.loop) > pu_clock_monotonic() + PU_SEC(60));
	pu_loop_uv_run(s.uv);
	pthread_join(th, NULL);
	if (c.failure)
		fail_msg("%s", c.failure);
	server_stop(&s);
}

/* software_test.c includes this file and says false. */
#ifndef CHECKSUMS_BYPASSED
#define CHECKSUMS_BYPASSED true
#endif

static void the_start_up_probe_tells_how_it_was_linked(void **state)
{
	struct pu_flow_stats stats;
	struct server s;

	if (skip_reason)
		skip();
	server_start(&s, NULL);
	pu_flow_table_stats(s.table, &stats);
	assert_int_equal(stats.checksum_bypass, CHECKSUMS_BYPASSED);
	server_stop(&s);
}

static int setup(void **state)
{
	skip_reason = pu_tunlab_enter();
	if (skip_reason) {
		fprintf(stderr, "skipped: %s\n", skip_reason);
		return 0;
	}
	skip_reason = pu_tunlab_open(&device, "puflow", MTU);
	if (skip_reason)
		fprintf(stderr, "failed: %s\n", skip_reason);
	return skip_reason ? -1 : 0;
}

static int teardown(void **state)
{
	pu_tun_device_close(&device);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_start_up_probe_tells_how_it_was_linked),
		cmocka_unit_test(a_service_answers),
		cmocka_unit_test(a_refusal_looks_refused),
		cmocka_unit_test(connect_returns_when_the_service_has_answered),
		cmocka_unit_test(a_hundred_megabytes_go_up),
		cmocka_unit_test(a_hundred_megabytes_come_down),
		cmocka_unit_test(a_slow_owner_slows_the_program_down),
		cmocka_unit_test(a_slow_program_gets_everything_after_close),
		cmocka_unit_test(a_closed_service_is_closed),
		cmocka_unit_test(a_reset_goes_to_the_program),
		cmocka_unit_test(a_reset_goes_to_the_service),
		cmocka_unit_test(two_hundred_flows_are_kept_apart),
		cmocka_unit_test(a_peer_that_goes_away_takes_its_flows_along),
		cmocka_unit_test(the_number_of_flows_is_bounded),
		cmocka_unit_test(a_segment_of_no_flow_is_answered_with_a_reset),
		cmocka_unit_test(an_idle_flow_wakes_nobody),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
