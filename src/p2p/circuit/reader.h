/* One length-prefixed message from the front of a stream, and not a byte more: what
 * follows a STATUS belongs to the connection inside the circuit. */
#ifndef PU_P2P_CIRCUIT_READER_H
#define PU_P2P_CIRCUIT_READER_H

#include "base/buf.h"
#include "base/wire.h"

struct pu_circuit_reader {
	uint8_t prefix[PU_UVARINT_MAX];
	uint8_t n_prefix;
	bool sized;      /* len is known */
	uint16_t len;
	struct pu_buf body;
};

/* Allocates nothing until the length is known. */
void pu_circuit_reader_init(struct pu_circuit_reader *r);
void pu_circuit_reader_deinit(struct pu_circuit_reader *r);
/* Takes *ptaken of the len bytes. 0: the message is complete, *pbody borrows until the next
 * call; PU_EAGAIN: everything was taken, more is needed; PU_EPROTO: longer than
 * PU_CIRCUIT_MESSAGE_MAX or a malformed length; PU_ENOMEM. */
int pu_circuit_reader_feed(struct pu_circuit_reader *r, const uint8_t *p, size_t len,
			   size_t *ptaken, struct pu_bytes *pbody);

#endif
