#include "daemon/live_config.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/config_diff.h"
#include "daemon/watchdog.h"
#include "platform/platform.h"

static void log_warnings(const struct pu_config_diags *d, const char *path)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].warning)
			pu_log(PU_LOG_WARN, "config", d->v[i].text, PU_KV_STR("file", path),
			       PU_KV_U64("line", d->v[i].line));
}

static int parse(const struct pu_live_config *l, struct pu_bytes text, void **pcfg,
		 struct pu_failure *why)
{
	struct pu_config_diags *diags = calloc(1, sizeof *diags);
	int r;

	if (!diags)
		return PU_ENOMEM;
	r = l->ops->parse(l->path, text, pcfg, diags);
	log_warnings(diags, l->path);
	if (r < 0)
		pu_config_diags_failure(diags, l->path, why);
	free(diags);
	return r;
}

static int read_text(const char *path, char **ptext, size_t *plen, struct pu_failure *why)
{
	struct pu_config_diags *diags = calloc(1, sizeof *diags);
	struct pu_file_info info;
	int r = diags ? pu_config_read(path, ptext, plen, &info, diags) : PU_ENOMEM;

	if (r < 0 && diags)
		pu_config_diags_failure(diags, path, why);
	free(diags);
	return r;
}

/* The file's text and what it says; both are the caller's. */
static int load(const struct pu_live_config *l, char **ptext, size_t *plen, void **pcfg,
		struct pu_failure *why)
{
	char *text;
	size_t len;
	int r = read_text(l->path, &text, &len, why);

	if (r < 0)
		return r;
	r = parse(l, pu_bytes(text, len), pcfg, why);
	if (r < 0) {
		free(text);
		return r;
	}
	*ptext = text;
	*plen = len;
	return 0;
}

static void tell(const struct pu_live_config *l, const char *what, const char *detail)
{
	if (l->ops->tell)
		l->ops->tell(l->arg, what, detail);
}

static void differ(const struct pu_live_config *l, const void *cfg, struct pu_config_diff *diff)
{
	pu_config_diff(l->ops->schema(), l->ops->live, l->ops->in_use(l->arg), cfg, diff);
}

/* Takes over what a running program can; what it cannot is told in the log. */
static int use(struct pu_live_config *l, PU_TAKES void *cfg, struct pu_bytes text,
	       const struct pu_config_diff *diff, struct pu_failure *why)
{
	char keys[512];
	int r = l->ops->use(l->arg, cfg, why);

	if (r < 0) {
		l->ops->free(cfg);
		return r;
	}
	if (diff->n > 0)
		pu_log(PU_LOG_WARN, "config", "these keys need a restart",
		       PU_KV_STR("keys", pu_config_diff_text(diff, keys, sizeof keys)),
		       PU_KV_STR("or", l->ops->command));
	else
		pu_log(PU_LOG_INFO, "config", "loaded again", PU_KV_STR("file", l->path));
	tell(l, "loaded", NULL);
	return pu_trial_loaded(&l->trial, text, diff->n == 0);
}

/* A config that a command put in place: the whole of it counts, at once. */
static int on_applied(void *arg, struct pu_bytes text)
{
	struct pu_live_config *l = arg;
	struct pu_failure why = { .what = "" };
	struct pu_config_diff diff;
	void *cfg;
	int r = parse(l, text, &cfg, &why);

	if (r == 0) {
		differ(l, cfg, &diff);
		if (diff.n == 0 && l->trial.good) {
			r = use(l, cfg, text, &diff, &why);
		} else {
			l->ops->free(cfg);
			l->ops->restart(l->arg);
			r = PU_TRIAL_RESTARTS;
		}
	}
	if (r < 0)
		pu_log(PU_LOG_ERROR, "config", "this one cannot be used",
		       PU_KV_STR("what", why.what), PU_KV_STR("why", why.why));
	return r;
}

static void on_trial_end(void *arg, const char *what)
{
	tell(arg, what, NULL);
}

static const struct pu_trial_ops trial_ops = { .apply = on_applied, .on_end = on_trial_end };

int pu_live_config_read(struct pu_live_config *l, const char *path,
			const struct pu_live_config_ops *ops, void *arg, void **pcfg,
			struct pu_failure *why)
{
	*l = (struct pu_live_config){ .path = path, .ops = ops, .arg = arg };
	return load(l, &l->text, &l->len, pcfg, why);
}

int pu_live_config_init(struct pu_live_config *l, struct pu_loop *loop)
{
	int r;

	pu_trial_init(&l->trial, loop, l->path, &trial_ops, l);
	r = pu_trial_loaded(&l->trial, pu_bytes(l->text, l->len), true);
	free(l->text);
	l->text = NULL;
	return r;
}

void pu_live_config_start(struct pu_live_config *l)
{
	pu_trial_start(&l->trial, true);
}

void pu_live_config_stop(struct pu_live_config *l)
{
	pu_trial_stop(&l->trial);
	free(l->text);
	l->text = NULL;
}

static int reload(struct pu_live_config *l, struct pu_failure *why)
{
	struct pu_config_diff diff;
	void *cfg;
	char *text;
	size_t len;
	int r = load(l, &text, &len, &cfg, why);

	if (r < 0)
		return r;
	pu_watchdog_reloading();
	differ(l, cfg, &diff);
	r = use(l, cfg, pu_bytes(text, len), &diff, why);
	pu_platform_notify("READY=1");
	free(text);
	if (r == 0)
		pu_trial_check(&l->trial);
	return r;
}

int pu_live_config_reload(struct pu_live_config *l, struct pu_failure *why)
{
	int r = reload(l, why);

	if (r < 0)
		tell(l, "refused", why->why);
	return r;
}

void pu_live_config_reload_told(struct pu_live_config *l)
{
	struct pu_failure why = { .what = "" };

	if (pu_live_config_reload(l, &why) < 0)
		pu_log(PU_LOG_ERROR, "config", "reload failed, nothing changed",
		       PU_KV_STR("what", why.what), PU_KV_STR("why", why.why));
}
