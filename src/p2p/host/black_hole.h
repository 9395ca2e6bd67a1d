/* Networks that swallow a whole kind of packets (UDP at the company, IPv6 at the hotel):
 * after a hundred attempts of which fewer than five got anywhere, the kind is tried only
 * now and then until one gets through. */
#ifndef PU_P2P_HOST_BLACK_HOLE_H
#define PU_P2P_HOST_BLACK_HOLE_H

#include "base/bytes.h"

enum {
	PU_BLACK_HOLE_WINDOW = 100, /* attempts that are remembered */
	PU_BLACK_HOLE_ENOUGH = 5,   /* successes among them */
	PU_BLACK_HOLE_EVERY = 20,   /* while blocked: one in so many is let through */
};

struct pu_black_hole {
	bool ok[PU_BLACK_HOLE_WINDOW];
	unsigned at, n, n_ok;
	unsigned asked; /* while blocked */
};

/* Everything is forgotten: another network. */
void pu_black_hole_reset(struct pu_black_hole *b);
/* An attempt ended; ok: something came back, be it a refusal. */
void pu_black_hole_note(struct pu_black_hole *b, bool ok);
bool pu_black_hole_is_blocked(const struct pu_black_hole *b);
/* Asked before every dial with addresses of the kind: may they be tried? */
bool pu_black_hole_allows(struct pu_black_hole *b);

#endif
