/* Inviter and joiner of overlay/invite/handshake.h in one process, with a wire between them
 * that tests can listen to, cut and alter. */
#ifndef PU_TESTS_SUPPORT_HANDSHAKE_PAIR_H
#define PU_TESTS_SUPPORT_HANDSHAKE_PAIR_H

#include "overlay/invite/handshake.h"

enum {
	PU_HANDSHAKE_PAIR_LOG = 16,       /* messages of one conversation */
	PU_HANDSHAKE_PAIR_BYTES = 8192,
};

enum pu_handshake_event { PU_ON_NONE, PU_ON_SEND, PU_ON_GUESS, PU_ON_PROVEN, PU_ON_DONE, PU_ON_FAILED };

struct pu_handshake_pair;

struct pu_handshake_side {
	struct pu_handshake_pair *pair;
	struct pu_handshake *h; /* NULL: freed, by itself or by free_on */
	/* What the test wants. */
	struct pu_code code;
	struct pu_peerid self, peer;
	struct pu_introduction us;
	bool no_guess;              /* on_guess says no */
	bool hold;                  /* on_proven neither accepts nor refuses */
	const char *refuse;         /* on_proven refuses */
	enum pu_handshake_event free_on;
	const uint8_t *random;      /* to be used instead of the pair's */
	/* What happened. */
	unsigned guesses, proven, done, failed;
	int err;
	char text[PU_HANDSHAKE_REFUSAL_MAX + 1];
	struct pu_introduction them;
	size_t sent; /* bytes */
};

struct pu_handshake_message {
	bool from_inviter, eof;
	size_t len;
	uint8_t b[PU_HANDSHAKE_PAIR_BYTES];
};

struct pu_handshake_pair {
	enum pu_code_version version;
	struct pu_handshake_side inviter, joiner;
	uint8_t seed;    /* of the randomness */
	uint32_t drawn;
	/* Called before a message is delivered; may alter it. False: it is lost, and so is all
	 * that comes after it: both sides see an end. */
	bool (*tap)(void *arg, size_t i, struct pu_handshake_message *m);
	void *arg;
	size_t chunk;    /* bytes per delivery; 0: a message at once */
	struct pu_handshake_message log[PU_HANDSHAKE_PAIR_LOG];
	size_t n_log, next; /* sent, delivered */
};

/* Two sides that would agree; the test changes what it likes and calls _run(). */
void pu_handshake_pair_init(struct pu_handshake_pair *p, enum pu_code_version version);
/* Makes both sides, starts the joiner and delivers until nothing is under way; then both
 * see the end of the other if they are still there. */
void pu_handshake_pair_run(struct pu_handshake_pair *p);
/* The parts of it. */
void pu_handshake_pair_start(struct pu_handshake_pair *p);
void pu_handshake_pair_deliver(struct pu_handshake_pair *p);
void pu_handshake_pair_end(struct pu_handshake_pair *p);
void pu_handshake_pair_deinit(struct pu_handshake_pair *p);

#endif
