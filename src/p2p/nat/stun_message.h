/* STUN binding messages (RFC 8489), and what RFC 5780 adds for looking at NATs. */
#ifndef PU_P2P_NAT_STUN_MESSAGE_H
#define PU_P2P_NAT_STUN_MESSAGE_H

#include "p2p/addr/multiaddr.h"

enum {
	PU_STUN_HEADER_LEN = 20,
	PU_STUN_ID_LEN = 12,
	PU_STUN_REQUEST_MAX = PU_STUN_HEADER_LEN + 8,
	PU_STUN_RESPONSE_MAX = 2048, /* longer ones are not read */
	PU_STUN_ATTRS_MAX = 64,
};

/* Where the answer is to come from instead of where the request went (CHANGE-REQUEST). */
enum pu_stun_change { PU_STUN_CHANGE_NONE = 0, PU_STUN_CHANGE_PORT = 2, PU_STUN_CHANGE_BOTH = 6 };

struct pu_stun_response {
	uint16_t error;           /* 0: success, otherwise the code, or 1 when it has none */
	union pu_sockaddr mapped; /* family 0: not told */
	union pu_sockaddr other;  /* the server's second address, family 0: none */
};

/* Returns the length. */
size_t pu_stun_message_request(const uint8_t id[PU_STUN_ID_LEN], enum pu_stun_change change,
			       uint8_t out[PU_STUN_REQUEST_MAX]);
/* The transaction that a datagram answers; NULL when it is no binding response. */
const uint8_t *pu_stun_message_id(struct pu_bytes in);
/* XOR-MAPPED-ADDRESS is preferred, since some routers rewrite the other. PU_EPROTO. */
int pu_stun_message_parse(struct pu_bytes in, struct pu_stun_response *out);

#endif
