#include "daemon/reachability.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/config.h"
#include "daemon/event.h"
#include "daemon/reachability_internal.h"
#include "p2p/host/paths.h"

enum {
	SEARCHES_MAX = 16,
	STUN_SERVER_MAX = sizeof(((struct pu_hostport *)0)->host) + 8,
	CIRCUITS_PER_PEER = PU_RELAYS_MAX,
};

/* One peer that the hash table is asked for. */
struct search {
	struct pu_list node;
	struct pu_reachability *owner;
	struct pu_peerid peer;
	struct pu_kad_query *query;
};

/* --- what the parts tell --------------------------------------------------------- */

static void tell(struct pu_reachability *r, const struct pu_event *ev)
{
	if (r->opt.events)
		pu_events_tell(r->opt.events, ev);
}

static void log_relay(const struct pu_relay_info *i)
{
	char id[PU_PEERID_SHORT_MAX];

	if (i->state == PU_RELAY_RESERVED)
		pu_log(PU_LOG_INFO, "relay", "reserved",
		       PU_KV_STR("relay", pu_peerid_short(&i->relay, id)));
	else if (i->state == PU_RELAY_WAITING)
		pu_log(PU_LOG_WARN, "relay", "no reservation",
		       PU_KV_STR("relay", pu_peerid_short(&i->relay, id)),
		       PU_KV_U64("status", i->status), PU_KV_ERR(i->err));
}

static void on_relay(void *arg, const struct pu_relay_info *info)
{
	const struct pu_reachability *r = arg;

	if (!info->news)
		return;
	log_relay(info);
	if (r->opt.on_relay)
		r->opt.on_relay(r->opt.arg, info);
}

static const struct pu_relays_events relays_events = { .on_change = on_relay };

static void on_punched(void *arg, const struct pu_dcutr_result *result)
{
	struct pu_reachability *r = arg;
	bool direct = result->outcome == PU_DCUTR_DIRECT;

	tell(r, &(struct pu_event){ .kind = PU_EVENT_HOLE_PUNCH, .peer = &result->peer,
				    .what = direct ? "success" : "failure",
				    .detail = pu_dcutr_outcome_text(result->outcome),
				    .duration_us = result->took / 1000 });
	if (direct)
		r->opt.on_news(r->opt.arg, &result->peer);
}

static bool has_public_ip(const struct pu_reachability *r)
{
	for (size_t i = 0; i < r->n_ips; i++)
		if (pu_multiaddr_is_public(&r->ips[i]))
			return true;
	return false;
}

/* A node that others reach serves them: as a relay, and in the hash table. Until it is
 * known that they cannot, the table takes us for granted, as peer-up does. */
static void update_roles(struct pu_reachability *r)
{
	enum pu_reachable reachable = pu_autonat_overall(r->autonat);
	bool is_public = !r->force_private && (has_public_ip(r) || reachable == PU_REACHABLE_YES);

	pu_relay_service_set_public(r->service, is_public);
	if (r->kad)
		pu_kad_set_mode(r->kad, is_public || (!r->force_private &&
						      reachable == PU_REACHABLE_UNKNOWN)
						? PU_KAD_SERVER : PU_KAD_CLIENT);
}

static void on_verdict(void *arg, const struct pu_autonat_verdict *v)
{
	update_roles(arg);
}

/* Only friends: a stranger's word is worth nothing here. */
static void on_neighbour(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *addrs,
			 size_t n)
{
	struct pu_reachability *r = arg;

	if (!pu_roster_find(r->opt.roster, peer))
		return;
	for (size_t i = 0; i < n; i++)
		pu_host_learn_addr(r->opt.host, peer, &addrs[i], PU_ADDR_MDNS);
	r->opt.on_news(r->opt.arg, peer);
}

static bool may_enter_table(void *arg, const struct pu_peerid *peer)
{
	const struct pu_reachability *r = arg;
	const struct pu_roster_peer *p = pu_roster_find(r->opt.roster, peer);
	struct pu_relay_info relays[PU_RELAYS_MAX];
	size_t n = pu_relays_list(r->relays, relays, PU_ARRAY_LEN(relays));

	/* Who was removed stays in the roster. */
	if (p && (p->configured || r->opt.authorized(r->opt.arg, peer)))
		return true;
	for (size_t i = 0; i < n; i++)
		if (pu_peerid_eq(&relays[i].relay, peer))
			return true;
	return r->opt.authorized(r->opt.arg, peer);
}

/* Those who wait at our own relay are found through it. */
static size_t circuits_here(void *arg, const struct pu_peerid *peer, struct pu_multiaddr *out,
			    size_t cap)
{
	const struct pu_reachability *r = arg;

	return pu_relay_service_addrs_of(r->service, peer, out, cap);
}

static void on_stun(void *arg, int err, const struct pu_stun_report *report)
{
	struct pu_reachability *r = arg;

	r->stun = NULL;
	r->stun_report = *report;
	pu_log(PU_LOG_INFO, "stun", "asked about our NAT",
	       PU_KV_STR("type", pu_nat_type_text(r->stun_report.type)),
	       PU_KV_U64("answers", r->stun_report.answered), PU_KV_ERR(err));
	for (unsigned i = 0; i < report->asked; i++)
		tell(r, &(struct pu_event){ .kind = PU_EVENT_STUN,
					    .what = i < report->answered ? "success"
									 : "failure" });
}

/* --- parts that the config switches ------------------------------------------------ */

static void ask_stun(struct pu_reachability *r)
{
	char text[PU_STUN_SERVERS_MAX][STUN_SERVER_MAX];
	const char *servers[PU_STUN_SERVERS_MAX];
	size_t n = pu_min(r->n_stun_servers, PU_STUN_SERVERS_MAX);

	if (r->stun)
		pu_stun_cancel(r->stun);
	r->stun = NULL;
	for (size_t i = 0; i < n; i++) {
		snprintf(text[i], sizeof text[i], strchr(r->stun_servers[i].host, ':') ? "[%s]:%u"
										       : "%s:%u",
			 r->stun_servers[i].host, r->stun_servers[i].port);
		servers[i] = text[i];
	}
	if (n > 0 && r->n_ips > 0)
		pu_stun_start(r->opt.loop, r->opt.net, servers, n, on_stun, r, &r->stun);
}

static void search_free(struct search *s)
{
	pu_list_remove(&s->node);
	s->owner->n_searches--;
	free(s);
}

static void stop_kad(struct pu_reachability *r)
{
	if (!r->kad)
		return;
	PU_LIST_FOREACH(it, tmp, &r->searches) {
		struct search *s = PU_CONTAINER_OF(it, struct search, node);

		pu_kad_cancel(r->kad, s->query);
		search_free(s);
	}
	pu_kad_free(r->kad);
	r->kad = NULL;
}

/* Where to begin: the config's bootstrap peers, or the relays. */
static void bootstrap_kad(struct pu_reachability *r, const struct pu_config *cfg)
{
	struct pu_peerid peers[PU_RELAYS_MAX + 64];
	struct pu_multiaddr addr;
	size_t n = 0;

	for (size_t i = 0; i < cfg->bootstrap.n && n < PU_ARRAY_LEN(peers); i++)
		n += pu_multiaddr_split_peer(&cfg->bootstrap.v[i], &addr, &peers[n]) == 0;
	if (n == 0)
		for (size_t i = 0; i < cfg->relays.n && n < PU_ARRAY_LEN(peers); i++)
			n += pu_multiaddr_split_peer(&cfg->relays.v[i], &addr, &peers[n]) == 0;
	pu_kad_bootstrap(r->kad, peers, n);
}

static bool same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static void apply_kad(struct pu_reachability *r, const struct pu_config *cfg)
{
	const struct pu_kad_options opt = {
		.network = cfg->network,
		.mode = PU_KAD_CLIENT,
		.may_enter = may_enter_table,
		.more_addrs = circuits_here,
		.arg = r,
	};
	int err;

	if (!cfg->dht || !same(r->network, cfg->network))
		stop_kad(r);
	if (!cfg->dht)
		return;
	if (!r->kad) {
		err = pu_kad_new(r->opt.host, &opt, &r->kad);
		if (err < 0) {
			pu_log(PU_LOG_WARN, "kad", "no hash table", PU_KV_ERR(err));
			return;
		}
	}
	bootstrap_kad(r, cfg);
	pu_kad_advertise(r->kad, cfg->rendezvous);
}

static void apply_mdns(struct pu_reachability *r, const struct pu_config *cfg)
{
	const struct pu_mdns_options opt = { .on_peer = on_neighbour, .arg = r };
	int err;

	if (!cfg->mdns) {
		pu_mdns_free(r->mdns);
		r->mdns = NULL;
	} else if (!r->mdns) {
		err = pu_mdns_new(r->opt.host, r->opt.net, &opt, &r->mdns);
		if (err < 0)
			pu_log(PU_LOG_WARN, "mdns", "no discovery in the local network",
			       PU_KV_ERR(err));
		else
			pu_mdns_set_interfaces(r->mdns, r->ips, r->n_ips);
	}
}

static int keep_strings(struct pu_reachability *r, const struct pu_config *cfg)
{
	char *network = strdup(cfg->network);
	struct pu_hostport *servers = NULL;

	if (cfg->stun_servers.n > 0)
		servers = malloc(cfg->stun_servers.n * sizeof *servers);
	if (!network || (cfg->stun_servers.n > 0 && !servers)) {
		free(network);
		free(servers);
		return PU_ENOMEM;
	}
	if (servers)
		memcpy(servers, cfg->stun_servers.v, cfg->stun_servers.n * sizeof *servers);
	free(r->network);
	free(r->stun_servers);
	r->network = network;
	r->stun_servers = servers;
	r->n_stun_servers = cfg->stun_servers.n;
	return 0;
}

/* --- circuits: every peer may be behind any of our relays --------------------------- */

static void each_circuit(struct pu_reachability *r, const struct pu_peerid *peer, bool add)
{
	struct pu_multiaddr via[CIRCUITS_PER_PEER];
	size_t n = pu_relays_circuits_to(r->relays, peer, via, PU_ARRAY_LEN(via));

	for (size_t i = 0; i < n; i++) {
		if (add)
			pu_host_learn_addr(r->opt.host, peer, &via[i], PU_ADDR_RELAY);
		else
			pu_host_remove_addr(r->opt.host, peer, &via[i]);
	}
}

static void set_circuits(struct pu_reachability *r, bool add)
{
	for (uint32_t h = 1; h <= pu_roster_count(r->opt.roster); h++) {
		const struct pu_roster_peer *p = pu_roster_at(r->opt.roster, h);

		if (!pu_peerid_eq(&p->id, pu_host_id(r->opt.host)))
			each_circuit(r, &p->id, add);
	}
}

/* Circuits through friends are better than those through a relay that serves anybody. */
static void mark_own_relays(struct pu_reachability *r)
{
	for (uint32_t h = 1; h <= pu_roster_count(r->opt.roster); h++) {
		const struct pu_roster_peer *p = pu_roster_at(r->opt.roster, h);

		if (!pu_peerid_eq(&p->id, pu_host_id(r->opt.host)))
			pu_host_set_own_relay(r->opt.host, &p->id,
					      r->opt.authorized(r->opt.arg, &p->id));
	}
}

static void apply_relays(struct pu_reachability *r, const struct pu_config *cfg)
{
	int err;

	set_circuits(r, false);
	err = pu_relays_set(r->relays, cfg->relays.v, cfg->relays.n);
	if (err < 0)
		pu_log(PU_LOG_WARN, "relay", "relay.addresses cannot be used as they are",
		       PU_KV_ERR(err));
	set_circuits(r, true);
}

/* --- life -------------------------------------------------------------------------- */

static int make_parts(struct pu_reachability *r, const struct pu_config *cfg)
{
	const struct pu_circuit_options circuit = { 0 };
	const struct pu_dcutr_options dcutr = { .on_result = on_punched, .arg = r };
	const struct pu_autonat_options autonat = { .serve = true,
						    .on_verdict = on_verdict,
						    .arg = r };
	const struct pu_relay_service_options service = { .host = r->opt.host,
							  .authorized = r->opt.authorized,
							  .arg = r->opt.arg };
	struct pu_host *h = r->opt.host;
	int err = pu_circuit_transport_new(h, &circuit, &r->circuits);

	if (err == 0)
		err = pu_relays_new(h, cfg->reservation_interval, &relays_events, r, &r->relays);
	if (err == 0)
		err = pu_dcutr_new(h, &dcutr, &r->dcutr);
	if (err == 0)
		err = pu_autonat_new(h, &autonat, &r->autonat);
	if (err == 0)
		err = pu_relay_service_new(&service, &r->service);
	return err;
}

int pu_reachability_new(const struct pu_reachability_options *opt, const struct pu_config *cfg,
			struct pu_reachability **pr)
{
	struct pu_reachability *r = calloc(1, sizeof *r);
	int err;

	if (!r)
		return PU_ENOMEM;
	r->opt = *opt;
	pu_list_init(&r->searches);
	err = make_parts(r, cfg);
	if (err < 0) {
		pu_reachability_free(r);
		return err;
	}
	*pr = r;
	return 0;
}

void pu_reachability_free(struct pu_reachability *r)
{
	if (!r)
		return;
	if (r->stun)
		pu_stun_cancel(r->stun);
	pu_mdns_free(r->mdns);
	stop_kad(r);
	pu_relay_service_free(r->service);
	pu_autonat_free(r->autonat);
	pu_dcutr_free(r->dcutr);
	pu_relays_free(r->relays);
	free(r->network);
	free(r->stun_servers);
	free(r);
}

void pu_reachability_apply(struct pu_reachability *r, const struct pu_config *cfg)
{
	r->force_private = cfg->force_private;
	apply_relays(r, cfg);
	mark_own_relays(r);
	apply_kad(r, cfg);
	apply_mdns(r, cfg);
	pu_relay_service_apply(r->service, &cfg->relay_service);
	if (keep_strings(r, cfg) == 0)
		ask_stun(r);
	update_roles(r);
}

void pu_reachability_expel(struct pu_reachability *r, const struct pu_peerid *peer)
{
	pu_relay_service_expel(r->service, peer);
	if (r->kad)
		pu_kad_forget(r->kad, peer);
	pu_host_set_own_relay(r->opt.host, peer, false);
}

const struct pu_multiaddr *pu_reachability_ips(const struct pu_reachability *r, size_t *pn)
{
	*pn = r->n_ips;
	return r->ips;
}

void pu_reachability_network_changed(struct pu_reachability *r, const struct pu_multiaddr *ips,
				     size_t n)
{
	r->n_ips = pu_min(n, PU_ARRAY_LEN(r->ips));
	memcpy(r->ips, ips, r->n_ips * sizeof *ips);
	pu_reachability_resumed(r);
}

void pu_reachability_resumed(struct pu_reachability *r)
{
	pu_relays_network_changed(r->relays);
	pu_autonat_network_changed(r->autonat);
	if (r->kad)
		pu_kad_network_changed(r->kad);
	if (r->mdns)
		pu_mdns_set_interfaces(r->mdns, r->ips, r->n_ips);
	ask_stun(r);
	update_roles(r);
}

void pu_reachability_set_mapped(struct pu_reachability *r, const struct pu_multiaddr *ma, size_t n)
{
	r->n_mapped = pu_min(n, PU_ARRAY_LEN(r->mapped));
	memcpy(r->mapped, ma, r->n_mapped * sizeof *ma);
	pu_host_advertise(r->opt.host, r->mapped, r->mapped, r->n_mapped);
	pu_autonat_network_changed(r->autonat);
}

/* --- searching ---------------------------------------------------------------------- */

static void on_found(void *arg, int err, const struct pu_multiaddr *addrs, size_t n)
{
	struct search *s = arg;
	struct pu_reachability *r = s->owner;
	struct pu_peerid peer = s->peer;

	search_free(s);
	if (err == 0 && n > 0)
		r->opt.on_news(r->opt.arg, &peer);
}

static bool searching(const struct pu_reachability *r, const struct pu_peerid *peer)
{
	PU_LIST_FOREACH(it, tmp, &r->searches)
		if (pu_peerid_eq(&PU_CONTAINER_OF(it, struct search, node)->peer, peer))
			return true;
	return false;
}

void pu_reachability_search(struct pu_reachability *r, const struct pu_peerid *peer)
{
	struct search *s;

	if (!r->kad || r->n_searches >= SEARCHES_MAX || searching(r, peer))
		return;
	s = calloc(1, sizeof *s);
	if (!s)
		return;
	s->owner = r;
	s->peer = *peer;
	pu_list_append(&r->searches, &s->node);
	r->n_searches++;
	if (pu_kad_find_peer(r->kad, peer, on_found, s, &s->query) < 0)
		search_free(s);
}
