/* Identify messages of a stranger: framing, then what is believed of them. */
#include <stdlib.h>

#include "base/buf.h"
#include "p2p/host/state.h"
#include "p2p/proto/identify_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void random_zero(void *arg, void *p, size_t n)
{
	memset(p, 0, n);
}

static void nothing(void *arg)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pu_key key;
	struct pu_host h = { .cfg.key = &key };
	struct pu_loop loop;
	struct pu_conn c = { .security = "noise", .muxer = "yamux" };
	struct host_conn hc = { .h = &h, .c = &c };
	struct pu_buf body;
	uint8_t seed[32] = { 7 };
	unsigned n = 0;
	size_t used;

	if (key.peer.len == 0 && (pu_crypto_init() < 0 || pu_key_from_seed(&key, seed) < 0))
		abort();
	pu_loop_init(&loop, PU_SEC(1), 0, random_zero, NULL);
	h.loop = &loop;
	pu_peerstore_init(&h.peers, &loop);
	pu_listener_init(&h.listener, &loop, nothing, NULL);
	c.peer = key.peer;
	pu_multiaddr_from_text(&c.local, "/ip4/11.0.0.1/tcp/4001");
	pu_multiaddr_from_text(&c.remote, "/ip4/11.0.0.2/tcp/4001");
	pu_listener_add_bound(&h.listener, &c.local);
	hc.peer = pu_peerstore_get(&h.peers, &c.peer);
	pu_buf_init(&body, 100000);
	if (pu_identify_message_split(pu_bytes(data, size), &body, &n, &used) == 0 && n > 0)
		pu_identify_message_apply(&hc, pu_buf_bytes(&body), size & 1);
	pu_buf_deinit(&body);
	pu_peerstore_deinit(&h.peers);
	pu_listener_deinit(&h.listener);
	pu_loop_deinit(&loop);
	return 0;
}
