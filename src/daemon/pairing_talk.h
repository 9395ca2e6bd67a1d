/* A handshake (overlay/invite/handshake.h) on its stream: bytes go back and forth, and the end
 * of the one is the end of the other. */
#ifndef PU_DAEMON_PAIRING_TALK_H
#define PU_DAEMON_PAIRING_TALK_H

#include "overlay/invite/handshake.h"
#include "p2p/stack/stream.h"

struct pu_talk {
	struct pu_stream *st;    /* NULL: over */
	struct pu_handshake *hs; /* NULL until pu_talk_start(), and when over */
	/* Bytes before there is a handshake; returns how many were taken. */
	size_t (*on_first)(void *arg, const uint8_t *p, size_t len);
	/* The stream is gone before the handshake has said how it ended. */
	void (*on_lost)(void *arg, int err);
	void *arg;
};

/* The stream becomes the talk's. on_first may be NULL when pu_talk_start() follows at once. */
void pu_talk_open(struct pu_talk *t, struct pu_stream *st);
/* opt->arg has to be what contains t, whose events' send leads to pu_talk_send(). */
int pu_talk_start(struct pu_talk *t, const struct pu_handshake_options *opt);
void pu_talk_send(struct pu_talk *t, const uint8_t *p, size_t len);
/* Ends both; what was sent is still delivered when politely. From inside callbacks, too. */
void pu_talk_close(struct pu_talk *t, bool politely);

#endif
