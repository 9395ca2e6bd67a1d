/* The messages of identify: what we say, and what becomes of what a peer says. */
#ifndef PU_P2P_PROTO_IDENTIFY_MESSAGE_H
#define PU_P2P_PROTO_IDENTIFY_MESSAGE_H

#include "base/buf.h"
#include "p2p/host/state.h"

/* Appends our message or messages, each with its length in front, to out: the first
 * one at most PU_IDENTIFY_FIRST_MAX bytes long and with the key; the signed record in
 * it when all is short, else in the last. PU_ELIMIT, PU_ENOMEM. */
int pu_identify_message_encode(const struct host_conn *hc, uint64_t seq, struct pu_buf *out);

/* Splits framed messages and joins their bodies, which is how protobuf merges them.
 * *pused: bytes of whole messages. PU_EPROTO: too long, too many or malformed;
 * PU_ENOMEM. n_messages counts on. */
int pu_identify_message_split(struct pu_bytes in, struct pu_buf *body, unsigned *pn_messages,
			      size_t *pused);

/* Believes what can be believed of a merged message and notes it down. A push may
 * leave out what did not change. PU_EPROTO: malformed; PU_ECRYPTO: another peer's key
 * (nothing noted); PU_ENOMEM. */
int pu_identify_message_apply(struct host_conn *hc, struct pu_bytes body, bool push);

#endif
