#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <linux/virtio_net.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/wire.h"
#include "support/craft.h"
#include "tun/offload.h"
#include "tun/packet.h"

static uint8_t frame[PU_TUN_FRAME_MAX], got[PU_TUN_FRAME_MAX + 1], one[PU_TUN_FRAME_MAX];
static struct pu_tun_cut cut;

/* A device whose other end we hold: a socket that keeps message boundaries. */
struct rig {
	struct pu_tun_device dev;
	int far;
	struct pu_tun_join *j;
};

static struct rig rig;

static int set_up(void **state)
{
	int fd[2], big = 4 << 20;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd) < 0)
		return -1;
	setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
	rig.dev = (struct pu_tun_device){ .fd = fd[0], .uso = true };
	rig.far = fd[1];
	return pu_tun_join_new(&rig.dev, &rig.j);
}

static int tear_down(void **state)
{
	pu_tun_join_free(rig.j);
	pu_tun_device_close(&rig.dev);
	close(rig.far);
	return 0;
}

/* Next frame that the join wrote; 0: none. */
static size_t next_frame(void)
{
	ssize_t n = read(rig.far, got, sizeof got);

	return n > 0 ? (size_t)n : 0;
}

static struct virtio_net_hdr vnet(void)
{
	struct virtio_net_hdr v;

	memcpy(&v, got, sizeof v);
	return v;
}

static void add(const uint8_t *p, size_t len, unsigned flags)
{
	assert_int_equal(pu_tun_join_add(rig.j, p, len, flags), 0);
}

static const struct craft tcp4 = { .version = 4, .proto = CRAFT_TCP, .src = 1, .dst = 2,
				   .sport = 4000, .dport = 80, .seq = 0xfffff000, .ack = 5,
				   .tcp_flags = 0x18, .window = 500, .tcp_options = 12, .df = true,
				   .id = 0xfffe, .payload = 20000, .seed = 9 };

/* Cuts the frame and adds all packets, checksums completed or left partial. */
static void add_cut(size_t len, bool complete)
{
	int n = pu_tun_cut_frame(&cut, frame, len);

	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		const struct pu_pkt *p = &cut.pkt[i];
		struct pu_packet k;

		memcpy(one, p->head.p, p->head.len);
		if (p->body.len)
			memcpy(one + p->head.len, p->body.p, p->body.len);
		assert_int_equal(pu_packet_parse(&k, one, pu_pkt_len(p), pu_pkt_len(p)), 0);
		if (complete)
			pu_packet_complete_checksum(one, p->head.len, p->body, &k);
		else /* what the far side says is not believed */
			memset(one + k.ip_len + (k.proto == 6 ? 16 : 6), 0x5a, 2);
		add(one, pu_pkt_len(p), complete ? 0 : PU_PKT_CSUM_PARTIAL);
	}
}

static void what_was_cut_is_joined_again(void **state)
{
	static const struct {
		uint8_t version, proto;
		size_t payload;
		uint16_t each;
		bool df;
	} t[] = {
		{ 4, CRAFT_TCP, 20000, 1448, true },  { 4, CRAFT_TCP, 20000, 1448, false },
		{ 6, CRAFT_TCP, 60000, 1428, true },  { 6, CRAFT_TCP, 2856, 1428, true },
		{ 4, CRAFT_TCP, 65483, 1000, true },  { 4, CRAFT_UDP, 60000, 1200, false },
		{ 6, CRAFT_UDP, 2401, 1200, true },   { 4, CRAFT_UDP, 64, 1, true },
	};

	for (size_t i = 0; i < 2 * PU_ARRAY_LEN(t); i++) {
		struct craft c = tcp4;
		size_t len;

		c.version = t[i / 2].version;
		c.proto = t[i / 2].proto;
		c.payload = t[i / 2].payload;
		c.df = t[i / 2].df;
		len = craft_frame(frame, &c, t[i / 2].each);
		add_cut(len, i % 2);
		pu_tun_join_flush(rig.j);
		assert_int_equal(next_frame(), len);
		assert_memory_equal(got, frame, len);
		assert_int_equal(next_frame(), 0);
	}
}

static void single_packets_pass_untouched(void **state)
{
	static const uint8_t protos[] = { CRAFT_TCP, CRAFT_UDP, CRAFT_ICMP, CRAFT_ICMP6 };

	for (size_t i = 0; i < 16; i++) {
		struct craft c = tcp4;
		size_t len;

		c.payload = i * 10;
		c.proto = protos[i % 4];
		c.version = i % 8 < 4 ? 4 : 6;
		c.tcp_flags = i < 8 ? 0x10 : 0x02;
		len = craft_packet(one, &c);
		add(one, len, 0);
		pu_tun_join_flush(rig.j);
		assert_int_equal(next_frame(), len + PU_TUN_VNET_LEN);
		assert_memory_equal(got, "\0\0\0\0\0\0\0\0\0\0", PU_TUN_VNET_LEN);
		assert_memory_equal(got + PU_TUN_VNET_LEN, one, len);
	}
}

static void single_partial_packet_gets_our_pseudo_header_sum(void **state)
{
	for (unsigned i = 0; i < 8; i++) {
		struct craft c = tcp4;
		size_t len;

		c.payload = 100;
		c.version = i % 2 ? 4 : 6;
		c.proto = i & 2 ? CRAFT_TCP : CRAFT_UDP;
		c.tcp_flags = i & 4 ? 0x10 : 0x11;
		len = craft_frame(frame, &c, 0);
		memcpy(one, frame + PU_TUN_VNET_LEN, len);
		memset(one + (c.version == 4 ? 20 : 40) + (c.proto == CRAFT_TCP ? 16 : 6), 9, 2);
		add(one, len - PU_TUN_VNET_LEN, PU_PKT_CSUM_PARTIAL);
		pu_tun_join_flush(rig.j);
		assert_int_equal(next_frame(), len);
		assert_memory_equal(got, frame, len);
	}
}

static void partial_where_no_checksum_is_is_refused(void **state)
{
	struct craft c = { .version = 4, .proto = CRAFT_ICMP, .icmp_type = 8, .src = 1, .dst = 2 };
	struct pu_tun_join_stats s;
	size_t len = craft_packet(one, &c);

	assert_int_equal(pu_tun_join_add(rig.j, one, len, PU_PKT_CSUM_PARTIAL), PU_EPROTO);
	c = tcp4;
	c.proto = CRAFT_UDP;
	len = craft_packet(one, &c);
	pu_put_be16(one + 24, 1000); /* UDP ends before the packet */
	assert_int_equal(pu_tun_join_add(rig.j, one, len, PU_PKT_CSUM_PARTIAL), PU_EPROTO);
	assert_int_equal(pu_tun_join_add(rig.j, one, 10, 0), PU_EPROTO);
	pu_tun_join_flush(rig.j);
	assert_int_equal(next_frame(), 0);
	pu_tun_join_stats(rig.j, &s);
	assert_int_equal(s.dropped, 3);
}

/* Two packets of a flow that would fit together but for one thing: they arrive as
 * two frames, in order. */
static void add_second(void (*change)(struct craft *c), void (*spoil)(uint8_t *ip),
		       const char *why)
{
	struct craft a = tcp4, b;
	size_t la, lb;

	a.payload = 1000;
	a.tcp_flags = 0x10;
	a.id = 1;
	b = a;
	b.id = 2;
	b.seq += 1000;
	change(&b);
	la = craft_packet(one, &a);
	lb = craft_packet(one + 4096, &b);
	if (spoil)
		spoil(one + 4096);
	add(one, la, 0);
	add(one + 4096, lb, 0);
	pu_tun_join_flush(rig.j);
	if (next_frame() != la + PU_TUN_VNET_LEN)
		fail_msg("joined or lost: %s", why);
	assert_memory_equal(got + PU_TUN_VNET_LEN, one, la);
	if (next_frame() != lb + PU_TUN_VNET_LEN)
		fail_msg("lost: %s", why);
	assert_memory_equal(got + PU_TUN_VNET_LEN, one + 4096, lb);
	assert_int_equal(next_frame(), 0);
}

#define CHANGE(name, stmt)                                                     \
	static void name(struct craft *c)                                      \
	{                                                                      \
		stmt;                                                          \
	}
CHANGE(nothing, (void)c)
CHANGE(other_seq, c->seq++)
CHANGE(older_seq, c->seq -= 2000)
CHANGE(other_ack, c->ack++)
CHANGE(other_window, c->window++)
CHANGE(other_options, c->seed++)
CHANGE(fewer_options, c->tcp_options = 8)
CHANGE(larger, c->payload++)
CHANGE(empty, c->payload = 0)
CHANGE(with_fin, c->tcp_flags = 0x11)
CHANGE(with_syn, c->tcp_flags = 0x12)
CHANGE(with_rst, c->tcp_flags = 0x14)
CHANGE(with_urg, c->tcp_flags = 0x30)
CHANGE(with_ece, c->tcp_flags = 0x50)
CHANGE(with_cwr, c->tcp_flags = 0x90)
CHANGE(without_ack, c->tcp_flags = 0)
CHANGE(without_df, c->df = false)
CHANGE(with_ip_options, c->ip_options = 4)
CHANGE(other_source, c->src++)
CHANGE(other_port, c->dport++)
CHANGE(other_proto, c->proto = CRAFT_UDP)
CHANGE(other_family, c->version = 6)

static void fix_header(uint8_t *ip)
{
	pu_put_be16(ip + 10, 0);
	pu_put_be16(ip + 10, (uint16_t)~craft_sum(0, ip, 20));
}

static void damage(uint8_t *ip)
{
	ip[500] ^= 1;
}

static void change_tos(uint8_t *ip)
{
	ip[1] = 1;
	fix_header(ip);
}

static void change_ttl(uint8_t *ip)
{
	ip[8] = 63;
	fix_header(ip);
}

static void packets_that_differ_are_not_joined(void **state)
{
	static const struct {
		const char *why;
		void (*change)(struct craft *c);
		void (*spoil)(uint8_t *ip);
	} t[] = {
#define ROW(c) { #c, c, NULL }
		ROW(other_seq), ROW(older_seq), ROW(other_ack), ROW(other_window),
		ROW(other_options), ROW(fewer_options), ROW(larger), ROW(empty), ROW(with_fin),
		ROW(with_syn), ROW(with_rst), ROW(with_urg), ROW(with_ece), ROW(with_cwr),
		ROW(without_ack), ROW(without_df), ROW(with_ip_options), ROW(other_source),
		ROW(other_port), ROW(other_proto), ROW(other_family),
		{ "damaged payload", nothing, damage },
		{ "other service type", nothing, change_tos },
		{ "other hop limit", nothing, change_ttl },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(t); i++)
		add_second(t[i].change, t[i].spoil, t[i].why);
}

/* Cutting the frame again would number the packets otherwise. */
static void gap_in_the_identification_is_kept_unless_df(void **state)
{
	for (int df = 0; df < 2; df++) {
		struct craft c = tcp4;
		size_t len;

		c.tcp_flags = 0x10;
		c.payload = 100;
		c.df = df;
		for (int i = 0; i < 2; i++) {
			len = craft_packet(one, &c);
			add(one, len, 0);
			c.id += 5;
			c.seq += 100;
		}
		pu_tun_join_flush(rig.j);
		assert_int_equal(next_frame(), len + PU_TUN_VNET_LEN + (df ? 100 : 0));
		assert_int_equal(next_frame(), df ? 0 : len + PU_TUN_VNET_LEN);
	}
}

static void udp_is_joined_only_when_the_device_can(void **state)
{
	struct craft c = tcp4;
	size_t len;

	c.proto = CRAFT_UDP;
	c.payload = 1000;
	rig.dev.uso = false;
	len = craft_packet(one, &c);
	add(one, len, 0);
	add(one, len, 0);
	pu_tun_join_flush(rig.j);
	assert_int_equal(next_frame(), len + PU_TUN_VNET_LEN);
	assert_int_equal(next_frame(), len + PU_TUN_VNET_LEN);
}

static void no_more_than_64_datagrams_are_joined(void **state)
{
	struct craft c = tcp4;
	size_t len;

	c.proto = CRAFT_UDP;
	c.payload = 10;
	len = craft_packet(one, &c);
	for (int i = 0; i < 130; i++)
		add(one, len, 0);
	pu_tun_join_flush(rig.j);
	assert_int_equal(next_frame(), PU_TUN_VNET_LEN + 28 + 640);
	assert_int_equal(next_frame(), PU_TUN_VNET_LEN + 28 + 640);
	assert_int_equal(next_frame(), PU_TUN_VNET_LEN + 28 + 20);
	assert_int_equal(next_frame(), 0);
}

static void frames_stay_within_64_kib(void **state)
{
	struct craft c = tcp4;
	size_t total = 0, n;

	c.tcp_flags = 0x10;
	c.payload = 1448;
	for (int i = 0; i < 100; i++) {
		size_t len = craft_packet(one, &c);

		add(one, len, 0);
		c.seq += 1448;
	}
	pu_tun_join_flush(rig.j);
	while ((n = next_frame()) > 0) {
		assert_true(n <= PU_TUN_FRAME_MAX);
		assert_int_equal(vnet().gso_size, 1448);
		assert_true(craft_partial_good(got + PU_TUN_VNET_LEN, n - PU_TUN_VNET_LEN));
		total += n - PU_TUN_VNET_LEN - 52;
	}
	assert_int_equal(total, 144800);
}

static void flows_are_collected_side_by_side(void **state)
{
	struct pu_tun_join_stats s;

	for (int round = 0; round < 10; round++) {
		for (unsigned flow = 0; flow < 8; flow++) {
			struct craft c = tcp4;
			size_t len;

			c.tcp_flags = 0x10;
			c.payload = 500;
			c.sport = (uint16_t)(1000 + flow);
			c.seq = (uint32_t)round * 500;
			len = craft_packet(one, &c);
			add(one, len, 0);
		}
	}
	pu_tun_join_flush(rig.j);
	for (unsigned flow = 0; flow < 8; flow++) {
		assert_int_equal(next_frame(), PU_TUN_VNET_LEN + 52 + 5000);
		assert_int_equal(pu_get_be16(got + PU_TUN_VNET_LEN + 20), 1000 + flow);
	}
	pu_tun_join_stats(rig.j, &s);
	assert_int_equal(s.packets, 80);
	assert_int_equal(s.frames, 8);
	assert_int_equal(s.dropped, 0);
}

/* Many flows, all kinds of packets, in random order: within each flow what comes
 * out is what went in. */
static void order_within_a_flow_never_changes(void **state)
{
	enum { FLOWS = 20 };
	uint32_t sent[FLOWS] = { 0 }, seen[FLOWS] = { 0 };
	uint64_t rnd = 17;
	size_t n;

	for (int i = 0; i < 3000; i++) {
		unsigned flow = craft_random(&rnd) % FLOWS;
		struct craft c = tcp4;
		size_t len;

		c.sport = (uint16_t)flow;
		c.tcp_flags = craft_random(&rnd) % 8 ? 0x10 : 0x18;
		c.seq = sent[flow];
		c.payload = craft_random(&rnd) % 8 ? 300 : craft_random(&rnd) % 301;
		if (craft_random(&rnd) % 10 == 0)
			c.ip_options = 4;
		sent[flow] += (uint32_t)c.payload;
		len = craft_packet(one, &c);
		if (craft_random(&rnd) % 2) {
			craft_make_partial(one, len);
			add(one, len, PU_PKT_CSUM_PARTIAL);
		} else {
			add(one, len, 0);
		}
		if (i % 100 == 0)
			pu_tun_join_flush(rig.j);
		while ((n = next_frame()) > 0) {
			const uint8_t *ip = got + PU_TUN_VNET_LEN;
			size_t head = (ip[0] & 0xfu) * 4;

			flow = pu_get_be16(ip + head);
			assert_int_equal(pu_get_be32(ip + head + 4), seen[flow]);
			seen[flow] += (uint32_t)(n - PU_TUN_VNET_LEN - head - 32);
		}
	}
	pu_tun_join_flush(rig.j);
	while ((n = next_frame()) > 0)
		seen[pu_get_be16(got + PU_TUN_VNET_LEN + 20)] +=
			(uint32_t)(n - PU_TUN_VNET_LEN - 52);
	assert_memory_equal(sent, seen, sizeof sent);
}

static void fragment_waits_for_the_flows_before_it(void **state)
{
	struct craft c = tcp4;
	size_t len;

	c.tcp_flags = 0x10;
	c.payload = 100;
	len = craft_packet(one, &c);
	add(one, len, 0);
	pu_put_be16(one + 6, 0x0008);
	fix_header(one);
	add(one, len, 0);
	assert_int_equal(next_frame(), len + PU_TUN_VNET_LEN);
	assert_int_equal(pu_get_be16(got + PU_TUN_VNET_LEN + 6), 0x4000);
	assert_int_equal(next_frame(), len + PU_TUN_VNET_LEN);
	assert_int_equal(pu_get_be16(got + PU_TUN_VNET_LEN + 6), 0x0008);
}

static void full_device_is_reported_and_counted(void **state)
{
	struct pu_tun_join_stats s;
	struct craft c = tcp4;
	size_t len;
	int r = 0;

	c.payload = 30000;
	len = craft_packet(one, &c);
	for (int i = 0; i < 2000 && r == 0; i++)
		r = pu_tun_join_add(rig.j, one, len, 0);
	assert_int_equal(r, PU_EAGAIN);
	pu_tun_join_stats(rig.j, &s);
	assert_int_equal(s.dropped, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(what_was_cut_is_joined_again),
		T(single_packets_pass_untouched),
		T(single_partial_packet_gets_our_pseudo_header_sum),
		T(partial_where_no_checksum_is_is_refused),
		T(packets_that_differ_are_not_joined),
		T(gap_in_the_identification_is_kept_unless_df),
		T(udp_is_joined_only_when_the_device_can),
		T(no_more_than_64_datagrams_are_joined),
		T(frames_stay_within_64_kib),
		T(flows_are_collected_side_by_side),
		T(order_within_a_flow_never_changes),
		T(fragment_waits_for_the_flows_before_it),
		T(full_device_is_reported_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
