#include "support/pairing_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"

static int reload(void *arg, struct pu_failure *why)
{
	struct pu_lab_node *a = arg;
	struct pu_config_diags *d = calloc(1, sizeof *d);
	struct pu_config *cfg;
	int r;

	assert_non_null(d);
	r = pu_config_load(a->paths.config, &cfg, d);
	if (r < 0)
		pu_config_diags_failure(d, a->paths.config, why);
	free(d);
	if (r < 0)
		return r;
	r = pu_node_reload(a->node, cfg, why);
	if (r < 0)
		pu_config_free(cfg);
	return r;
}

struct pu_pairing *pu_lab_pairing_new(struct pu_lab_node *a)
{
	const struct pu_pairing_options opt = { .node = a->node, .reload = reload, .arg = a };
	struct pu_pairing *p;

	assert_int_equal(pu_pairing_new(&opt, &p), 0);
	return p;
}

static bool is_prepared(void *arg)
{
	const struct pu_invite *i = arg;

	return i->state != PU_INVITE_PREPARING;
}

const struct pu_invite *pu_lab_invite(struct pu_lab_node *a, struct pu_pairing *p,
				      const struct pu_invite_options *opt, struct pu_failure *why)
{
	const struct pu_invite *i;

	*why = (struct pu_failure){ .what = "" };
	if (pu_pairing_invite(p, opt, &i, why) < 0)
		return NULL;
	assert_true(pu_sim_run_until(a->lab->sim, is_prepared, (void *)i,
				     PU_SEC(PU_PAIRING_PREPARE_S + 1)));
	if (i->state == PU_INVITE_OPEN)
		return i;
	*why = i->why;
	return NULL;
}

static void on_joined(void *arg, int err, const struct pu_join_result *r,
		      const struct pu_failure *why)
{
	struct pu_lab_join *j = arg;

	assert_false(j->done);
	j->done = true;
	j->err = err;
	j->why = *why;
	if (!r)
		return;
	j->n_peers = r->n_peers;
	snprintf(j->group, sizeof j->group, "%s", r->group);
	if (r->n_peers)
		snprintf(j->name, sizeof j->name, "%s", r->peer[0].name);
}

void pu_lab_join_start(struct pu_pairing *p, const char *code, const char *name,
		       struct pu_lab_join *j)
{
	const struct pu_join_options opt = { .code = code, .name = name };

	*j = (struct pu_lab_join){ .done = false };
	j->err = pu_pairing_join(p, &opt, on_joined, j, &j->why);
	j->done = j->err < 0;
}

static bool is_done(void *arg)
{
	const struct pu_lab_join *j = arg;

	return j->done;
}

void pu_lab_join(struct pu_lab_node *a, struct pu_pairing *p, const char *code, const char *name,
		 struct pu_lab_join *j)
{
	pu_lab_join_start(p, code, name, j);
	assert_true(pu_sim_run_until(a->lab->sim, is_done, j,
				     PU_SEC(PU_PAIRING_JOIN_TIMEOUT_S + 5)));
}

bool pu_lab_file_has(const struct pu_lab_node *a, const char *file, const char *text)
{
	char path[PU_PATHS_LEN], *all;
	size_t len;
	bool has;

	assert_int_equal(pu_paths_join(path, a->dir, file), 0);
	if (pu_file_read(path, 1 << 20, &all, &len, NULL) < 0)
		return false;
	has = strstr(all, text) != NULL;
	free(all);
	return has;
}
