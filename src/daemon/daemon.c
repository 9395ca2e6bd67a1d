#include "daemon/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "crypto/key.h"
#include "daemon/control.h"
#include "daemon/interfaces.h"
#include "daemon/janitor.h"
#include "daemon/node.h"
#include "daemon/portmapper.h"
#include "daemon/process.h"
#include "daemon/version.h"
#include "daemon/vpn.h"
#include "p2p/transport/net_uv.h"
#include "platform/platform.h"

enum { STOP_DELAY_MS = 100 /* an API client still gets its answer */ };

/*~ The parts of a running node, in the order in which they are started; stopping
 *~ goes through the same list backwards. */
struct daemon {
	const struct pu_daemon_options *opt;
	struct pu_config *cfg; /* until the node takes it */
	bool with_vpn;
	struct pu_janitor janitor;
	struct pu_process process;
	struct pu_loop *loop; /* the process's */
	struct pu_node *node;
	struct pu_vpn *vpn;		    /* or, without a device, … */
	struct pu_interfaces *interfaces; /* … only its eyes */
	struct pu_portmapper *portmapper; /* NULL: off */
	struct pu_control *control;
	struct pu_api *api;
	struct pu_timer stop_timer;
	bool stopping;
	unsigned n_stopping; /* parts that take their time */
	int result;
};

static int load_config(const char *path, struct pu_config **pcfg, struct pu_failure *why)
{
	struct pu_config_diags *diags = calloc(1, sizeof *diags);
	int r;

	if (!diags)
		return PU_ENOMEM;
	r = pu_config_load(path, pcfg, diags);
	pu_process_log_warnings(diags, path);
	if (r < 0)
		pu_config_diags_failure(diags, path, why);
	free(diags);
	return r;
}

/* --- stopping --------------------------------------------------------------------- */

static void one_part_stopped(void *arg)
{
	struct daemon *d = arg;

	if (--d->n_stopping == 0)
		pu_loop_uv_stop(d->process.driver);
}

static void stop(void *arg)
{
	struct daemon *d = arg;

	if (d->stopping)
		return;
	d->stopping = true;
	pu_log_msg(PU_LOG_INFO, "daemon", "stopping");
	pu_platform_notify("STOPPING=1");
	pu_events_tell(&d->node->events, &(struct pu_event){ .kind = PU_EVENT_STOPPING });
	pu_api_stop(d->api);
	pu_control_free(d->control);
	pu_vpn_stop(d->vpn);
	pu_interfaces_stop(d->interfaces);
	d->interfaces = NULL;
	d->api = NULL;
	d->control = NULL;
	d->vpn = NULL;
	d->n_stopping = 1 + !!d->portmapper;
	if (d->portmapper)
		pu_portmapper_stop(d->portmapper, one_part_stopped, d);
	pu_node_stop(d->node, one_part_stopped, d);
}

static void stop_soon(struct daemon *d, pu_time delay)
{
	if (!d->stopping && !pu_timer_active(&d->stop_timer))
		pu_timer_set(&d->stop_timer, pu_loop_now(d->loop) + delay);
}

static void on_shutdown_request(void *arg)
{
	stop_soon(arg, PU_MS(STOP_DELAY_MS));
}

static void on_device_lost(void *arg)
{
	struct daemon *d = arg;

	d->result = PU_EIO;
	pu_failure_set(d->opt->why, PU_EIO, "network device", "sudo peerup-vpn up",
		       "it was removed while in use");
	stop_soon(d, 0);
}

static void tell(struct daemon *d, enum pu_event_kind kind, const char *what, const char *detail)
{
	pu_events_tell(&d->node->events,
		       &(struct pu_event){ .kind = kind, .what = what, .detail = detail });
}

static int reload(struct daemon *d, struct pu_failure *why)
{
	struct pu_config *cfg;
	int r = load_config(d->opt->paths.config, &cfg, why);

	if (r < 0)
		return r;
	r = pu_node_reload(d->node, cfg, why);
	if (r < 0)
		pu_config_free(cfg);
	return r;
}

static int on_reload_request(void *arg, struct pu_failure *why)
{
	struct daemon *d = arg;
	int r = reload(d, why);

	if (r == 0)
		pu_log_msg(PU_LOG_INFO, "daemon", "configuration loaded again");
	tell(d, PU_EVENT_CONFIG, r < 0 ? "refused" : "loaded", r < 0 && why ? why->why : NULL);
	return r;
}

static void on_signal(void *arg, int signum)
{
	struct daemon *d = arg;
	struct pu_failure why = { .what = "" };

	if (signum != SIGHUP)
		stop(d);
	else if (on_reload_request(d, &why) < 0)
		pu_log(PU_LOG_ERROR, "daemon", "reload failed, nothing changed",
		       PU_KV_STR("what", why.what), PU_KV_STR("why", why.why));
}

/* --- starting --------------------------------------------------------------------- */

static int make_loop(struct daemon *d)
{
	int r = pu_process_start(&d->process, on_signal, d);

	d->loop = d->process.loop;
	if (d->loop)
		pu_timer_init(&d->stop_timer, d->loop, stop, d);
	if (r == 0 && geteuid() == 0 && d->opt->paths.owner.set)
		pu_net_uv_set_owner(d->process.net, d->opt->paths.owner.uid);
	return r;
}

static int make_node(struct daemon *d)
{
	const struct pu_node_options opt = {
		.loop = d->loop,
		.net = d->process.net,
		.paths = &d->opt->paths,
		.cfg = d->cfg,
		.version = PU_VERSION,
	};

	d->cfg = NULL; /* the node's, even on failure */
	return pu_node_new(&opt, &d->node, d->opt->why);
}

/* From here on the process has what a running node needs and no more. */
static int drop_rights(struct daemon *d)
{
	if (d->vpn)
		pu_vpn_seal(d->vpn);
	return pu_process_drop_rights(&d->opt->paths.owner, d->opt->why);
}

/* A machine that starts without a network has nothing to map yet. */
static void map_ports(struct daemon *d)
{
	int r;

	if (!d->node->cfg->port_mapping || d->node->cfg->force_private)
		return;
	r = pu_portmapper_start(d->node, &d->portmapper);
	if (r < 0 && r != PU_ENOENT)
		pu_log(PU_LOG_WARN, "daemon", "the router is not asked for open ports",
		       PU_KV_ERR(r));
}

static void on_network_change(void *arg)
{
	struct daemon *d = arg;

	if (d->stopping)
		return;
	if (d->portmapper)
		pu_portmapper_network_changed(d->portmapper);
	else
		map_ports(d);
}

static int open_control(struct daemon *d)
{
	const struct pu_control_options copt = {
		.node = d->node,
		.vpn = d->vpn,
		.shutdown = on_shutdown_request,
		.reload = on_reload_request,
		.arg = d,
	};
	struct pu_api_options aopt = {
		.loop = d->loop,
		.version = PU_VERSION,
		.socket_path = d->opt->paths.socket,
		.cookie_path = d->opt->paths.cookie,
		.owner = d->opt->paths.owner,
		.ops = &pu_control_ops,
		.events = &d->node->events,
	};
	int r = pu_control_new(&copt, &d->control);

	if (r < 0)
		return r;
	aopt.ops_arg = d->control;
	return pu_api_start(&aopt, &d->api, d->opt->why);
}

static int start_all(struct daemon *d)
{
	struct pu_failure *why = d->opt->why;
	int r = load_config(d->opt->paths.config, &d->cfg, why);

	if (r < 0)
		return r;
	d->with_vpn = d->opt->force_vpn || d->cfg->vpn.enabled;
	r = pu_crypto_init();
	if (r == 0 && d->with_vpn)
		r = pu_janitor_start(&d->janitor, d->opt->paths.state_dir);
	if (r == 0)
		r = make_loop(d);
	if (r == 0)
		r = make_node(d);
	if (r < 0)
		return r;
	if (d->with_vpn) {
		r = pu_vpn_start(d->node, &d->vpn, why);
		if (r < 0)
			return r;
		pu_vpn_on_lost(d->vpn, on_device_lost, d);
	} else if (pu_interfaces_start(d->node, &d->interfaces) < 0) {
		pu_log_msg(PU_LOG_WARN, "daemon", "changes of the network will not be noticed");
	}
	r = drop_rights(d);
	if (r < 0)
		return r;
	map_ports(d);
	pu_node_on_network_change(d->node, on_network_change, d);
	return open_control(d);
}

static void announce(struct daemon *d)
{
	char id[PU_PEERID_TEXT_MAX];

	pu_log(PU_LOG_INFO, "daemon", "ready",
	       PU_KV_STR("peer", pu_peerid_text(&d->node->key.peer, id)),
	       PU_KV_STR("version", PU_VERSION));
	pu_platform_notify("READY=1");
	if (d->opt->on_ready)
		d->opt->on_ready(d->opt->ready_arg);
}

/* --- the end ---------------------------------------------------------------------- */

static void free_all(struct daemon *d)
{
	pu_api_stop(d->api);
	pu_control_free(d->control);
	pu_vpn_stop(d->vpn);
	pu_interfaces_stop(d->interfaces);
	pu_portmapper_free(d->portmapper);
	pu_node_free(d->node);
	pu_config_free(d->cfg);
	if (d->loop)
		pu_timer_stop(&d->stop_timer);
	pu_process_end(&d->process);
	pu_janitor_finish(&d->janitor);
}

/* A start that failed half-way stops like a run that ended: peers hear goodbye. */
static void wind_down(struct daemon *d)
{
	if (!d->node)
		return;
	pu_loop_uv_enter(d->loop);
	stop(d);
	pu_loop_uv_leave(d->loop);
	pu_loop_uv_run(d->process.driver);
}

int pu_daemon_run(const struct pu_daemon_options *opt)
{
	struct daemon d = { .opt = opt };
	int r = start_all(&d);

	if (r < 0) {
		pu_failure_set(opt->why, r, "peerup-vpn", NULL, "%s", pu_err_text(r));
		wind_down(&d);
		free_all(&d);
		return r;
	}
	pu_loop_uv_enter(d.loop);
	pu_node_start(d.node);
	pu_loop_uv_leave(d.loop);
	tell(&d, PU_EVENT_CONFIG, "loaded", NULL);
	announce(&d);
	pu_loop_uv_run(d.process.driver);
	free_all(&d);
	return d.result;
}
