/* The kernel's own opinion: devices, offloads and answers on real TUN interfaces in
 * namespaces of our own. Skipped where that is not permitted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "support/craft.h"
#include "support/tun_pair.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum { PORT = 4711, BULK = 4 << 20, PATIENCE_MS = 5000 };

static struct tun_pair pair;
static const char *why_not;

static int set_up(void **state)
{
	tun_pair_open(&pair, 1400, &why_not);
	return 0;
}

static int tear_down(void **state)
{
	tun_pair_close(&pair);
	return 0;
}

static void need_pair(void)
{
	if (pair.side[1].join)
		return;
	print_message("skipped: %s\n", why_not);
	skip();
}

static socklen_t address(struct sockaddr_storage *ss, int family, unsigned side)
{
	struct sockaddr_in6 *s6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *s4 = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof *ss);
	ss->ss_family = (sa_family_t)family;
	s4->sin_port = htons(PORT); /* the same place in both */
	if (family == AF_INET) {
		s4->sin_addr.s_addr = htonl(0x0a400101 + side);
		return sizeof *s4;
	}
	s6->sin6_addr.s6_addr[0] = 0xfd;
	s6->sin6_addr.s6_addr[15] = (uint8_t)(1 + side);
	return sizeof *s6;
}

static int bound(unsigned side, int family, int type)
{
	int fd = tun_pair_socket(&pair, side, family, type | SOCK_NONBLOCK), on = 1;
	struct sockaddr_storage ss;
	socklen_t len = address(&ss, family, side);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

/* Towards side 1, which need not be there yet. */
static int connecting(int family, int type)
{
	int fd = tun_pair_socket(&pair, 0, family, type | SOCK_NONBLOCK);
	struct sockaddr_storage ss;
	socklen_t len = address(&ss, family, 1);

	assert_true(fd >= 0);
	assert_true(connect(fd, (struct sockaddr *)&ss, len) == 0 || errno == EINPROGRESS);
	return fd;
}

static void move_both(void)
{
	assert_true(tun_pair_move(&pair, 0) >= 0);
	assert_true(tun_pair_move(&pair, 1) >= 0);
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + (i >> 9));
}

static size_t send_some(int fd, size_t from)
{
	static uint8_t buf[256 * 1024];
	size_t n = pu_min(sizeof buf, BULK - from);
	ssize_t r;

	for (size_t i = 0; i < n; i++)
		buf[i] = pattern(from + i);
	r = send(fd, buf, n, MSG_NOSIGNAL);
	return r > 0 ? (size_t)r : 0;
}

static size_t receive_some(int fd, size_t from)
{
	static uint8_t buf[256 * 1024];
	ssize_t r = recv(fd, buf, sizeof buf, 0);

	for (ssize_t i = 0; i < r; i++)
		if (buf[i] != pattern(from + (size_t)i))
			fail_msg("byte %zu is wrong", from + (size_t)i);
	return r > 0 ? (size_t)r : 0;
}

static void tcp_bulk(int family, enum tun_pair_mode mode)
{
	int listener = bound(1, family, SOCK_STREAM), out, in = -1;
	size_t sent = 0, received = 0;
	struct pu_tun_join_stats s;

	pair.mode = mode;
	assert_int_equal(listen(listener, 1), 0);
	out = connecting(family, SOCK_STREAM);
	for (int turn = 0; received < BULK; turn++) {
		assert_true(turn < 200000);
		move_both();
		if (in < 0)
			in = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		if (sent < BULK)
			sent += send_some(out, sent);
		if (in >= 0)
			received += receive_some(in, received);
	}
	pu_tun_join_stats(pair.side[1].join, &s);
	if (mode != TUN_PAIR_WHOLE) {
		assert_true(pair.packets[0] > BULK / 1400);
		assert_true(s.frames < s.packets / 4);
		assert_int_equal(s.dropped, 0);
	}
	close(out);
	close(in);
	close(listener);
}

static void tcp4_survives_cut_and_join(void **state)
{
	need_pair();
	tcp_bulk(AF_INET, TUN_PAIR_CUT_JOIN);
}

static void tcp6_survives_cut_and_join(void **state)
{
	need_pair();
	tcp_bulk(AF_INET6, TUN_PAIR_CUT_JOIN);
}

static void tcp_survives_with_complete_checksums(void **state)
{
	need_pair();
	tcp_bulk(AF_INET, TUN_PAIR_COMPLETE);
	tcp_bulk(AF_INET6, TUN_PAIR_COMPLETE);
}

static void udp_segments_arrive_one_by_one(void **state)
{
	static uint8_t buf[60000];
	int in, out, each = 1200, total = 0, big = 4 << 20;
	struct pu_tun_join_stats s;

	need_pair();
	pair.mode = TUN_PAIR_CUT_JOIN;
	for (size_t i = 0; i < sizeof buf; i++)
		buf[i] = pattern(i);
	in = bound(1, AF_INET, SOCK_DGRAM);
	setsockopt(in, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
	out = connecting(AF_INET, SOCK_DGRAM);
	if (setsockopt(out, SOL_UDP, UDP_SEGMENT, &each, sizeof each) < 0)
		skip();
	assert_int_equal(send(out, buf, 48000, 0), 48000);
	move_both();
	for (ssize_t n; (n = recv(in, buf, sizeof buf, 0)) > 0; total++) {
		assert_int_equal(n, each);
		for (int i = 0; i < n; i++)
			assert_int_equal(buf[i], pattern((size_t)(total * each + i)));
	}
	assert_int_equal(total, 40);
	pu_tun_join_stats(pair.side[1].join, &s);
	if (pair.side[1].dev.uso)
		assert_true(s.frames < 10);
	close(in);
	close(out);
}

/* Reads frames of side 0 until one is TCP or UDP. */
static void next_frame(struct pu_tun_frame *f)
{
	struct pollfd pfd = { .fd = pair.side[0].dev.fd, .events = POLLIN };

	for (;;) {
		int n = pu_tun_device_read(&pair.side[0].dev, pair.frame, sizeof pair.frame);

		if (n == PU_EAGAIN) {
			assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
			continue;
		}
		assert_true(n > 0);
		assert_int_equal(pu_tun_frame_parse(f, pair.frame, (size_t)n), 0);
		if (f->info.dport == PORT)
			return;
	}
}

static int socket_error(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int err = 0;

	assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	return err;
}

static struct pu_ip far_address(int family)
{
	struct pu_ip a = pu_ip4("\x0a\x40\x01\x02");

	if (family == AF_INET6)
		a = (struct pu_ip){ .version = 6, .b = { 0xfd, [15] = 2 } };
	return a;
}

static void refused_syn_looks_refused(void **state)
{
	need_pair();
	for (int family = AF_INET; family != 0; family = family == AF_INET ? AF_INET6 : 0) {
		int fd = connecting(family, SOCK_STREAM);
		struct pu_tun_frame f;

		next_frame(&f);
		assert_int_equal(pu_tun_answer_refuse(&pair.side[0].dev, &f), 0);
		assert_int_equal(socket_error(fd), ECONNREFUSED);
		close(fd);
	}
}

static void unreachable_host_looks_unreachable(void **state)
{
	struct pu_icmp_limit limit = { 0 };

	need_pair();
	for (int family = AF_INET; family != 0; family = family == AF_INET ? AF_INET6 : 0) {
		int fd = connecting(family, SOCK_STREAM);
		struct pu_ip from = far_address(family);
		struct pu_tun_frame f;

		next_frame(&f);
		assert_int_equal(pu_tun_answer_error(&pair.side[0].dev, &limit, 1, &f,
						     PU_ICMP_HOST_UNREACHABLE, 0, &from),
				 0);
		assert_int_equal(socket_error(fd), EHOSTUNREACH);
		close(fd);
	}
}

static void kernel_learns_the_mtu_from_too_big(void **state)
{
	struct pu_icmp_limit limit = { 0 };

	need_pair();
	for (int family = AF_INET; family != 0; family = family == AF_INET ? AF_INET6 : 0) {
		int fd = connecting(family, SOCK_DGRAM), on = IP_PMTUDISC_DO, mtu = 0;
		bool v4 = family == AF_INET;
		socklen_t len = sizeof mtu;
		struct pu_ip from = far_address(family);
		struct pu_tun_frame f;
		uint8_t buf[1340] = { 0 };

		if (v4)
			setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &on, sizeof on);
		else
			setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &on, sizeof on);
		assert_int_equal(send(fd, buf, sizeof buf, 0), sizeof buf);
		next_frame(&f);
		assert_int_equal(pu_tun_answer_error(&pair.side[0].dev, &limit, 1, &f,
						     PU_ICMP_TOO_BIG, 1300, &from),
				 0);
		assert_int_equal(socket_error(fd), EMSGSIZE);
		if (v4)
			getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len);
		else
			getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &len);
		assert_int_equal(mtu, 1300);
		close(fd);
	}
}

static void names_that_cannot_be_had_are_told_apart(void **state)
{
	struct pu_tun_device d = { .fd = -7 };

	need_pair();
	assert_int_equal(pu_tun_device_open(&d, "side1"), PU_EEXIST);
	assert_int_equal(pu_tun_device_open(&d, "lo"), PU_EEXIST);
	assert_int_equal(pu_tun_device_open(&d, ""), PU_EINVAL);
	assert_int_equal(pu_tun_device_open(&d, "name-of-16-bytes"), PU_EINVAL);
	assert_int_equal(pu_tun_device_open(&d, "a/b"), PU_EINVAL);
	assert_int_equal(d.fd, -7);
	assert_int_equal(pu_tun_device_open(&d, "fifteen-letters"), 0);
	assert_string_equal(d.name, "fifteen-letters");
	pu_tun_device_close(&d);
	assert_int_equal(d.fd, -1);
	assert_int_equal(pu_tun_device_open(&d, "fifteen-letters"), 0);
	pu_tun_device_close(&d);
}

static void device_that_is_down_takes_no_frame(void **state)
{
	struct craft c = { .version = 4, .proto = CRAFT_UDP, .src = 9, .dst = 8 };
	struct pu_tun_device d;
	uint8_t ip[64];

	need_pair();
	assert_int_equal(pu_tun_device_open(&d, "idle"), 0);
	assert_int_equal(pu_tun_write_packet(&d, ip, craft_packet(ip, &c)), PU_EIO);
	pu_tun_device_close(&d);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(tcp4_survives_cut_and_join),
		T(tcp6_survives_cut_and_join),
		T(tcp_survives_with_complete_checksums),
		T(udp_segments_arrive_one_by_one),
		T(refused_syn_looks_refused),
		T(unreachable_host_looks_unreachable),
		T(kernel_learns_the_mtu_from_too_big),
		T(names_that_cannot_be_had_are_told_apart),
		T(device_that_is_down_takes_no_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
