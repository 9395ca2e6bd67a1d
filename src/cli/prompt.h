/* A question on the terminal. */
#ifndef PU_CLI_PROMPT_H
#define PU_CLI_PROMPT_H

#include "base/bytes.h"

/* Prints the question on stdout and reads one line, trimmed; false at the end of input. */
bool pu_prompt(const char *question, char *line, size_t cap);
/* Like pu_prompt(); true for y and yes, whatever their case. */
bool pu_prompt_yes(const char *question);

#endif
