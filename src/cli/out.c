#include "cli/out.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/args.h"
#include "daemon/process.h"

enum { REAL_DIGITS = 12 };

bool pu_out_wants_color(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if ((no && *no) || (term && strcmp(term, "dumb") == 0))
		return false;
	return isatty(STDOUT_FILENO);
}

const char *pu_out_on(const struct pu_cli *c, enum pu_out_style style)
{
	if (!c->color)
		return "";
	switch (style) {
	case PU_OUT_PLAIN:
		return "";
	case PU_OUT_BOLD:
		return "\033[1m";
	case PU_OUT_FAINT:
		return "\033[2m";
	case PU_OUT_GREEN:
		return "\033[32m";
	case PU_OUT_YELLOW:
		return "\033[33m";
	case PU_OUT_RED:
		return "\033[31m";
	}
	return "";
}

const char *pu_out_off(const struct pu_cli *c)
{
	return c->color ? "\033[0m" : "";
}

static int print_json(json_t *v, size_t flags)
{
	bool ok = v && json_dumpf(v, stdout, flags | JSON_ENCODE_ANY |
						     JSON_REAL_PRECISION(REAL_DIGITS)) == 0;

	json_decref(v);
	ok = ok && putchar('\n') != EOF && fflush(stdout) == 0;
	if (!ok)
		fputs("peerup-vpn: output: cannot be written\n", stderr);
	return ok ? PU_CLI_OK : PU_CLI_FAILED;
}

int pu_out_json(json_t *v)
{
	return print_json(v, JSON_COMPACT);
}

int pu_out_json_indented(json_t *v)
{
	return print_json(v, JSON_INDENT(2));
}

/* Bytes at s that steer a terminal: a control character, also one of U+0080 to U+009F. */
static size_t steering(const char *s)
{
	unsigned char c = (unsigned char)s[0], next = c ? (unsigned char)s[1] : 0;

	if (c < ' ' || c == 0x7f)
		return 1;
	return c == 0xc2 && next >= 0x80 && next < 0xa0 ? 2 : 0;
}

/* Lines stay lines. */
static void put_text(FILE *f, const char *text)
{
	while (*text) {
		size_t n = *text == '\n' || *text == '\t' ? 0 : steering(text);

		putc(n ? '?' : *text, f);
		text += n ? n : 1;
	}
}

void pu_out_text(const char *text)
{
	if (isatty(STDOUT_FILENO))
		put_text(stdout, text);
	else
		fputs(text, stdout);
}

void pu_out_failure(const struct pu_failure *f)
{
	fputs("peerup-vpn: ", stderr);
	put_text(stderr, f->what);
	fputs(f->what[0] && f->why[0] ? ": " : "", stderr);
	put_text(stderr, f->why);
	putc('\n', stderr);
	if (!f->hint[0])
		return;
	fputs("try: ", stderr);
	put_text(stderr, f->hint);
	putc('\n', stderr);
}

const char *pu_out_clean(const char *s, char *out, size_t cap)
{
	size_t n = 0;

	while (s && *s && n + 1 < cap) {
		size_t k = steering(s);

		out[n++] = k ? '?' : *s;
		s += k ? k : 1;
	}
	out[n] = '\0';
	return out;
}

static void print_flags(FILE *f, const struct pu_cli_flag *flag)
{
	char left[64];

	for (; flag && flag->name; flag++) {
		if (flag->letter)
			snprintf(left, sizeof left, "-%c, --%s%s%s", flag->letter, flag->name,
				 flag->value ? " " : "", flag->value ? flag->value : "");
		else
			snprintf(left, sizeof left, "--%s%s%s", flag->name,
				 flag->value ? " " : "", flag->value ? flag->value : "");
		fprintf(f, "  %-26s %s\n", left, flag->help);
	}
}

enum { HELP_COLUMN = 34 }; /* where the help of a command begins, in lists of them */

static void synopsis(const struct pu_cli_command *k, char *out, size_t cap)
{
	snprintf(out, cap, "%s%s%s%s%s", k->noun, k->verb ? " " : "", k->verb ? k->verb : "",
		 k->args[0] ? " " : "", k->args);
}

static void print_command(FILE *f, const struct pu_cli_command *k)
{
	char line[128];

	synopsis(k, line, sizeof line);
	if (strlen(line) > HELP_COLUMN) {
		fprintf(f, "  %s\n", line);
		line[0] = '\0';
	}
	fprintf(f, "  %-*s %s\n", HELP_COLUMN, line, k->help);
}

void pu_out_usage(FILE *f, const struct pu_cli_command *only)
{
	char line[128];

	if (only) {
		synopsis(only, line, sizeof line);
		fprintf(f, "usage: peerup-vpn %s [flags]\n\n%s\n\nflags:\n", line, only->help);
		print_flags(f, only->flags);
		print_flags(f, pu_args_global_flags);
		return;
	}
	fputs("usage: peerup-vpn <command> [arguments] [flags]\n\ncommands:\n", f);
	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++)
		print_command(f, k);
	fputs("\nflags of every command:\n", f);
	print_flags(f, pu_args_global_flags);
	fputs("\nFirst steps:\n"
	      "  sudo peerup-vpn invite           on one machine; it shows a code\n"
	      "  sudo peerup-vpn join <code>      on the other one\n"
	      "  peerup-vpn status                who is there, and how\n",
	      f);
}

bool pu_out_usage_noun(FILE *f, const char *noun)
{
	bool any = false;

	for (const struct pu_cli_command *k = pu_cli_commands; k->noun; k++) {
		if (strcmp(k->noun, noun) != 0)
			continue;
		if (!any)
			fprintf(f, "usage: peerup-vpn <command> [arguments] [flags]\n\n");
		any = true;
		print_command(f, k);
	}
	return any;
}

int pu_out_set_log(struct pu_cli *c)
{
	const char *level = pu_cli_flag(c, "log-level", 0);
	const char *format = pu_cli_flag(c, "log-format", 0);
	enum pu_log_level lv;

	if (level && pu_log_level_parse(level, &lv) < 0)
		return pu_cli_misuse(c, "--log-level",
				     "allowed is debug, info, warn, error or off");
	if (pu_process_log_format(format) < 0)
		return pu_cli_misuse(c, "--log-format", "allowed is text, json or journal");
	if (level)
		pu_log_set_level(lv);
	return 0;
}
