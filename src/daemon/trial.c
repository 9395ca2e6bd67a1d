#include "daemon/trial.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop_uv.h"
#include "daemon/config.h"
#include "daemon/config_archive.h"
#include "daemon/config_pending.h"
#include "daemon/paths.h"

enum {
	SETTLE_MS = 100, /* a command writes several files */
	RETRY_S = 5,	 /* a full disk may have room again */
};

static int64_t wall_ns(const struct pu_loop *l)
{
	return (int64_t)l->now + l->wall_offset;
}

static void archive(struct pu_trial *t)
{
	int r;

	if (!t->text || !t->good || t->pending)
		return;
	r = pu_config_archive_save(t->config, pu_bytes(t->text, t->len));
	if (r < 0)
		pu_log(PU_LOG_WARN, "config", "no copy was kept for rollback",
		       PU_KV_STR("file", t->config), PU_KV_ERR(r));
}

static bool is_in_use(const struct pu_trial *t)
{
	char *text;
	size_t len;
	bool same;

	if (!t->text || pu_file_read(t->config, PU_CONFIG_FILE_MAX, &text, &len, NULL) < 0)
		return false;
	same = len == t->len && memcmp(text, t->text, len) == 0;
	free(text);
	return same;
}

static void end_trial(struct pu_trial *t, const char *what)
{
	t->pending = false;
	pu_timer_stop(&t->timer);
	pu_log(PU_LOG_INFO, "config", what, PU_KV_STR("file", t->config));
	if (t->ops->on_end)
		t->ops->on_end(t->arg, what);
}

static void take_over(struct pu_trial *t);

static void revert(struct pu_trial *t, const char *why)
{
	int r = pu_config_pending_revert(t->config);

	if (r < 0 && r != PU_ENOENT) {
		pu_log(PU_LOG_ERROR, "config", "cannot go back to the one of before, trying again",
		       PU_KV_STR("file", t->config), PU_KV_ERR(r));
		pu_timer_set(&t->timer, pu_loop_now(t->loop) + PU_SEC(RETRY_S));
		return;
	}
	if (r == PU_ENOENT) {
		end_trial(t, "confirmed");
	} else {
		pu_log(PU_LOG_ERROR, "config", "back to the one of before", PU_KV_STR("why", why),
		       PU_KV_STR("file", t->config));
		end_trial(t, "reverted");
	}
	take_over(t);
}

static void on_deadline(void *arg)
{
	revert(arg, "not confirmed in time");
}

/* The file as it is now, unless it is the one in use. */
static void take_over(struct pu_trial *t)
{
	char *text;
	size_t len;
	int r = pu_file_read(t->config, PU_CONFIG_FILE_MAX, &text, &len, NULL);

	/* A reload may have come before us, and have taken over what it could. */
	if (r == 0 && t->good && len == t->len && memcmp(text, t->text, len) == 0) {
		free(text);
		archive(t);
		return;
	}
	if (r == 0) {
		r = t->ops->apply(t->arg, pu_bytes(text, len));
		if (r == 0)
			(void)pu_trial_loaded(t, pu_bytes(text, len), true);
		free(text);
	}
	if (r == 0)
		archive(t);
	if (r >= 0)
		return;
	pu_log(PU_LOG_ERROR, "config", "cannot be used", PU_KV_STR("file", t->config),
	       PU_KV_ERR(r));
	if (t->pending)
		revert(t, "it cannot be used");
}

static void arm(struct pu_trial *t, const struct pu_config_pending *p)
{
	pu_time left = pu_config_pending_left(p, wall_ns(t->loop));

	t->pending = true;
	t->marker = p->deadline;
	t->deadline = pu_loop_now(t->loop) + left;
	pu_timer_set(&t->timer, t->deadline);
	pu_log(PU_LOG_WARN, "config", "on trial: without `config confirm` it is taken back",
	       PU_KV_STR("file", t->config), PU_KV_U64("seconds", left / PU_SEC(1)));
}

void pu_trial_check(struct pu_trial *t)
{
	struct pu_config_pending p;
	int r = pu_config_pending_read(t->config, &p);

	if (r == PU_ENOENT) {
		bool touched = t->touched || t->pending;

		t->touched = false;
		if (t->pending)
			end_trial(t, is_in_use(t) ? "confirmed" : "reverted");
		/* `config rollback` may have come and gone. */
		if (touched)
			take_over(t);
	} else if (r == 0) {
		if (!t->pending || t->marker != p.deadline)
			arm(t, &p);
		take_over(t);
	} else {
		pu_log(PU_LOG_WARN, "config", "cannot read the marker of a trial",
		       PU_KV_STR("file", t->config), PU_KV_ERR(r));
	}
}

/* --- noticing ----------------------------------------------------------------------- */

static void on_settled(void *arg)
{
	pu_trial_check(arg);
}

/* Time that the machine slept counts for the user who waits in front of it. */
static void on_gap(void *arg, pu_time gap)
{
	struct pu_trial *t = arg;
	pu_time now = pu_loop_now(t->loop);

	if (!t->pending)
		return;
	t->deadline = t->deadline > now + gap ? t->deadline - gap : now;
	pu_timer_set(&t->timer, t->deadline);
}

static void on_file_event(uv_fs_event_t *w, const char *name, int events, int status)
{
	struct pu_trial *t = w->data;

	/* Sockets, logs and state live in the same directory. */
	if (!name || strstr(name, ".pending"))
		t->touched = true;
	else if (!t->pending || !strstr(t->config, name))
		return;
	pu_loop_uv_enter(t->loop);
	pu_timer_set(&t->settle, pu_loop_now(t->loop) + PU_MS(SETTLE_MS));
	pu_loop_uv_leave(t->loop);
}

static void watch(struct pu_trial *t)
{
	char dir[PU_PATHS_LEN];
	const char *slash = strrchr(t->config, '/');

	snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - t->config + 1) : 1,
		 slash ? t->config : ".");
	uv_fs_event_init(pu_loop_uv_of(t->loop), &t->watch);
	t->watch.data = t;
	t->watching = true;
	if (uv_fs_event_start(&t->watch, on_file_event, dir, 0) < 0)
		pu_log(PU_LOG_WARN, "config", "`config apply` will be noticed by a restart only",
		       PU_KV_STR("dir", dir));
}

/* --- life --------------------------------------------------------------------------- */

void pu_trial_init(struct pu_trial *t, struct pu_loop *loop, const char *config,
		   const struct pu_trial_ops *ops, void *arg)
{
	*t = (struct pu_trial){ .loop = loop, .config = config, .ops = ops, .arg = arg };
	pu_timer_init(&t->timer, loop, on_deadline, t);
	pu_timer_init(&t->settle, loop, on_settled, t);
	pu_loop_watch_gaps(loop, &t->gaps, on_gap, t);
}

int pu_trial_loaded(struct pu_trial *t, struct pu_bytes text, bool works)
{
	char *copy = malloc(text.len + 1);

	if (!copy)
		return PU_ENOMEM;
	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	free(t->text);
	t->text = copy;
	t->len = text.len;
	t->good = works;
	return 0;
}

void pu_trial_start(struct pu_trial *t, bool with_watch)
{
	if (with_watch)
		watch(t);
	pu_trial_check(t);
	archive(t);
}

void pu_trial_stop(struct pu_trial *t)
{
	if (!t->loop)
		return;
	pu_timer_stop(&t->timer);
	pu_timer_stop(&t->settle);
	pu_loop_unwatch_gaps(&t->gaps);
	if (t->watching)
		uv_close((uv_handle_t *)&t->watch, NULL);
	free(t->text);
	t->text = NULL;
	t->watching = false;
	t->loop = NULL;
}

bool pu_trial_has_failed(const char *config, const struct pu_failure *why)
{
	if (pu_config_pending_revert(config) < 0)
		return false;
	pu_log(PU_LOG_ERROR, "config", "it failed on trial; back to the one of before",
	       PU_KV_STR("file", config), PU_KV_STR("what", why ? why->what : ""),
	       PU_KV_STR("why", why ? why->why : ""));
	return true;
}
