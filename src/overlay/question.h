/* One question to a peer, on a stream of its own, and its answer. */
#ifndef PU_OVERLAY_QUESTION_H
#define PU_OVERLAY_QUESTION_H

#include "base/buf.h"
#include "p2p/host/host.h"

enum { PU_QUESTION_MAX = 512 };

struct pu_question;

struct pu_question_ops {
	const char *protocol;
	unsigned timeout_s; /* for all of it */
	size_t max_answer;  /* bytes that are kept of what comes */
	bool last_word;     /* our side of the stream ends behind the question */
	/* Writes the question, returns its length; 0: PU_ENOMEM. What is in out is wiped. */
	size_t (*ask)(struct pu_question *q, uint8_t out[PU_QUESTION_MAX]);
	/* All that has come. PU_EAGAIN: more is needed; else how it ended. */
	int (*on_answer)(struct pu_question *q, struct pu_bytes in);
	/* Once, last, never from inside pu_question_ask(). q may be freed. err: that of
	 * on_answer; PU_EPROTO: it ended too early or never; PU_ETIMEDOUT; PU_ENOPROTO; or
	 * what became of the connection. */
	void (*on_end)(struct pu_question *q, int err);
};

/* The caller's storage. */
struct pu_question {
	const struct pu_question_ops *ops;
	struct pu_host *host;
	struct pu_host_request *req;
	struct pu_stream *st;
	struct pu_timer timer;
	struct pu_buf in;
};

/* Connects if needed; c as of pu_host_open(), whose errors it has. q is nothing after a
 * failure. */
int pu_question_ask(struct pu_question *q, const struct pu_question_ops *ops, struct pu_host *h,
		    const struct pu_peerid *peer, struct pu_conn *c);
/* on_end will not be called. */
void pu_question_cancel(struct pu_question *q);

#endif
