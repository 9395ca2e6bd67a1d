#include "tun/packet.h"

#include "base/wire.h"

/* Two 64-bit lanes: SSE2 and NEON have them, and any other machine gets them in
 * pieces. Halves of 32 bits are added into 64, so that nothing carries out. */
typedef uint64_t lanes __attribute__((vector_size(16)));

enum { BLOCK = 64 };

static uint64_t add_blocks(const uint8_t *p, size_t n_blocks)
{
	const lanes low = { UINT32_MAX, UINT32_MAX };
	lanes a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 }, w[4];

	for (; n_blocks > 0; n_blocks--, p += BLOCK) {
		memcpy(w, p, BLOCK);
		a += w[0] & low;
		b += w[0] >> 32;
		c += w[1] & low;
		d += w[1] >> 32;
		a += w[2] & low;
		b += w[2] >> 32;
		c += w[3] & low;
		d += w[3] >> 32;
	}
	a += b + c + d;
	return a[0] + a[1];
}

uint16_t pu_csum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* The sum of words in memory order, swapped once at the end, equals the sum of
 * big-endian words (RFC 1071, 2B). */
uint64_t pu_csum_add(uint64_t sum, const void *p, size_t len)
{
	size_t n_blocks = len / BLOCK;
	const uint8_t *b = p;
	uint16_t folded;
	uint64_t s = 0;
	uint32_t w;

	if (n_blocks) {
		s = add_blocks(b, n_blocks);
		b += n_blocks * BLOCK;
		len -= n_blocks * BLOCK;
	}
	for (; len >= 4; b += 4, len -= 4) {
		memcpy(&w, b, 4);
		s += w;
	}
	if (len) {
		w = 0;
		memcpy(&w, b, len);
		s += w;
	}
	folded = pu_csum_fold(s);
	return sum + pu_get_be16(&folded);
}

uint64_t pu_csum_pseudo(const uint8_t *p, uint8_t proto, size_t len)
{
	uint64_t sum = (uint64_t)proto + len;

	return p[0] >> 4 == 4 ? pu_csum_add(sum, p + 12, 8) : pu_csum_add(sum, p + 8, 32);
}
