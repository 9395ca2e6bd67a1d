/* Two ends of a cable in memory, as struct pu_pipe: bytes come cut into pieces, and a full
 * cable takes no more. An end without a consumer keeps what it hears. */
#ifndef PU_TESTS_SUPPORT_PIPES_H
#define PU_TESTS_SUPPORT_PIPES_H

#include "base/buf.h"
#include "base/loop.h"
#include "p2p/stack/pipe.h"

struct pipes_end {
	struct pu_pipe pipe;
	struct pipes_end *other;
	struct pu_buf in; /* on its way to this end */
	size_t room;      /* of in */
	bool wants_room;  /* the other end had a short write */
	bool paused, shut, told_eof, closed, aborted;
};

struct pipes {
	struct pu_loop loop; /* its randomness is constant */
	struct pipes_end end[2];
	size_t cut;
};

/* cut: longest piece; room: bytes that are under way at most. */
void pipes_init(struct pipes *p, size_t cut, size_t room);
void pipes_deinit(struct pipes *p);
void pipes_set_room(struct pipes *p, int i, size_t room);
/* Delivers and runs jobs until nothing moves. False: nothing did. */
bool pipes_run(struct pipes *p);

/* For an end i without consumer: says bytes, whatever the room. */
void pipes_say(struct pipes *p, int i, const void *b, size_t len);
/* What it heard begins so. */
bool pipes_heard(const struct pipes *p, int i, const char *text);
/* Answers the WebSocket request that it heard. */
void pipes_accept(struct pipes *p, int i);

#endif
