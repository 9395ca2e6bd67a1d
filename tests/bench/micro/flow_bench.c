/* Throughput and latency of flows: a kernel socket on one side, the owner's callbacks
 * on the other, a TUN device in a namespace of its own between them.
 *
 *   flow_bench [seconds per row]
 *
 * One JSON line per row: direction, parallel flows, IP version, Mbit/s, CPU seconds per
 * GiB of both sides together. The last row is the round trip of one byte. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/loop_uv.h"
#include "support/tunlab.h"
#include "tun/flow/flow.h"
#include "tun/frame.h"

enum { PORT_SINK = 9, PORT_SOURCE = 19, PORT_ECHO = 7, FLOWS_MAX = 64, CHUNK = 256 << 10 };

static struct pu_tun_device device;
static struct pu_loop_uv *uv;
static struct pu_loop *loop;
static struct pu_flow_table *table;
static uv_async_t done;
static uint8_t chunk[CHUNK];
static _Atomic uint64_t bytes_up, bytes_down, frames;

static uint16_t port_of(void *arg)
{
	return (uint16_t)(uintptr_t)arg;
}

static void pump(struct pu_flow *f)
{
	while (pu_flow_write(f, chunk, sizeof chunk) == sizeof chunk)
		;
}

static void on_syn(void *arg, struct pu_flow *f, uint32_t handle, uint16_t port)
{
	pu_flow_set_arg(f, (void *)(uintptr_t)port);
	pu_flow_accept(f);
	if (port == PORT_SOURCE)
		pump(f);
}

static size_t on_recv(void *arg, struct pu_flow *f, const uint8_t *p, size_t len)
{
	if (port_of(arg) == PORT_ECHO)
		return pu_flow_write(f, p, len);
	bytes_up += len;
	return len;
}

static void on_eof(void *arg, struct pu_flow *f)
{
	pu_flow_close(f);
}

static void on_writable(void *arg, struct pu_flow *f)
{
	if (port_of(arg) == PORT_SOURCE)
		pump(f);
	else
		pu_flow_resume(f);
}

static void on_closed(void *arg, struct pu_flow *f, int err)
{
}

static const struct pu_flow_events events = { on_syn, on_recv, on_eof, on_writable, on_closed };

static void on_readable(uv_poll_t *h, int status, int what)
{
	static uint8_t frame[PU_TUN_FRAME_MAX];
	struct pu_tun_frame f;
	int n;

	pu_loop_uv_enter(loop);
	for (int i = 0; i < 64 && (n = pu_tun_device_read(&device, frame, sizeof frame)) > 0; i++) {
		frames++;
		if (pu_tun_frame_parse(&f, frame, (size_t)n) == 0 && f.info.proto == IPPROTO_TCP)
			pu_flow_table_input(table, frame, (size_t)n, &f.info, 1);
	}
	pu_loop_uv_leave(loop);
}

static void on_done(uv_async_t *h)
{
	pu_loop_uv_stop(uv);
}

static int dial(int family, uint16_t port)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, r;

	inet_pton(AF_INET, "10.64.7.7", &a4.sin_addr);
	inet_pton(AF_INET6, "fd00:64::7:7", &a6.sin6_addr);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	r = family == AF_INET ? connect(fd, (struct sockaddr *)&a4, sizeof a4) :
				connect(fd, (struct sockaddr *)&a6, sizeof a6);
	if (r < 0) {
		perror("connect");
		exit(1);
	}
	return fd;
}

struct row {
	int family, n_flows;
	uint16_t port;
	double seconds;
};

static double now_s(void)
{
	return (double)pu_clock_monotonic() / 1e9;
}

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* One thread moves the bytes of all sockets, so that the machine's cores are used as
 * a program and the daemon would use them. */
static void move(const int *fd, int n, uint16_t port, double until)
{
	short want = port == PORT_SINK ? POLLOUT : POLLIN;
	struct pollfd p[FLOWS_MAX];
	static uint8_t b[CHUNK];

	for (int i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = fd[i], .events = want };
	while (now_s() < until) {
		poll(p, (nfds_t)n, 100);
		for (int i = 0; i < n; i++) {
			ssize_t r = 0;

			if (p[i].revents & POLLOUT)
				r = send(fd[i], b, sizeof b, MSG_DONTWAIT);
			else if (p[i].revents & POLLIN)
				r = recv(fd[i], b, sizeof b, MSG_DONTWAIT);
			if (r > 0 && port == PORT_SOURCE)
				bytes_down += (uint64_t)r;
		}
	}
}

static void throughput(const struct row *row)
{
	uint64_t before, after, n_frames;
	double start, cpu, took;
	int fd[FLOWS_MAX];

	for (int i = 0; i < row->n_flows; i++)
		fd[i] = dial(row->family, row->port);
	move(fd, row->n_flows, row->port, now_s() + 0.2);
	before = bytes_up + bytes_down;
	n_frames = frames;
	start = now_s();
	cpu = cpu_s();
	move(fd, row->n_flows, row->port, start + row->seconds);
	after = bytes_up + bytes_down;
	n_frames = frames - n_frames;
	took = now_s() - start;
	cpu = cpu_s() - cpu;
	printf("{\"row\":\"%s\",\"flows\":%d,\"ip\":%d,\"mbit_s\":%.0f,\"cpu_s_per_gib\":%.2f,"
	       "\"bytes_per_frame_read\":%llu}\n",
	       row->port == PORT_SINK ? "to_service" : "from_service", row->n_flows,
	       row->family == AF_INET ? 4 : 6, (double)(after - before) * 8 / took / 1e6,
	       cpu / ((double)(after - before) / (1u << 30)),
	       (unsigned long long)((after - before) / (n_frames ? n_frames : 1)));
	fflush(stdout);
	for (int i = 0; i < row->n_flows; i++) {
		struct linger l = { .l_onoff = 1 };

		setsockopt(fd[i], SOL_SOCKET, SO_LINGER, &l, sizeof l);
		close(fd[i]);
	}
}

static void latency(double seconds)
{
	int fd = dial(AF_INET, PORT_ECHO);
	double start = now_s();
	uint64_t n = 0;
	char b = 0;

	while (now_s() < start + seconds) {
		if (send(fd, &b, 1, 0) != 1 || recv(fd, &b, 1, 0) != 1)
			exit(1);
		n++;
	}
	printf("{\"row\":\"round_trip\",\"us\":%.1f}\n", (now_s() - start) * 1e6 / (double)n);
	close(fd);
}

static void *program(void *arg)
{
	double seconds = *(double *)arg;
	const struct row rows[] = {
		{ AF_INET, 1, PORT_SINK, seconds },    { AF_INET, 1, PORT_SOURCE, seconds },
		{ AF_INET6, 1, PORT_SINK, seconds },   { AF_INET6, 1, PORT_SOURCE, seconds },
		{ AF_INET, 50, PORT_SINK, seconds },   { AF_INET, 50, PORT_SOURCE, seconds },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(rows); i++)
		throughput(&rows[i]);
	latency(seconds);
	uv_async_send(&done);
	return NULL;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 3;
	const char *why = pu_tunlab_enter();
	struct pu_flow_stats stats;
	uv_poll_t poll;
	pthread_t th;

	if (!why)
		why = pu_tunlab_open(&device, "pubench", 1400);
	if (why) {
		fprintf(stderr, "flow_bench: %s\n", why);
		return 1;
	}
	if (pu_loop_uv_new(&uv) < 0)
		return 1;
	loop = pu_loop_uv_loop(uv);
	if (pu_flow_table_new(loop, &device, &events, NULL, NULL, &table) < 0)
		return 1;
	pu_flow_table_stats(table, &stats);
	printf("{\"row\":\"setup\",\"checksum_bypass\":%s}\n",
	       stats.checksum_bypass ? "true" : "false");
	uv_poll_init(pu_loop_uv_of(loop), &poll, device.fd);
	uv_poll_start(&poll, UV_READABLE, on_readable);
	uv_async_init(pu_loop_uv_of(loop), &done, on_done);
	if (pthread_create(&th, NULL, program, &seconds) != 0)
		return 1;
	pu_loop_uv_run(uv);
	pthread_join(th, NULL);
	pu_flow_table_free(table);
	uv_close((uv_handle_t *)&poll, NULL);
	uv_close((uv_handle_t *)&done, NULL);
	pu_loop_uv_free(uv);
	pu_tun_device_close(&device);
	return 0;
}
