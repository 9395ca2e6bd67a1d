#include "p2p/kad/records.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/rfc3339.h"

struct value {
	struct pu_hnode hnode;
	struct pu_list node;
	struct pu_peerid from;
	pu_time put_at;
	int64_t put_unix;
	size_t key_len, len;
	uint8_t b[]; /* key, then value */
};

void pu_kad_records_init(struct pu_kad_records *rs, struct pu_loop *loop, pu_kad_judge_fn *judge,
			 void *arg)
{
	uint8_t key[16];

	memset(rs, 0, sizeof *rs);
	rs->loop = loop;
	rs->judge = judge;
	rs->arg = arg;
	pu_loop_random(loop, key, sizeof key);
	pu_htab_init(&rs->keys, key);
	pu_list_init(&rs->oldest);
}

static struct value *of_node(struct pu_list *n)
{
	return PU_CONTAINER_OF(n, struct value, node);
}

static void drop(struct pu_kad_records *rs, struct value *v)
{
	pu_htab_remove(&rs->keys, &v->hnode);
	pu_list_remove(&v->node);
	rs->n--;
	rs->bytes -= sizeof *v + v->key_len + v->len;
	free(v);
}

void pu_kad_records_deinit(struct pu_kad_records *rs)
{
	struct pu_list *n;

	while ((n = pu_list_first(&rs->oldest)))
		drop(rs, of_node(n));
	pu_htab_deinit(&rs->keys);
}

void pu_kad_records_expire(struct pu_kad_records *rs)
{
	struct pu_list *n;

	while ((n = pu_list_first(&rs->oldest))) {
		if (pu_loop_now(rs->loop) < of_node(n)->put_at + PU_SEC(PU_KAD_RECORDS_VALID_S))
			break;
		drop(rs, of_node(n));
	}
}

static struct value *find(const struct pu_kad_records *rs, struct pu_bytes key)
{
	struct pu_hnode *n = pu_htab_first(&rs->keys, pu_htab_hash(&rs->keys, key.p, key.len));

	for (; n; n = pu_htab_next(n)) {
		struct value *v = PU_CONTAINER_OF(n, struct value, hnode);

		if (pu_bytes_eq(pu_bytes(v->b, v->key_len), key))
			return v;
	}
	return NULL;
}

static void make_room(struct pu_kad_records *rs, const struct pu_peerid *from)
{
	struct value *oldest = NULL;
	unsigned n = 0;

	PU_LIST_FOREACH (it, tmp, &rs->oldest) {
		if (!pu_peerid_eq(&of_node(it)->from, from))
			continue;
		if (!oldest)
			oldest = of_node(it);
		n++;
	}
	if (n >= PU_KAD_RECORDS_PER_PEER)
		drop(rs, oldest);
	else if (rs->n >= PU_KAD_RECORDS_MAX)
		drop(rs, of_node(rs->oldest.next));
}

int pu_kad_records_put(struct pu_kad_records *rs, struct pu_bytes key, struct pu_bytes value,
		       const struct pu_peerid *from)
{
	struct value *old, *v;

	if (key.len == 0 || key.len > PU_KAD_KEY_MAX || value.len > PU_KAD_VALUE_MAX)
		return PU_EINVAL;
	pu_kad_records_expire(rs);
	old = find(rs, key);
	if (!rs->judge || !rs->judge(rs->arg, key, value,
				     old ? pu_bytes(old->b + old->key_len, old->len)
					 : pu_bytes(NULL, 0)))
		return PU_EDENIED;
	v = malloc(sizeof *v + key.len + value.len);
	if (!v)
		return PU_ENOMEM;
	if (pu_htab_add(&rs->keys, &v->hnode, pu_htab_hash(&rs->keys, key.p, key.len)) < 0) {
		free(v);
		return PU_ENOMEM;
	}
	v->from = *from;
	v->put_at = pu_loop_now(rs->loop);
	v->put_unix = pu_loop_unix(rs->loop);
	v->key_len = key.len;
	v->len = value.len;
	memcpy(v->b, key.p, key.len);
	if (value.len > 0)
		memcpy(v->b + key.len, value.p, value.len);
	if (old)
		drop(rs, old);
	else
		make_room(rs, from);
	pu_list_append(&rs->oldest, &v->node);
	rs->n++;
	rs->bytes += sizeof *v + v->key_len + v->len;
	return 0;
}

/* js wants the fraction and the Z. */
static void put_time(char *out, size_t cap, int64_t unix_s)
{
	char text[PU_RFC3339_MAX];

	snprintf(out, cap, "%.19s.000000000Z", pu_rfc3339_text(unix_s, text));
}

int pu_kad_records_get(struct pu_kad_records *rs, struct pu_bytes key, struct pu_kad_message *m)
{
	const struct value *v;

	pu_kad_records_expire(rs);
	v = find(rs, key);
	if (!v)
		return PU_ENOENT;
	m->has_record = true;
	m->record_key = pu_bytes(v->b, v->key_len);
	m->record_value = pu_bytes(v->b + v->key_len, v->len);
	put_time(m->received, sizeof m->received, v->put_unix);
	return 0;
}
