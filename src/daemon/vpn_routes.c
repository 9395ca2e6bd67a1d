#include "daemon/vpn_routes.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool same_prefix(const struct pu_prefix *a, const struct pu_prefix *b)
{
	return a->family == b->family && a->bits == b->bits &&
	       memcmp(a->addr, b->addr, a->family == AF_INET ? 4 : 16) == 0;
}

static struct pu_vpn_route *find(struct pu_vpn_routes *r, const struct pu_prefix *dst)
{
	for (size_t i = 0; i < r->n; i++)
		if (same_prefix(&r->v[i].dst, dst))
			return &r->v[i];
	return NULL;
}

static struct pu_vpn_route *append(struct pu_vpn_routes *r)
{
	size_t cap = r->cap ? 2 * r->cap : 16;
	struct pu_vpn_route *v;

	if (r->n < r->cap)
		return &r->v[r->n++];
	v = r->n < PU_VPN_ROUTES_MAX ? reallocarray(r->v, cap, sizeof *v) : NULL;
	if (!v)
		return NULL;
	r->v = v;
	r->cap = cap;
	return &r->v[r->n++];
}

void pu_vpn_routes_event(struct pu_vpn_routes *r, const struct pu_route_event *ev)
{
	struct pu_vpn_route *v = find(r, &ev->dst);

	if (ev->added && ev->gateway.family != 0) {
		if (!v)
			v = append(r);
		if (v)
			*v = (struct pu_vpn_route){ ev->dst, ev->gateway };
	} else if (v) {
		*v = r->v[--r->n];
	}
}

void pu_vpn_routes_deinit(struct pu_vpn_routes *r)
{
	free(r->v);
	*r = (struct pu_vpn_routes){ .n = 0 };
}
