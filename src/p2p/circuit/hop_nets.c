#include <stdlib.h>

#include "base/err.h"
#include "base/loop.h"
#include "p2p/circuit/hop_internal.h"

enum {
	PREFIX_MAX = 8,
	IP4_BYTES = 4,
	IP6_NET_BYTES = 8, /* what one customer gets */
	IP6_ASN_BYTES = 4, /* what one provider gets */
};

struct hop_net {
	struct pu_hnode hnode;
	uint8_t key[2 + PREFIX_MAX]; /* family, length, prefix */
	unsigned n;
};

void pu_hop_nets_init(struct hop_nets *n, struct pu_loop *loop)
{
	uint8_t key[16];

	pu_loop_random(loop, key, sizeof key);
	pu_htab_init(&n->by_prefix, key);
}

void pu_hop_nets_deinit(struct hop_nets *n)
{
	pu_htab_deinit(&n->by_prefix);
}

static struct hop_net *find(const struct hop_nets *n, const uint8_t *key, uint64_t hash)
{
	struct pu_hnode *it = pu_htab_first(&n->by_prefix, hash);

	for (; it; it = pu_htab_next(it)) {
		struct hop_net *net = PU_CONTAINER_OF(it, struct hop_net, hnode);

		if (memcmp(net->key, key, sizeof net->key) == 0)
			return net;
	}
	return NULL;
}

/* had: where the peer counts so far; staying there is always allowed. */
static int enter(struct hop_nets *n, uint8_t family, const void *addr, uint8_t len, unsigned max,
		 const struct hop_net *had, struct hop_net **pnet)
{
	uint8_t key[2 + PREFIX_MAX] = { family, len };
	struct hop_net *net;
	uint64_t hash;

	memcpy(key + 2, addr, len);
	hash = pu_htab_hash(&n->by_prefix, key, sizeof key);
	net = find(n, key, hash);
	if ((net ? net->n : 0) >= max && !(net && net == had))
		return PU_ELIMIT;
	if (!net) {
		net = calloc(1, sizeof *net);
		if (!net)
			return PU_ENOMEM;
		memcpy(net->key, key, sizeof key);
		if (pu_htab_add(&n->by_prefix, &net->hnode, hash) < 0) {
			free(net);
			return PU_ENOMEM;
		}
	}
	net->n++;
	*pnet = net;
	return 0;
}

static void leave(struct hop_nets *n, struct hop_net *net)
{
	if (!net || --net->n > 0)
		return;
	pu_htab_remove(&n->by_prefix, &net->hnode);
	free(net);
}

int pu_hop_nets_enter(struct hop_nets *n, const struct pu_hop_limits *limits,
		      const struct pu_multiaddr *addr, struct hop_place *place)
{
	unsigned per_ip = limits->max_reservations_per_ip;
	struct hop_place at = { NULL, NULL };
	union pu_sockaddr sa;
	int r;

	if (pu_multiaddr_to_sockaddr(addr, &sa) < 0)
		return PU_EINVAL;
	/* Who comes through a web server on this machine shows no address of his own. */
	if (pu_multiaddr_kind(addr) == PU_MA_KIND_WS && pu_multiaddr_is_loopback(addr)) {
		pu_hop_nets_leave(n, place);
		return 0;
	}
	if (sa.sa.sa_family == AF_INET) {
		r = enter(n, 4, &sa.v4.sin_addr, IP4_BYTES, per_ip, place->ip, &at.ip);
	} else {
		r = enter(n, 6, &sa.v6.sin6_addr, IP6_NET_BYTES, per_ip, place->ip, &at.ip);
		if (r == 0)
			r = enter(n, 6, &sa.v6.sin6_addr, IP6_ASN_BYTES,
				  limits->max_reservations_per_asn, place->asn, &at.asn);
	}
	if (r < 0) {
		leave(n, at.ip);
		return r;
	}
	pu_hop_nets_leave(n, place);
	*place = at;
	return 0;
}

void pu_hop_nets_leave(struct hop_nets *n, struct hop_place *place)
{
	leave(n, place->ip);
	leave(n, place->asn);
	*place = (struct hop_place){ NULL, NULL };
}
