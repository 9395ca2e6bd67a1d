#include "daemon/enrolment.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/filelock.h"
#include "base/rfc3339.h"
#include "daemon/config_archive.h"
#include "daemon/config_edit.h"
#include "daemon/enrolment_journal.h"
#include "overlay/member_batch.h"
#include "overlay/member_line.h"

enum { NUMBER_MAX = 100, LOCK_WAIT_MS = 3000 };

static const char pending[] = "pending";
/* Values of pending=: with the name that came with it, or without. */
static const char pending_named[] = "named", pending_plain[] = "yes";

/* --- names ------------------------------------------------------------------------ */

void pu_enrolment_call(const struct pu_peerid *peer, const char *from,
		       struct pu_enrolment_peer *out)
{
	char id[PU_PEERID_TEXT_MAX];
	size_t len = strlen(pu_peerid_text(peer, id));

	/* All our IDs begin alike. */
	if (!pu_enrolment_clean_name(from, out->name))
		snprintf(out->name, sizeof out->name, "peer-%s", id + (len > 8 ? len - 8 : 0));
	snprintf(out->comment, sizeof out->comment, "%s", out->name);
}

static const char *name_of(const struct pu_config *cfg, const struct pu_peerid *peer)
{
	for (size_t i = 0; i < cfg->n_names; i++)
		if (pu_peerid_eq(&cfg->names[i].peer, peer))
			return cfg->names[i].key.name;
	return NULL;
}

static bool is_taken(const struct pu_config *cfg, const struct pu_enrolment *e, size_t before,
		     const char *name)
{
	for (size_t i = 0; i < cfg->n_names; i++)
		if (strcasecmp(cfg->names[i].key.name, name) == 0)
			return true;
	for (size_t i = 0; i < before; i++)
		if (strcasecmp(e->peer[i].name, name) == 0)
			return true;
	return false;
}

/* The name of peer number at: the one it has, or a free one like the one wanted. */
static int choose_name(const struct pu_config *cfg, struct pu_enrolment *e, size_t at,
		       struct pu_failure *why)
{
	struct pu_enrolment_peer *p = &e->peer[at];
	const char *had = name_of(cfg, &p->id);
	char wanted[PU_ENROLMENT_NAME_MAX + 1], suffix[8];

	if (had && strlen(had) <= PU_ENROLMENT_NAME_MAX)
		snprintf(p->name, sizeof p->name, "%s", had);
	if (p->unnamed)
		p->name[0] = '\0';
	p->named = !had && p->name[0];
	if (!p->named)
		return 0;
	if (!pu_enrolment_clean_name(p->name, wanted) || strcmp(p->name, wanted) != 0)
		return pu_failure_set(why, PU_EINVAL, "name", NULL, "cannot be used as a name");
	for (int i = 2; is_taken(cfg, e, at, p->name); i++) {
		if (i > NUMBER_MAX)
			return pu_failure_set(why, PU_ELIMIT, wanted, "peerup-vpn name list",
					      "too many peers have this name");
		snprintf(suffix, sizeof suffix, "-%d", i);
		snprintf(p->name, sizeof p->name, "%.*s%s",
			 (int)(PU_ENROLMENT_NAME_CUT - strlen(suffix)), wanted, suffix);
	}
	/* Lists of members show comments, where two peers should not look like one either. */
	if (strcmp(p->comment, wanted) == 0)
		snprintf(p->comment, sizeof p->comment, "%s", p->name);
	return 0;
}

/* --- the steps -------------------------------------------------------------------- */

static int load_config(const char *path, struct pu_config **pcfg, struct pu_failure *why)
{
	struct pu_config_diags *d = calloc(1, sizeof *d);
	int r = d ? pu_config_load(path, pcfg, d) : PU_ENOMEM;

	if (r < 0 && d)
		pu_config_diags_failure(d, path, why);
	free(d);
	return r;
}

static bool has_relay(const struct pu_config *cfg, const struct pu_multiaddr *ma)
{
	for (size_t i = 0; i < cfg->relays.n; i++)
		if (pu_multiaddr_eq(&cfg->relays.v[i], ma))
			return true;
	return false;
}

static int edit_network(struct pu_config_edit *ed, const struct pu_config *cfg,
			const struct pu_enrolment *e, bool *pchanged)
{
	static const char *const place[] = { "discovery", "network", NULL };

	if (!e->network[0] || cfg->network[0])
		return 0;
	*pchanged = true;
	return pu_config_edit_set(ed, place, e->network, true);
}

static int edit_relays(struct pu_config_edit *ed, const struct pu_config *cfg,
		       const struct pu_enrolment *e, bool *pchanged)
{
	static const char *const place[] = { "relay", "addresses", NULL };
	char text[PU_MULTIADDR_TEXT_MAX];
	int r = 0;

	for (size_t i = 0; i < e->n_relays && r == 0; i++) {
		if (has_relay(cfg, &e->relay[i]))
			continue;
		r = pu_config_edit_list_add(ed, place, pu_multiaddr_text(&e->relay[i], text));
		*pchanged |= r == 0;
		r = r == PU_EEXIST ? 0 : r;
	}
	return r;
}

static int edit_peer(struct pu_config_edit *ed, const struct pu_config *cfg,
		     const struct pu_enrolment_peer *p, bool *pchanged)
{
	char id[PU_PEERID_TEXT_MAX], text[PU_MULTIADDR_TEXT_MAX];
	const char *const name[] = { "names", p->name, NULL };
	const char *const addrs[] = { "peers", pu_peerid_text(&p->id, id), "addresses", NULL };
	int r = 0;

	if (p->name[0] && !name_of(cfg, &p->id) && !pu_config_edit_has(ed, name)) {
		r = pu_config_edit_set(ed, name, id, true);
		*pchanged = true;
	}
	for (size_t i = 0; i < p->n_addrs && r == 0; i++) {
		r = pu_config_edit_list_add(ed, addrs, pu_multiaddr_text(&p->addr[i], text));
		*pchanged |= r == 0;
		r = r == PU_EEXIST ? 0 : r;
	}
	return r;
}

static int edit_config(struct pu_config_edit *ed, const struct pu_config *cfg,
		       const struct pu_enrolment *e, bool *pchanged)
{
	int r = edit_network(ed, cfg, e, pchanged);

	if (r == 0)
		r = edit_relays(ed, cfg, e, pchanged);
	for (size_t i = 0; i < e->n_peers && r == 0; i++)
		r = edit_peer(ed, cfg, &e->peer[i], pchanged);
	return r;
}

/* Step one: relays and names. *pold: the text before, when it was changed. */
static int write_config(const struct pu_config *cfg, const struct pu_enrolment *e,
			struct pu_buf *old, struct pu_failure *why)
{
	struct pu_config_diags *d = calloc(1, sizeof *d);
	struct pu_config_edit *ed = NULL;
	struct pu_bytes text;
	bool changed = false;
	int r = d ? pu_config_edit_open_held(cfg->path, &ed, d) : PU_ENOMEM;

	if (r == 0) {
		text = pu_config_edit_text(ed);
		r = text.len ? pu_buf_append(old, text.p, text.len) : 0;
	}
	if (r == 0)
		r = edit_config(ed, cfg, e, &changed);
	if (r == 0 && changed)
		r = pu_config_edit_commit(ed, d);
	if (r == PU_ECONFIG)
		pu_config_diags_failure(d, cfg->path, why);
	if (r == PU_ENOTSUP)
		pu_failure_set(why, r, cfg->path, "peerup-vpn config show",
			       "relay.addresses, names or peers is written in a way that commands "
			       "cannot edit; please write it as plain lists");
	if (ed)
		pu_config_edit_close(ed);
	free(d);
	if (r < 0 || !changed)
		pu_buf_clear(old, 0);
	return r < 0 ? pu_failure_set(why, r, cfg->path, NULL, "%s", pu_err_text(r)) : 0;
}

static void set(struct pu_member_change *c, const char *key, const char *value)
{
	c->set[c->n++] = (struct pu_member_set){ key, value };
}

static void fill_change(const struct pu_enrolment_peer *p, char expires[PU_RFC3339_MAX],
			struct pu_member_change *c)
{
	*c = (struct pu_member_change){ .peer = p->id, .comment = p->comment };
	/* A member keeps more than what is granted now; who is none, though listed, has nothing. */
	if (p->unnamed && !p->was_member)
		set(c, "access", "none");
	else if (p->access == PU_ACCESS_NETWORK)
		set(c, "access", pu_access_text(p->access));
	else if (!p->was_member)
		set(c, "access", "");
	if (!p->was_member) {
		expires[0] = '\0';
		if (p->expires != PU_MEMBER_NO_EXPIRY)
			pu_rfc3339_text(p->expires, expires);
		set(c, "expires", expires);
		set(c, pending, !p->provisional ? "" : p->named ? pending_named : pending_plain);
	}
	if (p->group[0])
		set(c, "group", p->group);
	if (p->hmac_proof[0])
		set(c, "hmac_proof", p->hmac_proof);
}

/* Step two, the one that counts: from here on they are members. */
static int write_members(const struct pu_config *cfg, const struct pu_enrolment *e,
			 const struct pu_file_owner *owner)
{
	struct pu_member_change *v = calloc(e->n_peers + 1, sizeof *v);
	char(*expires)[PU_RFC3339_MAX] = calloc(e->n_peers + 1, sizeof *expires);
	int r = v && expires ? 0 : PU_ENOMEM;

	for (size_t i = 0; i < e->n_peers && r == 0; i++)
		fill_change(&e->peer[i], expires[i], &v[i]);
	if (r == 0 && e->n_peers)
		r = pu_member_batch(cfg->authorized_keys_file, v, e->n_peers, owner);
	free(v);
	free(expires);
	return r;
}

/* --- all or nothing --------------------------------------------------------------- */

static int carry_out(const struct pu_config *cfg, const struct pu_enrolment *e,
		     const struct pu_file_owner *owner, struct pu_buf *old,
		     struct pu_failure *why)
{
	int r = write_config(cfg, e, old, why);

	if (r < 0)
		return r;
	r = write_members(cfg, e, owner);
	return r < 0 ? pu_failure_set(why, r, cfg->authorized_keys_file, NULL, "%s",
				      pu_err_text(r)) :
		       0;
}

/* The value of pending= on the peer's line; false when it is not listed. */
static bool pending_of(struct pu_bytes text, const struct pu_peerid *peer, struct pu_bytes *value)
{
	struct pu_member_attr a;
	struct pu_member_line l;
	struct pu_bytes line;
	size_t off = 0;
	bool lf;

	*value = pu_bytes(NULL, 0);
	while (pu_member_next_line(&text, &line, &lf)) {
		if (pu_member_line_parse(line, &l) < 0 || !pu_peerid_eq(&l.peer, peer))
			continue;
		while (pu_member_line_next(&l, &off, &a))
			if (pu_bytes_eq_str(a.key, pending))
				*value = a.value;
		return true;
	}
	return false;
}

static int members_of(const struct pu_config *cfg, struct pu_members **pset)
{
	static const uint8_t key[16]; /* read once, by ourselves */

	return pu_member_load(cfg->authorized_keys_file, key, NULL, NULL, pset);
}

/* A provisional member is none yet: whatever comes now decides how long it stays. */
static void find_members(struct pu_enrolment *e, const struct pu_members *set,
			 struct pu_bytes text)
{
	for (size_t i = 0; i < e->n_peers; i++) {
		struct pu_enrolment_peer *p = &e->peer[i];
		struct pu_bytes value;

		p->was_member = pu_member_valid(pu_member_find(set, &p->id), e->now) &&
				pending_of(text, &p->id, &value) && value.len == 0;
	}
}

/* Everything that is decided: what is written later depends on nothing else. */
static int plan(const struct pu_config *cfg, struct pu_enrolment *e, struct pu_failure *why)
{
	struct pu_members *set = NULL;
	char *text = NULL;
	size_t len = 0;
	int r = pu_file_read(cfg->authorized_keys_file, PU_MEMBER_FILE_MAX, &text, &len, NULL);

	if (r == 0 || r == PU_ENOENT)
		r = members_of(cfg, &set);
	if (r == 0)
		find_members(e, set, pu_bytes(text, len));
	pu_member_free(set);
	free(text);
	if (r < 0)
		return pu_failure_set(why, r, cfg->authorized_keys_file, NULL, "%s",
				      pu_err_text(r));
	for (size_t i = 0; i < e->n_peers && r == 0; i++)
		r = choose_name(cfg, e, i, why);
	return r;
}

/* Back to the text before. Should that fail as well, the journal stays: then the
 * enrolment is finished when the disk takes it. */
static void take_back(const struct pu_config *cfg, const struct pu_buf *old, const char *journal)
{
	if (old->len == 0 ||
	    pu_config_archive_write(cfg->path, cfg->path, pu_buf_bytes(old)) == 0)
		pu_file_remove(journal);
}

static int apply(const struct pu_config *cfg, const char *journal,
		 const struct pu_file_owner *owner, struct pu_enrolment *e, struct pu_failure *why)
{
	struct pu_buf old;
	int r = plan(cfg, e, why);

	if (r < 0)
		return r;
	r = pu_enrolment_journal_write(journal, e, owner);
	if (r < 0)
		return pu_failure_set(why, r, journal, NULL, "%s", pu_err_text(r));
	pu_buf_init(&old, PU_CONFIG_FILE_MAX);
	r = carry_out(cfg, e, owner, &old, why);
	if (r < 0)
		take_back(cfg, &old, journal);
	else
		pu_file_remove(journal);
	pu_buf_deinit(&old);
	return r;
}

static int finish(const char *config, const char *journal, const struct pu_enrolment *e,
		  const struct pu_file_owner *owner, struct pu_failure *why)
{
	struct pu_config *cfg;
	struct pu_buf old;
	int r = load_config(config, &cfg, why);

	if (r < 0)
		return r;
	pu_buf_init(&old, PU_CONFIG_FILE_MAX);
	r = carry_out(cfg, e, owner, &old, why);
	pu_buf_deinit(&old);
	pu_config_free(cfg);
	if (r == 0)
		r = pu_file_remove(journal);
	return r < 0 ? pu_failure_set(why, r, journal, NULL, "%s", pu_err_text(r)) : 0;
}

/* With the lock held. */
static int recover(const char *config, const char *journal, const struct pu_file_owner *owner,
		   struct pu_failure *why)
{
	struct pu_enrolment e = { .n_peers = 0 };
	char hint[sizeof why->hint];
	int r = pu_enrolment_journal_read(journal, &e);

	if (r == PU_ENOENT)
		return 0;
	if (r == PU_EINVAL) {
		snprintf(hint, sizeof hint, "rm %.480s", journal);
		return pu_failure_set(why, r, journal, hint,
				      "damaged: it should say which peers were being added when "
				      "the machine stopped; without it, invite or join once more");
	}
	if (r < 0)
		return pu_failure_set(why, r, journal, NULL, "%s", pu_err_text(r));
	r = finish(config, journal, &e, owner, why);
	free(e.peer);
	return r;
}

/* Whoever finds a journal must know that nobody is at work with it. */
static int lock(const char *config, int *pfd, struct pu_failure *why)
{
	int r = pu_filelock_take_dir(config, PU_MS(LOCK_WAIT_MS), pfd);

	return r < 0 ? pu_failure_set(why, r, config, NULL, "cannot lock its folder: %s",
				      pu_err_text(r)) :
		       0;
}

int pu_enrolment_recover(const char *config, const struct pu_file_owner *owner,
			 struct pu_failure *why)
{
	char journal[PATH_MAX];
	int fd, r = pu_enrolment_journal_path(config, journal);

	if (r < 0 || (access(journal, F_OK) < 0 && errno == ENOENT))
		return r;
	r = lock(config, &fd, why);
	if (r < 0)
		return r;
	r = recover(config, journal, owner, why);
	pu_filelock_release(fd);
	return r;
}

/* As the config is now: the file may have been edited since it was loaded. */
static int apply_locked(const char *config, const struct pu_file_owner *owner,
			struct pu_enrolment *e, struct pu_failure *why)
{
	struct pu_config *fresh;
	char journal[PATH_MAX];
	int r = pu_enrolment_journal_path(config, journal);

	if (r == 0)
		r = recover(config, journal, owner, why);
	if (r == 0)
		r = load_config(config, &fresh, why);
	if (r < 0)
		return r;
	r = apply(fresh, journal, owner, e, why);
	pu_config_free(fresh);
	return r;
}

int pu_enrolment_apply(const struct pu_config *cfg, const struct pu_file_owner *owner,
		       struct pu_enrolment *e, struct pu_failure *why)
{
	int fd, r;

	if (e->n_peers > PU_ENROLMENT_PEERS_MAX || e->n_relays > PU_ENROLMENT_RELAYS_MAX)
		return pu_failure_set(why, PU_ELIMIT, "peers", NULL, "too many at once");
	r = lock(cfg->path, &fd, why);
	if (r < 0)
		return r;
	r = apply_locked(cfg->path, owner, e, why);
	pu_filelock_release(fd);
	return r < 0 ? pu_failure_set(why, r, cfg->path, NULL, "%s", pu_err_text(r)) : 0;
}

/* --- afterwards ------------------------------------------------------------------- */

static int forget_name(const struct pu_config *cfg, const struct pu_peerid *peer)
{
	struct pu_config_diags *d = calloc(1, sizeof *d);
	struct pu_config_edit *ed = NULL;
	struct pu_config *fresh = NULL;
	const char *place[] = { "names", NULL, NULL };
	int r = load_config(cfg->path, &fresh, NULL);

	if (r == 0)
		place[1] = name_of(fresh, peer);
	if (r == 0 && place[1])
		r = d ? pu_config_edit_open(cfg->path, &ed, d) : PU_ENOMEM;
	if (r == 0 && ed)
		r = pu_config_edit_remove(ed, place);
	if (r == 0 && ed)
		r = pu_config_edit_commit(ed, d);
	if (ed)
		pu_config_edit_close(ed);
	pu_config_free(fresh);
	free(d);
	return r;
}

static int settle(const struct pu_config *cfg, const struct pu_peerid *peer, bool forever,
		  bool named)
{
	struct pu_member_change c = { .peer = *peer, .remove = !forever };
	int r;

	set(&c, pending, "");
	set(&c, "expires", "");
	r = pu_member_batch(cfg->authorized_keys_file, &c, 1, NULL);
	/* The name comes last: without its peer it opens nothing. */
	return r == 0 && !forever && named ? forget_name(cfg, peer) : r;
}

int pu_enrolment_settle(const struct pu_config *cfg, const struct pu_peerid *peer, bool forever)
{
	struct pu_bytes value;
	bool listed, named;
	char *text;
	size_t len;
	int r = pu_file_read(cfg->authorized_keys_file, PU_MEMBER_FILE_MAX, &text, &len, NULL);

	if (r < 0)
		return r;
	listed = pending_of(pu_bytes(text, len), peer, &value);
	named = pu_bytes_eq_str(value, pending_named);
	r = !listed ? PU_ENOENT : value.len ? settle(cfg, peer, forever, named) : 0;
	free(text);
	return r;
}

int pu_enrolment_each_provisional(const struct pu_config *cfg,
				  void (*fn)(void *arg, const struct pu_peerid *peer,
					     int64_t expires),
				  void *arg)
{
	struct pu_members *set = NULL;
	struct pu_bytes value;
	char *text;
	size_t len;
	int r = pu_file_read(cfg->authorized_keys_file, PU_MEMBER_FILE_MAX, &text, &len, NULL);

	if (r < 0)
		return r == PU_ENOENT ? 0 : r;
	r = members_of(cfg, &set);
	for (size_t i = 0; r == 0 && i < pu_member_count(set); i++) {
		const struct pu_member *m = pu_member_at(set, i);

		if (m->expires != PU_MEMBER_NO_EXPIRY &&
		    pending_of(pu_bytes(text, len), &m->peer, &value) && value.len)
			fn(arg, &m->peer, m->expires);
	}
	pu_member_free(set);
	free(text);
	return r;
}
