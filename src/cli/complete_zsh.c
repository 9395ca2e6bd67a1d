#include "cli/args.h"
#include "cli/complete.h"

static const char head[] =
	"#compdef peerup-vpn\n"
	"# zsh completion, made by `peerup-vpn help --format=zsh`\n\n"
	"_peerup_vpn_ask()\n"
	"{\n"
	"\tlocal -a found\n\n"
	"\tfound=(${(f)\"$(_call_program names peerup-vpn $1 list --json 2>/dev/null |\n"
	"\t\tgrep -o '\"name\":\"[A-Za-z0-9._-]*\"' | cut -d'\"' -f4)\"})\n"
	"\tcompadd -a found\n"
	"}\n\n"
	"_peerup_vpn_peers() { _peerup_vpn_ask name }\n"
	"_peerup_vpn_services() { _peerup_vpn_ask service }\n\n";

static const char tail[] =
	"_peerup_vpn()\n"
	"{\n"
	"\tlocal noun verb word\n"
	"\tinteger i at=1\n\n"
	"\tfor ((i = 2; i < CURRENT; i++)); do\n"
	"\t\tword=$words[i]\n"
	"\t\tif [[ $word == --config ]]; then\n"
	"\t\t\t((i++))\n"
	"\t\telif [[ $word == -* ]]; then\n"
	"\t\t\t:\n"
	"\t\telif [[ -z $noun ]]; then\n"
	"\t\t\tnoun=$word at=$i\n"
	"\t\t\t(($+_peerup_vpn_verbs[$noun])) || break\n"
	"\t\telse\n"
	"\t\t\t[[ \" $_peerup_vpn_verbs[$noun] \" == *\" $word \"* ]] && verb=$word at=$i\n"
	"\t\t\tbreak\n"
	"\t\tfi\n"
	"\tdone\n"
	"\tif [[ -z $noun ]]; then\n"
	"\t\t[[ $PREFIX == -* ]] || { _peerup_vpn_nouns; return }\n"
	"\telif [[ -z $verb && -n $_peerup_vpn_verbs[$noun] && $((at + 1)) == $CURRENT &&\n"
	"\t\t$PREFIX != -* ]]; then\n"
	"\t\t_peerup_vpn_verbs_of $noun\n"
	"\t\treturn\n"
	"\tfi\n"
	"\twords=(peerup-vpn \"${(@)words[at + 1, -1]}\")\n"
	"\tCURRENT=$((CURRENT - at + 1))\n"
	"\t_peerup_vpn_command \"$noun${verb:+ $verb}\"\n"
	"}\n\n"
	"_peerup_vpn \"$@\"\n";

/* Within single quotes; brackets and colons mean something to _arguments. */
static void put_text(FILE *f, const char *s)
{
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\''", f);
		else if (strchr("[]:\\", *s))
			fprintf(f, "\\%c", *s);
		else
			fputc(*s, f);
	}
}

static void put_action(FILE *f, const struct pu_complete_place *p)
{
	switch (p->kind) {
	case PU_COMPLETE_NOTHING:
		fputc(' ', f);
		break;
	case PU_COMPLETE_FILE:
		fputs("_files", f);
		break;
	case PU_COMPLETE_DIR:
		fputs("_files -/", f);
		break;
	case PU_COMPLETE_PEER:
		fputs("_peerup_vpn_peers", f);
		break;
	case PU_COMPLETE_SERVICE:
		fputs("_peerup_vpn_services", f);
		break;
	case PU_COMPLETE_COMMAND:
		fputs("_peerup_vpn_nouns", f);
		break;
	case PU_COMPLETE_WORDS:
		fprintf(f, "(%s)", p->words);
		break;
	}
}

static void put_flag(FILE *f, const struct pu_cli_flag *v)
{
	const struct pu_complete_place p = pu_complete_flag(v);
	char names[2][48] = { "", "" };

	snprintf(names[0], sizeof names[0], "--%s%s", v->name, v->value ? "=" : "");
	if (v->letter)
		snprintf(names[1], sizeof names[1], "-%c", v->letter);
	for (size_t i = 0; i < 2 && names[i][0]; i++) {
		fprintf(f, " \\\n\t\t\t'*%s[", names[i]);
		put_text(f, v->help);
		fputc(']', f);
		if (v->value) {
			fprintf(f, ":%s:", v->value);
			put_action(f, &p);
		}
		fputc('\'', f);
	}
}

static void put_command(FILE *f, const struct pu_cli_command *k)
{
	char name[64];

	fprintf(f, "\t'%s')\n\t\t_arguments -S", pu_complete_words_of(k, name, sizeof name));
	for (const struct pu_cli_flag *v = k->flags; v && v->name; v++)
		put_flag(f, v);
	for (const struct pu_cli_flag *v = pu_args_global_flags; v->name; v++)
		put_flag(f, v);
	for (int i = 0; i < k->max_args; i++) {
		const struct pu_complete_place p = pu_complete_arg(k, i);

		fprintf(f, " \\\n\t\t\t'%d:argument:", i + 1);
		put_action(f, &p);
		fputc('\'', f);
	}
	fputs("\n\t\t;;\n", f);
}

static void put_described(FILE *f, const char *word, const char *help)
{
	fprintf(f, "\t\t'%s:", word);
	put_text(f, help);
	fputs("'\n", f);
}

static const char *noun_help(const struct pu_cli_command *k)
{
	return k->verb ? "…" : k->help;
}

static void put_nouns(FILE *f)
{
	fputs("_peerup_vpn_nouns()\n{\n\tlocal -a nouns\n\n\tnouns=(\n", f);
	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++)
		if (pu_complete_is_first(k))
			put_described(f, k->noun, noun_help(k));
	fputs("\t)\n\t_describe command nouns\n}\n\ntypeset -gA _peerup_vpn_verbs\n", f);
	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++)
		if (k->verb)
			fprintf(f, "_peerup_vpn_verbs[%s]+=' %s'\n", k->noun, k->verb);
}

static void put_verbs(FILE *f)
{
	fputs("\n_peerup_vpn_verbs_of()\n{\n\tlocal -a verbs\n\n\tcase $1 in\n", f);
	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++) {
		if (!pu_complete_is_first(k) || !pu_complete_has_verbs(k->noun))
			continue;
		fprintf(f, "\t%s)\n\t\tverbs=(\n", k->noun);
		for (const struct pu_cli_command *v = k; v->noun; v++)
			if (v->verb && strcmp(v->noun, k->noun) == 0)
				put_described(f, v->verb, v->help);
		fputs("\t\t)\n\t\t;;\n", f);
	}
	fputs("\tesac\n\t_describe command verbs\n}\n\n", f);
}

void pu_complete_zsh(FILE *f)
{
	fputs(head, f);
	put_nouns(f);
	put_verbs(f);
	fputs("_peerup_vpn_command()\n{\n\tcase $1 in\n", f);
	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++)
		put_command(f, k);
	fputs("\t*)\n\t\t_arguments -S", f);
	for (const struct pu_cli_flag *v = pu_args_global_flags; v->name; v++)
		put_flag(f, v);
	fputs("\n\t\t;;\n\tesac\n}\n\n", f);
	fputs(tail, f);
}
