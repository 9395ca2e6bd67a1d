#include <stdlib.h>

#include "base/err.h"
#include "cli/local.h"
#include "cli/out.h"
#include "daemon/json_text.h"
#include "overlay/member_check.h"

struct findings {
	json_t *errors;
	const char *file;
	bool json;
};

static void add_finding(void *arg, const struct pu_member_finding *f)
{
	struct findings *to = arg;

	json_array_append_new(to->errors, json_pack("{s:i, s:i, s:s}", "line", (int)f->line,
						    "column", (int)f->column, "text", f->text));
	if (!to->json)
		printf("%s:%u:%u: %s\n", to->file, f->line, f->column, f->text);
}

static int show(struct pu_cli *c, struct findings *f, size_t n_peers)
{
	size_t n = json_array_size(f->errors);
	int r = PU_CLI_OK;

	if (c->json)
		r = pu_out_json(json_pack("{s:o, s:b, s:i, s:o}", "file", pu_json_text(f->file),
					  "valid", n == 0, "peers", (int)n_peers, "errors",
					  json_incref(f->errors)));
	else if (n == 0)
		printf("Validation passed: %s, %zu peers\n", f->file, n_peers);
	if (r == PU_CLI_OK && n > 0)
		return pu_cli_fail(c, f->file, NULL, "Validation failed with %zu error(s)", n);
	return r;
}

/* A file that is not there is an empty list for a node; whoever has it checked means one. */
static int validate_file(struct pu_cli *c, const char *file, const uint8_t key[16])
{
	struct findings f = { .errors = json_array(), .file = file, .json = c->json };
	char *text = NULL;
	size_t len = 0, n_peers = 0;
	int r = pu_file_read(file, PU_MEMBER_FILE_MAX, &text, &len, NULL);

	if (r == 0)
		r = pu_member_check(pu_bytes(text, len), key, add_finding, &f, &n_peers);
	free(text);
	r = r < 0 ? pu_cli_fail(c, file, NULL, "%s", pu_err_text(r)) : show(c, &f, n_peers);
	json_decref(f.errors);
	return r;
}

static int validate(struct pu_cli *c, struct pu_local *l)
{
	return validate_file(c, pu_local_members_file(c, l), l->hash_key);
}

int pu_cmd_auth_validate(struct pu_cli *c)
{
	static const uint8_t key[16]; /* one pass over the user's own file */

	return c->n_args ? validate_file(c, c->arg[0], key) : pu_local_run(c, false, validate);
}
