/* Finds out which of our addresses the world can reach, one question at a time. */
#ifndef PU_P2P_AUTONAT_CLIENT_H
#define PU_P2P_AUTONAT_CLIENT_H

#include "p2p/autonat/candidates.h"

enum {
	PU_AUTONAT_SERVER_EVERY_S = 6,  /* a server allows 12 a minute */
	PU_AUTONAT_BUSY_S = 2 * 60,     /* after it said that this was too much */
	PU_AUTONAT_LIES_S = 60 * 60,    /* after it told a lie */
	PU_AUTONAT_SERVERS_KNOWN = 16,  /* for how many that is remembered */
	PU_AUTONAT_BACKS_MAX = 4,       /* dial-backs being read at once */
};

struct pu_autonat_client;

/* on_verdict: as in pu_autonat_options, never from inside a call into this. Counts into
 * stats, which outlives the client. PU_ENOMEM. */
int pu_autonat_client_new(struct pu_host *h, const struct pu_autonat_options *opt,
			  struct pu_autonat_stats *stats, struct pu_autonat_client **pc);
void pu_autonat_client_free(struct pu_autonat_client *c);
void pu_autonat_client_restart(struct pu_autonat_client *c);
const struct pu_autonat_candidates *pu_autonat_client_candidates(
	const struct pu_autonat_client *c);

#endif
