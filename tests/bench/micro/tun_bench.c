/* What the packet side costs: single steps in memory, and kernel TCP between two TUN
 * devices bridged in this process (needs the right to make network namespaces).
 * One line of JSON per figure. Usage: tun_bench [seconds] */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/wire.h"
#include "support/craft.h"
#include "support/tun_pair.h"
#include "tun/cut.h"
#include "tun/vmap.h"

enum { PORT = 5201 };

static uint8_t frame[PU_TUN_FRAME_MAX], packet[PU_TUN_FRAME_MAX];
static struct tun_pair pair;

static double seconds(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void report_ns(const char *what, double start, double n)
{
	printf("{\"what\": \"%s\", \"ns\": %.1f}\n", what,
	       (seconds(CLOCK_MONOTONIC) - start) * 1e9 / n);
}

/* So that the compiler cannot leave out what made the value. */
static void used(uint64_t value)
{
	__asm__ volatile("" : : "r"(value));
}

static void bench_checksum(void)
{
	enum { N = 500000, LEN = 1400 };
	uint64_t keep = 0;
	double t = seconds(CLOCK_MONOTONIC);

	for (int i = 0; i < N; i++)
		keep += pu_csum_add(0, frame + i % 16 * 2, LEN);
	report_ns("checksum of 1400 bytes", t, N);
	used(keep);
	t = seconds(CLOCK_MONOTONIC);
	for (int i = 0; i < N / 10; i++)
		keep += craft_sum(0, frame + i % 16 * 2, LEN);
	report_ns("checksum of 1400 bytes, simple loop", t, N / 10.0);
	used(keep);
}

static const struct craft bulk = { .version = 4, .proto = CRAFT_TCP, .src = 1, .dst = 2,
				   .tcp_flags = 0x10, .tcp_options = 12, .df = true,
				   .payload = 60000 };

static void bench_parse_rewrite(void)
{
	enum { N = 2000000 };
	static const struct pu_ip to[] = { { 4, { 10, 1, 1, 1 } }, { 4, { 10, 2, 2, 2 } } };
	struct craft c = bulk;
	struct pu_packet k;
	size_t len;
	double t;

	c.payload = 1300;
	len = craft_packet(packet, &c);
	t = seconds(CLOCK_MONOTONIC);
	for (int i = 0; i < N; i++)
		if (pu_packet_parse(&k, packet, len, len) < 0)
			abort();
	report_ns("parse", t, N);
	t = seconds(CLOCK_MONOTONIC);
	for (int i = 0; i < N; i++)
		pu_packet_rewrite(packet, &k, 0, &to[i & 1], &to[~i & 1]);
	report_ns("rewrite both addresses", t, N);
}

static void bench_cut(void)
{
	enum { N = 20000 };
	static struct pu_tun_cut cut;
	size_t len = craft_frame(frame, &bulk, 1388);
	double t = seconds(CLOCK_MONOTONIC);
	int n = 0;

	for (int i = 0; i < N; i++)
		n += pu_tun_cut_frame(&cut, frame, len);
	report_ns("cut, per packet", t, n);
}

/* Writes go nowhere: what remains is the join itself with its copy. */
static void bench_join(unsigned flags, const char *what)
{
	enum { N = 2000000 };
	struct pu_tun_device sink = { .fd = open("/dev/null", O_WRONLY), .uso = true };
	struct pu_tun_join *j = NULL;
	struct craft c = bulk;
	struct pu_packet k;
	uint16_t pseudo;
	size_t len;
	double t;

	c.payload = 1388;
	len = craft_packet(packet, &c);
	if (pu_tun_join_new(&sink, &j) < 0 || pu_packet_parse(&k, packet, len, len) < 0)
		abort();
	pseudo = pu_csum_fold(pu_csum_pseudo(packet, CRAFT_TCP, len - k.ip_len));
	t = seconds(CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < N; i++) {
		pu_put_be32(packet + 24, i * 1388);
		pu_put_be16(packet + 36, pseudo);
		if (!(flags & PU_PKT_CSUM_PARTIAL))
			pu_packet_complete_checksum(packet, len, pu_bytes(NULL, 0), &k);
		pu_tun_join_add(j, packet, len, flags);
		if (i % 64 == 63)
			pu_tun_join_flush(j);
	}
	report_ns(what, t, N);
	pu_tun_join_free(j);
	pu_tun_device_close(&sink);
}

static void bench_vmap(void)
{
	enum { N = 5000000, PEERS = 1000 };
	struct pu_ip a = { .version = 4, .b = { 10, 64 } };
	struct pu_vmap *m = NULL;
	uint32_t keep = 0;
	double t;

	if (pu_vmap_new(&m) < 0)
		abort();
	for (unsigned i = 0; i < PEERS; i++) {
		pu_put_be16(a.b + 2, (uint16_t)(i * 61));
		pu_vmap_set(m, &a, 32, i + 1);
	}
	t = seconds(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < N; i++) {
		pu_put_be16(a.b + 2, (uint16_t)(i % PEERS * 61));
		keep += pu_vmap_find(m, &a);
	}
	report_ns("vmap, one of 1000 peers", t, N);
	used(keep);
	pu_vmap_free(m);
}

static struct sockaddr_in far_end(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(PORT),
				     .sin_addr.s_addr = htonl(0x0a400102) };
}

static void fill(int fd)
{
	static uint8_t buf[128 * 1024];
	struct sockaddr_in to = far_end();

	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
		while (send(fd, buf, sizeof buf, MSG_NOSIGNAL) > 0)
			;
	_exit(0);
}

/* Discards, and reports what came within the time through a pipe. */
static void drain(int listener, double duration, int report)
{
	static uint8_t buf[256 * 1024];
	int fd = accept(listener, NULL, NULL);
	double start = seconds(CLOCK_MONOTONIC), end = start + duration, bits = 0;
	ssize_t n;

	while (seconds(CLOCK_MONOTONIC) < end && (n = recv(fd, buf, sizeof buf, 0)) > 0)
		bits += 8.0 * (double)n;
	bits /= seconds(CLOCK_MONOTONIC) - start;
	if (write(report, &bits, sizeof bits) < 0)
		_exit(1);
	_exit(0);
}

static int start_load(double duration, pid_t pids[2])
{
	int listener = tun_pair_socket(&pair, 1, AF_INET, SOCK_STREAM), on = 1, report[2];
	int sender = tun_pair_socket(&pair, 0, AF_INET, SOCK_STREAM);
	struct sockaddr_in at = far_end();

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 1) < 0 ||
	    pipe2(report, O_NONBLOCK) < 0)
		abort();
	fflush(stdout);
	pids[0] = fork();
	if (pids[0] == 0)
		drain(listener, duration, report[1]);
	pids[1] = fork();
	if (pids[1] == 0)
		fill(sender);
	close(sender);
	close(listener);
	close(report[1]);
	return report[0];
}

static void bench_bridge(enum tun_pair_mode mode, const char *what, double duration)
{
	const char *why;
	pid_t pids[2];
	double bits = 0, cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	int report;

	if (tun_pair_open(&pair, 1420, &why) < 0) {
		printf("{\"what\": \"%s\", \"skipped\": \"%s\"}\n", what, why);
		return;
	}
	pair.mode = mode;
	report = start_load(duration, pids);
	while (read(report, &bits, sizeof bits) != sizeof bits) {
		struct pollfd pfd[] = { { pair.side[0].dev.fd, POLLIN, 0 },
					{ pair.side[1].dev.fd, POLLIN, 0 } };

		if (tun_pair_move(&pair, 0) + tun_pair_move(&pair, 1) == 0)
			poll(pfd, 2, 10);
	}
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("{\"what\": \"%s\", \"mbit_s\": %.0f, \"bridge_cpu_s_per_gib\": %.2f}\n", what,
	       bits / 1e6, cpu / (bits * duration / 8 / (1 << 30)));
	for (int i = 0; i < 2; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	close(report);
	tun_pair_close(&pair);
}

int main(int argc, char **argv)
{
	double duration = argc > 1 ? atof(argv[1]) : 3;

	bench_checksum();
	bench_parse_rewrite();
	bench_cut();
	bench_join(PU_PKT_CSUM_PARTIAL, "join, partial checksum, per packet");
	bench_join(0, "join, checksum made and verified, per packet");
	bench_vmap();
	if (duration > 0) {
		bench_bridge(TUN_PAIR_WHOLE, "TUN to TUN, whole frames", duration);
		bench_bridge(TUN_PAIR_CUT_JOIN, "TUN to TUN, cut and joined", duration);
		bench_bridge(TUN_PAIR_COMPLETE, "TUN to TUN, cut and joined, checksums made",
			     duration);
		bench_bridge(TUN_PAIR_SINGLE, "TUN to TUN, cut, not joined", duration);
	}
	return 0;
}
