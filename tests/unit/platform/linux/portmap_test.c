/* Port mapping with a gateway on loopback that is a thread of this test. */
#include "platform/portmap.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop_uv.h"
#include "base/wire.h"
#include "platform/linux/portmap_job.h"
#include "support/netns.h"

enum manner { PCP, PCP_DENIES, PCP_WRONG_NONCE, PCP_GARBAGE, NATPMP, NATPMP_DENIES, SILENT };

struct gateway {
	enum manner manner;
	int fd;
	pthread_t thread;
	atomic_uint pcp, natpmp; /* requests heard */
	uint32_t last_lifetime;
};

static bool allowed;

static int enter(void **state)
{
	allowed = netns_enter();
	return 0;
}

static size_t pcp_answer(struct gateway *g, const uint8_t *in, uint8_t out[64])
{
	g->pcp++;
	g->last_lifetime = pu_get_be32(in + 4);
	memcpy(out, in, 60);
	out[1] |= 0x80;
	out[3] = g->manner == PCP_DENIES ? 2 : 0;
	memset(out + 8, 0, 16);
	pu_put_be16(out + 42, (uint16_t)(pu_get_be16(in + 40) + 10000));
	memcpy(out + 44, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0b\0\0\x07", 16);
	if (g->manner == PCP_WRONG_NONCE)
		out[24] ^= 1;
	return g->manner == PCP_GARBAGE ? 23 : 60;
}

static size_t natpmp_answer(struct gateway *g, const uint8_t *in, uint8_t out[64])
{
	static const uint8_t ip[12] = { 0, 0x80, 0, 0, 0, 0, 0, 1, 11, 0, 0, 8 };

	g->natpmp++;
	if (in[1] == 0) {
		memcpy(out, ip, 12);
		return 12;
	}
	memset(out, 0, 16);
	out[1] = in[1] | 0x80;
	out[3] = g->manner == NATPMP_DENIES ? 2 : 0;
	memcpy(out + 8, in + 4, 2);
	pu_put_be16(out + 10, (uint16_t)(pu_get_be16(in + 4) + 20000));
	g->last_lifetime = pu_get_be32(in + 8);
	memcpy(out + 12, in + 8, 4);
	return 16;
}

static size_t answer(struct gateway *g, const uint8_t *in, ssize_t n, uint8_t out[64])
{
	static const uint8_t too_new[8] = { 0, 0x81, 0, 1 };

	if (g->manner == SILENT || n < 2)
		return 0;
	if (in[0] == 2 && g->manner < NATPMP)
		return pcp_answer(g, in, out);
	if (in[0] == 2) {
		memcpy(out, too_new, sizeof too_new);
		return sizeof too_new;
	}
	return g->manner >= NATPMP ? natpmp_answer(g, in, out) : 0;
}

static void *serve(void *arg)
{
	struct gateway *g = arg;

	for (;;) {
		struct sockaddr_in from;
		socklen_t len = sizeof from;
		uint8_t in[1200], out[64];
		ssize_t n = recvfrom(g->fd, in, sizeof in, 0, (struct sockaddr *)&from, &len);
		size_t m;

		if (n <= 0)
			return NULL;
		m = answer(g, in, n, out);
		if (m > 0)
			assert_true(sendto(g->fd, out, m, 0, (struct sockaddr *)&from, len) > 0);
	}
}

static void gateway_start(struct gateway *g, enum manner manner)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(PU_PCP_PORT),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	memset(g, 0, sizeof *g);
	g->manner = manner;
	g->fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_true(g->fd >= 0);
	assert_int_equal(bind(g->fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(pthread_create(&g->thread, NULL, serve, g), 0);
}

/* An empty datagram ends the thread. */
static void gateway_stop(struct gateway *g)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(PU_PCP_PORT),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	assert_int_equal(sendto(g->fd, "", 0, 0, (struct sockaddr *)&sa, sizeof sa), 0);
	pthread_join(g->thread, NULL);
	close(g->fd);
}

static atomic_bool stop;

static struct pu_linux_portmap_job job(void)
{
	struct pu_linux_portmap_job j = { .n = 2, .stop = &stop };

	j.gateway.s_addr = j.local.s_addr = htonl(INADDR_LOOPBACK);
	j.entry[0].port = j.entry[1].port = 4001;
	j.entry[1].tcp = true;
	memset(j.entry[0].nonce, 7, PU_PCP_NONCE_LEN);
	return j;
}

static void by_pcp(void **state)
{
	struct pu_linux_portmap_job j = job();
	struct gateway g;

	if (!allowed)
		skip();
	gateway_start(&g, PCP);
	assert_int_equal(pu_linux_pcp_run(&j), 0);
	assert_int_equal(g.pcp, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(j.entry[i].external, 14001);
		assert_int_equal(j.entry[i].lifetime_s, PU_PORTMAP_LIFETIME_S);
		assert_int_equal(ntohl(j.entry[i].external_ip.s_addr), 0x0b000007);
	}
	j.remove = true;
	assert_int_equal(pu_linux_pcp_run(&j), 0);
	assert_int_equal(g.last_lifetime, 0);
	assert_int_equal(j.entry[0].lifetime_s, 0);
	gateway_stop(&g);
}

static void gateways_that_do_not_map_by_pcp(void **state)
{
	static const struct {
		enum manner manner;
		int err;
	} cases[] = {
		{ PCP_DENIES, PU_EDENIED },	   { PCP_WRONG_NONCE, PU_ETIMEDOUT },
		{ PCP_GARBAGE, PU_ETIMEDOUT }, { NATPMP, PU_ENOTSUP },
		{ SILENT, PU_ETIMEDOUT },
	};

	if (!allowed)
		skip();
	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		struct pu_linux_portmap_job j = job();
		struct gateway g;

		gateway_start(&g, cases[i].manner);
		assert_int_equal(pu_linux_pcp_run(&j), cases[i].err);
		assert_int_equal(j.entry[0].lifetime_s, 0);
		gateway_stop(&g);
	}
}

static void nobody_listens(void **state)
{
	struct pu_linux_portmap_job j = job();

	if (!allowed)
		skip();
	assert_int_equal(pu_linux_pcp_run(&j), PU_ENOTSUP);
	if (pu_linux_natpmp_built_in)
		assert_int_not_equal(pu_linux_natpmp_run(&j), 0);
}

static void by_nat_pmp(void **state)
{
	struct pu_linux_portmap_job j = job();
	struct gateway g;

	if (!allowed || !pu_linux_natpmp_built_in)
		skip();
	gateway_start(&g, NATPMP);
	assert_int_equal(pu_linux_natpmp_run(&j), 0);
	assert_int_equal(g.natpmp, 3);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(j.entry[i].external, 24001);
		assert_int_equal(j.entry[i].lifetime_s, PU_PORTMAP_LIFETIME_S);
		assert_int_equal(ntohl(j.entry[i].external_ip.s_addr), 0x0b000008);
	}
	j.remove = true;
	assert_int_equal(pu_linux_natpmp_run(&j), 0);
	assert_int_equal(g.last_lifetime, 0);
	gateway_stop(&g);
	gateway_start(&g, NATPMP_DENIES);
	j = job();
	assert_int_equal(pu_linux_natpmp_run(&j), PU_EDENIED);
	gateway_stop(&g);
	gateway_start(&g, SILENT);
	assert_int_equal(pu_linux_natpmp_run(&j), PU_ETIMEDOUT);
	gateway_stop(&g);
}

static void who_is_private(void **state)
{
	static const char *const yes[] = { "10.0.0.1", "172.16.0.1", "172.31.9.9", "192.168.1.1",
					   "169.254.1.1", "100.64.0.1", "100.127.255.255" };
	static const char *const no[] = { "11.0.0.1", "172.32.0.1", "192.169.0.1", "100.128.0.1",
					  "8.8.8.8", "127.0.0.1" };
	struct in_addr ip;

	for (size_t i = 0; i < PU_ARRAY_LEN(yes); i++) {
		inet_pton(AF_INET, yes[i], &ip);
		assert_true(pu_linux_gateway_is_private(ip));
	}
	for (size_t i = 0; i < PU_ARRAY_LEN(no); i++) {
		inet_pton(AF_INET, no[i], &ip);
		assert_false(pu_linux_gateway_is_private(ip));
	}
}

/* The whole thing on a real loop, without a gateway. */

struct run {
	struct pu_loop_uv *driver;
	struct pu_portmap *pm;
	struct pu_timer timer;
	unsigned told, stopped;
	struct pu_portmap_status st;
};

static void on_mappings(void *arg, const struct pu_portmap_mapping *m, size_t n)
{
	((struct run *)arg)->told++;
}

static void on_stopped(void *arg)
{
	struct run *r = arg;

	r->stopped++;
	pu_portmap_free(r->pm);
	pu_loop_uv_stop(r->driver);
}

static void end(void *arg)
{
	struct run *r = arg;

	pu_portmap_status(r->pm, &r->st);
	pu_portmap_stop(r->pm, on_stopped, r);
}

static void run_for(struct run *r, unsigned ms)
{
	static const struct pu_portmap_events events = { .on_mappings = on_mappings };
	static const struct pu_portmap_port port = { true, 4001 };
	struct pu_loop *loop;

	memset(r, 0, sizeof *r);
	assert_int_equal(pu_loop_uv_new(&r->driver), 0);
	loop = pu_loop_uv_loop(r->driver);
	pu_loop_uv_enter(loop);
	pu_timer_init(&r->timer, loop, end, r);
	pu_timer_set(&r->timer, pu_loop_now(loop) + PU_MS(ms));
	assert_int_equal(pu_portmap_start(loop, &port, 1, &events, r, &r->pm), 0);
	pu_loop_uv_leave(loop);
	assert_int_equal(pu_loop_uv_run(r->driver), 0);
	pu_loop_uv_free(r->driver);
	assert_int_equal(r->told, 0);
	assert_int_equal(r->stopped, 1);
}

static void without_a_gateway_nothing_is_asked(void **state)
{
	struct run r;

	if (!allowed)
		skip();
	run_for(&r, 300);
	assert_int_equal(r.st.err, PU_EUNREACH);
	assert_int_equal(r.st.gateway.family, 0);
	assert_string_equal(r.st.method, "none");
}

/* Also while a silent gateway is being asked. */
static void it_stops_at_any_time(void **state)
{
	if (!allowed)
		skip();
	assert_int_equal(netns_run("ip link add lan type veth peer name far && "
				   "ip link set lan up && ip link set far up && "
				   "ip addr add 192.168.9.2/24 dev lan && "
				   "ip neigh add 192.168.9.1 lladdr 02:00:00:00:00:01 dev lan && "
				   "ip route add default via 192.168.9.1"), 0);
	for (unsigned ms = 0; ms < 1200; ms += 400) {
		struct run r;

		run_for(&r, ms);
		assert_string_equal(r.st.method, "none");
	}
	assert_int_equal(netns_run("ip link del lan"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_pcp),
		cmocka_unit_test(gateways_that_do_not_map_by_pcp),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(by_nat_pmp),
		cmocka_unit_test(who_is_private),
		cmocka_unit_test(without_a_gateway_nothing_is_asked),
		cmocka_unit_test(it_stops_at_any_time),
	};

	pu_log_set_level(PU_LOG_OFF);
	return cmocka_run_group_tests(tests, enter, NULL);
}
