#include "daemon/config.h"

#include <stdlib.h>

#include "base/err.h"
#include "daemon/config_check.h"
#include "daemon/config_fill.h"
#include "daemon/config_tree.h"

static int set_paths(struct pu_config *cfg, const char *path)
{
	const char *slash = strrchr(path, '/');

	cfg->path = strdup(path);
	if (!slash)
		cfg->dir = strdup(".");
	else
		cfg->dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	return cfg->path && cfg->dir ? 0 : PU_ENOMEM;
}

int pu_config_parse(const char *path, struct pu_bytes text, struct pu_config **pcfg,
		    struct pu_config_diags *diags)
{
	struct pu_config *cfg = calloc(1, sizeof *cfg);
	struct pu_config_tree tree = { 0 };
	size_t errors_before = diags->n_errors;
	int r = PU_ENOMEM;

	if (!cfg || set_paths(cfg, path) < 0)
		goto out;
	r = pu_config_tree_parse(text, &tree, diags);
	if (r == 0)
		r = pu_config_fill(pu_config_schema_node(), tree.root, cfg->dir, cfg, diags);
	if (r == 0)
		r = pu_config_check(cfg, diags);
	if (r == 0 && diags->n_errors > errors_before)
		r = PU_ECONFIG;
out:
	pu_config_tree_deinit(&tree);
	if (r < 0) {
		if (diags->n_errors == errors_before)
			pu_config_diags_add(diags, false, 0, 0, "%s", pu_err_text(r));
		pu_config_free(cfg);
		return r;
	}
	*pcfg = cfg;
	return 0;
}

int pu_config_read(const char *path, char **ptext, size_t *plen, struct pu_file_info *info,
		   struct pu_config_diags *diags)
{
	int r = pu_file_read(path, PU_CONFIG_FILE_MAX, ptext, plen, info);

	if (r == PU_EINVAL)
		pu_config_diags_add(diags, false, 0, 0, "this is not a regular file");
	else if (r == PU_E2BIG)
		pu_config_diags_add(diags, false, 0, 0, "larger than %u bytes",
				    PU_CONFIG_FILE_MAX);
	else if (r < 0)
		pu_config_diags_add(diags, false, 0, 0, "%s", pu_err_text(r));
	if (r < 0 || !(info->mode & 077))
		return r;
	pu_config_diags_add(diags, false, 0, 0,
			    "others may access this file (mode %04o); do: chmod 600 %s",
			    info->mode, path);
	free(*ptext);
	return PU_EPERM;
}

int pu_config_load(const char *path, struct pu_config **pcfg, struct pu_config_diags *diags)
{
	struct pu_file_info info;
	char *text;
	size_t len;
	int r = pu_config_read(path, &text, &len, &info, diags);

	if (r < 0)
		return r;
	r = pu_config_parse(path, pu_bytes(text, len), pcfg, diags);
	free(text);
	return r;
}

void pu_config_free(struct pu_config *cfg)
{
	if (!cfg)
		return;
	pu_config_fill_free(pu_config_schema_node(), cfg);
	free(cfg->path);
	free(cfg->dir);
	free(cfg);
}

const struct pu_config_peer *pu_config_find_peer(const struct pu_config *cfg,
						 const struct pu_peerid *peer)
{
	for (size_t i = 0; i < cfg->n_peers; i++)
		if (pu_peerid_eq(&cfg->peers[i].peer, peer))
			return &cfg->peers[i];
	return NULL;
}
