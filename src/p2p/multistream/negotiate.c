#include "p2p/multistream/negotiate.h"

#include "base/err.h"
#include "base/wire.h"

#define HEADER "/multistream/1.0.0"
#define NOT_AVAILABLE "na"
#define LIST "ls"

/* Longest length prefix of an acceptable line: PU_MULTISTREAM_LINE_MAX < 2^14. */
enum { PREFIX_MAX = 2 };

static int put_line(struct pu_buf *out, struct pu_bytes text)
{
	uint8_t b[PREFIX_MAX + PU_MULTISTREAM_LINE_MAX];
	struct pu_wr w = pu_wr_init(b, sizeof b);
	int n;

	pu_wr_uvarint(&w, text.len + 1);
	pu_wr_bytes(&w, text);
	pu_wr_u8(&w, '\n');
	n = pu_wr_end(&w);
	return n < 0 ? n : pu_buf_append(out, b, (size_t)n);
}

/* Text of the line at the start of in, without newline. Returns the length of the
 * whole line, PU_EAGAIN or PU_EPROTO. */
static int get_line(struct pu_bytes in, struct pu_bytes *text)
{
	uint64_t len;
	int n;

	n = pu_uvarint_decode(in.p, pu_min(in.len, PREFIX_MAX), &len);
	if (n == PU_EAGAIN && in.len >= PREFIX_MAX)
		return PU_EPROTO;
	if (n < 0)
		return n;
	if (len == 0 || len > PU_MULTISTREAM_LINE_MAX)
		return PU_EPROTO;
	if (in.len - (size_t)n < len)
		return PU_EAGAIN;
	*text = pu_bytes(in.p + n, (size_t)len - 1);
	return in.p[(size_t)n + len - 1] == '\n' ? n + (int)len : PU_EPROTO;
}

/* A name that can be agreed on: what a C string and a log line can hold. */
static bool name_ok(struct pu_bytes name)
{
	if (name.len == 0 || name.len > PU_MULTISTREAM_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] <= ' ' || name.p[i] >= 0x7f)
			return false;
	}
	return !pu_bytes_eq_str(name, LIST) && !pu_bytes_eq_str(name, NOT_AVAILABLE);
}

int pu_multistream_initiate(struct pu_multistream *ms, const char *const *protocols, bool lazy,
			    struct pu_buf *out)
{
	int r;

	*ms = (struct pu_multistream){
		.state = PU_MULTISTREAM_FAILED,
		.err = PU_EINVAL,
		.initiator = true,
		.lazy = lazy,
		.proposal = protocols,
	};
	if (!protocols[0] || (lazy && protocols[1]))
		return PU_EINVAL;
	for (const char *const *p = protocols; *p; p++) {
		if (!name_ok(pu_bytes_str(*p)))
			return PU_EINVAL;
	}
	r = put_line(out, pu_bytes_str(HEADER));
	if (r < 0)
		return r;
	r = put_line(out, pu_bytes_str(protocols[0]));
	if (r < 0)
		return r;
	ms->state = PU_MULTISTREAM_HEADER;
	return 0;
}

int pu_multistream_respond(struct pu_multistream *ms, pu_multistream_supports_fn *supports,
			   void *arg, struct pu_buf *out)
{
	int r;

	*ms = (struct pu_multistream){
		.state = PU_MULTISTREAM_FAILED,
		.err = PU_EINVAL,
		.supports = supports,
		.arg = arg,
	};
	r = put_line(out, pu_bytes_str(HEADER));
	if (r < 0)
		return r;
	ms->state = PU_MULTISTREAM_HEADER;
	return 0;
}

static int on_header(struct pu_multistream *ms, struct pu_bytes text)
{
	if (!pu_bytes_eq_str(text, HEADER))
		return PU_EPROTO;
	ms->state = ms->initiator ? PU_MULTISTREAM_REPLY : PU_MULTISTREAM_PROPOSAL;
	return PU_EAGAIN;
}

static int on_reply(struct pu_multistream *ms, struct pu_bytes text, struct pu_buf *out)
{
	int r;

	if (pu_bytes_eq_str(text, *ms->proposal)) {
		ms->state = PU_MULTISTREAM_DONE;
		return 0;
	}
	if (!pu_bytes_eq_str(text, NOT_AVAILABLE))
		return PU_EPROTO;
	if (!ms->proposal[1])
		return PU_ENOPROTO;
	ms->proposal++;
	r = put_line(out, pu_bytes_str(*ms->proposal));
	return r < 0 ? r : PU_EAGAIN;
}

static int on_proposal(struct pu_multistream *ms, struct pu_bytes text, struct pu_buf *out)
{
	int r;

	if (++ms->n_proposals > PU_MULTISTREAM_PROPOSALS_MAX)
		return PU_ELIMIT;
	if (!name_ok(text) || !ms->supports(ms->arg, text)) {
		r = put_line(out, pu_bytes_str(NOT_AVAILABLE));
		return r < 0 ? r : PU_EAGAIN;
	}
	r = put_line(out, text);
	if (r < 0)
		return r;
	memcpy(ms->name, text.p, text.len);
	ms->name[text.len] = '\0';
	ms->state = PU_MULTISTREAM_DONE;
	return 0;
}

static int on_line(struct pu_multistream *ms, struct pu_bytes text, struct pu_buf *out)
{
	switch (ms->state) {
	case PU_MULTISTREAM_HEADER:
		return on_header(ms, text);
	case PU_MULTISTREAM_REPLY:
		return on_reply(ms, text, out);
	case PU_MULTISTREAM_PROPOSAL:
		return on_proposal(ms, text, out);
	case PU_MULTISTREAM_DONE:
	case PU_MULTISTREAM_FAILED:
		break;
	}
	return PU_EPROTO;
}

int pu_multistream_recv(struct pu_multistream *ms, struct pu_bytes in, size_t *pused,
			struct pu_buf *out)
{
	int r = PU_EAGAIN;

	*pused = 0;
	if (ms->state == PU_MULTISTREAM_DONE)
		return 0;
	if (ms->state == PU_MULTISTREAM_FAILED)
		return ms->err;
	while (r == PU_EAGAIN) {
		struct pu_bytes text;
		int n;

		if (*pused == in.len)
			return PU_EAGAIN;
		n = get_line(pu_bytes(in.p + *pused, in.len - *pused), &text);
		if (n == PU_EAGAIN)
			return PU_EAGAIN;
		r = n;
		if (n > 0) {
			*pused += (size_t)n;
			r = on_line(ms, text, out);
		}
	}
	if (r < 0) {
		ms->state = PU_MULTISTREAM_FAILED;
		ms->err = r;
	}
	return r;
}

const char *pu_multistream_protocol(const struct pu_multistream *ms)
{
	if (!ms->initiator)
		return ms->state == PU_MULTISTREAM_DONE ? ms->name : NULL;
	return ms->state == PU_MULTISTREAM_DONE || ms->lazy ? *ms->proposal : NULL;
}
