/* Messages of the Port Control Protocol (RFC 6887): MAP for IPv4. */
#ifndef PU_PLATFORM_PCP_H
#define PU_PLATFORM_PCP_H

#include "base/bytes.h"

enum {
	PU_PCP_PORT = 5351,
	PU_PCP_NONCE_LEN = 12,
	PU_PCP_MAP_LEN = 60,
	PU_PCP_MESSAGE_MAX = 1100,
};

struct pu_pcp_map {
	uint8_t nonce[PU_PCP_NONCE_LEN]; /* the same for the life of a mapping */
	bool tcp;
	uint16_t port;        /* ours */
	uint16_t external;    /* wanted, or given; 0: any */
	uint8_t external_ip[4];
	uint32_t lifetime_s;  /* 0 takes it back */
};

/* The fields of m are wishes; client: our own address. */
void pu_pcp_request(const struct pu_pcp_map *m, const uint8_t client[4],
		    uint8_t out[PU_PCP_MAP_LEN]);
/* An answer to asked: *given is what the router granted. PU_EAGAIN: it answers something
 * else; PU_EPROTO: malformed; PU_ENOTSUP: the router speaks another version (NAT-PMP) or
 * no MAP; PU_EDENIED: refused. given stays untouched then. */
int pu_pcp_response(struct pu_bytes in, const struct pu_pcp_map *asked, struct pu_pcp_map *given);

#endif
