#include "tun/track.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/htab.h"

enum {
	SETS = 2048,
	WAYS = 4,
};

struct entry {
	uint64_t fingerprint; /* keyed hash of both ends: 64 bits stand for them */
	pu_time expires;
};

struct pu_track {
	struct pu_htab hasher; /* only its key is used */
	struct entry entry[SETS][WAYS];
};

struct conversation {
	uint32_t handle;
	uint16_t local_port, remote_port;
	uint8_t proto, version, unused[2];
	uint8_t local[16], remote[16];
};

int pu_track_new(const uint8_t key[16], struct pu_track **pt)
{
	struct pu_track *t = calloc(1, sizeof *t);

	if (!t)
		return PU_ENOMEM;
	pu_htab_init(&t->hasher, key);
	*pt = t;
	return 0;
}

void pu_track_free(struct pu_track *t)
{
	free(t);
}

static pu_time lifetime(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return PU_SEC(PU_TRACK_TCP_S);
	case IPPROTO_UDP:
		return PU_SEC(PU_TRACK_UDP_S);
	}
	return PU_SEC(PU_TRACK_OTHER_S);
}

static bool is_icmp(uint8_t proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

/* ICMP echo carries one identifier for both directions. */
static uint64_t fingerprint(const struct pu_track *t, uint32_t handle,
			    const struct pu_packet *info, bool out)
{
	const struct pu_ip *local = out ? &info->src : &info->dst;
	const struct pu_ip *remote = out ? &info->dst : &info->src;
	struct conversation c = { .handle = handle, .proto = info->proto,
				  .version = local->version };

	memcpy(c.local, local->b, sizeof c.local);
	memcpy(c.remote, remote->b, sizeof c.remote);
	if (is_icmp(info->proto)) {
		c.local_port = c.remote_port = info->sport;
	} else {
		c.local_port = out ? info->sport : info->dport;
		c.remote_port = out ? info->dport : info->sport;
	}
	return pu_htab_hash(&t->hasher, &c, sizeof c) | 1; /* 0 marks a free entry */
}

static struct entry *find(struct pu_track *t, uint64_t fp)
{
	struct entry *set = t->entry[(fp >> 32) % SETS];

	for (int i = 0; i < WAYS; i++)
		if (set[i].fingerprint == fp)
			return &set[i];
	return NULL;
}

static struct entry *oldest(struct pu_track *t, uint64_t fp)
{
	struct entry *set = t->entry[(fp >> 32) % SETS], *e = set;

	for (int i = 1; i < WAYS; i++)
		if (set[i].expires < e->expires)
			e = &set[i];
	return e;
}

void pu_track_out(struct pu_track *t, uint32_t handle, const struct pu_packet *info, pu_time now)
{
	uint64_t fp = fingerprint(t, handle, info, true);
	struct entry *e = find(t, fp);

	if (!e)
		e = oldest(t, fp);
	e->fingerprint = fp;
	e->expires = now + lifetime(info->proto);
}

bool pu_track_answers(struct pu_track *t, uint32_t handle, const struct pu_packet *info,
		      pu_time now)
{
	struct entry *e = find(t, fingerprint(t, handle, info, false));

	if (!e || e->expires <= now)
		return false;
	e->expires = now + lifetime(info->proto);
	return true;
}
