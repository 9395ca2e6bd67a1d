#include "daemon/relayd.h"

#include <signal.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/config_diff.h"
#include "daemon/filewatch.h"
#include "daemon/keeper.h"
#include "daemon/live_config.h"
#include "daemon/process.h"
#include "daemon/relay_admin.h"
#include "daemon/relay_server.h"
#include "daemon/telemetry.h"
#include "daemon/version.h"
#include "platform/platform.h"

struct relayd {
	const struct pu_relayd_options *opt;
	struct pu_relay_config *cfg; /* until the server takes it */
	struct pu_process process;
	struct pu_loop *loop; /* the process's */
	struct pu_platform *platform;
	struct pu_relay_server *server;
	struct pu_telemetry *telemetry;
	struct pu_relay_admin *admin; /* NULL when it could not start */
	struct pu_filewatch *file, *members; /* of the config; NULL: not followed */
	struct pu_live_config config;
	struct pu_timer restart;
	int result;
};

/* --- stopping --------------------------------------------------------------------- */

static void on_server_stopped(void *arg)
{
	struct relayd *d = arg;

	pu_process_stopped(&d->process);
}

static void on_telemetry_stopped(void *arg)
{
	struct relayd *d = arg;

	pu_relay_server_stop(d->server, on_server_stopped, d);
}

static void stop(struct relayd *d)
{
	if (!pu_process_stopping(&d->process, d->result == PU_KEEPER_AGAIN))
		return;
	pu_live_config_stop(&d->config);
	pu_relay_admin_stop(d->admin);
	d->admin = NULL;
	pu_filewatch_stop(d->file);
	pu_filewatch_stop(d->members);
	d->file = NULL;
	d->members = NULL;
	pu_telemetry_stop(d->telemetry, on_telemetry_stopped, d);
	d->telemetry = NULL;
}

/* --- the config ------------------------------------------------------------------- */

static void on_members_changed(void *arg)
{
	struct relayd *d = arg;

	pu_relay_server_reload_members(d->server);
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

static int parse_config(const char *path, struct pu_bytes text, void **pcfg,
			struct pu_config_diags *diags)
{
	struct pu_relay_config *cfg;
	int r = pu_relay_config_parse(path, text, &cfg, diags);

	if (r == 0)
		*pcfg = cfg;
	return r;
}

static void free_config(void *cfg)
{
	pu_relay_config_free(cfg);
}

static const void *config_in_use(void *arg)
{
	return ((const struct relayd *)arg)->server->cfg;
}

static int use_config(void *arg, void *cfg, struct pu_failure *why)
{
	struct relayd *d = arg;

	pu_relay_server_reload(d->server, cfg);
	follow_members(d);
	return 0;
}

static void restart(void *arg)
{
	struct relayd *d = arg;

	d->result = PU_KEEPER_AGAIN;
	pu_timer_set(&d->restart, pu_loop_now(d->loop));
}

static void on_restart(void *arg)
{
	stop(arg);
}

static const struct pu_live_config_ops config_ops = {
	.parse = parse_config,
	.free = free_config,
	.schema = pu_relay_config_schema,
	.live = pu_config_diff_live_relay,
	.command = "relay config apply",
	.in_use = config_in_use,
	.use = use_config,
	.restart = restart,
};

static void on_signal(void *arg, int signum)
{
	struct relayd *d = arg;

	if (signum != SIGHUP) {
		if (d->result == PU_KEEPER_AGAIN)
			d->result = 0;
		stop(d);
	} else if (!d->process.stopping) {
		pu_live_config_reload_told(&d->config);
	}
}

/* --- what changes around us ------------------------------------------------------- */

static void on_config_changed(void *arg)
{
	struct relayd *d = arg;

	pu_live_config_reload_told(&d->config);
}

static void follow_files(struct relayd *d)
{
	pu_loop_uv_enter(d->loop);
	follow_members(d);
	if (pu_filewatch_start(d->loop, d->opt->config, on_config_changed, d, &d->file) < 0)
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
	if (d->server && !d->process.stopping)
		pu_host_set_interface_addrs(d->server->host, ma, n);
}

static const struct pu_platform_events platform_events = { .on_network_change = tell_addresses };

/* --- starting --------------------------------------------------------------------- */

static int make_loop(struct relayd *d)
{
	const struct pu_process_options opt = {
		.name = "relay",
		.lifeline = d->opt->lifeline,
		.owner = d->opt->owner,
		.on_signal = on_signal,
		.arg = d,
	};
	int r = pu_process_start(&d->process, &opt);

	d->loop = d->process.loop;
	if (d->loop)
		pu_timer_init(&d->restart, d->loop, on_restart, d);
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

static int start_all(struct relayd *d)
{
	void *cfg = NULL;
	int r = pu_live_config_read(&d->config, d->opt->config, &config_ops, d, &cfg, d->opt->why);

	d->cfg = cfg;
	if (r == 0)
		r = pu_crypto_init();
	if (r == 0)
		r = make_loop(d);
	if (r == 0)
		r = pu_live_config_init(&d->config, d->loop);
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
	return pu_process_drop_rights(&d->process, d->opt->why);
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

static void announce(struct relayd *d)
{
	const struct pu_watchdog_options opt = { .check = check_health,
						 .describe = describe,
						 .arg = d };

	pu_process_ready(&d->process, &d->server->key.peer, &opt);
	if (d->opt->on_ready)
		d->opt->on_ready(d->opt->arg, d->server);
	pu_live_config_start(&d->config);
}

/* --- the end ---------------------------------------------------------------------- */

static void free_all(struct relayd *d)
{
	pu_live_config_stop(&d->config);
	pu_platform_free(d->platform);
	pu_relay_server_free(d->server);
	pu_relay_config_free(d->cfg);
	if (d->loop)
		pu_timer_stop(&d->restart);
	pu_process_end(&d->process);
}

static void wind_down(struct relayd *d)
{
	if (!d->server)
		return;
	pu_loop_uv_enter(d->loop);
	stop(d);
	pu_loop_uv_leave(d->loop);
	pu_process_run(&d->process);
}

static int give_up(struct relayd *d, int err)
{
	struct pu_failure *why = d->opt->why;

	pu_failure_set(why, err, "relay", NULL, "%s", pu_err_text(err));
	wind_down(d);
	if (!d->process.forced)
		free_all(d);
	if (d->opt->lifeline > 0 && pu_trial_has_failed(d->opt->config, why))
		return PU_KEEPER_AGAIN;
	return err;
}

int pu_relayd_run(const struct pu_relayd_options *opt)
{
	struct relayd d = { .opt = opt };
	int r = start_all(&d);

	if (r < 0)
		r = give_up(&d, r);
	if (r != 0)
		return r;
	pu_loop_uv_enter(d.loop);
	announce(&d);
	pu_loop_uv_leave(d.loop);
	pu_process_run(&d.process);
	if (!d.process.forced)
		free_all(&d);
	return d.result;
}
