#include "cli/local.h"

#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "cli/client.h"
#include "crypto/keystore.h"
#include "daemon/enrolment.h"
#include "daemon/oneshot.h"

size_t pu_local_show_diags(const struct pu_config_diags *d, const char *path, bool warnings)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct pu_config_diag *dg = &d->v[i];

		if (dg->warning && !warnings)
			continue;
		fprintf(stderr, "peerup-vpn: %s%s", dg->warning ? "warning: " : "", path);
		if (dg->line)
			fprintf(stderr, ":%u:%u", dg->line, dg->column);
		fprintf(stderr, ": %s\n", dg->text);
	}
	if (d->n_more)
		fprintf(stderr, "peerup-vpn: %s: and %zu more\n", path, d->n_more);
	return d->n_errors;
}

static int load_config(struct pu_cli *c, struct pu_local *l, bool warnings)
{
	struct pu_config_diags *d = calloc(1, sizeof *d);
	char hint[1200] = "";
	int r;

	if (!d)
		return pu_cli_fail(c, l->paths.config, NULL, "%s", pu_err_text(PU_ENOMEM));
	r = pu_config_load(l->paths.config, &l->cfg, d);
	if (r == PU_EPERM && access(l->paths.config, R_OK) == 0)
		snprintf(hint, sizeof hint, "chmod 600 %s", l->paths.config);
	if (r < 0 && d->n_errors == 1) {
		/* One error is told the way every command tells it. */
		pu_config_diags_failure(d, l->paths.config, &c->why);
		snprintf(c->why.hint, sizeof c->why.hint, "%.*s", (int)sizeof c->why.hint - 1,
			 hint);
		d->n_errors = 0;
		for (size_t i = 0; i < d->n; i++)
			if (!d->v[i].warning)
				d->v[i--] = d->v[--d->n];
	}
	pu_local_show_diags(d, l->paths.config, warnings);
	if (r < 0 && !pu_failure_is_set(&c->why))
		pu_cli_fail(c, l->paths.config, NULL, "%zu errors", d->n_errors);
	free(d);
	return r < 0 ? PU_CLI_FAILED : 0;
}

static int load_names(struct pu_cli *c, struct pu_local *l)
{
	int r = pu_name_new(l->hash_key, &l->names);

	for (size_t i = 0; i < l->cfg->n_names && r == 0; i++)
		r = pu_name_add(l->names, l->cfg->names[i].key.name, &l->cfg->names[i].peer);
	return r < 0 ? pu_cli_fail(c, "names", NULL, "%s", pu_err_text(r)) : 0;
}

/* A machine that stopped while peers were being added has something to finish. A daemon that
 * runs does so itself, perhaps at this moment. */
static int recover(struct pu_cli *c, const struct pu_local *l)
{
	struct pu_failure why = { .what = "" };
	int r = pu_client_is_up(&l->paths, NULL) ?
			0 :
			pu_enrolment_recover(l->paths.config, &l->paths.owner, &why);

	if (r == 0 || r == PU_EPERM) /* the config tells what is wrong with its folder */
		return 0;
	c->why = why;
	return PU_CLI_FAILED;
}

int pu_local_open(struct pu_cli *c, struct pu_local *l, bool warnings)
{
	int r;

	*l = (struct pu_local){ 0 };
	if (getrandom(l->hash_key, sizeof l->hash_key, 0) != sizeof l->hash_key)
		return pu_cli_fail(c, "random numbers", NULL, "not available");
	r = pu_client_find_paths(c, &l->paths);
	if (r)
		return r;
	if (!l->paths.config[0])
		return pu_cli_fail(c, "config", "peerup-vpn init",
				   "none found: ./peerup.yaml, %s/config.yaml, "
				   PU_PATHS_SYSTEM_DIR "/config.yaml",
				   l->paths.user_dir);
	r = recover(c, l);
	if (r == 0)
		r = load_config(c, l, warnings);
	return r ? r : load_names(c, l);
}

void pu_local_close(struct pu_local *l)
{
	pu_config_free(l->cfg);
	pu_name_free(l->names);
	l->cfg = NULL;
	l->names = NULL;
}

int pu_local_oneshot(struct pu_cli *c, struct pu_local *l, const char *verb,
		     struct pu_oneshot **po)
{
	fprintf(stderr, "peerup-vpn: no daemon runs, %s directly\n", verb);
	pu_log_set_level(PU_LOG_ERROR);
	return pu_oneshot_new(&l->paths, po, &c->why) < 0 ? PU_CLI_FAILED : 0;
}

int pu_local_run(struct pu_cli *c, bool warnings, int (*fn)(struct pu_cli *c, struct pu_local *l))
{
	struct pu_local l;
	int r = pu_local_open(c, &l, warnings);

	if (r == 0)
		r = fn(c, &l);
	pu_local_close(&l);
	return r;
}

int pu_local_resolve(struct pu_cli *c, const struct pu_local *l, const char *text,
		     struct pu_peerid *peer)
{
	enum pu_name_source source;

	if (pu_name_resolve(l->names, l->cfg->vpn.dns_suffix, text, peer, &source) == 0)
		return 0;
	return pu_cli_fail(c, text, "peerup-vpn name list", "neither a known name nor a peer ID");
}

const char *pu_local_members_file(const struct pu_cli *c, const struct pu_local *l)
{
	const char *file = pu_cli_flag(c, "file", 0);

	return file ? file : l->cfg->authorized_keys_file;
}

int pu_local_members(struct pu_cli *c, const struct pu_local *l, pu_member_warn_fn *warn,
		     void *warn_arg, struct pu_members **pset)
{
	const char *file = pu_local_members_file(c, l);
	int r = pu_member_load(file, l->hash_key, warn, warn_arg, pset);

	return r < 0 ? pu_cli_fail(c, file, NULL, "%s", pu_err_text(r)) : 0;
}

int pu_local_key(struct pu_cli *c, const struct pu_local *l, struct pu_key *key)
{
	const char *file = l->cfg->key_file;
	const struct pu_file_owner *owner = &l->paths.owner;
	bool is_new = access(file, F_OK) < 0;
	char hint[1200] = "";
	uint8_t seed[32];
	int r;

	if (getrandom(seed, sizeof seed, 0) != sizeof seed || pu_crypto_init() < 0)
		return pu_cli_fail(c, "random numbers", NULL, "not available");
	r = pu_keystore_load_or_create(file, seed, key);
	explicit_bzero(seed, sizeof seed);
	if (r == PU_EPERM) {
		if (access(file, R_OK) == 0)
			snprintf(hint, sizeof hint, "chmod 600 %s", file);
		return pu_cli_fail(c, file, hint, "%s",
				   hint[0] ? "others may access the private key" :
					     pu_err_text(r));
	}
	if (r == PU_EINVAL || r == PU_ENOTSUP)
		return pu_cli_fail(c, file, NULL, "not an identity key of this program");
	if (r < 0)
		return pu_cli_fail(c, file, NULL, "%s", pu_err_text(r));
	if (is_new && owner->set && lchown(file, owner->uid, owner->gid) < 0)
		return pu_cli_fail(c, file, NULL, "cannot give it to its owner");
	return 0;
}

int pu_local_edit(struct pu_cli *c, const struct pu_local *l, struct pu_config_edit **pe)
{
	struct pu_config_diags *d = calloc(1, sizeof *d);
	int r = d ? pu_config_edit_open(l->paths.config, pe, d) : PU_ENOMEM;

	if (r < 0 && d)
		pu_config_diags_failure(d, l->paths.config, &c->why);
	free(d);
	return r < 0 ? pu_cli_fail(c, l->paths.config, NULL, "%s", pu_err_text(r)) : 0;
}

int pu_local_save(struct pu_cli *c, const struct pu_local *l, struct pu_config_edit *e, int r,
		  const char *place)
{
	struct pu_config_diags *d = calloc(1, sizeof *d);
	bool edited = r == 0;

	if (r == 0)
		r = d ? pu_config_edit_commit(e, d) : PU_ENOMEM;
	pu_config_edit_close(e);
	if (edited && r == PU_ECONFIG)
		pu_config_diags_failure(d, l->paths.config, &c->why);
	free(d);
	if (r == PU_ENOTSUP)
		return pu_cli_fail(c, l->paths.config, NULL,
				   "%s is written in a way that commands cannot edit; "
				   "please edit it by hand",
				   place);
	if (r == PU_EINVAL)
		return pu_cli_fail(c, place, NULL, "the value cannot stand in the config file");
	return r < 0 ? pu_cli_fail(c, l->paths.config, NULL, "%s", pu_err_text(r)) : 0;
}

bool pu_local_reload(const struct pu_local *l)
{
	struct pu_client cl = { .paths = &l->paths };
	struct pu_failure why = { .what = "" };
	json_t *data = NULL;
	int r = pu_client_call(&cl, "POST", "/v1/reload", NULL, &data, &why);

	json_decref(data);
	if (r < 0 && r != PU_EREFUSED)
		fprintf(stderr, "peerup-vpn: warning: saved, but the running daemon did not take "
				"it over: %s\n",
			why.why);
	return r == 0;
}

const char *pu_local_applied_text(bool applied)
{
	return applied ? "The running daemon uses it now." :
			 "Takes effect when the daemon starts next.";
}
