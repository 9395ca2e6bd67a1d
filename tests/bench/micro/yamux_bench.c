/* Throughput of the byte pipe's layers in memory, one core, both ends: how much CPU a
 * megabyte costs. One JSON object per line. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "p2p/noise/channel.h"
#include "p2p/yamux/session.h"

enum {
	BATCH = PU_NOISE_PLAIN_MAX,
	BUF_MAX = 1 << 20,
	CHUNK = 16 * 1024,
};

struct side {
	struct pu_key key;
	struct pu_secure *sec;
	struct pu_yamux *ym;
	struct pu_buf clear, wire, plain;
};

struct bench {
	struct pu_loop loop;
	struct side a, b;
	bool sealed;
	uint64_t received;
};

static void fixed_random(void *arg, void *p, size_t n)
{
	static uint8_t next = 1;

	memset(p, next++, n);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	((struct bench *)arg)->received += len;
	return len;
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
}

static const struct pu_stream_events stream_events = {
	.on_recv = on_recv, .on_closed = on_closed,
};

static void on_stream(void *arg, struct pu_stream *st)
{
	pu_stream_set_events(st, &stream_events, arg);
}

static void on_nothing(void *arg)
{
}

static void on_code(void *arg, uint32_t code)
{
}

static void on_dead(void *arg, int err)
{
}

static const struct pu_yamux_events events = { on_stream, on_nothing, on_code, on_dead };

static void side_init(struct bench *bn, struct side *s, bool client)
{
	struct pu_secure_config sc = { .key = &s->key, .initiator = client, .loop = &bn->loop };
	struct pu_yamux_config yc = {
		.loop = &bn->loop, .client = client, .ev = &events, .arg = bn,
	};
	uint8_t seed[32] = { client };

	if (pu_key_from_seed(&s->key, seed) < 0 || pu_noise_new(&sc, &s->sec) < 0 ||
	    pu_yamux_new(&yc, &s->ym) < 0)
		abort();
	pu_buf_init(&s->clear, BUF_MAX);
	pu_buf_init(&s->wire, BUF_MAX);
	pu_buf_init(&s->plain, BUF_MAX);
}

static void side_deinit(struct side *s)
{
	s->sec->ops->free(s->sec);
	pu_yamux_free(s->ym);
	pu_buf_deinit(&s->clear);
	pu_buf_deinit(&s->wire);
	pu_buf_deinit(&s->plain);
}

static void shake(struct bench *bn)
{
	for (int i = 0; i < 3; i++) {
		bn->a.sec->ops->handshake(bn->a.sec, &bn->b.wire, &bn->a.wire);
		bn->b.sec->ops->handshake(bn->b.sec, &bn->a.wire, &bn->b.wire);
	}
}

/* One batch from one side to the other, the way p2p/stack moves it. */
static bool move(struct bench *bn, struct side *from, struct side *to)
{
	struct pu_buf *plain = &from->clear;
	struct pu_bytes b;

	if (pu_yamux_output(from->ym, &from->clear, BATCH) == 0)
		return false;
	if (bn->sealed) {
		if (from->sec->ops->seal(from->sec, pu_buf_bytes(&from->clear), &from->wire) < 0 ||
		    to->sec->ops->open(to->sec, &from->wire, &to->plain) < 0)
			abort();
		pu_buf_clear(&from->clear, SIZE_MAX);
		plain = &to->plain;
	}
	b = pu_buf_bytes(plain);
	if (pu_yamux_recv(to->ym, b.p, b.len) < 0)
		abort();
	pu_buf_clear(plain, SIZE_MAX);
	return true;
}

static void run(const char *name, bool sealed, unsigned n_streams, uint64_t total)
{
	static const uint8_t chunk[CHUNK];
	struct bench bn = { .sealed = sealed };
	struct pu_stream *st[64];
	double start, end;

	pu_loop_init(&bn.loop, 1, 0, fixed_random, NULL);
	side_init(&bn, &bn.a, true);
	side_init(&bn, &bn.b, false);
	shake(&bn);
	for (unsigned i = 0; i < n_streams; i++) {
		if (pu_yamux_open(bn.a.ym, &st[i]) < 0)
			abort();
		pu_stream_set_events(st[i], &stream_events, &bn);
	}
	start = now();
	while (bn.received < total) {
		for (unsigned i = 0; i < n_streams; i++)
			while (pu_stream_write(st[i], chunk, sizeof chunk) == sizeof chunk)
				;
		for (bool more = true; more;) {
			more = move(&bn, &bn.a, &bn.b);
			more = move(&bn, &bn.b, &bn.a) || more;
		}
		pu_loop_enter(&bn.loop, bn.loop.now + PU_US(100));
		pu_loop_leave(&bn.loop);
	}
	end = now();
	printf("{\"bench\": \"%s\", \"streams\": %u, \"mb_per_s\": %.0f}\n", name, n_streams,
	       (double)bn.received / 1e6 / (end - start));
	pu_yamux_abort(bn.a.ym, -1);
	pu_yamux_abort(bn.b.ym, -1);
	side_deinit(&bn.a);
	side_deinit(&bn.b);
	pu_loop_deinit(&bn.loop);
}

/* Only the cipher, both ends. */
static void run_noise(uint64_t total, size_t record)
{
	static const uint8_t data[BATCH];
	struct bench bn = { 0 };
	uint64_t done;
	double start;

	pu_loop_init(&bn.loop, 1, 0, fixed_random, NULL);
	side_init(&bn, &bn.a, true);
	side_init(&bn, &bn.b, false);
	shake(&bn);
	start = now();
	for (done = 0; done < total; done += record) {
		if (bn.a.sec->ops->seal(bn.a.sec, pu_bytes(data, record), &bn.a.wire) < 0 ||
		    bn.b.sec->ops->open(bn.b.sec, &bn.a.wire, &bn.b.plain) < 0)
			abort();
		pu_buf_clear(&bn.b.plain, SIZE_MAX);
	}
	printf("{\"bench\": \"noise\", \"record\": %zu, \"mb_per_s\": %.0f}\n", record,
	       (double)done / 1e6 / (now() - start));
	side_deinit(&bn.a);
	side_deinit(&bn.b);
	pu_loop_leave(&bn.loop);
	pu_loop_deinit(&bn.loop);
}

int main(int argc, char **argv)
{
	uint64_t mb = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000;

	pu_crypto_init();
	run_noise(mb * 1000000, BATCH);
	run_noise(mb * 250000, 1400);
	run("yamux", false, 1, mb * 4000000);
	run("yamux", false, 16, mb * 4000000);
	run("yamux+noise", true, 1, mb * 1000000);
	run("yamux+noise", true, 16, mb * 1000000);
	return 0;
}
