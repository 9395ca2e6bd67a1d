#include "p2p/host/paths.h"

#include "base/err.h"
#include "p2p/host/state.h"

static struct pu_host_path describe(struct pu_conn *c, const struct pu_conn *best)
{
	const struct pu_health *he = &host_conn_of(c)->health;
	bool suspect = he->state == PU_HEALTH_SUSPECT;

	return (struct pu_host_path){
		.c = c,
		.worth = pu_connmgr_class(c),
		.state = suspect     ? PU_HOST_PATH_SUSPECT
			 : c == best ? PU_HOST_PATH_ACTIVE
				     : PU_HOST_PATH_STANDBY,
		.since = he->n_suspected ? he->since : c->opened_at,
		.silent = suspect ? he->silent : 0,
		.n_suspected = he->n_suspected,
	};
}

size_t pu_host_paths(const struct pu_host *h, const struct pu_peerid *peer,
		     struct pu_host_path *out, size_t cap)
{
	const struct pu_peer *p = pu_peerstore_find(&h->peers, peer);
	struct pu_conn *best = p ? pu_connmgr_best(p) : NULL;
	size_t n = 0;

	if (!best || cap == 0)
		return 0;
	out[n++] = describe(best, best);
	PU_LIST_FOREACH(it, tmp, &p->conns) {
		struct pu_conn *c = PU_CONTAINER_OF(it, struct pu_conn, node);

		if (c != best && !c->closing && n < cap)
			out[n++] = describe(c, best);
	}
	return n;
}

void pu_host_doubt(struct pu_host *h, const struct pu_peerid *peer)
{
	const struct pu_peer *p = pu_peerstore_find(&h->peers, peer);
	struct pu_conn *best = p ? pu_connmgr_best(p) : NULL;

	if (best)
		pu_health_doubt(host_conn_of(best));
}

void pu_host_set_own_relay(struct pu_host *h, const struct pu_peerid *relay, bool on)
{
	struct pu_peer *p = on ? pu_peerstore_get(&h->peers, relay)
			       : pu_peerstore_find(&h->peers, relay);

	if (p)
		p->own_relay = on;
}

enum pu_worth pu_addr_worth(const struct pu_multiaddr *ma)
{
	switch (pu_multiaddr_kind(ma)) {
	case PU_MA_KIND_CIRCUIT:
		return PU_WORTH_RELAYED;
	case PU_MA_KIND_TCP:
	case PU_MA_KIND_WS:
	case PU_MA_KIND_WSS:
		return PU_WORTH_DIRECT_STREAM;
	case PU_MA_KIND_QUIC:
	case PU_MA_KIND_OTHER: /* a /dnsaddr may lead to anything */
		break;
	}
	return PU_WORTH_DIRECT;
}

static void fill_candidate(struct pu_host *h, const struct pu_peer *p,
			   const struct pu_peer_addr *a, struct pu_host_candidate *out)
{
	*out = (struct pu_host_candidate){
		.ma = a->ma,
		.sources = a->sources,
		.worth = pu_addr_worth(&a->ma),
		.retry_at = a->retry_at,
		.dialing = pu_dialer_is_dialing(p, &a->ma),
		.usable = pu_dialer_can(h, &a->ma),
	};
	for (size_t i = a->history ? a->history->n : 0; i > 0; i--)
		out->attempt[out->n_attempts++] = a->history->v[i - 1];
}

size_t pu_host_candidates(struct pu_host *h, const struct pu_peerid *peer,
			  struct pu_host_candidate *out, size_t cap)
{
	const struct pu_peer *p = pu_peerstore_find(&h->peers, peer);
	size_t n = 0;

	if (!p)
		return 0;
	PU_LIST_FOREACH(it, tmp, &p->addrs)
		if (n < cap)
			fill_candidate(h, p, PU_CONTAINER_OF(it, struct pu_peer_addr, node),
				       &out[n++]);
	return n;
}

int pu_host_learn_addr(struct pu_host *h, const struct pu_peerid *peer,
		       const struct pu_multiaddr *ma, enum pu_addr_source source)
{
	struct pu_peer *p = pu_peerstore_get(&h->peers, peer);

	return p ? pu_peerstore_learn_addr(&h->peers, p, ma, source) : PU_ENOMEM;
}

const char *pu_addr_source_text(enum pu_addr_source s)
{
	switch (s) {
	case PU_ADDR_CONFIG:
		return "config";
	case PU_ADDR_IDENTIFY:
		return "identify";
	case PU_ADDR_RECORD:
		return "signed record";
	case PU_ADDR_MDNS:
		return "mdns";
	case PU_ADDR_DHT:
		return "dht";
	case PU_ADDR_RELAY:
		return "relay list";
	case PU_ADDR_OBSERVED:
		return "observed";
	case PU_ADDR_TOLD:
	case PU_ADDR_N_SOURCES:
		break;
	}
	return "told";
}

const char *pu_dial_stage_text(enum pu_dial_stage s)
{
	switch (s) {
	case PU_DIAL_RESOLVE:
		return "resolve";
	case PU_DIAL_CONNECT:
		return "connect";
	case PU_DIAL_HANDSHAKE:
		return "handshake";
	case PU_DIAL_OVERTAKEN:
		return "overtaken";
	case PU_DIAL_DONE:
		break;
	}
	return "connected";
}

struct pu_host_black_holes pu_host_black_holes(const struct pu_host *h)
{
	return (struct pu_host_black_holes){ pu_black_hole_is_blocked(&h->no_udp),
					     pu_black_hole_is_blocked(&h->no_ip6) };
}
