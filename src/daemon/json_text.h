/* Texts of uncertain origin as JSON strings. */
#ifndef PU_DAEMON_JSON_TEXT_H
#define PU_DAEMON_JSON_TEXT_H

#include <jansson.h>

/* JSON string of a text that may come from a peer, a file name or a command line, or
 * be cut short: when it is not UTF-8, bytes beyond ASCII become question marks. NULL
 * when memory is out. */
json_t *pu_json_text(const char *s);

#endif
