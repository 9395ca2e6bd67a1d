#include "daemon/oneshot_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "crypto/key.h"
#include "daemon/config.h"
#include "daemon/node_offer.h"
#include "daemon/version.h"
#include "p2p/transport/net_uv.h"

enum { TICK_MS = 50 };

static void ignore_shutdown(void *arg)
{
}

/* The ports of the config may belong to somebody else, and nobody is to call us. */
static int listen_anywhere(struct pu_config *cfg)
{
	static const char *const texts[] = { "/ip4/0.0.0.0/udp/0/quic-v1", "/ip6/::/udp/0/quic-v1",
					     "/ip4/0.0.0.0/tcp/0", "/ip6/::/tcp/0" };
	struct pu_multiaddr *v = calloc(PU_ARRAY_LEN(texts), sizeof *v);

	if (!v)
		return PU_ENOMEM;
	for (size_t i = 0; i < PU_ARRAY_LEN(texts); i++)
		if (pu_multiaddr_from_text(&v[i], texts[i]) < 0)
			abort(); /* a constant of ours */
	free(cfg->listen.v);
	cfg->listen.v = v;
	cfg->listen.n = PU_ARRAY_LEN(texts);
	return 0;
}

static int load_config(const struct pu_oneshot *o, struct pu_config **pcfg,
		       struct pu_failure *why)
{
	struct pu_config_diags *diags = calloc(1, sizeof *diags);
	struct pu_config *cfg;
	int r = diags ? pu_config_load(o->paths.config, &cfg, diags) : PU_ENOMEM;

	if (r < 0 && diags)
		pu_config_diags_failure(diags, o->paths.config, why);
	free(diags);
	if (r < 0)
		return r;
	r = o->host ? 0 : listen_anywhere(cfg);
	if (r < 0)
		pu_config_free(cfg);
	else
		*pcfg = cfg;
	return r;
}

static int reload(void *arg, struct pu_failure *why)
{
	struct pu_oneshot *o = arg;
	struct pu_config *cfg;
	int r = load_config(o, &cfg, why);

	if (r < 0)
		return r;
	r = pu_node_reload(o->node, cfg, why);
	if (r < 0)
		pu_config_free(cfg);
	return r;
}

static int make_node(struct pu_oneshot *o, struct pu_failure *why)
{
	struct pu_node_options opt = { .loop = o->loop, .net = o->net, .paths = &o->paths,
				       .version = PU_VERSION };
	struct pu_control_options copt = { .shutdown = ignore_shutdown,
					   .reload = reload,
					   .arg = o };
	int r = load_config(o, &opt.cfg, why);

	if (r == 0)
		r = pu_node_new(&opt, &o->node, why);
	if (r < 0)
		return r;
	copt.node = o->node;
	return pu_control_new(&copt, &o->control);
}

static void on_timeout(void *arg)
{
	struct pu_oneshot *o = arg;

	pu_loop_uv_stop(o->driver);
}

static void on_tick(void *arg)
{
	struct pu_oneshot *o = arg;

	if (o->done && o->done(o->done_arg))
		pu_loop_uv_stop(o->driver);
	else
		pu_timer_set(&o->tick, pu_loop_now(o->loop) + PU_MS(TICK_MS));
}

static int make(const struct pu_paths *paths, bool host, struct pu_oneshot **po,
		struct pu_failure *why)
{
	struct pu_oneshot *o = calloc(1, sizeof *o);
	int r = o ? pu_crypto_init() : PU_ENOMEM;

	if (r == 0) {
		o->paths = *paths;
		o->host = host;
		r = pu_loop_uv_new(&o->driver);
	}
	if (r == 0) {
		o->loop = pu_loop_uv_loop(o->driver);
		pu_timer_init(&o->timeout, o->loop, on_timeout, o);
		pu_timer_init(&o->tick, o->loop, on_tick, o);
		r = pu_net_uv_new(o->loop, &o->net);
	}
	if (r == 0)
		r = make_node(o, why);
	if (r < 0) {
		pu_failure_set(why, r, "peerup-vpn", NULL, "%s", pu_err_text(r));
		pu_oneshot_free(o);
		return r;
	}
	pu_loop_uv_enter(o->loop);
	pu_node_start(o->node);
	/* Its addresses are what it tells others; a node that only asks needs none. */
	if (host)
		pu_interfaces_start(o->node, &o->interfaces);
	pu_loop_uv_leave(o->loop);
	*po = o;
	return 0;
}

int pu_oneshot_new(const struct pu_paths *paths, struct pu_oneshot **po, struct pu_failure *why)
{
	return make(paths, false, po, why);
}

int pu_oneshot_new_host(const struct pu_paths *paths, struct pu_oneshot **po,
			struct pu_failure *why)
{
	return make(paths, true, po, why);
}

struct pu_pairing *pu_oneshot_pairing(struct pu_oneshot *o)
{
	return pu_control_pairing(o->control);
}

void pu_oneshot_enter(struct pu_oneshot *o)
{
	pu_loop_uv_enter(o->loop);
}

void pu_oneshot_leave(struct pu_oneshot *o)
{
	pu_loop_uv_leave(o->loop);
}

void pu_oneshot_run(struct pu_oneshot *o, bool (*done)(void *arg), void *arg)
{
	o->done = done;
	o->done_arg = arg;
	pu_loop_uv_enter(o->loop);
	pu_timer_set(&o->tick, pu_loop_now(o->loop));
	pu_loop_uv_leave(o->loop);
	pu_loop_uv_run(o->driver);
	pu_timer_stop(&o->tick);
	o->done = NULL;
}

static void stop_node(struct pu_oneshot *o)
{
	pu_loop_uv_enter(o->loop);
	pu_node_stop(o->node, on_timeout, o);
	pu_loop_uv_leave(o->loop);
	pu_loop_uv_run(o->driver);
}

void pu_oneshot_free(struct pu_oneshot *o)
{
	if (!o)
		return;
	if (o->node)
		pu_loop_uv_enter(o->loop);
	pu_control_free(o->control);
	pu_interfaces_stop(o->interfaces);
	if (o->node) {
		pu_loop_uv_leave(o->loop);
		stop_node(o);
	}
	pu_node_free(o->node);
	if (o->net)
		pu_net_uv_free(o->net);
	if (o->driver) {
		pu_timer_stop(&o->timeout);
		pu_timer_stop(&o->tick);
		pu_loop_uv_free(o->driver);
	}
	free(o);
}

static void on_pong(void *arg, const struct pu_api_ping_result *r)
{
	struct pu_oneshot *o = arg;

	*o->pong = (struct pu_oneshot_pong){ .err = r->err, .relayed = r->relayed, .rtt = r->rtt };
	if (r->err)
		snprintf(o->pong->error, sizeof o->pong->error, "%.*s",
			 (int)strcspn(r->error, "\n"), r->error);
	o->pong = NULL;
	pu_loop_uv_stop(o->driver);
}

static void fail(struct pu_oneshot_pong *out, int err)
{
	*out = (struct pu_oneshot_pong){ .err = err };
	snprintf(out->error, sizeof out->error, "%s", pu_err_text(err));
}

void pu_oneshot_ping(struct pu_oneshot *o, const struct pu_peerid *peer,
		     struct pu_oneshot_pong *out)
{
	uint64_t id;
	int r;

	o->pong = out;
	pu_loop_uv_enter(o->loop);
	r = pu_control_ops.ping(o->control, peer, on_pong, o, &id);
	pu_timer_set(&o->timeout, pu_loop_now(o->loop) + PU_SEC(PU_ONESHOT_TIMEOUT_S));
	pu_loop_uv_leave(o->loop);
	if (r < 0) {
		fail(out, r);
		o->pong = NULL;
	} else {
		pu_loop_uv_run(o->driver);
	}
	pu_timer_stop(&o->timeout);
	if (o->pong) {
		pu_control_ops.ping_cancel(o->control, id);
		fail(out, PU_ETIMEDOUT);
		o->pong = NULL;
	}
}

static void on_traced(void *arg, const struct pu_trace_result *r)
{
	struct pu_oneshot *o = arg;

	*o->trace = *r;
	for (size_t i = 0; i < r->n_hops; i++)
		o->trace->hop[i].agent = "";
	o->trace = NULL;
	pu_loop_uv_stop(o->driver);
}

void pu_oneshot_trace(struct pu_oneshot *o, const struct pu_peerid *peer,
		      struct pu_trace_result *out)
{
	uint64_t id;
	int r;

	o->trace = out;
	pu_loop_uv_enter(o->loop);
	r = pu_control_ops.trace(o->control, peer, on_traced, o, &id);
	pu_timer_set(&o->timeout, pu_loop_now(o->loop) + PU_SEC(PU_ONESHOT_TIMEOUT_S));
	pu_loop_uv_leave(o->loop);
	if (r == 0)
		pu_loop_uv_run(o->driver);
	pu_timer_stop(&o->timeout);
	if (!o->trace)
		return;
	if (r == 0)
		pu_control_ops.trace_cancel(o->control, id);
	*out = (struct pu_trace_result){ .err = r < 0 ? r : PU_ETIMEDOUT };
	o->trace = NULL;
}

struct look {
	const struct pu_peerid *peer;
	pu_api_peer_fn *fn;
	void *arg;
	bool found;
};

static void show_if_wanted(void *arg, const struct pu_api_peer *p)
{
	struct look *l = arg;

	if (!pu_peerid_eq(&p->id, l->peer))
		return;
	l->found = true;
	l->fn(l->arg, p);
}

static bool is_settled(const struct pu_oneshot *o, const struct pu_peerid *peer)
{
	const struct pu_roster_peer *p = pu_roster_find(o->node->roster, peer);

	return !p || pu_node_offer_settled(o->node, p);
}

int pu_oneshot_look(struct pu_oneshot *o, const struct pu_peerid *peer, pu_api_peer_fn *fn,
		    void *arg)
{
	enum { STEP_MS = 50 };
	struct look l = { .peer = peer, .fn = fn, .arg = arg };

	for (unsigned i = 0; i < PU_ONESHOT_LOOK_MS / STEP_MS && !is_settled(o, peer); i++) {
		pu_loop_uv_enter(o->loop);
		pu_timer_set(&o->timeout, pu_loop_now(o->loop) + PU_MS(STEP_MS));
		pu_loop_uv_leave(o->loop);
		pu_loop_uv_run(o->driver);
	}
	pu_control_ops.each_peer(o->control, show_if_wanted, &l);
	return l.found ? 0 : PU_ENOENT;
}

struct waking {
	struct pu_oneshot *oneshot;
	bool done;
	int err;
};

static void on_woken(void *arg, int err)
{
	struct waking *w = arg;

	w->done = true;
	w->err = err;
	pu_loop_uv_stop(w->oneshot->driver);
}

int pu_oneshot_wake(struct pu_oneshot *o, const struct pu_peerid *peer,
		    const struct pu_peerid *via)
{
	struct waking w = { .oneshot = o };
	uint64_t id;
	int r;

	pu_loop_uv_enter(o->loop);
	r = pu_control_ops.wake(o->control, peer, via, on_woken, &w, &id);
	pu_timer_set(&o->timeout, pu_loop_now(o->loop) + PU_SEC(PU_ONESHOT_TIMEOUT_S));
	pu_loop_uv_leave(o->loop);
	if (r == 0 && !w.done)
		pu_loop_uv_run(o->driver);
	pu_timer_stop(&o->timeout);
	if (r < 0 || w.done)
		return r < 0 ? r : w.err;
	pu_control_ops.wake_cancel(o->control, id);
	return PU_ETIMEDOUT;
}
