#include "overlay/offers.h"

#include <stdlib.h>

#include "base/err.h"
#include "overlay/offers.pb-c.h"
#include "p2p/proto/message.h"

enum { WIRE_SERVICES = 1, WIRE_NETWORK = 2 };

int pu_offer_encode(const struct pu_offer *offer, struct pu_buf *out)
{
	PuPb__Offers__Service service[PU_OFFERS_SERVICES_MAX];
	PuPb__Offers__Service *services[PU_OFFERS_SERVICES_MAX];
	PuPb__Offers__Route route[PU_OFFERS_ROUTES_MAX];
	PuPb__Offers__Route *routes[PU_OFFERS_ROUTES_MAX];
	PuPb__Offers m = PU_PB__OFFERS__INIT;

	for (size_t i = 0; i < offer->n_services; i++) {
		pu_pb__offers__service__init(&service[i]);
		service[i].name = (char *)offer->services[i].name;
		service[i].has_port = 1;
		service[i].port = offer->services[i].port;
		services[i] = &service[i];
	}
	for (size_t i = 0; i < offer->n_routes; i++) {
		pu_pb__offers__route__init(&route[i]);
		route[i].has_address = route[i].has_bits = 1;
		route[i].address.data = (uint8_t *)offer->routes[i].addr;
		route[i].address.len = offer->routes[i].len;
		route[i].bits = offer->routes[i].bits;
		routes[i] = &route[i];
	}
	m.n_services = offer->n_services;
	m.services = services;
	m.n_routes = offer->n_routes;
	m.routes = routes;
	m.has_access = 1;
	m.access = offer->access == PU_ACCESS_NETWORK ? WIRE_NETWORK : WIRE_SERVICES;
	return pu_message_pack(&m.base, PU_OFFERS_MESSAGE_MAX, out);
}

static void take_service(const PuPb__Offers__Service *s, struct pu_offer *out)
{
	struct pu_offer_service *to = &out->services[out->n_services];

	if (!s->name || pu_service_name_check(s->name) < 0 || s->port > UINT16_MAX)
		return;
	memcpy(to->name, s->name, strlen(s->name) + 1);
	to->port = (uint16_t)s->port;
	out->n_services++;
}

static int take_route(const PuPb__Offers__Route *m, struct pu_offer *out)
{
	struct pu_offer_route *to = &out->routes[out->n_routes];

	if (m->address.len != 4 && m->address.len != 16)
		return PU_EPROTO;
	if (m->bits > m->address.len * 8)
		return PU_EPROTO;
	memcpy(to->addr, m->address.data, m->address.len);
	to->len = (uint8_t)m->address.len;
	to->bits = (uint8_t)m->bits;
	out->n_routes++;
	return 0;
}

static int take_message(const PuPb__Offers *m, struct pu_offer *out)
{
	int r = 0;

	if (m->n_services > PU_OFFERS_SERVICES_MAX || m->n_routes > PU_OFFERS_ROUTES_MAX)
		return PU_EPROTO;
	/* A class that we do not know grants no more than services. */
	out->access = m->access == WIRE_NETWORK ? PU_ACCESS_NETWORK : PU_ACCESS_SERVICES;
	for (size_t i = 0; i < m->n_services; i++)
		take_service(m->services[i], out);
	for (size_t i = 0; i < m->n_routes && r == 0; i++)
		r = take_route(m->routes[i], out);
	return r;
}

int pu_offer_decode(struct pu_bytes in, struct pu_offer *out)
{
	PuPb__Offers *m;
	int r;

	if (in.len > PU_OFFERS_MESSAGE_MAX)
		return PU_EPROTO;
	m = pu_pb__offers__unpack(NULL, in.len, in.p);
	if (!m)
		return PU_EPROTO;
	memset(out, 0, sizeof *out);
	r = take_message(m, out);
	pu_pb__offers__free_unpacked(m, NULL);
	return r;
}
