#include "overlay/pair/notify.h"

#include "base/err.h"
#include "base/wire.h"

/*   01  group id  size of the group  count × { length (2 bytes) and text of a peer ID
 *                                              name  proof[32] }
 * Other lengths are one byte. */
enum {
	VERSION = 1,
	ID_TEXT_MAX = 100, /* the longest form of an ID, with room */
};

static int read_id(struct pu_bytes text, struct pu_peerid *id)
{
	char s[ID_TEXT_MAX + 1];

	if (text.len == 0 || text.len > ID_TEXT_MAX || memchr(text.p, 0, text.len))
		return PU_EPROTO;
	memcpy(s, text.p, text.len);
	s[text.len] = '\0';
	return pu_peerid_from_text(id, s) < 0 ? PU_EPROTO : 0;
}

static bool names(const struct pu_notify *m, const struct pu_peerid *id)
{
	for (size_t i = 0; i < m->n_peers; i++)
		if (pu_peerid_eq(&m->peer[i].id, id))
			return true;
	return false;
}

static int read_peer(struct pu_rd *rd, struct pu_notify *out)
{
	struct pu_bytes id = pu_rd_bytes(rd, pu_rd_be16(rd));
	struct pu_bytes name = pu_rd_bytes(rd, pu_rd_u8(rd));
	struct pu_bytes proof = pu_rd_bytes(rd, PU_GROUP_PROOF_LEN);
	struct pu_notify_peer p = { .name = "" };

	if (rd->err < 0 || read_id(id, &p.id) < 0)
		return PU_EPROTO;
	if (names(out, &p.id))
		return 0;
	if (name.len)
		memcpy(p.name, name.p, pu_min(name.len, PU_GROUP_NAME_MAX));
	memcpy(p.proof, proof.p, proof.len);
	out->peer[out->n_peers++] = p;
	return 0;
}

int pu_notify_parse(struct pu_bytes b, struct pu_notify *out)
{
	struct pu_rd rd = pu_rd_init(b.p, b.len);
	uint8_t version = pu_rd_u8(&rd), count;
	struct pu_bytes group = pu_rd_bytes(&rd, pu_rd_u8(&rd));

	out->size = pu_rd_u8(&rd);
	count = pu_rd_u8(&rd);
	out->n_peers = 0;
	if (rd.err < 0 || version != VERSION || !pu_group_id_ok(group))
		return PU_EPROTO;
	memset(out->group, 0, sizeof out->group);
	memcpy(out->group, group.p, group.len);
	for (unsigned i = 0; i < count; i++)
		if (read_peer(&rd, out) < 0)
			return PU_EPROTO;
	return pu_rd_end(&rd);
}

int pu_notify_write(const struct pu_notify *m, struct pu_buf *out)
{
	const size_t per_peer = 2 + PU_PEERID_TEXT_MAX + 1 + PU_GROUP_NAME_MAX + PU_GROUP_PROOF_LEN;
	size_t need = 4 + strlen(m->group) + m->n_peers * per_peer;
	struct pu_wr w;
	uint8_t *p;
	int r = pu_buf_reserve(out, need, &p);

	if (r < 0)
		return r;
	w = pu_wr_init(p, need);
	pu_wr_u8(&w, VERSION);
	pu_wr_u8(&w, (uint8_t)strlen(m->group));
	pu_wr_bytes(&w, pu_bytes_str(m->group));
	pu_wr_u8(&w, (uint8_t)pu_min(m->size, UINT8_MAX));
	pu_wr_u8(&w, (uint8_t)m->n_peers);
	for (size_t i = 0; i < m->n_peers; i++) {
		const struct pu_notify_peer *peer = &m->peer[i];
		char id[PU_PEERID_TEXT_MAX];

		pu_peerid_text(&peer->id, id);
		pu_wr_be16(&w, (uint16_t)strlen(id));
		pu_wr_bytes(&w, pu_bytes_str(id));
		pu_wr_u8(&w, (uint8_t)strlen(peer->name));
		pu_wr_bytes(&w, pu_bytes_str(peer->name));
		pu_wr_bytes(&w, pu_bytes(peer->proof, sizeof peer->proof));
	}
	if (pu_wr_end(&w) < 0)
		return PU_ELIMIT;
	pu_buf_commit(out, w.len);
	return 0;
}
