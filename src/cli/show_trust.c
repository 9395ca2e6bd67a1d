#include "cli/show_trust.h"

#include "cli/out.h"
#include "crypto/keystore.h"

void pu_show_badge(const struct pu_cli *c, enum pu_sas_state s)
{
	bool yes = s == PU_SAS_VERIFIED;

	printf("%s%s%s", pu_out_on(c, yes ? PU_OUT_GREEN : PU_OUT_YELLOW),
	       yes ? "[VERIFIED]" : "[UNVERIFIED]", pu_out_off(c));
}

bool pu_show_self(const struct pu_local *l, struct pu_peerid *self)
{
	struct pu_key key;

	if (pu_keystore_load(l->cfg->key_file, &key) < 0)
		return false;
	*self = key.peer;
	pu_key_deinit(&key);
	return true;
}

static void print_line(const struct pu_cli *c, const char *target, enum pu_sas_state s,
		       const char *stored)
{
	pu_show_badge(c, s);
	switch (s) {
	case PU_SAS_VERIFIED:
		printf(" Peer \"%s\" verified (%s)\n", target, stored);
		break;
	case PU_SAS_UNVERIFIED:
		printf(" Peer \"%s\" not verified. Run: peerup-vpn verify %s\n", target, target);
		break;
	case PU_SAS_STALE:
		printf(" Peer \"%s\" was verified under another identity. "
		       "Run: peerup-vpn verify %s\n", target, target);
		break;
	}
}

const char *pu_show_trust(struct pu_cli *c, const struct pu_local *l, const char *target,
			  const struct pu_peerid *peer)
{
	const struct pu_member *m;
	const char *text = NULL;
	struct pu_members *set;
	struct pu_peerid self;
	enum pu_sas_state s;

	if (!pu_show_self(l, &self) ||
	    pu_member_load(l->cfg->authorized_keys_file, l->hash_key, NULL, NULL, &set) < 0)
		return NULL;
	m = pu_member_find(set, peer);
	if (m) {
		s = pu_sas_check(&self, peer, m->verified);
		text = pu_sas_state_text(s);
		if (!c->json)
			print_line(c, target, s, m->verified);
	}
	pu_member_free(set);
	return text;
}
