#include "peer.h"

static void on_peer(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *addrs,
		    size_t n)
{
	char id[PU_PEERID_TEXT_MAX], text[PU_MULTIADDR_TEXT_MAX];
	json_t *list = json_array();

	(void)arg;
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(pu_multiaddr_text(&addrs[i], text)));
	emit("found", json_pack("{s:s,s:o}", "peer", pu_peerid_text(peer, id), "addrs", list));
}

int mdns_start(struct peer *p)
{
	const struct pu_mdns_options opt = { on_peer, p };

	return pu_mdns_new(p->host, p->net, &opt, &p->mdns);
}
