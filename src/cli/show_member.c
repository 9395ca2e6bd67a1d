#include "cli/show_member.h"

#include "base/rfc3339.h"
#include "cli/out.h"
#include "cli/show_trust.h"
#include "daemon/json_text.h"

/* One line of the list. */
struct shown {
	const struct pu_member *m;
	bool expired;
	const char *name; /* NULL: none */
	bool has_trust;
	enum pu_sas_state trust;
};

static json_t *member_json(const struct shown *s)
{
	const struct pu_member *m = s->m;
	char id[PU_PEERID_TEXT_MAX], when[PU_RFC3339_MAX];
	json_t *o = json_pack("{s:s, s:s, s:o}", "peer_id", pu_peerid_text(&m->peer, id), "access",
			      pu_member_access_text(m), "comment", pu_json_text(m->comment));

	if (s->name)
		json_object_set_new(o, "name", json_string(s->name));
	if (m->verified[0] && (!s->has_trust || s->trust == PU_SAS_VERIFIED))
		json_object_set_new(o, "verified", pu_json_text(m->verified));
	if (s->has_trust)
		json_object_set_new(o, "verification", json_string(pu_sas_state_text(s->trust)));
	if (m->group[0])
		json_object_set_new(o, "group", pu_json_text(m->group));
	if (m->expires != PU_MEMBER_NO_EXPIRY) {
		json_object_set_new(o, "expires_at",
				    json_string(pu_rfc3339_text(m->expires, when)));
		json_object_set_new(o, "expired", json_boolean(s->expired));
	}
	return o;
}

static void print_trust(const struct pu_cli *c, const struct shown *s)
{
	if (s->m->verified[0])
		printf("  verified=%s", s->m->verified);
	if (!s->has_trust)
		return;
	fputs("  ", stdout);
	pu_show_badge(c, s->trust);
	if (s->trust == PU_SAS_STALE)
		fputs(" (the value belongs to other identities)", stdout);
}

static void print_member(const struct pu_cli *c, size_t i, const struct shown *s)
{
	const struct pu_member *m = s->m;
	char id[PU_PEERID_TEXT_MAX], when[PU_RFC3339_MAX];

	printf("%3zu. %s  %s%s%s", i + 1, pu_peerid_text(&m->peer, id),
	       pu_out_on(c, PU_OUT_BOLD), s->name ? s->name : "", pu_out_off(c));
	if (m->comment[0])
		printf("%s  # %s%s", pu_out_on(c, PU_OUT_FAINT), m->comment, pu_out_off(c));
	printf("\n     access=%s", pu_member_access_text(m));
	print_trust(c, s);
	if (m->group[0])
		printf("  group=%s", m->group);
	if (m->expires != PU_MEMBER_NO_EXPIRY)
		printf("  %s%s %s%s", pu_out_on(c, s->expired ? PU_OUT_RED : PU_OUT_PLAIN),
		       s->expired ? "expired" : "expires", pu_rfc3339_text(m->expires, when),
		       pu_out_off(c));
	putchar('\n');
}

int pu_show_members(const struct pu_cli *c, const struct pu_members *set, int64_t now,
		    const struct pu_names *names, const struct pu_peerid *self)
{
	json_t *a = json_array();

	if (!c->json)
		printf("Authorized peers (%zu):\n", pu_member_count(set));
	for (size_t i = 0; i < pu_member_count(set); i++) {
		const struct pu_member *m = pu_member_at(set, i);
		const struct shown s = {
			.m = m,
			.expired = now >= m->expires,
			.name = names ? pu_name_of(names, &m->peer) : NULL,
			.has_trust = self != NULL,
			.trust = self ? pu_sas_check(self, &m->peer, m->verified) :
					PU_SAS_UNVERIFIED,
		};

		if (c->json)
			json_array_append_new(a, member_json(&s));
		else
			print_member(c, i, &s);
	}
	if (c->json)
		return pu_out_json(a);
	json_decref(a);
	return PU_CLI_OK;
}
