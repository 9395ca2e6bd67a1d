/* Protobuf messages on a stream: each with its length in front, as an unsigned varint. */
#ifndef PU_P2P_PROTO_MESSAGE_H
#define PU_P2P_PROTO_MESSAGE_H

#include "base/buf.h"

struct ProtobufCMessage;

/* Appends the message alone. PU_ELIMIT: longer than max, or out is full; PU_ENOMEM. */
int pu_message_pack(const struct ProtobufCMessage *m, size_t max, struct pu_buf *out);
/* The same with the length in front, which max does not count. */
int pu_message_append(const struct ProtobufCMessage *m, size_t max, struct pu_buf *out);

/* The body of the first message of in, borrowed from there; *pused counts its length too.
 * PU_EAGAIN: more is needed; PU_E2BIG: longer than max; PU_EPROTO: a malformed length. */
int pu_message_split(struct pu_bytes in, size_t max, struct pu_bytes *pbody, size_t *pused);

#endif
