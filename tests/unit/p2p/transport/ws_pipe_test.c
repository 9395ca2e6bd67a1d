/* WebSockets over pipes in memory: cut anywhere, full at any time, broken on purpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "p2p/transport/ws_pipe.h"
#include "support/pipes.h"

static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
			      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
			      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/* A consumer of a pipe. */
struct end {
	struct pu_pipe *pipe;
	struct pu_buf got;
	size_t take_max; /* per call; 0: everything */
	bool hold;       /* takes nothing */
	unsigned writable, eof;
	int err;
	bool close_when_told; /* in whatever callback comes first */
};

static void end_close(struct end *e, bool abort)
{
	if (e->pipe)
		e->pipe->ops->close(e->pipe, abort);
	e->pipe = NULL;
}

static size_t end_recv(void *arg, const uint8_t *p, size_t len)
{
	struct end *e = arg;
	size_t n = e->hold ? 0 : e->take_max ? pu_min(len, e->take_max) : len;

	assert_non_null(e->pipe);
	assert_int_equal(e->eof, 0);
	assert_int_equal(pu_buf_append(&e->got, p, n), 0);
	if (n < len && !e->hold)
		e->pipe->ops->resume(e->pipe);
	if (e->close_when_told)
		end_close(e, true);
	return n;
}

static void end_eof(void *arg)
{
	struct end *e = arg;

	assert_non_null(e->pipe);
	e->eof++;
	if (e->close_when_told)
		end_close(e, true);
}

static void end_writable(void *arg)
{
	((struct end *)arg)->writable++;
}

static void end_error(void *arg, int err)
{
	struct end *e = arg;

	assert_non_null(e->pipe);
	assert_int_equal(e->err, 0);
	e->err = err;
	if (e->close_when_told)
		end_close(e, true);
}

static const struct pu_pipe_events end_events = { end_recv, end_eof, end_writable, end_error };

static void end_init(struct end *e, struct pu_pipe *pipe)
{
	e->pipe = pipe;
	pipe->ev = &end_events;
	pipe->arg = e;
	pu_buf_init(&e->got, 64 << 20);
}

static void end_deinit(struct end *e)
{
	end_close(e, true);
	pu_buf_deinit(&e->got);
}

/* Two WebSockets, client a and server b, on a cable. */
struct pair {
	struct pipes cable;
	struct end a, b;
};

static void pair_init(struct pair *p, size_t cut, size_t room)
{
	struct pu_pipe *pipe;

	memset(p, 0, sizeof *p);
	pipes_init(&p->cable, cut, room);
	assert_int_equal(pu_ws_pipe_client(&p->cable.loop, &p->cable.end[0].pipe, "b.example", &pipe),
			 0);
	end_init(&p->a, pipe);
	assert_int_equal(pu_ws_pipe_server(&p->cable.loop, &p->cable.end[1].pipe, &pipe), 0);
	end_init(&p->b, pipe);
}

static void pair_deinit(struct pair *p)
{
	end_deinit(&p->a);
	end_deinit(&p->b);
	pipes_deinit(&p->cable);
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i ^ i >> 8 ^ i >> 16);
}

/* total bytes from one end to the other, whatever fits at a time. */
static void carry(struct pair *p, struct end *from, struct end *to, size_t total)
{
	size_t sent = 0, n = 0;
	uint8_t *b = malloc(total);

	assert_non_null(b);
	for (size_t i = 0; i < total; i++)
		b[i] = pattern(i);
	pu_buf_clear(&to->got, 0);
	for (unsigned turns = 0; to->got.len < total; turns++) {
		unsigned told = from->writable;
		int r = from->pipe->ops->write(from->pipe, b + sent, total - sent);

		assert_true(r >= 0);
		sent += (size_t)r;
		n = to->got.len;
		if (!pipes_run(&p->cable) && to->got.len == n)
			fail_msg("stuck at %zu of %zu", to->got.len, total);
		if (sent < total) /* a short write is followed by news */
			assert_true(from->writable > told);
	}
	assert_int_equal(to->got.len, total);
	assert_memory_equal(pu_buf_bytes(&to->got).p, b, total);
	free(b);
}

static void bytes_pass_however_they_are_cut(void **state)
{
	static const size_t cut[] = { SIZE_MAX, 4096, 1000, 7, 1 };
	static const size_t room[] = { SIZE_MAX, 100000, 4096, 100, 13 };

	for (size_t i = 0; i < PU_ARRAY_LEN(cut); i++)
		for (size_t j = 0; j < PU_ARRAY_LEN(room); j++) {
			size_t total = cut[i] < 100 || room[j] < 1000 ? 10000 : 1000000;
			struct pair p;

			pair_init(&p, cut[i], room[j]);
			carry(&p, &p.a, &p.b, total);
			carry(&p, &p.b, &p.a, total);
			carry(&p, &p.a, &p.b, 1);
			assert_int_equal(p.a.err, 0);
			assert_int_equal(p.b.err, 0);
			pair_deinit(&p);
		}
}

static void a_slow_consumer_gets_everything(void **state)
{
	static const size_t take[] = { 1, 100, 5000 };

	for (size_t i = 0; i < PU_ARRAY_LEN(take); i++) {
		struct pair p;

		pair_init(&p, 3000, 20000);
		p.a.take_max = p.b.take_max = take[i];
		carry(&p, &p.a, &p.b, 50000);
		carry(&p, &p.b, &p.a, 50000);
		pair_deinit(&p);
	}
}

static void nothing_piles_up_in_front_of_a_consumer_who_stops(void **state)
{
	static uint8_t block[1 << 20];
	size_t sent = 0;
	struct pair p;

	pair_init(&p, SIZE_MAX, 65536);
	pipes_run(&p.cable);
	p.b.hold = true;
	for (int i = 0; i < 100; i++) {
		int r = p.a.pipe->ops->write(p.a.pipe, block, sizeof block);

		assert_true(r >= 0);
		sent += (size_t)r;
		pipes_run(&p.cable);
	}
	/* The cable, our buffer and wslay's. */
	assert_in_range(sent, 65536, 65536 + 70000 + 8192);
	p.b.hold = false;
	p.b.pipe->ops->resume(p.b.pipe);
	pipes_run(&p.cable);
	assert_int_equal(p.b.got.len, sent);
	assert_true(p.a.writable > 0);
	pair_deinit(&p);
}

static void shutdown_follows_what_was_written(void **state)
{
	static uint8_t block[200000];
	struct pair p;
	size_t sent;

	pair_init(&p, 1000, 1000);
	pipes_run(&p.cable);
	sent = (size_t)p.a.pipe->ops->write(p.a.pipe, block, sizeof block);
	assert_true(sent > 1000);
	p.a.pipe->ops->shutdown(p.a.pipe);
	assert_int_equal(p.a.pipe->ops->write(p.a.pipe, block, 1), PU_ECLOSED);
	pipes_run(&p.cable);
	assert_int_equal(p.b.got.len, sent);
	assert_int_equal(p.b.eof, 1);
	assert_int_equal(p.a.eof, 1); /* the other side agreed */
	assert_int_equal(p.a.err, 0);
	pair_deinit(&p);
}

static void the_end_comes_behind_what_waits_for_the_consumer(void **state)
{
	struct pair p;

	pair_init(&p, SIZE_MAX, SIZE_MAX);
	pipes_run(&p.cable);
	p.b.hold = true;
	assert_int_equal(p.a.pipe->ops->write(p.a.pipe, (const uint8_t *)"0123456789", 10), 10);
	end_close(&p.a, false);
	pipes_run(&p.cable);
	assert_int_equal(p.b.eof, 0);
	p.b.hold = false;
	p.b.take_max = 3;
	p.b.pipe->ops->resume(p.b.pipe);
	pipes_run(&p.cable);
	assert_int_equal(p.b.got.len, 10);
	assert_int_equal(p.b.eof, 1);
	pair_deinit(&p);
}

/* One WebSocket and what we say to it by hand. */
struct lone {
	struct pipes cable;
	struct end e;
};

static void lone_server(struct lone *l)
{
	struct pu_pipe *pipe;

	memset(l, 0, sizeof *l);
	pipes_init(&l->cable, SIZE_MAX, SIZE_MAX);
	assert_int_equal(pu_ws_pipe_server(&l->cable.loop, &l->cable.end[1].pipe, &pipe), 0);
	end_init(&l->e, pipe);
	pipes_say(&l->cable, 0, request, sizeof request - 1);
	pipes_run(&l->cable);
	assert_true(pipes_heard(&l->cable, 0, "HTTP/1.1 101 "));
	pu_buf_clear(&l->cable.end[0].in, 0);
}

static void lone_deinit(struct lone *l)
{
	end_deinit(&l->e);
	pipes_deinit(&l->cable);
}

static void say(struct lone *l, const void *p, size_t len)
{
	pipes_say(&l->cable, 0, p, len);
	pipes_run(&l->cable);
}
#define SAY(l, text) say(l, text, sizeof(text) - 1)

static void heard(struct lone *l, const void *p, size_t len)
{
	struct pu_bytes b = pu_buf_bytes(&l->cable.end[0].in);

	assert_int_equal(b.len, len);
	assert_memory_equal(b.p, p, len);
	pu_buf_clear(&l->cable.end[0].in, 0);
}
#define HEARD(l, text) heard(l, text, sizeof(text) - 1)

static void fragments_are_joined_and_pings_answered_between(void **state)
{
	struct lone l;

	lone_server(&l);
	/* "Hel", a ping "?", nothing, "lo": masked with zeros, then with 01 02 03 04. */
	SAY(&l, "\x02\x83\0\0\0\0Hel");
	SAY(&l, "\x89\x81\0\0\0\0?");
	HEARD(&l, "\x8a\x01?");
	SAY(&l, "\x00\x80\0\0\0\0");
	SAY(&l, "\x80\x82\x01\x02\x03\x04" "mm");
	assert_int_equal(l.e.got.len, 5);
	assert_memory_equal(pu_buf_bytes(&l.e.got).p, "Hello", 5);
	SAY(&l, "\x8a\x80\0\0\0\0"); /* a pong that nobody asked for */
	assert_int_equal(l.e.err, 0);
	/* What we write is not masked and not in fragments. */
	assert_int_equal(l.e.pipe->ops->write(l.e.pipe, (const uint8_t *)"abc", 3), 3);
	pipes_run(&l.cable);
	HEARD(&l, "\x82\x03" "abc");
	lone_deinit(&l);
}

static void a_close_is_answered_with_its_code(void **state)
{
	struct lone l;

	lone_server(&l);
	SAY(&l, "\x88\x82\0\0\0\0\x03\xe9");
	HEARD(&l, "\x88\x02\x03\xe9");
	assert_int_equal(l.e.eof, 1);
	assert_int_equal(l.e.err, 0);
	SAY(&l, "\x82\x81\0\0\0\0x"); /* too late */
	assert_int_equal(l.e.got.len, 0);
	assert_int_equal(l.e.pipe->ops->write(l.e.pipe, (const uint8_t *)"a", 1), PU_ECLOSED);
	lone_deinit(&l);

	lone_server(&l);
	SAY(&l, "\x88\x80\0\0\0\0");
	HEARD(&l, "\x88\x00");
	assert_int_equal(l.e.eof, 1);
	lone_deinit(&l);
}

static void bad_frames_end_it_with_a_reason(void **state)
{
#define BAD(text, reason, error) { text, sizeof(text) - 1, reason, error }
	static const struct {
		const char *text;
		size_t len;
		const char *reason;
		int err;
	} bad[] = {
		BAD("\x82\x01x", "\x03\xea", PU_EPROTO),                /* not masked */
		BAD("\x89\x00", "\x03\xea", PU_EPROTO),
		BAD("\x81\x81\0\0\0\0x", "\x03\xeb", PU_EPROTO),        /* text */
		BAD("\x80\x81\0\0\0\0x", "\x03\xea", PU_EPROTO),        /* continues nothing */
		BAD("\x02\x81\0\0\0\0x\x82\x81\0\0\0\0x", "\x03\xea", PU_EPROTO),
		BAD("\xc2\x81\0\0\0\0x", "\x03\xea", PU_EPROTO),        /* reserved bits */
		BAD("\x92\x81\0\0\0\0x", "\x03\xea", PU_EPROTO),
		BAD("\x83\x81\0\0\0\0x", "\x03\xea", PU_EPROTO),        /* reserved opcodes */
		BAD("\x8b\x80\0\0\0\0", "\x03\xea", PU_EPROTO),
		BAD("\x09\x80\0\0\0\0", "\x03\xea", PU_EPROTO),         /* half a ping */
		BAD("\x89\xfe\x00\x7e\0\0\0\0x", "\x03\xea", PU_EPROTO), /* 126 bytes of it */
		BAD("\x82\xfe\x00\x05\0\0\0\0abcde", "\x03\xea", PU_EPROTO), /* not minimal */
		BAD("\x82\xff\0\0\0\0\0\0\xff\xff\0\0\0\0x", "\x03\xea", PU_EPROTO),
		BAD("\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0x", "\x03\xea", PU_EPROTO),
		BAD("\x82\xff\0\0\0\0\x01\0\0\x01\0\0\0\0x", "\x03\xf1", PU_E2BIG),
		BAD("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0x", "\x03\xf1", PU_E2BIG),
		BAD("\x88\x81\0\0\0\0x", "\x03\xea", PU_EPROTO),        /* half a code */
		BAD("\x88\x82\0\0\0\0\x03\xed", "\x03\xea", PU_EPROTO), /* 1005 on the wire */
		BAD("\x88\x82\0\0\0\0\x00\x01", "\x03\xea", PU_EPROTO),
	};
	struct lone l;

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++) {
		lone_server(&l);
		l.e.close_when_told = i & 1;
		say(&l, bad[i].text, bad[i].len);
		if (l.e.err != bad[i].err)
			fail_msg("case %zu: %d", i, l.e.err);
		assert_true(pipes_heard(&l.cable, 0, "\x88\x02"));
		assert_memory_equal(pu_buf_bytes(&l.cable.end[0].in).p + 2, bad[i].reason, 2);
		SAY(&l, "\x82\x81\0\0\0\0x");
		assert_true(l.e.got.len <= 1);
		lone_deinit(&l);
	}
}

static void a_flood_of_pings_costs_one_answer(void **state)
{
	static const char ping[] = "\x89\x84\0\0\0\0ping";
	static uint8_t block[100000];
	struct lone l;

	lone_server(&l);
	l.cable.end[0].room = 0; /* it reads nothing */
	assert_true(l.e.pipe->ops->write(l.e.pipe, block, sizeof block) < (int)sizeof block);
	for (int i = 0; i < 100000; i++)
		pipes_say(&l.cable, 0, ping, sizeof ping - 1);
	SAY(&l, "\x89\x84\0\0\0\0last");
	pu_buf_clear(&l.cable.end[0].in, 0);
	pipes_set_room(&l.cable, 0, SIZE_MAX);
	pipes_run(&l.cable);
	/* The frame that was under way, then one pong. */
	assert_int_equal(l.cable.end[0].in.len, 10 + 65536 + 6);
	assert_memory_equal(pu_buf_bytes(&l.cable.end[0].in).p + 10 + 65536, "\x8a\x04last", 6);
	assert_int_equal(l.e.err, 0);
	lone_deinit(&l);
}

static void a_server_masks_nothing_and_a_client_must(void **state)
{
	struct pu_pipe *pipe;
	struct lone l;

	memset(&l, 0, sizeof l);
	pipes_init(&l.cable, SIZE_MAX, SIZE_MAX);
	assert_int_equal(pu_ws_pipe_client(&l.cable.loop, &l.cable.end[1].pipe, "a", &pipe), 0);
	end_init(&l.e, pipe);
	pipes_run(&l.cable);
	assert_true(pipes_heard(&l.cable, 0, "GET / HTTP/1.1\r\nHost: a\r\n"));
	assert_int_equal(pipe->ops->write(pipe, (const uint8_t *)"x", 1), 0);
	/* The test's randomness is constant: so is the key, and the answer to it. */
	pipes_accept(&l.cable, 0);
	pipes_run(&l.cable);
	assert_int_equal(l.e.writable, 1);
	pu_buf_clear(&l.cable.end[0].in, 0);
	assert_int_equal(pipe->ops->write(pipe, (const uint8_t *)"x", 1), 1);
	pipes_run(&l.cable);
	assert_int_equal(l.cable.end[0].in.len, 7);
	assert_int_equal(pu_buf_bytes(&l.cable.end[0].in).p[1], 0x81);
	SAY(&l, "\x82\x01y");
	assert_int_equal(l.e.got.len, 1);
	SAY(&l, "\x82\x81\0\0\0\0z");
	assert_int_equal(l.e.err, PU_EPROTO);
	lone_deinit(&l);
}

static void endless_headers_are_cut_off(void **state)
{
	static const char field[] = "X-Padding: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
	struct pu_pipe *pipe;
	struct lone l;

	memset(&l, 0, sizeof l);
	pipes_init(&l.cable, 100, SIZE_MAX);
	assert_int_equal(pu_ws_pipe_server(&l.cable.loop, &l.cable.end[1].pipe, &pipe), 0);
	end_init(&l.e, pipe);
	SAY(&l, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < 1000; i++)
		SAY(&l, field);
	assert_int_equal(l.e.err, PU_E2BIG);
	assert_true(pipes_heard(&l.cable, 0, "HTTP/1.1 431 "));
	lone_deinit(&l);
}

static void whoever_speaks_something_else_is_told(void **state)
{
	struct pu_pipe *pipe;
	struct lone l;

	memset(&l, 0, sizeof l);
	pipes_init(&l.cable, SIZE_MAX, SIZE_MAX);
	assert_int_equal(pu_ws_pipe_server(&l.cable.loop, &l.cable.end[1].pipe, &pipe), 0);
	end_init(&l.e, pipe);
	l.e.close_when_told = true;
	SAY(&l, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(l.e.err, PU_EPROTO);
	assert_true(pipes_heard(&l.cable, 0, "HTTP/1.1 426 "));
	assert_true(l.cable.end[1].closed);
	lone_deinit(&l);
}

static void frames_right_behind_the_head_are_not_lost(void **state)
{
	static const char frame[] = "\x82\x85\0\0\0\0Hello";
	char both[sizeof request + sizeof frame];
	struct pu_pipe *pipe;
	struct lone l;

	memcpy(both, request, sizeof request - 1);
	memcpy(both + sizeof request - 1, frame, sizeof frame - 1);
	memset(&l, 0, sizeof l);
	pipes_init(&l.cable, SIZE_MAX, SIZE_MAX);
	assert_int_equal(pu_ws_pipe_server(&l.cable.loop, &l.cable.end[1].pipe, &pipe), 0);
	end_init(&l.e, pipe);
	say(&l, both, sizeof request + sizeof frame - 2);
	assert_int_equal(l.e.got.len, 5);
	lone_deinit(&l);
}

static void closing_from_inside_a_callback_is_safe(void **state)
{
	struct pair p;

	pair_init(&p, SIZE_MAX, SIZE_MAX);
	pipes_run(&p.cable);
	p.b.close_when_told = true;
	assert_int_equal(p.a.pipe->ops->write(p.a.pipe, (const uint8_t *)"x", 1), 1);
	pipes_run(&p.cable);
	assert_null(p.b.pipe);
	assert_int_equal(p.a.err, PU_ERESET);
	pair_deinit(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_pass_however_they_are_cut),
		cmocka_unit_test(a_slow_consumer_gets_everything),
		cmocka_unit_test(nothing_piles_up_in_front_of_a_consumer_who_stops),
		cmocka_unit_test(shutdown_follows_what_was_written),
		cmocka_unit_test(the_end_comes_behind_what_waits_for_the_consumer),
		cmocka_unit_test(fragments_are_joined_and_pings_answered_between),
		cmocka_unit_test(a_close_is_answered_with_its_code),
		cmocka_unit_test(bad_frames_end_it_with_a_reason),
		cmocka_unit_test(a_flood_of_pings_costs_one_answer),
		cmocka_unit_test(a_server_masks_nothing_and_a_client_must),
		cmocka_unit_test(endless_headers_are_cut_off),
		cmocka_unit_test(whoever_speaks_something_else_is_told),
		cmocka_unit_test(frames_right_behind_the_head_are_not_lost),
		cmocka_unit_test(closing_from_inside_a_callback_is_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
