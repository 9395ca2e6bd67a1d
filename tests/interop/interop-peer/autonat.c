#include "peer.h"

static void on_verdict(void *arg, const struct pu_autonat_verdict *v)
{
	static const char *const words[] = { "unknown", "no", "yes" };
	char addr[PU_MULTIADDR_TEXT_MAX];

	(void)arg;
	emit("autonat", json_pack("{s:s,s:s,s:I,s:I}", "addr", pu_multiaddr_text(&v->addr, addr),
				  "reachable", words[v->reachable], "yes", (json_int_t)v->yes, "no",
				  (json_int_t)v->no));
}

int autonat_start(struct peer *p)
{
	struct pu_autonat_options opt = {
		.serve = true, .private_addrs = true, .on_verdict = on_verdict, .arg = p
	};

	return pu_autonat_new(p->host, &opt, &p->autonat);
}
