/* Several changes of authorized_keys by one atomic rewrite: all of them or none. */
#ifndef PU_OVERLAY_MEMBER_BATCH_H
#define PU_OVERLAY_MEMBER_BATCH_H

#include "overlay/member_edit.h"

enum { PU_MEMBER_SET_MAX = 6 }; /* attributes set per peer */

struct pu_member_change {
	struct pu_peerid peer;
	bool remove;         /* every line of the peer */
	const char *comment; /* of the line when the peer gets one; NULL: none */
	size_t n;
	struct pu_member_set set[PU_MEMBER_SET_MAX];
	bool listed;         /* out: it was there before */
};

/* Peers that are not listed get a line at the end, those to be removed excepted. Other
 * lines stay byte for byte. owner as in member_edit.h. PU_EINVAL: an attribute
 * cannot stand there; PU_ELIMIT: the file would be too long. */
int pu_member_batch(const char *path, struct pu_member_change *v, size_t n,
		    const struct pu_file_owner *owner);

#endif
