#include "cli/args.h"
#include "cli/complete.h"

/* $noun and $verb of the line, $n arguments before the word at the cursor, and $flag when
 * that word is a flag's value. */
static const char head[] =
	"# bash completion for peerup-vpn, made by `peerup-vpn help --format=bash`\n"
	"_peerup_vpn_ask()\n"
	"{\n"
	"\t\"${COMP_WORDS[0]}\" \"$1\" list --json 2>/dev/null | grep -o '\"name\":\"[A-Za-z0-9._-]*\"' |\n"
	"\t\tcut -d'\"' -f4\n"
	"}\n\n"
	"_peerup_vpn()\n"
	"{\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} noun= verb= flag= kind= words= n=0 i word\n\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tword=${COMP_WORDS[i]}\n"
	"\t\tif [[ -n $flag ]]; then\n"
	"\t\t\t[[ $word == = ]] || flag=\n"
	"\t\telif [[ $word == -* ]]; then\n"
	"\t\t\t_peerup_vpn_takes_value \"$word\" && flag=$word\n"
	"\t\telif [[ -z $noun ]]; then\n"
	"\t\t\tnoun=$word\n"
	"\t\telif [[ -z $verb && $n == 0 ]] &&\n"
	"\t\t\t[[ \" $(_peerup_vpn_verbs \"$noun\") \" == *\" $word \"* ]]; then\n"
	"\t\t\tverb=$word\n"
	"\t\telse\n"
	"\t\t\tn=$((n + 1))\n"
	"\t\tfi\n"
	"\tdone\n"
	"\t[[ $cur != = ]] || cur=\n"
	"\tif [[ -n $flag ]]; then\n"
	"\t\t_peerup_vpn_value \"$flag\"\n"
	"\telif [[ $cur == -* ]]; then\n"
	"\t\twords=$(_peerup_vpn_flags \"$noun${verb:+ $verb}\")\n"
	"\telif [[ -z $noun ]]; then\n"
	"\t\twords=$_peerup_vpn_nouns\n"
	"\telse\n"
	"\t\t[[ -n $verb || $n != 0 ]] || words=$(_peerup_vpn_verbs \"$noun\")\n"
	"\t\t_peerup_vpn_argument \"$noun${verb:+ $verb}\" \"$n\"\n"
	"\tfi\n"
	"\tcase $kind in\n"
	"\tpeer) words+=\" $(_peerup_vpn_ask name)\" ;;\n"
	"\tservice) words+=\" $(_peerup_vpn_ask service)\" ;;\n"
	"\tcommand) words+=\" $_peerup_vpn_nouns\" ;;\n"
	"\tfile) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); compopt -o filenames 2>/dev/null; return ;;\n"
	"\tdir) mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); compopt -o filenames 2>/dev/null; return ;;\n"
	"\tesac\n"
	"\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	"}\n\n"
	"complete -F _peerup_vpn peerup-vpn\n";

static void put_place(FILE *f, const struct pu_complete_place *p)
{
	switch (p->kind) {
	case PU_COMPLETE_NOTHING:
		break;
	case PU_COMPLETE_FILE:
		fputs("kind=file", f);
		break;
	case PU_COMPLETE_DIR:
		fputs("kind=dir", f);
		break;
	case PU_COMPLETE_PEER:
		fputs("kind=peer", f);
		break;
	case PU_COMPLETE_SERVICE:
		fputs("kind=service", f);
		break;
	case PU_COMPLETE_COMMAND:
		fputs("kind=command", f);
		break;
	case PU_COMPLETE_WORDS:
		fprintf(f, "words='%s'", p->words);
		break;
	}
}

static void put_nouns(FILE *f)
{
	fputs("\n_peerup_vpn_nouns='", f);
	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++)
		if (pu_complete_is_first(k))
			fprintf(f, "%s%s", k == pu_cli_commands ? "" : " ", k->noun);
	fputs("'\n\n_peerup_vpn_verbs()\n{\n\tcase $1 in\n", f);
	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++) {
		if (!pu_complete_is_first(k) || !pu_complete_has_verbs(k->noun))
			continue;
		fprintf(f, "\t%s) echo", k->noun);
		for (const struct pu_cli_command *v = k; v->noun; v++)
			if (v->verb && strcmp(v->noun, k->noun) == 0)
				fprintf(f, " %s", v->verb);
		fputs(" ;;\n", f);
	}
	fputs("\tesac\n}\n", f);
}

static void put_flag_list(FILE *f, const struct pu_cli_flag *v)
{
	for (; v && v->name; v++) {
		fprintf(f, " --%s", v->name);
		if (v->letter)
			fprintf(f, " -%c", v->letter);
	}
}

static void put_flags(FILE *f)
{
	char name[64];

	fputs("\n_peerup_vpn_flags()\n{\n\tcase $1 in\n", f);
	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++) {
		if (!k->flags)
			continue;
		fprintf(f, "\t'%s') echo", pu_complete_words_of(k, name, sizeof name));
		put_flag_list(f, k->flags);
		fputs(" ;;\n", f);
	}
	fputs("\tesac\n\techo", f);
	put_flag_list(f, pu_args_global_flags);
	fputs("\n}\n", f);
}

/* A flag means the same everywhere: the first one found speaks for all. */
static bool is_told(const struct pu_cli_command *upto, const struct pu_cli_flag *flag)
{
	for (const struct pu_cli_command *k = pu_cli_commands; k->noun && k <= upto; k++)
		for (const struct pu_cli_flag *v = k->flags; v && v->name && v != flag; v++)
			if (strcmp(v->name, flag->name) == 0)
				return true;
	return false;
}

static void put_value(FILE *f, const struct pu_cli_flag *v)
{
	const struct pu_complete_place p = pu_complete_flag(v);

	fprintf(f, "\t--%s", v->name);
	if (v->letter)
		fprintf(f, " | -%c", v->letter);
	fputs(") ", f);
	put_place(f, &p);
	fputs(" ;;\n", f);
}

static void put_values(FILE *f)
{
	fputs("\n_peerup_vpn_value()\n{\n\tcase $1 in\n", f);
	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++)
		for (const struct pu_cli_flag *v = k->flags; v && v->name; v++)
			if (v->value && !is_told(k, v))
				put_value(f, v);
	for (const struct pu_cli_flag *v = pu_args_global_flags; v->name; v++)
		if (v->value)
			put_value(f, v);
	fputs("\t*) return 1 ;;\n\tesac\n}\n", f);
	fputs("\n_peerup_vpn_takes_value()\n{\n\tlocal kind words\n\n\t_peerup_vpn_value \"$1\"\n}\n",
	      f);
}

static void put_arguments(FILE *f)
{
	char name[64];

	fputs("\n_peerup_vpn_argument()\n{\n\tcase \"$1/$2\" in\n", f);
	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++) {
		pu_complete_words_of(k, name, sizeof name);
		for (int i = 0; i < k->max_args; i++) {
			const struct pu_complete_place p = pu_complete_arg(k, i);

			if (p.kind == PU_COMPLETE_NOTHING)
				continue;
			fprintf(f, "\t'%s/%d') ", name, i);
			put_place(f, &p);
			fputs(" ;;\n", f);
		}
	}
	fputs("\tesac\n}\n\n", f);
}

void pu_complete_bash(FILE *f)
{
	fputs("# shellcheck shell=bash disable=SC2034\n", f);
	put_nouns(f);
	put_flags(f);
	put_values(f);
	put_arguments(f);
	fputs(head, f);
}
