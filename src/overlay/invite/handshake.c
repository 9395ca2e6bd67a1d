#include "overlay/invite/handshake.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/wire.h"
#include "overlay/invite/handshake_internal.h"

static const struct pu_handshake_version *find_version(enum pu_code_version v)
{
	switch (v) {
	case PU_CODE_INVITE_V1:
		return &pu_handshake_version_1;
	case PU_CODE_INVITE_V3:
		return &pu_handshake_version_3;
	case PU_CODE_PAIR_V2:
		break;
	}
	return NULL;
}

static void wipe(struct pu_handshake *h)
{
	pu_code_wipe(&h->code);
	explicit_bzero(&h->v1, sizeof h->v1);
	explicit_bzero(&h->v3, sizeof h->v3);
}

/* An owner may free the handshake inside an event, under the feet of the functions that
 * called it: it goes when the last of them is through. */
static void enter(struct pu_handshake *h)
{
	h->depth++;
}

static void leave(struct pu_handshake *h)
{
	if (--h->depth == 0 && h->gone) {
		wipe(h);
		pu_buf_deinit(&h->in);
		free(h);
	}
}

static void end(struct pu_handshake *h)
{
	h->state = PU_HANDSHAKE_OVER;
	wipe(h);
	pu_buf_clear(&h->in, 0);
}

void pu_handshake_send(struct pu_handshake *h, const uint8_t *p, size_t len)
{
	if (!h->gone)
		h->ev->send(h->arg, p, len);
}

bool pu_handshake_may_guess(struct pu_handshake *h)
{
	return h->ev->on_guess(h->arg) && !h->gone;
}

void pu_handshake_proven(struct pu_handshake *h)
{
	if (h->state == PU_HANDSHAKE_OVER)
		return;
	h->state = PU_HANDSHAKE_DECIDING;
	if (!h->gone)
		h->ev->on_proven(h->arg, &h->them);
}

void pu_handshake_done(struct pu_handshake *h)
{
	if (h->state == PU_HANDSHAKE_OVER)
		return;
	end(h);
	if (!h->gone)
		h->ev->on_done(h->arg);
}

void pu_handshake_failed(struct pu_handshake *h, int err, const char *text)
{
	if (h->state == PU_HANDSHAKE_OVER)
		return;
	end(h);
	if (!h->gone)
		h->ev->on_failed(h->arg, err, text);
}

/* r is what a function of the version returned. */
static void settle(struct pu_handshake *h, int r)
{
	if (r < 0)
		pu_handshake_failed(h, r, NULL);
}

int pu_handshake_new(const struct pu_handshake_options *opt, struct pu_handshake **ph)
{
	const struct pu_handshake_version *version = find_version(opt->version);
	struct pu_handshake *h;
	int r;

	if (!version || opt->code->version != opt->version || pu_peerid_empty(&opt->self) ||
	    pu_peerid_empty(&opt->peer))
		return PU_EINVAL;
	h = calloc(1, sizeof *h);
	if (!h)
		return PU_ENOMEM;
	h->version = version;
	h->state = opt->inviter ? PU_HANDSHAKE_SHARE : PU_HANDSHAKE_IDLE;
	h->inviter = opt->inviter;
	h->code = *opt->code;
	h->self = opt->self;
	h->peer = opt->peer;
	h->us = *opt->us;
	h->random = opt->random;
	h->ev = opt->ev;
	h->arg = opt->arg;
	pu_buf_init(&h->in, PU_HANDSHAKE_PREFIX_LEN + PU_HANDSHAKE_MESSAGE_MAX);
	r = version->init(h);
	if (r < 0) {
		pu_handshake_free(h);
		return r;
	}
	*ph = h;
	return 0;
}

void pu_handshake_free(struct pu_handshake *h)
{
	if (!h)
		return;
	enter(h);
	h->gone = true;
	h->state = PU_HANDSHAKE_OVER;
	leave(h);
}

void pu_handshake_start(struct pu_handshake *h)
{
	if (h->state != PU_HANDSHAKE_IDLE)
		return;
	enter(h);
	h->state = PU_HANDSHAKE_SHARE;
	settle(h, h->version->start(h));
	leave(h);
}

int pu_handshake_frame(struct pu_bytes in, size_t min, size_t *pat, size_t *plen)
{
	size_t len;

	if (in.len < PU_HANDSHAKE_PREFIX_LEN)
		return PU_EAGAIN;
	len = pu_get_be16(in.p);
	if (len < min || len > PU_HANDSHAKE_MESSAGE_MAX)
		return PU_EPROTO;
	*pat = PU_HANDSHAKE_PREFIX_LEN;
	*plen = len;
	return 0;
}

static int handle(struct pu_handshake *h, struct pu_bytes msg)
{
	switch (h->state) {
	case PU_HANDSHAKE_SHARE:
		return h->version->on_share(h, msg);
	case PU_HANDSHAKE_PROOF:
		return h->version->on_proof(h, msg);
	case PU_HANDSHAKE_LAST:
		return h->version->on_last(h, msg);
	case PU_HANDSHAKE_IDLE:
	case PU_HANDSHAKE_DECIDING:
	case PU_HANDSHAKE_OVER:
		break;
	}
	return PU_EPROTO; /* not its turn to speak */
}

static bool our_turn(const struct pu_handshake *h)
{
	return h->state == PU_HANDSHAKE_IDLE || h->state == PU_HANDSHAKE_DECIDING;
}

/* Handles one message, out of a copy: events may bring more bytes into the buffer.
 * PU_EAGAIN: there is none yet. */
static int take_message(struct pu_handshake *h)
{
	struct pu_bytes in = pu_buf_bytes(&h->in);
	uint8_t msg[PU_HANDSHAKE_MESSAGE_MAX];
	size_t at, len;
	int r;

	if (in.len == 0)
		return PU_EAGAIN;
	if (our_turn(h))
		return PU_EPROTO;
	r = h->version->frame(h, in, &at, &len);
	if (r < 0)
		return r;
	if (in.len < at + len)
		return PU_EAGAIN;
	memcpy(msg, in.p + at, len);
	pu_buf_consume(&h->in, at + len);
	return handle(h, pu_bytes(msg, len));
}

static void take_messages(struct pu_handshake *h)
{
	int r = 0;

	while (r == 0 && h->state != PU_HANDSHAKE_OVER)
		r = take_message(h);
	if (r != PU_EAGAIN)
		settle(h, r);
}

void pu_handshake_recv(struct pu_handshake *h, const uint8_t *p, size_t len)
{
	enter(h);
	while (len > 0 && h->state != PU_HANDSHAKE_OVER) {
		size_t n = pu_min(len, pu_buf_room(&h->in));
		int r = pu_buf_append(&h->in, p, n);

		if (r < 0) {
			settle(h, r);
			break;
		}
		p += n;
		len -= n;
		take_messages(h);
	}
	leave(h);
}

/* What it means that the other side ends while we wait for it. */
static int meaning_of_eof(const struct pu_handshake *h)
{
	if (h->in.len > 0)
		return PU_EPROTO; /* in the middle of a message */
	/* An inviter that does not like what it hears says nothing. */
	return h->inviter || h->state == PU_HANDSHAKE_LAST ? PU_EEOF : PU_EDENIED;
}

static void check_eof(struct pu_handshake *h)
{
	if (h->eof && !our_turn(h))
		settle(h, meaning_of_eof(h));
}

void pu_handshake_eof(struct pu_handshake *h)
{
	enter(h);
	h->eof = true;
	check_eof(h);
	leave(h);
}

void pu_handshake_accept(struct pu_handshake *h)
{
	if (h->state != PU_HANDSHAKE_DECIDING)
		return;
	enter(h);
	settle(h, h->version->accept(h));
	check_eof(h);
	leave(h);
}

void pu_handshake_refuse(struct pu_handshake *h, const char *text)
{
	if (h->state != PU_HANDSHAKE_DECIDING)
		return;
	enter(h);
	h->version->refuse(h, text);
	end(h);
	leave(h);
}
