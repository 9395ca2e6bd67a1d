/* A rewrite of authorized_keys: read under its lock, made anew in memory, replaced at once.
 * What the editors (member_edit.h, member_batch.h) share. */
#ifndef PU_OVERLAY_MEMBER_REWRITE_H
#define PU_OVERLAY_MEMBER_REWRITE_H

#include "base/buf.h"
#include "overlay/member_edit.h"
#include "overlay/member_line.h"

struct pu_member_rewrite {
	char *path; /* no symbolic link */
	int lock;
	char *text; /* content before, NULL when there was no file */
	size_t len;
	struct pu_file_owner owner;
	struct pu_buf out;
};

/* pu_member_rewrite_close() in any case. */
int pu_member_rewrite_open(struct pu_member_rewrite *e, const char *path,
			   const struct pu_file_owner *owner);
/* r: result of the edit so far. Nothing is written when it failed. Returns r, or why the file
 * could not be replaced. */
int pu_member_rewrite_close(struct pu_member_rewrite *e, int r);

/* Parts of the new text. */
int pu_member_rewrite_put(struct pu_member_rewrite *e, const char *s);
int pu_member_rewrite_put_line(struct pu_member_rewrite *e, struct pu_bytes line, bool lf);
int pu_member_rewrite_put_comment(struct pu_member_rewrite *e, const char *comment);
/* Nothing when the value is "". */
int pu_member_rewrite_put_attr(struct pu_member_rewrite *e, const struct pu_member_setting *s);

struct pu_member_line_change {
	const struct pu_member_setting *v;
	size_t n;
	const char *comment; /* NULL: as it was */
	struct pu_bytes line;
	struct pu_member_line l; /* of line */
};
int pu_member_rewrite_put_changed(struct pu_member_rewrite *e,
				  const struct pu_member_line_change *c, bool lf);

bool pu_member_rewrite_settings_ok(const struct pu_member_setting *v, size_t n);

#endif
