/* Two secret words between a node and the local program behind a service: the program learns
 * who connects and that the node says so, the node that this is the program which asked for the
 * service, and not another one that took over its port (docs/protocols/services.md).
 *
 *   node → program   <hello> SP <peer ID> LF
 *   program → node   <reply> LF
 *
 * Then the bytes of the stream. */
#ifndef PU_OVERLAY_GREETING_H
#define PU_OVERLAY_GREETING_H

#include "base/loop.h"
#include "crypto/peerid.h"
#include "p2p/transport/net.h"

enum { PU_GREETING_WORD_MIN = 16, PU_GREETING_WORD_MAX = 128 };

struct pu_greeting_words {
	char hello[PU_GREETING_WORD_MAX + 1], reply[PU_GREETING_WORD_MAX + 1];
};

/* Copies both; PU_EINVAL: too short, too long, or not letters and digits. */
int pu_greeting_words_set(struct pu_greeting_words *w, const char *hello, const char *reply);

struct pu_greeting;

/* On a later turn, once; it is over then. 0: what follows on the socket, which is paused, is
 * the program's. PU_EDENIED: another reply; PU_ECLOSED, …: it left. */
typedef void pu_greeting_fn(void *arg, int err);

/* Takes over the events of a connected socket, which stays the caller's. words and peer are
 * borrowed until then. PU_ENOMEM, PU_ECLOSED. */
int pu_greeting_start(struct pu_loop *loop, struct pu_net *net, struct pu_tcp *tcp,
		      const struct pu_greeting_words *words, const struct pu_peerid *peer,
		      pu_greeting_fn *fn, void *arg, struct pu_greeting **pg);
/* Without fn. NULL is fine. */
void pu_greeting_cancel(struct pu_greeting *g);

#endif
