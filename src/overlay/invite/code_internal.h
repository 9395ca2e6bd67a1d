/* What the files of code.h share. */
#ifndef PU_OVERLAY_INVITE_CODE_INTERNAL_H
#define PU_OVERLAY_INVITE_CODE_INTERNAL_H

#include "overlay/invite/code.h"

enum { PU_CODE_WHY_MAX = 160 };

/* Says what is wrong, if somebody wants to know; returns PU_EINVAL. */
int pu_code_wrong(char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Versions 1 and 2: bytes in base32. text is trimmed and not empty; *code is zero. */
int pu_code_parse_bytes(const char *text, struct pu_code *code, char *why);
int pu_code_format_bytes(const struct pu_code *code, char *out);

/* Version 3. */
int pu_code_parse_words(const char *text, struct pu_code *code, char *why);
int pu_code_format_words(const struct pu_code *code, char *out);
/* Fills in host and port; text is what is in front of the slash. */
int pu_code_parse_host(const char *text, struct pu_code *code, char *why);

#endif
