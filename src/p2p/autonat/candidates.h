/* The addresses of ours that may be reachable, and what servers said about them. */
#ifndef PU_P2P_AUTONAT_CANDIDATES_H
#define PU_P2P_AUTONAT_CANDIDATES_H

#include "p2p/autonat/ask.h"

enum {
	PU_AUTONAT_CANDIDATES_MAX = 16,
	PU_AUTONAT_OBSERVED_MAX = 4, /* of them, those that only others see */
	PU_AUTONAT_VOTES_MAX = 4,
	PU_AUTONAT_ROUND_MAX = 3, /* servers that are asked each time */
	PU_AUTONAT_FIRST_MS = 1000,
	PU_AUTONAT_UNSURE_S = 5 * 60, /* until the next time, when not settled */
	PU_AUTONAT_SETTLED_S = 60 * 60, /* at most; in between it doubles */
	PU_AUTONAT_VOTE_TTL_S = 3 * 60 * 60,
};

/* What one server said last that counts. */
struct pu_autonat_vote {
	struct pu_peerid server;
	enum pu_autonat_outcome said;
	pu_time at;
	pu_time asked_at; /* later, when it had nothing new to say */
};

struct pu_autonat_candidate {
	struct pu_autonat_verdict v;
	bool observed_only; /* not an address that the host had by itself when it came */
	bool present;       /* used while the list is renewed */
	struct pu_autonat_vote votes[PU_AUTONAT_VOTES_MAX];
	size_t n_votes;
	pu_time round_at; /* when the questions of this round began */
	pu_time next_at;  /* not before: a server may come that this round has not asked */
	pu_time due_at;   /* of the next round */
	pu_time interval;
	unsigned asked;   /* servers in this round */
	bool data;        /* one of them wanted dial data, most likely */
};

struct pu_autonat_candidates {
	struct pu_host *h;
	bool private_addrs;
	struct pu_autonat_candidate c[PU_AUTONAT_CANDIDATES_MAX];
	size_t n;
};

void pu_autonat_candidates_init(struct pu_autonat_candidates *cs, struct pu_host *h,
				bool private_addrs);
/* Looks at the host's addresses: new ones come, those that are gone go. */
void pu_autonat_candidates_renew(struct pu_autonat_candidates *cs);
/* Everything is to be asked again; the verdicts stand until there are votes. */
void pu_autonat_candidates_restart(struct pu_autonat_candidates *cs, pu_time at);

/* A server came: it is asked soon about what few have judged so far. */
void pu_autonat_candidates_new_server(struct pu_autonat_candidates *cs, pu_time at);

/* The next question about it is about to be asked: perhaps a new round begins. */
void pu_autonat_candidate_begin(struct pu_autonat_candidate *c, pu_time now);
/* Has that server been asked in this round, or said that it does not dial such? */
bool pu_autonat_candidate_heard_of(const struct pu_autonat_candidate *c,
				   const struct pu_peerid *server);
/* Notes what a server said; true when the verdict is another one now. */
bool pu_autonat_candidate_vote(struct pu_autonat_candidate *c, const struct pu_peerid *server,
			       enum pu_autonat_outcome o, pu_time now);
/* Nobody is left to be asked in this round: plans the next one. True when the verdict
 * is another one now. */
bool pu_autonat_candidate_end_round(struct pu_autonat_candidate *c, pu_time now);

#endif
