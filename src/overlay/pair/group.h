/* The relay's groups and their codes: made by its operator, each code good for one peer once.
 * Only hashes of codes are kept. In memory: codes do not survive a restart, members do
 * (they are in authorized_keys with group= and expires=).
 *
 * Wrong codes are not counted against a group: 128 random bits are not guessed, and a count
 * would let any stranger close somebody else's group. The pair server limits those who guess
 * instead, see guesses.h. */
#ifndef PU_OVERLAY_PAIR_GROUP_H
#define PU_OVERLAY_PAIR_GROUP_H

#include "base/buf.h"
#include "base/list.h"
#include "base/loop.h"
#include "crypto/peerid.h"

enum {
	PU_GROUPS_MAX = 64,
	PU_GROUP_CODES_MAX = 100,
	PU_GROUP_ID_LEN = 8,     /* of those we make */
	PU_GROUP_ID_MAX = 64,    /* of those we accept */
	PU_GROUP_NAME_MAX = 64,  /* bytes of a peer's name */
	PU_GROUP_NETWORK_MAX = 63,
	PU_GROUP_TTL_MAX_S = 366 * 24 * 3600,
	PU_GROUP_TOKEN_LEN = 16,
	PU_GROUP_PROOF_LEN = 32,
};
/* Seconds that members of a group can stay members, unless it is for ever. */
#define PU_GROUP_MEMBER_TTL_MAX_S (100ll * 366 * 24 * 3600)

/* Is that an ID, as we accept it? 1 to PU_GROUP_ID_MAX of a-z and 0-9. */
bool pu_group_id_ok(struct pu_bytes id);

struct pu_group_slot {
	uint8_t hash[32]; /* SHA-256 of the token */
	uint8_t proof[PU_GROUP_PROOF_LEN]; /* for peer-notify */
	bool used;
	struct pu_peerid peer;
	char name[PU_GROUP_NAME_MAX + 1];
	int64_t used_at;
};

struct pu_group {
	struct pu_list node;
	char id[PU_GROUP_ID_MAX + 1];
	char network[PU_GROUP_NETWORK_MAX + 1];
	int64_t created, expires; /* Unix seconds */
	int64_t member_ttl;       /* seconds that its members stay members; 0: for ever */
	unsigned n, n_used;
	struct pu_group_slot slot[];
};

struct pu_groups;

int pu_groups_new(struct pu_loop *loop, struct pu_groups **pg);
void pu_groups_free(struct pu_groups *g);
/* tokens: n × 16 random bytes, the caller wipes them. network: "" or a DNS label. PU_ELIMIT: too
 * many groups, codes or seconds; PU_ENOMEM, PU_EINVAL. */
int pu_groups_add(struct pu_groups *g, unsigned n, int64_t ttl, int64_t member_ttl,
		  const char *network, const uint8_t *tokens, struct pu_group **pgroup);
/* PU_ENOENT. Members stay. */
int pu_groups_remove(struct pu_groups *g, const char *id);
/* The slot of a good code, taken for the peer; *pslot and *pgroup set. *pagain: it was this
 * peer's already, who may not have heard of its success and asks once more; nothing has
 * changed. PU_EDENIED whatever is wrong with the code, in the same time. name: bytes as they
 * came. */
int pu_groups_redeem(struct pu_groups *g, const uint8_t token[PU_GROUP_TOKEN_LEN],
		     const struct pu_peerid *peer, const char *name, struct pu_group **pgroup,
		     struct pu_group_slot **pslot, bool *pagain);
/* The peer could not be stored: the code may be used again. */
void pu_groups_return(struct pu_groups *g, struct pu_group *group, struct pu_group_slot *slot);
/* Is there a code that could still be used? Strangers are let in only then. */
bool pu_groups_open(const struct pu_groups *g);
/* Called when pu_groups_open() changes, from inside the calls above too. */
void pu_groups_on_open(struct pu_groups *g, void (*fn)(void *arg, bool open), void *arg);
struct pu_group *pu_groups_find(const struct pu_groups *g, const char *id);
/* In order of creation, expired ones too until they are swept. */
void pu_groups_each(const struct pu_groups *g, void (*fn)(void *arg, const struct pu_group *g),
		    void *arg);

#endif
