/* The program with a daemon that has a control API and nothing behind it: no host, no
 * device, no privileges. For tests of the command line.
 *
 * Peers are those of the names list. "home" answers pings in 1.5 ms, "far" through a
 * relay, every other one cannot be reached. "home" has a direct path beside a relayed one
 * that is silent. */
#include <signal.h>
#include <stdlib.h>
#include <uv.h>

#include "base/err.h"
#include "base/loop_uv.h"
#include "cli/cli.h"
#include "crypto/keystore.h"
#include "daemon/api.h"
#include "daemon/config.h"
#include "daemon/daemon.h"
#include "overlay/member_edit.h"
#include "overlay/name.h"
#include "overlay/service.h"

struct fake {
	const struct pu_daemon_options *opt;
	struct pu_loop_uv *driver;
	struct pu_loop *loop;
	struct pu_config *cfg;
	struct pu_names *names;
	struct pu_members *members;
	struct pu_key key;
	struct pu_api *api;
	uv_signal_t term;
	struct pu_multiaddr listen;
	struct pu_api_relay relays[2];
	unsigned n_reloads;
	/* At most one ping is under way. */
	struct pu_timer pong;
	pu_api_ping_fn *ping_done;
	void *ping_arg;
	struct pu_peerid ping_peer;
	uint64_t ping_id;
	/* And at most one trace. */
	struct pu_timer hop;
	pu_trace_fn *trace_done;
	void *trace_arg;
	struct pu_peerid trace_peer;
	/* And one machine being woken. */
	struct pu_timer wake;
	pu_api_wake_fn *wake_done;
	void *wake_arg;
	struct pu_peerid wake_via;
	struct pu_multiaddr circuit;
	/* And one service of the API, and one proxy. */
	char exposed[PU_SERVICE_NAME_MAX + 1], exposed_local[300];
	struct pu_timer link;
	pu_api_connected_fn *link_done;
	void *link_arg;
	struct pu_peerid proxy_peer;
	uint64_t proxy_id, last_proxy;
	char proxy_target[256], proxy_service[64], proxy_listen[300];
	struct pu_events events;
};

static const uint8_t hash_key[16] = { 7 };

/* One where we have a reservation, and one that refuses. */
static void fake_relays(struct fake *f, struct pu_api_status *out)
{
	for (size_t i = 0; i < PU_ARRAY_LEN(f->relays); i++)
		f->relays[i] = (struct pu_api_relay){ .relay = f->key.peer, .addr = &f->listen,
						      .state = "reserved",
						      .expires = 1700000000 };
	f->relays[1].state = "waiting";
	f->relays[1].expires = 0;
	f->relays[1].err = PU_EREFUSED;
	f->relays[1].status = "RESERVATION_REFUSED";
	out->relays = f->relays;
	out->n_relays = PU_ARRAY_LEN(f->relays);
}

static void fake_status(void *arg, struct pu_api_status *out)
{
	struct fake *f = arg;

	out->peer = &f->key.peer;
	out->name = pu_name_of(f->names, &f->key.peer);
	out->config = f->cfg->path;
	out->connected_peers = 1;
	out->n_services = (unsigned)f->cfg->n_services;
	out->listen = &f->listen;
	out->n_listen = 1;
	out->reach_grade = 'B';
	out->reach_label = "Good";
	out->reach_text = "Public IPv4 detected";
	out->reach_evidence = "interface 192.0.2.1";
	fake_relays(f, out);
	out->vpn.up = f->opt->force_vpn;
	out->vpn.interface = "peerup0";
	out->vpn.ipv4 = "10.64.1.2";
	out->vpn.ipv6 = "fd70:6565:7275::1";
	out->vpn.subnet = "10.64.0.0/16";
	out->vpn.mtu = 1400;
	out->vpn.dns_method = "none";
	out->vpn.dns_server = "10.64.0.53";
	out->vpn.dns_suffix = "p2p";
}

static void fake_each_peer(void *arg, pu_api_peer_fn *fn, void *fn_arg)
{
	static const struct pu_api_service services[] = { { "ssh", 22 }, { "files", 0 } };
	struct fake *f = arg;

	for (size_t i = 0; i < pu_name_count(f->names); i++) {
		struct pu_api_peer p = { .access = PU_ACCESS_SERVICES };

		p.name = pu_name_at(f->names, i, &p.id);
		p.authorized = pu_member_allowed(f->members, &p.id, pu_loop_unix(f->loop),
						 &p.access);
		p.connected = strcmp(p.name, "home") == 0;
		p.told = p.connected;
		p.granted = PU_ACCESS_NETWORK;
		p.agent = p.connected ? "peerup/\xff" "fake\033[31m" : NULL;
		p.path = "DIRECT";
		p.reason = "direct, the best kind of path";
		p.transport = "quic";
		p.security = "quic";
		p.remote = &f->listen;
		p.rtt = PU_US(12345);
		p.rx_bytes = 5000;
		p.ipv4 = "10.64.9.9";
		p.services = services;
		p.n_services = p.connected ? 2 : 0;
		fn(fn_arg, &p);
	}
}

static void fake_each_counter(void *arg, pu_api_counter_fn *fn, void *fn_arg)
{
	fn(fn_arg, "fake_reloads", ((struct fake *)arg)->n_reloads);
}

static int fake_resolve(void *arg, const char *text, struct pu_peerid *peer, bool *pfrom_id)
{
	struct fake *f = arg;
	enum pu_name_source source;
	int r = pu_name_resolve(f->names, "p2p", text, peer, &source);

	*pfrom_id = source == PU_NAME_FROM_ID;
	return r;
}

static void on_pong(void *arg)
{
	struct fake *f = arg;
	const char *name = pu_name_of(f->names, &f->ping_peer);
	struct pu_api_ping_result r = { .rtt = PU_US(1500), .error = "" };

	if (!name || (strcmp(name, "home") != 0 && strcmp(name, "far") != 0)) {
		r.err = PU_EUNREACH;
		r.unreachable = true;
		r.error = "no route to the destination";
	}
	r.relayed = name && strcmp(name, "far") == 0;
	f->ping_done(f->ping_arg, &r);
}

static int fake_ping(void *arg, const struct pu_peerid *peer, pu_api_ping_fn *on_done,
		     void *done_arg, uint64_t *pid)
{
	struct fake *f = arg;

	f->ping_peer = *peer;
	f->ping_done = on_done;
	f->ping_arg = done_arg;
	*pid = ++f->ping_id;
	pu_timer_set(&f->pong, pu_loop_now(f->loop) + PU_MS(1));
	return 0;
}

static void fake_ping_cancel(void *arg, uint64_t id)
{
	struct fake *f = arg;

	if (id == f->ping_id)
		pu_timer_stop(&f->pong);
}

/* The peer that a trace or a path leads to, or NULL. */
static const char *known(const struct fake *f, const struct pu_peerid *peer)
{
	const char *name = pu_name_of(f->names, peer);

	return name && (strcmp(name, "home") == 0 || strcmp(name, "far") == 0) ? name : NULL;
}

static void on_hop(void *arg)
{
	struct fake *f = arg;
	const char *name = known(f, &f->trace_peer);
	struct pu_trace_result r = { .err = name ? 0 : PU_EUNREACH };

	r.relayed = name && strcmp(name, "far") == 0;
	if (r.relayed)
		r.hop[r.n_hops++] = (struct pu_trace_hop){ f->key.peer, f->listen,
							   "relay-server/\033[31m1", 0, PU_US(700) };
	r.hop[r.n_hops++] = (struct pu_trace_hop){ f->trace_peer,
						   r.relayed ? f->circuit : f->listen, "peerup/1",
						   r.relayed ? PU_ETIMEDOUT : 0,
						   r.relayed ? 0 : PU_US(1500) };
	f->trace_done(f->trace_arg, &r);
}

static int fake_trace(void *arg, const struct pu_peerid *peer, pu_trace_fn *on_done,
		      void *done_arg, uint64_t *pid)
{
	struct fake *f = arg;

	f->trace_peer = *peer;
	f->trace_done = on_done;
	f->trace_arg = done_arg;
	*pid = 1;
	pu_timer_set(&f->hop, pu_loop_now(f->loop) + PU_MS(1));
	return 0;
}

static void fake_trace_cancel(void *arg, uint64_t id)
{
	pu_timer_stop(&((struct fake *)arg)->hop);
}

/* "home" wakes machines, the others do not want to. */
static void on_woken(void *arg)
{
	struct fake *f = arg;
	const char *name = pu_name_of(f->names, &f->wake_via);

	f->wake_done(f->wake_arg, name && strcmp(name, "home") == 0 ? 0 : PU_EDENIED);
}

static int fake_wake(void *arg, const struct pu_peerid *peer, const struct pu_peerid *via,
		     pu_api_wake_fn *on_done, void *done_arg, uint64_t *pid)
{
	struct fake *f = arg;

	f->wake_via = *via;
	f->wake_done = on_done;
	f->wake_arg = done_arg;
	*pid = 1;
	pu_timer_init(&f->wake, f->loop, on_woken, f);
	pu_timer_set(&f->wake, pu_loop_now(f->loop) + PU_MS(1));
	return 0;
}

static void fake_wake_cancel(void *arg, uint64_t id)
{
	pu_timer_stop(&((struct fake *)arg)->wake);
}

static struct pu_api_path fake_path(const struct fake *f, const struct pu_peerid *peer, bool relayed)
{
	return (struct pu_api_path){
		.peer = *peer,
		.path = relayed ? "RELAYED" : "DIRECT",
		.transport = "quic",
		.ip_version = "ipv4",
		.remote = relayed ? &f->circuit : &f->listen,
		.connected_at = 1700000000,
		.since = 1700000060,
		.rtt = relayed ? 0 : PU_US(12345),
		.state = relayed ? PU_HOST_PATH_SUSPECT : PU_HOST_PATH_ACTIVE,
		.silent = relayed ? PU_MS(4500) : 0,
		.n_suspected = relayed,
		.n_streams = 3,
		.has_limit = relayed,
		.limit_duration = PU_SEC(600),
	};
}

static void fake_each_path(void *arg, pu_api_path_fn *fn, void *fn_arg)
{
	struct fake *f = arg;

	for (size_t i = 0; i < pu_name_count(f->names); i++) {
		struct pu_peerid peer;
		const char *name = pu_name_at(f->names, i, &peer);
		struct pu_api_path p = fake_path(f, &peer, strcmp(name, "far") == 0);

		if (known(f, &peer))
			fn(fn_arg, &p);
	}
}

static int fake_why(void *arg, const struct pu_peerid *peer, struct pu_api_why *out)
{
	struct fake *f = arg;
	const char *name = pu_name_of(f->names, peer);

	if (!name)
		return PU_ENOENT;
	out->name = name;
	out->goal = "nothing";
	out->now = pu_loop_now(f->loop);
	out->clock = 1700000000;
	if (!known(f, peer)) {
		snprintf(out->reason, sizeof out->reason, "not connected: no address is known");
		return 0;
	}
	snprintf(out->reason, sizeof out->reason, "the other path is silent");
	out->path[out->n_paths++] = fake_path(f, peer, false);
	out->path[out->n_paths++] = fake_path(f, peer, true);
	out->addr[out->n_addrs++] = (struct pu_host_candidate){
		.ma = f->listen,
		.sources = 1u << PU_ADDR_CONFIG | 1u << PU_ADDR_RECORD,
		.worth = PU_WORTH_DIRECT,
		.usable = true,
		.n_attempts = 2,
		.attempt = { { PU_SEC(90), PU_MS(21), 0, PU_DIAL_DONE },
			     { PU_SEC(60), PU_SEC(15), PU_ETIMEDOUT, PU_DIAL_CONNECT } },
	};
	out->addr[out->n_addrs++] = (struct pu_host_candidate){
		.ma = f->circuit, .sources = 1u << PU_ADDR_RELAY, .usable = true,
		.retry_at = out->now + PU_SEC(5),
	};
	out->relay_dial[out->n_relay_dials++] = (struct pu_api_relay_dial){
		.relay = f->key.peer, .err = PU_EUNREACH, .status = "NO_RESERVATION",
		.at = 1700000030,
	};
	out->black_holes.udp = true;
	return 0;
}

static int load(struct fake *f, struct pu_failure *why)
{
	struct pu_config_diags *d = calloc(1, sizeof *d);
	struct pu_config *cfg = NULL;
	int r = pu_config_load(f->opt->paths.config, &cfg, d);

	if (r < 0)
		pu_config_diags_failure(d, f->opt->paths.config, why);
	free(d);
	if (r < 0)
		return r;
	pu_config_free(f->cfg);
	pu_name_free(f->names);
	pu_member_free(f->members);
	f->cfg = cfg;
	f->members = NULL;
	r = pu_name_new(hash_key, &f->names);
	for (size_t i = 0; i < cfg->n_names && r == 0; i++)
		r = pu_name_add(f->names, cfg->names[i].key.name, &cfg->names[i].peer);
	return r < 0 ? r : pu_member_load(cfg->authorized_keys_file, hash_key, NULL, NULL,
					  &f->members);
}

static int fake_reload(void *arg, struct pu_failure *why)
{
	struct fake *f = arg;
	int r = load(f, why);

	f->n_reloads++;
	pu_events_tell(&f->events, &(struct pu_event){ .kind = PU_EVENT_CONFIG,
						       .what = r < 0 ? "refused" : "loaded" });
	return r;
}

static void fake_shutdown(void *arg)
{
	struct fake *f = arg;

	pu_events_tell(&f->events, &(struct pu_event){ .kind = PU_EVENT_STOPPING });
	pu_api_stop(f->api);
	f->api = NULL;
	uv_close((uv_handle_t *)&f->term, NULL);
	pu_loop_uv_stop(f->driver);
}

static void on_term(uv_signal_t *h, int signum)
{
	struct fake *f = h->data;

	pu_loop_uv_enter(f->loop);
	fake_shutdown(f);
	pu_loop_uv_leave(f->loop);
}

/* --- services, proxies, members -------------------------------------------------------- */

static void fake_each_offered(void *arg, pu_api_offered_fn *fn, void *fn_arg)
{
	struct fake *f = arg;
	char protocol[PU_HOST_PROTOCOL_MAX + 1], local[300];

	for (size_t i = 0; i < f->cfg->n_services; i++) {
		const struct pu_config_service *s = &f->cfg->services[i];

		pu_service_protocol(s->key.name, 0, protocol);
		snprintf(local, sizeof local, "%s:%u", s->local.host, s->local.port);
		fn(fn_arg, &(struct pu_api_offered){ s->key.name, protocol, local, s->enabled,
						     .port = s->port, .opened = 3 });
	}
	if (!f->exposed[0])
		return;
	pu_service_protocol(f->exposed, 0, protocol);
	fn(fn_arg, &(struct pu_api_offered){ f->exposed, protocol, f->exposed_local, true,
					     .temporary = true });
}

static int fake_expose(void *arg, const struct pu_api_expose *e, struct pu_failure *why)
{
	struct fake *f = arg;
	const char *name = e->name, *local = e->local_address;

	if (pu_service_name_check(name) < 0)
		return pu_failure_set(why, PU_EINVAL, NULL, NULL,
				      "invalid service name: \"%s\" " PU_SERVICE_NAME_RULE, name);
	if (f->exposed[0] || pu_config_find_service(f->cfg, name))
		return pu_failure_set(why, PU_EEXIST, NULL, NULL, "service already registered: %s",
				      name);
	snprintf(f->exposed, sizeof f->exposed, "%s", name);
	snprintf(f->exposed_local, sizeof f->exposed_local, "%s", local);
	return 0;
}

static int fake_unexpose(void *arg, const char *name)
{
	struct fake *f = arg;

	if (!f->exposed[0] || strcmp(f->exposed, name) != 0)
		return PU_ENOENT;
	f->exposed[0] = '\0';
	return 0;
}

static int fake_each_peer_service(void *arg, const struct pu_peerid *peer, pu_api_service_fn *fn,
				  void *fn_arg)
{
	const char *name = pu_name_of(((struct fake *)arg)->names, peer);

	if (!name)
		return PU_ENOENT;
	if (strcmp(name, "home") == 0) {
		fn(fn_arg, &(struct pu_api_service){ "ssh", 22 });
		fn(fn_arg, &(struct pu_api_service){ "files", 0 });
	}
	return 0;
}

static void on_linked(void *arg)
{
	struct fake *f = arg;
	const char *why = "no route to the destination";
	struct pu_api_connected r = { .id = 0, .listen = f->proxy_listen, .why = why };

	if (!known(f, &f->proxy_peer)) {
		r.err = PU_EUNREACH;
		r.unreachable = true;
	} else {
		r.id = f->proxy_id = ++f->last_proxy;
	}
	f->link_done(f->link_arg, &r);
}

/* One proxy at a time, and it listens nowhere. */
static int fake_connect(void *arg, const struct pu_api_connect *c, pu_api_connected_fn *on_done,
			void *done_arg, uint64_t *pid)
{
	struct fake *f = arg;

	if (!strchr(c->listen, ':'))
		return PU_EINVAL;
	f->proxy_peer = c->peer;
	snprintf(f->proxy_target, sizeof f->proxy_target, "%s", c->target);
	snprintf(f->proxy_service, sizeof f->proxy_service, "%s", c->service);
	snprintf(f->proxy_listen, sizeof f->proxy_listen, "127.0.0.1%s", strrchr(c->listen, ':'));
	f->link_done = on_done;
	f->link_arg = done_arg;
	*pid = 1;
	pu_timer_set(&f->link, pu_loop_now(f->loop) + PU_MS(1));
	return 0;
}

static void fake_connect_cancel(void *arg, uint64_t id)
{
	pu_timer_stop(&((struct fake *)arg)->link);
}

static int fake_disconnect(void *arg, uint64_t id)
{
	struct fake *f = arg;

	if (id == 0 || id != f->proxy_id)
		return PU_ENOENT;
	f->proxy_id = 0;
	return 0;
}

static void fake_each_proxy(void *arg, pu_api_proxy_fn *fn, void *fn_arg)
{
	struct fake *f = arg;

	if (f->proxy_id)
		fn(fn_arg, &(struct pu_api_proxy){ .id = f->proxy_id, .peer = f->proxy_peer,
						   .target = f->proxy_target,
						   .service = f->proxy_service,
						   .listen = f->proxy_listen });
}

static bool fake_gating(void *arg)
{
	return ((struct fake *)arg)->cfg->gating;
}

static int fake_each_member(void *arg, pu_api_member_fn *fn, void *fn_arg, struct pu_failure *why)
{
	struct fake *f = arg;

	for (size_t i = 0; i < pu_member_count(f->members); i++)
		fn(fn_arg, pu_member_at(f->members, i));
	return 0;
}

static int changed(struct fake *f, int r, const struct pu_peerid *peer, const char *what,
		   struct pu_failure *why)
{
	if (r < 0)
		return pu_failure_set(why, r, f->cfg->authorized_keys_file, NULL, "%s",
				      pu_err_text(r));
	pu_events_tell(&f->events, &(struct pu_event){ .kind = PU_EVENT_AUTH_CHANGE, .peer = peer,
						       .what = what });
	return load(f, why);
}

static int fake_member_add(void *arg, const struct pu_api_new_member *m, struct pu_failure *why)
{
	struct fake *f = arg;

	return changed(f, pu_member_edit_add(f->cfg->authorized_keys_file, &m->peer, m->access,
					     m->comment, NULL),
		       &m->peer, "added", why);
}

static int fake_member_remove(void *arg, const struct pu_peerid *peer, struct pu_failure *why)
{
	struct fake *f = arg;

	return changed(f, pu_member_edit_remove(f->cfg->authorized_keys_file, peer), peer,
		       "removed", why);
}

static void fake_each_vpn_route(void *arg, pu_api_vpn_route_fn *fn, void *fn_arg)
{
	struct fake *f = arg;

	if (f->opt->force_vpn)
		fn(fn_arg, &(struct pu_api_vpn_route){ .prefix = "192.168.7.0/24",
						       .peer = f->key.peer, .in_use = true,
						       .offered = true });
}

static const struct pu_api_ops ops = {
	.status = fake_status,
	.each_peer = fake_each_peer,
	.each_counter = fake_each_counter,
	.resolve = fake_resolve,
	.ping = fake_ping,
	.ping_cancel = fake_ping_cancel,
	.reload = fake_reload,
	.shutdown = fake_shutdown,
	.each_path = fake_each_path,
	.why = fake_why,
	.trace = fake_trace,
	.trace_cancel = fake_trace_cancel,
	.wake = fake_wake,
	.wake_cancel = fake_wake_cancel,
	.each_offered = fake_each_offered,
	.expose = fake_expose,
	.unexpose = fake_unexpose,
	.each_peer_service = fake_each_peer_service,
	.connect = fake_connect,
	.connect_cancel = fake_connect_cancel,
	.disconnect = fake_disconnect,
	.each_proxy = fake_each_proxy,
	.gating = fake_gating,
	.each_member = fake_each_member,
	.member_add = fake_member_add,
	.member_remove = fake_member_remove,
	.each_vpn_route = fake_each_vpn_route,
};

static int start(struct fake *f)
{
	struct pu_api_options api = {
		.version = "0.0.1-fake", .ops = &ops, .ops_arg = f,
		.socket_path = f->opt->paths.socket, .cookie_path = f->opt->paths.cookie,
		.owner = f->opt->paths.owner, .events = &f->events,
	};
	uint8_t seed[32] = { 1 };
	int r = load(f, f->opt->why);

	if (r < 0)
		return r;
	/* Lets a test see a daemon that fails late, as a missing /dev/net/tun would. */
	if (getenv("FAKE_FAIL"))
		return pu_failure_set(f->opt->why, PU_EPERM, "/dev/net/tun",
				      "sudo peerup-vpn up", "permission denied by the system");
	pu_crypto_init();
	r = pu_keystore_load_or_create(f->cfg->key_file, seed, &f->key);
	if (r < 0)
		return pu_failure_set(f->opt->why, r, f->cfg->key_file, NULL, "%s",
				      pu_err_text(r));
	pu_loop_uv_new(&f->driver);
	f->loop = pu_loop_uv_loop(f->driver);
	pu_multiaddr_from_text(&f->listen, "/ip4/192.0.2.1/udp/4001/quic-v1");
	pu_multiaddr_from_text(&f->circuit, "/ip4/192.0.2.9/tcp/4001/p2p/"
					    "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5/"
					    "p2p-circuit");
	pu_timer_init(&f->pong, f->loop, on_pong, f);
	pu_timer_init(&f->hop, f->loop, on_hop, f);
	pu_timer_init(&f->link, f->loop, on_linked, f);
	uv_signal_init(pu_loop_uv_of(f->loop), &f->term);
	f->term.data = f;
	uv_signal_start(&f->term, on_term, SIGTERM);
	api.loop = f->loop;
	return pu_api_start(&api, &f->api, f->opt->why);
}

int pu_daemon_run(const struct pu_daemon_options *opt)
{
	struct fake f = { .opt = opt };
	int r;

	pu_events_init(&f.events);
	r = start(&f);

	if (r == 0) {
		if (opt->on_ready)
			opt->on_ready(opt->ready_arg);
		pu_loop_uv_run(f.driver);
	} else if (f.driver) {
		uv_close((uv_handle_t *)&f.term, NULL);
	}
	if (f.driver)
		pu_timer_stop(&f.pong);
	if (f.driver)
		pu_timer_stop(&f.hop);
	if (f.driver)
		pu_timer_stop(&f.link);
	pu_loop_uv_free(f.driver);
	pu_config_free(f.cfg);
	pu_name_free(f.names);
	pu_member_free(f.members);
	pu_key_deinit(&f.key);
	return r;
}

int main(int argc, char **argv)
{
	return pu_cli_main(argc, argv);
}
