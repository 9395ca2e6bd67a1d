/* The two messages of /peerup/relay-pair/1.0.0 as bytes. All lengths are one byte.
 *
 *   request   token[16]  name
 *   paired    01  group id  size of the group  count × { raw peer ID  name }
 *   failed    00  text */
#ifndef PU_OVERLAY_PAIR_PAIR_MESSAGE_H
#define PU_OVERLAY_PAIR_PAIR_MESSAGE_H

#include "overlay/pair/pair.h"

enum {
	PU_PAIR_REQUEST_MAX = PU_GROUP_TOKEN_LEN + 1 + PU_GROUP_NAME_MAX,
	/* What a relay can say: 255 bytes of ID and of name for each of 255 peers. */
	PU_PAIR_RESPONSE_MAX = 3 + 255 + 1 + 255 * (2 + 255 + 255),
};

struct pu_pair_ask {
	uint8_t token[PU_GROUP_TOKEN_LEN];
	char name[PU_GROUP_NAME_MAX + 1]; /* up to the first NUL of what was sent */
};

/* The number of bytes used, PU_EAGAIN when more are to come, PU_EPROTO. */
int pu_pair_message_parse_request(struct pu_bytes b, struct pu_pair_ask *out);
/* A longer name is cut. Returns the length. */
size_t pu_pair_message_write_request(const struct pu_pair_ask *m,
				     uint8_t out[PU_PAIR_REQUEST_MAX]);

/* 0, PU_EAGAIN when more is to come, PU_EDENIED when the relay says that it failed, PU_EPROTO.
 * What comes after the last peer is not looked at. Peers that are self, or named twice, are
 * left out. proof is not part of the message and stays as it is. out is undefined on failure. */
int pu_pair_message_parse_response(struct pu_bytes b, const struct pu_peerid *self,
				   struct pu_pair_result *out);
/* The group's other members, in the order of its codes; is_member as in the server's options. */
int pu_pair_message_write_paired(const struct pu_group *g, const struct pu_peerid *to,
				 bool (*is_member)(void *arg, const struct pu_peerid *peer),
				 void *arg, struct pu_buf *out);
int pu_pair_message_write_failed(struct pu_buf *out);

#endif
