/* Identify and identify push (/ipfs/id/1.0.0, /ipfs/id/push/1.0.0): who the peer is,
 * which protocols and addresses it has, how it sees us; and the same about us. */
#ifndef PU_P2P_PROTO_IDENTIFY_H
#define PU_P2P_PROTO_IDENTIFY_H

#include "p2p/host/host.h"

#define PU_IDENTIFY_PROTOCOL "/ipfs/id/1.0.0"
#define PU_IDENTIFY_PUSH_PROTOCOL "/ipfs/id/push/1.0.0"

enum {
	PU_IDENTIFY_MESSAGE_MAX = 8192, /* received */
	PU_IDENTIFY_MESSAGES_MAX = 10,
	PU_IDENTIFY_FIRST_MAX = 4096, /* sent: rust reads no more */
	PU_IDENTIFY_JOINT_MAX = 2048, /* sent: with the signed record inside */
	PU_IDENTIFY_ADDRS_MAX = 20,   /* sent */
	PU_IDENTIFY_TIMEOUT_S = 5,
	PU_IDENTIFY_PUSH_DELAY_MS = 250, /* changes within are told together */
	PU_IDENTIFY_PUSH_EVERY_S = 5, /* go takes no more in the long run, nor do we */
	PU_IDENTIFY_PUSH_BURST_OUT = 8,
	PU_IDENTIFY_PUSH_BURST_IN = 10,
};

struct pu_identify;
struct host_conn;

/* One per host; registers both handlers. PU_ENOMEM. */
int pu_identify_new(struct pu_host *h, struct pu_identify **pid);
void pu_identify_free(struct pu_identify *id);
/* Our protocols or addresses changed: tell the peers soon. */
void pu_identify_changed(struct pu_identify *id);
void pu_identify_conn_opened(struct host_conn *hc);
/* The peer may have asked when it was not to know yet: it is told unasked, once we know it. */
void pu_identify_conn_owed(struct host_conn *hc);
/* Asks the peer once more, unless a question is under way. */
void pu_identify_conn_ask(struct host_conn *hc);
void pu_identify_conn_closed(struct host_conn *hc);

#endif
