/* send: files and folders to a peer that receives. */
#include <unistd.h>

#include "base/err.h"
#include "cli/files_place.h"
#include "cli/files_send.h"
#include "cli/files_show.h"
#include "cli/stop_signals.h"

static int collect(struct pu_cli *c, struct pu_files_source *src, struct pu_files_show *show)
{
	for (int i = 0; i < c->n_args; i++) {
		int r = pu_files_source_add(src, c->arg[i], pu_files_show_skip, show);

		if (r == PU_EINVAL)
			return pu_cli_fail(c, c->arg[i], NULL, "this cannot be sent");
		if (r == PU_ELIMIT)
			return pu_cli_fail(c, c->arg[i], "an archive: tar c … | gzip",
					   "too many files for one transfer, which has %d at most",
					   PU_FILES_ENTRIES_MAX);
		if (r < 0)
			return pu_cli_fail(c, c->arg[i], NULL, "%s", pu_err_text(r));
	}
	if (pu_files_manifest_check(&src->manifest) < 0)
		return pu_cli_misuse(c, c->arg[0], "two of these have the same name");
	return 0;
}

/* What the other side, or this one, had against it. */
static int explain(struct pu_cli *c, struct pu_files_place *at, const char *target, int err,
		   const struct pu_files_result *out)
{
	if (err == PU_ECANCELED)
		return pu_cli_fail(c, "send", "the same command again: it goes on from there",
				   "stopped");
	if (out->status != PU_FILES_OK)
		return pu_cli_fail(c, target, NULL, "%s", out->status == PU_FILES_STOPPED ?
							     "stopped over there" :
							     pu_files_status_text(out->status));
	return pu_files_place_explain(c, at, target, err);
}

static int run(struct pu_cli *c, struct pu_files_place *at, const struct pu_files_source *src,
	       struct pu_files_show *show, int fd)
{
	struct pu_files_result out;
	struct pu_files_conn conn;
	int stop_fd = -1, err, r = pu_stop_signals_hold(c, &stop_fd);

	if (r)
		return r;
	pu_files_conn_init(&conn, fd, stop_fd);
	err = pu_files_send(&conn, src, &pu_files_show_events, show, &out);
	pu_files_show_end(show, &out, err);
	if (err < 0)
		r = explain(c, at, show->peer, err, &out);
	else if (out.n_failed)
		r = PU_CLI_FAILED;
	pu_files_conn_deinit(&conn);
	close(stop_fd);
	return r;
}

static int send_to(struct pu_cli *c, struct pu_local *l)
{
	const char *target = pu_cli_flag(c, "to", 0);
	char id[PU_PEERID_TEXT_MAX];
	struct pu_files_source src;
	struct pu_files_place at;
	struct pu_files_show show;
	struct pu_peerid peer;
	int fd = -1, r;

	if (!target || pu_cli_flag(c, "to", 1))
		return pu_cli_misuse(c, "--to", "exactly one peer is needed");
	r = pu_local_resolve(c, l, target, &peer);
	if (r)
		return r;
	pu_files_show_init(&show, c, target, pu_peerid_text(&peer, id), true);
	pu_files_source_init(&src);
	pu_files_place_init(&at, l);
	r = collect(c, &src, &show);
	if (r == 0)
		r = pu_files_place_reach(c, l, target, &peer, &at, &fd);
	if (r == 0)
		r = run(c, &at, &src, &show, fd);
	if (fd >= 0)
		close(fd);
	pu_files_place_close(&at);
	pu_files_source_deinit(&src);
	return r;
}

int pu_cmd_send(struct pu_cli *c)
{
	return pu_local_run(c, false, send_to);
}
