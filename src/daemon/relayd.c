#include "daemon/relayd.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/config_diff.h"
#include "daemon/filewatch.h"
#include "daemon/keeper.h"
#include "daemon/process.h"
#include "daemon/relay_admin.h"
#include "daemon/relay_server.h"
#include "daemon/telemetry.h"
#include "daemon/trial.h"
#include "daemon/version.h"
#include "daemon/watchdog.h"
#include "p2p/transport/net_uv.h"
#include "platform/platform.h"

enum { STOP_LIMIT_MS = 4000 /* for peers that do not answer our goodbye */ };

struct relayd {
	const struct pu_relayd_options *opt;
	struct pu_relay_config *cfg; /* until the server takes it */
	struct pu_process process;
	struct pu_loop *loop; /* the process's */
	struct pu_platform *platform;
	struct pu_relay_server *server;
	struct pu_telemetry *telemetry;
	struct pu_relay_admin *admin; /* NULL when it could not start */
	struct pu_filewatch *config, *members; /* NULL: not followed */
	struct pu_timer restart, stop_limit;
	struct pu_trial trial;
	struct pu_watchdog *watchdog;
	bool stopping;
	bool forced; /* out of patience */
	int result;
};

static int parse_config(struct relayd *d, struct pu_bytes text, struct pu_relay_config **pcfg,
			struct pu_failure *why)
{
	struct pu_config_diags *diags = calloc(1, sizeof *diags);
	int r;

	if (!diags)
		return PU_ENOMEM;
	r = pu_relay_config_parse(d->opt->config, text, pcfg, diags);
	pu_process_log_warnings(diags, d->opt->config);
	if (r < 0)
		pu_config_diags_failure(diags, d->opt->config, why);
	free(diags);
	return r;
}

/* The file's text and what it says; the text is the caller's. */
static int load_config(struct relayd *d, char **ptext, size_t *plen,
		       struct pu_relay_config **pcfg, struct pu_failure *why)
{
	char *text;
	size_t len;
	int r = pu_process_read_config(d->opt->config, &text, &len, why);

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

static void on_server_stopped(void *arg)
{
	struct relayd *d = arg;

	pu_loop_uv_stop(d->process.driver);
}

static void on_telemetry_stopped(void *arg)
{
	struct relayd *d = arg;

	pu_relay_server_stop(d->server, on_server_stopped, d);
}

static void on_stop_limit(void *arg)
{
	struct relayd *d = arg;

	pu_log_msg(PU_LOG_WARN, "relay", "not everything ended in time");
	d->forced = true;
	pu_loop_uv_stop(d->process.driver);
}

static void stop(struct relayd *d)
{
	if (d->stopping)
		return;
	d->stopping = true;
	pu_watchdog_stopping(d->result == PU_KEEPER_AGAIN);
	pu_timer_set(&d->stop_limit, pu_loop_now(d->loop) + PU_MS(STOP_LIMIT_MS));
	pu_watchdog_stop(d->watchdog);
	d->watchdog = NULL;
	pu_trial_stop(&d->trial);
	pu_relay_admin_stop(d->admin);
	d->admin = NULL;
	pu_filewatch_stop(d->config);
	pu_filewatch_stop(d->members);
	d->config = NULL;
	d->members = NULL;
	pu_telemetry_stop(d->telemetry, on_telemetry_stopped, d);
	d->telemetry = NULL;
}

/* cfg is taken. */
static int use_config(struct relayd *d, struct pu_relay_config *cfg, struct pu_bytes text,
		      const struct pu_config_diff *diff)
{
	char keys[512];

	pu_relay_server_reload(d->server, cfg);
	if (diff->n > 0)
		pu_log(PU_LOG_WARN, "relay", "these keys need a restart, or `relay config apply`",
		       PU_KV_STR("keys", pu_config_diff_text(diff, keys, sizeof keys)));
	return pu_trial_loaded(&d->trial, text, diff->n == 0);
}

static void follow_members(struct relayd *d);

static void reload(struct relayd *d)
{
	struct pu_failure why = { .what = "" };
	struct pu_relay_config *cfg;
	struct pu_config_diff diff;
	char *text;
	size_t len;

	if (load_config(d, &text, &len, &cfg, &why) < 0) {
		pu_log(PU_LOG_ERROR, "relay", "reload failed, nothing changed",
		       PU_KV_STR("what", why.what), PU_KV_STR("why", why.why));
		return;
	}
	pu_watchdog_reloading();
	pu_config_diff(pu_relay_config_schema(), pu_config_diff_live_relay, d->server->cfg, cfg,
		       &diff);
	(void)use_config(d, cfg, pu_bytes(text, len), &diff);
	pu_platform_notify("READY=1");
	free(text);
	pu_trial_check(&d->trial);
	follow_members(d);
}

/* A config that a command put in place: the whole of it counts, at once. */
static int on_config_applied(void *arg, struct pu_bytes text)
{
	struct relayd *d = arg;
	struct pu_failure why = { .what = "" };
	struct pu_relay_config *cfg;
	struct pu_config_diff diff;
	int r = parse_config(d, text, &cfg, &why);

	if (r < 0) {
		pu_log(PU_LOG_ERROR, "relay", "this configuration cannot be used",
		       PU_KV_STR("what", why.what), PU_KV_STR("why", why.why));
		return r;
	}
	pu_config_diff(pu_relay_config_schema(), pu_config_diff_live_relay, d->server->cfg, cfg,
		       &diff);
	if (diff.n == 0 && d->trial.good)
		return use_config(d, cfg, text, &diff);
	pu_relay_config_free(cfg);
	d->result = PU_KEEPER_AGAIN;
	pu_timer_set(&d->restart, pu_loop_now(d->loop));
	return PU_TRIAL_RESTARTS;
}

static void on_restart(void *arg)
{
	stop(arg);
}

static const struct pu_trial_ops trial_ops = { .apply = on_config_applied };

static void on_signal(void *arg, int signum)
{
	struct relayd *d = arg;

	if (signum != SIGHUP) {
		if (d->result == PU_KEEPER_AGAIN)
			d->result = 0;
		stop(d);
	} else if (!d->stopping) {
		reload(d);
	}
}

/* --- what changes around us ------------------------------------------------------- */

static void on_members_changed(void *arg)
{
	struct relayd *d = arg;

	pu_relay_server_reload_members(d->server);
}

static void on_config_changed(void *arg)
{
	reload(arg);
}

static void follow_members(struct relayd *d)
{
	const char *path = d->server->cfg->authorized_keys_file;

	if (d->members && strcmp(pu_filewatch_path(d->members), path) == 0)
		return;
	pu_filewatch_stop(d->members);
	d->members = NULL;
	if (pu_filewatch_start(d->loop, path, on_members_changed, d, &d->members) < 0)
		pu_log(PU_LOG_WARN, "relay", "changes are noticed on SIGHUP only",
		       PU_KV_STR("file", path));
}

static void follow_files(struct relayd *d)
{
	pu_loop_uv_enter(d->loop);
	follow_members(d);
	if (pu_filewatch_start(d->loop, d->opt->config, on_config_changed, d, &d->config) < 0)
		pu_log(PU_LOG_WARN, "relay", "changes are noticed on SIGHUP only",
		       PU_KV_STR("file", d->opt->config));
	pu_loop_uv_leave(d->loop);
}

static void tell_addresses(void *arg)
{
	struct relayd *d = arg;
	struct pu_prefix addrs[PU_PLATFORM_ADDRS_MAX];
	struct pu_multiaddr ma[PU_PLATFORM_ADDRS_MAX];
	size_t n = pu_platform_addrs(d->platform, NULL, addrs, PU_ARRAY_LEN(addrs));

	for (size_t i = 0; i < n; i++)
		pu_multiaddr_from_ip(&ma[i], addrs[i].family, addrs[i].addr);
	if (d->server && !d->stopping)
		pu_host_set_interface_addrs(d->server->host, ma, n);
}

static const struct pu_platform_events platform_events = { .on_network_change = tell_addresses };

/* --- starting --------------------------------------------------------------------- */

static int make_loop(struct relayd *d)
{
	int r = pu_process_start(&d->process, on_signal, d);

	d->loop = d->process.loop;
	if (d->loop) {
		pu_timer_init(&d->restart, d->loop, on_restart, d);
		pu_timer_init(&d->stop_limit, d->loop, on_stop_limit, d);
		pu_process_follow(&d->process, d->opt->lifeline);
	}
	if (r == 0 && geteuid() == 0 && d->opt->owner.set)
		pu_net_uv_set_owner(d->process.net, d->opt->owner.uid);
	return r;
}

static int make_server(struct relayd *d)
{
	const struct pu_relay_server_options opt = {
		.loop = d->loop,
		.net = d->process.net,
		.cfg = d->cfg,
		.owner = &d->opt->owner,
		.version = PU_VERSION,
	};

	d->cfg = NULL;
	return pu_relay_server_new(&opt, &d->server, d->opt->why);
}

/* Only the operator's commands suffer without it. */
static void start_admin(struct relayd *d)
{
	struct pu_failure why = { .what = "" };

	if (pu_relay_admin_start(d->server, &d->admin, &why) < 0)
		pu_log(PU_LOG_WARN, "relay", "relay pair will not work",
		       PU_KV_STR("what", why.what), PU_KV_STR("why", why.why));
}

static int start_all(struct relayd *d, char **ptext, size_t *plen)
{
	int r = load_config(d, ptext, plen, &d->cfg, d->opt->why);

	if (r == 0)
		r = pu_crypto_init();
	if (r == 0)
		r = make_loop(d);
	if (r == 0) {
		pu_trial_init(&d->trial, d->loop, d->opt->config, &trial_ops, d);
		r = pu_trial_loaded(&d->trial, pu_bytes(*ptext, *plen), true);
	}
	if (r == 0)
		r = make_server(d);
	if (r == 0)
		r = pu_telemetry_start_relay(d->server, &d->telemetry, d->opt->why);
	if (r < 0)
		return r;
	start_admin(d);
	follow_files(d);
	r = pu_platform_new(d->loop, &platform_events, d, &d->platform);
	if (r < 0)
		return pu_failure_set(d->opt->why, r, "network interfaces", NULL, "%s",
				      pu_err_text(r));
	tell_addresses(d);
	return pu_process_drop_rights(&d->opt->owner, d->opt->why);
}

static const char *check_health(void *arg)
{
	struct relayd *d = arg;

	return pu_host_n_bound(d->server->host) == 0 ? "listening" : NULL;
}

static void describe(void *arg, char *out, size_t cap)
{
	struct relayd *d = arg;
	struct pu_host_stats host;
	struct pu_hop_stats hop;

	pu_host_stats(d->server->host, &host);
	pu_hop_stats(d->server->hop, &hop);
	snprintf(out, cap, "%u peers connected, %llu reservations, %llu circuits", host.n_peers,
		 (unsigned long long)hop.reservations, (unsigned long long)hop.circuits);
}

static void watch_health(struct relayd *d)
{
	const struct pu_watchdog_options opt = { .loop = d->loop,
						 .check = check_health,
						 .describe = describe,
						 .arg = d };

	if (pu_watchdog_start(&opt, &d->watchdog) < 0)
		pu_log_msg(PU_LOG_WARN, "relay", "the service manager hears nothing of us");
}

static void announce(struct relayd *d)
{
	char id[PU_PEERID_TEXT_MAX];

	pu_log(PU_LOG_INFO, "relay", "ready",
	       PU_KV_STR("peer", pu_peerid_text(&d->server->key.peer, id)),
	       PU_KV_STR("version", PU_VERSION));
	pu_platform_notify("READY=1");
	watch_health(d);
	if (d->opt->on_ready)
		d->opt->on_ready(d->opt->arg, d->server);
	pu_trial_start(&d->trial, true);
}

/* --- the end ---------------------------------------------------------------------- */

static void free_all(struct relayd *d)
{
	pu_watchdog_stop(d->watchdog);
	pu_trial_stop(&d->trial);
	pu_platform_free(d->platform);
	pu_relay_server_free(d->server);
	pu_relay_config_free(d->cfg);
	if (d->loop) {
		pu_timer_stop(&d->restart);
		pu_timer_stop(&d->stop_limit);
	}
	pu_process_end(&d->process);
}

static void wind_down(struct relayd *d)
{
	if (!d->server)
		return;
	pu_loop_uv_enter(d->loop);
	stop(d);
	pu_loop_uv_leave(d->loop);
	pu_loop_uv_run(d->process.driver);
}

static int give_up(struct relayd *d, int err)
{
	struct pu_failure *why = d->opt->why;

	pu_failure_set(why, err, "relay", NULL, "%s", pu_err_text(err));
	wind_down(d);
	if (!d->forced)
		free_all(d);
	if (d->opt->lifeline > 0 && pu_trial_has_failed(d->opt->config, why))
		return PU_KEEPER_AGAIN;
	return err;
}

int pu_relayd_run(const struct pu_relayd_options *opt)
{
	struct relayd d = { .opt = opt };
	char *text = NULL;
	size_t len = 0;
	int r = start_all(&d, &text, &len);

	if (r < 0)
		r = give_up(&d, r);
	free(text);
	if (r != 0)
		return r;
	pu_loop_uv_enter(d.loop);
	announce(&d);
	pu_loop_uv_leave(d.loop);
	pu_loop_uv_run(d.process.driver);
	if (!d.forced)
		free_all(&d);
	return d.result;
}
