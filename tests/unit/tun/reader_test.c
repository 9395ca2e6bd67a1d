#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/virtio_net.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/wire.h"
#include "support/craft.h"
#include "tun/reader.h"

/* The peer is chosen by the destination's last byte; 0 and 100 up are not peers. */
struct rig {
	struct pu_tun_device dev;
	int kernel;
	struct pu_tun_reader *r;
	unsigned n_classified, n_sent, n_calls;
	uint32_t last_handle;
	uint32_t next_seq[256];
	bool rewrite;
};

static uint8_t frame[PU_TUN_FRAME_MAX], one[PU_TUN_FRAME_MAX];
static struct rig rig;

static const struct craft tcp4 = { .version = 4, .proto = CRAFT_TCP, .src = 1, .dst = 2,
				   .sport = 4000, .dport = 80, .tcp_flags = 0x10,
				   .df = true, .payload = 100 };

static uint32_t classify(void *arg, struct pu_tun_frame *f)
{
	static const struct pu_ip from = { .version = 4, .b = { 10, 99, 0, 1 } };
	uint8_t to = f->info.dst.b[f->info.dst.version == 4 ? 3 : 15];

	assert_ptr_equal(arg, &rig);
	rig.n_classified++;
	if (rig.rewrite)
		pu_packet_rewrite(pu_tun_frame_ip(f), &f->info, f->flags, &from, NULL);
	return to < 100 ? to : 0;
}

static void take(void *arg, uint32_t handle, struct pu_pkt *pkts, size_t n)
{
	assert_in_range(n, 1, PU_PKT_BATCH_MAX);
	rig.n_calls++;
	rig.last_handle = handle;
	for (size_t i = 0; i < n; i++) {
		size_t len = pu_pkt_len(&pkts[i]);
		struct pu_packet k;

		memcpy(one, pkts[i].head.p, pkts[i].head.len);
		if (pkts[i].body.len)
			memcpy(one + pkts[i].head.len, pkts[i].body.p, pkts[i].body.len);
		assert_int_equal(pu_packet_parse(&k, one, len, len), 0);
		assert_int_equal(k.dst.b[3], handle);
		if (rig.rewrite)
			assert_int_equal(k.src.b[1], 99);
		assert_true(craft_partial_good(one, len));
		assert_int_equal(pu_get_be32(one + 24), rig.next_seq[handle]);
		rig.next_seq[handle] += (uint32_t)len - k.ip_len - k.transport_len;
		rig.n_sent++;
	}
}

static int set_up(void **state)
{
	static const struct pu_tun_reader_events ev = { classify, take };
	int fd[2], big = 4 << 20;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd) < 0)
		return -1;
	setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
	rig = (struct rig){ .dev = { .fd = fd[0] }, .kernel = fd[1] };
	return pu_tun_reader_new(&rig.dev, &ev, &rig, &rig.r);
}

static int tear_down(void **state)
{
	pu_tun_reader_free(rig.r);
	pu_tun_device_close(&rig.dev);
	if (rig.kernel >= 0)
		close(rig.kernel);
	return 0;
}

static void put(const struct craft *c, uint16_t gso)
{
	size_t len = craft_frame(frame, c, gso);

	assert_int_equal(write(rig.kernel, frame, len), len);
}

static void small_frames_leave_together(void **state)
{
	struct craft c = tcp4;

	for (int i = 0; i < 10; i++, c.seq += 100)
		put(&c, 0);
	assert_int_equal(pu_tun_reader_run(rig.r, 100), 10);
	assert_int_equal(rig.n_classified, 10);
	assert_int_equal(rig.n_sent, 10);
	assert_int_equal(rig.n_calls, 1);
}

static void peers_are_kept_apart(void **state)
{
	struct craft c = tcp4;

	for (int i = 0; i < 30; i++) {
		c.dst = (uint8_t)(i % 3 + 1);
		c.seq = (uint32_t)(i / 3) * 100;
		put(&c, 0);
	}
	assert_int_equal(pu_tun_reader_run(rig.r, 100), 30);
	assert_int_equal(rig.n_sent, 30);
	assert_int_equal(rig.next_seq[1], 1000);
	assert_int_equal(rig.next_seq[3], 1000);
}

static void large_and_small_frames_mix(void **state)
{
	struct craft c = tcp4;
	unsigned want = 0;

	rig.rewrite = true;
	for (int i = 0; i < 40; i++) {
		c.payload = i % 3 ? 100 : 60000;
		put(&c, i % 3 ? 0 : 250);
		want += i % 3 ? 1 : 240;
		c.seq += (uint32_t)c.payload;
		if (i % 10 == 9)
			assert_int_equal(pu_tun_reader_run(rig.r, 100), 10);
	}
	assert_int_equal(rig.n_sent, want);
	assert_int_equal(rig.next_seq[2], c.seq);
}

static void budget_is_kept(void **state)
{
	struct craft c = tcp4;

	for (int i = 0; i < 10; i++, c.seq += 100)
		put(&c, 0);
	assert_int_equal(pu_tun_reader_run(rig.r, 4), 4);
	assert_int_equal(rig.n_sent, 4);
	assert_int_equal(pu_tun_reader_run(rig.r, 6), 6);
	assert_int_equal(pu_tun_reader_run(rig.r, 6), 0);
	assert_int_equal(rig.n_sent, 10);
}

static void malformed_frames_are_counted_and_skipped(void **state)
{
	struct pu_tun_reader_stats s;

	assert_int_equal(write(rig.kernel, "abc", 3), 3);
	put(&tcp4, 0);
	assert_int_equal(pu_tun_reader_run(rig.r, 100), 2);
	assert_int_equal(rig.n_sent, 1);
	pu_tun_reader_stats(rig.r, &s);
	assert_int_equal(s.frames, 2);
	assert_int_equal(s.malformed, 1);
	assert_int_equal(s.packets, 1);
	assert_int_equal(s.calls, 1);
}

static void frames_for_nobody_are_not_sent(void **state)
{
	struct craft c = tcp4;

	put(&c, 0);
	c.dst = 200;
	put(&c, 0);
	c.dst = 2;
	c.seq = 100;
	put(&c, 0);
	assert_int_equal(pu_tun_reader_run(rig.r, 100), 3);
	assert_int_equal(rig.n_classified, 3);
	assert_int_equal(rig.n_sent, 2);
	assert_int_equal(rig.n_calls, 1);
}

static void vanished_device_is_reported_after_the_rest_was_sent(void **state)
{
	put(&tcp4, 0);
	close(rig.kernel);
	rig.kernel = -1;
	assert_int_equal(pu_tun_reader_run(rig.r, 100), PU_EIO);
	assert_int_equal(rig.n_sent, 1);
}

static void echo_is_answered(void **state)
{
	struct craft c = { .version = 4, .proto = CRAFT_ICMP, .icmp_type = 8, .src = 1, .dst = 2,
			   .payload = 56 };
	struct pu_tun_frame f;
	size_t len;

	memset(frame, 0, PU_TUN_VNET_LEN);
	len = craft_packet(frame + PU_TUN_VNET_LEN, &c) + PU_TUN_VNET_LEN;
	assert_int_equal(pu_tun_frame_parse(&f, frame, len), 0);
	assert_int_equal(pu_tun_answer_echo(&rig.dev, &f), 0);
	assert_int_equal(read(rig.kernel, one, sizeof one), len);
	assert_true(craft_checksums_good(one + PU_TUN_VNET_LEN, len - PU_TUN_VNET_LEN));
	assert_int_equal(one[PU_TUN_VNET_LEN + 20], 0);
	len = craft_frame(frame, &tcp4, 0);
	assert_int_equal(pu_tun_frame_parse(&f, frame, len), 0);
	assert_int_equal(pu_tun_answer_echo(&rig.dev, &f), PU_EINVAL);
}

static void errors_are_answered_within_the_limit(void **state)
{
	static const struct pu_ip from = { .version = 4, .b = { 10, 64, 0, 1 } };
	struct pu_icmp_limit limit = { 0 };
	struct pu_tun_frame f;
	size_t len = craft_frame(frame, &tcp4, 0);
	unsigned n = 0;

	assert_int_equal(pu_tun_frame_parse(&f, frame, len), 0);
	for (int i = 0; i < 100; i++)
		n += pu_tun_answer_error(&rig.dev, &limit, PU_SEC(5), &f,
					 PU_ICMP_HOST_UNREACHABLE, 0, &from) == 0;
	assert_int_equal(n, PU_ICMP_BURST);
	assert_int_equal(read(rig.kernel, one, sizeof one), len + 28);
	assert_int_equal(pu_tun_answer_refuse(&rig.dev, &f), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(small_frames_leave_together),
		T(peers_are_kept_apart),
		T(large_and_small_frames_mix),
		T(budget_is_kept),
		T(malformed_frames_are_counted_and_skipped),
		T(frames_for_nobody_are_not_sent),
		T(vanished_device_is_reported_after_the_rest_was_sent),
		T(echo_is_answered),
		T(errors_are_answered_within_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
