/* JSON as the Go program writes it, byte for byte: order of insertion, no spaces, the
 * shortest digits that read back the same, and no character that HTML could mistake. */
#ifndef PU_DAEMON_JSON_LINE_H
#define PU_DAEMON_JSON_LINE_H

#include <jansson.h>
#include <stdbool.h>

/* One line with a line feed at its end (lf) or without, malloc()ed; *plen may be NULL.
 * NULL: v is NULL or memory is out. */
char *pu_json_line(const json_t *v, bool lf, size_t *plen);

#endif
