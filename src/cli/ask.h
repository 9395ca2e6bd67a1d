/* A question on the terminal. */
#ifndef PU_CLI_ASK_H
#define PU_CLI_ASK_H

#include "base/bytes.h"

/* Prints prompt on stdout and reads one line, trimmed; false at the end of input. */
bool pu_ask(const char *prompt, char *line, size_t cap);
/* Like pu_ask(); true for y and yes, whatever their case. */
bool pu_ask_yes(const char *prompt);

#endif
