#include "daemon/node_offer.h"

#include "base/err.h"
#include "daemon/ports.h"

static bool fill_offer(void *arg, const struct pu_peerid *peer, struct pu_offer *out)
{
	struct pu_service_info info[PU_SERVICES_MAX];
	struct pu_node *n = arg;
	struct pu_roster_peer *p = pu_node_allowed(n, peer);
	size_t n_info;

	if (!p && n->cfg->gating)
		return false;
	out->access = p ? p->access : PU_ACCESS_SERVICES;
	n_info = pu_services_list(n->services, peer, info, PU_ARRAY_LEN(info));
	for (size_t i = 0; i < n_info; i++) {
		struct pu_offer_service *s = &out->services[out->n_services++];

		memcpy(s->name, info[i].name, strlen(info[i].name) + 1);
		s->port = info[i].port;
	}
	if (!p || p->access != PU_ACCESS_NETWORK)
		return true;
	for (size_t i = 0; i < n->cfg->vpn.routes.n && i < PU_OFFERS_ROUTES_MAX; i++) {
		const struct pu_prefix *from = &n->cfg->vpn.routes.v[i];
		struct pu_offer_route *to = &out->routes[out->n_routes++];

		to->len = from->family == AF_INET ? 4 : 16;
		to->bits = from->bits;
		memcpy(to->addr, from->addr, to->len);
	}
	return true;
}

static void on_offer(void *arg, const struct pu_peerid *peer, const struct pu_offer *offer)
{
	struct pu_node *n = arg;
	struct pu_roster_peer *p = pu_roster_find(n->roster, peer);

	if (!p)
		return; /* a peer that we neither named nor authorised */
	if (pu_roster_set_offer(p, offer) == 0 && n->ev)
		n->ev->on_peer(n->arg, p);
}

static const struct pu_offers_events offers_events = {
	.fill = fill_offer,
	.on_offer = on_offer,
};

int pu_node_offer_new(struct pu_node *n)
{
	return pu_offers_new(n->host, &offers_events, n, &n->offers);
}

bool pu_node_offer_settled(const struct pu_node *n, const struct pu_roster_peer *peer)
{
	return peer->offer_known ||
	       (pu_host_peer_identified(n->host, &peer->id) &&
		!pu_host_peer_supports(n->host, &peer->id, PU_OFFERS_PROTOCOL));
}

static uint16_t foreign_port(const struct pu_node *n, const struct pu_roster_peer *peer,
			     const char *service)
{
	for (size_t i = 0; i < n->cfg->n_peers; i++) {
		const struct pu_config_peer *c = &n->cfg->peers[i];

		for (size_t j = 0; pu_peerid_eq(&c->peer, &peer->id) && j < c->n_ports; j++)
			if (strcmp(c->ports[j].key.name, service) == 0)
				return c->ports[j].port;
	}
	return pu_ports_of_service(service);
}

struct port_search {
	const struct pu_node *node;
	const struct pu_roster_peer *peer;
	uint16_t port;
	char *name;
	bool found;
};

static void try_protocol(void *arg, const char *protocol)
{
	struct port_search *s = arg;
	char name[PU_SERVICE_NAME_MAX + 1];

	if (s->found || !pu_service_of_protocol(protocol, name) ||
	    foreign_port(s->node, s->peer, name) != s->port)
		return;
	memcpy(s->name, name, strlen(name) + 1);
	s->found = true;
}

bool pu_node_service_at(const struct pu_node *n, const struct pu_roster_peer *peer,
			uint16_t port, char *name)
{
	struct port_search s = { .node = n, .peer = peer, .port = port, .name = name };

	if (!peer->offer_known) {
		pu_host_each_protocol(n->host, &peer->id, try_protocol, &s);
		return s.found;
	}
	for (size_t i = 0; i < peer->n_services; i++) {
		if (peer->services[i].port == port && port != 0) {
			memcpy(name, peer->services[i].name, strlen(peer->services[i].name) + 1);
			return true;
		}
	}
	return false;
}
