#include "cli/show_member.h"

#include "base/rfc3339.h"
#include "cli/out.h"
#include "daemon/json_text.h"

static json_t *member_json(const struct pu_member *m, bool expired, const char *name)
{
	char id[PU_PEERID_TEXT_MAX], when[PU_RFC3339_MAX];
	json_t *o = json_pack("{s:s, s:s, s:o}", "peer_id", pu_peerid_text(&m->peer, id), "access",
			      pu_access_text(m->access), "comment", pu_json_text(m->comment));

	if (name)
		json_object_set_new(o, "name", json_string(name));
	if (m->verified[0])
		json_object_set_new(o, "verified", pu_json_text(m->verified));
	if (m->group[0])
		json_object_set_new(o, "group", pu_json_text(m->group));
	if (m->expires != PU_MEMBER_NO_EXPIRY) {
		json_object_set_new(o, "expires_at",
				    json_string(pu_rfc3339_text(m->expires, when)));
		json_object_set_new(o, "expired", json_boolean(expired));
	}
	return o;
}

static void print_member(const struct pu_cli *c, size_t i, const struct pu_member *m, bool expired,
			 const char *name)
{
	char id[PU_PEERID_TEXT_MAX], when[PU_RFC3339_MAX];

	printf("%3zu. %s  %s%s%s", i + 1, pu_peerid_text(&m->peer, id),
	       pu_out_on(c, PU_OUT_BOLD), name ? name : "", pu_out_off(c));
	if (m->comment[0])
		printf("%s  # %s%s", pu_out_on(c, PU_OUT_FAINT), m->comment, pu_out_off(c));
	printf("\n     access=%s", pu_access_text(m->access));
	if (m->verified[0])
		printf("  verified=%s", m->verified);
	if (m->group[0])
		printf("  group=%s", m->group);
	if (m->expires != PU_MEMBER_NO_EXPIRY)
		printf("  %s%s %s%s", pu_out_on(c, expired ? PU_OUT_RED : PU_OUT_PLAIN),
		       expired ? "expired" : "expires", pu_rfc3339_text(m->expires, when),
		       pu_out_off(c));
	putchar('\n');
}

int pu_show_members(const struct pu_cli *c, const struct pu_members *set, int64_t now,
		    const struct pu_names *names)
{
	json_t *a = json_array();

	if (!c->json)
		printf("Authorized peers (%zu):\n", pu_member_count(set));
	for (size_t i = 0; i < pu_member_count(set); i++) {
		const struct pu_member *m = pu_member_at(set, i);
		const char *name = names ? pu_name_of(names, &m->peer) : NULL;
		bool expired = !pu_member_valid(m, now);

		if (c->json)
			json_array_append_new(a, member_json(m, expired, name));
		else
			print_member(c, i, m, expired, name);
	}
	if (c->json)
		return pu_out_json(a);
	json_decref(a);
	return PU_CLI_OK;
}
