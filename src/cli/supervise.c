#include "cli/supervise.h"

#include "base/log.h"
#include "daemon/config_pending.h"
#include "daemon/keeper.h"

static int run_node(void *arg, int lifeline, struct pu_failure *why)
{
	struct pu_daemon_options opt = *(const struct pu_daemon_options *)arg;

	opt.lifeline = lifeline;
	opt.why = why;
	return pu_daemon_run(&opt);
}

static int run_relay(void *arg, int lifeline, struct pu_failure *why)
{
	struct pu_relayd_options opt = *(const struct pu_relayd_options *)arg;

	opt.lifeline = lifeline;
	opt.why = why;
	return pu_relayd_run(&opt);
}

/* A config on trial that brings the daemon down has failed. */
static bool revert(const char *config)
{
	if (pu_config_pending_revert(config) < 0)
		return false;
	pu_log(PU_LOG_ERROR, "config", "the daemon died; back to the one of before",
	       PU_KV_STR("file", config));
	return true;
}

static bool on_node_crash(void *arg)
{
	return revert(((const struct pu_daemon_options *)arg)->paths.config);
}

static bool on_relay_crash(void *arg)
{
	return revert(((const struct pu_relayd_options *)arg)->config);
}

int pu_supervise_node(const struct pu_daemon_options *opt)
{
	struct pu_daemon_options o = *opt;
	const struct pu_keeper k = { .run = run_node, .on_crash = on_node_crash, .arg = &o };

	return pu_keeper_run(&k, opt->why);
}

int pu_supervise_relay(const struct pu_relayd_options *opt)
{
	struct pu_relayd_options o = *opt;
	const struct pu_keeper k = { .run = run_relay, .on_crash = on_relay_crash, .arg = &o };

	return pu_keeper_run(&k, opt->why);
}
