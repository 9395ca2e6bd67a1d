/* One line of authorized_keys, cut into its parts. Shared by the reader and the
 * editor of the file so that both always agree on what a line says. */
#ifndef PU_OVERLAY_MEMBER_LINE_H
#define PU_OVERLAY_MEMBER_LINE_H

#include "overlay/member.h"

/* Spans borrow from the line. */
struct pu_member_line {
	struct pu_peerid peer;
	struct pu_bytes fields;  /* from the peer ID to the comment, trimmed */
	struct pu_bytes comment; /* without '#', trimmed; empty when there is none */
};

struct pu_member_attr {
	struct pu_bytes key, value;
};

/* line: without its line feed. PU_ENOENT: blank or comment only; PU_E2BIG;
 * PU_EINVAL: the first field is not a peer ID. */
int pu_member_line_parse(struct pu_bytes line, struct pu_member_line *out);
/* Iterates over key=value fields: *poff starts at 0; false at the end. Fields
 * without '=' are skipped. */
bool pu_member_line_next(const struct pu_member_line *l, size_t *poff,
			 struct pu_member_attr *attr);

/* What separates fields. */
bool pu_member_line_blank(uint8_t c);

/* Cuts the next line off *rest; false at the end. *plf: it ended in a line feed. */
bool pu_member_next_line(struct pu_bytes *rest, struct pu_bytes *line, bool *plf);

#endif
