#include "cli/local.h"
#include "cli/out.h"
#include "daemon/json_text.h"

static int whoami(struct pu_cli *c, struct pu_local *l)
{
	char id[PU_PEERID_TEXT_MAX];
	struct pu_key key;
	const char *name;
	json_t *o;
	int r = pu_local_key(c, l, &key);

	if (r)
		return r;
	pu_peerid_text(&key.peer, id);
	name = pu_name_of(l->names, &key.peer);
	pu_key_deinit(&key);
	if (!c->json) {
		puts(id);
		return PU_CLI_OK;
	}
	o = json_pack("{s:s, s:o, s:o}", "peer_id", id, "config", pu_json_text(l->paths.config),
		      "key_file", pu_json_text(l->cfg->key_file));
	if (name)
		json_object_set_new(o, "name", json_string(name));
	return pu_out_json(o);
}

int pu_cmd_whoami(struct pu_cli *c)
{
	return pu_local_run(c, false, whoami);
}
