/* Fields of IP, TCP, UDP and ICMP headers by offset, for the .c files of this folder
 * only: headers of lwIP and of the C library have macros of the same names. */
#ifndef PU_TUN_HEADERS_H
#define PU_TUN_HEADERS_H

#include "base/bytes.h"

enum {
	IPV4_MIN = 20,
	IPV4_TOS = 1,
	IPV4_LEN = 2,
	IPV4_ID = 4,
	IPV4_FRAG = 6,
	IPV4_TTL = 8,
	IPV4_PROTO = 9,
	IPV4_CSUM = 10,
	IPV4_SRC = 12,
	IPV4_DST = 16,
	IPV4_DF = 0x4000,
	IPV4_MF = 0x2000,
	IPV4_OFFSET = 0x1fff,

	IPV6_MIN = 40,
	IPV6_LEN = 4,
	IPV6_NEXT = 6,
	IPV6_HOPS = 7,
	IPV6_SRC = 8,
	IPV6_DST = 24,

	TCP_MIN = 20,
	TCP_SEQ = 4,
	TCP_ACK = 8,
	TCP_OFFSET = 12,
	TCP_FLAGS = 13,
	TCP_WINDOW = 14,
	TCP_CSUM = 16,
	TCP_URGENT = 18,

	UDP_LEN = 4,
	UDP_CSUM = 6,
	UDP_HEAD = 8,

	ICMP_CSUM = 2,
	ICMP_HEAD = 8,

	PROTO_HOP_BY_HOP = 0,
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_ICMP6 = 58,
	PROTO_DEST_OPTIONS = 60,
	PROTO_NONE_SEEN = 0xff,
};

enum {
	TCP_FLAG_FIN = 0x01,
	TCP_FLAG_SYN = 0x02,
	TCP_FLAG_RST = 0x04,
	TCP_FLAG_PSH = 0x08,
	TCP_FLAG_ACK = 0x10,
	TCP_FLAG_CWR = 0x80,
};

enum {
	ICMP4_ECHO_REPLY = 0,
	ICMP4_UNREACHABLE = 3,
	ICMP4_QUENCH = 4,
	ICMP4_REDIRECT = 5,
	ICMP4_ECHO = 8,
	ICMP4_TIME_EXCEEDED = 11,
	ICMP4_PARAMETER = 12,

	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_INFO_MIN = 128, /* below: errors */
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,
	ICMP6_REDIRECT = 137,
};

/* Where the checksum of that protocol lies in its header; 0: none we know. */
static inline unsigned csum_offset(uint8_t proto)
{
	return proto == PROTO_TCP ? TCP_CSUM : proto == PROTO_UDP ? UDP_CSUM : 0;
}

#endif
