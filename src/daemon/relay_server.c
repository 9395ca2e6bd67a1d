#include "daemon/relay_server.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/identity.h"
#include "daemon/listening.h"
#include "daemon/relay_announce.h"
#include "daemon/relay_pairing.h"
#include "p2p/transport/ws.h"

enum {
	EXPIRY_CHECK_S = 15,
	CONNS_MIN = 256,
	/* Streams of one connection besides its circuits: identify, ping, DHT, requests. */
	STREAMS_BESIDES = 64,
	/* What a circuit may make us hold per direction: 80 Mbit/s at 100 ms. */
	STREAM_MEMORY = 1 << 20,
};

bool pu_relay_server_allowed(const struct pu_relay_server *s, const struct pu_peerid *peer)
{
	enum pu_access access;

	return !s->cfg->gating ||
	       pu_member_allowed(s->members, peer, pu_loop_unix(s->loop), &access);
}

static bool on_gate(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *remote)
{
	struct pu_relay_server *s = arg;
	char id[PU_PEERID_SHORT_MAX], addr[PU_MULTIADDR_TEXT_MAX];
	bool yes = pu_relay_server_allowed(s, peer);

	/* Strangers are awaited: what becomes of this one is the host's affair. */
	if (!yes && pu_host_on_probation(s->host))
		return false;
	pu_events_tell(&s->events, &(struct pu_event){ .kind = PU_EVENT_AUTH_DECISION,
						       .peer = peer,
						       .what = yes ? "allow" : "deny" });
	if (yes)
		return true;
	pu_log(PU_LOG_WARN, "gate", "stranger refused",
	       PU_KV_STR("peer", pu_peerid_short(peer, id)),
	       PU_KV_STR("from", pu_multiaddr_text(remote, addr)));
	return false;
}

static void on_connected(void *arg, struct pu_conn *c)
{
	char id[PU_PEERID_TEXT_MAX], addr[PU_MULTIADDR_TEXT_MAX];

	pu_log(PU_LOG_INFO, "relay", "connected", PU_KV_STR("peer", pu_peerid_text(&c->peer, id)),
	       PU_KV_STR("addr", pu_multiaddr_text(&c->remote, addr)));
}

static void on_disconnected(void *arg, struct pu_conn *c, int err, uint64_t code, bool last)
{
	char id[PU_PEERID_TEXT_MAX];

	pu_log(PU_LOG_INFO, "relay", "disconnected",
	       PU_KV_STR("peer", pu_peerid_text(&c->peer, id)), PU_KV_ERR(err));
}

/* Members. */

static void warn_line(void *arg, unsigned line, const char *text)
{
	pu_log(PU_LOG_WARN, "relay", text, PU_KV_STR("file", (const char *)arg),
	       PU_KV_U64("line", line));
}

static int load_members(struct pu_relay_server *s, struct pu_members **pset)
{
	char *file = s->cfg->authorized_keys_file;

	return pu_member_load(file, s->hash_key, warn_line, file, pset);
}

static void expel_stranger(void *arg, struct pu_conn *c)
{
	struct pu_relay_server *s = arg;
	char id[PU_PEERID_SHORT_MAX];

	if (pu_relay_server_allowed(s, &c->peer))
		return;
	pu_log(PU_LOG_INFO, "relay", "no longer authorized",
	       PU_KV_STR("peer", pu_peerid_short(&c->peer, id)));
	pu_hop_expel(s->hop, &c->peer);
	pu_conn_close(c, PU_CONN_CODE_GATED);
}

static void check_members(void *arg)
{
	struct pu_relay_server *s = arg;

	pu_host_each_conn(s->host, expel_stranger, s);
	pu_timer_set(&s->expiry, pu_loop_now(s->loop) + PU_SEC(EXPIRY_CHECK_S));
}

int pu_relay_server_reload_members(struct pu_relay_server *s)
{
	struct pu_members *set;
	int r = load_members(s, &set);

	if (r < 0) {
		pu_log(PU_LOG_ERROR, "relay", "cannot read the authorized keys, nothing changed",
		       PU_KV_STR("file", s->cfg->authorized_keys_file), PU_KV_ERR(r));
		return r;
	}
	pu_member_free(s->members);
	s->members = set;
	pu_log(PU_LOG_INFO, "relay", "authorized keys loaded",
	       PU_KV_U64("peers", pu_member_count(set)));
	check_members(s);
	return 0;
}

int pu_relay_server_reload(struct pu_relay_server *s, struct pu_relay_config *cfg)
{
	struct pu_hop_limits limits;

	pu_relay_config_free(s->cfg);
	s->cfg = cfg;
	pu_relay_config_limits(cfg, &limits);
	pu_hop_set_limits(s->hop, &limits);
	pu_relay_guests_reload(s->guests);
	pu_relay_announce(s);
	return pu_relay_server_reload_members(s);
}

/* Start and stop. */

static size_t circuit_addrs(void *arg, const struct pu_peerid *peer, struct pu_multiaddr *out,
			    size_t cap)
{
	const struct pu_relay_server *s = arg;

	return pu_hop_addrs_of(s->hop, peer, out, cap);
}

static bool may_reserve(void *arg, const struct pu_peerid *peer)
{
	return pu_relay_server_allowed(arg, peer);
}

static bool may_connect(void *arg, const struct pu_peerid *from, const struct pu_peerid *to)
{
	const struct pu_relay_server *s = arg;

	return pu_relay_guests_may_connect(s->guests, from, to);
}

static int make_services(struct pu_relay_server *s)
{
	const bool private_addrs = s->cfg->private_addresses;
	struct pu_hop_options hop = { .private_addrs = private_addrs, .may_reserve = may_reserve,
				      .may_connect = may_connect, .arg = s };
	struct pu_kad_options kad = { .network = s->cfg->network, .mode = PU_KAD_SERVER,
				      .more_addrs = circuit_addrs, .arg = s };
	struct pu_autonat_options autonat = { .serve = true, .private_addrs = private_addrs };
	int r;

	pu_relay_config_limits(s->cfg, &hop.limits);
	r = pu_relay_guests_new(s, &s->guests);
	if (r == 0)
		r = pu_hop_new(s->host, &hop, &s->hop);
	if (r == 0)
		r = pu_kad_new(s->host, &kad, &s->kad);
	if (r == 0)
		r = pu_autonat_new(s->host, &autonat, &s->autonat);
	if (r == 0)
		r = pu_relay_pairing_new(s, &s->pairing);
	if (r == 0)
		pu_relay_announce(s);
	return r;
}

static int make_host(struct pu_relay_server *s, const struct pu_relay_server_options *opt)
{
	struct pu_hop_limits limits;
	char agent[64];
	struct pu_host_config hc = {
		.loop = s->loop,
		.net = opt->net,
		.key = &s->key,
		.agent = agent,
		.stream_memory = STREAM_MEMORY,
		.tcp = { .order = { PU_SECURITY_TLS, PU_SECURITY_NOISE } },
		.gate = on_gate,
		.gate_arg = s,
	};
	int r;

	pu_relay_config_limits(s->cfg, &limits);
	snprintf(agent, sizeof agent, "relay-server/%s", opt->version);
	/* Peers that come back open the new connection before the old one has died. */
	hc.max_conns = CONNS_MIN + 2 * limits.max_reservations;
	hc.max_streams = STREAMS_BESIDES + limits.max_circuits_per_peer;
	r = pu_host_new(&hc, &s->host);
	if (r < 0)
		return r;
	s->observer = (struct pu_host_observer){ .on_connected = on_connected,
						 .on_disconnected = on_disconnected,
						 .arg = s };
	pu_host_observe(s->host, &s->observer);
	r = pu_ws_transport_add(s->host, &hc.tcp, NULL);
	return r < 0 ? r : make_services(s);
}

static int init(struct pu_relay_server *s, const struct pu_relay_server_options *opt,
		struct pu_failure *why)
{
	const char *keys = s->cfg->authorized_keys_file;
	int r = pu_identity_load(s->loop, s->cfg->key_file, opt->owner, &s->key, why);

	if (r < 0)
		return r;
	r = load_members(s, &s->members);
	if (r < 0)
		return pu_failure_set(why, r, keys, NULL, "%s", pu_err_text(r));
	r = make_host(s, opt);
	if (r < 0)
		return pu_failure_set(why, r, "relay", NULL, "%s", pu_err_text(r));
	return pu_listening_start(s->host, s->cfg->listen.v, s->cfg->listen.n, why);
}

int pu_relay_server_new(const struct pu_relay_server_options *opt, struct pu_relay_server **ps,
			struct pu_failure *why)
{
	struct pu_relay_server *s = calloc(1, sizeof *s);
	int r;

	*ps = NULL;
	if (!s) {
		pu_relay_config_free(opt->cfg);
		return PU_ENOMEM;
	}
	s->loop = opt->loop;
	s->cfg = opt->cfg;
	s->owner = opt->owner;
	s->started_at = pu_loop_now(s->loop);
	pu_events_init(&s->events);
	pu_loop_random(s->loop, s->hash_key, sizeof s->hash_key);
	pu_timer_init(&s->expiry, s->loop, check_members, s);
	r = init(s, opt, why);
	if (r < 0 && !s->host) {
		pu_relay_server_free(s);
		return r;
	}
	if (r == 0)
		check_members(s);
	*ps = s;
	return r;
}

void pu_relay_server_stop(struct pu_relay_server *s, pu_job_fn *on_stopped, void *arg)
{
	pu_timer_stop(&s->expiry);
	pu_relay_pairing_free(s->pairing);
	pu_autonat_free(s->autonat);
	pu_kad_free(s->kad);
	pu_hop_free(s->hop);
	pu_relay_guests_free(s->guests);
	s->pairing = NULL;
	s->guests = NULL;
	s->autonat = NULL;
	s->kad = NULL;
	s->hop = NULL;
	pu_host_unobserve(s->host, &s->observer);
	pu_host_stop(s->host, on_stopped, arg);
}

void pu_relay_server_free(struct pu_relay_server *s)
{
	if (!s)
		return;
	if (s->host)
		pu_host_free(s->host);
	pu_member_free(s->members);
	pu_key_deinit(&s->key);
	pu_relay_config_free(s->cfg);
	free(s);
}
