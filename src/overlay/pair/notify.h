/* A relay introduces the members of a group to each other, /peerup/peer-notify/1.0.0.
 *
 * peer-up's receiver counts peers it knows again (so that of a group of three the first
 * would never learn of the last); the sender therefore names only those whom the recipient has
 * not been told of, with the true size of the group. The receiver here takes the union. */
#ifndef PU_OVERLAY_PAIR_NOTIFY_H
#define PU_OVERLAY_PAIR_NOTIFY_H

#include "overlay/pair/group.h"
#include "p2p/host/host.h"

#define PU_NOTIFY_PROTOCOL "/peerup/peer-notify/1.0.0"

enum {
	PU_NOTIFY_PEERS_MAX = 255,
	PU_NOTIFY_TEXT_MAX = 64 * 1024, /* bytes on the wire */
	PU_NOTIFY_STREAMS_MAX = 8,      /* that a node listens to at once */
	PU_NOTIFY_TIMEOUT_S = 10,
};

struct pu_notify_peer {
	struct pu_peerid id;
	char name[PU_GROUP_NAME_MAX + 1];
	uint8_t proof[PU_GROUP_PROOF_LEN]; /* all zero when unknown */
};
/* Too large for a stack frame. */
struct pu_notify {
	char group[PU_GROUP_ID_MAX + 1];
	unsigned size; /* of the group with the recipient */
	size_t n_peers;
	struct pu_notify_peer peer[PU_NOTIFY_PEERS_MAX];
};

/* Wire form. PU_EPROTO for anything malformed, invalid peer IDs included. A peer that is named
 * twice is there once; long names are cut. */
int pu_notify_parse(struct pu_bytes b, struct pu_notify *out);
int pu_notify_write(const struct pu_notify *m, struct pu_buf *out);

/* The relay's side: one message to a member, m is borrowed until return. on_done: 0 when the
 * member has read all of it (whether it believes it, it does not say); later, once, unless
 * canceled. */
struct pu_notify_sending;
typedef void pu_notify_sent_fn(void *arg, int err);
int pu_notify_send(struct pu_host *h, const struct pu_peerid *to, const struct pu_notify *m,
		   pu_notify_sent_fn *on_done, void *arg, struct pu_notify_sending **ps);
void pu_notify_cancel(struct pu_notify_sending *s);

/* A node's side. from is the authenticated sender; whether to believe it is the
 * caller's affair (a relay of ours, a group that we are in, union within size). False: it could
 * not be stored, the sender shall try again some time. */
typedef bool pu_notify_fn(void *arg, const struct pu_peerid *from, const struct pu_notify *m);
struct pu_notify_receiver;
int pu_notify_receiver_new(struct pu_host *h, pu_notify_fn *fn, void *arg,
			   struct pu_notify_receiver **pr);
void pu_notify_receiver_free(struct pu_notify_receiver *r);

#endif
