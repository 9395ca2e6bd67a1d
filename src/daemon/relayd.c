#include "daemon/relayd.h"

#include <signal.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/config_archive.h"
#include "daemon/filewatch.h"
#include "daemon/process.h"
#include "daemon/relay_server.h"
#include "daemon/telemetry.h"
#include "daemon/version.h"
#include "p2p/transport/net_uv.h"
#include "platform/platform.h"

struct relayd {
	const struct pu_relayd_options *opt;
	struct pu_relay_config *cfg; /* until the server takes it */
	struct pu_process process;
	struct pu_loop *loop; /* the process's */
	struct pu_platform *platform;
	struct pu_relay_server *server;
	struct pu_telemetry *telemetry;
	struct pu_filewatch *config, *members; /* NULL: not followed */
	bool stopping;
};

static int load_config(struct relayd *d, struct pu_relay_config **pcfg, struct pu_failure *why)
{
	struct pu_config_diags *diags = calloc(1, sizeof *diags);
	int r;

	if (!diags)
		return PU_ENOMEM;
	r = pu_relay_config_load(d->opt->config, pcfg, diags);
	pu_process_log_warnings(diags, d->opt->config);
	if (r < 0)
		pu_config_diags_failure(diags, d->opt->config, why);
	free(diags);
	return r;
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

static void stop(struct relayd *d)
{
	if (d->stopping)
		return;
	d->stopping = true;
	pu_log_msg(PU_LOG_INFO, "relay", "stopping");
	pu_platform_notify("STOPPING=1");
	pu_filewatch_stop(d->config);
	pu_filewatch_stop(d->members);
	d->config = NULL;
	d->members = NULL;
	pu_telemetry_stop(d->telemetry, on_telemetry_stopped, d);
	d->telemetry = NULL;
}

static void follow_members(struct relayd *d);

static void reload(struct relayd *d)
{
	struct pu_failure why = { .what = "" };
	struct pu_relay_config *cfg;

	if (load_config(d, &cfg, &why) < 0) {
		pu_log(PU_LOG_ERROR, "relay", "reload failed, nothing changed",
		       PU_KV_STR("what", why.what), PU_KV_STR("why", why.why));
		return;
	}
	pu_relay_server_reload(d->server, cfg);
	follow_members(d);
}

static void on_signal(void *arg, int signum)
{
	struct relayd *d = arg;

	if (signum != SIGHUP)
		stop(d);
	else if (!d->stopping)
		reload(d);
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

static int start_all(struct relayd *d)
{
	int r = load_config(d, &d->cfg, d->opt->why);

	if (r == 0)
		r = pu_crypto_init();
	if (r == 0)
		r = make_loop(d);
	if (r == 0)
		r = make_server(d);
	if (r == 0)
		r = pu_telemetry_start_relay(d->server, &d->telemetry, d->opt->why);
	if (r < 0)
		return r;
	follow_files(d);
	r = pu_platform_new(d->loop, &platform_events, d, &d->platform);
	if (r < 0)
		return pu_failure_set(d->opt->why, r, "network interfaces", NULL, "%s",
				      pu_err_text(r));
	tell_addresses(d);
	return pu_process_drop_rights(&d->opt->owner, d->opt->why);
}

static void announce(struct relayd *d)
{
	char id[PU_PEERID_TEXT_MAX];
	int r = pu_config_archive_save(d->opt->config);

	if (r < 0)
		pu_log(PU_LOG_WARN, "relay", "no copy of the config was kept for rollback",
		       PU_KV_STR("file", d->opt->config), PU_KV_ERR(r));
	pu_log(PU_LOG_INFO, "relay", "ready",
	       PU_KV_STR("peer", pu_peerid_text(&d->server->key.peer, id)),
	       PU_KV_STR("version", PU_VERSION));
	pu_platform_notify("READY=1");
	if (d->opt->on_ready)
		d->opt->on_ready(d->opt->arg, d->server);
}

/* --- the end ---------------------------------------------------------------------- */

static void free_all(struct relayd *d)
{
	pu_platform_free(d->platform);
	pu_relay_server_free(d->server);
	pu_relay_config_free(d->cfg);
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

int pu_relayd_run(const struct pu_relayd_options *opt)
{
	struct relayd d = { .opt = opt };
	int r = start_all(&d);

	if (r < 0) {
		pu_failure_set(opt->why, r, "relay", NULL, "%s", pu_err_text(r));
		wind_down(&d);
	} else {
		announce(&d);
		pu_loop_uv_run(d.process.driver);
	}
	free_all(&d);
	return r;
}
