/* What a relay says to us. The first byte: 0 an answer to RESERVE, 1 an answer to CONNECT,
 * 2 a stream of the stop protocol. The second byte says how long the pieces are; an odd
 * one ends the stream behind them. */
#include <stdlib.h>

#include "p2p/circuit/addr.h"
#include "p2p/circuit/hop.h"
#include "p2p/circuit/relays.h"
#include "p2p/circuit/transport.h"
#include "support/simnet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct node {
	struct pu_key key;
	struct pu_host *h;
};

/* Made once: only the messages differ. */
static struct world {
	struct pu_sim *sim;
	struct node us, relay;
	struct pu_key nobody;
	struct pu_transport *circuit;
	struct pu_relays *relays;
	struct pu_multiaddr addr, circuit_addr;
	struct pu_stream *st; /* the relay's end of the stream in question */
} w;

static size_t ignore_bytes(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	return len;
}

static void relay_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	w.st = NULL;
}

static const struct pu_stream_events relay_events = { .on_recv = ignore_bytes,
						      .on_closed = relay_closed };

static void on_hop(void *arg, struct pu_stream *st)
{
	if (w.st) {
		pu_stream_reset(st, 0);
		return;
	}
	w.st = st;
	pu_stream_set_events(st, &relay_events, NULL);
}

static void on_stop_open(void *arg, int err, struct pu_stream *st)
{
	if (err < 0)
		abort();
	w.st = st;
	pu_stream_set_events(st, &relay_events, NULL);
}

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void node_start(struct node *n, unsigned number, const char *ip, const char *listen)
{
	static const struct pu_tcp_transport_options noise = { .order = { PU_SECURITY_NOISE } };
	struct pu_sim_node *sn = pu_sim_node_new(w.sim, ip);
	uint8_t seed[32] = { (uint8_t)number };
	struct pu_host_config cfg = { .loop = pu_sim_loop(sn), .net = pu_sim_net(sn),
				      .key = &n->key, .agent = "fuzz", .tcp = noise,
				      .no_quic = true };
	struct pu_multiaddr ma;

	pu_sim_node_add_ip(sn, ip);
	must(pu_key_from_seed(&n->key, seed) == 0 && pu_host_new(&cfg, &n->h) == 0);
	must(pu_multiaddr_from_text(&ma, listen) == 0 && pu_host_listen(n->h, &ma) == 0);
}

static bool connected(void *arg)
{
	return pu_host_conn(w.us.h, &w.relay.key.peer) && pu_host_conn(w.relay.h, &w.us.key.peer);
}

static void connect_done(void *arg, int err, struct pu_conn *c)
{
	must(err == 0);
}

static void prepare(void)
{
	uint8_t seed[32] = { 9 };

	must(pu_crypto_init() == 0);
	w.sim = pu_sim_new(1);
	node_start(&w.us, 1, "11.0.0.1", "/ip4/11.0.0.1/tcp/1");
	node_start(&w.relay, 2, "11.0.0.2", "/ip4/11.0.0.2/tcp/1");
	must(pu_key_from_seed(&w.nobody, seed) == 0);
	must(pu_circuit_transport_new(w.us.h, NULL, &w.circuit) == 0);
	must(pu_relays_new(w.us.h, 0, NULL, NULL, &w.relays) == 0);
	must(pu_host_handle(w.relay.h, PU_HOP_PROTOCOL, on_hop, NULL) == 0);
	must(pu_multiaddr_from_text(&w.addr, "/ip4/11.0.0.2/tcp/1") == 0);
	must(pu_circuit_addr_make(&w.addr, &w.relay.key.peer, &w.circuit_addr) == 0);
	must(pu_host_add_addr(w.us.h, &w.relay.key.peer, &w.addr, true) == 0);
	must(pu_multiaddr_append(&w.addr, PU_MA_P2P, pu_peerid_bytes(&w.relay.key.peer)) == 0);
	/* Whatever happens, this connection stays. */
	pu_host_protect(w.us.h, &w.relay.key.peer, true);
	pu_host_protect(w.relay.h, &w.us.key.peer, true);
	must(pu_host_connect(w.us.h, &w.relay.key.peer, connect_done, NULL, NULL) == 0);
	must(pu_sim_run_until(w.sim, connected, NULL, PU_SEC(10)));
	pu_sim_run(w.sim, PU_SEC(1));
}

static bool stream_is_there(void *arg)
{
	return w.st != NULL;
}

static void feed(const uint8_t *p, size_t len, uint8_t step)
{
	for (size_t i = 0; i < len && w.st; i += (size_t)step + 1) {
		pu_stream_write(w.st, p + i, pu_min((size_t)step + 1, len - i));
		pu_sim_run(w.sim, PU_MS(1));
	}
	if (w.st && step & 1)
		pu_stream_shutdown(w.st);
	pu_sim_run(w.sim, PU_MS(10));
}

static void drop_stream(void)
{
	if (w.st)
		pu_stream_reset(w.st, 0);
	w.st = NULL;
}

static void answer_reserve(const uint8_t *p, size_t len, uint8_t step)
{
	must(pu_relays_set(w.relays, &w.addr, 1) == 0);
	must(pu_sim_run_until(w.sim, stream_is_there, NULL, PU_SEC(5)));
	feed(p, len, step);
	must(pu_relays_set(w.relays, NULL, 0) == 0);
	/* It took the address along. */
	pu_host_add_addr(w.us.h, &w.relay.key.peer, &w.addr, true);
	drop_stream();
}

struct result {
	bool done;
};

static void dialed(void *arg, int err, struct pu_conn *c)
{
	struct result *r = arg;

	r->done = true;
	must(err < 0); /* nobody guesses keys */
}

static void answer_connect(const uint8_t *p, size_t len, uint8_t step)
{
	struct result r = { 0 };
	struct pu_dial *d;

	must(w.circuit->ops->dial(w.circuit, &w.circuit_addr, &w.nobody.peer, PU_SEC(15), dialed,
				  &r, &d) == 0);
	must(pu_sim_run_until(w.sim, stream_is_there, NULL, PU_SEC(5)));
	feed(p, len, step);
	drop_stream();
	pu_sim_run(w.sim, PU_SEC(20));
	must(r.done);
}

static void bring(const uint8_t *p, size_t len, uint8_t step)
{
	static const char *const protocols[] = { PU_STOP_PROTOCOL, NULL };
	struct pu_circuit_stats stats;

	must(pu_host_open(w.relay.h, &w.us.key.peer, NULL, protocols, on_stop_open, NULL, NULL) == 0);
	must(pu_sim_run_until(w.sim, stream_is_there, NULL, PU_SEC(5)));
	feed(p, len, step);
	drop_stream();
	pu_sim_run(w.sim, PU_SEC(30));
	pu_circuit_stats(w.circuit, &stats);
	must(stats.pending == 0 && stats.open == 0 && stats.accepted == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!w.sim)
		prepare();
	if (size < 2 || size > 8192)
		return 0;
	switch (data[0] % 3) {
	case 0:
		answer_reserve(data + 2, size - 2, data[1]);
		break;
	case 1:
		answer_connect(data + 2, size - 2, data[1]);
		break;
	case 2:
		bring(data + 2, size - 2, data[1]);
		break;
	}
	must(connected(NULL));
	return 0;
}
