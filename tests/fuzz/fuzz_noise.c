/* Byte 0 says where the input hits the channel:
 *   0 responder, first message     3 initiator's payload, properly sealed
 *   1 initiator, second message    4 responder's payload, properly sealed
 *   2 responder, third message     5 records of an open channel */
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/wire.h"
#include "p2p/noise/channel_internal.h"
#include "p2p/noise/handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BUF_MAX = 1 << 18 };

struct ends {
	struct pu_key key[2];
	struct pu_secure *s[2]; /* 0 the initiator */
	struct pu_buf out[2];
	struct pu_buf plain;
};

static const uint8_t secret[4][32] = { { 1, 1 }, { 2, 2 }, { 3, 3 }, { 4, 4 } };

static void ends_init(struct ends *e)
{
	static const char *const muxers[] = { "/yamux/1.0.0", NULL };

	pu_crypto_init();
	for (int i = 0; i < 2; i++) {
		struct pu_secure_config cfg = {
			.key = &e->key[i], .initiator = i == 0, .muxers = muxers,
		};

		if (pu_key_from_seed(&e->key[i], secret[i]) < 0 ||
		    pu_noise_new_with_secrets(&cfg, secret[i], secret[2 + i], &e->s[i]) < 0)
			abort();
		pu_buf_init(&e->out[i], BUF_MAX);
	}
	pu_buf_init(&e->plain, BUF_MAX);
}

static void ends_deinit(struct ends *e)
{
	for (int i = 0; i < 2; i++) {
		e->s[i]->ops->free(e->s[i]);
		pu_key_deinit(&e->key[i]);
		pu_buf_deinit(&e->out[i]);
	}
	pu_buf_deinit(&e->plain);
}

/* End i hears what the other said. */
static int shake(struct ends *e, int i)
{
	return e->s[i]->ops->handshake(e->s[i], &e->out[!i], &e->out[i]);
}

static void feed(struct ends *e, int i, const uint8_t *p, size_t n)
{
	struct pu_buf in;
	int r;

	pu_buf_init(&in, BUF_MAX);
	if (pu_buf_append(&in, p, n) == 0) {
		r = e->s[i]->ops->handshake(e->s[i], &in, &e->out[i]);
		if (r == 0)
			e->s[i]->ops->open(e->s[i], &in, &e->plain);
	}
	pu_buf_deinit(&in);
}

/* A peer that keeps to the cryptography and sends this payload. */
static void sealed(struct ends *e, bool initiator, struct pu_bytes payload)
{
	struct pu_noise_handshake hs;
	struct pu_buf msg, *heard;
	uint8_t hdr[2], b[1024];
	int to = initiator;
	size_t len;

	pu_buf_init(&msg, BUF_MAX);
	pu_noise_handshake_init(&hs, initiator, pu_bytes(NULL, 0), secret[!to], secret[3 - to]);
	if (initiator) {
		pu_noise_handshake_write(&hs, pu_bytes(NULL, 0), &msg);
		pu_put_be16(hdr, (uint16_t)msg.len);
		pu_buf_prepend(&msg, hdr, 2);
		e->s[to]->ops->handshake(e->s[to], &msg, &e->out[to]);
	} else {
		e->s[to]->ops->handshake(e->s[to], &msg, &e->out[to]);
	}
	heard = &e->out[to];
	if (pu_noise_handshake_read(&hs, pu_bytes(pu_buf_bytes(heard).p + 2, heard->len - 2), b,
				    &len) < 0)
		abort();
	if (payload.len < 8000 && pu_noise_handshake_write(&hs, payload, &msg) == 0) {
		pu_put_be16(hdr, (uint16_t)msg.len);
		pu_buf_prepend(&msg, hdr, 2);
		feed(e, to, pu_buf_bytes(&msg).p, msg.len);
	}
	pu_noise_handshake_deinit(&hs);
	pu_buf_deinit(&msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ends e;
	int where;

	if (size < 1)
		return 0;
	where = data[0] % 6;
	ends_init(&e);
	if (where == 3 || where == 4) {
		sealed(&e, where == 3, pu_bytes(data + 1, size - 1));
	} else {
		int to = where != 1;

		if (where > 0)
			shake(&e, 0);
		if (where > 1)
			shake(&e, 1);
		if (where == 5 && (shake(&e, 0) < 0 || shake(&e, 1) < 0))
			abort();
		feed(&e, to, data + 1, size - 1);
	}
	ends_deinit(&e);
	return 0;
}
