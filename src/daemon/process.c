#include "daemon/process.h"

#include <signal.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/version.h"
#include "p2p/transport/net_uv.h"
#include "platform/platform.h"

static const int signal_numbers[PU_PROCESS_SIGNALS] = { SIGINT, SIGTERM, SIGHUP };

/* --- the start -------------------------------------------------------------------- */

static void tell_signal(struct pu_process *p, int signum)
{
	pu_loop_uv_enter(p->loop);
	p->opt.on_signal(p->opt.arg, signum);
	pu_loop_uv_leave(p->loop);
}

static void on_signal(uv_signal_t *h, int signum)
{
	tell_signal(h->data, signum);
}

static void on_lifeline(uv_poll_t *h, int status, int events)
{
	struct pu_process *p = h->data;

	uv_poll_stop(h);
	pu_log_msg(PU_LOG_WARN, p->opt.name, "the process that started this one is gone");
	tell_signal(p, SIGTERM);
}

static void follow(struct pu_process *p, int fd)
{
	if (fd <= 0 || uv_poll_init(pu_loop_uv_of(p->loop), &p->lifeline, fd) < 0)
		return;
	p->lifeline.data = p;
	p->following = true;
	uv_poll_start(&p->lifeline, UV_READABLE | UV_DISCONNECT, on_lifeline);
}

static void on_stop_limit(void *arg)
{
	struct pu_process *p = arg;

	pu_log_msg(PU_LOG_WARN, p->opt.name, "not everything ended in time");
	p->forced = true;
	pu_loop_uv_stop(p->driver);
}

int pu_process_start(struct pu_process *p, const struct pu_process_options *opt)
{
	int r;

	*p = (struct pu_process){ .opt = *opt };
	/* A kernel that cannot has no filter later, which is when that is said. */
	(void)pu_platform_no_rings();
	r = pu_loop_uv_new(&p->driver);
	if (r < 0)
		return r;
	p->loop = pu_loop_uv_loop(p->driver);
	pu_timer_init(&p->stop_limit, p->loop, on_stop_limit, p);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < PU_PROCESS_SIGNALS; i++) {
		uv_signal_init(pu_loop_uv_of(p->loop), &p->signals[i]);
		p->signals[i].data = p;
		uv_signal_start(&p->signals[i], on_signal, signal_numbers[i]);
	}
	follow(p, opt->lifeline);
	r = pu_net_uv_new(p->loop, &p->net);
	if (r == 0 && geteuid() == 0 && opt->owner.set)
		pu_net_uv_set_owner(p->net, opt->owner.uid);
	return r;
}

int pu_process_drop_rights(const struct pu_process *p, struct pu_failure *why)
{
	const struct pu_file_owner *user = &p->opt.owner;
	const bool root = geteuid() == 0;
	int r;

	if (!root && !pu_platform_has_rights())
		return 0;
	r = pu_platform_drop(root && user->set ? user->uid : 0, user->set ? user->gid : 0);
	if (r == 0)
		r = pu_platform_seccomp();
	if (r == PU_ENOTSUP) {
		pu_log_msg(PU_LOG_WARN, "process", "this kernel filters no system calls");
		r = 0;
	}
	if (r < 0)
		return pu_failure_set(why, r, "privileges", NULL, "cannot give them up: %s",
				      pu_err_text(r));
	return 0;
}

/* --- the run ---------------------------------------------------------------------- */

void pu_process_ready(struct pu_process *p, const struct pu_peerid *self,
		      const struct pu_watchdog_options *opt)
{
	struct pu_watchdog_options wopt = *opt;
	char id[PU_PEERID_TEXT_MAX];

	pu_log(PU_LOG_INFO, p->opt.name, "ready", PU_KV_STR("peer", pu_peerid_text(self, id)),
	       PU_KV_STR("version", PU_VERSION));
	pu_platform_notify("READY=1");
	wopt.loop = p->loop;
	if (pu_watchdog_start(&wopt, &p->watchdog) < 0)
		pu_log_msg(PU_LOG_WARN, p->opt.name, "the service manager hears nothing of us");
}

void pu_process_run(struct pu_process *p)
{
	pu_loop_uv_run(p->driver);
}

/* --- the end ---------------------------------------------------------------------- */

bool pu_process_stopping(struct pu_process *p, bool again)
{
	if (p->stopping)
		return false;
	p->stopping = true;
	pu_watchdog_stopping(again);
	pu_watchdog_stop(p->watchdog);
	p->watchdog = NULL;
	pu_timer_set(&p->stop_limit, pu_loop_now(p->loop) + PU_MS(PU_PROCESS_STOP_LIMIT_MS));
	return true;
}

void pu_process_stopped(struct pu_process *p)
{
	pu_loop_uv_stop(p->driver);
}

void pu_process_end(struct pu_process *p)
{
	if (!p->driver)
		return;
	pu_watchdog_stop(p->watchdog);
	p->watchdog = NULL;
	pu_timer_stop(&p->stop_limit);
	if (p->following)
		uv_close((uv_handle_t *)&p->lifeline, NULL);
	for (int i = 0; i < PU_PROCESS_SIGNALS; i++)
		uv_close((uv_handle_t *)&p->signals[i], NULL);
	if (p->net)
		pu_net_uv_free(p->net);
	pu_loop_uv_free(p->driver);
	p->driver = NULL;
}

int pu_process_log_format(const char *format)
{
	bool json, journal;

	if (!format)
		format = pu_platform_has_journal() ? "journal" : "text";
	json = strcmp(format, "json") == 0;
	journal = strcmp(format, "journal") == 0;
	if (!json && !journal && strcmp(format, "text") != 0)
		return PU_EINVAL;
	pu_log_set_json(json);
	pu_log_set_fields(journal ? pu_platform_journal : NULL);
	return 0;
}
