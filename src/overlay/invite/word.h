/* The words of which passwords in codes are made. Their order is fixed for ever: it is how a
 * random byte becomes a word; strangers to this list (an older version) could not read a newer
 * one's codes. */
#ifndef PU_OVERLAY_INVITE_WORD_H
#define PU_OVERLAY_INVITE_WORD_H

#include "base/bytes.h"

enum {
	PU_WORD_COUNT = 256, /* sorted */
	PU_WORD_MAX = 7,     /* letters a-z */
	PU_WORD_SLIPS = 2,   /* slips after which a word is still recognised */
};

const char *pu_word(uint8_t i);
/* text in lower case. */
bool pu_word_known(const char *text);
/* The word that was probably meant. NULL: none is that near. */
const char *pu_word_nearest(const char *text);
/* Slips (a letter added, dropped or replaced, two neighbours swapped) that make one of the
 * other. */
unsigned pu_word_distance(const char *a, const char *b);

#endif
