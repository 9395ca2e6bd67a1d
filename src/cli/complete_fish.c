#include "cli/args.h"
#include "cli/complete.h"

static const char head[] =
	"# fish completion for peerup-vpn, made by `peerup-vpn help --format=fish`\n\n"
	"function __peerup_vpn_ask\n"
	"    set -l cmd (commandline -opc)\n"
	"    $cmd[1] $argv[1] list --json 2>/dev/null | string match -ra '\"name\":\"[A-Za-z0-9._-]*\"' |\n"
	"        string replace -r '\"name\":\"([^\"]*)\"' '$1'\n"
	"end\n\n"
	"# The words of the line that are no flags and no values of flags.\n"
	"function __peerup_vpn_words\n"
	"    set -l skip 0\n"
	"    for word in (commandline -opc)[2..-1]\n"
	"        if test $skip = 1\n"
	"            set skip 0\n"
	"        else if contains -- $word $__peerup_vpn_value_flags\n"
	"            set skip 1\n"
	"        else if not string match -q -- '-*' $word\n"
	"            echo $word\n"
	"        end\n"
	"    end\n"
	"end\n\n"
	"function __peerup_vpn_no_noun\n"
	"    test (count (__peerup_vpn_words)) = 0\n"
	"end\n\n"
	"# __peerup_vpn_is WORDS...: the line begins with them.\n"
	"function __peerup_vpn_is\n"
	"    set -l words (__peerup_vpn_words)\n"
	"    test \"$words[1..\"(count $argv)\"]\" = \"$argv\"\n"
	"end\n\n"
	"# __peerup_vpn_at N WORDS...: the line is WORDS and N more.\n"
	"function __peerup_vpn_at\n"
	"    set -l words (__peerup_vpn_words)\n"
	"    test (count $words) = (math (count $argv) - 1 + $argv[1])\n"
	"    and test \"$words[1..\"(math (count $argv) - 1)\"]\" = \"$argv[2..-1]\"\n"
	"end\n\n"
	"complete -c peerup-vpn -f\n";

static void put_text(FILE *f, const char *s)
{
	fputs(" -d '", f);
	for (; *s; s++) {
		if (*s == '\'' || *s == '\\')
			fputc('\\', f);
		fputc(*s, f);
	}
	fputs("'\n", f);
}

static void put_candidates(FILE *f, const struct pu_complete_place *p)
{
	switch (p->kind) {
	case PU_COMPLETE_NOTHING:
		break;
	case PU_COMPLETE_FILE:
		fputs(" -F", f);
		break;
	case PU_COMPLETE_DIR:
		fputs(" -a '(__fish_complete_directories)'", f);
		break;
	case PU_COMPLETE_PEER:
		fputs(" -a '(__peerup_vpn_ask name)'", f);
		break;
	case PU_COMPLETE_SERVICE:
		fputs(" -a '(__peerup_vpn_ask service)'", f);
		break;
	case PU_COMPLETE_COMMAND:
		fputs(" -a '$__peerup_vpn_nouns'", f);
		break;
	case PU_COMPLETE_WORDS:
		fprintf(f, " -a '%s'", p->words);
		break;
	}
}

/* words: of the command, NULL for flags of all. */
static void put_flags(FILE *f, const struct pu_cli_flag *v, const char *words)
{
	for (; v && v->name; v++) {
		const struct pu_complete_place p = pu_complete_flag(v);

		fputs("complete -c peerup-vpn", f);
		if (words)
			fprintf(f, " -n '__peerup_vpn_is %s'", words);
		fprintf(f, " -l %s", v->name);
		if (v->letter)
			fprintf(f, " -s %c", v->letter);
		if (v->value)
			fputs(p.kind == PU_COMPLETE_FILE ? " -r" : " -x", f);
		put_candidates(f, &p);
		put_text(f, v->help);
	}
}

static void put_value_flags(FILE *f, const struct pu_cli_flag *v)
{
	for (; v && v->name; v++) {
		if (v->value)
			fprintf(f, " --%s", v->name);
		if (v->value && v->letter)
			fprintf(f, " -%c", v->letter);
	}
}

static void put_lists(FILE *f)
{
	fputs("set -g __peerup_vpn_value_flags", f);
	put_value_flags(f, pu_args_global_flags);
	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++)
		put_value_flags(f, k->flags);
	fputs("\nset -g __peerup_vpn_nouns", f);
	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++)
		if (pu_complete_is_first(k))
			fprintf(f, " %s", k->noun);
	fputs("\n\n", f);
}

static void put_command(FILE *f, const struct pu_cli_command *k)
{
	char name[64];

	if (pu_complete_is_first(k)) {
		fprintf(f, "complete -c peerup-vpn -n __peerup_vpn_no_noun -a %s", k->noun);
		put_text(f, k->verb ? "…" : k->help);
	}
	if (k->verb) {
		fprintf(f, "complete -c peerup-vpn -n '__peerup_vpn_at 0 %s' -a %s", k->noun,
			k->verb);
		put_text(f, k->help);
	}
	pu_complete_words_of(k, name, sizeof name);
	put_flags(f, k->flags, name);
	for (int i = 0; i < k->max_args; i++) {
		const struct pu_complete_place p = pu_complete_arg(k, i);

		if (p.kind == PU_COMPLETE_NOTHING)
			continue;
		fprintf(f, "complete -c peerup-vpn -n '__peerup_vpn_at %d %s'", i, name);
		put_candidates(f, &p);
		fputc('\n', f);
	}
}

void pu_complete_fish(FILE *f)
{
	fputs(head, f);
	put_lists(f);
	put_flags(f, pu_args_global_flags, NULL);
	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++)
		put_command(f, k);
}
