/* The service list protocol: a node subscribes to what each peer offers to it and
 * hears of changes as they happen (docs/protocols/offers.md). */
#ifndef PU_OVERLAY_OFFERS_H
#define PU_OVERLAY_OFFERS_H

#include "base/buf.h"
#include "overlay/member.h"
#include "overlay/service.h"
#include "p2p/host/host.h"

#define PU_OFFERS_PROTOCOL "/peerup/offers/1.0.0"

enum {
	PU_OFFERS_MESSAGE_MAX = 32768,
	PU_OFFERS_SERVICES_MAX = PU_SERVICES_MAX,
	PU_OFFERS_ROUTES_MAX = 64,
	PU_OFFERS_RETRY_S = 30, /* until a lost subscription is asked for again */
};

struct pu_offer_service {
	char name[PU_SERVICE_NAME_MAX + 1];
	uint16_t port; /* 0: none known */
};

struct pu_offer_route {
	uint8_t len; /* bytes of the address: 4 or 16 */
	uint8_t bits;
	uint8_t addr[16];
};

struct pu_offer {
	enum pu_access access; /* that the peer grants us */
	size_t n_services, n_routes;
	struct pu_offer_service services[PU_OFFERS_SERVICES_MAX];
	struct pu_offer_route routes[PU_OFFERS_ROUTES_MAX];
};

struct pu_offers_events {
	/* Fills what we offer to a peer (zeroed before). False: nothing, the peer is not
	 * authorised, and its subscription is refused. */
	bool (*fill)(void *arg, const struct pu_peerid *peer, struct pu_offer *out);
	/* A peer told its offer for the first time or anew. offer is borrowed. */
	void (*on_offer)(void *arg, const struct pu_peerid *peer, const struct pu_offer *offer);
};

struct pu_offers;

int pu_offers_new(struct pu_host *h, const struct pu_offers_events *ev, void *arg,
		  struct pu_offers **po);
void pu_offers_free(struct pu_offers *o);
/* What we offer changed: subscribers get a new message by the end of the turn. */
void pu_offers_publish(struct pu_offers *o);

/* The codec, for tests and fuzzing. decode: PU_EPROTO when malformed or beyond the
 * limits; services with unusable names are skipped. */
int pu_offer_encode(const struct pu_offer *offer, struct pu_buf *out);
int pu_offer_decode(struct pu_bytes in, struct pu_offer *out);

#endif
