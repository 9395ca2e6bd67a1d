/* The relay's memory of who has been introduced to whom.
 *
 * A member of a group is told of the others once: of those who came before it in the answer to
 * its code, of the others by peer-notify when they come, or when it connects. A recipient of
 * whom nothing is remembered, because the relay was restarted since, is told of one peer per
 * message: peer-up's receiver takes a message when known + named < size of the group, where it
 * counts as named also what it knows, so that a list of several is refused as soon as it knows
 * one of them, and a single unknown peer never is. docs/protocols/pairing.md has the whole
 * reasoning. */
#ifndef PU_OVERLAY_PAIR_INTRODUCER_H
#define PU_OVERLAY_PAIR_INTRODUCER_H

#include "overlay/member.h"
#include "overlay/pair/notify.h"

enum { PU_INTRODUCER_PAUSE_S = 30 /* between two attempts because somebody connects */ };

/* A comment in the members file that begins like that is no name. */
#define PU_INTRODUCER_NAMELESS "paired-"

struct pu_introducer;

struct pu_introducer_options {
	struct pu_host *host;
	const struct pu_groups *groups; /* for proofs; outlives it */
	/* The members as they are now. */
	const struct pu_members *(*members)(void *arg);
	void *arg;
};

int pu_introducer_new(const struct pu_introducer_options *opt, struct pu_introducer **pi);
void pu_introducer_free(struct pu_introducer *i);
/* The peer is a member of the group from now on and has heard of those in its answer. Those who
 * are connected hear of it. */
void pu_introducer_paired(struct pu_introducer *i, const struct pu_group *g,
			  const struct pu_peerid *peer);

#endif
