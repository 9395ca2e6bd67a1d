/* verify: two people compare what their machines show, so that neither talks to somebody in
 * between. */
#include "base/err.h"
#include "cli/prompt.h"
#include "cli/out.h"
#include "cli/show_trust.h"
#include "daemon/json_text.h"
#include "overlay/member_edit.h"

struct subject {
	const char *target; /* as typed */
	const char *file;
	struct pu_peerid self, peer;
	char id[PU_PEERID_TEXT_MAX];
	struct pu_sas sas;
	enum pu_sas_state before;
};

static int find_subject(struct pu_cli *c, struct pu_local *l, struct subject *s)
{
	const struct pu_member *m;
	struct pu_members *set;
	struct pu_key key;
	char hint[128];
	int r = pu_local_resolve(c, l, s->target, &s->peer);

	if (r == 0)
		r = pu_local_key(c, l, &key);
	if (r)
		return r;
	s->self = key.peer;
	pu_key_deinit(&key);
	pu_peerid_text(&s->peer, s->id);
	if (pu_peerid_eq(&s->self, &s->peer))
		return pu_cli_fail(c, s->target, NULL, "that is this machine");
	s->file = pu_local_members_file(c, l);
	r = pu_local_members(c, l, NULL, NULL, &set);
	if (r)
		return r;
	m = pu_member_find(set, &s->peer);
	if (m) {
		pu_sas_of(&s->self, &s->peer, &s->sas);
		s->before = pu_sas_check(&s->self, &s->peer, m->verified);
	} else {
		snprintf(hint, sizeof hint, "peerup-vpn auth add %s", s->id);
		r = pu_cli_fail(c, s->target, hint, "not authorized here");
	}
	pu_member_free(set);
	return r;
}

static void show_codes(const struct pu_cli *c, const struct subject *s)
{
	const char *bold = pu_out_on(c, PU_OUT_BOLD), *off = pu_out_off(c);

	printf("Codes of this machine and %s\n%s\n\n", s->target, s->id);
	printf("    %s%s%s\n\n    %s%s%s\n\n", bold, s->sas.emoji, off, bold, s->sas.numbers, off);
	puts("The other machine shows the same with `peerup-vpn verify`. Compare by voice or in\n"
	     "person, not through a chat that somebody else could write in.");
	switch (s->before) {
	case PU_SAS_UNVERIFIED:
		break;
	case PU_SAS_VERIFIED:
		puts("They were found the same before.");
		break;
	case PU_SAS_STALE:
		printf("%sAn earlier comparison was with another identity: of that machine or of "
		       "this one.%s\n", pu_out_on(c, PU_OUT_YELLOW), off);
		break;
	}
}

static int show_json(const struct subject *s, bool verified, bool changed, bool applied)
{
	return pu_out_json(json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:b, s:b}", "peer_id", s->id,
				     "emoji", s->sas.emoji, "numeric", s->sas.numbers, "sas",
				     s->sas.stored, "verified", verified, "before",
				     pu_sas_state_text(s->before), "changed", changed, "applied",
				     applied));
}

/* --yes, or an answer: of a person, or of a script on standard input. */
static bool confirmed(const struct pu_cli *c)
{
	if (pu_cli_has(c, "yes"))
		return true;
	return !c->json && pu_prompt_yes("Are they the same on both machines? [y/N] ");
}

static void show_outcome(const struct pu_cli *c, const struct subject *s, bool yes, bool applied)
{
	if (yes) {
		pu_show_badge(c, PU_SAS_VERIFIED);
		printf(" %s\n", s->target);
		if (s->before != PU_SAS_VERIFIED)
			puts(pu_local_applied_text(applied));
		return;
	}
	printf("\nNothing was changed. If they differ, somebody may sit in between:\n"
	       "  peerup-vpn auth remove %s\n", s->target);
}

static int verify(struct pu_cli *c, struct pu_local *l)
{
	struct subject s = { .target = c->arg[0] };
	bool was, applied = false, yes;
	int r = find_subject(c, l, &s);

	if (r)
		return r;
	if (!c->json)
		show_codes(c, &s);
	was = s.before == PU_SAS_VERIFIED;
	yes = confirmed(c);
	if (yes && !was) {
		r = pu_member_edit_set_attr(s.file, &s.peer, "verified", s.sas.stored);
		if (r < 0)
			return pu_cli_fail(c, s.file, NULL, "%s", pu_err_text(r));
		applied = pu_local_reload(l);
	}
	if (c->json)
		return show_json(&s, yes || was, yes && !was, applied);
	show_outcome(c, &s, yes, applied);
	return PU_CLI_OK;
}

int pu_cmd_verify(struct pu_cli *c)
{
	return pu_local_run(c, false, verify);
}
