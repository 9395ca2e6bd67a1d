/* Byte 0 says who hears the input:
 *   0 inviter of version 1, from the first byte on    2 inviter of version 3
 *   1 joiner of version 1                             3 joiner of version 3
 *   4, 5 in an honest conversation of version 1 or 3: message number byte 1 is replaced by it
 *   6 what is in a sealed message */
#include <stdlib.h>

#include "overlay/invite/introduction.h"
#include "support/handshake_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct instead {
	size_t message;
	struct pu_bytes b;
};

static bool replace(void *arg, size_t i, struct pu_handshake_message *m)
{
	const struct instead *in = arg;

	if (i != in->message)
		return true;
	m->len = pu_min(in->b.len, sizeof m->b);
	if (m->len)
		memcpy(m->b, in->b.p, m->len);
	return true;
}

static void check_side(const struct pu_handshake_side *s)
{
	if (s->done + s->failed != 1 || s->proven > 1 || (s->done && !s->proven) || s->guesses > 1)
		abort();
}

/* Nobody who does not know the code proves it. */
static void stranger(struct pu_handshake_pair *p, bool to_inviter, struct pu_bytes in)
{
	struct pu_handshake_side *s = to_inviter ? &p->inviter : &p->joiner;
	size_t half = in.len / 2;

	p->seed = 1; /* not that of the conversations in the corpus */
	pu_handshake_pair_start(p);
	pu_handshake_recv(s->h, in.p, half);
	pu_handshake_recv(s->h, in.p + half, in.len - half);
	pu_handshake_pair_end(p);
	check_side(s);
	if (s->proven)
		abort();
}

static void conversation(struct pu_handshake_pair *p, struct pu_bytes in)
{
	struct instead instead = { 0 };

	if (in.len < 1)
		return;
	instead.message = in.p[0] % 6;
	instead.b = pu_bytes(in.p + 1, in.len - 1);
	p->tap = replace;
	p->arg = &instead;
	pu_handshake_pair_run(p);
	check_side(&p->inviter);
	check_side(&p->joiner);
}

static void sealed(struct pu_bytes in)
{
	char text[PU_HANDSHAKE_REFUSAL_MAX + 1];
	struct pu_introduction intro = { 0 };
	enum pu_sealed_kind kind;
	struct pu_buf out;

	if (pu_introduction_unpack(in, &kind, &intro, text) < 0 || kind != PU_SEALED_INTRODUCTION)
		return;
	pu_buf_init(&out, PU_HANDSHAKE_MESSAGE_MAX);
	if (pu_introduction_pack(&intro, &out) < 0 ||
	    pu_introduction_unpack(pu_buf_bytes(&out), &kind, &intro, text) < 0)
		abort();
	pu_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pu_handshake_pair p;
	struct pu_bytes in;
	int mode;

	if (size < 1)
		return 0;
	mode = data[0] % 7;
	in = pu_bytes(data + 1, size - 1);
	if (mode == 6) {
		sealed(in);
		return 0;
	}
	pu_handshake_pair_init(&p, mode < 2 || mode == 4 ? PU_CODE_INVITE_V1 : PU_CODE_INVITE_V3);
	if (mode < 4)
		stranger(&p, mode % 2 == 0, in);
	else
		conversation(&p, in);
	pu_handshake_pair_deinit(&p);
	return 0;
}
