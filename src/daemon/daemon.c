#include "daemon/daemon.h"

#include <signal.h>

#include "base/err.h"
#include "base/log.h"
#include "crypto/key.h"
#include "daemon/config_diff.h"
#include "daemon/control.h"
#include "daemon/enrolment.h"
#include "daemon/interfaces.h"
#include "daemon/janitor.h"
#include "daemon/keeper.h"
#include "daemon/live_config.h"
#include "daemon/node.h"
#include "daemon/portmapper.h"
#include "daemon/process.h"
#include "daemon/refresh.h"
#include "daemon/status_line.h"
#include "daemon/telemetry.h"
#include "daemon/trial.h"
#include "daemon/version.h"
#include "daemon/vpn.h"
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
	struct pu_refresh *refresh; /* NULL: files are loaded on request only */
	struct pu_control *control;
	struct pu_telemetry *telemetry;
	struct pu_api *api;
	struct pu_live_config config;
	struct pu_timer stop_timer;
	unsigned n_stopping; /* parts that take their time */
	int result;
};

/* --- stopping --------------------------------------------------------------------- */

static void one_part_stopped(void *arg)
{
	struct daemon *d = arg;

	if (--d->n_stopping == 0)
		pu_process_stopped(&d->process);
}

static void stop(void *arg)
{
	struct daemon *d = arg;

	if (!pu_process_stopping(&d->process, d->result == PU_KEEPER_AGAIN))
		return;
	pu_live_config_stop(&d->config);
	pu_events_tell(&d->node->events, &(struct pu_event){ .kind = PU_EVENT_STOPPING });
	d->n_stopping = 2 + !!d->portmapper;
	pu_api_stop(d->api);
	pu_telemetry_stop(d->telemetry, one_part_stopped, d);
	pu_control_free(d->control);
	pu_refresh_stop(d->refresh);
	pu_vpn_stop(d->vpn);
	pu_interfaces_stop(d->interfaces);
	d->interfaces = NULL;
	d->refresh = NULL;
	d->api = NULL;
	d->telemetry = NULL;
	d->control = NULL;
	d->vpn = NULL;
	if (d->portmapper)
		pu_portmapper_stop(d->portmapper, one_part_stopped, d);
	pu_node_stop(d->node, one_part_stopped, d);
}

static void stop_soon(struct daemon *d, pu_time delay)
{
	if (!d->process.stopping && !pu_timer_active(&d->stop_timer))
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

/* --- the config ------------------------------------------------------------------- */

static int parse_config(const char *path, struct pu_bytes text, void **pcfg,
			struct pu_config_diags *diags)
{
	struct pu_config *cfg;
	int r = pu_config_parse(path, text, &cfg, diags);

	if (r == 0)
		*pcfg = cfg;
	return r;
}

static void free_config(void *cfg)
{
	pu_config_free(cfg);
}

static const void *config_in_use(void *arg)
{
	return ((const struct daemon *)arg)->node->cfg;
}

static int use_config(void *arg, void *cfg, struct pu_failure *why)
{
	return pu_node_reload(((struct daemon *)arg)->node, cfg, why);
}

static void restart(void *arg)
{
	struct daemon *d = arg;

	d->result = PU_KEEPER_AGAIN;
	stop_soon(d, 0);
}

static void tell_config(void *arg, const char *what, const char *detail)
{
	const struct pu_event ev = { .kind = PU_EVENT_CONFIG, .what = what, .detail = detail };

	pu_events_tell(&((struct daemon *)arg)->node->events, &ev);
}

static const struct pu_live_config_ops config_ops = {
	.parse = parse_config,
	.free = free_config,
	.schema = pu_config_schema_node,
	.live = pu_config_diff_live_node,
	.command = "config apply",
	.in_use = config_in_use,
	.use = use_config,
	.restart = restart,
	.tell = tell_config,
};

static int on_reload_request(void *arg, struct pu_failure *why)
{
	struct daemon *d = arg;

	return d->process.stopping ? PU_ECLOSED : pu_live_config_reload(&d->config, why);
}

static void on_signal(void *arg, int signum)
{
	struct daemon *d = arg;

	if (signum != SIGHUP) {
		if (d->result == PU_KEEPER_AGAIN)
			d->result = 0;
		stop(d);
	} else if (!d->process.stopping) {
		pu_live_config_reload_told(&d->config);
	}
}

/* --- starting --------------------------------------------------------------------- */

static int make_loop(struct daemon *d)
{
	const struct pu_process_options opt = {
		.name = "daemon",
		.lifeline = d->opt->lifeline,
		.owner = d->opt->paths.owner,
		.on_signal = on_signal,
		.arg = d,
	};
	int r = pu_process_start(&d->process, &opt);

	d->loop = d->process.loop;
	if (d->loop)
		pu_timer_init(&d->stop_timer, d->loop, stop, d);
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

/* From here on the process has what a running node needs and no more. The control socket's
 * folder may be where only root makes one; who listens there complains if it is missing. */
static int drop_rights(struct daemon *d)
{
	const struct pu_paths *paths = &d->opt->paths;

	(void)pu_file_make_dirs(paths->runtime_dir, 0700, &paths->owner);
	if (d->vpn)
		pu_vpn_seal(d->vpn);
	return pu_process_drop_rights(&d->process, d->opt->why);
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

	if (d->process.stopping)
		return;
	if (d->portmapper)
		pu_portmapper_network_changed(d->portmapper);
	else
		map_ports(d);
}

static void follow_files(struct daemon *d)
{
	pu_loop_uv_enter(d->loop);
	if (pu_refresh_start(d->node, on_reload_request, d, &d->refresh) < 0)
		pu_log_msg(PU_LOG_WARN, "daemon", "changes of files will not be noticed");
	pu_loop_uv_leave(d->loop);
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
	r = pu_telemetry_start(d->node, &pu_control_ops, d->control, &d->telemetry, d->opt->why);
	if (r < 0)
		return r;
	aopt.ops_arg = d->control;
	aopt.events = &d->node->events;
	aopt.metrics = pu_telemetry_metrics(d->telemetry);
	return pu_api_start(&aopt, &d->api, d->opt->why);
}

static int start_all(struct daemon *d)
{
	const struct pu_paths *paths = &d->opt->paths;
	struct pu_failure *why = d->opt->why;
	int r = pu_enrolment_recover(paths->config, &paths->owner, why);
	void *cfg = NULL;

	if (r == 0)
		r = pu_live_config_read(&d->config, paths->config, &config_ops, d, &cfg, why);
	if (r < 0)
		return r;
	d->cfg = cfg;
	d->with_vpn = d->opt->force_vpn || d->cfg->vpn.enabled;
	r = pu_crypto_init();
	if (r == 0 && d->with_vpn)
		r = pu_janitor_start(&d->janitor, paths->state_dir);
	if (r == 0)
		r = make_loop(d);
	if (r == 0)
		r = pu_live_config_init(&d->config, d->loop);
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
	follow_files(d);
	return open_control(d);
}

static const char *check_health(void *arg)
{
	struct daemon *d = arg;

	if (d->vpn && !pu_vpn_is_up(d->vpn))
		return "network device";
	if (d->node->cfg->listen.n > 0 && pu_host_n_bound(d->node->host) == 0)
		return "listening";
	return NULL;
}

static void describe(void *arg, char *out, size_t cap)
{
	struct daemon *d = arg;

	pu_status_line(&pu_control_ops, d->control, out, cap);
}

static void announce(struct daemon *d)
{
	const struct pu_watchdog_options opt = {
		.socket_path = d->opt->paths.socket,
		.cookie_path = d->opt->paths.cookie,
		.check = check_health,
		.describe = describe,
		.arg = d,
	};

	pu_process_ready(&d->process, &d->node->key.peer, &opt);
	if (d->opt->on_ready)
		d->opt->on_ready(d->opt->ready_arg);
	pu_live_config_start(&d->config);
}

/* --- the end ---------------------------------------------------------------------- */

static void free_all(struct daemon *d)
{
	pu_live_config_stop(&d->config);
	pu_api_stop(d->api);
	pu_control_free(d->control);
	pu_refresh_stop(d->refresh);
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
	pu_process_run(&d->process);
}

/* The loop has ended. Parts that are still busy are left to the end of the process. */
static void finish(struct daemon *d)
{
	if (d->process.forced)
		pu_janitor_finish(&d->janitor);
	else
		free_all(d);
}

static int give_up(struct daemon *d, int err)
{
	struct pu_failure *why = d->opt->why;

	pu_failure_set(why, err, "peerup-vpn", NULL, "%s", pu_err_text(err));
	wind_down(d);
	finish(d);
	if (d->opt->lifeline > 0 && pu_trial_has_failed(d->opt->paths.config, why))
		return PU_KEEPER_AGAIN;
	return err;
}

int pu_daemon_run(const struct pu_daemon_options *opt)
{
	struct daemon d = { .opt = opt };
	int r = start_all(&d);

	if (r < 0)
		return give_up(&d, r);
	pu_loop_uv_enter(d.loop);
	pu_node_start(d.node);
	announce(&d);
	pu_loop_uv_leave(d.loop);
	pu_process_run(&d.process);
	finish(&d);
	return d.result;
}
