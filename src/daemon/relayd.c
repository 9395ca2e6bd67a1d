#include "daemon/relayd.h"

#include <signal.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/config_archive.h"
#include "daemon/process.h"
#include "daemon/relay_admin.h"
#include "daemon/relay_http.h"
#include "daemon/version.h"
#include "p2p/transport/net_uv.h"
#include "platform/platform.h"

enum { SETTLE_MS = 200 /* an editor writes a file in several steps */ };

struct relayd {
	const struct pu_relayd_options *opt;
	struct pu_relay_config *cfg; /* until the server takes it */
	struct pu_process process;
	struct pu_loop *loop; /* the process's */
	struct pu_platform *platform;
	struct pu_relay_server *server;
	struct pu_relay_http *http;
	struct pu_relay_admin *admin; /* NULL when it could not start */
	uv_fs_event_t watch; /* the directory of the authorized keys */
	bool watching;
	struct pu_timer settle;
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

static void stop(struct relayd *d)
{
	if (d->stopping)
		return;
	d->stopping = true;
	pu_log_msg(PU_LOG_INFO, "relay", "stopping");
	pu_platform_notify("STOPPING=1");
	pu_relay_admin_stop(d->admin);
	pu_relay_http_stop(d->http);
	d->admin = NULL;
	d->http = NULL;
	pu_timer_stop(&d->settle);
	if (d->watching)
		uv_close((uv_handle_t *)&d->watch, NULL);
	d->watching = false;
	pu_relay_server_stop(d->server, on_server_stopped, d);
}

static void reload(struct relayd *d)
{
	struct pu_failure why = { .what = "" };
	struct pu_relay_config *cfg;

	if (load_config(d, &cfg, &why) < 0)
		pu_log(PU_LOG_ERROR, "relay", "reload failed, nothing changed",
		       PU_KV_STR("what", why.what), PU_KV_STR("why", why.why));
	else
		pu_relay_server_reload(d->server, cfg);
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

static void settled(void *arg)
{
	struct relayd *d = arg;

	pu_relay_server_reload_members(d->server);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void on_file_event(uv_fs_event_t *w, const char *name, int events, int status)
{
	struct relayd *d = w->data;

	if (name && strcmp(name, base_name(d->server->cfg->authorized_keys_file)) != 0)
		return;
	pu_loop_uv_enter(d->loop);
	pu_timer_set(&d->settle, pu_loop_now(d->loop) + PU_MS(SETTLE_MS));
	pu_loop_uv_leave(d->loop);
}

/* The directory, because commands replace the file. */
static void watch_keys(struct relayd *d)
{
	const char *file = d->server->cfg->authorized_keys_file, *name = base_name(file);
	char *dir = name == file ? strdup(".") : strndup(file, (size_t)(name - file));

	uv_fs_event_init(pu_loop_uv_of(d->loop), &d->watch);
	d->watch.data = d;
	d->watching = true;
	if (!dir || uv_fs_event_start(&d->watch, on_file_event, dir, 0) < 0)
		pu_log(PU_LOG_WARN, "relay", "changes are noticed on SIGHUP only",
		       PU_KV_STR("file", file));
	free(dir);
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
	if (d->loop)
		pu_timer_init(&d->settle, d->loop, settled, d);
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
		r = pu_relay_http_start(d->server, &d->http, d->opt->why);
	if (r < 0)
		return r;
	start_admin(d);
	watch_keys(d);
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
