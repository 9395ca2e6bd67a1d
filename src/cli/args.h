/* Command line → struct pu_cli. Flags may stand anywhere: an argument starting with
 * '-' is a flag; unless it contains '=' or is a switch it takes the next argument. */
#ifndef PU_CLI_ARGS_H
#define PU_CLI_ARGS_H

#include "cli/cli.h"

/* Flags that every command knows. */
extern const struct pu_cli_flag pu_args_global_flags[];

/* The command of two words, or else of the first alone; NULL: there is none. verb may be NULL.
 * *pused: words that it has. */
const struct pu_cli_command *pu_args_find_command(const char *noun, const char *verb, int *pused);
/* 0; PU_CLI_USAGE with c->why set. *phelp: -h or --help was given (then nothing else
 * is checked). c->command may be set even on failure. */
int pu_args_parse(struct pu_cli *c, int argc, char **argv, bool *phelp);

#endif
