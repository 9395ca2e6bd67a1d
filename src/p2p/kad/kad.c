#include "p2p/kad/kad.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "p2p/kad/state.h"

enum { CONCURRENCY_MAX = 32 };

/* What the host tells. */

static void on_identified(void *arg, struct pu_conn *c)
{
	pu_kad_admit_identified(arg, c);
}

static void on_addrs(void *arg)
{
	pu_kad_advert_renew(arg);
}

/* Life. */

static int make_protocol(struct pu_kad *k, const char *network)
{
	bool named = network && network[0];
	int n = snprintf(k->protocol, sizeof k->protocol, "/peerup%s%s/kad/1.0.0", named ? "/" : "",
			 named ? network : "");

	return n > 0 && (size_t)n < sizeof k->protocol ? 0 : PU_EINVAL;
}

static void init(struct pu_kad *k)
{
	pu_kad_table_init(&k->table, pu_host_id(k->host), k->opt.replication);
	pu_kad_providers_init(&k->providers, k->loop);
	pu_kad_records_init(&k->records, k->loop, k->opt.judge, k->opt.arg);
	pu_list_init(&k->queries);
	pu_list_init(&k->checks);
	pu_kad_refresh_init(k);
	pu_kad_advert_init(k);
	k->observer.on_identified = on_identified;
	k->observer.on_addrs = on_addrs;
	k->observer.arg = k;
	pu_host_observe(k->host, &k->observer);
}

int pu_kad_new(struct pu_host *h, const struct pu_kad_options *opt, struct pu_kad **pk)
{
	struct pu_kad *k = calloc(1, sizeof *k);
	int r;

	if (!k)
		return PU_ENOMEM;
	k->host = h;
	k->loop = pu_host_loop(h);
	k->opt = *opt;
	k->opt.network = NULL;
	if (k->opt.concurrency > CONCURRENCY_MAX)
		k->opt.concurrency = CONCURRENCY_MAX;
	init(k);
	r = make_protocol(k, opt->network);
	if (r == 0)
		r = pu_kad_rpc_new(h, k->protocol, &k->rpc);
	if (r == 0)
		r = pu_kad_inbound_new(h, k->protocol, pu_kad_serve, k, &k->inbound);
	if (r == 0 && opt->mode == PU_KAD_SERVER)
		r = pu_kad_inbound_open(k->inbound);
	if (r < 0) {
		pu_kad_free(k);
		return r;
	}
	k->mode = opt->mode;
	*pk = k;
	return 0;
}

void pu_kad_free(struct pu_kad *k)
{
	if (!k)
		return;
	pu_host_unobserve(k->host, &k->observer);
	pu_kad_refresh_stop(k);
	pu_kad_advert_stop(k);
	pu_kad_query_stop_all(k);
	pu_kad_admit_stop(k);
	pu_kad_inbound_free(k->inbound);
	pu_kad_rpc_free(k->rpc);
	pu_kad_records_deinit(&k->records);
	pu_kad_providers_deinit(&k->providers);
	pu_kad_table_deinit(&k->table);
	free(k->pool);
	free(k);
}

/* Mode. */

void pu_kad_set_mode(struct pu_kad *k, enum pu_kad_mode mode)
{
	if (mode == k->mode)
		return;
	if (mode == PU_KAD_CLIENT)
		pu_kad_inbound_close(k->inbound);
	else if (pu_kad_inbound_open(k->inbound) < 0)
		return; /* as it was; pu_kad_mode() tells */
	k->mode = mode;
	pu_kad_advert_renew(k);
}

enum pu_kad_mode pu_kad_mode(const struct pu_kad *k)
{
	return k->mode;
}

void pu_kad_bootstrap(struct pu_kad *k, const struct pu_peerid *peers, size_t n)
{
	k->n_bootstrap = pu_min(n, KAD_BOOTSTRAP_MAX);
	if (k->n_bootstrap > 0)
		memcpy(k->bootstrap, peers, k->n_bootstrap * sizeof *peers);
	if (k->table.n == 0)
		pu_kad_refresh_soon(k);
}

void pu_kad_forget(struct pu_kad *k, const struct pu_peerid *peer)
{
	pu_kad_table_remove(&k->table, peer);
}

void pu_kad_network_changed(struct pu_kad *k)
{
	pu_kad_refresh_soon(k);
	pu_kad_advert_renew(k);
}

void pu_kad_stats(const struct pu_kad *k, struct pu_kad_stats *out)
{
	struct pu_kad_rpc_stats rpc;
	struct pu_kad_inbound_stats in;

	pu_kad_rpc_stats(k->rpc, &rpc);
	pu_kad_inbound_stats(k->inbound, &in);
	*out = (struct pu_kad_stats){
		.peers = k->table.n,
		.providers = k->providers.n,
		.records = k->records.n,
		.queries = k->n_queries,
		.requests_in = in.requests,
		.requests_out = rpc.sent,
		.failures_out = rpc.failed,
		.malformed = in.malformed + rpc.malformed,
		.refused = in.refused,
	};
	out->bytes = sizeof *k - sizeof k->table + pu_kad_table_bytes(&k->table) +
		     k->providers.bytes + k->records.bytes + in.bytes + rpc.bytes +
		     pu_kad_query_bytes(k) + (k->pool ? KAD_POOL : 0);
}
