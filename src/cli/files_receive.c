#include "cli/files_receive.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"

struct receive {
	struct pu_files_conn *c;
	const struct pu_files_receive_options *opt;
	struct pu_files_result *out;
	struct pu_files_manifest list;
	struct pu_files_found *found; /* of each entry */
	struct pu_files_slot slot;
	bool open;      /* between START and END */
	enum pu_files_status ill; /* of the open file; its DATA is thrown away */
	uint32_t index; /* of the open file */
	uint32_t next;  /* entries before are dealt with */
};

/* Ends it: the other side will be told. */
static int refuse(struct receive *v, enum pu_files_status s)
{
	v->out->status = s;
	return PU_EDENIED;
}

static int on_fail(struct receive *v, const struct pu_files_message *m)
{
	v->out->by_other = true;
	return refuse(v, m->status == PU_FILES_OK ? PU_FILES_BROKEN : m->status);
}

static int recv_type(struct receive *v, enum pu_files_type type, struct pu_files_message *m)
{
	int r = pu_files_conn_recv(v->c, PU_FILES_IDLE_S, m);

	if (r < 0 || m->type == type)
		return r;
	return m->type == PU_FILES_FAIL ? on_fail(v, m) : PU_EPROTO;
}

static int read_offer(struct receive *v)
{
	struct pu_files_message m;
	uint64_t size;
	uint32_t count;
	int r = recv_type(v, PU_FILES_OFFER, &m);

	if (r < 0)
		return r;
	size = m.size;
	count = m.count;
	for (uint32_t i = 0; i < count && r == 0; i++) {
		r = recv_type(v, PU_FILES_ENTRY, &m);
		if (r == 0)
			r = pu_files_manifest_add(&v->list, &m.entry, m.path);
		if (r == PU_ELIMIT || r == PU_E2BIG)
			return refuse(v, PU_FILES_LIMIT);
	}
	if (r == 0)
		r = pu_files_manifest_check(&v->list);
	if (r == PU_EINVAL || r == PU_EEXIST || (r == 0 && v->list.bytes != size))
		return PU_EPROTO;
	return r;
}

static int decide(struct receive *v)
{
	enum pu_files_status s;

	if (v->list.bytes > v->opt->max_bytes)
		return refuse(v, PU_FILES_TOO_BIG);
	s = v->opt->on_offer(v->opt->arg, &v->list);
	if (s == PU_FILES_STOPPED)
		return PU_ECANCELED;
	if (s != PU_FILES_OK)
		return refuse(v, s);
	return pu_files_conn_send(v->c, &(struct pu_files_message){ .type = PU_FILES_ACCEPT });
}

/* What is there already, before anything is asked for: it may not all fit. */
static int look_around(struct receive *v)
{
	uint64_t missing = 0;

	v->found = calloc(v->list.n + 1, sizeof *v->found);
	if (!v->found)
		return PU_ENOMEM;
	for (size_t i = 0; i < v->list.n; i++) {
		int r = pu_files_store_look(v->opt->store, &v->list.v[i], v->c, &v->found[i]);

		if (r == 0)
			r = pu_files_conn_busy(v->c);
		if (r < 0)
			return r;
		if (v->found[i].status == PU_FILES_OK)
			missing += v->list.v[i].size - v->found[i].have;
	}
	return missing > pu_files_store_room(v->opt->store) ? refuse(v, PU_FILES_NO_SPACE) : 0;
}

static int answer(struct receive *v)
{
	for (uint32_t i = 0; i < v->list.n; i++) {
		const struct pu_files_found *f = &v->found[i];
		struct pu_files_message m = { .type = PU_FILES_ANSWER, .index = i,
					      .status = f->status, .size = f->have };
		int r;

		memcpy(m.hash, f->hash, sizeof m.hash);
		r = pu_files_conn_send(v->c, &m);
		if (r < 0)
			return r;
	}
	return 0;
}

static void file_done(struct receive *v, uint32_t index, enum pu_files_status s, const char *as,
		      bool same)
{
	const struct pu_files_entry *e = &v->list.v[index];

	if (s != PU_FILES_OK)
		v->out->n_failed++;
	else if (e->kind == PU_FILES_FILE)
		v->out->n_files++;
	if (same)
		v->out->n_same++;
	v->opt->ev->on_file_done(v->opt->arg, e, s, as, same);
}

static int ack(struct receive *v, uint32_t index, enum pu_files_status s)
{
	const struct pu_files_message m = { .type = PU_FILES_ACK, .index = index, .status = s };
	int r = pu_files_conn_send(v->c, &m);

	/* The sender waits for some of them. */
	return r < 0 ? r : pu_files_conn_flush(v->c);
}

/* index is a file that was asked for and comes now, in order. Those passed over were refused. */
static bool takes(struct receive *v, uint32_t index)
{
	if (v->open || index < v->next || index >= v->list.n ||
	    v->list.v[index].kind != PU_FILES_FILE || v->found[index].status != PU_FILES_OK)
		return false;
	for (; v->next < index; v->next++) {
		if (v->found[v->next].status != PU_FILES_OK)
			file_done(v, v->next, v->found[v->next].status, NULL, false);
		else if (v->list.v[v->next].kind == PU_FILES_FILE)
			return false;
	}
	v->next = index + 1;
	return true;
}

/* An empty one that is there needs no second one. */
static bool is_there(const struct receive *v, uint32_t index)
{
	return v->found[index].complete && v->list.v[index].size == 0;
}

static int on_start(struct receive *v, const struct pu_files_message *m)
{
	if (!takes(v, m->index) || (m->size > 0 && (v->found[m->index].complete ||
						    m->size != v->found[m->index].have)))
		return PU_EPROTO;
	v->open = true;
	v->index = m->index;
	v->ill = PU_FILES_OK;
	v->opt->ev->on_file(v->opt->arg, &v->list.v[m->index], m->size);
	if (is_there(v, m->index))
		return 0;
	return pu_files_slot_open(&v->slot, v->opt->store, &v->list.v[m->index], m->size, v->c,
				  &v->ill);
}

/* A disk that is full will be for the next file too. */
static bool is_fatal(enum pu_files_status s)
{
	return s == PU_FILES_NO_SPACE || s == PU_FILES_IO;
}

static int on_data(struct receive *v, const struct pu_files_message *m)
{
	if (!v->open)
		return PU_EPROTO;
	if (v->ill == PU_FILES_OK && v->slot.fd < 0)
		return PU_EPROTO; /* the empty file that is there */
	if (v->ill == PU_FILES_OK)
		v->ill = pu_files_slot_write(&v->slot, m->data);
	if (v->ill == PU_FILES_BROKEN) {
		pu_files_slot_drop(&v->slot);
		return PU_EPROTO;
	}
	if (is_fatal(v->ill))
		return refuse(v, v->ill);
	v->out->bytes += m->data.len;
	v->opt->ev->on_bytes(v->opt->arg, m->data.len);
	return 0;
}

static int on_end(struct receive *v, const struct pu_files_message *m)
{
	char as[PU_FILES_NAME_MAX + 1];
	enum pu_files_status s = v->ill;
	bool same = false;

	if (!v->open)
		return PU_EPROTO;
	v->open = false;
	if (s == PU_FILES_OK && m->status != PU_FILES_OK) {
		s = m->status;
		pu_files_slot_drop(&v->slot);
	} else if (s == PU_FILES_OK && v->slot.fd < 0) {
		same = true;
	} else if (s == PU_FILES_OK) {
		s = pu_files_slot_finish(&v->slot, v->opt->store, m->hash, as);
	}
	pu_files_slot_keep(&v->slot);
	if (is_fatal(s))
		return refuse(v, s);
	file_done(v, v->index, s, s == PU_FILES_OK && !same ? as : NULL, same);
	return ack(v, v->index, s);
}

static int on_same(struct receive *v, uint32_t index)
{
	if (!takes(v, index) || !v->found[index].complete)
		return PU_EPROTO;
	file_done(v, index, PU_FILES_OK, NULL, true);
	return ack(v, index, PU_FILES_OK);
}

static int on_gone(struct receive *v, uint32_t index)
{
	if (!takes(v, index))
		return PU_EPROTO;
	file_done(v, index, PU_FILES_UNREADABLE, NULL, false);
	return ack(v, index, PU_FILES_UNREADABLE);
}

/* Everything that was asked for has come. */
static int on_done(struct receive *v)
{
	if (v->open)
		return PU_EPROTO;
	for (; v->next < v->list.n; v->next++) {
		if (v->found[v->next].status != PU_FILES_OK)
			file_done(v, v->next, v->found[v->next].status, NULL, false);
		else if (v->list.v[v->next].kind == PU_FILES_FILE)
			return PU_EPROTO;
	}
	return 0;
}

static int take(struct receive *v, const struct pu_files_message *m)
{
	switch (m->type) {
	case PU_FILES_START:
		return on_start(v, m);
	case PU_FILES_DATA:
		return on_data(v, m);
	case PU_FILES_END:
		return on_end(v, m);
	case PU_FILES_SAME:
		return on_same(v, m->index);
	case PU_FILES_GONE:
		return on_gone(v, m->index);
	case PU_FILES_DONE:
		return on_done(v);
	case PU_FILES_FAIL:
		return on_fail(v, m);
	case PU_FILES_OFFER:
	case PU_FILES_ENTRY:
	case PU_FILES_ACCEPT:
	case PU_FILES_ANSWER:
	case PU_FILES_ACK:
	case PU_FILES_WAIT:
		break;
	}
	return PU_EPROTO;
}

static int receive_files(struct receive *v)
{
	struct pu_files_message m = { .type = PU_FILES_WAIT };
	int r = 0;

	while (r == 0 && m.type != PU_FILES_DONE) {
		r = pu_files_conn_recv(v->c, PU_FILES_IDLE_S, &m);
		if (r == 0)
			r = take(v, &m);
	}
	if (r < 0)
		return r;
	r = pu_files_conn_send(v->c, &(struct pu_files_message){ .type = PU_FILES_DONE });
	if (r == 0)
		r = pu_files_conn_flush(v->c);
	if (r == 0)
		pu_files_conn_finish(v->c);
	return r;
}

int pu_files_receive(struct pu_files_conn *c, const struct pu_files_receive_options *opt,
		     struct pu_files_result *out)
{
	struct receive v = { .c = c, .opt = opt, .out = out };
	int r;

	*out = (struct pu_files_result){ 0 };
	pu_files_manifest_init(&v.list);
	pu_files_slot_init(&v.slot);
	r = read_offer(&v);
	if (r == 0)
		r = decide(&v);
	if (r == 0)
		r = look_around(&v);
	if (r == 0)
		r = answer(&v);
	if (r == 0) {
		opt->ev->on_begin(opt->arg, &v.list);
		r = receive_files(&v);
	}
	if (r == PU_ECANCELED)
		out->status = PU_FILES_STOPPED;
	else if (r == PU_EPROTO)
		out->status = PU_FILES_BROKEN;
	if (out->status != PU_FILES_OK && !out->by_other)
		pu_files_conn_fail(c, out->status);
	pu_files_slot_keep(&v.slot);
	free(v.found);
	pu_files_manifest_deinit(&v.list);
	return r;
}
