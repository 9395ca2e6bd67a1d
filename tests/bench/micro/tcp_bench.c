/* Throughput of a TCP connection (security, yamux) through real sockets: both ends in
 * this process, on one loop, over loopback.
 *
 *   tcp_bench [-s seconds] [-n streams] [-x noise|tls]
 *
 * One line of JSON. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/err.h"
#include "base/loop_uv.h"
#include "p2p/transport/net_uv.h"
#include "p2p/transport/transport.h"

enum { CHUNK = 16 * 1024, STREAMS_MAX = 64 };

struct bench {
	struct pu_loop_uv *uv;
	struct pu_net *net;
	struct pu_key key[2];
	struct pu_transport *t[2]; /* client, server */
	struct pu_conn *c;
	struct pu_timer timer;
	unsigned n_streams;
	double seconds;
	pu_time started;
	uint64_t received;
};

static const uint8_t chunk[CHUNK];

static void die(const char *what, int err)
{
	fprintf(stderr, "tcp_bench: %s: %s\n", what, pu_err_text(err));
	exit(1);
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	((struct bench *)arg)->received += len;
	return len;
}

static void pump(void *arg, struct pu_stream *st)
{
	while (pu_stream_write(st, chunk, CHUNK) == CHUNK)
		;
}

static void on_stream_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
}

static const struct pu_stream_events stream_events = {
	.on_recv = on_recv, .on_writable = pump, .on_closed = on_stream_closed,
};

static void on_stream(void *arg, struct pu_conn *c, struct pu_stream *st)
{
	pu_stream_set_events(st, &stream_events, arg);
}

static void on_closed(void *arg, struct pu_conn *c, int err, uint64_t code)
{
	((struct bench *)arg)->c = NULL;
}

static const struct pu_conn_events conn_events = {
	.on_stream = on_stream, .on_closed = on_closed,
};

static void adopt(void *arg, struct pu_conn *c)
{
	c->ev = &conn_events;
	c->arg = arg;
}

static const struct pu_transport_events transport_events = { .on_inbound = adopt };

static double cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void finish(void *arg)
{
	struct bench *b = arg;
	double wall = (double)(pu_loop_now(pu_loop_uv_loop(b->uv)) - b->started) / 1e9;

	printf("{\"bench\": \"tcp\", \"security\": \"%s\", \"streams\": %u, \"mb_per_s\": %.0f, "
	       "\"cpu_ms_per_mb\": %.3f}\n", b->c ? b->c->security : "lost", b->n_streams,
	       (double)b->received / 1e6 / wall, cpu() * 1e3 / ((double)b->received / 1e6));
	exit(0);
}

static void on_dialled(void *arg, int err, struct pu_conn *c)
{
	struct bench *b = arg;

	if (err < 0)
		die("dial", err);
	b->c = c;
	adopt(b, c);
	b->started = pu_loop_now(pu_loop_uv_loop(b->uv));
	pu_timer_set(&b->timer, b->started + (pu_time)(b->seconds * 1e9));
	for (unsigned i = 0; i < b->n_streams; i++) {
		struct pu_stream *st;
		int r = pu_conn_open_stream(c, &st);

		if (r < 0)
			die("open", r);
		pu_stream_set_events(st, &stream_events, b);
		pump(b, st);
	}
}

static void start(struct bench *b, const struct pu_tcp_transport_options *opt)
{
	struct pu_transport_config cfg = {
		.loop = pu_loop_uv_loop(b->uv), .net = b->net, .ev = &transport_events, .arg = b,
		.max_pending_inbound = 4, .max_streams = STREAMS_MAX,
	};
	struct pu_multiaddr ma, bound;
	struct pu_dial *dial;
	int r = 0;

	for (int i = 0; i < 2 && r == 0; i++) {
		uint8_t seed[32] = { (uint8_t)(i + 1) };

		pu_key_from_seed(&b->key[i], seed);
		cfg.key = &b->key[i];
		r = pu_tcp_transport_new(&cfg, opt, &b->t[i]);
	}
	if (r < 0)
		die("transport", r);
	pu_multiaddr_from_text(&ma, "/ip4/127.0.0.1/tcp/0");
	r = b->t[1]->ops->listen(b->t[1], &ma, &bound);
	if (r < 0)
		die("listen", r);
	r = b->t[0]->ops->dial(b->t[0], &bound, &b->key[1].peer, PU_SEC(5), on_dialled, b, &dial);
	if (r < 0)
		die("dial", r);
}

int main(int argc, char **argv)
{
	struct pu_tcp_transport_options opt = { .order = { PU_SECURITY_NOISE } };
	struct bench b = { .n_streams = 1, .seconds = 3 };
	int c;

	while ((c = getopt(argc, argv, "s:n:x:")) != -1) {
		if (c == 's')
			b.seconds = atof(optarg);
		else if (c == 'n')
			b.n_streams = (unsigned)pu_min((size_t)atoi(optarg), STREAMS_MAX);
		else if (c == 'x')
			opt.order[0] = strcmp(optarg, "tls") ? PU_SECURITY_NOISE : PU_SECURITY_TLS;
		else
			return 2;
	}
	if (pu_crypto_init() < 0 || pu_loop_uv_new(&b.uv) < 0 ||
	    pu_net_uv_new(pu_loop_uv_loop(b.uv), &b.net) < 0)
		die("start", PU_ENOMEM);
	pu_timer_init(&b.timer, pu_loop_uv_loop(b.uv), finish, &b);
	start(&b, &opt);
	pu_loop_uv_run(b.uv);
	return 1;
}
