/* Makes IP packets for tests and checks them, with plain arithmetic of its own, so
 * that a mistake of the code under test is not repeated here. */
#ifndef PU_TESTS_SUPPORT_CRAFT_H
#define PU_TESTS_SUPPORT_CRAFT_H

#include "base/bytes.h"

enum { CRAFT_TCP = 6, CRAFT_UDP = 17, CRAFT_ICMP = 1, CRAFT_ICMP6 = 58 };

struct craft {
	uint8_t version; /* 4 or 6 */
	uint8_t proto;
	uint8_t src, dst; /* last byte of 10.64.1.x or fd00::x */
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t tcp_flags;
	uint16_t window;
	uint8_t tcp_options; /* bytes, a multiple of 4 */
	uint8_t ip_options;  /* bytes, a multiple of 4 (IPv4) or 8 (IPv6 destination options) */
	uint16_t id;
	bool df;
	uint8_t icmp_type, icmp_code;
	size_t payload;
	uint32_t seed; /* of the payload and the options */
};

/* Writes the packet with complete checksums; returns its length. */
size_t craft_packet(uint8_t *out, const struct craft *c);
/* The same as a frame of the device: virtio-net header in front, checksum partial; a
 * super-packet of gso_size payload bytes each, or with 0 one packet. */
size_t craft_frame(uint8_t *out, const struct craft *c, uint16_t gso_size);
/* The transport checksum becomes the folded pseudo-header sum. */
void craft_make_partial(uint8_t *p, size_t len);
/* IP header checksum and transport checksum are right, by recomputation. */
bool craft_checksums_good(const uint8_t *p, size_t len);
/* The transport checksum field holds the pseudo-header sum. */
bool craft_partial_good(const uint8_t *p, size_t len);
/* Sum of big-endian words, one by one, folded. */
uint16_t craft_sum(uint32_t start, const uint8_t *p, size_t len);

/* A small generator: same seed, same numbers. */
uint32_t craft_random(uint64_t *state);

#endif
