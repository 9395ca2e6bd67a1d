/* help: the table of commands for people, shells and man. */
#include <stdlib.h>

#include "base/err.h"
#include "base/file.h"
#include "cli/args.h"
#include "cli/complete.h"
#include "cli/man_page.h"
#include "cli/out.h"

enum { PAGE_MAX = 1024 * 1024 };

static const char empty_page[] = ".Sh COMMANDS\n.Sh SEE ALSO\n";

static int print_man(struct pu_cli *c)
{
	char *text = NULL;
	size_t len;
	int r = c->n_args ? pu_file_read(c->arg[0], PAGE_MAX, &text, &len, NULL) : 0;

	if (r == 0)
		r = pu_man_page(text ? text : empty_page, stdout);
	free(text);
	if (r < 0)
		return pu_cli_fail(c, c->n_args ? c->arg[0] : "help", NULL, "%s", pu_err_text(r));
	return PU_CLI_OK;
}

static int print_format(struct pu_cli *c, const char *format)
{
	int r = PU_CLI_OK;

	if (strcmp(format, "bash") == 0)
		pu_complete_bash(stdout);
	else if (strcmp(format, "zsh") == 0)
		pu_complete_zsh(stdout);
	else if (strcmp(format, "fish") == 0)
		pu_complete_fish(stdout);
	else if (strcmp(format, "man") == 0)
		r = print_man(c);
	else
		return pu_cli_misuse(c, "--format", "allowed is bash, zsh, fish or man");
	if (r == PU_CLI_OK && (fflush(stdout) != 0 || ferror(stdout)))
		return pu_cli_fail(c, "output", NULL, "cannot be written");
	return r;
}

int pu_cmd_help(struct pu_cli *c)
{
	const char *format = pu_cli_flag(c, "format", 0);
	const struct pu_cli_command *k;
	int used;

	if (format)
		return print_format(c, format);
	if (c->n_args == 0) {
		pu_out_usage(stdout, NULL);
		return PU_CLI_OK;
	}
	k = pu_args_find_command(c->arg[0], c->arg[1], &used);
	if (k)
		pu_out_usage(stdout, k);
	if (k && (k->verb || !k[1].noun || strcmp(k[1].noun, k->noun) != 0))
		return PU_CLI_OK;
	if (k)
		putchar('\n');
	if (!pu_out_usage_noun(stdout, c->arg[0]))
		return pu_cli_misuse(c, c->arg[0], "unknown command");
	return PU_CLI_OK;
}
