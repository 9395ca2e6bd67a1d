/* join: from a code to a network that one is part of. */
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/invite_place.h"
#include "cli/newcomer.h"
#include "cli/out.h"
#include "cli/prompt.h"

enum { LINE_MAX_LEN = 4096 };

static const char code_env[] = "PEERUP_INVITE_CODE";

/* Words that a shell has cut apart. */
static int from_args(struct pu_cli *c, char out[LINE_MAX_LEN + 1])
{
	size_t len = 0;

	for (int i = 0; i < c->n_args; i++) {
		int n = snprintf(out + len, LINE_MAX_LEN + 1 - len, "%s%s", i ? " " : "",
				 c->arg[i]);

		if (n < 0 || len + (size_t)n > LINE_MAX_LEN)
			return pu_cli_misuse(c, "code", "too long");
		len += (size_t)n;
	}
	return 0;
}

static void trim(char *s)
{
	size_t n = strlen(s), skip = strspn(s, " \t\r\n");

	while (n > skip && strchr(" \t\r\n", s[n - 1]))
		s[--n] = '\0';
	memmove(s, s + skip, n + 1 - skip);
}

static int from_stdin(struct pu_cli *c, char out[LINE_MAX_LEN + 1])
{
	out[0] = '\0';
	if (!fgets(out, LINE_MAX_LEN + 1, stdin))
		return pu_cli_misuse(c, "code", "none: give it as argument, in %s or on "
						"standard input",
				     code_env);
	if (strlen(out) == LINE_MAX_LEN && out[LINE_MAX_LEN - 1] != '\n')
		return pu_cli_misuse(c, "code", "too long");
	trim(out);
	return 0;
}

/* Asked for, it stays out of the shell's history. */
static int find_code(struct pu_cli *c, char out[LINE_MAX_LEN + 1])
{
	const char *env = getenv(code_env);

	out[0] = '\0';
	if (c->n_args > 0)
		return from_args(c, out);
	if (env && *env) {
		if (strlen(env) > LINE_MAX_LEN)
			return pu_cli_misuse(c, code_env, "too long");
		memcpy(out, env, strlen(env) + 1);
		trim(out);
		return 0;
	}
	if (pu_cli_has(c, "non-interactive"))
		return from_stdin(c, out);
	if (!c->json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
	    pu_prompt("Code from the other machine: ", out, LINE_MAX_LEN + 1) && out[0])
		return 0;
	return pu_cli_misuse(c, "code", "none: give it as argument, in %s, or with "
					"--non-interactive on standard input",
			     code_env);
}

static void print_peer(const struct pu_cli *c, FILE *f, const json_t *peer)
{
	const char *name = json_string_value(json_object_get(peer, "name"));
	const char *access = json_string_value(json_object_get(peer, "access"));
	char clean[160];

	pu_out_clean(name, clean, sizeof clean);
	fprintf(f, "Connected with %s. It may use %s.\n"
		   "Compare the pictures on both machines: peerup-vpn verify %s\n",
		clean, pu_newcomer_access_text(access), clean);
}

static void show(const struct pu_cli *c, const json_t *result)
{
	FILE *f = pu_cli_has(c, "non-interactive") ? stderr : stdout;
	json_t *peers = json_object_get(result, "peers"), *peer;
	size_t i;

	if (json_array_size(peers) == 0)
		fputs("The relay has taken this machine in. Others of the group become known when "
		      "they join.\n", f);
	json_array_foreach (peers, i, peer)
		print_peer(c, f, peer);
	fflush(f);
}

struct joining {
	struct pu_join_options opt;
	json_t *result;
	bool alone;
};

/* The config may have been made a moment ago: it is looked for now. */
static int redeem(struct pu_cli *c, struct joining *j)
{
	struct pu_invite_place at = { .id = 0 };
	struct pu_local l;
	int r = pu_local_open(c, &l, false);

	if (r == 0)
		r = pu_invite_place_open(c, &l, false, &at);
	j->alone = at.alone != NULL;
	if (r == 0)
		r = pu_invite_place_join(c, &at, &j->opt, &j->result);
	pu_invite_place_close(&at);
	pu_local_close(&l);
	return r;
}

static int check_code(struct pu_cli *c, const char *text, struct pu_code *code)
{
	char why[160] = "";
	int r = pu_code_parse(text, code, why);

	if (r == 0)
		return 0;
	return pu_cli_fail(c, "code", NULL, "%s", why[0] ? why : pu_err_text(r));
}

int pu_cmd_join(struct pu_cli *c)
{
	char text[LINE_MAX_LEN + 1];
	struct joining j = { .opt = { .code = text, .name = pu_cli_flag(c, "name", 0) } };
	struct pu_code code;
	int r = pu_newcomer_access(c, &j.opt.access);

	if (r == 0)
		r = find_code(c, text);
	if (r == 0)
		r = check_code(c, text, &code);
	if (r == 0) {
		r = pu_newcomer_ensure_config(c, &code);
		pu_code_wipe(&code);
	}
	pu_invite_place_catch();
	if (r == 0)
		r = redeem(c, &j);
	explicit_bzero(text, sizeof text);
	if (r)
		return r;
	if (c->json)
		pu_out_json(json_incref(j.result));
	else
		show(c, j.result);
	json_decref(j.result);
	return j.alone ? pu_newcomer_up(c) : PU_CLI_OK;
}
