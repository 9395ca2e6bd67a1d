#include "daemon/ask_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/loop_uv.h"
#include "daemon/ask_internal.h"

struct pu_ask_stream {
	int fd;
	struct pu_buf in;   /* as it came */
	struct pu_buf data; /* of the event in the making, then of the one handed out */
	char kind[PU_ASK_KIND_MAX];
	bool handed_out;
};

/* Waits for the head of the answer; a refusal is read to its end for its reason. */
static int agree(struct pu_ask_stream *s, pu_time deadline, int *pstatus, struct pu_failure *why)
{
	struct pu_bytes body;
	int status, r, more = 1;

	do
		r = pu_ask_take_head(&s->in, &status);
	while (r == PU_EAGAIN && (more = pu_ask_receive(s->fd, &s->in, deadline)) > 0);
	if (r == PU_EAGAIN)
		r = more < 0 ? more : PU_EPROTO;
	if (r == 0 && pstatus)
		*pstatus = status;
	if (r == 0 && status == 200)
		return 0;
	while (r == 0 && more > 0)
		more = pu_ask_receive(s->fd, &s->in, deadline);
	if (r == 0 && more < 0)
		r = more;
	if (r < 0)
		return pu_ask_broken(r, why);
	body = pu_buf_bytes(&s->in);
	return pu_ask_refusal(status, (const char *)body.p, body.len, why);
}

int pu_ask_stream_open(const struct pu_ask_target *to, const char *path,
		       struct pu_ask_stream **ps, int *pstatus, struct pu_failure *why)
{
	pu_time deadline = pu_ask_deadline(to);
	struct pu_ask_stream *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return pu_ask_broken(PU_ENOMEM, why);
	pu_buf_init(&s->in, PU_ASK_HEAD_MAX + PU_ASK_EVENT_MAX);
	pu_buf_init(&s->data, PU_ASK_EVENT_MAX);
	s->fd = -1;
	r = pu_ask_begin(to, "GET", path, NULL, deadline, &s->fd, why);
	if (r == 0)
		r = agree(s, deadline, pstatus, why);
	if (r < 0)
		pu_ask_stream_free(s);
	else
		*ps = s;
	return r;
}

void pu_ask_stream_free(struct pu_ask_stream *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	pu_buf_deinit(&s->in);
	pu_buf_deinit(&s->data);
	free(s);
}

int pu_ask_stream_fd(const struct pu_ask_stream *s)
{
	return s->fd;
}

/* The rest of the line when it is that field; one space behind the colon belongs to it. */
static bool field(struct pu_bytes line, const char *name, struct pu_bytes *value)
{
	size_t n = strlen(name);

	if (line.len <= n || memcmp(line.p, name, n) != 0 || line.p[n] != ':')
		return false;
	n += 1 + (line.len > n + 1 && line.p[n + 1] == ' ');
	*value = pu_bytes(line.p + n, line.len - n);
	return true;
}

/* An empty line ends an event; 1: it had data. Lines that begin with a colon keep the
 * connection alive and say nothing, like every other field. */
static int take_line(struct pu_ask_stream *s, struct pu_bytes line)
{
	struct pu_bytes v;
	int r = 0;

	if (line.len == 0) {
		if (s->data.len > 0)
			return 1;
		s->kind[0] = '\0';
	} else if (field(line, "event", &v)) {
		snprintf(s->kind, sizeof s->kind, "%.*s", (int)pu_min(v.len, sizeof s->kind),
			 (const char *)v.p);
	} else if (field(line, "data", &v)) {
		if (s->data.len > 0)
			r = pu_buf_append(&s->data, "\n", 1);
		if (r == 0)
			r = pu_buf_append(&s->data, v.p, v.len);
	}
	return r == PU_ELIMIT ? PU_E2BIG : r;
}

/* An event of what came already: 1; 0: more is needed. */
static int take_event(struct pu_ask_stream *s)
{
	int r = 0;

	while (r == 0 && s->in.len > 0) {
		struct pu_bytes b = pu_buf_bytes(&s->in);
		const uint8_t *end = memchr(b.p, '\n', b.len);
		size_t n = end ? (size_t)(end - b.p) : 0;

		if (!end)
			break;
		r = take_line(s, pu_bytes(b.p, n > 0 && b.p[n - 1] == '\r' ? n - 1 : n));
		pu_buf_consume(&s->in, n + 1);
	}
	return r;
}

static int hand_out(struct pu_ask_stream *s, struct pu_ask_event *out)
{
	int r = pu_buf_append(&s->data, "", 1);

	if (r < 0)
		return r == PU_ELIMIT ? PU_E2BIG : r;
	snprintf(out->kind, sizeof out->kind, "%s", s->kind);
	out->data = (const char *)pu_buf_bytes(&s->data).p;
	s->handed_out = true;
	return 0;
}

int pu_ask_stream_next(struct pu_ask_stream *s, int timeout_ms, struct pu_ask_event *out)
{
	pu_time deadline = timeout_ms < 0 ? PU_TIME_NEVER :
					    pu_clock_monotonic() + PU_MS((pu_time)timeout_ms);
	int r;

	if (s->handed_out) {
		pu_buf_clear(&s->data, PU_ASK_EVENT_MAX);
		s->kind[0] = '\0';
		s->handed_out = false;
	}
	while ((r = take_event(s)) == 0) {
		r = pu_ask_receive(s->fd, &s->in, deadline);
		if (r <= 0)
			return r == 0 ? PU_EEOF : r == PU_ETIMEDOUT ? PU_EAGAIN : r;
	}
	return r < 0 ? r : hand_out(s, out);
}
