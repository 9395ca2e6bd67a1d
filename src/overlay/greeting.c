#include "overlay/greeting.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "crypto/hash.h"

struct pu_greeting {
	const struct pu_greeting_words *words;
	struct pu_job done;
	pu_greeting_fn *fn;
	void *arg;
	char reply[PU_GREETING_WORD_MAX + 1]; /* and its LF */
	size_t len;
	bool over;
	int err;
};

static bool word_ok(const char *w)
{
	size_t len = strlen(w);

	if (len < PU_GREETING_WORD_MIN || len > PU_GREETING_WORD_MAX)
		return false;
	for (; *w; w++)
		if (!isascii(*w) || !isalnum((unsigned char)*w))
			return false;
	return true;
}

int pu_greeting_words_set(struct pu_greeting_words *w, const char *hello, const char *reply)
{
	if (!word_ok(hello) || !word_ok(reply))
		return PU_EINVAL;
	snprintf(w->hello, sizeof w->hello, "%s", hello);
	snprintf(w->reply, sizeof w->reply, "%s", reply);
	return 0;
}

static void finish(void *arg)
{
	struct pu_greeting *g = arg;
	pu_greeting_fn *fn = g->fn;
	void *fn_arg = g->arg;
	int err = g->err;

	pu_greeting_cancel(g);
	fn(fn_arg, err);
}

static void end(struct pu_greeting *g, int err)
{
	if (err < 0)
		g->err = err;
	g->over = true;
	pu_job_defer(&g->done);
}

static int check(const struct pu_greeting *g)
{
	size_t len = strlen(g->words->reply);

	return g->len == len && pu_equal(g->reply, g->words->reply, len) ? 0 : PU_EDENIED;
}

/* Not a byte more than the line: the rest belongs to whoever comes next. */
static size_t on_recv(void *arg, const uint8_t *p, size_t len)
{
	struct pu_greeting *g = arg;
	size_t n = 0;

	while (n < len && !g->over) {
		char c = (char)p[n++];

		if (c == '\n')
			end(g, check(g));
		else if (g->len == PU_GREETING_WORD_MAX)
			end(g, PU_EDENIED);
		else
			g->reply[g->len++] = c;
	}
	return n;
}

static void on_eof(void *arg)
{
	end(arg, PU_ECLOSED);
}

static void on_error(void *arg, int err)
{
	end(arg, err);
}

static const struct pu_tcp_events events = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_error = on_error,
};

int pu_greeting_start(struct pu_loop *loop, struct pu_net *net, struct pu_tcp *tcp,
		      const struct pu_greeting_words *words, const struct pu_peerid *peer,
		      pu_greeting_fn *fn, void *arg, struct pu_greeting **pg)
{
	char line[PU_GREETING_WORD_MAX + PU_PEERID_TEXT_MAX + 3], id[PU_PEERID_TEXT_MAX];
	struct pu_greeting *g = calloc(1, sizeof *g);
	struct iovec iov = { .iov_base = line };

	if (!g)
		return PU_ENOMEM;
	iov.iov_len = (size_t)snprintf(line, sizeof line, "%s %s\n", words->hello,
				       pu_peerid_text(peer, id));
	g->words = words;
	g->fn = fn;
	g->arg = arg;
	pu_job_init(&g->done, loop, finish, g);
	net->ops->tcp_set_events(tcp, &events, g);
	/* A fresh socket takes a line, or is broken. */
	if (net->ops->tcp_write(tcp, &iov, 1) != (int)iov.iov_len) {
		pu_greeting_cancel(g);
		return PU_ECLOSED;
	}
	*pg = g;
	return 0;
}

void pu_greeting_cancel(struct pu_greeting *g)
{
	if (!g)
		return;
	pu_job_cancel(&g->done);
	explicit_bzero(g->reply, sizeof g->reply);
	free(g);
}
