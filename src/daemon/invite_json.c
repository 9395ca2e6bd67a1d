#include "daemon/invite_json.h"

#include "base/rfc3339.h"
#include "daemon/json_text.h"

static void set_text(json_t *o, const char *key, const char *text)
{
	if (text[0])
		json_object_set_new(o, key, pu_json_text(text));
}

json_t *pu_invite_json(const struct pu_invite *i)
{
	char when[PU_RFC3339_MAX], id[PU_PEERID_TEXT_MAX];
	json_t *o = json_pack("{s:I, s:s, s:i, s:s, s:s, s:i}", "id", (json_int_t)i->id, "state",
			      pu_invite_state_text(i->state), "version", (int)i->version, "access",
			      pu_access_text(i->access), "expires_at",
			      pu_rfc3339_text(i->expires, when), "wrong_guesses",
			      (int)i->wrong_guesses);

	set_text(o, "code", i->code);
	if (!pu_peerid_empty(&i->peer)) {
		set_text(o, "peer_id", pu_peerid_text(&i->peer, id));
		set_text(o, "peer_name", i->peer_name);
		json_object_set_new(o, "confirmed", json_boolean(i->confirmed));
	}
	set_text(o, "error", i->why.why);
	set_text(o, "hint", i->why.hint);
	return o;
}

json_t *pu_join_json(const struct pu_join_result *r)
{
	json_t *peers = json_array();
	json_t *o = json_pack("{s:i, s:o}", "version", (int)r->version, "peers", peers);
	char id[PU_PEERID_TEXT_MAX];

	set_text(o, "group", r->group);
	for (size_t i = 0; i < r->n_peers; i++) {
		const struct pu_enrolment_peer *p = &r->peer[i];
		json_t *e = json_pack("{s:s, s:s}", "peer_id", pu_peerid_text(&p->id, id),
				      "access", pu_access_text(p->access));

		set_text(e, "name", p->name);
		json_array_append_new(peers, e);
	}
	return o;
}
