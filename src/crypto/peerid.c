#include "crypto/peerid.h"

#include "base/codec.h"
#include "base/err.h"
#include "base/wire.h"

enum {
	MH_IDENTITY = 0x00,
	MH_SHA2_256 = 0x12,
	SHA2_256_LEN = 32,
	CID_V1 = 1,
	CODEC_LIBP2P_KEY = 0x72,
	CID_MAX = 2 + PU_PEERID_MAX,
	TEXT_LEN_MAX = 128, /* the longest form, multibase f, has 89 characters */
	SHORT_LEN = 16,
};

int pu_peerid_from_bytes(struct pu_peerid *id, struct pu_bytes raw)
{
	struct pu_rd r = pu_rd_init(raw.p, raw.len);
	uint64_t code = pu_rd_uvarint(&r);
	struct pu_bytes digest = pu_rd_lp(&r, PU_PEERID_MAX);

	if (pu_rd_end(&r) < 0 || raw.len > PU_PEERID_MAX || digest.len == 0)
		return PU_EINVAL;
	if (code != MH_IDENTITY && (code != MH_SHA2_256 || digest.len != SHA2_256_LEN))
		return PU_EINVAL;
	*id = (struct pu_peerid){ .len = (uint8_t)raw.len };
	memcpy(id->b, raw.p, raw.len);
	return 0;
}

static int decode_multibase(const char *text, size_t len, uint8_t *out, size_t cap)
{
	switch (text[0]) {
	case 'b':
		return pu_base32_decode(text + 1, len - 1, out, cap);
	case 'f':
		return pu_hex_decode(text + 1, len - 1, out, cap);
	case 'u':
		return pu_base64url_decode(text + 1, len - 1, out, cap);
	case 'z':
		return pu_base58_decode(text + 1, len - 1, out, cap);
	default:
		return PU_EINVAL;
	}
}

int pu_peerid_from_text(struct pu_peerid *id, const char *text)
{
	size_t len = strnlen(text, TEXT_LEN_MAX + 1);
	uint8_t raw[CID_MAX];
	int n;

	if (len == 0 || len > TEXT_LEN_MAX)
		return PU_EINVAL;
	if (text[0] == '1' || strncmp(text, "Qm", 2) == 0) {
		n = pu_base58_decode(text, len, raw, sizeof raw);
		return n < 0 ? PU_EINVAL : pu_peerid_from_bytes(id, pu_bytes(raw, (size_t)n));
	}
	n = decode_multibase(text, len, raw, sizeof raw);
	if (n < 2 || raw[0] != CID_V1 || raw[1] != CODEC_LIBP2P_KEY)
		return PU_EINVAL;
	return pu_peerid_from_bytes(id, pu_bytes(raw + 2, (size_t)n - 2));
}

const char *pu_peerid_text(const struct pu_peerid *id, char *out)
{
	if (pu_base58_encode(pu_peerid_bytes(id), out, PU_PEERID_TEXT_MAX) < 0)
		out[0] = '\0';
	return out;
}

const char *pu_peerid_short(const struct pu_peerid *id, char *out)
{
	char text[PU_PEERID_TEXT_MAX];
	size_t len = strlen(pu_peerid_text(id, text));

	memcpy(out, text, pu_min(len, SHORT_LEN));
	memcpy(out + pu_min(len, SHORT_LEN), len > SHORT_LEN ? "..." : "", len > SHORT_LEN ? 4 : 1);
	return out;
}
