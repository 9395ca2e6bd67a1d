/* The rules of the table, segment by segment and in virtual time: the device is one
 * end of a socket pair, and the local program is made of crafted packets. */
#include "tun/flow/flow.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/wire.h"
#include "support/craft.h"
#include "tun/frame.h"

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10 };

struct side {
	struct pu_loop loop;
	struct pu_tun_device dev;
	int kernel; /* the other end of dev.fd */
	struct pu_flow_table *table;
	struct pu_flow *flow;
	unsigned n_syn, n_eof, n_closed, n_writable;
	int last_err;
	uint32_t handle;
	uint16_t port;
	size_t take; /* bytes that on_recv accepts */
	size_t n_received;
	bool in_call;
	/* the last packet that the kernel got */
	uint8_t frame[PU_TUN_FRAME_MAX];
	struct pu_tun_frame f;
	uint32_t seq, ack; /* of the program */
};

static void on_syn(void *arg, struct pu_flow *f, uint32_t handle, uint16_t port)
{
	struct side *s = arg;

	assert_false(s->in_call);
	s->n_syn++;
	s->flow = f;
	s->handle = handle;
	s->port = port;
	pu_flow_set_arg(f, s);
}

static size_t on_recv(void *arg, struct pu_flow *f, const uint8_t *p, size_t len)
{
	struct side *s = arg;
	size_t n = pu_min(len, s->take);

	assert_false(s->in_call);
	s->n_received += n;
	return n;
}

static void on_eof(void *arg, struct pu_flow *f)
{
	struct side *s = arg;

	assert_false(s->in_call);
	s->n_eof++;
}

static void on_writable(void *arg, struct pu_flow *f)
{
	struct side *s = arg;

	assert_false(s->in_call);
	s->n_writable++;
}

static void on_closed(void *arg, struct pu_flow *f, int err)
{
	struct side *s = arg;

	assert_false(s->in_call);
	s->n_closed++;
	s->last_err = err;
	s->flow = NULL;
}

static const struct pu_flow_events events = { on_syn, on_recv, on_eof, on_writable, on_closed };

static void no_random(void *arg, void *p, size_t n)
{
	memset(p, 5, n);
}

static void side_open(struct side *s, const struct pu_flow_limits *limits)
{
	int fds[2];

	*s = (struct side){ .take = SIZE_MAX };
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
	s->dev.fd = fds[0];
	s->kernel = fds[1];
	pu_loop_init(&s->loop, PU_SEC(1), 0, no_random, NULL);
	assert_int_equal(pu_flow_table_new(&s->loop, &s->dev, &events, s, limits, &s->table), 0);
}

static void side_close(struct side *s)
{
	pu_flow_table_free(s->table);
	pu_loop_leave(&s->loop);
	pu_loop_deinit(&s->loop);
	close(s->dev.fd);
	close(s->kernel);
}

static void turn(struct side *s)
{
	pu_loop_leave(&s->loop);
}

static void pass(struct side *s, pu_time dt)
{
	pu_time end = pu_loop_now(&s->loop) + dt;

	while (pu_loop_next_timeout(&s->loop) <= end) {
		pu_loop_enter(&s->loop, pu_loop_next_timeout(&s->loop));
		pu_loop_leave(&s->loop);
	}
	pu_loop_enter(&s->loop, end);
}

/* The next packet for the program; false when there is none. */
static bool got(struct side *s)
{
	ssize_t n = recv(s->kernel, s->frame, sizeof s->frame, 0);

	if (n < 0)
		return false;
	assert_int_equal(pu_tun_frame_parse(&s->f, s->frame, (size_t)n), 0);
	return true;
}

static const uint8_t *got_tcp(const struct side *s)
{
	return s->frame + PU_TUN_VNET_LEN + s->f.info.ip_len;
}

static bool got_flags(struct side *s, uint8_t flags)
{
	return got(s) && s->f.info.proto == CRAFT_TCP && s->f.info.tcp_flags == flags;
}

static void drain(struct side *s)
{
	while (got(s))
		;
}

static struct craft from_program(const struct side *s, uint8_t version, uint8_t flags,
				 size_t payload)
{
	return (struct craft){ .version = version, .proto = CRAFT_TCP, .src = 1, .dst = 2,
			       .sport = 40000, .dport = 22, .seq = s->seq, .ack = s->ack,
			       .tcp_flags = flags, .window = 64000, .payload = payload,
			       .seed = 1 };
}

static void send_crafted(struct side *s, const struct craft *c)
{
	uint8_t *frame = malloc(PU_TUN_FRAME_MAX);
	size_t n = craft_frame(frame, c, 0);
	struct pu_tun_frame f;

	assert_int_equal(pu_tun_frame_parse(&f, frame, n), 0);
	s->in_call = true;
	pu_flow_table_input(s->table, frame, n, &f.info, 42);
	s->in_call = false;
	free(frame);
}

static void send_flags(struct side *s, uint8_t version, uint8_t flags, size_t payload)
{
	struct craft c = from_program(s, version, flags, payload);

	send_crafted(s, &c);
	s->seq += (uint32_t)payload + !!(flags & (SYN | FIN));
}

/* From the first SYN to an open flow. */
static void handshake(struct side *s, uint8_t version)
{
	s->seq = 1000;
	s->ack = 0;
	send_flags(s, version, SYN, 0);
	turn(s);
	assert_non_null(s->flow);
	pu_flow_accept(s->flow);
	assert_true(got_flags(s, SYN | ACK));
	assert_int_equal(pu_get_be32(got_tcp(s) + 8), s->seq);
	s->ack = pu_get_be32(got_tcp(s) + 4) + 1;
	send_flags(s, version, ACK, 0);
	turn(s);
}

static struct pu_flow_stats stats_of(const struct side *s)
{
	struct pu_flow_stats st;

	pu_flow_table_stats(s->table, &st);
	return st;
}

static void a_syn_is_held_until_it_is_accepted(void **state)
{
	for (uint8_t version = 4; version <= 6; version += 2) {
		struct side s;

		side_open(&s, NULL);
		send_flags(&s, version, SYN, 0);
		assert_int_equal(s.n_syn, 0);
		turn(&s);
		assert_int_equal(s.n_syn, 1);
		assert_int_equal(s.handle, 42);
		assert_int_equal(s.port, 22);
		s.seq--;
		send_flags(&s, version, SYN, 0);
		turn(&s);
		assert_int_equal(s.n_syn, 1);
		assert_false(got(&s));
		assert_int_equal(stats_of(&s).n_held, 1);

		pu_flow_accept(s.flow);
		assert_true(got_flags(&s, SYN | ACK));
		assert_int_equal(s.f.info.src.version, version);
		assert_int_equal(s.f.info.sport, 22);
		assert_int_equal(s.f.info.dport, 40000);
		assert_int_equal(stats_of(&s).n_held, 0);
		assert_int_equal(stats_of(&s).accepted, 0);
		s.ack = pu_get_be32(got_tcp(&s) + 4) + 1;
		send_flags(&s, version, ACK, 0);
		assert_int_equal(stats_of(&s).accepted, 1);
		side_close(&s);
	}
}

static void a_refusal_is_what_its_error_says(void **state)
{
	static const struct {
		int err;
		uint8_t proto, type4, code4, type6, code6;
	} cases[] = {
		{ PU_EREFUSED, CRAFT_TCP, 0, 0, 0, 0 },
		{ PU_ERESET, CRAFT_TCP, 0, 0, 0, 0 },
		{ PU_ENOPROTO, CRAFT_TCP, 0, 0, 0, 0 },
		{ PU_EUNREACH, CRAFT_ICMP, 3, 1, 1, 3 },
		{ PU_ETIMEDOUT, CRAFT_ICMP, 3, 1, 1, 3 },
		{ PU_EDENIED, CRAFT_ICMP, 3, 13, 1, 1 },
	};

	for (size_t i = 0; i < 2 * PU_ARRAY_LEN(cases); i++) {
		uint8_t version = i % 2 ? 6 : 4;
		struct side s;

		side_open(&s, NULL);
		send_flags(&s, version, SYN, 0);
		turn(&s);
		pu_flow_refuse(s.flow, cases[i / 2].err);
		assert_true(got(&s));
		if (cases[i / 2].proto == CRAFT_TCP) {
			assert_int_equal(s.f.info.tcp_flags, RST | ACK);
			assert_int_equal(pu_get_be32(got_tcp(&s) + 8), s.seq);
		} else if (version == 4) {
			assert_int_equal(s.f.info.icmp_type, cases[i / 2].type4);
			assert_int_equal(s.f.info.icmp_code, cases[i / 2].code4);
		} else {
			assert_int_equal(s.f.info.icmp_type, cases[i / 2].type6);
			assert_int_equal(s.f.info.icmp_code, cases[i / 2].code6);
		}
		assert_int_equal(stats_of(&s).n_flows, 0);
		assert_int_equal(stats_of(&s).n_held, 0);
		assert_int_equal(s.n_closed, 0);
		side_close(&s);
	}
}

static void refused_for_now_is_not_answered_and_asked_again(void **state)
{
	struct side s;

	side_open(&s, NULL);
	send_flags(&s, 4, SYN, 0);
	turn(&s);
	pu_flow_refuse(s.flow, PU_EAGAIN);
	assert_false(got(&s));
	s.seq--;
	send_flags(&s, 4, SYN, 0);
	turn(&s);
	assert_int_equal(s.n_syn, 2);
	side_close(&s);
}

static void a_syn_is_not_held_for_ever(void **state)
{
	struct side s;

	side_open(&s, NULL);
	send_flags(&s, 4, SYN, 0);
	turn(&s);
	pass(&s, PU_SEC(60));
	assert_int_equal(s.n_closed, 0);
	pass(&s, PU_SEC(60));
	assert_int_equal(s.n_closed, 1);
	assert_int_equal(s.last_err, PU_ETIMEDOUT);
	assert_true(got(&s) && s.f.info.proto == CRAFT_ICMP);
	assert_int_equal(stats_of(&s).n_flows, 0);
	side_close(&s);
}

static void a_program_that_gave_up_meanwhile_is_noticed(void **state)
{
	struct side s;

	side_open(&s, NULL);
	send_flags(&s, 4, SYN, 0);
	turn(&s);
	pu_flow_accept(s.flow);
	assert_true(got_flags(&s, SYN | ACK));
	/* Its kernel knows nothing of the connection. */
	s.seq = pu_get_be32(got_tcp(&s) + 8);
	send_flags(&s, 4, RST, 0);
	turn(&s);
	assert_int_equal(s.n_closed, 1);
	assert_int_equal(s.last_err, PU_ERESET);
	assert_int_equal(stats_of(&s).accepted, 0);
	side_close(&s);
}

static void a_handshake_that_stops_half_way_times_out(void **state)
{
	struct side s;

	side_open(&s, NULL);
	send_flags(&s, 4, SYN, 0);
	turn(&s);
	pu_flow_accept(s.flow);
	pass(&s, PU_SEC(60));
	assert_int_equal(s.n_closed, 1);
	assert_int_equal(s.last_err, PU_ETIMEDOUT);
	side_close(&s);
}

static void the_number_of_held_syns_is_bounded(void **state)
{
	const struct pu_flow_limits limits = { .max_held = 2, .max_flows = 3 };
	struct craft c;
	struct side s;

	side_open(&s, &limits);
	c = from_program(&s, 4, SYN, 0);
	for (c.sport = 1; c.sport <= 3; c.sport++)
		send_crafted(&s, &c);
	turn(&s);
	assert_int_equal(s.n_syn, 2);
	assert_false(got(&s)); /* the third is tried again by its kernel */
	pu_flow_accept(s.flow);
	c.sport = 3;
	send_crafted(&s, &c);
	turn(&s);
	assert_int_equal(s.n_syn, 3);
	pu_flow_accept(s.flow);
	drain(&s);
	c.sport = 4;
	send_crafted(&s, &c);
	turn(&s);
	assert_int_equal(s.n_syn, 3);
	assert_true(got_flags(&s, RST | ACK));
	assert_int_equal(stats_of(&s).refused_limit, 2);
	side_close(&s);
}

static void what_is_no_syn_of_a_flow_is_reset(void **state)
{
	struct side s;

	side_open(&s, NULL);
	s.seq = 77;
	s.ack = 88;
	send_flags(&s, 4, ACK, 10);
	assert_true(got_flags(&s, RST));
	assert_int_equal(pu_get_be32(got_tcp(&s) + 4), 88);
	send_flags(&s, 6, SYN | ACK, 0);
	assert_true(got_flags(&s, RST));
	send_flags(&s, 4, RST, 0);
	assert_false(got(&s));
	turn(&s);
	assert_int_equal(s.n_syn, 0);
	side_close(&s);
}

static void only_its_own_packets_belong_to_a_flow(void **state)
{
	uint8_t p[100];
	struct pu_packet info;
	struct craft c;
	struct side s;
	size_t n;

	side_open(&s, NULL);
	handshake(&s, 4);
	c = from_program(&s, 4, ACK, 0);
	n = craft_packet(p, &c);
	assert_int_equal(pu_packet_parse(&info, p, n, n), 0);
	assert_true(pu_flow_table_has(s.table, &info));
	info.sport++;
	assert_false(pu_flow_table_has(s.table, &info));
	info.sport--;
	info.dst.b[3]++;
	assert_false(pu_flow_table_has(s.table, &info));
	info.dst.b[3]--;
	info.proto = CRAFT_UDP;
	assert_false(pu_flow_table_has(s.table, &info));
	side_close(&s);
}

static void what_is_not_taken_fills_the_window(void **state)
{
	struct side s;
	size_t sent = 0;

	side_open(&s, NULL);
	s.take = 100;
	handshake(&s, 4);
	for (int i = 0; i < 100; i++) {
		send_flags(&s, 4, ACK | PSH, 1000);
		turn(&s);
		sent += 1000;
		while (got(&s))
			;
	}
	/* Without window scaling it can say at most 65535. */
	assert_int_equal(s.n_received, 100);
	assert_int_equal(pu_get_be16(got_tcp(&s) + 14), 0);
	s.take = SIZE_MAX;
	pu_flow_resume(s.flow);
	assert_int_equal(s.n_received, 100);
	turn(&s);
	assert_int_equal(s.n_received, 65535 + 100);
	assert_true(got_flags(&s, ACK));
	assert_true(pu_get_be16(got_tcp(&s) + 14) > 60000);
	assert_true(sent > 65535);
	side_close(&s);
}

static void a_small_write_is_acknowledged_in_the_same_turn(void **state)
{
	struct side s;

	side_open(&s, NULL);
	handshake(&s, 4);
	send_flags(&s, 4, ACK | PSH, 1);
	turn(&s);
	assert_true(got_flags(&s, ACK));
	assert_int_equal(pu_get_be32(got_tcp(&s) + 8), s.seq);
	side_close(&s);
}

static void writes_of_one_turn_leave_as_one_segment(void **state)
{
	struct side s;

	side_open(&s, NULL);
	handshake(&s, 6);
	for (int i = 0; i < 10; i++)
		assert_int_equal(pu_flow_write(s.flow, "abcdefghij", 10), 10);
	assert_false(got(&s));
	turn(&s);
	assert_true(got_flags(&s, ACK | PSH));
	assert_int_equal(s.f.info.total_len - s.f.info.ip_len - s.f.info.transport_len, 100);
	assert_false(got(&s));
	side_close(&s);
}

static void what_may_be_written_is_bounded(void **state)
{
	static uint8_t big[4 << 20];
	struct side s;
	size_t n;

	side_open(&s, NULL);
	send_flags(&s, 4, SYN, 0);
	turn(&s);
	assert_int_equal(pu_flow_room(s.flow), 0);
	assert_int_equal(pu_flow_write(s.flow, big, 1), 0);
	pu_flow_accept(s.flow);
	assert_true(got(&s));
	s.ack = pu_get_be32(got_tcp(&s) + 4) + 1;
	send_flags(&s, 4, ACK, 0);
	turn(&s);
	assert_int_equal(s.n_writable, 1);
	n = pu_flow_write(s.flow, big, sizeof big);
	assert_in_range(n, 256 << 10, 1 << 20);
	assert_int_equal(pu_flow_write(s.flow, big, 1), 0);
	turn(&s);
	assert_int_equal(s.n_writable, 1);
	side_close(&s);
}

static void no_fin_overtakes_bytes_that_do_not_fit_the_window(void **state)
{
	static uint8_t bytes[100000];
	size_t n_got = 0;
	struct side s;
	bool fin = false;

	side_open(&s, NULL);
	handshake(&s, 4);
	assert_int_equal(pu_flow_write(s.flow, bytes, sizeof bytes), sizeof bytes);
	pu_flow_close(s.flow);
	turn(&s);
	/* A program with a small buffer that takes what it gets. */
	for (int i = 0; i < 2000 && !fin; i++) {
		while (got(&s)) {
			size_t n = (size_t)s.f.info.total_len - s.f.info.ip_len -
				   s.f.info.transport_len;
			uint32_t seq = pu_get_be32(got_tcp(&s) + 4);

			if (seq != s.ack)
				continue;
			fin = s.f.info.tcp_flags & FIN;
			assert_false(fin && n > 0);
			s.ack += (uint32_t)n + fin;
			n_got += n;
		}
		if (!fin) {
			struct craft c = from_program(&s, 4, ACK, 0);

			c.window = 3000;
			send_crafted(&s, &c);
			turn(&s);
		}
	}
	assert_true(fin);
	assert_int_equal(n_got, sizeof bytes);
	side_close(&s);
}

/* The receiving half of a kernel: a buffer of some size, a program that reads when it
 * likes, acknowledgements and segments that get lost, segments taken in part. */
struct receiver {
	uint64_t random;
	uint32_t start, next; /* sequence numbers */
	size_t size, buffered;
	unsigned loss; /* of 100 */
	bool fin;
};

static uint8_t byte_at(uint32_t pos)
{
	return (uint8_t)(pos * 7 + (pos >> 8));
}

static void take_segment(struct side *s, struct receiver *r)
{
	const uint8_t *t = got_tcp(s);
	uint32_t seq = pu_get_be32(t + 4), skip = r->next - seq;
	size_t head = s->f.info.transport_len;
	size_t n = (size_t)s->f.info.total_len - s->f.info.ip_len - head, take;

	if (craft_random(&r->random) % 100 < r->loss || skip > n)
		return;
	take = pu_min(n - skip, r->size - r->buffered);
	for (size_t i = 0; i < take; i++)
		assert_int_equal(t[head + skip + i], byte_at(r->next - r->start + (uint32_t)i));
	r->next += (uint32_t)take;
	r->buffered += take;
	if ((s->f.info.tcp_flags & FIN) && skip + take == n) {
		r->fin = true;
		r->next++;
	}
}

static void say_window(struct side *s, struct receiver *r)
{
	struct craft c = from_program(s, 4, ACK, 0);

	if (craft_random(&r->random) % 100 < r->loss)
		return;
	c.ack = r->next;
	c.window = (uint16_t)pu_min(65535, r->size - r->buffered);
	send_crafted(s, &c);
}

static void receive_until_fin(struct side *s, struct receiver *r)
{
	static const size_t sizes[] = { 400, 700, 1461, 5000, 30000, 64000 };
	pu_time end = pu_loop_now(&s->loop) + PU_SEC(2000);

	r->size = sizes[craft_random(&r->random) % PU_ARRAY_LEN(sizes)];
	r->loss = craft_random(&r->random) % 3 * 5;
	while (!r->fin && pu_loop_now(&s->loop) < end) {
		bool any = false;

		while (got(s)) {
			any = true;
			take_segment(s, r);
			if (craft_random(&r->random) % 3)
				say_window(s, r);
		}
		r->buffered -= craft_random(&r->random) % (r->buffered + 1);
		say_window(s, r);
		turn(s);
		if (!any)
			pass(s, PU_MS(50));
	}
}

static void every_byte_arrives_whatever_the_window_does(void **state)
{
	static uint8_t bytes[80000];
	struct side s;

	for (uint32_t i = 0; i < sizeof bytes; i++)
		bytes[i] = byte_at(i);
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct receiver r = { .random = seed };
		size_t len;

		side_open(&s, NULL);
		handshake(&s, 4);
		drain(&s);
		r.start = r.next = s.ack;
		len = craft_random(&r.random) % 2 ? 3000 : sizeof bytes;
		assert_int_equal(pu_flow_write(s.flow, bytes, len), len);
		pu_flow_close(s.flow);
		turn(&s);
		receive_until_fin(&s, &r);
		if (!r.fin || r.next - r.start != len + 1)
			fail_msg("seed %d: %u of %zu bytes through a window of %zu", (int)seed,
				 (unsigned)(r.next - r.start), len, r.size);
		side_close(&s);
	}
}

static void both_directions_end_on_their_own(void **state)
{
	struct side s;

	side_open(&s, NULL);
	handshake(&s, 4);
	send_flags(&s, 4, ACK | FIN, 10);
	turn(&s);
	assert_int_equal(s.n_received, 10);
	assert_int_equal(s.n_eof, 1);
	drain(&s);
	assert_int_equal(pu_flow_write(s.flow, "x", 1), 1);
	pu_flow_shutdown(s.flow);
	turn(&s);
	assert_true(got_flags(&s, ACK | PSH));
	assert_true(got_flags(&s, ACK | FIN));
	s.ack += 2;
	send_flags(&s, 4, ACK, 0);
	turn(&s);
	/* Over, in peace; the owner says when it goes. */
	assert_int_equal(s.n_closed, 0);
	assert_int_equal(stats_of(&s).n_flows, 1);
	assert_int_equal(pu_flow_write(s.flow, "x", 1), 0);
	pu_flow_close(s.flow);
	assert_int_equal(stats_of(&s).n_flows, 0);
	assert_false(got(&s));
	side_close(&s);
}

static void the_port_may_be_used_again_at_once(void **state)
{
	struct side s;

	side_open(&s, NULL);
	for (int i = 0; i < 3; i++) {
		handshake(&s, 4);
		pu_flow_shutdown(s.flow);
		turn(&s);
		assert_true(got_flags(&s, ACK | FIN));
		s.ack++;
		send_flags(&s, 4, ACK | FIN, 0);
		turn(&s);
		assert_true(got_flags(&s, ACK));
		assert_int_equal(s.n_eof, (unsigned)i + 1);
		pu_flow_close(s.flow);
		assert_int_equal(stats_of(&s).n_flows, 0);
	}
	/* And while we still had something to say. */
	handshake(&s, 4);
	assert_int_equal(pu_flow_write(s.flow, "x", 1), 1);
	pu_flow_close(s.flow);
	turn(&s);
	drain(&s);
	s.flow = NULL;
	handshake(&s, 4);
	assert_int_equal(stats_of(&s).n_flows, 1);
	side_close(&s);
}

static void closing_ends_even_when_the_program_is_silent(void **state)
{
	struct side s;

	side_open(&s, NULL);
	handshake(&s, 4);
	pu_flow_close(s.flow);
	turn(&s);
	assert_true(got_flags(&s, ACK | FIN));
	s.ack++;
	send_flags(&s, 4, ACK, 0);
	pass(&s, PU_SEC(59));
	assert_int_equal(stats_of(&s).n_flows, 1);
	pass(&s, PU_SEC(2));
	assert_int_equal(stats_of(&s).n_flows, 0);
	assert_true(got_flags(&s, RST | ACK));
	assert_int_equal(s.n_closed, 0);
	side_close(&s);
}

static void a_lost_reset_is_found_out(void **state)
{
	struct side s;

	side_open(&s, NULL);
	handshake(&s, 4);
	pass(&s, PU_SEC(500));
	assert_false(got(&s));
	pass(&s, PU_SEC(800));
	assert_true(got(&s)); /* are you there? */
	s.seq = pu_get_be32(got_tcp(&s) + 8);
	send_flags(&s, 4, RST, 0);
	turn(&s);
	assert_int_equal(s.n_closed, 1);
	assert_int_equal(s.last_err, PU_ERESET);
	side_close(&s);
}

static void a_lost_segment_is_sent_again(void **state)
{
	struct side s;

	side_open(&s, NULL);
	handshake(&s, 4);
	assert_int_equal(pu_flow_write(s.flow, "x", 1), 1);
	turn(&s);
	assert_true(got_flags(&s, ACK | PSH));
	pass(&s, PU_SEC(10));
	assert_true(got_flags(&s, ACK | PSH));
	/* A program that is gone without a word. */
	pass(&s, PU_SEC(3600));
	assert_int_equal(s.n_closed, 1);
	assert_int_equal(s.last_err, PU_ETIMEDOUT);
	side_close(&s);
}

static void two_nodes_share_one_lwip(void **state)
{
	struct side a, b;

	side_open(&a, NULL);
	side_open(&b, NULL);
	/* The same addresses and ports in both. */
	handshake(&a, 4);
	handshake(&b, 4);
	send_flags(&a, 4, ACK | PSH, 10);
	send_flags(&b, 4, ACK | PSH, 20);
	turn(&a);
	turn(&b);
	assert_int_equal(a.n_received, 10);
	assert_int_equal(b.n_received, 20);
	drain(&a);
	drain(&b);
	/* The timer of lwIP goes on with the second table. */
	assert_int_equal(pu_flow_write(b.flow, "x", 1), 1);
	turn(&b);
	side_close(&a);
	drain(&b);
	pass(&b, PU_SEC(10));
	assert_true(got_flags(&b, ACK | PSH));
	side_close(&b);
}

static void a_freed_table_resets_its_flows_without_callbacks(void **state)
{
	struct side s;

	side_open(&s, NULL);
	handshake(&s, 4);
	pu_flow_table_free(s.table);
	assert_true(got_flags(&s, RST | ACK));
	assert_int_equal(s.n_closed, 0);
	assert_int_equal(pu_flow_table_new(&s.loop, &s.dev, &events, &s, NULL, &s.table), 0);
	side_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_syn_is_held_until_it_is_accepted),
		cmocka_unit_test(a_refusal_is_what_its_error_says),
		cmocka_unit_test(refused_for_now_is_not_answered_and_asked_again),
		cmocka_unit_test(a_syn_is_not_held_for_ever),
		cmocka_unit_test(a_program_that_gave_up_meanwhile_is_noticed),
		cmocka_unit_test(a_handshake_that_stops_half_way_times_out),
		cmocka_unit_test(the_number_of_held_syns_is_bounded),
		cmocka_unit_test(what_is_no_syn_of_a_flow_is_reset),
		cmocka_unit_test(only_its_own_packets_belong_to_a_flow),
		cmocka_unit_test(what_is_not_taken_fills_the_window),
		cmocka_unit_test(a_small_write_is_acknowledged_in_the_same_turn),
		cmocka_unit_test(writes_of_one_turn_leave_as_one_segment),
		cmocka_unit_test(what_may_be_written_is_bounded),
		cmocka_unit_test(no_fin_overtakes_bytes_that_do_not_fit_the_window),
		cmocka_unit_test(every_byte_arrives_whatever_the_window_does),
		cmocka_unit_test(both_directions_end_on_their_own),
		cmocka_unit_test(the_port_may_be_used_again_at_once),
		cmocka_unit_test(closing_ends_even_when_the_program_is_silent),
		cmocka_unit_test(a_lost_reset_is_found_out),
		cmocka_unit_test(a_lost_segment_is_sent_again),
		cmocka_unit_test(two_nodes_share_one_lwip),
		cmocka_unit_test(a_freed_table_resets_its_flows_without_callbacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
