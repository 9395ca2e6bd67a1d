#include "p2p/noise/payload.h"

#include "base/err.h"
#include "crypto/pb.h"

enum {
	FIELD_IDENTITY_KEY = 1,
	FIELD_IDENTITY_SIG = 2,
	FIELD_EXTENSIONS = 4,
	FIELD_STREAM_MUXERS = 2, /* of the extensions */
};

static int decode_extensions(struct pu_noise_payload *pl, struct pu_bytes in)
{
	struct pu_rd r = pu_rd_init(in.p, in.len);
	struct pu_pb_field f;

	while (pu_pb_next(&r, &f)) {
		if (!pu_pb_is(&f, FIELD_STREAM_MUXERS, PU_PB_BYTES))
			continue;
		/* One past the limit stays visible in the count. */
		if (pl->n_muxers < PU_NOISE_MUXERS_MAX)
			pl->muxers[pl->n_muxers] = f.bytes;
		if (pl->n_muxers <= PU_NOISE_MUXERS_MAX)
			pl->n_muxers++;
	}
	return pu_rd_end(&r);
}

int pu_noise_payload_decode(struct pu_noise_payload *pl, struct pu_bytes in)
{
	struct pu_rd r = pu_rd_init(in.p, in.len);
	struct pu_pb_field f;
	int err;

	pl->identity_key = pl->identity_sig = pu_bytes(NULL, 0);
	pl->n_muxers = 0;
	while (pu_pb_next(&r, &f)) {
		if (pu_pb_is(&f, FIELD_IDENTITY_KEY, PU_PB_BYTES)) {
			pl->identity_key = f.bytes;
		} else if (pu_pb_is(&f, FIELD_IDENTITY_SIG, PU_PB_BYTES)) {
			pl->identity_sig = f.bytes;
		} else if (pu_pb_is(&f, FIELD_EXTENSIONS, PU_PB_BYTES)) {
			err = decode_extensions(pl, f.bytes);
			if (err < 0)
				return err;
		}
	}
	if (pl->n_muxers > PU_NOISE_MUXERS_MAX)
		pl->n_muxers = 0;
	return pu_rd_end(&r);
}

int pu_noise_payload_encode(const struct pu_noise_payload *pl, uint8_t *out, size_t cap)
{
	struct pu_wr w = pu_wr_init(out, cap);
	size_t len = 0;

	pu_pb_put_bytes(&w, FIELD_IDENTITY_KEY, pl->identity_key);
	pu_pb_put_bytes(&w, FIELD_IDENTITY_SIG, pl->identity_sig);
	for (size_t i = 0; i < pl->n_muxers; i++)
		len += pu_pb_bytes_len(pl->muxers[i].len);
	if (len > 0) {
		pu_wr_uvarint(&w, FIELD_EXTENSIONS << 3 | PU_PB_BYTES);
		pu_wr_uvarint(&w, len);
		for (size_t i = 0; i < pl->n_muxers; i++)
			pu_pb_put_bytes(&w, FIELD_STREAM_MUXERS, pl->muxers[i]);
	}
	return pu_wr_end(&w);
}
