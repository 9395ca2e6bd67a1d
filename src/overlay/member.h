/* Who belongs: the authorized_keys file.
 *
 *   file    = *( line LF )
 *   line    = blank | "#" … | peer-id *( WS attr ) [ WS "#" comment ]
 *   attr    = key "=" value
 *
 * access=services|network|none and expires=<RFC 3339> have an effect; every other
 * attribute is kept for others. Reading never fails because of one bad line: that
 * line grants nothing, and a warning tells its number. */
#ifndef PU_OVERLAY_MEMBER_H
#define PU_OVERLAY_MEMBER_H

#include "base/file.h"
#include "crypto/peerid.h"

enum {
	PU_MEMBER_FILE_MAX = 4 * 1024 * 1024, /* bytes */
	PU_MEMBER_LINE_MAX = 64 * 1024,
	PU_MEMBER_MAX = 16384,     /* peers in one file */
};

#define PU_MEMBER_NO_EXPIRY INT64_MAX

enum pu_access {
	PU_ACCESS_SERVICES, /* named services and echo */
	PU_ACCESS_NETWORK,  /* raw packets too */
};

/* One authorised peer; strings belong to the set and are "" when absent. */
struct pu_member {
	struct pu_peerid peer;
	enum pu_access access;
	bool barred;     /* access=none: listed for its group, and let in to nothing */
	int64_t expires; /* Unix seconds, PU_MEMBER_NO_EXPIRY */
	const char *comment, *verified, *group;
	unsigned line; /* from 1 */
};

/* A set of members, immutable once made: reloading makes a new one. */
struct pu_members;

typedef void pu_member_warn_fn(void *arg, unsigned line, const char *text);

/* key: 16 random bytes for the hash table. warn may be NULL. PU_ELIMIT: too many
 * members; PU_ENOMEM. */
int pu_member_parse(struct pu_bytes text, const uint8_t key[16], pu_member_warn_fn *warn,
		    void *warn_arg, struct pu_members **pset);
/* Reads path; a missing file is an empty set. Errors of pu_file_read() and above. */
int pu_member_load(const char *path, const uint8_t key[16], pu_member_warn_fn *warn,
		   void *warn_arg, struct pu_members **pset);
void pu_member_free(struct pu_members *set);

/* NULL when the peer is not in the set, expired or not. */
const struct pu_member *pu_member_find(const struct pu_members *set,
				       const struct pu_peerid *peer);
/* False for NULL, for who is barred, and from the moment of expiry on. now: Unix seconds. */
bool pu_member_valid(const struct pu_member *m, int64_t now);
/* What the peer may do now; false when it is nobody. */
bool pu_member_allowed(const struct pu_members *set, const struct pu_peerid *peer, int64_t now,
		       enum pu_access *paccess);
/* In file order: i < pu_member_count(). */
size_t pu_member_count(const struct pu_members *set);
const struct pu_member *pu_member_at(const struct pu_members *set, size_t i);

const char *pu_access_text(enum pu_access access); /* "services", "network" */
const char *pu_member_access_text(const struct pu_member *m); /* or "none" */
int pu_access_parse(const char *text, enum pu_access *paccess); /* PU_EINVAL */

#endif
