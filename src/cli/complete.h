/* Scripts that complete command lines, written from the table of commands. Names of peers and
 * services are asked from the program while the user types. */
#ifndef PU_CLI_COMPLETE_H
#define PU_CLI_COMPLETE_H

#include "cli/cli.h"

void pu_complete_bash(FILE *f);
void pu_complete_zsh(FILE *f);
void pu_complete_fish(FILE *f);

/* What can stand at a place of the command line. */
enum pu_complete_kind {
	PU_COMPLETE_NOTHING, /* or nothing that we could guess */
	PU_COMPLETE_FILE,
	PU_COMPLETE_DIR,
	PU_COMPLETE_PEER,    /* a name of one */
	PU_COMPLETE_SERVICE, /* one of this node */
	PU_COMPLETE_COMMAND,
	PU_COMPLETE_WORDS,
};

struct pu_complete_place {
	enum pu_complete_kind kind;
	char words[96]; /* with spaces between them */
};

struct pu_complete_place pu_complete_flag(const struct pu_cli_flag *flag);
/* The i-th argument, from 0. */
struct pu_complete_place pu_complete_arg(const struct pu_cli_command *k, int i);
/* Is k the first command of its noun? */
bool pu_complete_is_first(const struct pu_cli_command *k);
bool pu_complete_has_verbs(const char *noun);
/* "auth add", "ping" */
const char *pu_complete_words_of(const struct pu_cli_command *k, char *out, size_t cap);

#endif
