/* The first bytes choose what is read next; a writer must reproduce it. */
#include <stdint.h>
#include <stdlib.h>

#include "base/codec.h"
#include "base/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_reader(const uint8_t *data, size_t size)
{
	struct pu_rd r = pu_rd_init(data, size);
	uint8_t out[512];

	while (r.left > 0 && !r.err) {
		const uint8_t *start = r.p + 1;
		struct pu_wr w = pu_wr_init(out, sizeof out);

		switch (pu_rd_u8(&r) % 6) {
		case 0:
			pu_wr_u8(&w, pu_rd_u8(&r));
			break;
		case 1:
			pu_wr_be16(&w, pu_rd_be16(&r));
			break;
		case 2:
			pu_wr_be32(&w, pu_rd_be32(&r));
			break;
		case 3:
			pu_wr_be64(&w, pu_rd_be64(&r));
			break;
		case 4:
			pu_wr_uvarint(&w, pu_rd_uvarint(&r));
			break;
		case 5:
			pu_wr_lp(&w, pu_rd_lp(&r, 256));
			break;
		}
		if (!r.err && (pu_wr_end(&w) < 0 || memcmp(start, out, w.len) != 0))
			abort();
	}
}

static void fuzz_codecs(const uint8_t *data, size_t size)
{
	uint8_t b[256];
	char text[1024];
	int n;

	n = pu_base58_decode((const char *)data, size, b, sizeof b);
	if (n >= 0 && (pu_base58_encode(pu_bytes(b, (size_t)n), text, sizeof text) != (int)size ||
		       memcmp(text, data, size) != 0))
		abort();
	n = pu_base32_decode((const char *)data, size, b, sizeof b);
	if (n >= 0 && (pu_base32_encode(pu_bytes(b, (size_t)n), text, sizeof text) != (int)size ||
		       memcmp(text, data, size) != 0))
		abort();
	n = pu_base64url_decode((const char *)data, size, b, sizeof b);
	if (n >= 0 && (pu_base64url_encode(pu_bytes(b, (size_t)n), text, sizeof text) != (int)size ||
		       memcmp(text, data, size) != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_reader(data, size);
	fuzz_codecs(data, size);
	return 0;
}
