/* Which numbers are taken, by whom and until when. Numbers stay short: a new one is drawn
 * from the smallest that are free. What was released rests for a while, so that a code that
 * is still going around does not lead to somebody else; its owner may have it back. */
#ifndef PU_OVERLAY_INVITE_NAMEPLATE_NUMBERS_H
#define PU_OVERLAY_INVITE_NAMEPLATE_NUMBERS_H

#include "base/loop.h"
#include "crypto/peerid.h"
#include "overlay/invite/nameplate.h"

enum {
	PU_NAMEPLATE_REST_S = 60,
	PU_NAMEPLATE_RESTING_MAX = 256,
	PU_NAMEPLATE_CHOICE = 8, /* free numbers that a new one is drawn from */
};

struct pu_nameplate_number {
	unsigned number; /* 0: the place is free */
	struct pu_peerid owner;
	pu_time until;
	unsigned n_vouched;
	void *holder;    /* the keeper's affair */
};

struct pu_nameplate_resting {
	unsigned number;
	struct pu_peerid owner;
	pu_time until;
};

struct pu_nameplate_numbers {
	struct pu_loop *loop;
	struct pu_nameplate_number live[PU_NAMEPLATE_MAX];
	size_t n;
	struct pu_nameplate_resting resting[PU_NAMEPLATE_RESTING_MAX];
};

void pu_nameplate_numbers_init(struct pu_nameplate_numbers *t, struct pu_loop *loop);
/* A number for that peer, the wanted one if it can be had. PU_ELIMIT: too many, of that peer
 * or of all. */
int pu_nameplate_numbers_take(struct pu_nameplate_numbers *t, const struct pu_peerid *owner,
			      unsigned wanted, pu_time until, struct pu_nameplate_number **pp);
void pu_nameplate_numbers_release(struct pu_nameplate_numbers *t, struct pu_nameplate_number *p);
/* NULL when nobody has it. */
struct pu_nameplate_number *pu_nameplate_numbers_find(struct pu_nameplate_numbers *t,
						      unsigned number);
unsigned pu_nameplate_numbers_of(const struct pu_nameplate_numbers *t,
				 const struct pu_peerid *owner);
/* The one whose time is up first; NULL when there is none. */
struct pu_nameplate_number *pu_nameplate_numbers_first(struct pu_nameplate_numbers *t);

#endif
