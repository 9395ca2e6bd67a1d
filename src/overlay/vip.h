/* Virtual addresses: every node derives the address of a peer from its peer ID, so
 * nobody hands out addresses and nobody has to agree.
 *
 * The canonical addresses of a peer, which are the ones in packets on the wire:
 *   IPv4  10.64.x.y, x.y = the first two bytes of SHA-256(raw peer ID); a reserved
 *         value (0.0, 0.53, 255.255) moves on to the next two bytes
 *   IPv6  fd70:6565:7275::/48 followed by the first ten bytes of the same hash
 *
 * A local table may use other ranges (vpn.subnet, vpn.ipv6_prefix) and another
 * address for a peer whose own is taken here; the edge rewrites between the two. */
#ifndef PU_OVERLAY_VIP_H
#define PU_OVERLAY_VIP_H

#include "base/buf.h"
#include "crypto/peerid.h"

enum {
	PU_VIP_V4_BITS_MIN = 8, /* widest and narrowest IPv4 range of a table */
	PU_VIP_V4_BITS_MAX = 24,
	PU_VIP_V6_BITS_MAX = 64, /* leaves 64 bits of hash */
	PU_VIP_PEERS_MAX = 16384,
	PU_VIP_DNS_HOST = 53, /* host number of the name server in the range */
};

struct pu_vip {
	uint8_t v4[4];
	uint8_t v6[16];
};

struct pu_vip_range {
	uint8_t v4[4];
	uint8_t v4_bits;
	uint8_t v6[16];
	uint8_t v6_bits;
};

extern const struct pu_vip_range pu_vip_canonical_range;

/* PU_EINVAL: bits outside the limits above or host bits set. */
int pu_vip_range_check(const struct pu_vip_range *r);
/* Address of a peer in a range; round 0 is its first choice. */
void pu_vip_derive(const struct pu_vip_range *r, const struct pu_peerid *peer, unsigned round,
		   struct pu_vip *out);
/* What the peer calls itself on the wire. */
void pu_vip_canonical(const struct pu_peerid *peer, struct pu_vip *out);
/* IPv4 address of the name server in a range. */
void pu_vip_dns(const struct pu_vip_range *r, uint8_t out[4]);

struct pu_vip_table;

/* key: 16 random bytes for the hash table. PU_EINVAL, PU_ENOMEM. */
int pu_vip_table_new(const struct pu_vip_range *r, const uint8_t key[16],
		     struct pu_vip_table **pt);
void pu_vip_table_free(struct pu_vip_table *t);
const struct pu_vip_range *pu_vip_table_range(const struct pu_vip_table *t);

/* The peer's address here, assigned on first use. *pnew tells whether the table
 * changed and should be saved. PU_ELIMIT: PU_VIP_PEERS_MAX peers or a full range. */
int pu_vip_assign(struct pu_vip_table *t, const struct pu_peerid *peer, struct pu_vip *out,
		  bool *pnew);
/* Which peer has that address; family AF_INET or AF_INET6. NULL: nobody. The pointer
 * is valid as long as the table. */
const struct pu_peerid *pu_vip_find(const struct pu_vip_table *t, int family,
				    const uint8_t *addr);

/* One line per peer: "<peer id> <round>\n". Loading ignores the addresses of other
 * ranges by construction: a round is meaningful in every range. PU_EPROTO names a
 * damaged line in *pline; what was read before it stays. */
int pu_vip_table_save(const struct pu_vip_table *t, struct pu_buf *out);
int pu_vip_table_load(struct pu_vip_table *t, struct pu_bytes text, unsigned *pline);

#endif
