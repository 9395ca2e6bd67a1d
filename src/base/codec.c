#include "base/codec.h"

#include "base/err.h"

static const char alphabet58[] =
	"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
static const char alphabet32[] = "abcdefghijklmnopqrstuvwxyz234567";
static const char alphabet64[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char alphabet64std[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet16[] = "0123456789abcdef";

/* Base 58 is quadratic; nothing longer than a multihash is ever coded with it. */
enum { BASE58_MAX = 128 };

static int index_of(const char *alphabet, char c)
{
	const char *p = c ? strchr(alphabet, c) : NULL;

	return p ? (int)(p - alphabet) : -1;
}

int pu_base58_encode(struct pu_bytes in, char *out, size_t cap)
{
	uint8_t digit[BASE58_MAX * 2];
	size_t n = 0, zeros = 0;

	if (in.len > BASE58_MAX)
		return PU_ELIMIT;
	while (zeros < in.len && in.p[zeros] == 0)
		zeros++;
	for (size_t i = zeros; i < in.len; i++) {
		unsigned carry = in.p[i];

		for (size_t j = 0; j < n || carry; j++) {
			if (j == n)
				digit[n++] = 0;
			carry += 256u * digit[j];
			digit[j] = (uint8_t)(carry % 58);
			carry /= 58;
		}
	}
	if (zeros + n + 1 > cap)
		return PU_ELIMIT;
	memset(out, alphabet58[0], zeros);
	for (size_t i = 0; i < n; i++)
		out[zeros + i] = alphabet58[digit[n - 1 - i]];
	out[zeros + n] = '\0';
	return (int)(zeros + n);
}

int pu_base58_decode(const char *in, size_t len, uint8_t *out, size_t cap)
{
	uint8_t byte[BASE58_MAX * 2];
	size_t n = 0, zeros = 0;

	if (len > BASE58_MAX)
		return PU_EINVAL;
	while (zeros < len && in[zeros] == alphabet58[0])
		zeros++;
	for (size_t i = zeros; i < len; i++) {
		int v = index_of(alphabet58, in[i]);
		unsigned carry;

		if (v < 0)
			return PU_EINVAL;
		carry = (unsigned)v;
		for (size_t j = 0; j < n || carry; j++) {
			if (j == n)
				byte[n++] = 0;
			carry += 58u * byte[j];
			byte[j] = (uint8_t)carry;
			carry >>= 8;
		}
	}
	if (zeros + n > cap)
		return PU_ELIMIT;
	memset(out, 0, zeros);
	for (size_t i = 0; i < n; i++)
		out[zeros + i] = byte[n - 1 - i];
	return (int)(zeros + n);
}

/* Codings whose alphabet size is a power of two. */
static int bits_encode(struct pu_bytes in, const char *alphabet, unsigned bits, char *out,
		       size_t cap)
{
	uint32_t acc = 0;
	unsigned have = 0;
	size_t n = 0;

	if (cap == 0 || in.len > SIZE_MAX / 8 || (in.len * 8 + bits - 1) / bits >= cap)
		return PU_ELIMIT;
	for (size_t i = 0; i < in.len; i++) {
		acc = acc << 8 | in.p[i];
		for (have += 8; have >= bits; have -= bits)
			out[n++] = alphabet[acc >> (have - bits) & ((1u << bits) - 1)];
	}
	if (have)
		out[n++] = alphabet[acc << (bits - have) & ((1u << bits) - 1)];
	out[n] = '\0';
	return (int)n;
}

static int bits_decode(const char *in, size_t len, const char *alphabet, unsigned bits,
		       uint8_t *out, size_t cap)
{
	uint32_t acc = 0;
	unsigned have = 0;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int v = index_of(alphabet, in[i]);

		if (v < 0)
			return PU_EINVAL;
		acc = acc << bits | (uint32_t)v;
		have += bits;
		if (have < 8)
			continue;
		have -= 8;
		if (n == cap)
			return PU_ELIMIT;
		out[n++] = (uint8_t)(acc >> have);
	}
	/* Left-over bits must be fewer than a character's worth, and zero. */
	if (have >= bits || (acc & ((1u << have) - 1)))
		return PU_EINVAL;
	return (int)n;
}

int pu_base32_encode(struct pu_bytes in, char *out, size_t cap)
{
	return bits_encode(in, alphabet32, 5, out, cap);
}

int pu_base32_decode(const char *in, size_t len, uint8_t *out, size_t cap)
{
	return bits_decode(in, len, alphabet32, 5, out, cap);
}

int pu_base64url_encode(struct pu_bytes in, char *out, size_t cap)
{
	return bits_encode(in, alphabet64, 6, out, cap);
}

int pu_base64url_decode(const char *in, size_t len, uint8_t *out, size_t cap)
{
	return bits_decode(in, len, alphabet64, 6, out, cap);
}

int pu_base64_encode(struct pu_bytes in, char *out, size_t cap)
{
	int n = bits_encode(in, alphabet64std, 6, out, cap);

	if (n < 0 || (size_t)(n + 3) / 4 * 4 >= cap)
		return PU_ELIMIT;
	while (n % 4 != 0)
		out[n++] = '=';
	out[n] = '\0';
	return n;
}

int pu_hex_encode(struct pu_bytes in, char *out, size_t cap)
{
	return bits_encode(in, alphabet16, 4, out, cap);
}

int pu_hex_decode(const char *in, size_t len, uint8_t *out, size_t cap)
{
	return bits_decode(in, len, alphabet16, 4, out, cap);
}
