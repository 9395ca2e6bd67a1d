/* What the editors of authorized_keys share: a rewrite in memory, then one replacement. */
#ifndef PU_OVERLAY_MEMBER_EDIT_INTERNAL_H
#define PU_OVERLAY_MEMBER_EDIT_INTERNAL_H

#include "base/buf.h"
#include "overlay/member_batch.h"
#include "overlay/member_edit.h"
#include "overlay/member_line.h"

struct pu_member_edit {
	char *path; /* no symbolic link */
	int lock;
	char *text; /* content before, NULL when there was no file */
	size_t len;
	struct pu_file_owner owner;
	struct pu_buf out;
};

/* A line with some of its attributes set; everything else of it stays byte for byte. */
struct pu_member_rewrite {
	struct pu_bytes line;
	bool lf;
	struct pu_member_line l; /* the same line, parsed */
	const struct pu_member_set *v;
	size_t n;
	const char *comment; /* NULL: as it is; "": none */
};

/* pu_member_edit_close() in any case. */
int pu_member_edit_open(struct pu_member_edit *e, const char *path,
			const struct pu_file_owner *owner);
int pu_member_edit_commit(struct pu_member_edit *e);
void pu_member_edit_close(struct pu_member_edit *e);

/* Parts of the new text. */
int pu_member_edit_put_line(struct pu_member_edit *e, struct pu_bytes line, bool lf);
/* A new line. */
int pu_member_edit_put_new(struct pu_member_edit *e, const struct pu_peerid *peer,
			   const struct pu_member_set *v, size_t n, const char *comment);
int pu_member_edit_put_changed(struct pu_member_edit *e, const struct pu_member_rewrite *c);
bool pu_member_edit_set_ok(const struct pu_member_set *v);

#endif
