#include "overlay/invite/word.h"

#include <stdlib.h>

enum { LETTERS_MAX = 2 * PU_WORD_MAX }; /* longer input is far from every word */

/* Nouns that most learners of English know, of three to seven letters, none like another: two
 * letters at least differ between any two, and none sounds like another one (no pear and pair). */
static const char *const words[PU_WORD_COUNT] = {
	"acorn", "almond", "alpaca", "amber", "anchor", "apple", "arrow", "atlas", "attic",
	"autumn", "badge", "bakery", "balcony", "bamboo", "banana", "banjo", "barn",
	"barrel", "basket", "beach", "beaver", "bicycle", "biscuit", "blanket", "blossom",
	"bonfire", "bottle", "bracket", "branch", "brick", "bridge", "bubble", "buffalo",
	"butter", "cabbage", "cabin", "cactus", "camel", "canoe", "canvas", "canyon",
	"carpet", "castle", "cement", "cherry", "chimney", "cinema", "circus", "clover",
	"cobweb", "coconut", "coffee", "comet", "compass", "concert", "cottage", "coyote",
	"cradle", "crayon", "cricket", "crystal", "cushion", "dancer", "desert", "diamond",
	"dinner", "doctor", "dolphin", "donkey", "dragon", "drawer", "drum", "eagle",
	"eclipse", "elbow", "emerald", "engine", "fabric", "factory", "falcon", "farmer",
	"feather", "fence", "ferry", "flute", "folder", "forest", "fossil", "fox", "galaxy",
	"garden", "garlic", "giraffe", "goblet", "granite", "grape", "guitar", "hammer",
	"hamster", "harbor", "harvest", "helmet", "hexagon", "honey", "horizon", "hotel",
	"iceberg", "igloo", "island", "ivory", "jacket", "jaguar", "jelly", "jigsaw",
	"jungle", "juniper", "kayak", "kettle", "kitchen", "kite", "koala", "ladder",
	"lagoon", "lantern", "lasso", "library", "lily", "lizard", "lobster", "lotus",
	"lunch", "magnet", "mango", "maple", "marble", "market", "meadow", "mermaid",
	"meteor", "mirror", "mitten", "moose", "mosaic", "muffin", "museum", "mustard",
	"napkin", "nectar", "needle", "noodle", "nugget", "nutmeg", "oasis", "ocean",
	"octopus", "olive", "onion", "opera", "orange", "orbit", "ostrich", "otter",
	"oxygen", "paddle", "palace", "panda", "panther", "papaya", "pasture", "peanut",
	"pebble", "pelican", "pencil", "penguin", "pepper", "piano", "pickle", "picnic",
	"pigeon", "pilot", "pioneer", "pirate", "planet", "plaza", "poppy", "potato",
	"prairie", "pretzel", "pumpkin", "pyramid", "quilt", "rabbit", "radio", "rainbow",
	"raven", "reef", "ribbon", "river", "robin", "ruby", "sailor", "salad", "salmon",
	"sandal", "satchel", "saturn", "scarf", "school", "scooter", "shelter", "shovel",
	"signal", "silver", "sketch", "sofa", "spider", "sponge", "spoon", "stadium",
	"statue", "summit", "sunset", "swan", "sweater", "tablet", "teapot", "temple",
	"tennis", "thistle", "thunder", "ticket", "tiger", "timber", "toast", "tornado",
	"trail", "trumpet", "tulip", "tunnel", "turtle", "tuxedo", "valley", "vanilla",
	"velvet", "village", "violin", "volcano", "voyage", "waffle", "wagon", "walrus",
	"window", "winter", "wombat", "zebra", "zipper",
};

const char *pu_word(uint8_t i)
{
	return words[i];
}

static int compare(const void *key, const void *word)
{
	return strcmp(key, *(const char *const *)word);
}

bool pu_word_known(const char *text)
{
	return bsearch(text, words, PU_WORD_COUNT, sizeof words[0], compare) != NULL;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* d[i][j]: from the first i letters of a to the first j of b. */
unsigned pu_word_distance(const char *a, const char *b)
{
	unsigned d[LETTERS_MAX + 1][LETTERS_MAX + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > LETTERS_MAX || m > LETTERS_MAX)
		return LETTERS_MAX + 1;
	for (size_t i = 0; i <= n; i++) {
		for (size_t j = 0; j <= m; j++) {
			if (i == 0 || j == 0) {
				d[i][j] = (unsigned)(i + j);
				continue;
			}
			d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1,
					d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[n][m];
}

const char *pu_word_nearest(const char *text)
{
	unsigned best = PU_WORD_SLIPS + 1;
	const char *found = NULL;

	for (size_t i = 0; i < PU_WORD_COUNT; i++) {
		unsigned d = pu_word_distance(text, words[i]);

		if (d < best) {
			best = d;
			found = words[i];
		}
	}
	return found;
}
