#include "p2p/yamux/frame.h"

#include "base/err.h"
#include "base/wire.h"

void pu_yamux_frame_encode(const struct pu_yamux_frame *f, uint8_t out[PU_YAMUX_HEADER_LEN])
{
	out[0] = 0;
	out[1] = (uint8_t)f->type;
	pu_put_be16(out + 2, f->flags);
	pu_put_be32(out + 4, f->id);
	pu_put_be32(out + 8, f->len);
}

int pu_yamux_frame_decode(struct pu_yamux_frame *f, const uint8_t in[PU_YAMUX_HEADER_LEN])
{
	if (in[0] != 0 || in[1] > PU_YAMUX_GO_AWAY)
		return PU_EPROTO;
	f->type = in[1];
	f->flags = pu_get_be16(in + 2);
	f->id = pu_get_be32(in + 4);
	f->len = pu_get_be32(in + 8);
	return 0;
}
