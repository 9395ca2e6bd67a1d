/* version, relay version: what this program was made of. */
#include <stdlib.h>

#include "cli/out.h"
#include "daemon/build_info.h"

/* "name 1.2, name 3.4" → { "name": "1.2", "name": "3.4" } */
static json_t *libraries_json(void)
{
	json_t *o = json_object();
	char *copy = strdup(pu_build_info.libraries), *rest = copy, *item, *space;

	while (copy && (item = strsep(&rest, ","))) {
		item += strspn(item, " ");
		space = strchr(item, ' ');
		if (!space)
			continue;
		*space = '\0';
		json_object_set_new(o, item, json_string(space + 1));
	}
	free(copy);
	return o;
}

static int show(struct pu_cli *c, const char *name, const char *agent)
{
	const struct pu_build_info *b = &pu_build_info;

	if (c->json)
		return pu_out_json(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "version",
					     b->version, "commit", b->commit, "date", b->date,
					     "agent", agent, "compiler", b->compiler, "machine",
					     b->machine, "libraries", libraries_json()));
	printf("%s %s (%s) built %s\n%s %s\n%s\n", name, b->version, b->commit, b->date,
	       b->compiler, b->machine, b->libraries);
	return PU_CLI_OK;
}

int pu_cmd_version(struct pu_cli *c)
{
	char agent[64];

	snprintf(agent, sizeof agent, "peerup/%s", pu_build_info.version);
	return show(c, "peerup-vpn", agent);
}

int pu_cmd_relay_version(struct pu_cli *c)
{
	char agent[64];

	snprintf(agent, sizeof agent, "relay-server/%s", pu_build_info.version);
	return show(c, "peerup-vpn relay", agent);
}
