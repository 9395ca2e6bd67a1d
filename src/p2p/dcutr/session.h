/* The way of one peer from a relayed to a direct connection, in up to three tries. */
#ifndef PU_P2P_DCUTR_SESSION_H
#define PU_P2P_DCUTR_SESSION_H

#include "p2p/dcutr/dcutr.h"

enum {
	PU_DCUTR_TRIES_MAX = 3,
	/* For the plain dial before the first try: some round trips, within bounds. */
	PU_DCUTR_DIAL_RTTS = 5,
	PU_DCUTR_DIAL_MIN_MS = 300,
	PU_DCUTR_DIAL_MAX_MS = 1500,
	PU_DCUTR_WINDOW_S = 5,       /* of one punch */
	PU_DCUTR_NEXT_TRY_S = 10,    /* that a follower waits for the leader's next one */
};

struct pu_dcutr_session;

/* The outcome; once, from the loop. The session is still to be freed, at the latest when
 * the host stops. */
typedef void pu_dcutr_over_fn(void *arg, struct pu_dcutr_session *s,
			      const struct pu_dcutr_result *r);

struct pu_dcutr_session_config {
	struct pu_host *h;
	bool private_addrs;
	pu_dcutr_over_fn *on_over;
	void *arg;
};

/* We received the relayed connection c: a plain dial when the peer has public addresses,
 * then up to three tries. PU_ENOMEM. */
int pu_dcutr_session_lead(const struct pu_dcutr_session_config *cfg, struct pu_conn *c,
			  struct pu_dcutr_session **ps);
/* The peer opened a stream, and becomes the leader. PU_ENOMEM; the stream is reset then. */
int pu_dcutr_session_follow(const struct pu_dcutr_session_config *cfg,
			    PU_TAKES struct pu_stream *st, struct pu_dcutr_session **ps);
/* Its next try. Also turns a leader into a follower. */
void pu_dcutr_session_continue(struct pu_dcutr_session *s, PU_TAKES struct pu_stream *st);
void pu_dcutr_session_free(struct pu_dcutr_session *s);

bool pu_dcutr_session_leads(const struct pu_dcutr_session *s);
/* A direct connection to the peer stands. */
void pu_dcutr_session_direct(struct pu_dcutr_session *s, const struct pu_conn *c);
/* A relayed one is gone. What was agreed on it is still tried. */
void pu_dcutr_session_closed(struct pu_dcutr_session *s, const struct pu_conn *c);

#endif
