/* What a relay holds and what it costs: the relay is this process, all its clients are a
 * child, and real sockets on loopback are between them.
 *
 *   relay_bench [-n peers] [-c circuits] [-m MiB] [-p parallel] [-q]
 *
 * -q: QUIC instead of TCP. One line of JSON: bytes that the relay holds per connection, per
 * reservation on it and per idle circuit, and its CPU seconds per GiB that it forwards. More
 * than 8 in parallel are refused by the relay: they come from one address. */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop_uv.h"
#include "p2p/circuit/hop.h"
#include "p2p/circuit/message.h"
#include "p2p/circuit/reader.h"
#include "p2p/transport/net_uv.h"

enum { CHUNK = 64 * 1024, SETTLE_S = 3 };
#define GIB (1024.0 * 1024 * 1024)

/* One step of the clients at a time, as the relay tells by a byte through a socket. */
enum step { STEP_CONNECT = 'c', STEP_RESERVE = 'r', STEP_CIRCUITS = 'o', STEP_SEND = 's',
	    STEP_END = 'e' };

struct options {
	unsigned peers, circuits, mib, parallel;
	bool quic;
};

static const char *const hop_protocol[] = { PU_HOP_PROTOCOL, NULL };
static const uint8_t chunk[CHUNK];

static void die(const char *what, int err)
{
	fprintf(stderr, "relay_bench: %s: %s\n", what, pu_err_text(err));
	_exit(1);
}

static void check(const char *what, int r)
{
	if (r < 0)
		die(what, r);
}

/* What both sides have. */
struct side {
	const struct options *opt;
	struct pu_loop_uv *uv;
	struct pu_loop *loop;
	struct pu_net *net;
	int fd; /* to the other side */
	uv_poll_t poll;
	void (*on_byte)(struct side *s, uint8_t b);
};

static void on_readable(uv_poll_t *p, int status, int events)
{
	struct side *s = p->data;
	uint8_t b;

	if (read(s->fd, &b, 1) != 1)
		_exit(1);
	pu_loop_uv_enter(s->loop);
	s->on_byte(s, b);
	pu_loop_uv_leave(s->loop);
}

static void tell(struct side *s, uint8_t b)
{
	if (write(s->fd, &b, 1) != 1)
		_exit(1);
}

static void side_init(struct side *s, const struct options *opt, int fd,
		      void (*on_byte)(struct side *s, uint8_t b))
{
	s->opt = opt;
	s->fd = fd;
	s->on_byte = on_byte;
	check("loop", pu_loop_uv_new(&s->uv));
	s->loop = pu_loop_uv_loop(s->uv);
	check("net", pu_net_uv_new(s->loop, &s->net));
	uv_poll_init(pu_loop_uv_of(s->loop), &s->poll, fd);
	s->poll.data = s;
	uv_poll_start(&s->poll, UV_READABLE, on_readable);
}

static void make_key(struct pu_key *k, unsigned n)
{
	uint8_t seed[32] = { 9 };

	memcpy(seed + 1, &n, sizeof n);
	check("key", pu_key_from_seed(k, seed));
}

static struct pu_host_config host_config(struct side *s, const struct pu_key *key)
{
	return (struct pu_host_config){
		.loop = s->loop,
		.net = s->net,
		.key = key,
		.agent = "bench",
		.no_quic = !s->opt->quic,
		.no_tcp = s->opt->quic,
		.tcp = { .order = { PU_SECURITY_NOISE } },
	};
}

/* --- clients ---------------------------------------------------------------------- */

struct client {
	struct clients *all;
	struct pu_key key;
	struct pu_host *h;
	struct pu_stream *st; /* of the request, later the circuit */
	struct pu_circuit_reader reader;
	bool open; /* st is a circuit */
};

struct clients {
	struct side side;
	struct pu_key relay;
	struct pu_multiaddr addr;
	struct client *v;
	enum step step;
	unsigned next, last, running; /* of this step */
	uint64_t to_send, got;
};

static void begin(struct client *c);

/* One is through: the next one. */
static void advance(struct clients *a)
{
	a->running--;
	while (a->next < a->last && a->running < a->side.opt->parallel) {
		a->running++;
		begin(&a->v[a->next]);
		/* Circuits go from every even client to the one behind it. */
		a->next += a->step == STEP_CIRCUITS ? 2 : 1;
	}
	if (a->running == 0)
		tell(&a->side, (uint8_t)a->step);
}

static void pump(struct client *c)
{
	struct clients *a = c->all;

	while (a->to_send > 0) {
		size_t want = pu_min(CHUNK, a->to_send), n = pu_stream_write(c->st, chunk, want);

		a->to_send -= n;
		if (n < want)
			break;
	}
}

static void write_request(struct client *c, enum pu_circuit_type type, const struct client *to)
{
	static struct pu_circuit_message m;
	struct pu_buf out;

	memset(&m, 0, sizeof m);
	m.type = type;
	if (to)
		m.peer = to->key.peer;
	pu_buf_init(&out, PU_CIRCUIT_MESSAGE_MAX);
	check("encode", pu_circuit_message_encode(PU_CIRCUIT_HOP, &m, &out));
	pu_stream_write(c->st, pu_buf_bytes(&out).p, out.len);
	pu_buf_deinit(&out);
}

static void answered(struct client *c, struct pu_bytes body)
{
	static struct pu_circuit_message m;

	check("answer", pu_circuit_message_decode(PU_CIRCUIT_HOP, body, &m));
	if (m.status != PU_CIRCUIT_OK) {
		fprintf(stderr, "relay_bench: %s\n", pu_circuit_message_status_name(m.status));
		_exit(1);
	}
	c->open = c->all->step == STEP_CIRCUITS;
	if (!c->open) {
		pu_stream_close(c->st);
		c->st = NULL;
	}
	pu_circuit_reader_deinit(&c->reader);
	advance(c->all);
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct client *c = arg;
	struct pu_bytes body;
	size_t taken;
	int r;

	if (c->open)
		return len;
	r = pu_circuit_reader_feed(&c->reader, p, len, &taken, &body);
	if (r == 0)
		answered(c, body);
	else if (r != PU_EAGAIN)
		die("answer", r);
	return taken;
}

static void on_writable(void *arg, struct pu_stream *st)
{
	pump(arg);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	die("stream", err);
}

static const struct pu_stream_events client_events = {
	.on_recv = on_recv, .on_writable = on_writable, .on_closed = on_closed,
};

/* The called ones: the first byte of the request is enough to see that it is whole here. */

static size_t called_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	static const uint8_t ok[] = { 4, 8, 1, 0x20, 100 };
	struct client *c = arg;

	if (st->arg == arg && !c->open) {
		c->open = true;
		pu_stream_write(st, ok, sizeof ok);
		return len;
	}
	c->all->got += len;
	if (c->all->step == STEP_SEND && c->all->got >= (uint64_t)c->all->side.opt->mib << 20) {
		c->all->got = 0;
		tell(&c->all->side, STEP_SEND);
	}
	return len;
}

static const struct pu_stream_events called_events = {
	.on_recv = called_recv, .on_closed = on_closed,
};

static void on_call(void *arg, struct pu_stream *st)
{
	pu_stream_set_events(st, &called_events, arg);
}

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct client *c = arg;

	check("stream", err);
	c->st = st;
	pu_circuit_reader_init(&c->reader);
	pu_stream_set_events(st, &client_events, c);
	if (c->all->step == STEP_RESERVE)
		write_request(c, PU_CIRCUIT_RESERVE, NULL);
	else
		write_request(c, PU_CIRCUIT_CONNECT, c + 1);
}

static void on_connected(void *arg, int err, struct pu_conn *conn)
{
	struct client *c = arg;

	check("connect", err);
	advance(c->all);
}

static void begin(struct client *c)
{
	struct clients *a = c->all;
	struct pu_host_config hc;

	if (a->step != STEP_CONNECT) {
		check("open", pu_host_open(c->h, &a->relay.peer, NULL, hop_protocol, on_open, c,
					   NULL));
		return;
	}
	c->key.peer.len = 0;
	make_key(&c->key, 1 + (unsigned)(c - a->v));
	hc = host_config(&a->side, &c->key);
	check("host", pu_host_new(&hc, &c->h));
	check("handle", pu_host_handle(c->h, PU_STOP_PROTOCOL, on_call, c));
	check("address", pu_host_add_addr(c->h, &a->relay.peer, &a->addr, true));
	check("connect", pu_host_connect(c->h, &a->relay.peer, on_connected, c, NULL));
}

static void client_step(struct side *s, uint8_t step)
{
	struct clients *a = (struct clients *)s;

	a->step = (enum step)step;
	if (a->step == STEP_END)
		_exit(0);
	if (a->step == STEP_SEND) {
		a->to_send = (uint64_t)s->opt->mib << 20;
		pump(&a->v[0]);
		return;
	}
	a->next = 0;
	a->last = a->step == STEP_CIRCUITS ? 2 * s->opt->circuits : s->opt->peers;
	a->running = 1;
	advance(a);
}

static void run_clients(const struct options *opt, int fd, const struct pu_multiaddr *addr)
{
	static struct clients a;

	a.addr = *addr;
	make_key(&a.relay, 0);
	side_init(&a.side, opt, fd, client_step);
	a.v = calloc(opt->peers + 1, sizeof *a.v);
	for (unsigned i = 0; i < opt->peers; i++)
		a.v[i].all = &a;
	pu_loop_uv_run(a.side.uv);
	_exit(0);
}

/* --- the relay -------------------------------------------------------------------- */

struct relay {
	struct side side;
	struct pu_key key;
	struct pu_host *h;
	struct pu_hop *hop;
	struct pu_timer settle;
	enum step step;
	double held[128]; /* after each step, 0: before the first */
	double cpu, elapsed;
	pu_time since;
};

static double resident(void)
{
	long pages = 0, ignored;
	FILE *f;

	malloc_trim(0); /* what is free is nobody's */
	f = fopen("/proc/self/statm", "r");
	if (!f || fscanf(f, "%ld %ld", &ignored, &pages) != 2)
		die("/proc/self/statm", PU_EIO);
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* Bytes that are allocated now, whether or not the pages were given back. */
static double allocated(void)
{
	struct mallinfo2 m = mallinfo2();

	return (double)(m.uordblks + m.hblkhd);
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void report(struct relay *r)
{
	const struct options *o = r->side.opt;
	double sent = (double)o->mib * 1024 * 1024;
	struct pu_hop_stats st;

	pu_hop_stats(r->hop, &st);
	printf("{\"transport\": \"%s\", \"peers\": %u, \"reservations\": %u, \"circuits\": %u, "
	       "\"resident_mib\": %.1f, \"bytes_per_connection\": %.0f, "
	       "\"bytes_per_reservation\": %.0f, \"bytes_per_circuit\": %.0f, "
	       "\"cpu_seconds_per_gib\": %.2f, \"mbit_per_second\": %.0f}\n",
	       o->quic ? "quic" : "tcp", o->peers, st.reservations, st.circuits,
	       resident() / 1024 / 1024, (r->held[STEP_CONNECT] - r->held[0]) / o->peers,
	       (r->held[STEP_RESERVE] - r->held[STEP_CONNECT]) / o->peers,
	       (r->held[STEP_CIRCUITS] - r->held[STEP_RESERVE]) / o->circuits,
	       r->cpu / (sent / GIB), sent * 8 / 1e6 / r->elapsed);
}

static void next_step(struct relay *r)
{
	static const char order[] = { STEP_CONNECT, STEP_RESERVE, STEP_CIRCUITS, STEP_SEND, STEP_END };
	const char *at = memchr(order, r->step, sizeof order);

	r->step = at ? (enum step)at[1] : STEP_CONNECT;
	if (r->step == STEP_END) {
		report(r);
		tell(&r->side, STEP_END);
		pu_loop_uv_stop(r->side.uv);
		return;
	}
	fprintf(stderr, "relay_bench: step %c\n", r->step);
	r->cpu = cpu_seconds();
	r->since = pu_loop_now(r->side.loop);
	tell(&r->side, (uint8_t)r->step);
}

static void settled(void *arg)
{
	struct relay *r = arg;

	r->held[r->step] = allocated();
	next_step(r);
}

static void step_done(struct side *s, uint8_t step)
{
	struct relay *r = (struct relay *)s;

	r->cpu = cpu_seconds() - r->cpu;
	r->elapsed = (double)(pu_loop_now(s->loop) - r->since) / 1e9;
	pu_timer_set(&r->settle, pu_loop_now(s->loop) + PU_SEC(SETTLE_S));
	if (step == STEP_SEND)
		next_step(r);
}

static void start_relay(struct relay *r, const struct options *opt, int fd,
			struct pu_multiaddr *addr)
{
	const struct pu_hop_options hop = { .limits = {
		.max_reservations = opt->peers,
		.max_reservations_per_ip = opt->peers,
		.max_reservations_per_asn = opt->peers,
		.max_circuits = opt->circuits,
		.max_circuits_per_peer = 16,
		.reservation_ttl = PU_SEC(3600),
	} };
	struct pu_host_config hc;
	struct pu_multiaddr any;

	side_init(&r->side, opt, fd, step_done);
	make_key(&r->key, 0);
	hc = host_config(&r->side, &r->key);
	hc.max_conns = 2 * opt->peers;
	hc.stream_memory = 1 << 20;
	check("host", pu_host_new(&hc, &r->h));
	check("hop", pu_hop_new(r->h, &hop, &r->hop));
	pu_multiaddr_from_text(&any, opt->quic ? "/ip4/127.0.0.1/udp/0/quic-v1"
					       : "/ip4/127.0.0.1/tcp/0");
	check("listen", pu_host_listen(r->h, &any));
	if (pu_host_addrs(r->h, addr, 1) != 1)
		die("address", PU_ENOENT);
	pu_timer_init(&r->settle, r->side.loop, settled, r);
}

static void parse(struct options *o, int argc, char **argv)
{
	int c;

	*o = (struct options){ .peers = 1000, .circuits = 200, .mib = 1024, .parallel = 8 };
	while ((c = getopt(argc, argv, "n:c:m:p:q")) != -1) {
		unsigned v = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 1;

		if (c == 'q')
			o->quic = true;
		else if (c == '?' || v == 0)
			exit(2);
		else
			*(c == 'n' ? &o->peers : c == 'c' ? &o->circuits :
			  c == 'm' ? &o->mib : &o->parallel) = v;
	}
	o->circuits = (unsigned)pu_min(o->circuits, o->peers / 2);
}

int main(int argc, char **argv)
{
	static struct relay r;
	struct pu_multiaddr addr;
	struct options opt;
	int fd[2], status = 1;
	pid_t child;

	parse(&opt, argc, argv);
	pu_log_set_level(PU_LOG_ERROR);
	check("crypto", pu_crypto_init());
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		die("socketpair", PU_ESYS);
	/* The child has to be there before a loop is; the address follows. */
	child = fork();
	if (child == 0) {
		close(fd[0]);
		if (read(fd[1], &addr, sizeof addr) != sizeof addr)
			_exit(1);
		run_clients(&opt, fd[1], &addr);
	}
	close(fd[1]);
	start_relay(&r, &opt, fd[0], &addr);
	if (child < 0 || write(fd[0], &addr, sizeof addr) != sizeof addr)
		die("clients", PU_ESYS);
	pu_timer_set(&r.settle, pu_loop_now(r.side.loop) + PU_SEC(1));
	pu_loop_uv_run(r.side.uv);
	waitpid(child, &status, 0);
	return 0;
}
