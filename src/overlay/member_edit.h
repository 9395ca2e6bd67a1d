/* Edits of authorized_keys, each by one atomic rewrite that keeps everything it is not about
 * byte for byte; mode 0600. Edits of several processes follow each other (base/filelock.h), none
 * is lost. A symbolic link stays, its target is rewritten. owner (may be NULL) applies to a
 * file that did not exist; an existing one keeps its owner. All: PU_ETIMEDOUT when others hold
 * the file for PU_MEMBER_EDIT_WAIT_MS. */
#ifndef PU_OVERLAY_MEMBER_EDIT_H
#define PU_OVERLAY_MEMBER_EDIT_H

#include "overlay/member.h"

enum {
	PU_MEMBER_COMMENT_MAX = 256, /* bytes that we write */
	PU_MEMBER_ATTR_MAX = 256,    /* of a key, of a value */
	PU_MEMBER_EDIT_WAIT_MS = 3000,
};

/* key=value; value "": the attribute shall not be there. */
struct pu_member_set {
	const char *key, *value;
};

/* Appends a line, creating the file if needed. comment may be NULL; control
 * characters in it are dropped. PU_EEXIST when the peer is listed already. */
int pu_member_edit_add(const char *path, const struct pu_peerid *peer, enum pu_access access,
		       const char *comment, const struct pu_file_owner *owner);
/* The same with any attributes. PU_EINVAL: a key or value cannot stand there. */
int pu_member_edit_add_with(const char *path, const struct pu_peerid *peer,
			    const struct pu_member_set *v, size_t n, const char *comment,
			    const struct pu_file_owner *owner);
/* Drops every line of the peer. PU_ENOENT when there is none. */
int pu_member_edit_remove(const char *path, const struct pu_peerid *peer);
/* Changes the lines of the peer. comment NULL leaves theirs, "" removes it.
 * PU_ENOENT: peer not listed; PU_EINVAL: a key or value cannot stand there. */
int pu_member_edit_set(const char *path, const struct pu_peerid *peer,
		       const struct pu_member_set *v, size_t n, const char *comment);
/* pu_member_edit_set() of one attribute. */
int pu_member_edit_set_attr(const char *path, const struct pu_peerid *peer, const char *key,
			     const char *value);

#endif
