#include "overlay/pair/pair.h"

#include <stdlib.h>

#include "base/err.h"
#include "crypto/hash.h"
#include "overlay/pair/pair_message.h"
#include "overlay/question.h"

enum { TIMEOUT_S = 30 };

struct pu_pair_request {
	struct pu_question q;
	struct pu_pair_ask ask;
	pu_pair_fn *on_done;
	void *arg;
	struct pu_pair_result result; /* too large for a stack frame */
};

static struct pu_pair_request *of(struct pu_question *q)
{
	return PU_CONTAINER_OF(q, struct pu_pair_request, q);
}

static void request_free(struct pu_pair_request *r)
{
	explicit_bzero(r->ask.token, sizeof r->ask.token);
	free(r);
}

static size_t ask(struct pu_question *q, uint8_t out[PU_QUESTION_MAX])
{
	_Static_assert((size_t)PU_PAIR_REQUEST_MAX <= PU_QUESTION_MAX, "a request fits");
	return pu_pair_message_write_request(&of(q)->ask, out);
}

static int on_answer(struct pu_question *q, struct pu_bytes in)
{
	struct pu_pair_request *r = of(q);
	struct pu_pair_result *res = &r->result;
	int err = pu_pair_message_parse_response(in, pu_host_id(q->host), res);

	if (err == 0)
		pu_hmac_sha256(pu_bytes(r->ask.token, sizeof r->ask.token),
			       pu_bytes_str(res->group), res->proof);
	return err;
}

static void on_end(struct pu_question *q, int err)
{
	struct pu_pair_request *r = of(q);

	r->on_done(r->arg, err, err < 0 ? NULL : &r->result);
	request_free(r);
}

static const struct pu_question_ops ops = {
	.protocol = PU_PAIR_PROTOCOL,
	.timeout_s = TIMEOUT_S,
	.max_answer = PU_PAIR_RESPONSE_MAX,
	.last_word = true,
	.ask = ask,
	.on_answer = on_answer,
	.on_end = on_end,
};

int pu_pair_redeem(struct pu_host *h, const struct pu_peerid *relay, const uint8_t token[16],
		   const char *name, pu_pair_fn *on_done, void *arg, struct pu_pair_request **pr)
{
	struct pu_pair_request *r = calloc(1, sizeof *r);
	int err;

	if (!r)
		return PU_ENOMEM;
	r->on_done = on_done;
	r->arg = arg;
	memcpy(r->ask.token, token, sizeof r->ask.token);
	memcpy(r->ask.name, name, strnlen(name, sizeof r->ask.name - 1));
	err = pu_question_ask(&r->q, &ops, h, relay, NULL);
	if (err < 0)
		request_free(r);
	else
		*pr = r;
	return err;
}

void pu_pair_cancel(struct pu_pair_request *r)
{
	pu_question_cancel(&r->q);
	request_free(r);
}
