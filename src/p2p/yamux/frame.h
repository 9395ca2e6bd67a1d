/* The yamux frame header: version u8 (0) ‖ type u8 ‖ flags u16 ‖ stream id u32 ‖
 * length u32, big-endian. */
#ifndef PU_P2P_YAMUX_FRAME_H
#define PU_P2P_YAMUX_FRAME_H

#include "base/bytes.h"
#include "p2p/yamux/session.h"

enum pu_yamux_type {
	PU_YAMUX_DATA = 0,          /* length: payload bytes that follow */
	PU_YAMUX_WINDOW_UPDATE = 1, /* length: credit, or the code when RST is set */
	PU_YAMUX_PING = 2,          /* length: opaque value; stream id 0 */
	PU_YAMUX_GO_AWAY = 3,       /* length: code; stream id 0 */
};

enum pu_yamux_flag {
	PU_YAMUX_SYN = 1, /* opens a stream; a ping request */
	PU_YAMUX_ACK = 2, /* accepts a stream; a ping reply */
	PU_YAMUX_FIN = 4, /* no more data from the sender */
	PU_YAMUX_RST = 8, /* both directions are over */
};

struct pu_yamux_frame {
	enum pu_yamux_type type;
	uint16_t flags; /* unknown ones are kept and ignored */
	uint32_t id;
	uint32_t len;
};

void pu_yamux_frame_encode(const struct pu_yamux_frame *f, uint8_t out[PU_YAMUX_HEADER_LEN]);
/* PU_EPROTO: another version or an unknown type. */
int pu_yamux_frame_decode(struct pu_yamux_frame *f, const uint8_t in[PU_YAMUX_HEADER_LEN]);

#endif
