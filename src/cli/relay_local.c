#include "cli/relay_local.h"

#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/local.h"

const char *pu_relay_local_path(const struct pu_cli *c)
{
	return c->config ? c->config : PU_RELAY_CONFIG_NAME;
}

struct pu_file_owner pu_relay_local_owner_of(const char *config)
{
	struct pu_failure ignored = { .what = "" };
	struct pu_paths paths = { .owner = { .set = false } };
	struct pu_paths_env env;

	pu_paths_env_get(&env);
	/* Only who we work for matters here. Without a home nobody is behind us. */
	pu_paths_for_config(&paths, &env, config, &ignored);
	return paths.owner;
}

struct pu_file_owner pu_relay_local_owner(const struct pu_cli *c)
{
	return pu_relay_local_owner_of(pu_relay_local_path(c));
}

/* One error is told the way every command tells it, more as a list. */
static int tell_errors(struct pu_cli *c, const char *path, int err,
		       const struct pu_config_diags *d)
{
	if (err == PU_ENOENT)
		return pu_cli_fail(c, path, "peerup-vpn relay setup", "no such config file");
	if (d->n_errors == 1) {
		pu_config_diags_failure(d, path, &c->why);
		if (err == PU_EPERM && access(path, R_OK) == 0)
			snprintf(c->why.hint, sizeof c->why.hint, "chmod 600 %.400s", path);
		return PU_CLI_FAILED;
	}
	pu_local_show_diags(d, path, false);
	return pu_cli_fail(c, path, NULL, "%zu errors", d->n_errors);
}

int pu_relay_local_load(struct pu_cli *c, const char *path, bool warnings,
			struct pu_relay_config **pcfg)
{
	struct pu_config_diags *d = calloc(1, sizeof *d);
	int r = d ? pu_relay_config_load(path, pcfg, d) : PU_ENOMEM;

	if (!d)
		return pu_cli_fail(c, path, NULL, "%s", pu_err_text(r));
	if (r < 0)
		r = tell_errors(c, path, r, d);
	else if (warnings)
		pu_local_show_diags(d, path, true);
	free(d);
	return r;
}

int pu_relay_local_run(struct pu_cli *c, bool warnings,
		       int (*fn)(struct pu_cli *c, struct pu_relay_local *l))
{
	struct pu_relay_local l = { .path = pu_relay_local_path(c),
				    .owner = pu_relay_local_owner(c) };
	int r = pu_relay_local_load(c, l.path, warnings, &l.cfg);

	if (r == 0)
		r = fn(c, &l);
	pu_relay_config_free(l.cfg);
	return r;
}

int pu_relay_local_members(struct pu_cli *c, const struct pu_relay_local *l,
			   struct pu_members **pset)
{
	const char *file = l->cfg->authorized_keys_file;
	uint8_t key[16];
	int r;

	if (getrandom(key, sizeof key, 0) != sizeof key)
		return pu_cli_fail(c, "random numbers", NULL, "not available");
	r = pu_member_load(file, key, NULL, NULL, pset);
	return r < 0 ? pu_cli_fail(c, file, NULL, "%s", pu_err_text(r)) : 0;
}
