/* A stream on which the input of a fuzzer is said, in pieces; for worlds of one simulation. */
#ifndef PU_TESTS_SUPPORT_SAID_H
#define PU_TESTS_SUPPORT_SAID_H

#include "p2p/host/host.h"
#include "support/simnet.h"

struct said {
	struct pu_sim *sim;
	struct pu_stream *st; /* NULL: there is none */
};

void said_must(bool ok);

/* A host with that address alone, at port 1 of TCP with Noise; gate: NULL for none. */
struct said_node {
	struct pu_key key;
	struct pu_host *h;
};
void said_node_start(struct said *s, struct said_node *n, unsigned number, const char *ip,
		     bool (*gate)(void *arg, const struct pu_peerid *peer,
				  const struct pu_multiaddr *remote));

/* Of the node that talks: for pu_host_handle() and pu_host_open(), with arg a struct said. The
 * first stream counts, others are reset while there is one. What comes is not looked at. */
void said_on_stream(void *arg, struct pu_stream *st);
void said_on_open(void *arg, int err, struct pu_stream *st);
/* Waits for the stream, then says it in pieces of step + 1 bytes; an odd step ends the stream
 * behind them. */
void said_feed(struct said *s, const uint8_t *p, size_t len, uint8_t step);
void said_drop(struct said *s);

#endif
