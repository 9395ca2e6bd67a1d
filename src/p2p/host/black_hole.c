#include "p2p/host/black_hole.h"

void pu_black_hole_reset(struct pu_black_hole *b)
{
	*b = (struct pu_black_hole){ 0 };
}

void pu_black_hole_note(struct pu_black_hole *b, bool ok)
{
	if (ok && pu_black_hole_is_blocked(b))
		pu_black_hole_reset(b);
	if (b->n == PU_BLACK_HOLE_WINDOW)
		b->n_ok -= b->ok[b->at];
	else
		b->n++;
	b->ok[b->at] = ok;
	b->n_ok += ok;
	b->at = (b->at + 1) % PU_BLACK_HOLE_WINDOW;
}

bool pu_black_hole_is_blocked(const struct pu_black_hole *b)
{
	return b->n == PU_BLACK_HOLE_WINDOW && b->n_ok < PU_BLACK_HOLE_ENOUGH;
}

bool pu_black_hole_allows(struct pu_black_hole *b)
{
	return !pu_black_hole_is_blocked(b) || ++b->asked % PU_BLACK_HOLE_EVERY == 0;
}
