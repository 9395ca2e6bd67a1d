#include "daemon/pairing_talk.h"

#include "base/err.h"

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct pu_talk *t = arg;

	if (!t->hs)
		return t->on_first ? t->on_first(t->arg, p, len) : 0;
	/* t may be gone afterwards. */
	pu_handshake_recv(t->hs, p, len);
	return len;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	struct pu_talk *t = arg;

	if (t->hs)
		pu_handshake_eof(t->hs);
	else
		t->on_lost(t->arg, PU_EEOF);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct pu_talk *t = arg;

	t->st = NULL;
	t->on_lost(t->arg, err);
}

static const struct pu_stream_events events = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_closed = on_closed,
};

void pu_talk_open(struct pu_talk *t, struct pu_stream *st)
{
	t->st = st;
	t->hs = NULL;
	pu_stream_set_events(st, &events, t);
}

int pu_talk_start(struct pu_talk *t, const struct pu_handshake_options *opt)
{
	return pu_handshake_new(opt, &t->hs);
}

/* Messages of a handshake are few and small: a stream that has no room for one
 * is of somebody who does not read. */
void pu_talk_send(struct pu_talk *t, const uint8_t *p, size_t len)
{
	if (t->st)
		pu_stream_write(t->st, p, len);
}

void pu_talk_close(struct pu_talk *t, bool politely)
{
	struct pu_stream *st = t->st;
	struct pu_handshake *hs = t->hs;

	t->st = NULL;
	t->hs = NULL;
	if (st && politely)
		pu_stream_close(st);
	else if (st)
		pu_stream_reset(st, PU_STREAM_CODE_PROTOCOL);
	pu_handshake_free(hs);
}
