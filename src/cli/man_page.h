/* The COMMANDS section of the manual page from the table of commands. */
#ifndef PU_CLI_MAN_PAGE_H
#define PU_CLI_MAN_PAGE_H

#include "cli/cli.h"

/* Copies a page in mdoc and completes its section COMMANDS: each item there that names a
 * command gets its synopsis, and the flags that its text leaves out; commands that are not
 * in the page come behind those of their noun. PU_ENOMEM, PU_EINVAL: no such section. */
int pu_man_page(const char *source, FILE *out);

#endif
