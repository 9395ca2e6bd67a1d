/* Edits of authorized_keys, each by one atomic rewrite that keeps all other lines byte for
 * byte; mode 0600. owner (may be NULL) applies to a file that did not exist; an
 * existing one keeps its owner. */
#ifndef PU_OVERLAY_MEMBER_EDIT_H
#define PU_OVERLAY_MEMBER_EDIT_H

#include "overlay/member.h"

enum {
	PU_MEMBER_COMMENT_MAX = 256, /* bytes that we write */
	PU_MEMBER_ATTR_MAX = 256,    /* of a key, of a value */
};

/* Appends a line, creating the file if needed. comment may be NULL; control
 * characters in it are dropped. PU_EEXIST when the peer is listed already. */
int pu_member_edit_add(const char *path, const struct pu_peerid *peer, enum pu_access access,
		       const char *comment, const struct pu_file_owner *owner);
/* Drops every line of the peer. PU_ENOENT when there is none. */
int pu_member_edit_remove(const char *path, const struct pu_peerid *peer);
/* Sets key=value on the lines of the peer, or removes the attribute when value is
 * "". PU_ENOENT: peer not listed; PU_EINVAL: key or value cannot stand there. */
int pu_member_edit_set_attr(const char *path, const struct pu_peerid *peer, const char *key,
			     const char *value);

#endif
