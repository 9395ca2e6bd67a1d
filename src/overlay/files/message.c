#include "overlay/files/message.h"

#include "base/err.h"
#include "crypto/pb.h"
#include "p2p/proto/message.h"

/* Numbers of the fields, docs/protocols/files.md. */
enum {
	F_TYPE = 1,
	F_INDEX = 2,
	F_COUNT = 3,
	F_SIZE = 4,
	F_STATUS = 5,
	F_HASH = 6,
	F_KIND = 7,
	F_PATH = 8,
	F_EXECUTABLE = 9,
	F_MTIME = 10,
	F_DATA = 11,
};

enum { HEAD_MAX = 128 }; /* everything but path and data */

/* Which fields a message of a type has; it must have those without exception. */
#define HAS(f) (1u << (f))
static const uint16_t fields_of[] = {
	[PU_FILES_OFFER] = HAS(F_COUNT) | HAS(F_SIZE),
	[PU_FILES_ENTRY] = HAS(F_KIND) | HAS(F_PATH) | HAS(F_SIZE) | HAS(F_EXECUTABLE) |
			   HAS(F_MTIME),
	[PU_FILES_ACCEPT] = 0,
	[PU_FILES_ANSWER] = HAS(F_INDEX) | HAS(F_STATUS) | HAS(F_SIZE) | HAS(F_HASH),
	[PU_FILES_START] = HAS(F_INDEX) | HAS(F_SIZE),
	[PU_FILES_DATA] = HAS(F_DATA),
	[PU_FILES_END] = HAS(F_STATUS) | HAS(F_HASH),
	[PU_FILES_SAME] = HAS(F_INDEX),
	[PU_FILES_GONE] = HAS(F_INDEX),
	[PU_FILES_ACK] = HAS(F_INDEX) | HAS(F_STATUS),
	[PU_FILES_DONE] = 0,
	[PU_FILES_WAIT] = 0,
	[PU_FILES_FAIL] = HAS(F_STATUS),
};

static const struct {
	const char *name, *text;
} statuses[] = {
	[PU_FILES_OK] = { "ok", "done" },
	[PU_FILES_DECLINED] = { "declined", "the other side does not want it" },
	[PU_FILES_TOO_BIG] = { "too_big", "larger than the receiver takes (--max-size)" },
	[PU_FILES_NO_SPACE] = { "no_space", "not enough space on the receiver's disk" },
	[PU_FILES_NO_ACCESS] = { "no_access", "the receiver may not write there" },
	[PU_FILES_IN_THE_WAY] = { "in_the_way", "something else has that name at the receiver" },
	[PU_FILES_CHANGED] = { "changed", "it changed while it was sent" },
	[PU_FILES_DAMAGED] = { "damaged", "what arrived is not what was sent" },
	[PU_FILES_BROKEN] = { "protocol", "the other side broke the protocol" },
	[PU_FILES_IO] = { "io", "the receiver's disk failed" },
	[PU_FILES_STOPPED] = { "stopped", "stopped" },
	[PU_FILES_LIMIT] = { "limit", "too many files or too long names" },
	[PU_FILES_UNREADABLE] = { "unreadable", "the sender cannot read it" },
};

const char *pu_files_status_text(enum pu_files_status s)
{
	return statuses[s].text;
}

const char *pu_files_status_name(enum pu_files_status s)
{
	return statuses[s].name;
}

static bool has(const struct pu_files_message *m, unsigned field)
{
	return (fields_of[m->type] & HAS(field)) != 0;
}

static void put_numbers(const struct pu_files_message *m, struct pu_wr *w)
{
	uint64_t size = m->type == PU_FILES_ENTRY ? m->entry.size : m->size;

	pu_pb_put_varint(w, F_TYPE, m->type);
	if (has(m, F_INDEX))
		pu_pb_put_varint(w, F_INDEX, m->index);
	if (has(m, F_COUNT))
		pu_pb_put_varint(w, F_COUNT, m->count);
	if (has(m, F_SIZE))
		pu_pb_put_varint(w, F_SIZE, size);
	if (has(m, F_STATUS))
		pu_pb_put_varint(w, F_STATUS, m->status);
	if (has(m, F_HASH))
		pu_pb_put_bytes(w, F_HASH, pu_bytes(m->hash, sizeof m->hash));
	if (!has(m, F_KIND))
		return;
	pu_pb_put_varint(w, F_KIND, m->entry.kind);
	pu_pb_put_varint(w, F_EXECUTABLE, m->entry.executable);
	pu_pb_put_varint(w, F_MTIME, (uint64_t)m->entry.mtime);
}

int pu_files_message_write(const struct pu_files_message *m, struct pu_buf *out)
{
	struct pu_bytes tail = has(m, F_PATH) ? m->path : m->data;
	uint8_t head[HEAD_MAX], *to;
	struct pu_wr w = pu_wr_init(head, sizeof head), all;
	size_t len, max;
	int r;

	put_numbers(m, &w);
	if (pu_wr_end(&w) < 0)
		return PU_ELIMIT;
	len = w.len + (has(m, F_PATH) || has(m, F_DATA) ? pu_pb_bytes_len(tail.len) : 0);
	if (len > PU_FILES_MESSAGE_MAX)
		return PU_ELIMIT;
	max = len + pu_uvarint_len(len);
	r = pu_buf_reserve(out, max, &to);
	if (r < 0)
		return r;
	all = pu_wr_init(to, max);
	pu_wr_uvarint(&all, len);
	pu_wr_bytes(&all, pu_bytes(head, w.len));
	if (has(m, F_PATH))
		pu_pb_put_bytes(&all, F_PATH, tail);
	else if (has(m, F_DATA))
		pu_pb_put_bytes(&all, F_DATA, tail);
	r = pu_wr_end(&all);
	if (r < 0)
		return r;
	pu_buf_commit(out, (size_t)r);
	return 0;
}

static int take_number(struct pu_files_message *m, unsigned field, uint64_t v)
{
	switch (field) {
	case F_TYPE:
		m->type = v >= 1 && v <= PU_FILES_FAIL ? (enum pu_files_type)v : 0;
		return m->type ? 0 : PU_EPROTO;
	case F_INDEX:
		m->index = (uint32_t)v;
		return v < PU_FILES_ENTRIES_MAX ? 0 : PU_EPROTO;
	case F_COUNT:
		m->count = (uint32_t)v;
		return v <= PU_FILES_ENTRIES_MAX ? 0 : PU_EPROTO;
	case F_SIZE:
		m->size = v;
		return v <= PU_FILES_SIZE_MAX ? 0 : PU_EPROTO;
	case F_STATUS: /* reasons that we do not know yet are no reason to break off */
		m->status = v <= PU_FILES_STATUS_MAX ? (enum pu_files_status)v : PU_FILES_BROKEN;
		return 0;
	case F_KIND:
		m->entry.kind = v == PU_FILES_FOLDER ? PU_FILES_FOLDER : PU_FILES_FILE;
		return v == PU_FILES_FILE || v == PU_FILES_FOLDER ? 0 : PU_EPROTO;
	case F_EXECUTABLE:
		m->entry.executable = v != 0;
		return v <= 1 ? 0 : PU_EPROTO;
	case F_MTIME:
		m->entry.mtime = (int64_t)v;
		return v <= INT64_MAX ? 0 : PU_EPROTO;
	}
	return PU_EPROTO;
}

static int take_bytes(struct pu_files_message *m, unsigned field, struct pu_bytes b)
{
	switch (field) {
	case F_HASH:
		if (b.len != sizeof m->hash)
			return PU_EPROTO;
		memcpy(m->hash, b.p, sizeof m->hash);
		return 0;
	case F_PATH:
		m->path = b;
		return b.len <= PU_FILES_PATH_MAX ? 0 : PU_EPROTO;
	case F_DATA:
		m->data = b;
		return b.len > 0 && b.len <= PU_FILES_DATA_MAX ? 0 : PU_EPROTO;
	}
	return PU_EPROTO;
}

/* Fields of later versions are passed over. */
static int take_fields(struct pu_bytes body, struct pu_files_message *m, unsigned *pseen)
{
	struct pu_rd rd = pu_rd_init(body.p, body.len);
	struct pu_pb_field f;

	while (pu_pb_next(&rd, &f)) {
		bool number = f.number != F_HASH && f.number != F_PATH && f.number != F_DATA;
		int r;

		if (f.number > F_DATA)
			continue;
		if (f.wire != (number ? PU_PB_VARINT : PU_PB_BYTES) || *pseen & HAS(f.number))
			return PU_EPROTO;
		*pseen |= HAS(f.number);
		r = number ? take_number(m, f.number, f.value) : take_bytes(m, f.number, f.bytes);
		if (r < 0)
			return r;
	}
	return rd.err;
}

int pu_files_message_read(struct pu_bytes in, struct pu_files_message *m, size_t *pused)
{
	struct pu_files_message got = { 0 };
	struct pu_bytes body;
	unsigned seen = 0;
	size_t used;
	int r = pu_message_split(in, PU_FILES_MESSAGE_MAX, &body, &used);

	if (r < 0)
		return r;
	r = take_fields(body, &got, &seen);
	if (r < 0)
		return r;
	if (!(seen & HAS(F_TYPE)) || seen != (HAS(F_TYPE) | fields_of[got.type]))
		return PU_EPROTO;
	if (got.type == PU_FILES_ENTRY) {
		got.entry.size = got.size;
		got.size = 0;
	}
	*m = got;
	*pused = used;
	return 0;
}
