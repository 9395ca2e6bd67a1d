/* Datagrams from strangers to a listening QUIC transport. The input is a sequence of
 *   u8 port, u8 pause (10 ms), u16 length, datagram
 * in big endian; the last datagram is what is left. The network is a sink. */
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/wire.h"
#include "p2p/transport/quic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pu_udp {
	const struct pu_udp_events *ev;
	void *arg;
};

static struct pu_udp the_socket;
static struct pu_loop loop;
static struct pu_key key;

static int sink_open(struct pu_net *n, const union pu_sockaddr *bind,
		     const struct pu_udp_events *ev, void *arg, struct pu_udp **pu)
{
	the_socket = (struct pu_udp){ ev, arg };
	*pu = &the_socket;
	return 0;
}

static union pu_sockaddr address(uint16_t port)
{
	union pu_sockaddr sa = { 0 };

	sa.v4.sin_family = AF_INET;
	sa.v4.sin_port = htons(port);
	sa.v4.sin_addr.s_addr = htonl(0x0a000001);
	return sa;
}

static void sink_local(struct pu_udp *u, union pu_sockaddr *sa)
{
	*sa = address(4001);
}

static int sink_send(struct pu_udp *u, const struct pu_dgrams *d)
{
	/* Nothing that a stranger gets may be empty or longer than a packet. */
	if (d->len == 0 || d->segment == 0 || d->segment > 1452)
		abort();
	return 0;
}

static void sink_close(struct pu_udp *u)
{
}

static void counting_random(void *arg, void *p, size_t n)
{
	static uint8_t next;

	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = next++;
}

static void on_inbound(void *arg, struct pu_conn *c)
{
	abort(); /* nobody here has a key */
}

static void start(void)
{
	static const struct pu_net_ops ops = { .udp_open = sink_open, .udp_local = sink_local,
					       .udp_send = sink_send, .udp_close = sink_close };
	static const struct pu_transport_events ev = { .on_inbound = on_inbound };
	static struct pu_net net = { &ops };
	static const uint8_t seed[32] = { 1 };
	struct pu_transport_config cfg = { .loop = &loop, .net = &net, .key = &key, .ev = &ev,
					   .max_pending_inbound = 8, .max_streams = 16 };
	struct pu_multiaddr ma, bound;
	struct pu_transport *t;

	if (pu_crypto_init() < 0)
		abort();
	pu_loop_init(&loop, PU_SEC(1), 0, counting_random, NULL);
	if (pu_key_from_seed(&key, seed) < 0 || pu_quic_transport_new(&cfg, &t) < 0 ||
	    pu_multiaddr_from_text(&ma, "/ip4/10.0.0.1/udp/4001/quic-v1") < 0 ||
	    t->ops->listen(t, &ma, &bound) < 0)
		abort();
}

static void turn(pu_time pause)
{
	pu_time end = loop.now + pause, at;

	while ((at = pu_loop_next_timeout(&loop)) <= end) {
		pu_loop_enter(&loop, at);
		pu_loop_leave(&loop);
	}
	pu_loop_enter(&loop, end);
	pu_loop_leave(&loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pu_rd r = pu_rd_init(data, size);

	if (!the_socket.ev)
		start();
	while (r.left >= 4) {
		struct pu_dgrams d = { .remote = address((uint16_t)(1000 + pu_rd_u8(&r))),
				       .local = address(4001) };
		pu_time pause = PU_MS(10 * pu_rd_u8(&r));
		size_t len = pu_rd_be16(&r);
		struct pu_bytes b = pu_rd_bytes(&r, pu_min(len, r.left));

		if (b.len == 0)
			continue;
		d.p = b.p;
		d.len = d.segment = b.len;
		pu_loop_enter(&loop, loop.now);
		the_socket.ev->on_recv(the_socket.arg, &d, 1);
		pu_loop_leave(&loop);
		turn(pause);
	}
	turn(PU_SEC(60));
	return 0;
}
