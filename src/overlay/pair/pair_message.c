#include "overlay/pair/pair_message.h"

#include "base/err.h"
#include "base/wire.h"

enum { STATUS_FAILED = 0, STATUS_PAIRED = 1 };

static const char failed_text[] = "pairing failed";

int pu_pair_message_parse_request(struct pu_bytes b, struct pu_pair_ask *out)
{
	struct pu_rd rd = pu_rd_init(b.p, b.len);
	struct pu_bytes token = pu_rd_bytes(&rd, PU_GROUP_TOKEN_LEN), name;
	uint8_t len = pu_rd_u8(&rd);

	if (len > PU_GROUP_NAME_MAX)
		return PU_EPROTO;
	name = pu_rd_bytes(&rd, len);
	if (rd.err < 0)
		return PU_EAGAIN;
	memset(out, 0, sizeof *out);
	memcpy(out->token, token.p, token.len);
	if (name.len)
		memcpy(out->name, name.p, name.len);
	return (int)(b.len - rd.left);
}

size_t pu_pair_message_write_request(const struct pu_pair_ask *m,
				     uint8_t out[PU_PAIR_REQUEST_MAX])
{
	size_t len = strnlen(m->name, PU_GROUP_NAME_MAX);

	memcpy(out, m->token, PU_GROUP_TOKEN_LEN);
	out[PU_GROUP_TOKEN_LEN] = (uint8_t)len;
	memcpy(out + PU_GROUP_TOKEN_LEN + 1, m->name, len);
	return PU_GROUP_TOKEN_LEN + 1 + len;
}

static bool knows(const struct pu_pair_result *r, const struct pu_peerid *id)
{
	for (size_t i = 0; i < r->n_peers; i++)
		if (pu_peerid_eq(&r->peer[i].id, id))
			return true;
	return false;
}

static int add_peer(struct pu_pair_result *r, struct pu_bytes id, struct pu_bytes name,
		    const struct pu_peerid *self)
{
	struct pu_pair_peer p = { .name = "" };

	if (pu_peerid_from_bytes(&p.id, id) < 0)
		return PU_EPROTO;
	if (pu_peerid_eq(&p.id, self) || knows(r, &p.id))
		return 0;
	if (r->n_peers == PU_GROUP_CODES_MAX)
		return PU_EPROTO;
	if (name.len)
		memcpy(p.name, name.p, pu_min(name.len, PU_GROUP_NAME_MAX));
	r->peer[r->n_peers++] = p;
	return 0;
}

static int parse_paired(struct pu_rd *rd, const struct pu_peerid *self,
			struct pu_pair_result *out)
{
	struct pu_bytes group = pu_rd_bytes(rd, pu_rd_u8(rd));
	unsigned count;

	if (rd->err < 0)
		return PU_EAGAIN;
	if (!pu_group_id_ok(group))
		return PU_EPROTO;
	memset(out->group, 0, sizeof out->group);
	memcpy(out->group, group.p, group.len);
	out->size = pu_rd_u8(rd);
	count = pu_rd_u8(rd);
	if (rd->err < 0)
		return PU_EAGAIN;
	if (count >= out->size) /* we hold a code of the group as well */
		return PU_EPROTO;
	out->n_peers = 0;
	for (unsigned i = 0; i < count; i++) {
		struct pu_bytes id = pu_rd_bytes(rd, pu_rd_u8(rd));
		struct pu_bytes name = pu_rd_bytes(rd, pu_rd_u8(rd));

		if (rd->err < 0)
			return PU_EAGAIN;
		if (add_peer(out, id, name, self) < 0)
			return PU_EPROTO;
	}
	return 0;
}

int pu_pair_message_parse_response(struct pu_bytes b, const struct pu_peerid *self,
				   struct pu_pair_result *out)
{
	struct pu_rd rd = pu_rd_init(b.p, b.len);
	uint8_t status = pu_rd_u8(&rd);

	if (rd.err < 0)
		return PU_EAGAIN;
	if (status == STATUS_PAIRED)
		return parse_paired(&rd, self, out);
	if (status != STATUS_FAILED)
		return PU_EPROTO;
	pu_rd_bytes(&rd, pu_rd_u8(&rd));
	return rd.err < 0 ? PU_EAGAIN : PU_EDENIED;
}

static int put(struct pu_buf *out, uint8_t byte)
{
	return pu_buf_append(out, &byte, 1);
}

/* len: 255 at most. */
static int put_lp(struct pu_buf *out, const void *p, size_t len)
{
	int r = put(out, (uint8_t)len);

	return r < 0 ? r : pu_buf_append(out, p, len);
}

struct listing {
	const struct pu_group *g;
	const struct pu_peerid *to;
	bool (*is_member)(void *arg, const struct pu_peerid *peer);
	void *arg;
};

static bool is_listed(const struct listing *l, const struct pu_group_slot *s)
{
	return s->used && !pu_peerid_eq(&s->peer, l->to) &&
	       (!l->is_member || l->is_member(l->arg, &s->peer));
}

static int put_peers(const struct listing *l, struct pu_buf *out)
{
	int r = 0;

	for (unsigned i = 0; i < l->g->n && r == 0; i++) {
		const struct pu_group_slot *s = &l->g->slot[i];

		if (!is_listed(l, s))
			continue;
		r = put_lp(out, s->peer.b, s->peer.len);
		if (r == 0)
			r = put_lp(out, s->name, strlen(s->name));
	}
	return r;
}

int pu_pair_message_write_paired(const struct pu_group *g, const struct pu_peerid *to,
				 bool (*is_member)(void *arg, const struct pu_peerid *peer),
				 void *arg, struct pu_buf *out)
{
	const struct listing l = { g, to, is_member, arg };
	uint8_t count = 0;
	int r = put(out, STATUS_PAIRED);

	for (unsigned i = 0; i < g->n; i++)
		count += is_listed(&l, &g->slot[i]);
	if (r == 0)
		r = put_lp(out, g->id, strlen(g->id));
	if (r == 0)
		r = put(out, (uint8_t)g->n);
	if (r == 0)
		r = put(out, count);
	return r == 0 ? put_peers(&l, out) : r;
}

int pu_pair_message_write_failed(struct pu_buf *out)
{
	int r = put(out, STATUS_FAILED);

	return r < 0 ? r : put_lp(out, failed_text, sizeof failed_text - 1);
}
