/* DCUtR messages of a stranger, and which of his addresses we would punch to. */
#include <stdlib.h>

#include "p2p/dcutr/addrs.h"
#include "p2p/dcutr/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pu_multiaddr targets[PU_DCUTR_TARGETS_MAX];
	struct pu_bytes in = pu_bytes(data, size);
	struct pu_dcutr_message m, again;
	struct pu_peerid peer = { .len = 0 };
	struct pu_buf out;
	size_t used, n;

	while (pu_dcutr_message_decode(in, &used, &m) == 0) {
		in = pu_bytes(in.p + used, in.len - used);
		n = pu_dcutr_targets(&peer, m.addrs, m.n_addrs, false, targets);
		for (size_t i = 0; i < n; i++)
			if (!pu_multiaddr_is_public(&targets[i]))
				abort();
		pu_buf_init(&out, 2 * PU_DCUTR_MESSAGE_MAX);
		if (pu_dcutr_message_encode(&m, &out) < 0 ||
		    pu_dcutr_message_decode(pu_buf_bytes(&out), &used, &again) < 0 ||
		    again.type != m.type || used != out.len)
			abort();
		pu_buf_deinit(&out);
	}
	return 0;
}
