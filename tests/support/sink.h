/* A consumer of one stream for tests: records what it hears. */
#ifndef PU_TESTS_SUPPORT_SINK_H
#define PU_TESTS_SUPPORT_SINK_H

#include "base/buf.h"
#include "p2p/stack/stream.h"

struct pu_sink {
	struct pu_stream *st; /* NULL after on_closed */
	struct pu_buf got;    /* bytes taken; cut off at max */
	size_t allow;         /* takes that many bytes more; SIZE_MAX: all */
	unsigned n_recv, n_eof, n_writable, n_closed;
	int err;
	uint32_t code;
	/* Called at the end of each callback; may close or reset the stream. */
	void (*then)(struct pu_sink *s);
};

void pu_sink_init(struct pu_sink *s, size_t max);
void pu_sink_deinit(struct pu_sink *s);
/* Makes s the consumer of st. */
void pu_sink_attach(struct pu_sink *s, struct pu_stream *st);

#endif
