#include "daemon/node_apply.h"

#include <netdb.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/node_addresses.h"
#include "daemon/node_path.h"
#include "p2p/host/paths.h"

static void tell_peer(struct pu_node *n, struct pu_roster_peer *p)
{
	if (n->ev)
		n->ev->on_peer(n->arg, p);
}

static void tell_change(struct pu_node *n, const struct pu_peerid *peer, const char *what)
{
	pu_events_tell(&n->events, &(struct pu_event){ .kind = PU_EVENT_AUTH_CHANGE, .peer = peer,
						       .what = what });
}

/* What the peer has here ends now. */
static void cut(struct pu_node *n, struct pu_roster_peer *p)
{
	char id[PU_PEERID_SHORT_MAX];

	pu_log(PU_LOG_INFO, "node", "peer is no longer authorised",
	       PU_KV_STR("peer", pu_peerid_short(&p->id, id)));
	pu_host_set_own_relay(n->host, &p->id, false);
	pu_services_cut(n->services, &p->id);
	pu_sessions_drop(n->sessions, &p->id);
	pu_reachability_expel(n->reachability, &p->id);
	pu_host_disconnect(n->host, &p->id, PU_CONN_CODE_GATED);
	tell_peer(n, p);
}

/* Its time has come, or has not any more: clocks are set both ways. */
static void lapse(struct pu_node *n, struct pu_roster_peer *p, bool over)
{
	p->lapsed = over;
	tell_change(n, &p->id, over ? "expired" : "changed");
	if (over) {
		cut(n, p);
	} else {
		pu_host_set_own_relay(n->host, &p->id, true);
		tell_peer(n, p);
	}
	pu_node_keep(n, &p->id, pu_node_wants(n, p));
}

void pu_node_check_expiry(struct pu_node *n)
{
	int64_t now = pu_loop_unix(n->loop);

	for (uint32_t h = 1; h <= pu_roster_count(n->roster); h++) {
		struct pu_roster_peer *p = pu_roster_at(n->roster, h);

		if (p->authorized && p->lapsed != (now >= p->expires))
			lapse(n, p, !p->lapsed);
	}
}

static void warn_line(void *arg, unsigned line, const char *text)
{
	pu_log(PU_LOG_WARN, "members", text, PU_KV_STR("file", arg), PU_KV_U64("line", line));
}

/* NULL: nothing that anybody wants to know changed. */
static const char *change_of(const struct pu_roster_peer *p, const struct pu_member *m,
			     enum pu_sas_state trust)
{
	if (!p->authorized)
		return "added";
	if (p->access != m->access || p->expires != m->expires)
		return "changed";
	if (p->trust != trust)
		return trust == PU_SAS_VERIFIED ? "verified" : "changed";
	return NULL;
}

/* Where members come from. quiet: the first time, which changes nothing for anybody. */
struct source {
	char *file;
	bool quiet;
};

static void apply_member(struct pu_node *n, const struct pu_member *m, const struct source *from)
{
	enum pu_sas_state trust = pu_sas_check(&n->key.peer, &m->peer, m->verified);
	bool over = pu_loop_unix(n->loop) >= m->expires;
	struct pu_roster_peer *p;
	const char *change;

	if (m->barred || pu_roster_add(n->roster, &m->peer, &p) < 0)
		return;
	change = change_of(p, m, trust);
	if (trust == PU_SAS_STALE && p->trust != trust)
		warn_line(from->file, m->line,
			  "verified= belongs to other identities, taken as not verified");
	/* One who was out of time and is let in again is looked after by the next check. */
	if (!p->authorized)
		p->lapsed = over;
	p->authorized = true;
	p->access = m->access;
	p->expires = m->expires;
	p->trust = trust;
	if (!p->lapsed)
		pu_host_set_own_relay(n->host, &m->peer, true);
	if (change && !from->quiet)
		tell_change(n, &m->peer, change);
}

/* No member any more: its connections and streams end now. */
static void expel(struct pu_node *n, struct pu_roster_peer *p)
{
	p->authorized = false;
	p->lapsed = false;
	p->trust = PU_SAS_UNVERIFIED;
	cut(n, p);
	tell_change(n, &p->id, "removed");
}

static bool is_member(const struct pu_members *set, const struct pu_peerid *id)
{
	const struct pu_member *m = pu_member_find(set, id);

	return m && !m->barred;
}

static void apply_members(struct pu_node *n, const struct pu_members *set,
			  const struct source *from)
{
	struct pu_roster_peer *p;

	for (size_t i = 0; i < pu_member_count(set); i++)
		apply_member(n, pu_member_at(set, i), from);
	for (uint32_t h = 1; h <= pu_roster_count(n->roster); h++) {
		p = pu_roster_at(n->roster, h);
		if (p->authorized && !is_member(set, &p->id))
			expel(n, p);
	}
}

static int load_members(struct pu_node *n, const struct pu_config *cfg, struct pu_members **pset,
			struct pu_failure *why)
{
	int r = pu_member_load(cfg->authorized_keys_file, n->hash_key, warn_line,
			       cfg->authorized_keys_file, pset);

	return r < 0 ? pu_failure_set(why, r, cfg->authorized_keys_file, NULL, "%s",
				      pu_err_text(r)) : 0;
}

static void apply_names(struct pu_node *n, const struct pu_config *cfg)
{
	struct pu_roster_peer *p;

	for (uint32_t h = 1; h <= pu_roster_count(n->roster); h++)
		pu_roster_at(n->roster, h)->name[0] = '\0';
	for (size_t i = 0; i < cfg->n_names; i++) {
		if (pu_roster_add(n->roster, &cfg->names[i].peer, &p) < 0 || p->name[0])
			continue;
		snprintf(p->name, sizeof p->name, "%s", cfg->names[i].key.name);
	}
}

static void want_address(struct pu_node *n, const struct pu_peerid *peer,
			 const struct pu_multiaddr *ma)
{
	struct pu_roster_peer *p;

	if (pu_roster_add(n->roster, peer, &p) < 0 || p == n->self)
		return;
	p->configured = true;
	pu_host_add_addr(n->host, peer, ma, true);
}

/* peers.<id>.addresses and discovery.bootstrap_peers. */
static void apply_addresses(struct pu_node *n, const struct pu_config *cfg)
{
	struct pu_multiaddr addr;
	struct pu_peerid id;

	for (size_t i = 0; i < cfg->n_peers; i++) {
		const struct pu_config_peer *c = &cfg->peers[i];

		for (size_t j = 0; !pu_peerid_empty(&c->peer) && j < c->addrs.n; j++) {
			pu_multiaddr_split_peer(&c->addrs.v[j], &addr, &id);
			want_address(n, &c->peer, &addr);
		}
	}
	for (size_t i = 0; i < cfg->bootstrap.n; i++)
		if (pu_multiaddr_split_peer(&cfg->bootstrap.v[i], &addr, &id) == 0)
			want_address(n, &id, &addr);
}

static void forget_addresses(struct pu_node *n, const struct pu_config *old)
{
	struct pu_multiaddr addr;
	struct pu_peerid id;

	for (uint32_t h = 1; h <= pu_roster_count(n->roster); h++)
		pu_roster_at(n->roster, h)->configured = false;
	for (size_t i = 0; i < old->n_peers; i++) {
		const struct pu_config_peer *c = &old->peers[i];

		for (size_t j = 0; j < c->addrs.n; j++) {
			pu_multiaddr_split_peer(&c->addrs.v[j], &addr, &id);
			pu_host_remove_addr(n->host, &c->peer, &addr);
		}
	}
	for (size_t i = 0; i < old->bootstrap.n; i++)
		if (pu_multiaddr_split_peer(&old->bootstrap.v[i], &addr, &id) == 0)
			pu_host_remove_addr(n->host, &id, &addr);
}

/* Services usually live on this machine; a name is looked up once, when the config
 * is applied. "localhost" means IPv4 here, whatever /etc/hosts prefers. */
static int service_address(const struct pu_hostport *hp, union pu_sockaddr *sa)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *res;
	const char *host = strcmp(hp->host, "localhost") == 0 ? "127.0.0.1" : hp->host;
	char port[8];

	snprintf(port, sizeof port, "%u", hp->port);
	if (getaddrinfo(host, port, &hints, &res) != 0)
		return PU_ENOENT;
	memset(sa, 0, sizeof *sa);
	memcpy(sa, res->ai_addr, pu_min(res->ai_addrlen, sizeof *sa));
	freeaddrinfo(res);
	return 0;
}

static void apply_service(struct pu_node *n, const struct pu_config_service *c)
{
	struct pu_service_config sc = { .name = c->key.name, .port = c->port };
	int r = service_address(&c->local, &sc.local);

	/* allowed_peers whose entries are all bad allow nobody, not everybody. */
	if (c->allowed.given > 0) {
		static const struct pu_peerid nobody;

		sc.peers = c->allowed.n ? c->allowed.v : &nobody;
		sc.n_peers = c->allowed.n;
	}
	if (r == 0)
		r = pu_services_add(n->services, &sc);
	if (r < 0)
		pu_log(PU_LOG_ERROR, "service", "cannot expose", PU_KV_STR("service", c->key.name),
		       PU_KV_STR("local_address", c->local.host), PU_KV_ERR(r));
}

static bool same_service(const struct pu_config_service *a, const struct pu_config_service *b)
{
	return a && b && a->enabled == b->enabled && a->port == b->port &&
	       a->local.port == b->local.port && strcmp(a->local.host, b->local.host) == 0 &&
	       a->allowed.given == b->allowed.given && a->allowed.n == b->allowed.n &&
	       (a->allowed.n == 0 ||
		memcmp(a->allowed.v, b->allowed.v, a->allowed.n * sizeof *a->allowed.v) == 0);
}

/* Services that did not change keep their protocols registered all the time. */
static void apply_services(struct pu_node *n, const struct pu_config *old,
			   const struct pu_config *cfg)
{
	for (size_t i = 0; old && i < old->n_services; i++) {
		const struct pu_config_service *s = &old->services[i];

		if (s->enabled && !same_service(s, pu_config_find_service(cfg, s->key.name)))
			pu_services_remove(n->services, s->key.name);
	}
	for (size_t i = 0; i < cfg->n_services; i++) {
		const struct pu_config_service *s = &cfg->services[i];
		const struct pu_config_service *was =
			old ? pu_config_find_service(old, s->key.name) : NULL;

		if (s->enabled && !same_service(s, was))
			apply_service(n, s);
	}
}

int pu_node_apply(struct pu_node *n, const struct pu_config *cfg, struct pu_failure *why)
{
	const struct pu_config *old = n->cfg == cfg ? NULL : n->cfg;
	struct pu_members *set;
	int r = load_members(n, cfg, &set, why);

	if (r < 0)
		return r;
	if (old)
		forget_addresses(n, old);
	apply_members(n, set, &(struct source){ cfg->authorized_keys_file, !old });
	pu_member_free(set);
	apply_names(n, cfg);
	apply_addresses(n, cfg);
	apply_services(n, old, cfg);
	pu_reachability_apply(n->reachability, cfg);
	pu_node_save_addresses(n);
	return 0;
}

bool pu_node_wants(const struct pu_node *n, const struct pu_roster_peer *p)
{
	const struct pu_config *cfg = n->cfg;

	if (p == n->self)
		return false;
	/* Somebody who may know where the peer is. */
	return p->configured ||
	       (p->authorized && !p->lapsed &&
		(cfg->relays.n > 0 || (cfg->dht && cfg->bootstrap.n > 0)));
}

/* Who is wanted may have changed for every peer. */
static void settle_peers(struct pu_node *n)
{
	for (uint32_t h = 1; h <= pu_roster_count(n->roster); h++) {
		struct pu_roster_peer *p = pu_roster_at(n->roster, h);

		pu_node_keep(n, &p->id, pu_node_wants(n, p));
		tell_peer(n, p);
	}
	pu_offers_publish(n->offers);
}

int pu_node_reload(struct pu_node *n, struct pu_config *cfg, struct pu_failure *why)
{
	int r = pu_node_apply(n, cfg, why);

	if (r < 0)
		return r;
	pu_config_free(n->cfg);
	n->cfg = cfg;
	pu_node_check_expiry(n);
	settle_peers(n);
	return 0;
}

int pu_node_reload_members(struct pu_node *n, struct pu_failure *why)
{
	struct pu_members *set;
	int r = load_members(n, n->cfg, &set, why);

	if (r < 0)
		return r;
	apply_members(n, set, &(struct source){ n->cfg->authorized_keys_file, false });
	pu_member_free(set);
	pu_node_check_expiry(n);
	pu_node_save_addresses(n);
	settle_peers(n);
	return 0;
}

void pu_node_revoke(struct pu_node *n, const struct pu_peerid *peer)
{
	struct pu_roster_peer *p = pu_roster_find(n->roster, peer);

	if (!p || !p->authorized)
		return;
	expel(n, p);
	pu_node_keep(n, peer, pu_node_wants(n, p));
}
