/* What a relay says to us. The first byte: 0 an answer to RESERVE, 1 an answer to CONNECT,
 * 2 a stream of the stop protocol. The second byte says how long the pieces are; an odd
 * one ends the stream behind them. */
#include "p2p/circuit/addr.h"
#include "p2p/circuit/hop.h"
#include "p2p/circuit/relays.h"
#include "p2p/circuit/transport.h"
#include "support/said.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Made once: only the messages differ. */
static struct world {
	struct said said; /* by the relay */
	struct said_node us, relay;
	struct pu_key nobody;
	struct pu_transport *circuit;
	struct pu_relays *relays;
	struct pu_multiaddr addr, circuit_addr;
} w;

static bool connected(void *arg)
{
	return pu_host_conn(w.us.h, &w.relay.key.peer) && pu_host_conn(w.relay.h, &w.us.key.peer);
}

static void connect_done(void *arg, int err, struct pu_conn *c)
{
	said_must(err == 0);
}

static void prepare(void)
{
	uint8_t seed[32] = { 9 };

	said_must(pu_crypto_init() == 0);
	w.said.sim = pu_sim_new(1);
	said_node_start(&w.said, &w.us, 1, "11.0.0.1", NULL);
	said_node_start(&w.said, &w.relay, 2, "11.0.0.2", NULL);
	said_must(pu_key_from_seed(&w.nobody, seed) == 0);
	said_must(pu_circuit_transport_new(w.us.h, NULL, &w.circuit) == 0);
	said_must(pu_relays_new(w.us.h, 0, NULL, NULL, &w.relays) == 0);
	said_must(pu_host_handle(w.relay.h, PU_HOP_PROTOCOL, said_on_stream, &w.said) == 0);
	said_must(pu_multiaddr_from_text(&w.addr, "/ip4/11.0.0.2/tcp/1") == 0);
	said_must(pu_circuit_addr_make(&w.addr, &w.relay.key.peer, &w.circuit_addr) == 0);
	said_must(pu_host_add_addr(w.us.h, &w.relay.key.peer, &w.addr, true) == 0);
	said_must(pu_multiaddr_append(&w.addr, PU_MA_P2P, pu_peerid_bytes(&w.relay.key.peer)) == 0);
	/* Whatever happens, this connection stays. */
	pu_host_protect(w.us.h, &w.relay.key.peer, true);
	pu_host_protect(w.relay.h, &w.us.key.peer, true);
	said_must(pu_host_connect(w.us.h, &w.relay.key.peer, connect_done, NULL, NULL) == 0);
	said_must(pu_sim_run_until(w.said.sim, connected, NULL, PU_SEC(10)));
	pu_sim_run(w.said.sim, PU_SEC(1));
}

static void answer_reserve(const uint8_t *p, size_t len, uint8_t step)
{
	said_must(pu_relays_set(w.relays, &w.addr, 1) == 0);
	said_feed(&w.said, p, len, step);
	said_must(pu_relays_set(w.relays, NULL, 0) == 0);
	/* It took the address along. */
	pu_host_add_addr(w.us.h, &w.relay.key.peer, &w.addr, true);
	said_drop(&w.said);
}

struct result {
	bool done;
};

static void dialed(void *arg, int err, struct pu_conn *c)
{
	struct result *r = arg;

	r->done = true;
	said_must(err < 0); /* nobody guesses keys */
}

static void answer_connect(const uint8_t *p, size_t len, uint8_t step)
{
	struct result r = { 0 };
	struct pu_dial *d;

	said_must(w.circuit->ops->dial(w.circuit, &w.circuit_addr, &w.nobody.peer, PU_SEC(15), dialed,
				  &r, &d) == 0);
	said_feed(&w.said, p, len, step);
	said_drop(&w.said);
	pu_sim_run(w.said.sim, PU_SEC(20));
	said_must(r.done);
}

static void bring(const uint8_t *p, size_t len, uint8_t step)
{
	static const char *const protocols[] = { PU_STOP_PROTOCOL, NULL };
	struct pu_circuit_stats stats;

	said_must(pu_host_open(w.relay.h, &w.us.key.peer, NULL, protocols, said_on_open, &w.said, NULL) == 0);
	said_feed(&w.said, p, len, step);
	said_drop(&w.said);
	pu_sim_run(w.said.sim, PU_SEC(30));
	pu_circuit_stats(w.circuit, &stats);
	said_must(stats.pending == 0 && stats.open == 0 && stats.accepted == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!w.said.sim)
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
	said_must(connected(NULL));
	return 0;
}
