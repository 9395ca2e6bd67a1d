/* What lies behind peers: routes of the kernel, and what peers let us into. */
#include <sys/socket.h>

#include "daemon/config_value.h"
#include "daemon/control_internal.h"
#include "daemon/vpn_routes.h"

struct show {
	const struct pu_control *c;
	const struct pu_vpn_routes *routes;
	pu_api_vpn_route_fn *fn;
	void *arg;
};

static const struct pu_roster_peer *behind(const struct pu_node *n, const struct pu_prefix *gateway)
{
	const struct pu_peerid *id = pu_vip_find(n->vips, gateway->family, gateway->addr);

	return id ? pu_roster_find(n->roster, id) : NULL;
}

static struct pu_prefix offered_prefix(const struct pu_offer_route *r)
{
	struct pu_prefix p = { .family = r->len == 4 ? AF_INET : AF_INET6, .bits = r->bits };

	memcpy(p.addr, r->addr, r->len);
	return p;
}

/* Everything of b is in a. */
static bool covers(const struct pu_prefix *a, const struct pu_prefix *b)
{
	unsigned bytes = a->bits / 8, rest = a->bits % 8;

	if (a->family != b->family || a->bits > b->bits || memcmp(a->addr, b->addr, bytes) != 0)
		return false;
	return rest == 0 || ((a->addr[bytes] ^ b->addr[bytes]) >> (8 - rest)) == 0;
}

static bool is_offered(const struct pu_roster_peer *p, const struct pu_prefix *dst)
{
	for (size_t i = 0; i < p->n_routes; i++) {
		struct pu_prefix o = offered_prefix(&p->routes[i]);

		if (covers(&o, dst))
			return true;
	}
	return false;
}

static bool is_in_use(const struct show *s, const struct pu_roster_peer *p,
		      const struct pu_prefix *dst)
{
	for (size_t i = 0; s->routes && i < s->routes->n; i++)
		if (behind(s->c->opt.node, &s->routes->v[i].gateway) == p &&
		    covers(&s->routes->v[i].dst, dst))
			return true;
	return false;
}

static void tell(const struct show *s, const struct pu_roster_peer *p, const struct pu_prefix *dst,
		 bool in_use, bool offered)
{
	char text[PU_PREFIX_TEXT_MAX];

	s->fn(s->arg, &(struct pu_api_vpn_route){
			      .prefix = pu_config_prefix_text(dst, text),
			      .peer = p->id,
			      .name = p->name[0] ? p->name : NULL,
			      .in_use = in_use,
			      .offered = offered,
		      });
}

void pu_control_each_vpn_route(void *arg, pu_api_vpn_route_fn *fn, void *fn_arg)
{
	const struct pu_control *c = arg;
	struct pu_node *n = c->opt.node;
	struct show s = { c, c->opt.vpn ? pu_vpn_kernel_routes(c->opt.vpn) : NULL, fn, fn_arg };

	for (size_t i = 0; s.routes && i < s.routes->n; i++) {
		const struct pu_roster_peer *p = behind(n, &s.routes->v[i].gateway);

		if (p)
			tell(&s, p, &s.routes->v[i].dst, true, is_offered(p, &s.routes->v[i].dst));
	}
	for (uint32_t h = 1; h <= pu_roster_count(n->roster); h++) {
		const struct pu_roster_peer *p = pu_roster_at(n->roster, h);

		for (size_t i = 0; i < p->n_routes; i++) {
			struct pu_prefix o = offered_prefix(&p->routes[i]);

			if (!is_in_use(&s, p, &o))
				tell(&s, p, &o, false, true);
		}
	}
}
