/* DHT messages of a stranger; what we take from one can be said again. */
#include <stdlib.h>

#include "base/err.h"
#include "base/wire.h"
#include "p2p/kad/addrs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void say_again(struct pu_kad_message *m, struct pu_kad_message *back)
{
	struct pu_buf out;
	struct pu_bytes b;
	uint64_t len;
	int n;

	pu_buf_init(&out, PU_KAD_MESSAGE_OUT_MAX);
	if (pu_kad_message_encode(m, &out) == 0) {
		b = pu_buf_bytes(&out);
		n = pu_uvarint_decode(b.p, b.len, &len);
		if (n < 0 || (size_t)n + len != b.len ||
		    pu_kad_message_decode(pu_bytes(b.p + n, len), back) < 0 ||
		    back->type != m->type || !pu_bytes_eq(back->key, m->key) ||
		    back->n_junk > 0 || back->n_closer > m->n_closer)
			abort();
		pu_kad_message_deinit(back);
	}
	pu_buf_deinit(&out);
}

static void keep_addrs(const struct pu_kad_message *m)
{
	struct pu_kad_addrs kept = { 0 };
	struct pu_kad_peer lent;

	for (size_t i = 0; i < m->n_closer; i++)
		pu_kad_addrs_add(&kept, &m->closer[i]);
	if (kept.len > PU_KAD_ADDRS_BYTES)
		abort();
	pu_kad_addrs_lend(&kept, &lent);
	pu_kad_addrs_deinit(&kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pu_kad_message m, back;

	if (pu_kad_message_decode(pu_bytes(data, size), &m) < 0)
		return 0;
	if (m.n_closer > PU_KAD_PEERS_MAX || m.n_providers > PU_KAD_PEERS_MAX)
		abort();
	say_again(&m, &back);
	keep_addrs(&m);
	pu_kad_message_deinit(&m);
	return 0;
}
