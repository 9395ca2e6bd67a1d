#include "support/sink.h"

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct pu_sink *s = arg;
	size_t n = pu_min(len, s->allow);

	s->n_recv++;
	if (s->allow != SIZE_MAX)
		s->allow -= n;
	(void)pu_buf_append(&s->got, p, pu_min(n, pu_buf_room(&s->got)));
	if (s->then)
		s->then(s);
	return n;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	struct pu_sink *s = arg;

	s->n_eof++;
	if (s->then)
		s->then(s);
}

static void on_writable(void *arg, struct pu_stream *st)
{
	struct pu_sink *s = arg;

	s->n_writable++;
	if (s->then)
		s->then(s);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct pu_sink *s = arg;

	s->n_closed++;
	s->err = err;
	s->code = code;
	s->st = NULL;
	if (s->then)
		s->then(s);
}

static const struct pu_stream_events events = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_writable = on_writable,
	.on_closed = on_closed,
};

void pu_sink_init(struct pu_sink *s, size_t max)
{
	*s = (struct pu_sink){ .allow = SIZE_MAX };
	pu_buf_init(&s->got, max);
}

void pu_sink_deinit(struct pu_sink *s)
{
	pu_buf_deinit(&s->got);
}

void pu_sink_attach(struct pu_sink *s, struct pu_stream *st)
{
	s->st = st;
	pu_stream_set_events(st, &events, s);
}
