/* Names of the reverse zones (in-addr.arpa, ip6.arpa) inside a prefix. */
#ifndef PU_TUN_DNS_REVERSE_H
#define PU_TUN_DNS_REVERSE_H

#include "tun/dns/name.h"
#include "tun/packet.h"

enum pu_dns_reverse {
	PU_DNS_REVERSE_FOREIGN, /* not inside the prefix, or wider than it */
	PU_DNS_REVERSE_ABOVE,   /* inside, but only the beginning of an address */
	PU_DNS_REVERSE_ADDRESS, /* one address */
	PU_DNS_REVERSE_INVALID, /* inside, but no address can have this name */
};

/* *papex: number of leading labels in front of the zone's apex, which lies on the
 * label boundary (octet, nibble) at or below the prefix. addr: of
 * PU_DNS_REVERSE_ADDRESS. */
enum pu_dns_reverse pu_dns_reverse_parse(const struct pu_dns_name *name,
					 const struct pu_ip *prefix, unsigned bits,
					 unsigned *papex, struct pu_ip *addr);
/* Appends the names of the zones that cover the prefix, each after a space: one where
 * the prefix ends on a label, otherwise up to 128 (8) for IPv4 (IPv6). Returns the new
 * length; PU_ELIMIT when cap is too small. */
int pu_dns_reverse_zones(const struct pu_ip *prefix, unsigned bits, char *out, size_t len,
			 size_t cap);

#endif
