#include "p2p/autonat/autonat.h"

#include <stdlib.h>

#include "base/err.h"
#include "p2p/autonat/client.h"
#include "p2p/autonat/server.h"

struct pu_autonat {
	struct pu_autonat_client *client;
	struct pu_autonat_server *server;
	struct pu_autonat_stats stats;
};

int pu_autonat_new(struct pu_host *h, const struct pu_autonat_options *opt,
		   struct pu_autonat **pa)
{
	struct pu_autonat *a = calloc(1, sizeof *a);
	int r;

	if (!a)
		return PU_ENOMEM;
	r = pu_autonat_client_new(h, opt, &a->stats, &a->client);
	if (r == 0 && opt->serve)
		r = pu_autonat_server_new(h, opt->private_addrs, &a->stats, &a->server);
	if (r < 0) {
		pu_autonat_free(a);
		return r;
	}
	*pa = a;
	return 0;
}

void pu_autonat_free(struct pu_autonat *a)
{
	if (!a)
		return;
	pu_autonat_server_free(a->server);
	pu_autonat_client_free(a->client);
	free(a);
}

void pu_autonat_network_changed(struct pu_autonat *a)
{
	pu_autonat_client_restart(a->client);
}

size_t pu_autonat_verdicts(const struct pu_autonat *a, struct pu_autonat_verdict *out, size_t cap)
{
	const struct pu_autonat_candidates *cs = pu_autonat_client_candidates(a->client);
	size_t n = pu_min(cs->n, cap);

	for (size_t i = 0; i < n; i++)
		out[i] = cs->c[i].v;
	return n;
}

enum pu_reachable pu_autonat_overall(const struct pu_autonat *a)
{
	const struct pu_autonat_candidates *cs = pu_autonat_client_candidates(a->client);
	bool no = false, open = false;

	for (size_t i = 0; i < cs->n; i++) {
		const struct pu_autonat_verdict *v = &cs->c[i].v;

		if (v->reachable == PU_REACHABLE_YES)
			return PU_REACHABLE_YES;
		no |= v->reachable == PU_REACHABLE_NO;
		open |= v->reachable == PU_REACHABLE_UNKNOWN && v->yes + v->no > 0;
	}
	return no && !open ? PU_REACHABLE_NO : PU_REACHABLE_UNKNOWN;
}

void pu_autonat_stats(const struct pu_autonat *a, struct pu_autonat_stats *out)
{
	*out = a->stats;
}
