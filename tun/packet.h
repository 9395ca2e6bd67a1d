/* IP packets: parsing, address rewriting, ICMP answers. All lengths are checked
 * against the bytes at hand; nothing is trusted. */
#ifndef PU_TUN_PACKET_H
#define PU_TUN_PACKET_H

#include "base/pkt.h"

/* An IPv4 or IPv6 address; v4 occupies the first 4 bytes of b. */
struct pu_ip {
	uint8_t version; /* 4 or 6; 0: none */
	uint8_t b[16];
};

static inline struct pu_ip pu_ip4(const void *p)
{
	struct pu_ip a = { .version = 4 };
	memcpy(a.b, p, 4);
	return a;
}

static inline struct pu_ip pu_ip6(const void *p)
{
	struct pu_ip a = { .version = 6 };
	memcpy(a.b, p, 16);
	return a;
}

static inline bool pu_ip_eq(const struct pu_ip *a, const struct pu_ip *b)
{
	return a->version == b->version && memcmp(a->b, b->b, a->version == 4 ? 4 : 16) == 0;
}

/* What a header says. Offsets count from the start of the IP header. */
struct pu_packet {
	struct pu_ip src, dst;
	uint8_t proto;          /* of the transport header; 0xff: none to be seen */
	uint16_t ip_len;        /* IP header with extension headers / options */
	uint16_t total_len;
	uint16_t sport, dport;  /* TCP, UDP; ICMP: identifier in sport */
	uint8_t icmp_type, icmp_code;
	uint8_t tcp_flags;
	uint16_t transport_len; /* TCP/UDP/ICMP header at hand; 0 when cut off */
	bool fragment;          /* any part of a fragmented packet */
	bool dont_fragment;     /* IPv4 DF; always true for IPv6 */
	uint8_t hop_limit;
	uint16_t seen;          /* bytes that were at hand */
};

/* p: at least the headers; total: length of the whole packet, which the IP header
 * must name exactly. The IPv4 header checksum must be right. Source routes are
 * refused: they would name other addresses than the header. A fragment after the
 * first has proto 0xff. PU_EPROTO. */
int pu_packet_parse(struct pu_packet *out, const uint8_t *p, size_t len, size_t total);

/* Puts other addresses into a parsed packet (in place) and updates the IP and
 * transport checksums incrementally (RFC 1624), partial or complete. Fragments
 * other than the first have no transport checksum. src or dst NULL, or of another
 * family: that one stays. The packet that an ICMP error quotes is changed the same
 * way the other way round, so that the error finds its socket. info keeps the
 * addresses of before. */
void pu_packet_rewrite(uint8_t *p, const struct pu_packet *info, unsigned flags,
		       const struct pu_ip *src, const struct pu_ip *dst);
/* Completes a partial TCP or UDP checksum over head (which holds at least the
 * transport header) and body. */
void pu_packet_complete_checksum(uint8_t *head, size_t head_len, struct pu_bytes body,
				 const struct pu_packet *info);

enum pu_icmp_error {
	PU_ICMP_NO_ROUTE,
	PU_ICMP_HOST_UNREACHABLE,
	PU_ICMP_PORT_UNREACHABLE,
	PU_ICMP_NOT_ALLOWED, /* administratively prohibited */
	PU_ICMP_TOO_BIG,     /* with mtu */
	PU_ICMP_TIME_EXCEEDED,
};

/* Builds the ICMP or ICMPv6 error for a packet into out (PU_ICMP_ERROR_MAX bytes),
 * from address from. Returns its length, or PU_EDENIED when the standards forbid an
 * answer: errors to errors, later fragments, multicast, sources that are nobody,
 * "too big" for an IPv4 packet without DF (to be fragmented instead) or an IPv6
 * packet of up to 1280 bytes. PU_EINVAL: from is of the other family. Directed
 * broadcast is the caller's to know. The caller limits the rate (tun/icmp_limit.h). */
enum { PU_ICMP_ERROR_MAX = 1280 };
int pu_packet_icmp_error(uint8_t *out, const uint8_t *p, size_t len,
			 const struct pu_packet *info, enum pu_icmp_error what, uint32_t mtu,
			 const struct pu_ip *from);
/* True for an ICMP/ICMPv6 echo request (not a fragment). */
bool pu_packet_is_echo_request(const struct pu_packet *info);
bool pu_packet_is_echo_reply(const struct pu_packet *info);
/* Turns an echo request in one span into its reply, in place. */
void pu_packet_make_echo_reply(uint8_t *p, size_t len, const struct pu_packet *info);
/* Builds a RST|ACK for a SYN (TCP "connection refused") from the SYN's bytes into out
 * (60 bytes); returns its length. Any other segment gets the reset that RFC 9293
 * prescribes; a reset, a fragment, or what is not TCP: PU_EDENIED. */
int pu_packet_tcp_refuse(uint8_t *out, const uint8_t *p, const struct pu_packet *info);

/* 16-bit ones' complement sum of big-endian words, not folded; start 0. Numbers in
 * host order may simply be added. Only the last piece may have an odd length. */
uint64_t pu_csum_add(uint64_t sum, const void *p, size_t len);
/* The sum in 16 bits, not inverted. */
uint16_t pu_csum_fold(uint64_t sum);
/* Sum of the TCP/UDP/ICMPv6 pseudo-header: addresses at p (an IP header of that
 * version), protocol, transport length. */
uint64_t pu_csum_pseudo(const uint8_t *p, uint8_t proto, size_t len);

#endif
