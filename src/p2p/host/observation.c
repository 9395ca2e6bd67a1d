/* How the peer of each connection sees us: true as long as the connection stays where it
 * is. */
#include "base/err.h"
#include "p2p/host/state.h"
#include "p2p/proto/identify.h"

enum { ASK_AGAIN_MAX = 8 };

static void forget(struct host_conn *hc, bool wrong)
{
	if (hc->observed.len > 0)
		pu_listener_release(&hc->h->listener, &hc->observed, wrong);
	hc->observed.len = 0;
}

void pu_observation_set(struct host_conn *hc, const struct pu_multiaddr *ma)
{
	if (hc->observed.len > 0 && !pu_multiaddr_eq(&hc->observed, ma))
		forget(hc, true);
	if (hc->observed.len == 0 &&
	    pu_listener_observe(&hc->h->listener, ma, &hc->c->local, &hc->c->remote)) {
		hc->observed = *ma;
		hc->observed_at = hc->c->local;
	}
}

void pu_observation_moved(struct host_conn *hc)
{
	if (hc->observed.len > 0 && !pu_multiaddr_eq(&hc->observed_at, &hc->c->local)) {
		forget(hc, true);
		hc->observed_stale = true;
	}
	/* The peer knows where we are once the path is proved. */
	if (hc->observed_stale && !hc->c->moving) {
		hc->observed_stale = false;
		pu_identify_conn_ask(hc);
	}
}

void pu_observation_end(struct host_conn *hc)
{
	forget(hc, false);
}

void pu_host_ask_observed(struct pu_host *h)
{
	unsigned n = 0;

	PU_LIST_FOREACH(it, tmp, &h->conns) {
		struct host_conn *hc = PU_CONTAINER_OF(it, struct host_conn, node);

		if (hc->observed.len > 0 && !hc->c->closing && n++ < ASK_AGAIN_MAX)
			pu_identify_conn_ask(hc);
	}
}
