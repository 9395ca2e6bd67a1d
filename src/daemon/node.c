#include "daemon/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/identity.h"
#include "daemon/introductions.h"
#include "daemon/listening.h"
#include "daemon/node_addresses.h"
#include "daemon/node_apply.h"
#include "daemon/node_offer.h"
#include "daemon/node_path.h"
#include "daemon/node_roam.h"
#include "daemon/node_wake.h"
#include "p2p/transport/ws.h"

enum { EXPIRY_CHECK_S = 15 };

static void tell(struct pu_node *n, enum pu_event_kind kind, const struct pu_peerid *peer,
		 const char *what)
{
	pu_events_tell(&n->events, &(struct pu_event){ .kind = kind, .peer = peer, .what = what });
}

static bool on_gate(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *remote)
{
	struct pu_node *n = arg;
	char id[PU_PEERID_SHORT_MAX], addr[PU_MULTIADDR_TEXT_MAX];

	if (!n->cfg->gating)
		return true;
	if (pu_node_allowed(n, peer)) {
		tell(n, PU_EVENT_AUTH_DECISION, peer, "allow");
		return true;
	}
	/* Strangers are awaited: what becomes of this one is the host's affair. */
	if (pu_host_on_probation(n->host))
		return false;
	n->gated++;
	tell(n, PU_EVENT_AUTH_DECISION, peer, "deny");
	pu_log(PU_LOG_WARN, "gate", "stranger refused",
	       PU_KV_STR("peer", pu_peerid_short(peer, id)),
	       PU_KV_STR("from", pu_multiaddr_text(remote, addr)));
	return false;
}

/* Without gating everyone may use services, as in peer-up; packets never. */
static bool service_allowed(void *arg, const struct pu_peerid *peer)
{
	struct pu_node *n = arg;

	return !n->cfg->gating || pu_node_allowed(n, peer);
}

static bool packets_allowed(void *arg, const struct pu_peerid *peer)
{
	return pu_node_allowed(arg, peer) != NULL;
}

static void tell_peer(struct pu_node *n, struct pu_roster_peer *p)
{
	if (n->ev)
		n->ev->on_peer(n->arg, p);
}

static void on_packet(void *arg, const struct pu_peerid *peer, const uint8_t *b, size_t len,
		      unsigned flags)
{
	struct pu_node *n = arg;
	struct pu_roster_peer *p = pu_roster_find(n->roster, peer);

	if (n->ev && p)
		n->ev->on_packet(n->arg, p, b, len, flags);
}

static void on_batch_end(void *arg)
{
	struct pu_node *n = arg;

	if (n->ev)
		n->ev->on_batch_end(n->arg);
}

static void on_undeliverable(void *arg, const struct pu_peerid *peer, const uint8_t *b,
			     size_t len, int err)
{
	struct pu_node *n = arg;
	struct pu_roster_peer *p = pu_roster_find(n->roster, peer);

	if (n->ev && p)
		n->ev->on_undeliverable(n->arg, p, b, len, err);
}

static const struct pu_session_events session_events = {
	.allowed = packets_allowed,
	.on_packet = on_packet,
	.on_batch_end = on_batch_end,
	.on_undeliverable = on_undeliverable,
};

static void on_connection(struct pu_node *n, const struct pu_conn *c)
{
	struct pu_roster_peer *p = pu_roster_find(n->roster, &c->peer);

	if (p)
		tell_peer(n, p);
}

struct others {
	const struct pu_conn *c;
	unsigned *n;
};

static void count_others(void *arg, struct pu_conn *c)
{
	const struct others *o = arg;

	*o->n += c != o->c && !c->closing && pu_peerid_eq(&c->peer, &o->c->peer);
}

/* The first connection, or one that takes over from the first. */
static void tell_connected(struct pu_node *n, const struct pu_conn *c)
{
	bool relayed = pu_multiaddr_has(&c->remote, PU_MA_P2P_CIRCUIT);
	unsigned others = 0;

	pu_host_each_conn(n->host, count_others, &(struct others){ .c = c, .n = &others });
	if (others == 0 || pu_host_conn(n->host, &c->peer) == c)
		tell(n, others == 0 ? PU_EVENT_PEER_CONNECTED : PU_EVENT_PATH, &c->peer,
		     relayed ? "RELAYED" : "DIRECT");
}

static void on_connected(void *arg, struct pu_conn *c)
{
	char id[PU_PEERID_SHORT_MAX], addr[PU_MULTIADDR_TEXT_MAX];

	pu_log(PU_LOG_INFO, "node", "connected", PU_KV_STR("peer", pu_peerid_short(&c->peer, id)),
	       PU_KV_STR("addr", pu_multiaddr_text(&c->remote, addr)),
	       PU_KV_STR("security", c->security),
	       PU_KV_STR("direction", c->inbound ? "in" : "out"));
	tell_connected(arg, c);
	on_connection(arg, c);
}

static void on_identified(void *arg, struct pu_conn *c)
{
	on_connection(arg, c);
}

static void on_disconnected(void *arg, struct pu_conn *c, int err, uint64_t code, bool last)
{
	char id[PU_PEERID_SHORT_MAX];

	pu_log(PU_LOG_INFO, "node", "disconnected",
	       PU_KV_STR("peer", pu_peerid_short(&c->peer, id)), PU_KV_ERR(err),
	       PU_KV_U64("code", code));
	if (!last)
		return;
	tell(arg, PU_EVENT_PEER_DISCONNECTED, &c->peer, NULL);
	on_connection(arg, c);
}

static void check_expiry(void *arg)
{
	struct pu_node *n = arg;

	pu_node_check_expiry(n);
	pu_timer_set(&n->expiry, pu_loop_now(n->loop) + PU_SEC(EXPIRY_CHECK_S));
}

static bool is_in(const struct pu_prefix *p, const struct pu_ma_part *ip)
{
	unsigned whole = p->bits / 8, rest = p->bits % 8;
	const uint8_t *a = ip->value.p;

	if (ip->code != (p->family == AF_INET ? PU_MA_IP4 : PU_MA_IP6) ||
	    memcmp(a, p->addr, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ p->addr[whole]) >> (8 - rest) == 0;
}

/* A peer, or somebody who pretends to know it, may name an address of the overlay: dialled,
 * the tunnel would be looked for inside the tunnel. */
static bool may_dial(void *arg, const struct pu_multiaddr *ma)
{
	const struct pu_config_vpn *vpn = &((const struct pu_node *)arg)->cfg->vpn;
	struct pu_ma_part ip;
	size_t off = 0;

	return !pu_multiaddr_next(ma, &off, &ip) ||
	       !(is_in(&vpn->subnet, &ip) || is_in(&vpn->ipv6_prefix, &ip));
}

static int make_host(struct pu_node *n, const char *version, struct pu_failure *why)
{
	char agent[64];
	struct pu_host_config hc = {
		.loop = n->loop,
		.net = n->net,
		.key = &n->key,
		.agent = agent,
		.tcp = { .order = { PU_SECURITY_TLS, PU_SECURITY_NOISE } },
		.gate = on_gate,
		.gate_arg = n,
		.may_dial = may_dial,
		.may_dial_arg = n,
	};
	int r;

	snprintf(agent, sizeof agent, "peerup/%s", version);
	r = pu_host_new(&hc, &n->host);
	if (r == 0)
		r = pu_ws_transport_add(n->host, &hc.tcp, NULL);
	if (r < 0)
		return pu_failure_set(why, r, "host", NULL, "%s", pu_err_text(r));
	return 0;
}

/* Something leads to the peer, perhaps something better than what there was. */
static void on_news(void *arg, const struct pu_peerid *peer)
{
	struct pu_node *n = arg;
	const struct pu_roster_peer *p = pu_roster_find(n->roster, peer);

	if (p && (p->configured || packets_allowed(n, peer)))
		pu_node_keep(n, peer, true);
}

static void on_relay(void *arg, const struct pu_relay_info *info)
{
	tell(arg, PU_EVENT_RELAY, &info->relay, pu_relay_state_text(info->state));
}

static int make_reachability(struct pu_node *n)
{
	const struct pu_reachability_options opt = {
		.loop = n->loop,
		.net = n->net,
		.host = n->host,
		.roster = n->roster,
		.authorized = packets_allowed,
		.on_relay = on_relay,
		.on_news = on_news,
		.arg = n,
		.events = &n->events,
	};

	return pu_reachability_new(&opt, n->cfg, &n->reachability);
}

static void on_service_denied(void *arg, const char *name, const struct pu_peerid *peer)
{
	tell(arg, PU_EVENT_SERVICE_DENIED, peer, name);
}

static void on_service_closed(void *arg, const char *name, const struct pu_peerid *peer,
			      pu_time lasted)
{
	struct pu_node *n = arg;

	pu_events_tell(&n->events, &(struct pu_event){ .kind = PU_EVENT_SERVICE_CLOSED,
						       .peer = peer, .what = name,
						       .duration_us = lasted / 1000 });
}

static const struct pu_services_events services_events = {
	.on_denied = on_service_denied,
	.on_closed = on_service_closed,
};

static int make_overlay(struct pu_node *n)
{
	int r = pu_services_new(n->host, n->net, service_allowed, n, &n->services);

	if (r == 0)
		pu_services_set_events(n->services, &services_events, n);
	if (r == 0)
		r = pu_node_offer_new(n);
	if (r == 0)
		r = pu_sessions_new(n->host, &session_events, n, &n->sessions);
	if (r == 0)
		r = pu_pingpong_new(n->host, n->cfg->ping_protocol, n->cfg->ping_enabled,
				    &n->pingpong);
	if (r == 0)
		r = pu_node_wake_new(n);
	if (r == 0)
		r = pu_roam_new(n->host, n->net, &n->roam);
	if (r == 0)
		r = pu_introductions_new(n, &n->introductions);
	if (r == 0)
		r = pu_node_path_new(n);
	return r == 0 ? make_reachability(n) : r;
}

static int init(struct pu_node *n, const struct pu_node_options *opt, struct pu_failure *why)
{
	int r;

	pu_loop_random(n->loop, n->hash_key, sizeof n->hash_key);
	r = pu_identity_load(n->loop, n->cfg->key_file, &n->paths.owner, &n->key, why);
	if (r < 0)
		return r;
	r = pu_node_load_addresses(n);
	if (r < 0)
		return pu_failure_set(why, r, "vpn.subnet", NULL, "%s", pu_err_text(r));
	r = make_host(n, opt->version, why);
	if (r < 0)
		return r;
	r = make_overlay(n);
	if (r < 0)
		return pu_failure_set(why, r, "overlay", NULL, "%s", pu_err_text(r));
	n->observer = (struct pu_host_observer){ .on_connected = on_connected,
						 .on_disconnected = on_disconnected,
						 .on_identified = on_identified,
						 .arg = n };
	pu_host_observe(n->host, &n->observer);
	pu_node_roam_start(n);
	r = pu_node_apply(n, n->cfg, why);
	return r < 0 ? r : pu_listening_start(n->host, n->cfg->listen.v, n->cfg->listen.n, why);
}

int pu_node_new(const struct pu_node_options *opt, struct pu_node **pn, struct pu_failure *why)
{
	struct pu_node *n = calloc(1, sizeof *n);
	int r;

	if (!n) {
		pu_config_free(opt->cfg);
		return PU_ENOMEM;
	}
	n->loop = opt->loop;
	n->net = opt->net;
	n->paths = *opt->paths;
	n->cfg = opt->cfg;
	n->started_at = pu_loop_now(n->loop);
	pu_events_init(&n->events);
	pu_timer_init(&n->expiry, n->loop, check_expiry, n);
	r = init(n, opt, why);
	if (r < 0 && !n->host)
		pu_node_free(n);
	else
		*pn = n;
	return r;
}

void pu_node_set_events(struct pu_node *n, const struct pu_node_events *ev, void *arg)
{
	n->ev = ev;
	n->arg = arg;
}

void pu_node_start(struct pu_node *n)
{
	check_expiry(n);
	for (uint32_t i = 1; i <= pu_roster_count(n->roster); i++) {
		struct pu_roster_peer *p = pu_roster_at(n->roster, i);

		if (pu_node_wants(n, p))
			pu_node_keep(n, &p->id, true);
	}
}

static void free_overlay(struct pu_node *n)
{
	if (n->observer.arg)
		pu_host_unobserve(n->host, &n->observer);
	n->observer.arg = NULL;
	pu_node_roam_stop(n);
	pu_reachability_free(n->reachability);
	pu_node_path_free(n);
	pu_introductions_free(n->introductions);
	pu_roam_free(n->roam);
	pu_wake_free(n->wake);
	pu_pingpong_free(n->pingpong);
	pu_sessions_free(n->sessions);
	pu_offers_free(n->offers);
	pu_services_free(n->services);
	n->reachability = NULL;
	n->introductions = NULL;
	n->roam = NULL;
	n->pingpong = NULL;
	n->wake = NULL;
	n->sessions = NULL;
	n->offers = NULL;
	n->services = NULL;
}

void pu_node_stop(struct pu_node *n, pu_job_fn *on_stopped, void *arg)
{
	pu_timer_stop(&n->expiry);
	n->ev = NULL;
	free_overlay(n);
	pu_host_stop(n->host, on_stopped, arg);
}

void pu_node_free(struct pu_node *n)
{
	if (!n)
		return;
	pu_timer_stop(&n->expiry);
	if (n->host) {
		free_overlay(n);
		pu_host_free(n->host);
	}
	pu_roster_free(n->roster);
	pu_vip_table_free(n->vips);
	pu_key_deinit(&n->key);
	pu_config_free(n->cfg);
	free(n);
}

struct pu_roster_peer *pu_node_by_name(const struct pu_node *n, const char *name)
{
	for (size_t i = 0; i < n->cfg->n_names; i++)
		if (strcasecmp(n->cfg->names[i].key.name, name) == 0)
			return pu_roster_find(n->roster, &n->cfg->names[i].peer);
	return NULL;
}

int pu_node_resolve(const struct pu_node *n, const char *text, struct pu_peerid *peer,
		    bool *pfrom_id)
{
	*pfrom_id = pu_peerid_from_text(peer, text) == 0;
	for (size_t i = 0; i < n->cfg->n_names; i++) {
		if (strcmp(n->cfg->names[i].key.name, text) == 0) {
			*peer = n->cfg->names[i].peer;
			return 0;
		}
	}
	return *pfrom_id ? 0 : PU_ENOENT;
}

struct pu_roster_peer *pu_node_allowed(const struct pu_node *n, const struct pu_peerid *id)
{
	struct pu_roster_peer *p = pu_roster_find(n->roster, id);

	return pu_roster_allowed(p, pu_loop_unix(n->loop)) ? p : NULL;
}
