#include "cli/supervise.h"

#include "daemon/keeper.h"
#include "daemon/trial.h"

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

static bool on_node_crash(void *arg)
{
	return pu_trial_has_failed(((const struct pu_daemon_options *)arg)->paths.config, NULL);
}

static bool on_relay_crash(void *arg)
{
	return pu_trial_has_failed(((const struct pu_relayd_options *)arg)->config, NULL);
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
