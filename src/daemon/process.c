#include "daemon/process.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/transport/net_uv.h"
#include "platform/platform.h"

static const int signal_numbers[PU_PROCESS_SIGNALS] = { SIGINT, SIGTERM, SIGHUP };

static void on_signal(uv_signal_t *h, int signum)
{
	struct pu_process *p = h->data;

	pu_loop_uv_enter(p->loop);
	p->on_signal(p->arg, signum);
	pu_loop_uv_leave(p->loop);
}

int pu_process_start(struct pu_process *p, void (*fn)(void *arg, int signum), void *arg)
{
	int r;

	/* A kernel that cannot has no filter later, which is when that is said. */
	(void)pu_platform_no_rings();
	r = pu_loop_uv_new(&p->driver);
	if (r < 0)
		return r;
	p->loop = pu_loop_uv_loop(p->driver);
	p->on_signal = fn;
	p->arg = arg;
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < PU_PROCESS_SIGNALS; i++) {
		uv_signal_init(pu_loop_uv_of(p->loop), &p->signals[i]);
		p->signals[i].data = p;
		uv_signal_start(&p->signals[i], on_signal, signal_numbers[i]);
	}
	return pu_net_uv_new(p->loop, &p->net);
}

static void on_lifeline(uv_poll_t *h, int status, int events)
{
	struct pu_process *p = h->data;

	uv_poll_stop(h);
	pu_log_msg(PU_LOG_WARN, "process", "the process that started this one is gone");
	pu_loop_uv_enter(p->loop);
	p->on_signal(p->arg, SIGTERM);
	pu_loop_uv_leave(p->loop);
}

void pu_process_follow(struct pu_process *p, int fd)
{
	if (fd <= 0 || uv_poll_init(pu_loop_uv_of(p->loop), &p->lifeline, fd) < 0)
		return;
	p->lifeline.data = p;
	p->following = true;
	uv_poll_start(&p->lifeline, UV_READABLE | UV_DISCONNECT, on_lifeline);
}

void pu_process_end(struct pu_process *p)
{
	if (!p->driver)
		return;
	if (p->following)
		uv_close((uv_handle_t *)&p->lifeline, NULL);
	for (int i = 0; i < PU_PROCESS_SIGNALS; i++)
		uv_close((uv_handle_t *)&p->signals[i], NULL);
	if (p->net)
		pu_net_uv_free(p->net);
	pu_loop_uv_free(p->driver);
	p->driver = NULL;
}

int pu_process_drop_rights(const struct pu_file_owner *user, struct pu_failure *why)
{
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

int pu_process_read_config(const char *path, char **ptext, size_t *plen, struct pu_failure *why)
{
	struct pu_config_diags *diags = calloc(1, sizeof *diags);
	struct pu_file_info info;
	int r = diags ? pu_config_read(path, ptext, plen, &info, diags) : PU_ENOMEM;

	if (r < 0 && diags)
		pu_config_diags_failure(diags, path, why);
	free(diags);
	return r;
}

void pu_process_log_warnings(const struct pu_config_diags *d, const char *path)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].warning)
			pu_log(PU_LOG_WARN, "config", d->v[i].text, PU_KV_STR("file", path),
			       PU_KV_U64("line", d->v[i].line));
}
