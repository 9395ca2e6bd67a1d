/* Multicast sockets on real interfaces, in a network namespace of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/loop_uv.h"
#include "p2p/transport/net_uv.h"
#include "support/netns.h"

enum { PORT = 5353 };

static struct pu_loop_uv *uv;
static struct pu_loop *loop;
static struct pu_net *net[2]; /* two programs */

struct sink {
	struct pu_udp *u;
	unsigned n;
	char last[64];
	union pu_sockaddr from;
};

static void on_recv(void *arg, const struct pu_dgrams *d, size_t n)
{
	struct sink *s = arg;

	s->n += (unsigned)n;
	memset(s->last, 0, sizeof s->last);
	memcpy(s->last, d[n - 1].p, pu_min(d[n - 1].len, sizeof s->last - 1));
	s->from = d[n - 1].remote;
}

static const struct pu_udp_events events = { .on_recv = on_recv };

static void stop(void *arg)
{
	pu_loop_uv_stop(uv);
}

static void run(unsigned ms)
{
	struct pu_timer t;

	pu_timer_init(&t, loop, stop, NULL);
	pu_loop_uv_enter(loop);
	pu_timer_set(&t, pu_loop_now(loop) + PU_MS(ms));
	pu_loop_uv_leave(loop);
	pu_loop_uv_run(uv);
	pu_timer_stop(&t);
}

static union pu_sockaddr addr(const char *ip, uint16_t port)
{
	union pu_sockaddr sa;

	memset(&sa, 0, sizeof sa);
	if (inet_pton(AF_INET, ip, &sa.v4.sin_addr) == 1)
		sa.sa.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, ip, &sa.v6.sin6_addr) == 1)
		sa.sa.sa_family = AF_INET6;
	else
		fail();
	sa.v4.sin_port = htons(port);
	return sa;
}

static union pu_sockaddr group_for(const char *iface)
{
	return strchr(iface, ':') ? addr("ff02::fb", PORT) : addr("224.0.0.251", PORT);
}

static int open_on(int program, const char *iface, struct sink *s)
{
	union pu_sockaddr group = group_for(iface), sa = addr(iface, 0);

	memset(s, 0, sizeof *s);
	return net[program]->ops->mcast_open(net[program], &group, &sa, &events, s, &s->u);
}

static void say(struct sink *s, union pu_sockaddr to, const char *text)
{
	struct pu_dgrams d = { .remote = to, .p = (const uint8_t *)text, .len = strlen(text),
			       .segment = strlen(text) };

	assert_int_equal(net[0]->ops->udp_send(s->u, &d), 0);
}

static int setup(void **state)
{
	if (!netns_enter() ||
	    netns_run("ip link add left type veth peer name left2 && ip link set left up && "
		      "ip link set left2 up && ip addr add 10.77.0.1/24 dev left && "
		      "ip addr add 10.77.0.2/24 dev left && "
		      "ip addr add fd00:77::1/64 dev left nodad && "
		      "ip link add right type veth peer name right2 && ip link set right up && "
		      "ip link set right2 up && ip addr add 10.78.0.1/24 dev right && "
		      "ip addr add fd00:78::1/64 dev right nodad && sleep 0.1") != 0)
		return 0;
	if (pu_loop_uv_new(&uv) < 0)
		return -1;
	loop = pu_loop_uv_loop(uv);
	return pu_net_uv_new(loop, &net[0]) < 0 || pu_net_uv_new(loop, &net[1]) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	pu_net_uv_free(net[0]);
	pu_net_uv_free(net[1]);
	if (uv)
		pu_loop_uv_free(uv);
	return 0;
}

static void need_interfaces(void)
{
	if (!uv)
		skip();
}

static void programs_on_one_interface_hear_each_other(void **state)
{
	static const char *const left[] = { "10.77.0.1", "fd00:77::1" };
	static const char *const right[] = { "10.78.0.1", "fd00:78::1" };

	need_interfaces();
	for (int i = 0; i < 2; i++) {
		struct sink a, b, far;
		union pu_sockaddr local, wanted;

		assert_int_equal(open_on(0, left[i], &a), 0);
		assert_int_equal(open_on(1, left[i], &b), 0);
		assert_int_equal(open_on(1, right[i], &far), 0);
		net[0]->ops->udp_local(a.u, &local);
		wanted = addr(left[i], PORT);
		assert_true(pu_sockaddr_eq(&local, &wanted));
		say(&a, group_for(left[i]), "hello");
		run(100);
		assert_int_equal(a.n, 1); /* itself */
		assert_int_equal(b.n, 1);
		assert_string_equal(b.last, "hello");
		assert_int_equal(ntohs(b.from.v4.sin_port), PORT);
		assert_int_equal(far.n, 0);
		net[0]->ops->udp_close(a.u);
		net[1]->ops->udp_close(b.u);
		net[1]->ops->udp_close(far.u);
	}
}

static void an_interface_has_one_socket_and_must_exist(void **state)
{
	struct sink a, b;

	need_interfaces();
	assert_int_equal(open_on(0, "10.77.0.1", &a), 0);
	assert_int_equal(open_on(0, "10.77.0.2", &b), PU_EEXIST);
	assert_int_equal(open_on(0, "10.99.0.1", &b), PU_EUNREACH);
	assert_int_equal(open_on(0, "127.0.0.1", &b), PU_EUNREACH);
	net[0]->ops->udp_close(a.u);
	assert_int_equal(open_on(0, "10.77.0.2", &b), 0);
	net[0]->ops->udp_close(b.u);
}

static unsigned number_of(const char *ip)
{
	union pu_sockaddr sa = addr(ip, 0);

	return net[0]->ops->interface_of(net[0], &sa);
}

static void addresses_of_one_interface_are_known_as_such(void **state)
{
	need_interfaces();
	assert_int_not_equal(number_of("10.77.0.1"), 0);
	assert_int_equal(number_of("10.77.0.1"), number_of("10.77.0.2"));
	assert_int_equal(number_of("10.77.0.1"), number_of("fd00:77::1"));
	assert_int_not_equal(number_of("10.77.0.1"), number_of("10.78.0.1"));
	assert_int_not_equal(number_of("127.0.0.1"), 0);
	assert_int_equal(number_of("10.99.0.1"), 0);
}

/* A daemon of the system, say. */
static int other_program(void)
{
	union pu_sockaddr any = addr("0.0.0.0", PORT);
	struct ip_mreqn mr = { .imr_multiaddr = group_for("").v4.sin_addr };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1;

	inet_pton(AF_INET, "10.77.0.1", &mr.imr_address);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
	assert_int_equal(bind(fd, &any.sa, sizeof any.v4), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mr, sizeof mr), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &one, sizeof one), 0);
	return fd;
}

static int ttl_of_next(int fd)
{
	union {
		struct cmsghdr align;
		char b[64];
	} control;
	char b[64];
	struct iovec iov = { b, sizeof b };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof control };
	int ttl = -1;

	assert_true(recvmsg(fd, &m, MSG_DONTWAIT) > 0);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL)
			memcpy(&ttl, CMSG_DATA(c), sizeof ttl);
	return ttl;
}

static void what_is_for_other_programs_stays_theirs(void **state)
{
	int fd, from;
	union pu_sockaddr to = addr("10.77.0.1", PORT);
	struct sink a;

	need_interfaces();
	fd = other_program();
	assert_int_equal(open_on(0, "10.77.0.1", &a), 0);
	say(&a, group_for(""), "to all");
	run(50);
	assert_int_equal(ttl_of_next(fd), 255);
	from = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(sendto(from, "to one", 6, 0, &to.sa, sizeof to.v4), 6);
	run(50);
	assert_int_equal(a.n, 1); /* itself only */
	assert_true(ttl_of_next(fd) > 0);
	/* And an answer to one asker leaves with our port and full hop limit. */
	say(&a, to, "alone");
	run(50);
	assert_int_equal(ttl_of_next(fd), 255);
	close(from);
	close(fd);
	net[0]->ops->udp_close(a.u);
	run(10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_on_one_interface_hear_each_other),
		cmocka_unit_test(an_interface_has_one_socket_and_must_exist),
		cmocka_unit_test(addresses_of_one_interface_are_known_as_such),
		cmocka_unit_test(what_is_for_other_programs_stays_theirs),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
