/* Circuit relay messages of a stranger: framing, both protocols, vouchers; what was
 * understood must survive our own encoding. */
#include <stdlib.h>

#include "base/err.h"
#include "p2p/circuit/message.h"
#include "p2p/circuit/reader.h"
#include "p2p/circuit/voucher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(enum pu_circuit_protocol protocol, struct pu_bytes body)
{
	static struct pu_circuit_message m, again;
	struct pu_buf out;
	uint64_t len;
	int n;

	if (pu_circuit_message_decode(protocol, body, &m) < 0 || m.type == PU_CIRCUIT_UNKNOWN)
		return;
	pu_buf_init(&out, 2 * PU_CIRCUIT_MESSAGE_MAX);
	/* Explicit zeroes may make it longer than it came. */
	if (pu_circuit_message_encode(protocol, &m, &out) == 0) {
		n = pu_uvarint_decode(out.mem + out.off, out.len, &len);
		if (n < 0 || out.len != (size_t)n + len ||
		    pu_circuit_message_decode(protocol, pu_bytes(out.mem + out.off + n, (size_t)len),
					      &again) < 0 ||
		    memcmp(&m, &again, sizeof m) != 0)
			abort();
	}
	pu_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pu_circuit_reader r;
	struct pu_peerid nobody = { 0 };
	struct pu_bytes body;
	size_t taken;

	pu_circuit_reader_init(&r);
	if (pu_circuit_reader_feed(&r, data, size, &taken, &body) == 0) {
		round_trip(PU_CIRCUIT_HOP, body);
		round_trip(PU_CIRCUIT_STOP, body);
		if (pu_circuit_voucher_check(body, &nobody, &nobody, 0, NULL) == 0)
			abort();
	}
	if (taken > size)
		abort();
	pu_circuit_reader_deinit(&r);
	return 0;
}
