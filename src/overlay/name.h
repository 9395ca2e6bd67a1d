/* Names of peers: what people type ("home"), what DNS serves ("home.p2p"), and the
 * way back from a peer ID to a name. */
#ifndef PU_OVERLAY_NAME_H
#define PU_OVERLAY_NAME_H

#include "crypto/peerid.h"

enum {
	PU_NAME_MAX = 255,  /* bytes of a name */
	PU_NAME_LABEL_MAX = 63, /* of a name that DNS serves */
};

struct pu_names;

/* key: 16 random bytes. PU_ENOMEM. */
int pu_name_new(const uint8_t key[16], struct pu_names **pn);
void pu_name_free(struct pu_names *n);
/* PU_EEXIST: the very same name is there; PU_EINVAL: empty or too long; PU_ENOMEM. */
int pu_name_add(struct pu_names *n, const char *name, const struct pu_peerid *peer);
size_t pu_name_count(const struct pu_names *n);
/* In the order added: i < pu_name_count(). */
const char *pu_name_at(const struct pu_names *n, size_t i, struct pu_peerid *peer);

/* The peer with exactly that name; PU_ENOENT. */
int pu_name_find(const struct pu_names *n, const char *name, struct pu_peerid *peer);
/* The peer whose name is that DNS label, whatever the case of letters. Of several
 * ("Home", "home") the first added. PU_ENOENT. */
int pu_name_find_label(const struct pu_names *n, const char *label, struct pu_peerid *peer);
/* A name of the peer, one that DNS serves if there is one; NULL when it has none. */
const char *pu_name_of(const struct pu_names *n, const struct pu_peerid *peer);
/* The same, but only names that DNS serves. */
const char *pu_name_label_of(const struct pu_names *n, const struct pu_peerid *peer);

/* 1 to 63 letters, digits or '-', no '-' at the ends: DNS can serve it. */
bool pu_name_is_label(const char *name);

enum pu_name_source {
	PU_NAME_FROM_LIST, /* "local_config" */
	PU_NAME_FROM_ID,   /* "peer_id" */
};

/* What a user typed → peer: exactly a name, else a peer ID, else a name followed by
 * ".suffix" with or without a final dot (suffix may be NULL). PU_ENOENT. */
int pu_name_resolve(const struct pu_names *n, const char *suffix, const char *text,
		    struct pu_peerid *peer, enum pu_name_source *psource);
const char *pu_name_source_text(enum pu_name_source source);

#endif
