#include "daemon/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "crypto/key.h"
#include "daemon/config_diff.h"
#include "daemon/control.h"
#include "daemon/enrolment.h"
#include "daemon/interfaces.h"
#include "daemon/janitor.h"
#include "daemon/keeper.h"
#include "daemon/node.h"
#include "daemon/portmapper.h"
#include "daemon/process.h"
#include "daemon/refresh.h"
#include "daemon/status_line.h"
#include "daemon/telemetry.h"
#include "daemon/trial.h"
#include "daemon/version.h"
#include "daemon/vpn.h"
#include "daemon/watchdog.h"
#include "p2p/transport/net_uv.h"
#include "platform/platform.h"

enum {
	STOP_DELAY_MS = 100, /* an API client still gets its answer */
	STOP_LIMIT_MS = 4000, /* for peers that do not answer our goodbye */
};

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
	struct pu_trial trial;
	struct pu_watchdog *watchdog;
	struct pu_timer stop_timer, stop_limit;
	bool stopping;
	bool forced; /* out of patience */
	unsigned n_stopping; /* parts that take their time */
	int result;
};

static int parse_config(struct daemon *d, struct pu_bytes text, struct pu_config **pcfg,
			struct pu_failure *why)
{
	struct pu_config_diags *diags = calloc(1, sizeof *diags);
	const char *path = d->opt->paths.config;
	int r;

	if (!diags)
		return PU_ENOMEM;
	r = pu_config_parse(path, text, pcfg, diags);
	pu_process_log_warnings(diags, path);
	if (r < 0)
		pu_config_diags_failure(diags, path, why);
	free(diags);
	return r;
}

/* The file's text and what it says; the text is the caller's. */
static int load_config(struct daemon *d, char **ptext, size_t *plen, struct pu_config **pcfg,
		       struct pu_failure *why)
{
	char *text;
	size_t len;
	int r = pu_process_read_config(d->opt->paths.config, &text, &len, why);

	if (r < 0)
		return r;
	r = parse_config(d, pu_bytes(text, len), pcfg, why);
	if (r < 0) {
		free(text);
		return r;
	}
	*ptext = text;
	*plen = len;
	return 0;
}

/* --- stopping --------------------------------------------------------------------- */

static void one_part_stopped(void *arg)
{
	struct daemon *d = arg;

	if (--d->n_stopping == 0)
		pu_loop_uv_stop(d->process.driver);
}

/* What does not end by itself ends with the process: see finish(). */
static void on_stop_limit(void *arg)
{
	struct daemon *d = arg;

	pu_log_msg(PU_LOG_WARN, "daemon", "not everything ended in time");
	d->forced = true;
	pu_loop_uv_stop(d->process.driver);
}

static void stop(void *arg)
{
	struct daemon *d = arg;

	if (d->stopping)
		return;
	d->stopping = true;
	pu_watchdog_stopping(d->result == PU_KEEPER_AGAIN);
	pu_timer_set(&d->stop_limit, pu_loop_now(d->loop) + PU_MS(STOP_LIMIT_MS));
	pu_watchdog_stop(d->watchdog);
	d->watchdog = NULL;
	pu_trial_stop(&d->trial);
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

static void tell_config(struct daemon *d, const char *what, const char *detail)
{
	const struct pu_event ev = { .kind = PU_EVENT_CONFIG, .what = what, .detail = detail };

	pu_events_tell(&d->node->events, &ev);
}

/* Takes over what a running node can; what it cannot is told in the log. cfg is taken. */
static int use_config(struct daemon *d, struct pu_config *cfg, struct pu_bytes text,
		      const struct pu_config_diff *diff, struct pu_failure *why)
{
	char keys[512];
	int r = pu_node_reload(d->node, cfg, why);

	if (r < 0) {
		pu_config_free(cfg);
		return r;
	}
	if (diff->n > 0)
		pu_log(PU_LOG_WARN, "daemon", "these keys need a restart, or `config apply`",
		       PU_KV_STR("keys", pu_config_diff_text(diff, keys, sizeof keys)));
	else
		pu_log_msg(PU_LOG_INFO, "daemon", "configuration loaded again");
	tell_config(d, "loaded", NULL);
	return pu_trial_loaded(&d->trial, text, diff->n == 0);
}

static int reload(struct daemon *d, struct pu_failure *why)
{
	struct pu_config_diff diff;
	struct pu_config *cfg;
	char *text;
	size_t len;
	int r = load_config(d, &text, &len, &cfg, why);

	if (r < 0)
		return r;
	pu_watchdog_reloading();
	pu_config_diff(pu_config_schema_node(), pu_config_diff_live_node, d->node->cfg, cfg, &diff);
	r = use_config(d, cfg, pu_bytes(text, len), &diff, why);
	pu_platform_notify("READY=1");
	free(text);
	if (r == 0)
		pu_trial_check(&d->trial);
	return r;
}

static int on_reload_request(void *arg, struct pu_failure *why)
{
	struct daemon *d = arg;
	int r = d->stopping ? PU_ECLOSED : reload(d, why);

	if (r < 0 && !d->stopping)
		tell_config(d, "refused", why->why);
	return r;
}

/* A config that a command put in place: the whole of it counts, at once. */
static int on_config_applied(void *arg, struct pu_bytes text)
{
	struct daemon *d = arg;
	struct pu_failure why = { .what = "" };
	struct pu_config_diff diff;
	struct pu_config *cfg;
	int r = parse_config(d, text, &cfg, &why);

	if (r == 0) {
		pu_config_diff(pu_config_schema_node(), pu_config_diff_live_node, d->node->cfg,
			       cfg, &diff);
		if (diff.n == 0 && d->trial.good) {
			r = use_config(d, cfg, text, &diff, &why);
		} else {
			pu_config_free(cfg);
			d->result = PU_KEEPER_AGAIN;
			stop_soon(d, 0);
			r = PU_TRIAL_RESTARTS;
		}
	}
	if (r < 0)
		pu_log(PU_LOG_ERROR, "daemon", "this configuration cannot be used",
		       PU_KV_STR("what", why.what), PU_KV_STR("why", why.why));
	return r;
}

static void on_trial_end(void *arg, const char *what)
{
	tell_config(arg, what, NULL);
}

static const struct pu_trial_ops trial_ops = { .apply = on_config_applied,
					       .on_end = on_trial_end };

static void on_signal(void *arg, int signum)
{
	struct daemon *d = arg;
	struct pu_failure why = { .what = "" };

	if (signum != SIGHUP) {
		if (d->result == PU_KEEPER_AGAIN)
			d->result = 0;
		stop(d);
	} else if (on_reload_request(d, &why) < 0) {
		pu_log(PU_LOG_ERROR, "daemon", "reload failed, nothing changed",
		       PU_KV_STR("what", why.what), PU_KV_STR("why", why.why));
	}
}

/* --- starting --------------------------------------------------------------------- */

static int make_loop(struct daemon *d)
{
	int r = pu_process_start(&d->process, on_signal, d);

	d->loop = d->process.loop;
	if (d->loop) {
		pu_timer_init(&d->stop_timer, d->loop, stop, d);
		pu_timer_init(&d->stop_limit, d->loop, on_stop_limit, d);
		pu_process_follow(&d->process, d->opt->lifeline);
	}
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

/* From here on the process has what a running node needs and no more. The control socket's
 * folder may be where only root makes one; who listens there complains if it is missing. */
static int drop_rights(struct daemon *d)
{
	const struct pu_paths *paths = &d->opt->paths;

	(void)pu_file_make_dirs(paths->runtime_dir, 0700, &paths->owner);
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

static int start_all(struct daemon *d, char **ptext, size_t *plen)
{
	const struct pu_paths *paths = &d->opt->paths;
	struct pu_failure *why = d->opt->why;
	int r = pu_enrolment_recover(paths->config, &paths->owner, why);

	if (r == 0)
		r = load_config(d, ptext, plen, &d->cfg, why);
	if (r < 0)
		return r;
	d->with_vpn = d->opt->force_vpn || d->cfg->vpn.enabled;
	r = pu_crypto_init();
	if (r == 0 && d->with_vpn)
		r = pu_janitor_start(&d->janitor, paths->state_dir);
	if (r == 0)
		r = make_loop(d);
	if (r == 0) {
		pu_trial_init(&d->trial, d->loop, d->opt->paths.config, &trial_ops, d);
		r = pu_trial_loaded(&d->trial, pu_bytes(*ptext, *plen), true);
	}
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

static void watch_health(struct daemon *d)
{
	const struct pu_watchdog_options opt = {
		.loop = d->loop,
		.socket_path = d->opt->paths.socket,
		.cookie_path = d->opt->paths.cookie,
		.check = check_health,
		.describe = describe,
		.arg = d,
	};

	if (pu_watchdog_start(&opt, &d->watchdog) < 0)
		pu_log_msg(PU_LOG_WARN, "daemon", "the service manager hears nothing of us");
}

static void announce(struct daemon *d)
{
	char id[PU_PEERID_TEXT_MAX];

	pu_log(PU_LOG_INFO, "daemon", "ready",
	       PU_KV_STR("peer", pu_peerid_text(&d->node->key.peer, id)),
	       PU_KV_STR("version", PU_VERSION));
	pu_platform_notify("READY=1");
	watch_health(d);
	if (d->opt->on_ready)
		d->opt->on_ready(d->opt->ready_arg);
	pu_trial_start(&d->trial, true);
}

/* --- the end ---------------------------------------------------------------------- */

static void free_all(struct daemon *d)
{
	pu_watchdog_stop(d->watchdog);
	pu_trial_stop(&d->trial);
	pu_api_stop(d->api);
	pu_control_free(d->control);
	pu_refresh_stop(d->refresh);
	pu_vpn_stop(d->vpn);
	pu_interfaces_stop(d->interfaces);
	pu_portmapper_free(d->portmapper);
	pu_node_free(d->node);
	pu_config_free(d->cfg);
	if (d->loop) {
		pu_timer_stop(&d->stop_timer);
		pu_timer_stop(&d->stop_limit);
	}
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

/* The loop has ended. Parts that are still busy are left to the end of the process. */
static void finish(struct daemon *d)
{
	if (d->forced)
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
	char *text = NULL;
	size_t len = 0;
	int r = start_all(&d, &text, &len);

	free(text);
	if (r < 0)
		return give_up(&d, r);
	pu_loop_uv_enter(d.loop);
	pu_node_start(d.node);
	announce(&d);
	pu_loop_uv_leave(d.loop);
	pu_loop_uv_run(d.process.driver);
	finish(&d);
	return d.result;
}
