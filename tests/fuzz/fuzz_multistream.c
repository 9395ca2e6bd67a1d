/* Byte 0: bit 0 the role, the rest how much arrives at a time. Then the stream. */
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "p2p/multistream/negotiate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool supports(void *arg, struct pu_bytes name)
{
	if (name.len == 0 || name.len > PU_MULTISTREAM_NAME_MAX)
		abort();
	return pu_bytes_eq_str(name, "/noise");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const list[] = { "/tls/1.0.0", "/noise", NULL };
	struct pu_multistream ms;
	size_t end, off = 1, used, step;
	struct pu_buf out;
	int r = PU_EAGAIN;

	if (size < 1)
		return 0;
	step = 1u + (data[0] >> 1);
	pu_buf_init(&out, PU_MULTISTREAM_OUT_MAX);
	if (data[0] & 1)
		pu_multistream_initiate(&ms, list, false, &out);
	else
		pu_multistream_respond(&ms, supports, NULL, &out);
	for (end = pu_min(size, 1 + step); r == PU_EAGAIN; end = pu_min(size, end + step)) {
		pu_buf_clear(&out, SIZE_MAX);
		r = pu_multistream_recv(&ms, pu_bytes(data + off, end - off), &used, &out);
		if (used > end - off || out.len > PU_MULTISTREAM_OUT_MAX)
			abort();
		off += used;
		if (r == 0 && !pu_multistream_protocol(&ms))
			abort();
		if (r == PU_EAGAIN && end - off > 2 + PU_MULTISTREAM_LINE_MAX)
			abort(); /* a caller would wait for ever */
		if (end == size)
			break;
	}
	pu_buf_deinit(&out);
	return 0;
}
