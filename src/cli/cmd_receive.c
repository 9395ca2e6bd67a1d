/* receive: files from peers, into one folder, for as long as the command runs. */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/files_place.h"
#include "cli/files_receive.h"
#include "cli/files_show.h"
#include "cli/prompt.h"
#include "cli/out.h"
#include "cli/show_trust.h"
#include "cli/stop_signals.h"
#include "cli/summary.h"
#include "daemon/config_value.h"
#include "daemon/json_text.h"

enum { NAMES_SHOWN = 5 };

struct session {
	struct pu_cli *c;
	struct pu_local *l;
	const char *dir;
	bool ask;
	uint64_t max_bytes;
	int stop_fd;
	struct pu_peerid from[PU_API_EXPOSE_PEERS_MAX];
	size_t n_from;
	bool any_failed;
};

/* One transfer. */
struct visit {
	struct pu_files_show show; /* first: the events' argument */
	struct session *s;
	struct pu_peerid sender;
};

static const char *name_of(const struct pu_local *l, const struct pu_peerid *peer, const char *id)
{
	const struct pu_config *cfg = l->cfg;

	for (size_t i = 0; i < cfg->n_names; i++)
		if (pu_peerid_eq(&cfg->names[i].peer, peer))
			return cfg->names[i].key.name;
	return id;
}

static void describe(struct visit *v, const struct pu_files_manifest *m)
{
	struct pu_cli *c = v->s->c;
	char size[32];
	size_t shown = 0;

	pu_summary_bytes((long long)m->bytes, size, sizeof size);
	printf("%s%s%s wants to send %zu file%s, %s:\n", pu_out_on(c, PU_OUT_BOLD), v->show.peer,
	       pu_out_off(c), m->n_files, m->n_files == 1 ? "" : "s", size);
	for (size_t i = 0; i < m->n && shown < NAMES_SHOWN; i++) {
		printf("  %s%s\n", m->v[i].path, m->v[i].kind == PU_FILES_FOLDER ? "/" : "");
		shown++;
	}
	if (m->n > shown)
		printf("  and %zu more\n", m->n - shown);
	pu_show_trust(c, v->s->l, v->show.peer, &v->sender);
}

/* An answer of the person, who may also press ^C. */
static enum pu_files_status ask(const struct session *s)
{
	struct pollfd p[] = { { .fd = STDIN_FILENO, .events = POLLIN },
			      { .fd = s->stop_fd, .events = POLLIN } };

	fputs("Take them? [y/N] ", stdout);
	fflush(stdout);
	while (poll(p, PU_ARRAY_LEN(p), PU_FILES_DECIDE_S * 900) < 0)
		;
	if (p[1].revents)
		return PU_FILES_STOPPED;
	return p[0].revents && pu_prompt_yes("") ? PU_FILES_OK : PU_FILES_DECLINED;
}

static enum pu_files_status on_offer(void *arg, const struct pu_files_manifest *m)
{
	struct visit *v = arg;

	if (!v->s->c->json)
		describe(v, m);
	return v->s->ask ? ask(v->s) : PU_FILES_OK;
}

static const char *reason(const struct pu_files_result *out, int err)
{
	if (out->status == PU_FILES_STOPPED && out->by_other)
		return "stopped by the sender";
	if (out->status == PU_FILES_DECLINED)
		return "declined";
	return out->status != PU_FILES_OK ? pu_files_status_text(out->status) : pu_err_text(err);
}

static void receive_one(struct session *s, const struct pu_peerid *sender, int fd)
{
	char id[PU_PEERID_TEXT_MAX];
	struct visit v = { .s = s, .sender = *sender };
	struct pu_files_receive_options opt = { .on_offer = on_offer,
						.ev = &pu_files_show_events, .arg = &v };
	struct pu_files_store store = { .root = -1 };
	struct pu_files_result out = { 0 };
	struct pu_files_conn conn;
	int r;

	pu_peerid_text(sender, id);
	pu_files_show_init(&v.show, s->c, name_of(s->l, sender, id), id, false);
	pu_files_conn_init(&conn, fd, s->stop_fd);
	r = pu_files_store_open(&store, s->dir, id, pu_cli_has(s->c, "overwrite"));
	opt.store = &store;
	opt.max_bytes = s->max_bytes;
	if (r == 0) {
		r = pu_files_receive(&conn, &opt, &out);
	} else {
		out.status = PU_FILES_NO_ACCESS;
		pu_files_conn_fail(&conn, out.status);
	}
	pu_files_show_end(&v.show, &out, r);
	if (r < 0 && r != PU_ECANCELED)
		fprintf(stderr, "peerup-vpn: from %s: %s\n", v.show.peer, reason(&out, r));
	s->any_failed = s->any_failed || r < 0 || out.n_failed;
	pu_files_store_close(&store);
	pu_files_conn_deinit(&conn);
}

static int serve(struct session *s, struct pu_files_place *at)
{
	bool once = pu_cli_has(s->c, "once");
	struct pu_peerid sender;
	int fd, r;

	for (;;) {
		r = pu_files_place_accept(at, s->stop_fd, &sender, &fd);
		if (r == PU_ECANCELED)
			return once ? pu_cli_fail(s->c, "receive", NULL, "stopped") : PU_CLI_OK;
		if (r < 0)
			return pu_cli_fail(s->c, "daemon", "the same command again",
					   "it has ended");
		receive_one(s, &sender, fd);
		close(fd);
		if (once)
			return s->any_failed ? PU_CLI_FAILED : PU_CLI_OK;
	}
}

static int show_ready(const struct session *s)
{
	char real[512];

	if (s->c->json)
		return pu_out_json(json_pack("{s:s, s:o}", "event", "ready", "dir",
					     pu_json_text(s->dir)));
	printf("Files go to %s. Stop with ^C.\n", pu_out_clean(s->dir, real, sizeof real));
	return fflush(stdout) == 0 ? 0 : PU_CLI_FAILED;
}

static int read_flags(struct session *s)
{
	const char *max = pu_cli_flag(s->c, "max-size", 0), *from;
	const char *dir = pu_cli_flag(s->c, "dir", 0);
	bool yes = pu_cli_has(s->c, "yes"), terminal;
	int r = 0;

	s->dir = dir ? dir : ".";
	s->max_bytes = UINT64_MAX;
	if (max && pu_config_size(max, &s->max_bytes) < 0)
		return pu_cli_misuse(s->c, "--max-size", "not a size such as 500MB");
	for (; r == 0 && (from = pu_cli_flag(s->c, "from", (int)s->n_from)); s->n_from++) {
		if (s->n_from == PU_ARRAY_LEN(s->from))
			return pu_cli_misuse(s->c, "--from", "too many peers");
		r = pu_local_resolve(s->c, s->l, from, &s->from[s->n_from]);
	}
	if (r)
		return r;
	terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !s->c->json;
	if (!terminal && !yes && s->n_from == 0)
		return pu_cli_misuse(s->c, "receive", "nobody can be asked here: say --yes, or "
						      "--from and a peer");
	s->ask = terminal && !yes;
	if (access(s->dir, W_OK | X_OK) < 0)
		return pu_cli_fail(s->c, s->dir, NULL, "files cannot be put there");
	return 0;
}

static int receive(struct pu_cli *c, struct pu_local *l)
{
	struct session *s = calloc(1, sizeof *s);
	struct pu_files_place at;
	int r;

	if (!s)
		return pu_cli_fail(c, "receive", NULL, "%s", pu_err_text(PU_ENOMEM));
	*s = (struct session){ .c = c, .l = l, .stop_fd = -1 };
	pu_files_place_init(&at, l);
	r = read_flags(s);
	if (r == 0)
		r = pu_files_place_open(c, l, s->from, s->n_from, &at);
	if (r == 0)
		r = pu_stop_signals_hold(c, &s->stop_fd);
	if (r == 0)
		r = show_ready(s);
	if (r == 0)
		r = serve(s, &at);
	pu_files_place_close(&at);
	if (s->stop_fd >= 0)
		close(s->stop_fd);
	free(s);
	return r;
}

int pu_cmd_receive(struct pu_cli *c)
{
	return pu_local_run(c, false, receive);
}
