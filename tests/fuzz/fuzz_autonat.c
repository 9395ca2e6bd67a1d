/* Messages of AutoNAT, of a request's stream and of a dial-back's. What was understood
 * survives being said again. */
#include <stdlib.h>

#include "base/err.h"
#include "p2p/autonat/message.h"
#include "p2p/proto/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(const struct pu_autonat_message *m)
{
	struct pu_autonat_message m2;
	struct pu_bytes body;
	struct pu_buf out;
	size_t used;

	if (m->type == PU_AUTONAT_DATA && m->n_bytes > PU_AUTONAT_CHUNK_MAX)
		return;
	pu_buf_init(&out, 2 * PU_AUTONAT_MESSAGE_MAX);
	if (pu_autonat_message_encode(m, &out) < 0 ||
	    pu_message_split(pu_buf_bytes(&out), PU_AUTONAT_MESSAGE_MAX, &body, &used) < 0 ||
	    pu_autonat_message_decode(body, &m2) < 0 || used != out.len)
		abort();
	if (m2.type != m->type)
		abort();
	switch (m->type) {
	case PU_AUTONAT_REQUEST:
		if (m2.nonce != m->nonce || m2.n_addrs != m->n_addrs)
			abort();
		for (size_t i = 0; i < m->n_addrs; i++)
			if (!pu_multiaddr_eq(&m->addrs[i], &m2.addrs[i]))
				abort();
		break;
	case PU_AUTONAT_RESPONSE:
		if (m2.status != m->status || m2.dial != m->dial || m2.idx != m->idx)
			abort();
		break;
	case PU_AUTONAT_DATA_REQUEST:
	case PU_AUTONAT_DATA:
		if (m2.n_bytes != m->n_bytes)
			abort();
		break;
	}
	pu_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pu_bytes in = { data, size }, body;
	struct pu_autonat_message m;
	uint64_t nonce;
	uint32_t status;
	size_t used;

	while (pu_message_split(in, PU_AUTONAT_MESSAGE_MAX, &body, &used) == 0) {
		if (pu_autonat_message_decode(body, &m) == 0)
			again(&m);
		(void)pu_autonat_back_decode(body, &nonce);
		(void)pu_autonat_back_response_decode(body, &status);
		in = pu_bytes(in.p + used, in.len - used);
	}
	return 0;
}
