#include "cli/heal.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "cli/config_file.h"
#include "daemon/config.h"
#include "daemon/config_archive.h"
#include "daemon/config_pending.h"

/* The newest copy that can be used; -1: none. */
static int usable_copy(const struct pu_config_file *f)
{
	for (unsigned n = 0; n < PU_CONFIG_ARCHIVE_MAX; n++) {
		char *text;
		size_t len;
		int r;

		if (pu_config_archive_read(f->path, n, &text, &len, NULL) < 0)
			continue;
		r = pu_config_file_check(f, pu_bytes(text, len));
		free(text);
		if (r == 0)
			return (int)n;
	}
	return -1;
}

/* Its content is at fault, or that it is not there; not who may read it. */
static bool is_bad(int err)
{
	return err == PU_ECONFIG || err == PU_ENOENT || err == PU_E2BIG || err == PU_EINVAL;
}

static int settle_trial(struct pu_cli *c, const struct pu_config_file *f)
{
	struct pu_config_pending p;
	bool reverted;
	int r = pu_config_pending_settle(f->path, &reverted);

	if (r == 0 && !reverted && pu_config_pending_read(f->path, &p) == 0 &&
	    is_bad(pu_config_file_check_own(f))) {
		r = pu_config_pending_revert(f->path);
		reverted = r == 0;
	}
	if (reverted)
		pu_log(PU_LOG_ERROR, "config", "it was not confirmed; back to the one of before",
		       PU_KV_STR("file", f->path));
	return r < 0 ? pu_cli_fail(c, f->path, NULL,
				   "cannot go back to the config of before the trial: %s",
				   pu_err_text(r))
		     : 0;
}

int pu_heal(struct pu_cli *c, bool relay)
{
	struct pu_config_file f;
	char hint[512];
	int n, err, r = pu_config_file_find(c, relay, &f);

	if (r == 0)
		r = settle_trial(c, &f);
	if (r)
		return r;
	err = pu_config_file_check_own(&f);
	if (!is_bad(err))
		return 0;
	n = usable_copy(&f);
	if (n < 0)
		return 0; /* whoever loads it tells what is wrong */
	if (!pu_cli_has(c, "heal")) {
		char *text;
		size_t len;

		r = pu_config_file_read(c, &f, f.path, &text, &len);
		if (r == 0)
			free(text); /* somebody repaired it meanwhile */
		else
			snprintf(c->why.hint, sizeof c->why.hint, "%s",
				 pu_config_file_command(c, &f, "rollback", hint, sizeof hint));
		return r;
	}
	r = pu_config_archive_restore(f.path, (unsigned)n);
	if (r < 0)
		return pu_cli_fail(c, f.path, NULL, "cannot be healed: %s", pu_err_text(r));
	pu_log(PU_LOG_ERROR, "config", "it cannot be used; the last good one takes its place",
	       PU_KV_STR("file", f.path), PU_KV_ERR(err));
	return 0;
}
