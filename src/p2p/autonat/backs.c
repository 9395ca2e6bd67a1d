#include "p2p/autonat/backs.h"

#include <stdlib.h>

#include "base/err.h"
#include "p2p/autonat/client.h"
#include "p2p/autonat/dialback.h"
#include "p2p/autonat/message.h"
#include "p2p/proto/message.h"

struct back {
	struct pu_list node;
	struct pu_autonat_backs *owner;
	struct pu_stream *st;
	struct pu_timer timer;
};

static void back_free(struct back *b)
{
	pu_timer_stop(&b->timer);
	pu_list_remove(&b->node);
	b->owner->n--;
	free(b);
}

static void refuse(struct back *b, enum pu_stream_code code)
{
	pu_stream_reset(b->st, code);
	back_free(b);
}

static void thank(struct back *b)
{
	struct pu_buf out;
	int r;

	pu_buf_init(&out, PU_AUTONAT_BACK_MAX);
	r = pu_autonat_back_response_encode(&out);
	if (r == 0)
		pu_stream_write(b->st, pu_buf_bytes(&out).p, out.len);
	pu_buf_deinit(&out);
	pu_stream_close(b->st);
	back_free(b);
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct back *b = arg;
	struct pu_bytes body;
	uint64_t nonce;
	size_t used;
	int r = pu_message_split(pu_bytes(p, len), PU_AUTONAT_BACK_MAX, &body, &used);

	if (r == PU_EAGAIN)
		return 0;
	if (r == 0)
		r = pu_autonat_back_decode(body, &nonce);
	if (r == 0 && b->owner->on_nonce(b->owner->arg, nonce, st->conn))
		thank(b);
	else
		refuse(b, PU_STREAM_CODE_PROTOCOL);
	return len;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	(void)st;
	refuse(arg, PU_STREAM_CODE_PROTOCOL);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	(void)st;
	(void)err;
	(void)code;
	back_free(arg);
}

static const struct pu_stream_events stream_events = { .on_recv = on_recv, .on_eof = on_eof,
						       .on_closed = on_closed };

static void on_timeout(void *arg)
{
	refuse(arg, PU_STREAM_CODE_NONE);
}

static void on_stream(void *arg, struct pu_stream *st)
{
	struct pu_autonat_backs *bs = arg;
	struct pu_loop *loop = pu_host_loop(bs->h);
	struct back *b = bs->n < PU_AUTONAT_BACKS_MAX ? calloc(1, sizeof *b) : NULL;

	if (!b) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return;
	}
	b->owner = bs;
	b->st = st;
	bs->n++;
	pu_list_append(&bs->list, &b->node);
	pu_timer_init(&b->timer, loop, on_timeout, b);
	pu_timer_set(&b->timer, pu_loop_now(loop) + PU_SEC(PU_AUTONAT_BACK_TIMEOUT_S));
	pu_stream_set_events(st, &stream_events, b);
}

int pu_autonat_backs_init(struct pu_autonat_backs *b, struct pu_host *h,
			  pu_autonat_nonce_fn *on_nonce, void *arg)
{
	b->h = h;
	b->n = 0;
	b->on_nonce = on_nonce;
	b->arg = arg;
	pu_list_init(&b->list);
	return pu_host_handle(h, PU_AUTONAT_BACK_PROTOCOL, on_stream, b);
}

void pu_autonat_backs_deinit(struct pu_autonat_backs *bs)
{
	pu_host_unhandle(bs->h, PU_AUTONAT_BACK_PROTOCOL);
	PU_LIST_FOREACH(it, tmp, &bs->list)
		refuse(PU_CONTAINER_OF(it, struct back, node), PU_STREAM_CODE_SHUTDOWN);
}
