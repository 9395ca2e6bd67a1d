#include "cli/files_send.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/files_hash.h"

struct answer {
	enum pu_files_status status;
	uint64_t have;
	uint8_t hash[PU_BLAKE2B_LEN]; /* of what it has */
};

struct send {
	struct pu_files_conn *c;
	const struct pu_files_source *s;
	const struct pu_files_events *ev;
	void *arg;
	struct pu_files_result *out;
	struct answer *answer;
	/* Entries whose ACK is still to come, oldest first. */
	struct {
		uint32_t index;
		bool same;
	} sent[PU_FILES_UNACKED_MAX];
	unsigned first, n_sent;
};

static int say(struct send *s, enum pu_files_type type, uint32_t index, uint64_t size)
{
	return pu_files_conn_send(s->c, &(struct pu_files_message){ .type = type, .index = index,
								    .size = size });
}

static int on_fail(struct send *s, const struct pu_files_message *m)
{
	s->out->status = m->status == PU_FILES_OK ? PU_FILES_BROKEN : m->status;
	s->out->by_other = true;
	return PU_EDENIED;
}

static int check_type(struct send *s, const struct pu_files_message *m, enum pu_files_type type)
{
	if (m->type == type)
		return 0;
	return m->type == PU_FILES_FAIL ? on_fail(s, m) : PU_EPROTO;
}

/* The next message is of that type, or it is over. */
static int expect(struct send *s, enum pu_files_type type, int idle_s, struct pu_files_message *m)
{
	int r = pu_files_conn_recv(s->c, idle_s, m);

	return r < 0 ? r : check_type(s, m, type);
}

static void file_done(struct send *s, uint32_t index, enum pu_files_status status, bool same)
{
	const struct pu_files_entry *e = &s->s->manifest.v[index];

	if (status != PU_FILES_OK)
		s->out->n_failed++;
	else if (e->kind == PU_FILES_FILE)
		s->out->n_files++;
	if (same)
		s->out->n_same++;
	s->ev->on_file_done(s->arg, e, status, NULL, same);
}

static int take_ack(struct send *s, const struct pu_files_message *m)
{
	if (s->n_sent == 0 || m->index != s->sent[s->first].index)
		return PU_EPROTO;
	file_done(s, m->index, m->status, s->sent[s->first].same && m->status == PU_FILES_OK);
	s->first = (s->first + 1) % PU_FILES_UNACKED_MAX;
	s->n_sent--;
	return 0;
}

static int wait_for_ack(struct send *s)
{
	struct pu_files_message m;
	int r = expect(s, PU_FILES_ACK, PU_FILES_IDLE_S, &m);

	return r < 0 ? r : take_ack(s, &m);
}

/* What comes while we send: ACKs of files before, or FAIL. */
static int look_up(struct send *s)
{
	struct pu_files_message m;
	int r;

	while ((r = pu_files_conn_try(s->c, &m)) == 0) {
		r = check_type(s, &m, PU_FILES_ACK);
		if (r == 0)
			r = take_ack(s, &m);
		if (r < 0)
			return r;
	}
	return r == PU_EAGAIN ? 0 : r;
}

/* An ACK for index will come; no more than so many are under way. */
static int expect_ack(struct send *s, uint32_t index, bool same)
{
	int r = 0;

	while (r == 0 && s->n_sent == PU_FILES_UNACKED_MAX)
		r = wait_for_ack(s);
	if (r == 0) {
		unsigned at = (s->first + s->n_sent++) % PU_FILES_UNACKED_MAX;

		s->sent[at].index = index;
		s->sent[at].same = same;
	}
	return r;
}

static int offer(struct send *s)
{
	const struct pu_files_manifest *list = &s->s->manifest;
	struct pu_files_message m = { .type = PU_FILES_OFFER, .count = (uint32_t)list->n,
				      .size = list->bytes };
	int r = pu_files_conn_send(s->c, &m);

	for (size_t i = 0; i < list->n && r == 0; i++)
		r = pu_files_conn_send(s->c, &(struct pu_files_message){
						     .type = PU_FILES_ENTRY,
						     .entry = list->v[i],
						     .path = pu_bytes_str(list->v[i].path) });
	return r == 0 ? expect(s, PU_FILES_ACCEPT, PU_FILES_DECIDE_S, &m) : r;
}

static int read_answers(struct send *s)
{
	const struct pu_files_manifest *list = &s->s->manifest;
	struct pu_files_message m;

	for (size_t i = 0; i < list->n; i++) {
		int r = expect(s, PU_FILES_ANSWER, PU_FILES_IDLE_S, &m);

		if (r < 0)
			return r;
		if (m.index != i || m.size > list->v[i].size)
			return PU_EPROTO;
		s->answer[i] = (struct answer){ .status = m.status, .have = m.size };
		memcpy(s->answer[i].hash, m.hash, sizeof m.hash);
	}
	return 0;
}

/* From the present offset to the end; *pstatus says how that went. */
static int send_content(struct send *s, int fd, uint64_t left, struct pu_blake2b *hash,
			enum pu_files_status *pstatus)
{
	uint8_t *buf = malloc(PU_FILES_DATA_MAX);
	int r = buf ? 0 : PU_ENOMEM;

	while (r == 0 && left > 0) {
		struct pu_files_message m = { .type = PU_FILES_DATA };
		ssize_t n = read(fd, buf, pu_min(left, PU_FILES_DATA_MAX));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			*pstatus = n < 0 ? PU_FILES_UNREADABLE : PU_FILES_CHANGED;
			break;
		}
		m.data = pu_bytes(buf, (size_t)n);
		pu_blake2b_add(hash, m.data);
		left -= (uint64_t)n;
		r = pu_files_conn_send(s->c, &m);
		if (r == 0)
			r = look_up(s);
		if (r < 0)
			break;
		s->out->bytes += (uint64_t)n;
		s->ev->on_bytes(s->arg, (uint64_t)n);
	}
	free(buf);
	return r;
}

/* How much of the file the receiver has; hash goes on from there, and so does fd. */
static int common_start(struct send *s, uint32_t index, int fd, struct pu_blake2b *hash,
			uint64_t *poffset)
{
	const struct answer *a = &s->answer[index];
	uint8_t ours[PU_BLAKE2B_LEN];
	struct pu_blake2b copy;
	int r;

	*poffset = 0;
	pu_blake2b_init(hash);
	if (a->have == 0)
		return 0;
	r = pu_files_hash_start(fd, a->have, hash, s->c);
	if (r < 0)
		return r;
	copy = *hash;
	pu_blake2b_end(&copy, ours);
	if (memcmp(ours, a->hash, sizeof ours) == 0) {
		*poffset = a->have;
		return 0;
	}
	pu_blake2b_init(hash);
	return lseek(fd, 0, SEEK_SET) < 0 ? PU_EIO : 0;
}

static int send_from(struct send *s, uint32_t index, int fd, uint64_t offset,
		     struct pu_blake2b *hash)
{
	const struct pu_files_entry *e = &s->s->manifest.v[index];
	struct pu_files_message end = { .type = PU_FILES_END };
	int r = expect_ack(s, index, false);

	s->ev->on_file(s->arg, e, offset);
	if (r == 0)
		r = say(s, PU_FILES_START, index, offset);
	if (r == 0)
		r = send_content(s, fd, e->size - offset, hash, &end.status);
	if (r < 0)
		return r;
	if (end.status == PU_FILES_OK && !pu_files_source_same(s->s, index, fd))
		end.status = PU_FILES_CHANGED;
	if (end.status == PU_FILES_OK)
		pu_blake2b_end(hash, end.hash);
	return pu_files_conn_send(s->c, &end);
}

static int send_file(struct send *s, uint32_t index)
{
	const struct pu_files_entry *e = &s->s->manifest.v[index];
	struct pu_blake2b hash;
	uint64_t offset;
	int fd, r;

	if (pu_files_source_open(s->s, index, &fd) < 0) {
		r = expect_ack(s, index, false);
		return r < 0 ? r : say(s, PU_FILES_GONE, index, 0);
	}
	r = common_start(s, index, fd, &hash, &offset);
	if (r == PU_EIO) { /* shorter than it was, or unreadable */
		r = expect_ack(s, index, false);
		if (r == 0)
			r = say(s, PU_FILES_GONE, index, 0);
	} else if (r == 0 && offset > 0 && offset == e->size) {
		r = expect_ack(s, index, true);
		if (r == 0)
			r = say(s, PU_FILES_SAME, index, 0);
	} else if (r == 0) {
		r = send_from(s, index, fd, offset, &hash);
	}
	close(fd);
	return r;
}

static int send_all(struct send *s)
{
	const struct pu_files_manifest *list = &s->s->manifest;
	struct pu_files_message m;
	int r = 0;

	for (uint32_t i = 0; i < list->n && r == 0; i++) {
		if (s->answer[i].status != PU_FILES_OK)
			file_done(s, i, s->answer[i].status, false);
		else if (list->v[i].kind == PU_FILES_FILE)
			r = send_file(s, i);
		if (r == 0)
			r = look_up(s);
	}
	while (r == 0 && s->n_sent > 0)
		r = wait_for_ack(s);
	if (r == 0)
		r = say(s, PU_FILES_DONE, 0, 0);
	return r == 0 ? expect(s, PU_FILES_DONE, PU_FILES_IDLE_S, &m) : r;
}

int pu_files_send(struct pu_files_conn *c, const struct pu_files_source *src,
		  const struct pu_files_events *ev, void *arg, struct pu_files_result *out)
{
	struct send s = { .c = c, .s = src, .ev = ev, .arg = arg, .out = out };
	int r;

	*out = (struct pu_files_result){ 0 };
	s.answer = calloc(src->manifest.n + 1, sizeof *s.answer);
	r = s.answer ? offer(&s) : PU_ENOMEM;
	if (r == 0)
		r = read_answers(&s);
	if (r == 0) {
		ev->on_begin(arg, &src->manifest);
		r = send_all(&s);
	}
	free(s.answer);
	if (r == PU_ERESET) /* perhaps it said why before it left */
		r = look_up(&s) == PU_EDENIED ? PU_EDENIED : PU_ERESET;
	if (r == PU_ECANCELED)
		out->status = PU_FILES_STOPPED;
	else if (r == PU_EPROTO)
		out->status = PU_FILES_BROKEN;
	if (r == PU_ECANCELED || r == PU_EPROTO)
		pu_files_conn_fail(c, out->status);
	return r;
}
