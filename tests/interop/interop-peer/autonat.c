#include "peer.h"

static void on_verdict(void *arg, const struct pu_autonat_verdict *v)
{
	static const char *const reachable[] = { "unknown", "no", "yes" };
	char addr[PU_MULTIADDR_TEXT_MAX];

	(void)arg;
	emit("autonat", json_pack("{s:s,s:s}", "addr", pu_multiaddr_text(&v->addr, addr),
				  "reachable", reachable[v->reachable]));
}

int autonat_start(struct peer *p)
{
	struct pu_autonat_options opt = { .serve = true, .on_verdict = on_verdict, .arg = p };

	return pu_autonat_new(p->host, &opt, &p->autonat);
}
