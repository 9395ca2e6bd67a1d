/* What the user sees: text with a little colour on terminals, or one line of JSON. */
#ifndef PU_CLI_OUT_H
#define PU_CLI_OUT_H

#include "cli/cli.h"

enum pu_out_style { PU_OUT_PLAIN, PU_OUT_BOLD, PU_OUT_FAINT, PU_OUT_GREEN, PU_OUT_YELLOW,
		    PU_OUT_RED };

/* Colour on stdout: a terminal, and NO_COLOR is not set. */
bool pu_out_wants_color(void);
/* Escape sequence that starts a style, "" without colour. */
const char *pu_out_on(const struct pu_cli *c, enum pu_out_style style);
const char *pu_out_off(const struct pu_cli *c);

/* One line of JSON; v is taken. Returns PU_CLI_OK, or PU_CLI_FAILED when stdout or
 * memory fails. */
int pu_out_json(PU_TAKES json_t *v);
/* The same over several lines, as the daemon commands of the Go program print it. */
int pu_out_json_indented(PU_TAKES json_t *v);
/* A text of several lines; what could steer a terminal is replaced when it is one. */
void pu_out_text(const char *text);
/* "peerup-vpn: what: why", then "try: hint", on stderr; some of it may be another machine's. */
void pu_out_failure(const struct pu_failure *f);
/* Text from the network or a file with bytes that could steer a terminal replaced.
 * Writes to out (cap bytes) and returns it; NULL becomes "". */
const char *pu_out_clean(const char *s, char *out, size_t cap);

/* Logging as --log-level and --log-format say; 0 or an exit code. */
int pu_out_set_log(struct pu_cli *c);

/* Help: all commands, one noun, or one command. */
void pu_out_usage(FILE *f, const struct pu_cli_command *only);
bool pu_out_usage_noun(FILE *f, const char *noun);

#endif
