#include "overlay/vip.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/htab.h"
#include "base/list.h"
#include "base/wire.h"
#include "crypto/hash.h"

enum {
	ROUNDS_PER_HASH = 15, /* two-byte steps that leave four bytes to read */
	ROUNDS_MAX = 4096,
	LINE_MAX_LEN = PU_PEERID_TEXT_MAX + 16,
};

const struct pu_vip_range pu_vip_canonical_range = {
	.v4 = { 10, 64, 0, 0 },
	.v4_bits = 16,
	.v6 = { 0xfd, 0x70, 0x65, 0x65, 0x72, 0x75 },
	.v6_bits = 48,
};

struct entry {
	struct pu_hnode by_peer, by_v4, by_v6;
	struct pu_list node;
	struct pu_peerid peer;
	struct pu_vip vip;
	unsigned round;
};

struct pu_vip_table {
	struct pu_vip_range range;
	struct pu_htab peers, v4, v6;
	struct pu_list entries; /* in the order of assignment */
	size_t n;
};

static uint32_t v4_host_mask(const struct pu_vip_range *r)
{
	return UINT32_MAX >> r->v4_bits;
}

int pu_vip_range_check(const struct pu_vip_range *r)
{
	if (r->v4_bits < PU_VIP_V4_BITS_MIN || r->v4_bits > PU_VIP_V4_BITS_MAX)
		return PU_EINVAL;
	if (r->v6_bits % 8 != 0 || r->v6_bits < 8 || r->v6_bits > PU_VIP_V6_BITS_MAX)
		return PU_EINVAL;
	if (pu_get_be32(r->v4) & v4_host_mask(r))
		return PU_EINVAL;
	for (size_t i = r->v6_bits / 8; i < sizeof r->v6; i++)
		if (r->v6[i])
			return PU_EINVAL;
	return 0;
}

static bool v4_reserved(const struct pu_vip_range *r, uint32_t host)
{
	return host == 0 || host == PU_VIP_DNS_HOST || host == v4_host_mask(r);
}

/* The host number of one attempt: four bytes of the hash chain, two bytes apart. */
static uint32_t v4_attempt(const struct pu_vip_range *r, uint8_t hash[PU_SHA256_LEN],
			   unsigned attempt)
{
	unsigned step = attempt % ROUNDS_PER_HASH;

	if (attempt > 0 && step == 0)
		pu_sha256(pu_bytes(hash, PU_SHA256_LEN), hash);
	return pu_get_be32(hash + 2 * step) >> r->v4_bits;
}

void pu_vip_derive(const struct pu_vip_range *r, const struct pu_peerid *peer, unsigned round,
		   struct pu_vip *out)
{
	uint8_t hash[PU_SHA256_LEN];
	uint32_t host;

	pu_sha256(pu_peerid_bytes(peer), hash);
	memcpy(out->v6, r->v6, sizeof out->v6);
	memcpy(out->v6 + r->v6_bits / 8, hash, sizeof out->v6 - r->v6_bits / 8);
	for (unsigned attempt = 0;; attempt++) {
		host = v4_attempt(r, hash, attempt);
		if (v4_reserved(r, host))
			continue;
		if (round-- == 0)
			break;
	}
	pu_put_be32(out->v4, pu_get_be32(r->v4) | host);
}

void pu_vip_canonical(const struct pu_peerid *peer, struct pu_vip *out)
{
	pu_vip_derive(&pu_vip_canonical_range, peer, 0, out);
}

void pu_vip_dns(const struct pu_vip_range *r, uint8_t out[4])
{
	pu_put_be32(out, pu_get_be32(r->v4) | PU_VIP_DNS_HOST);
}

int pu_vip_table_new(const struct pu_vip_range *r, const uint8_t key[16],
		     struct pu_vip_table **pt)
{
	struct pu_vip_table *t;
	int err = pu_vip_range_check(r);

	if (err < 0)
		return err;
	t = calloc(1, sizeof *t);
	if (!t)
		return PU_ENOMEM;
	t->range = *r;
	pu_htab_init(&t->peers, key);
	pu_htab_init(&t->v4, key);
	pu_htab_init(&t->v6, key);
	pu_list_init(&t->entries);
	*pt = t;
	return 0;
}

void pu_vip_table_free(struct pu_vip_table *t)
{
	if (!t)
		return;
	PU_LIST_FOREACH (it, tmp, &t->entries)
		free(PU_CONTAINER_OF(it, struct entry, node));
	pu_htab_deinit(&t->peers);
	pu_htab_deinit(&t->v4);
	pu_htab_deinit(&t->v6);
	free(t);
}

const struct pu_vip_range *pu_vip_table_range(const struct pu_vip_table *t)
{
	return &t->range;
}

static struct entry *find_peer(const struct pu_vip_table *t, const struct pu_peerid *peer)
{
	struct pu_hnode *n = pu_htab_first(&t->peers, pu_htab_hash(&t->peers, peer, sizeof *peer));

	for (; n; n = pu_htab_next(n)) {
		struct entry *e = PU_CONTAINER_OF(n, struct entry, by_peer);

		if (pu_peerid_eq(&e->peer, peer))
			return e;
	}
	return NULL;
}

static struct entry *find_v4(const struct pu_vip_table *t, const uint8_t *addr)
{
	struct pu_hnode *n = pu_htab_first(&t->v4, pu_htab_hash(&t->v4, addr, 4));

	for (; n; n = pu_htab_next(n)) {
		struct entry *e = PU_CONTAINER_OF(n, struct entry, by_v4);

		if (memcmp(e->vip.v4, addr, 4) == 0)
			return e;
	}
	return NULL;
}

static struct entry *find_v6(const struct pu_vip_table *t, const uint8_t *addr)
{
	struct pu_hnode *n = pu_htab_first(&t->v6, pu_htab_hash(&t->v6, addr, 16));

	for (; n; n = pu_htab_next(n)) {
		struct entry *e = PU_CONTAINER_OF(n, struct entry, by_v6);

		if (memcmp(e->vip.v6, addr, 16) == 0)
			return e;
	}
	return NULL;
}

const struct pu_peerid *pu_vip_find(const struct pu_vip_table *t, int family,
				    const uint8_t *addr)
{
	struct entry *e = family == AF_INET ? find_v4(t, addr) : find_v6(t, addr);

	return e ? &e->peer : NULL;
}

static int insert(struct pu_vip_table *t, struct entry *e)
{
	int r = pu_htab_add(&t->peers, &e->by_peer,
			    pu_htab_hash(&t->peers, &e->peer, sizeof e->peer));

	if (r < 0)
		return r;
	r = pu_htab_add(&t->v4, &e->by_v4, pu_htab_hash(&t->v4, e->vip.v4, 4));
	if (r < 0)
		goto undo_peer;
	r = pu_htab_add(&t->v6, &e->by_v6, pu_htab_hash(&t->v6, e->vip.v6, 16));
	if (r < 0)
		goto undo_v4;
	pu_list_append(&t->entries, &e->node);
	t->n++;
	return 0;
undo_v4:
	pu_htab_remove(&t->v4, &e->by_v4);
undo_peer:
	pu_htab_remove(&t->peers, &e->by_peer);
	return r;
}

/* Assigns the first free round from first on. */
static int assign_from(struct pu_vip_table *t, const struct pu_peerid *peer, unsigned first)
{
	struct entry *e;
	int r;

	if (t->n >= PU_VIP_PEERS_MAX)
		return PU_ELIMIT;
	e = calloc(1, sizeof *e);
	if (!e)
		return PU_ENOMEM;
	e->peer = *peer;
	for (e->round = first; e->round < ROUNDS_MAX; e->round++) {
		pu_vip_derive(&t->range, peer, e->round, &e->vip);
		if (!find_v4(t, e->vip.v4))
			break;
	}
	/* Two peers with the same 80 bits of hash: somebody worked hard for it. */
	r = e->round == ROUNDS_MAX || find_v6(t, e->vip.v6) ? PU_ELIMIT : insert(t, e);
	if (r < 0)
		free(e);
	return r;
}

int pu_vip_assign(struct pu_vip_table *t, const struct pu_peerid *peer, struct pu_vip *out,
		  bool *pnew)
{
	struct entry *e = find_peer(t, peer);
	int r;

	*pnew = !e;
	if (!e) {
		r = assign_from(t, peer, 0);
		if (r < 0)
			return r;
		e = find_peer(t, peer);
	}
	*out = e->vip;
	return 0;
}

int pu_vip_table_save(const struct pu_vip_table *t, struct pu_buf *out)
{
	PU_LIST_FOREACH (it, tmp, &t->entries) {
		struct entry *e = PU_CONTAINER_OF(it, struct entry, node);
		char line[LINE_MAX_LEN], id[PU_PEERID_TEXT_MAX];
		int n = snprintf(line, sizeof line, "%s %u\n", pu_peerid_text(&e->peer, id),
				 e->round);
		int r = pu_buf_append(out, line, (size_t)n);

		if (r < 0)
			return r;
	}
	return 0;
}

static int load_line(struct pu_vip_table *t, const char *line)
{
	struct pu_peerid peer;
	char id[PU_PEERID_TEXT_MAX];
	unsigned round;
	int end = 0;

	if (sscanf(line, "%63s %u%n", id, &round, &end) != 2 || line[end] || round >= ROUNDS_MAX)
		return PU_EPROTO;
	if (pu_peerid_from_text(&peer, id) < 0)
		return PU_EPROTO;
	return find_peer(t, &peer) ? 0 : assign_from(t, &peer, round);
}

int pu_vip_table_load(struct pu_vip_table *t, struct pu_bytes text, unsigned *pline)
{
	char line[LINE_MAX_LEN];
	unsigned lineno = 0;

	while (text.len > 0) {
		const uint8_t *nl = memchr(text.p, '\n', text.len);
		size_t len = nl ? (size_t)(nl - text.p) : text.len;
		int r;

		lineno++;
		if (len >= sizeof line) {
			*pline = lineno;
			return PU_EPROTO;
		}
		memcpy(line, text.p, len);
		line[len] = '\0';
		r = len ? load_line(t, line) : 0;
		if (r < 0) {
			*pline = lineno;
			return r;
		}
		len += nl != NULL;
		text.p += len;
		text.len -= len;
	}
	return 0;
}
