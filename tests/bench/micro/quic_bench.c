/* Throughput of p2p/transport/quic*.c through real sockets.
 *
 *   quic_bench [-s seconds] [-m stream|datagram] [-n streams] [-l bytes]
 *              [-c ADDR | -S ADDR]
 *
 * Without -c and -S both ends live in this process, on one loop, over loopback. With
 * -S ADDR it only receives, with -c ADDR it sends there: one process in each of two
 * network namespaces. The key of the server is fixed. One line of JSON is printed. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/err.h"
#include "base/loop_uv.h"
#include "p2p/transport/quic.h"
#include "p2p/transport/udp_uv.h"

struct bench_net {
	struct pu_net net;
	struct pu_loop *loop;
};

struct bench {
	struct pu_loop_uv *uv;
	struct bench_net net;
	struct pu_key key[2];
	struct pu_transport *t[2]; /* client, server */
	struct pu_conn *c;         /* client's */
	struct pu_timer timer;
	const char *mode;
	double seconds;
	unsigned n_streams;
	size_t len;
	bool client, server;
	pu_time started;
	uint64_t received, dgrams, sent, blocked;
	unsigned open;
};

static int net_udp_open(struct pu_net *n, const union pu_sockaddr *bind,
			const struct pu_udp_events *ev, void *arg, struct pu_udp **pu)
{
	struct bench_net *b = PU_CONTAINER_OF(n, struct bench_net, net);

	return pu_udp_uv_open(b->loop, bind, ev, arg, pu);
}

static const struct pu_net_ops net_ops = {
	.udp_open = net_udp_open,
	.udp_local = pu_udp_uv_local,
	.udp_send = pu_udp_uv_send,
	.udp_close = pu_udp_uv_close,
};

static uint8_t data[65536];

static void die(const char *what, int err)
{
	fprintf(stderr, "quic_bench: %s: %s\n", what, pu_err_text(err));
	exit(1);
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct bench *b = arg;

	b->received += len;
	return len;
}

static void pump_stream(void *arg, struct pu_stream *st)
{
	struct bench *b = arg;
	size_t n;

	do {
		n = pu_stream_write(st, data, sizeof data);
		b->sent += n;
	} while (n == sizeof data);
}

static void on_stream_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
}

static const struct pu_stream_events stream_events = {
	.on_recv = on_recv,
	.on_writable = pump_stream,
	.on_closed = on_stream_closed,
};

static void pump_datagrams(void *arg, struct pu_conn *c)
{
	struct bench *b = arg;
	size_t len = pu_min(b->len, pu_conn_max_datagram(c));
	struct iovec iov = { data, len };

	while (pu_conn_send_datagram(c, &iov, 1) == 0)
		b->sent += len;
	b->blocked++;
}

static void on_stream(void *arg, struct pu_conn *c, struct pu_stream *st)
{
	pu_stream_set_events(st, &stream_events, arg);
}

static void on_datagram(void *arg, struct pu_conn *c, const uint8_t *p, size_t len)
{
	struct bench *b = arg;

	b->received += len;
	b->dgrams++;
}

static void on_conn_closed(void *arg, struct pu_conn *c, int err, uint64_t code)
{
	struct bench *b = arg;

	if (b->c == c)
		b->c = NULL;
	if (b->server && !b->client)
		pu_loop_uv_stop(b->uv);
}

static const struct pu_conn_events conn_events = {
	.on_stream = on_stream,
	.on_datagram = on_datagram,
	.on_datagram_room = pump_datagrams,
	.on_closed = on_conn_closed,
};

static void on_inbound(void *arg, struct pu_conn *c)
{
	c->ev = &conn_events;
	c->arg = arg;
}

static const struct pu_transport_events transport_events = { .on_inbound = on_inbound };

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void report(struct bench *b)
{
	double s = (double)(pu_clock_monotonic() - b->started) / 1e9;
	uint64_t bytes = b->server ? b->received : b->sent;
	struct pu_quic_stats st;

	pu_quic_transport_stats(b->t[b->client ? 0 : 1], &st);
	printf("{\"mode\":\"%s\",\"seconds\":%.2f,\"mbit_s\":%.0f,\"cpu_s_per_gib\":%.2f,"
	       "\"datagram\":%zu,\"rtt_us\":%.0f,\"tx_packets_per_batch\":%.1f,\"blocked\":%llu}\n",
	       b->mode, s, (double)bytes * 8 / s / 1e6,
	       cpu_seconds() / ((double)bytes / 1073741824.0),
	       b->c ? pu_conn_max_datagram(b->c) : 0, b->c ? (double)pu_conn_rtt(b->c) / 1e3 : 0,
	       st.tx_batches ? (double)st.tx_packets / (double)st.tx_batches : 0,
	       (unsigned long long)b->blocked);
}

static void on_timer(void *arg)
{
	struct bench *b = arg;

	report(b);
	pu_loop_uv_stop(b->uv);
}

/* In datagram mode something must start again after a pause of the sender. */
static void start(struct bench *b)
{
	b->started = pu_clock_monotonic();
	pu_timer_set(&b->timer, pu_loop_now(pu_loop_uv_loop(b->uv)) +
					(pu_time)(b->seconds * 1e9));
	if (strcmp(b->mode, "datagram") == 0) {
		pump_datagrams(b, b->c);
		return;
	}
	for (unsigned i = 0; i < b->n_streams; i++) {
		struct pu_stream *st;

		if (pu_conn_open_stream(b->c, &st) < 0)
			return;
		pu_stream_set_events(st, &stream_events, b);
		pump_stream(b, st);
	}
}

static void start_later(void *arg)
{
	start(arg);
}

static void on_dialled(void *arg, int err, struct pu_conn *c)
{
	struct bench *b = arg;

	if (err < 0)
		die("dial", err);
	b->c = c;
	c->ev = &conn_events;
	c->arg = b;
	/* Path MTU discovery needs a moment. */
	pu_timer_init(&b->timer, pu_loop_uv_loop(b->uv), start_later, b);
	pu_timer_set(&b->timer, pu_loop_now(pu_loop_uv_loop(b->uv)) + PU_MS(500));
}

static void restart_timer(void *arg)
{
	struct bench *b = arg;

	pu_timer_init(&b->timer, pu_loop_uv_loop(b->uv), on_timer, b);
	start(b);
}

static void on_dialled_first(void *arg, int err, struct pu_conn *c)
{
	struct bench *b = arg;

	on_dialled(arg, err, c);
	b->timer.fn = restart_timer;
}

static struct pu_transport *transport(struct bench *b, int side)
{
	const struct pu_transport_config cfg = {
		.loop = pu_loop_uv_loop(b->uv), .net = &b->net.net, .key = &b->key[side],
		.ev = &transport_events, .arg = b, .max_pending_inbound = 64,
		.max_streams = 256,
	};
	struct pu_transport *t;
	int r = pu_quic_transport_new(&cfg, &t);

	if (r < 0)
		die("transport", r);
	return t;
}

static void usage(void)
{
	fprintf(stderr, "usage: quic_bench [-s seconds] [-m stream|datagram] [-n streams] "
			"[-l bytes] [-c ADDR | -S ADDR]\n");
	exit(2);
}

int main(int argc, char **argv)
{
	static struct bench b = { .mode = "stream", .seconds = 5, .n_streams = 1, .len = 1400,
				  .client = true, .server = true };
	const char *addr = "/ip4/127.0.0.1/udp/0/quic-v1";
	struct pu_multiaddr ma, bound;
	struct pu_dial *d;
	int o, r;

	while ((o = getopt(argc, argv, "s:m:n:l:c:S:")) != -1) {
		switch (o) {
		case 's': b.seconds = atof(optarg); break;
		case 'm': b.mode = optarg; break;
		case 'n': b.n_streams = (unsigned)atoi(optarg); break;
		case 'l': b.len = pu_min((size_t)atoi(optarg), sizeof data); break;
		case 'c': addr = optarg; b.server = false; break;
		case 'S': addr = optarg; b.client = false; break;
		default: usage();
		}
	}
	if (pu_crypto_init() < 0 || pu_loop_uv_new(&b.uv) < 0 ||
	    pu_multiaddr_from_text(&ma, addr) < 0)
		usage();
	b.net = (struct bench_net){ { &net_ops }, pu_loop_uv_loop(b.uv) };
	for (int i = 0; i < 2; i++) {
		uint8_t seed[32] = { (uint8_t)(i + 1) };

		pu_key_from_seed(&b.key[i], seed);
	}
	pu_loop_uv_enter(b.net.loop);
	if (b.server) {
		b.t[1] = transport(&b, 1);
		r = b.t[1]->ops->listen(b.t[1], &ma, &bound);
		if (r < 0)
			die(addr, r);
		ma = bound;
	}
	if (b.client) {
		b.t[0] = transport(&b, 0);
		r = b.t[0]->ops->dial(b.t[0], &ma, &b.key[1].peer, PU_SEC(5), on_dialled_first, &b,
				      &d);
		if (r < 0)
			die("dial", r);
	}
	pu_loop_uv_leave(b.net.loop);
	pu_loop_uv_run(b.uv);
	if (!b.client)
		report(&b);
	if (b.client)
		pu_timer_stop(&b.timer);
	for (int i = 0; i < 2; i++)
		if (b.t[i])
			b.t[i]->ops->free(b.t[i]);
	pu_loop_uv_free(b.uv);
	return 0;
}
