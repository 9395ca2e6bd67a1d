/* How many wrong codes somebody may still try. A token of 128 bits is safe without; this keeps
 * those who try anyway from being a burden. Counted per connection and per address (IPv4, the
 * /64 of IPv6), never per group: nobody can use up what others need. */
#ifndef PU_OVERLAY_PAIR_GUESSES_H
#define PU_OVERLAY_PAIR_GUESSES_H

#include "p2p/stack/conn.h"

enum {
	PU_GUESSES_PER_CONN = 3,
	PU_GUESSES_PER_ADDRESS = 30, /* at once, and … */
	PU_GUESSES_REFILL_S = 20,    /* … one more after every so many seconds */
	PU_GUESSES_KNOWN_MAX = 256,  /* who is remembered; the longest silent is forgotten */
};

struct pu_guesses;

int pu_guesses_new(struct pu_guesses **pg);
void pu_guesses_free(struct pu_guesses *g);
/* May a code that comes on c be looked at? */
bool pu_guesses_allowed(struct pu_guesses *g, const struct pu_conn *c, pu_time now);
/* It was wrong. */
void pu_guesses_wrong(struct pu_guesses *g, const struct pu_conn *c, pu_time now);

#endif
