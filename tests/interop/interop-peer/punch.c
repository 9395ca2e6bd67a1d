#include "peer.h"

static void on_result(void *arg, const struct pu_dcutr_result *r)
{
	char id[PU_PEERID_TEXT_MAX], addr[PU_MULTIADDR_TEXT_MAX];

	(void)arg;
	emit("holepunch", json_pack("{s:s,s:b,s:s,s:b,s:I,s:f,s:s}", "peer",
				    pu_peerid_text(&r->peer, id), "direct",
				    r->outcome == PU_DCUTR_DIRECT, "text",
				    pu_dcutr_outcome_text(r->outcome), "leader", r->leader,
				    "tries", (json_int_t)r->tries, "ms", (double)r->took / 1e6,
				    "addr", pu_multiaddr_text(&r->addr, addr)));
}

int punch_start(struct peer *p)
{
	struct pu_dcutr_options opt = { .on_result = on_result, .arg = p };

	return pu_dcutr_new(p->host, &opt, &p->dcutr);
}
