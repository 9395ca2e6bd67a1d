/* config and relay config: check, show, take back, try. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/rfc3339.h"
#include "base/loop_uv.h"
#include "cli/client.h"
#include "cli/config_file.h"
#include "cli/out.h"
#include "cli/relay_local.h"
#include "cli/relay_snapshot.h"
#include "daemon/config_archive.h"
#include "daemon/config_pending.h"
#include "daemon/config_value.h"
#include "daemon/json_text.h"

enum { STEP_MS = 100, RESTART_MS = 10000, LIVE_MS = 600, KEYS_LEN = 512 };

#define TIMEOUT_DEFAULT PU_SEC(300)
#define TIMEOUT_MIN PU_SEC(1)

static const char *json_time(int64_t unix_s, char out[PU_RFC3339_MAX])
{
	return pu_rfc3339_text(unix_s, out);
}

/* 0 … 4, or an exit code in *pr. */
static unsigned copy_number(struct pu_cli *c, const char *flag, int *pr)
{
	const char *text = pu_cli_flag(c, flag, 0);
	uint64_t v = 0;

	if (text && (pu_config_uint(text, &v) < 0 || v >= PU_CONFIG_ARCHIVE_MAX)) {
		*pr = pu_cli_misuse(c, text, "allowed is 0 to %d, the newest is 0",
				    PU_CONFIG_ARCHIVE_MAX - 1);
		return 0;
	}
	return (unsigned)v;
}

static int no_archive(struct pu_cli *c, const struct pu_config_file *f)
{
	return pu_cli_fail(c, f->path, NULL, "no last-known-good config archive found");
}

/* --- validate ----------------------------------------------------------------------- */

static int validate(struct pu_cli *c, const struct pu_config_file *f, const char *path)
{
	char *text;
	size_t len;
	int r = pu_config_file_read(c, f, path ? path : f->path, &text, &len);

	if (!path)
		path = f->path;
	if (r) {
		fprintf(f->relay || c->json ? stderr : stdout, "FAIL: %s is not valid\n", path);
		return r;
	}
	free(text);
	if (c->json)
		return pu_out_json(json_pack("{s:o, s:b}", "file", pu_json_text(path), "valid", 1));
	printf("OK: %s is valid\n", path);
	return PU_CLI_OK;
}

/* --- show, history ------------------------------------------------------------------ */

static int show_text(struct pu_cli *c, const char *path, const char *text, size_t len,
		     const char *on_trial_until)
{
	json_t *v;

	if (!c->json) {
		printf("# Config from %s\n", path);
		fwrite(text, 1, len, stdout);
		if (len > 0 && text[len - 1] != '\n')
			putchar('\n');
		if (on_trial_until)
			printf("# On trial until %s\n", on_trial_until);
		return PU_CLI_OK;
	}
	v = json_pack("{s:o, s:o}", "file", pu_json_text(path), "text", pu_json_text(text));
	if (on_trial_until)
		json_object_set_new(v, "on_trial_until", json_string(on_trial_until));
	return pu_out_json(v);
}

static int show(struct pu_cli *c, const struct pu_config_file *f)
{
	char path[PU_PATHS_LEN], when[PU_RFC3339_MAX], *text;
	struct pu_config_pending p;
	bool archived = pu_cli_has(c, "archived"), trial;
	size_t len;
	int r = 0;
	unsigned n = copy_number(c, "archived", &r);

	if (r)
		return r;
	if (archived) {
		r = pu_config_archive_path(f->path, n, path, sizeof path);
		if (r == 0)
			r = pu_config_archive_read(f->path, n, &text, &len, NULL);
		if (r == PU_ENOENT)
			return no_archive(c, f);
	} else {
		memcpy(path, f->path, sizeof path);
		r = pu_file_read(path, PU_CONFIG_FILE_MAX, &text, &len, NULL);
	}
	if (r < 0)
		return pu_cli_fail(c, path, NULL, "%s", pu_err_text(r));
	trial = !archived && pu_config_pending_read(f->path, &p) == 0;
	r = show_text(c, path, text, len,
		      trial ? json_time(p.deadline / 1000000000, when) : NULL);
	free(text);
	return r;
}

static json_t *describe_copy(const struct pu_config_file *f, unsigned n)
{
	char path[PU_PATHS_LEN], when[PU_RFC3339_MAX], *text, *own;
	size_t len, own_len;
	int64_t saved;
	bool current = false;

	if (pu_config_archive_path(f->path, n, path, sizeof path) < 0 ||
	    pu_config_archive_read(f->path, n, &text, &len, &saved) < 0)
		return NULL;
	if (pu_file_read(f->path, PU_CONFIG_FILE_MAX, &own, &own_len, NULL) == 0) {
		current = len == own_len && memcmp(text, own, len) == 0;
		free(own);
	}
	free(text);
	return json_pack("{s:i, s:o, s:s, s:b}", "n", (int)n, "file", pu_json_text(path), "saved",
			 json_time(saved, when), "current", current);
}

static int history(struct pu_cli *c, const struct pu_config_file *f)
{
	json_t *list = json_array();

	for (unsigned n = 0; n < PU_CONFIG_ARCHIVE_MAX; n++) {
		json_t *v = describe_copy(f, n);

		if (v)
			json_array_append_new(list, v);
	}
	if (c->json)
		return pu_out_json(list);
	if (json_array_size(list) == 0)
		printf("None yet: a config is kept when a start with it went well.\n");
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *v = json_array_get(list, i);

		printf("%2d  %s  %s%s\n", (int)json_integer_value(json_object_get(v, "n")),
		       json_string_value(json_object_get(v, "saved")),
		       json_string_value(json_object_get(v, "file")),
		       json_is_true(json_object_get(v, "current")) ? "  (in use)" : "");
	}
	json_decref(list);
	return PU_CLI_OK;
}

/* --- what a running daemon makes of it ----------------------------------------------- */

struct outcome {
	bool running; /* at the beginning */
	bool reverted;
	int pid;
};

static void pause_step(void)
{
	const struct timespec t = { .tv_nsec = STEP_MS * 1000000L };

	nanosleep(&t, NULL);
}

static void ask_daemon(const struct pu_config_file *f, struct outcome *o)
{
	if (!f->relay)
		o->running = pu_client_is_up(&f->paths, &o->pid);
}

/* A config that does not even start is taken back at once: worth waiting for. */
static void await_daemon(const struct pu_config_file *f, struct outcome *o, bool restart)
{
	struct pu_config_pending p;
	int pid;

	if (!o->running && !f->relay)
		return;
	for (int ms = 0; ms < (restart && !f->relay ? RESTART_MS : LIVE_MS); ms += STEP_MS) {
		pause_step();
		o->reverted = pu_config_pending_read(f->path, &p) == PU_ENOENT;
		if (o->reverted)
			return;
		if (restart && !f->relay && pu_client_is_up(&f->paths, &pid) && pid != o->pid)
			return;
	}
}

/* --- apply, confirm ------------------------------------------------------------------ */

static int parse_timeout(struct pu_cli *c, pu_time *pt)
{
	const char *text = pu_cli_flag(c, "confirm-timeout", 0);
	pu_time t = TIMEOUT_DEFAULT;

	if (text && (pu_config_duration(text, &t) < 0 || t < TIMEOUT_MIN ||
		     t > PU_SEC(PU_CONFIG_PENDING_MAX_S)))
		return pu_cli_misuse(c, "--confirm-timeout", "%s is not a time from 1s to 24h",
				     text);
	*pt = t;
	return 0;
}

static int tell_applied(struct pu_cli *c, const struct pu_config_file *f,
			const struct outcome *o, const struct pu_config_diff *diff,
			int64_t deadline)
{
	char when[PU_RFC3339_MAX], keys[KEYS_LEN], hint[512];
	json_t *restart = json_array();

	json_time(deadline / 1000000000, when);
	pu_config_diff_text(diff, keys, sizeof keys);
	if (c->json) {
		for (size_t i = 0; i < diff->n; i++)
			json_array_append_new(restart, json_string(diff->path[i]));
		return pu_out_json(json_pack("{s:o, s:s, s:o, s:b}", "config",
					     pu_json_text(f->path), "deadline", when, "restart",
					     restart, "applied", o->running));
	}
	json_decref(restart);
	printf("In place: %s\n", f->path);
	if (diff->n > 0)
		printf("%s: %s\n",
		       o->running ? "The daemon restarted its parts for"
				  : "Needs a restart of parts",
		       keys);
	if (!o->running && !f->relay)
		printf("No daemon runs; it takes effect at the next start.\n");
	printf("Taken back at %s unless you say:\n  %s\n", when,
	       pu_config_file_command(c, f, "confirm", hint, sizeof hint));
	return PU_CLI_OK;
}

static int begin(struct pu_cli *c, const struct pu_config_file *f, struct pu_bytes text,
		 int64_t deadline)
{
	char hint[512];
	int r = pu_config_pending_begin(f->path, text, deadline);

	if (r == PU_EEXIST)
		return pu_cli_fail(c, f->path,
				   pu_config_file_command(c, f, "confirm", hint, sizeof hint),
				   "another config is on trial already");
	return r < 0 ? pu_cli_fail(c, f->path, NULL, "nothing changed: %s", pu_err_text(r)) : 0;
}

static int apply(struct pu_cli *c, const struct pu_config_file *f, const char *path)
{
	struct outcome o = { .running = false };
	struct pu_config_diff diff = { .n = 0 };
	char *text = NULL, *before = NULL;
	size_t len, before_len;
	int64_t deadline;
	pu_time timeout;
	int r = parse_timeout(c, &timeout);

	if (r == 0)
		r = pu_config_file_read(c, f, path, &text, &len);
	if (r)
		return r;
	r = pu_file_read(f->path, PU_CONFIG_FILE_MAX, &before, &before_len, NULL);
	if (r < 0) {
		r = pu_cli_fail(c, f->path, NULL, "there is no config to come back to: %s",
				pu_err_text(r));
		goto out;
	}
	pu_config_file_diff(f, pu_bytes(before, before_len), pu_bytes(text, len), &diff);
	ask_daemon(f, &o);
	deadline = pu_clock_wall_ns() + (int64_t)timeout;
	r = begin(c, f, pu_bytes(text, len), deadline);
	if (r)
		goto out;
	await_daemon(f, &o, diff.n > 0);
	r = o.reverted ? pu_cli_fail(c, path, NULL,
				     "the daemon could not start with it and went back to the "
				     "config of before; its log tells why")
		       : tell_applied(c, f, &o, &diff, deadline);
out:
	free(text);
	free(before);
	return r;
}

static int confirm(struct pu_cli *c, const struct pu_config_file *f)
{
	int r = pu_config_pending_confirm(f->path);

	if (r == PU_ENOENT)
		return pu_cli_fail(c, f->path, NULL, "no config is on trial");
	if (r < 0)
		return pu_cli_fail(c, f->path, NULL, "%s", pu_err_text(r));
	if (c->json)
		return pu_out_json(json_pack("{s:o}", "confirmed", pu_json_text(f->path)));
	printf("Confirmed: %s\n", f->path);
	return PU_CLI_OK;
}

/* --- rollback ----------------------------------------------------------------------- */

static int restored(struct pu_cli *c, const struct pu_config_file *f, const char *what)
{
	if (c->json)
		return pu_out_json(json_pack("{s:o}", "restored", pu_json_text(f->path)));
	printf("Restored: %s, %s.\nA daemon that runs takes it over.\n", f->path, what);
	return PU_CLI_OK;
}

/* As a trial that is confirmed at once: the daemon notices, and a crash half-way leaves
 * either config. Without a config to come back to there is nothing to try. */
static int replace(const struct pu_config_file *f, unsigned n, struct pu_bytes text)
{
	int r = pu_config_archive_reject(f->path);

	if (r == 0)
		r = pu_config_pending_begin(f->path, text,
					    pu_clock_wall_ns() + (int64_t)TIMEOUT_DEFAULT);
	if (r == 0)
		return pu_config_pending_confirm(f->path);
	if (r == PU_EPERM || r == PU_EIO || r == PU_ESYS)
		return r;
	return pu_config_archive_restore(f->path, n);
}

/* Without --to: the newest that is another than the one in place, which may be good too. */
static int choose_copy(const struct pu_config_file *f, unsigned *pn, char **ptext, size_t *plen)
{
	char *own = NULL;
	size_t own_len = 0;
	int r = PU_ENOENT;

	if (pu_file_read(f->path, PU_CONFIG_FILE_MAX, &own, &own_len, NULL) < 0)
		own = NULL;
	for (*pn = 0; *pn < PU_CONFIG_ARCHIVE_MAX; ++*pn) {
		r = pu_config_archive_read(f->path, *pn, ptext, plen, NULL);
		if (r == 0 && (!own || own_len != *plen || memcmp(own, *ptext, *plen) != 0))
			break;
		if (r == 0)
			free(*ptext);
		r = PU_ENOENT;
	}
	free(own);
	return r;
}

static int rollback(struct pu_cli *c, const struct pu_config_file *f)
{
	struct pu_config_pending p;
	char hint[512], *text;
	size_t len;
	int r = 0;
	unsigned n = copy_number(c, "to", &r);

	if (r)
		return r;
	if (pu_config_pending_read(f->path, &p) == 0) {
		if (pu_cli_has(c, "to"))
			return pu_cli_fail(c, f->path,
					   pu_config_file_command(c, f, "rollback", hint,
								  sizeof hint),
					   "a config is on trial; end that first");
		r = pu_config_pending_revert(f->path);
		return r < 0 ? pu_cli_fail(c, f->path, NULL, "%s", pu_err_text(r)) :
			       restored(c, f, "as before the trial");
	}
	r = pu_cli_has(c, "to") ? pu_config_archive_read(f->path, n, &text, &len, NULL) :
				  choose_copy(f, &n, &text, &len);
	if (r == PU_ENOENT)
		return no_archive(c, f);
	if (r == 0) {
		r = replace(f, n, pu_bytes(text, len));
		free(text);
	}
	return r < 0 ? pu_cli_fail(c, f->path, NULL, "%s", pu_err_text(r)) :
		       restored(c, f, "as at the last good start");
}

/* --- snapshots of a relay ------------------------------------------------------------ */

static int snapshots(struct pu_cli *c, const struct pu_config_file *f)
{
	char (*names)[PU_RELAY_SNAPSHOT_NAME_MAX] = calloc(PU_RELAY_SNAPSHOTS_MAX,
							   sizeof *names);
	json_t *list = json_array();
	size_t n = names ? pu_relay_snapshot_list(f->path, names, PU_RELAY_SNAPSHOTS_MAX) : 0;

	for (size_t i = 0; i < n; i++) {
		json_array_append_new(list, json_string(names[i]));
		if (!c->json)
			puts(names[i]);
	}
	if (n == 0 && !c->json)
		puts("None. `peerup-vpn relay setup --fresh` makes one of what it replaces.");
	free(names);
	if (c->json)
		return pu_out_json(list);
	json_decref(list);
	return PU_CLI_OK;
}

static int restore_snapshot(struct pu_cli *c, const struct pu_config_file *f, const char *name)
{
	const struct pu_file_owner owner = pu_relay_local_owner(c);
	int r = pu_relay_snapshot_restore(f->path, name, &owner,
					  pu_clock_wall_ns() / 1000000000);

	if (r == PU_ENOENT || r == PU_EINVAL)
		return pu_cli_fail(c, name, "peerup-vpn relay config snapshots",
				   "no such snapshot");
	if (r < 0)
		return pu_cli_fail(c, name, NULL, "%s", pu_err_text(r));
	if (c->json)
		return pu_out_json(json_pack("{s:s}", "restored", name));
	printf("Restored: %s. What was there is a snapshot too.\n"
	       "Restart the relay to use it.\n", name);
	return PU_CLI_OK;
}

/* --- the commands ------------------------------------------------------------------- */

static int run(struct pu_cli *c, bool relay, const char *action, const char *arg)
{
	struct pu_config_file f;
	int r = pu_config_file_find(c, relay, &f);

	if (r)
		return r;
	if (strcmp(action, "apply") == 0)
		return arg ? apply(c, &f, arg) : pu_cli_misuse(c, action, "which file?");
	if (strcmp(action, "validate") == 0)
		return validate(c, &f, arg);
	if (relay && strcmp(action, "restore") == 0)
		return arg ? restore_snapshot(c, &f, arg) :
			     pu_cli_misuse(c, action, "which snapshot?");
	if (arg)
		return pu_cli_misuse(c, arg, "one argument too many");
	if (strcmp(action, "show") == 0)
		return show(c, &f);
	if (strcmp(action, "history") == 0)
		return history(c, &f);
	if (strcmp(action, "rollback") == 0)
		return rollback(c, &f);
	if (strcmp(action, "confirm") == 0)
		return confirm(c, &f);
	if (relay && strcmp(action, "snapshots") == 0)
		return snapshots(c, &f);
	return pu_cli_misuse(c, action,
			     "allowed is validate, show, history, rollback, apply, confirm, "
			     "snapshots or restore");
}

int pu_cmd_config(struct pu_cli *c)
{
	return run(c, false, c->command->verb, c->arg[0]);
}

int pu_cmd_relay_config(struct pu_cli *c)
{
	return run(c, true, c->arg[0], c->arg[1]);
}
