#include "cli/man_page.h"

#include <stdlib.h>

#include "base/err.h"
#include "cli/complete.h"

enum { LISTED_MAX = 256 };

static const char section[] = ".Sh COMMANDS\n";

struct page {
	FILE *out;
	bool in_commands;
	unsigned depth; /* of lists */
	/* The item being copied, NULL: none. */
	const struct pu_cli_command *item;
	const char *body;
	/* Commands of the list that is being copied. */
	const struct pu_cli_command *list[LISTED_MAX];
	size_t n_list;
	bool listed[LISTED_MAX]; /* by number in the table */
};

/* --- text ------------------------------------------------------------------------- */

static void put_utf8(FILE *f, const unsigned char **pp)
{
	const unsigned char *p = *pp;
	unsigned n = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1, c = *p & (0x3fu >> n);

	for (p++; n > 0 && (*p & 0xc0) == 0x80; n--)
		c = c << 6 | (*p++ & 0x3f);
	fprintf(f, "\\[u%04X]", c);
	*pp = p;
}

/* A sentence of its own line. */
static void put_sentence(FILE *f, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	if (*p == '.' || *p == '\'')
		fputs("\\&", f);
	if (*p >= 'a' && *p <= 'z')
		fputc(*p++ - 'a' + 'A', f);
	while (*p) {
		if (*p >= 0x80) {
			put_utf8(f, &p);
			continue;
		}
		if (*p == '\\')
			fputs("\\e", f);
		else
			fputc(*p, f);
		p++;
	}
	fputs(text[0] && strchr(".?!", text[strlen(text) - 1]) ? "\n" : ".\n", f);
}

static void put_lower(FILE *f, const char *s)
{
	for (; *s; s++)
		fputc(*s >= 'A' && *s <= 'Z' ? *s - 'A' + 'a' : *s, f);
}

static void put_flag_value(FILE *f, const struct pu_cli_flag *v)
{
	if (!v->value)
		return;
	fputs(" Ar ", f);
	put_lower(f, v->value);
}

/* --- synopsis --------------------------------------------------------------------- */

/* "<peer id>" → "Ar peer-id", "[file]" → "Oo Ar file Oc", "a|b" → "Cm a | b". */
static void put_args(FILE *f, const char *s)
{
	bool optional = false, bare = true;

	for (; *s; s++) {
		if (*s == '<' || *s == '[') {
			optional = *s == '[';
			bare = false;
			fputs(optional ? " Oo Ar " : " Ar ", f);
		} else if (*s == '>' || *s == ']') {
			fputs(optional ? " Oc" : "", f);
			bare = true;
			if (strncmp(s + 1, "...", 3) == 0) {
				fputs(" ...", f);
				s += 3;
			}
		} else if (*s == '|') {
			fputs(" | ", f);
		} else if (*s == ' ') {
			fputs(bare ? "" : "-", f);
		} else {
			fputs(bare ? " Cm " : "", f);
			bare = false;
			fputc(*s, f);
		}
	}
}

static void put_head(FILE *f, const struct pu_cli_command *k)
{
	char words[64];

	fprintf(f, ".It Cm %s", pu_complete_words_of(k, words, sizeof words));
	for (const struct pu_cli_flag *v = k->flags; v && v->name; v++) {
		fputs(" Oo Fl ", f);
		if (v->letter)
			fputc(v->letter, f);
		else
			fprintf(f, "-%s", v->name);
		put_flag_value(f, v);
		fputs(" Oc", f);
	}
	put_args(f, k->args);
	fputc('\n', f);
}

/* Is the flag an item between from and to? */
static bool is_told(const struct pu_cli_flag *v, const char *from, const char *to)
{
	char word[64];
	size_t len = (size_t)snprintf(word, sizeof word, "Fl -%s", v->name);

	for (const char *p = from; p < to; p = strchr(p, '\n') + 1) {
		const char *end = strchr(p, '\n'), *at = strncmp(p, ".It ", 4) ? NULL : p;

		while (at && (at = strstr(at, word)) && at < end) {
			if (at[len] == ' ' || at[len] == '\n')
				return true;
			at++;
		}
	}
	return false;
}

static void put_missing_flags(FILE *f, const struct pu_cli_flag *v, const char *from,
			      const char *to)
{
	bool open = false;

	for (; v && v->name; v++) {
		if (is_told(v, from, to))
			continue;
		if (!open)
			fputs(".Bl -tag -width Ds\n", f);
		open = true;
		fputs(".It ", f);
		if (v->letter) {
			fprintf(f, "Fl %c", v->letter);
			put_flag_value(f, v);
			fputs(" , ", f);
		}
		fprintf(f, "Fl -%s", v->name);
		put_flag_value(f, v);
		fputc('\n', f);
		put_sentence(f, v->help);
	}
	if (open)
		fputs(".El\n", f);
}

static void put_command(FILE *f, const struct pu_cli_command *k)
{
	put_head(f, k);
	put_sentence(f, k->help);
	put_missing_flags(f, k->flags, "", "");
}

/* --- the page --------------------------------------------------------------------- */

static bool starts(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

/* The command of ".It Cm auth add …". */
static const struct pu_cli_command *command_of(const char *line)
{
	const struct pu_cli_command *best = NULL;
	char words[64];
	size_t n, longest = 0;

	if (!starts(line, ".It Cm "))
		return NULL;
	line += strlen(".It Cm ");
	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++) {
		n = strlen(pu_complete_words_of(k, words, sizeof words));
		if (n > longest && starts(line, words) && (line[n] == ' ' || line[n] == '\n')) {
			best = k;
			longest = n;
		}
	}
	return best;
}

static const char *next_line(const char *p)
{
	const char *lf = strchr(p, '\n');

	return lf ? lf + 1 : p + strlen(p);
}

/* Items of other sections may have names of commands too. */
static void mark_listed(struct page *pg, const char *source)
{
	const struct pu_cli_command *k;
	bool inside = false;

	for (const char *p = source; *p; p = next_line(p)) {
		if (starts(p, ".Sh "))
			inside = starts(p, section);
		k = inside ? command_of(p) : NULL;
		if (k && k - pu_cli_commands < LISTED_MAX)
			pg->listed[k - pu_cli_commands] = true;
	}
}

static void end_item(struct page *pg, const char *end)
{
	if (!pg->item)
		return;
	if (pg->body == end)
		put_sentence(pg->out, pg->item->help);
	fwrite(pg->body, 1, (size_t)(end - pg->body), pg->out);
	put_missing_flags(pg->out, pg->item->flags, pg->body, end);
	pg->item = NULL;
}

/* Commands that nobody wrote about, of the nouns in this list; all of them for NULL. */
static void put_rest(struct page *pg, const char *noun)
{
	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++) {
		size_t i = (size_t)(k - pu_cli_commands);

		if (i >= LISTED_MAX || pg->listed[i] || (noun && strcmp(noun, k->noun) != 0))
			continue;
		pg->listed[i] = true;
		put_command(pg->out, k);
	}
}

static void end_list(struct page *pg, const char *line)
{
	end_item(pg, line);
	for (size_t i = 0; i < pg->n_list; i++)
		put_rest(pg, pg->list[i]->noun);
	pg->n_list = 0;
}

static bool any_rest(const struct page *pg)
{
	for (size_t i = 0; i < LISTED_MAX && pu_cli_commands[i].noun; i++)
		if (!pg->listed[i])
			return true;
	return false;
}

static void end_section(struct page *pg)
{
	if (any_rest(pg)) {
		fputs(".Ss More\n.Bl -tag -width Ds\n", pg->out);
		put_rest(pg, NULL);
		fputs(".El\n", pg->out);
	}
	pg->in_commands = false;
}

/* A line of the section; true when it stands in the page as it is. */
static bool section_line(struct page *pg, const char *line, const char *next)
{
	const struct pu_cli_command *k;

	if (starts(line, ".Bl"))
		pg->depth++;
	if (starts(line, ".El") && pg->depth-- == 1)
		end_list(pg, line);
	if (pg->depth == 1 && starts(line, ".It ")) {
		end_item(pg, line);
		k = command_of(line);
		if (k) {
			put_head(pg->out, k);
			pg->item = k;
			pg->body = next;
			if (pg->n_list < LISTED_MAX)
				pg->list[pg->n_list++] = k;
			return false;
		}
	}
	return !pg->item;
}

int pu_man_page(const char *source, FILE *out)
{
	struct page *pg = calloc(1, sizeof *pg);
	bool found = false, keep;
	const char *next;

	if (!pg)
		return PU_ENOMEM;
	pg->out = out;
	mark_listed(pg, source);
	for (const char *line = source; *line; line = next) {
		next = next_line(line);
		if (pg->in_commands && starts(line, ".Sh "))
			end_section(pg);
		keep = !pg->in_commands || section_line(pg, line, next);
		if (starts(line, section))
			found = pg->in_commands = true;
		if (keep)
			fwrite(line, 1, (size_t)(next - line), out);
	}
	free(pg);
	return found ? 0 : PU_EINVAL;
}
