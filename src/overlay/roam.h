/* Connections of a machine that moves, or whose peers do, or that slept.
 *
 * When this machine's addresses or routes change, every connection whose packets would
 * leave from another address now is brought along: QUIC connections that we dialled
 * migrate, streams and all (pu_conn_migrate). Where that is not possible or shows no
 * success, the peer is dialled anew, and the old connection is closed only when the new
 * one is there. Nothing here touches the device: packets find the new connection by
 * themselves (overlay/session.h).
 *
 * QUIC gives a server no way to move. When ours is the server's side, the fresh dial tells
 * the peer where we are now; its own roaming then takes the old connection there
 * (pu_conn_follow), if that does not answer any more. So both sides of a connection may
 * change their address, and its streams live on. */
#ifndef PU_OVERLAY_ROAM_H
#define PU_OVERLAY_ROAM_H

#include "p2p/host/host.h"

enum {
	PU_ROAM_PROVE_MS = 2000,   /* for the new path of a migration */
	PU_ROAM_ANSWER_MS = 1500,  /* for a sign of life after a sleep */
	PU_ROAM_FOLLOW_MS = 300,   /* silence of an old connection beside a new one, and
				    * three round trips */
	PU_ROAM_LEAVE_MS = 10000,  /* for the peer to follow, before the old one is closed */
	PU_ROAM_RETRY_MS = 1000,   /* between fresh dials; doubled every time */
	PU_ROAM_TRIES = 5,
};

struct pu_roam;

struct pu_roam_stats {
	uint64_t migrated, followed; /* connections that live on, on a proved path */
	uint64_t renewed;            /* replaced by a fresh connection */
	uint64_t given_up;           /* closed for want of a way to them */
};

/* PU_ENOMEM. The host's connections of now are not looked after: make it first. */
int pu_roam_new(struct pu_host *h, struct pu_net *net, struct pu_roam **pr);
void pu_roam_free(struct pu_roam *r);
/* The machine's addresses or routes changed; ips: what it has now. */
void pu_roam_network_changed(struct pu_roam *r, const struct pu_multiaddr *ips, size_t n);
/* This process did not run for a while: who does not answer soon is dialled anew. */
void pu_roam_resumed(struct pu_roam *r);
void pu_roam_stats(const struct pu_roam *r, struct pu_roam_stats *out);

#endif
