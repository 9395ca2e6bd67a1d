/* /pingpong/1.0.0: "ping\n" is answered with "pong\n", one stream per ping
 * (docs/protocols/README.md). The protocol ID is configurable. */
#ifndef PU_OVERLAY_PINGPONG_H
#define PU_OVERLAY_PINGPONG_H

#include "p2p/host/host.h"

enum {
	PU_PINGPONG_LINE_MAX = 64,
	PU_PINGPONG_TIMEOUT_S = 15,
};

struct pu_pingpong;

/* Registers the protocol. PU_EEXIST, PU_ENOMEM. */
int pu_pingpong_new(struct pu_host *h, const char *protocol, bool serve, struct pu_pingpong **pp);
/* Pings in flight end with PU_ECANCELED, from inside this call. */
void pu_pingpong_free(struct pu_pingpong *p);

/* err 0 and the round trip from the first write to the answer, or what failed:
 * "stream: …", "write: …", "read: …" or "unexpected response: …" in text. conn
 * is the connection used, NULL when there was none. */
typedef void pu_pingpong_fn(void *arg, int err, const char *text, pu_time rtt,
			    struct pu_conn *conn);
/* Connects if needed. on_done comes later, exactly once. PU_ENOMEM. */
int pu_pingpong_send(struct pu_pingpong *p, const struct pu_peerid *peer, pu_pingpong_fn *on_done,
		     void *arg);

#endif
