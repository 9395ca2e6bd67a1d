#include "daemon/node_wake.h"

#include "base/log.h"
#include "daemon/magic_packet.h"

/* Whoever may send any packet into our network may have one sent. */
static bool may_ask(void *arg, const struct pu_peerid *peer)
{
	struct pu_node *n = arg;
	const struct pu_roster_peer *p = pu_roster_find(n->roster, peer);

	return pu_roster_allowed(p, pu_loop_unix(n->loop)) && p->access == PU_ACCESS_NETWORK;
}

static int send_packet(void *arg, const struct pu_mac *mac)
{
	char text[PU_MAC_TEXT_MAX];
	unsigned n_sent;
	int r = pu_magic_packet_send(mac, NULL, &n_sent);

	pu_log(PU_LOG_INFO, "wake", "a peer had a machine woken",
	       PU_KV_STR("mac", pu_mac_text(mac, text)), PU_KV_U64("packets", n_sent));
	return r;
}

static const struct pu_wake_events events = { .may_ask = may_ask, .send = send_packet };

int pu_node_wake_new(struct pu_node *n)
{
	return pu_wake_new(n->host, &events, n, &n->wake);
}
