/* Who has that number? */
#include <stdlib.h>

#include "base/err.h"
#include "overlay/invite/nameplate.h"
#include "overlay/invite/nameplate_message.h"
#include "overlay/question.h"

struct pu_nameplate_lookup {
	struct pu_question q;
	unsigned number;
	struct pu_peerid owner;
	pu_nameplate_lookup_fn *on_done;
	void *arg;
};

static struct pu_nameplate_lookup *of(struct pu_question *q)
{
	return PU_CONTAINER_OF(q, struct pu_nameplate_lookup, q);
}

static size_t ask(struct pu_question *q, uint8_t out[PU_QUESTION_MAX])
{
	struct pu_nameplate_message m = { .type = PU_NAMEPLATE_LOOKUP, .number = of(q)->number };
	struct pu_buf frame;
	size_t len = 0;

	pu_buf_init(&frame, PU_NAMEPLATE_FRAME_MAX);
	if (pu_nameplate_message_append(&m, &frame) == 0) {
		len = frame.len;
		memcpy(out, pu_buf_bytes(&frame).p, len);
	}
	pu_buf_deinit(&frame);
	return len;
}

static int on_answer(struct pu_question *q, struct pu_bytes in)
{
	struct pu_nameplate_message m;
	size_t used;
	int r = pu_nameplate_message_split(in, &m, &used);

	if (r == 0 && m.type != PU_NAMEPLATE_OWNER)
		r = PU_EPROTO;
	if (r == 0)
		r = pu_nameplate_message_err(m.status);
	if (r == 0 && pu_peerid_empty(&m.peer))
		r = PU_EPROTO;
	if (r == 0)
		of(q)->owner = m.peer;
	return r;
}

static void on_end(struct pu_question *q, int err)
{
	struct pu_nameplate_lookup *l = of(q);

	l->on_done(l->arg, err, err < 0 ? NULL : &l->owner);
	free(l);
}

static const struct pu_question_ops ops = {
	.protocol = PU_NAMEPLATE_PROTOCOL,
	.timeout_s = PU_NAMEPLATE_ANSWER_S,
	.max_answer = PU_NAMEPLATE_FRAME_MAX,
	.ask = ask,
	.on_answer = on_answer,
	.on_end = on_end,
};

int pu_nameplate_ask(struct pu_host *h, struct pu_conn *c, unsigned number,
		     pu_nameplate_lookup_fn *on_done, void *arg, struct pu_nameplate_lookup **pl)
{
	struct pu_nameplate_lookup *l = calloc(1, sizeof *l);
	int r;

	if (!l)
		return PU_ENOMEM;
	l->number = number;
	l->on_done = on_done;
	l->arg = arg;
	r = pu_question_ask(&l->q, &ops, h, &c->peer, c);
	if (r < 0)
		free(l);
	else
		*pl = l;
	return r;
}

void pu_nameplate_cancel(struct pu_nameplate_lookup *l)
{
	pu_question_cancel(&l->q);
	free(l);
}
