/* Dials back for others. What a peer can make us do is bounded: one connection per
 * request, to an IP address that is not ours and, unless it is the peer's own, only after
 * the peer has sent more bytes than the dial can cost whoever lives there. */
#ifndef PU_P2P_AUTONAT_SERVER_H
#define PU_P2P_AUTONAT_SERVER_H

#include "p2p/autonat/autonat.h"

enum {
	PU_AUTONAT_PER_MINUTE = 60,
	PU_AUTONAT_PER_MINUTE_PEER = 12,
	PU_AUTONAT_PER_MINUTE_DATA = 12, /* of them with dial data */
	PU_AUTONAT_SERVED_MAX = 16,      /* at once */
	PU_AUTONAT_SERVED_PEER_MAX = 2,
	PU_AUTONAT_REQUEST_TIMEOUT_S = 15, /* from the stream to our answer */
	PU_AUTONAT_WAIT_MAX_MS = 3000, /* at random between dial data and dial, so that many
					* servers do not dial one victim at once */
};

struct pu_autonat_server;

/* Counts into stats, which outlives the server. PU_ENOMEM. */
int pu_autonat_server_new(struct pu_host *h, bool private_addrs, struct pu_autonat_stats *stats,
			  struct pu_autonat_server **ps);
void pu_autonat_server_free(struct pu_autonat_server *s);

#endif
