/* Which connection of a peer is the best one, and which may go. */
#include "base/log.h"
#include "p2p/host/state.h"

enum {
	/* Among equals a shorter round trip counts when it is this much shorter for that
	 * long: changing over costs reordered packets and a new guess of the path. */
	FASTER_PERCENT = 70,
	FASTER_MIN_MS = 5,
	FASTER_FOR_S = 30,
};

/* What a connection is worth, by the heaviest difference first. Direct before relayed;
 * datagrams, for packets in a stream wait for each other; the same network before the
 * wide world; IPv6, which has no NAT to forget us; a relay of our own before a stranger's. */
enum {
	WORTH_OWN_RELAY = 1 << 0,
	WORTH_IP6 = 1 << 1,
	WORTH_LAN = 1 << 2,
	WORTH_DATAGRAMS = 1 << 3,
	WORTH_DIRECT = 1 << 4,
	WORTH_WELL = 1 << 5,
};

static bool via_own_relay(const struct pu_conn *c)
{
	const struct host_conn *hc = host_conn_of(c);
	struct pu_peerid relay;
	const struct pu_peer *p;

	if (!pu_host_relay_of(&c->remote, &relay))
		return false;
	p = pu_peerstore_find(&hc->h->peers, &relay);
	return p && p->own_relay;
}

static unsigned path_worth(const struct pu_conn *c)
{
	unsigned w = c->datagrams ? WORTH_DATAGRAMS : 0;

	if (c->limited)
		return w | (via_own_relay(c) ? WORTH_OWN_RELAY : 0);
	w |= WORTH_DIRECT;
	/* Of both ends, so that both ends agree. */
	if (!pu_multiaddr_is_public(&c->remote) && !pu_multiaddr_is_public(&c->local))
		w |= WORTH_LAN;
	if (pu_multiaddr_has(&c->remote, PU_MA_IP6))
		w |= WORTH_IP6;
	return w;
}

static unsigned worth(const struct pu_conn *c)
{
	const struct host_conn *hc = host_conn_of(c);

	return path_worth(c) | (hc->health.state == PU_HEALTH_SUSPECT ? 0 : WORTH_WELL);
}

/* The list is in order of age, and among equals the newest wins: a peer that dials again
 * has lost the one before, though we may not have noticed yet. */
static bool better(const struct pu_peer *p, const struct pu_conn *a, const struct pu_conn *b)
{
	if (!b || worth(a) != worth(b))
		return !b || worth(a) > worth(b);
	return b != p->faster;
}

static struct pu_conn *best_of(const struct pu_peer *p, bool direct, const struct pu_conn *but)
{
	struct pu_conn *best = NULL;

	PU_LIST_FOREACH(it, tmp, &p->conns) {
		struct pu_conn *c = PU_CONTAINER_OF(it, struct pu_conn, node);

		if (!c->closing && c != but && !(direct && c->limited) && better(p, c, best))
			best = c;
	}
	return best;
}

struct pu_conn *pu_connmgr_best(const struct pu_peer *p)
{
	return best_of(p, false, NULL);
}

struct pu_conn *pu_connmgr_best_direct(const struct pu_peer *p)
{
	return best_of(p, true, NULL);
}

/* The best of those that fail for other reasons than the best one does. */
struct pu_conn *pu_connmgr_spare(const struct pu_peer *p)
{
	struct pu_conn *best = pu_connmgr_best(p), *spare = NULL;

	PU_LIST_FOREACH(it, tmp, &p->conns) {
		struct pu_conn *c = PU_CONTAINER_OF(it, struct pu_conn, node);

		if (!best || c->closing || c == best ||
		    (c->limited == best->limited && c->datagrams == best->datagrams))
			continue;
		if (better(p, c, spare))
			spare = c;
	}
	return spare;
}

void pu_connmgr_rechoose(struct pu_host *h, struct pu_peer *p)
{
	struct pu_conn *best = pu_connmgr_best(p);
	struct pu_peerid id = p->id;

	if (best == p->told_best)
		return;
	p->told_best = best;
	p->faster_since = 0;
	HOST_NOTIFY(h, on_best, &id, best);
}

/* The equal of the best connection with the shortest round trip, if clearly shorter. */
static struct pu_conn *clearly_faster(const struct pu_peer *p, const struct pu_conn *best)
{
	pu_time rtt = pu_conn_rtt(best), limit = rtt / 100 * FASTER_PERCENT;
	struct pu_conn *faster = NULL;

	PU_LIST_FOREACH(it, tmp, &p->conns) {
		struct pu_conn *c = PU_CONTAINER_OF(it, struct pu_conn, node);
		pu_time r = pu_conn_rtt(c);

		if (c->closing || c == best || worth(c) != worth(best) || r == 0 || r > limit ||
		    rtt - r < PU_MS(FASTER_MIN_MS))
			continue;
		limit = r;
		faster = c;
	}
	return faster;
}

void pu_connmgr_compare_rtt(struct pu_host *h, struct pu_peer *p)
{
	struct pu_conn *best = p->n_conns > 1 ? pu_connmgr_best(p) : NULL;
	struct pu_conn *faster = best ? clearly_faster(p, best) : NULL;
	pu_time now = pu_loop_now(h->loop);

	if (!faster) {
		p->faster_since = 0;
		return;
	}
	if (p->faster_since == 0)
		p->faster_since = now;
	if (now - p->faster_since < PU_SEC(FASTER_FOR_S))
		return;
	p->faster = faster;
	pu_connmgr_rechoose(h, p);
}

bool pu_host_relay_of(const struct pu_multiaddr *ma, struct pu_peerid *relay)
{
	struct pu_ma_part part, last = { 0 };
	size_t off = 0;

	while (pu_multiaddr_next(ma, &off, &part)) {
		if (part.code == PU_MA_P2P_CIRCUIT)
			return last.code == PU_MA_P2P &&
			       pu_peerid_from_bytes(relay, last.value) == 0;
		last = part;
	}
	return false;
}

enum pu_worth pu_connmgr_class(const struct pu_conn *c)
{
	if (c->limited)
		return PU_WORTH_RELAYED;
	return c->datagrams ? PU_WORTH_DIRECT : PU_WORTH_DIRECT_STREAM;
}

const char *pu_host_why_preferred(const struct pu_conn *active, const struct pu_conn *other)
{
	static const struct {
		unsigned bit;
		const char *text;
	} reasons[] = {
		{ WORTH_WELL, "the other path is silent" },
		{ WORTH_DIRECT, "direct rather than through a relay" },
		{ WORTH_DATAGRAMS, "QUIC, in which packets do not wait for each other" },
		{ WORTH_LAN, "on the same network" },
		{ WORTH_IP6, "IPv6, which needs no NAT" },
		{ WORTH_OWN_RELAY, "through a peer of our own" },
	};
	unsigned more = other ? worth(active) & ~worth(other) : 0;

	for (size_t i = 0; i < PU_ARRAY_LEN(reasons); i++)
		if (more & reasons[i].bit)
			return reasons[i].text;
	if (!other)
		return "";
	return host_conn_of(active)->peer->faster == active ? "clearly faster" : "newer";
}
