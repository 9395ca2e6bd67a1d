#include "cli/config_file.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/local.h"
#include "cli/relay_local.h"
#include "daemon/relay_config.h"

static int find_node(struct pu_cli *c, struct pu_config_file *f)
{
	struct pu_paths_env env;

	pu_paths_env_get(&env);
	if (c->config) /* it may be what is missing */
		return pu_paths_for_config(&f->paths, &env, c->config, &c->why);
	if (pu_paths_find(&f->paths, &env, NULL, &c->why) < 0)
		return PU_ENOENT;
	if (f->paths.config[0])
		return 0;
	if (pu_paths_join(f->path, f->paths.user_dir, PU_PATHS_CONFIG_NAME) < 0)
		return PU_ELIMIT;
	return pu_paths_for_config(&f->paths, &env, f->path, &c->why);
}

int pu_config_file_find(struct pu_cli *c, bool relay, struct pu_config_file *f)
{
	int r = 0;

	*f = (struct pu_config_file){ .relay = relay };
	if (relay) {
		if (snprintf(f->path, sizeof f->path, "%s", pu_relay_local_path(c)) >=
		    (int)sizeof f->path)
			r = PU_ELIMIT;
	} else {
		r = find_node(c, f);
		if (r == 0)
			memcpy(f->path, f->paths.config, sizeof f->path);
	}
	return r < 0 ? pu_cli_fail(c, "config", NULL, "%s", pu_err_text(r)) : 0;
}

const char *pu_config_file_command(const struct pu_cli *c, const struct pu_config_file *f,
				   const char *action, char *out, size_t cap)
{
	snprintf(out, cap, "peerup-vpn %sconfig %s%s%.300s", f->relay ? "relay " : "", action,
		 c->config ? " --config " : "", c->config ? c->config : "");
	return out;
}

/* The text as a config of its kind; *pcfg is freed by release(). */
static int parse(const struct pu_config_file *f, struct pu_bytes text, void **pcfg,
		 struct pu_config_diags *d)
{
	struct pu_relay_config *relay;
	struct pu_config *node;
	int r;

	if (f->relay) {
		r = pu_relay_config_parse(f->path, text, &relay, d);
		*pcfg = r == 0 ? relay : NULL;
	} else {
		r = pu_config_parse(f->path, text, &node, d);
		*pcfg = r == 0 ? node : NULL;
	}
	return r;
}

static void release(const struct pu_config_file *f, void *cfg)
{
	if (f->relay)
		pu_relay_config_free(cfg);
	else
		pu_config_free(cfg);
}

static int tell(struct pu_cli *c, const struct pu_config_file *f, const char *path, int err,
		const struct pu_config_diags *d)
{
	char hint[512];

	if (err == PU_ENOENT)
		return pu_cli_fail(c, path, f->relay ? "peerup-vpn relay setup" : "peerup-vpn init",
				   "no such config file");
	if (d->n_errors != 1) {
		pu_local_show_diags(d, path, false);
		return pu_cli_fail(c, path, NULL, "%zu errors", d->n_errors);
	}
	pu_config_diags_failure(d, path, &c->why);
	if (err == PU_EPERM && access(path, R_OK) == 0) {
		snprintf(hint, sizeof hint, "chmod 600 %.400s", path);
		memcpy(c->why.hint, hint, sizeof c->why.hint);
	}
	return PU_CLI_FAILED;
}

int pu_config_file_read(struct pu_cli *c, const struct pu_config_file *f, const char *path,
			char **ptext, size_t *plen)
{
	struct pu_config_diags *d = calloc(1, sizeof *d);
	struct pu_file_info info;
	void *cfg = NULL;
	char *text = NULL;
	size_t len = 0;
	int r = d ? pu_config_read(path, &text, &len, &info, d) : PU_ENOMEM;

	if (!d)
		return pu_cli_fail(c, path, NULL, "%s", pu_err_text(r));
	if (r == 0) {
		r = parse(f, pu_bytes(text, len), &cfg, d);
		if (r < 0)
			free(text);
	}
	if (r < 0) {
		r = tell(c, f, path, r, d);
	} else {
		pu_local_show_diags(d, path, true);
		release(f, cfg);
		*ptext = text;
		*plen = len;
	}
	free(d);
	return r;
}

int pu_config_file_check(const struct pu_config_file *f, struct pu_bytes text)
{
	struct pu_config_diags *d = calloc(1, sizeof *d);
	void *cfg = NULL;
	int r = d ? parse(f, text, &cfg, d) : PU_ENOMEM;

	if (r == 0)
		release(f, cfg);
	free(d);
	return r;
}

int pu_config_file_check_own(const struct pu_config_file *f)
{
	struct pu_config_diags *d = calloc(1, sizeof *d);
	struct pu_file_info info;
	char *text;
	size_t len;
	int r = d ? pu_config_read(f->path, &text, &len, &info, d) : PU_ENOMEM;

	free(d);
	if (r < 0)
		return r;
	r = pu_config_file_check(f, pu_bytes(text, len));
	free(text);
	return r;
}

void pu_config_file_diff(const struct pu_config_file *f, struct pu_bytes a, struct pu_bytes b,
			 struct pu_config_diff *out)
{
	struct pu_config_diags *d = calloc(1, sizeof *d);
	void *ca = NULL, *cb = NULL;

	out->n = 0;
	if (d && parse(f, a, &ca, d) == 0 && parse(f, b, &cb, d) == 0)
		pu_config_diff(f->relay ? pu_relay_config_schema() : pu_config_schema_node(),
			       f->relay ? pu_config_diff_live_relay : pu_config_diff_live_node, ca,
			       cb, out);
	release(f, ca);
	release(f, cb);
	free(d);
}
