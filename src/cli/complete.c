#include "cli/complete.h"

static struct pu_complete_place words(const char *text)
{
	struct pu_complete_place p = { .kind = PU_COMPLETE_WORDS };

	snprintf(p.words, sizeof p.words, "%s", text);
	return p;
}

struct pu_complete_place pu_complete_flag(const struct pu_cli_flag *flag)
{
	static const struct {
		const char *value;
		enum pu_complete_kind kind;
		const char *words;
	} known[] = {
		{ "PATH", PU_COMPLETE_FILE, "" },
		{ "FILE", PU_COMPLETE_FILE, "" },
		{ "DIR", PU_COMPLETE_DIR, "" },
		{ "PEER", PU_COMPLETE_PEER, "" },
		{ "WHAT", PU_COMPLETE_WORDS, "services network" },
		{ "LEVEL", PU_COMPLETE_WORDS, "debug info warn error off" },
		{ "FORMAT", PU_COMPLETE_WORDS, "text json journal" },
		{ "SHELL", PU_COMPLETE_WORDS, "bash zsh fish man" },
	};

	for (size_t i = 0; flag->value && i < PU_ARRAY_LEN(known); i++) {
		struct pu_complete_place p = words(known[i].words);

		p.kind = known[i].kind;
		if (strcmp(flag->value, known[i].value) == 0)
			return p;
	}
	return (struct pu_complete_place){ .kind = PU_COMPLETE_NOTHING };
}

/* Cuts "<peer id>", "[file]" or "validate|rollback" off *prest; false at the end. The last
 * one repeats when "..." follows it. */
static bool next_arg(const char **prest, char *out, size_t cap)
{
	const char *p = *prest + strspn(*prest, " "), *end;

	if (!*p)
		return false;
	end = p + (*p == '<' ? strcspn(p, ">") + 1 : *p == '[' ? strcspn(p, "]") + 1 :
								 strcspn(p, " "));
	snprintf(out, cap, "%.*s", (int)(end - p), p);
	if (strncmp(end, "...", 3) != 0)
		*prest = end;
	return true;
}

static struct pu_complete_place of_name(const struct pu_cli_command *k)
{
	bool is_new = k->verb && strcmp(k->verb, "add") == 0;

	if (is_new)
		return (struct pu_complete_place){ .kind = PU_COMPLETE_NOTHING };
	return (struct pu_complete_place){ .kind = strcmp(k->noun, "service") == 0 ?
					   PU_COMPLETE_SERVICE : PU_COMPLETE_PEER };
}

/* Actions are listed in the help: "the relay's config: validate, show". */
static struct pu_complete_place of_action(const struct pu_cli_command *k)
{
	const char *list = strstr(k->help, ": ");
	struct pu_complete_place p = words(list ? list + 2 : "");

	for (char *s = p.words; (s = strchr(s, ','));)
		memmove(s, s + 1, strlen(s));
	return p;
}

struct pu_complete_place pu_complete_arg(const struct pu_cli_command *k, int i)
{
	struct pu_complete_place p = { .kind = PU_COMPLETE_NOTHING };
	const char *rest = k->args;
	char arg[96];

	do {
		if (!next_arg(&rest, arg, sizeof arg))
			return p;
	} while (i-- > 0);
	if (strcmp(arg, "<name>") == 0)
		return of_name(k);
	if (strcmp(arg, "<action>") == 0)
		return of_action(k);
	if (strncmp(arg, "<peer", 5) == 0)
		p.kind = PU_COMPLETE_PEER;
	else if (strstr(arg, "file"))
		p.kind = PU_COMPLETE_FILE;
	else if (strcmp(arg, "[command]") == 0)
		p.kind = PU_COMPLETE_COMMAND;
	else if (arg[0] != '<' && arg[0] != '[' && strchr(arg, '|'))
		p = words(arg);
	for (char *s = p.words; (s = strchr(s, '|'));)
		*s = ' ';
	return p;
}

bool pu_complete_is_first(const struct pu_cli_command *k)
{
	for (const struct pu_cli_command *o = pu_cli_commands; o < k; o++)
		if (strcmp(o->noun, k->noun) == 0)
			return false;
	return true;
}

bool pu_complete_has_verbs(const char *noun)
{
	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++)
		if (k->verb && strcmp(k->noun, noun) == 0)
			return true;
	return false;
}

const char *pu_complete_words_of(const struct pu_cli_command *k, char *out, size_t cap)
{
	snprintf(out, cap, "%s%s%s", k->noun, k->verb ? " " : "", k->verb ? k->verb : "");
	return out;
}
