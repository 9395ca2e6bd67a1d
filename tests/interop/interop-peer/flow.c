#include "flow.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/wire.h"

enum {
	RESET_CODE = 42,
	TEXT_MAX = 4096,
	ANSWER_LEN = 8 + crypto_hash_sha256_BYTES,
	PIECE = 64 * 1024,
};

struct flow;

/* What one side does. recv takes bytes; eof is the peer's end of writing. */
struct role {
	void (*start)(struct flow *f);
	size_t (*recv)(struct flow *f, const uint8_t *p, size_t len);
	void (*eof)(struct flow *f);
};

/* A handler of ours; a reply makes it a service. */
struct served {
	struct peer *p;
	const struct role *role;
	char *reply;
	struct served *next;
};

static struct served *all_served;

enum at_end { END_NOTHING, END_SHUTDOWN, END_CLOSE, END_RESET };

struct flow {
	struct peer *p;
	const struct role *role;
	struct pu_stream *st;
	bool inbound;
	char protocol[256];
	struct pu_peerid peer;
	pu_time began;
	uint64_t wanted; /* bytes of pattern, by command or by the opener */
	/* What we send: some bytes of our own, then pattern; then the end. */
	uint8_t *head;
	size_t head_len, head_sent;
	uint64_t pattern_len, pattern_sent;
	enum at_end at_end;
	uint64_t in, out;
	bool wrong; /* not the pattern */
	uint8_t got[TEXT_MAX];
	size_t n_got;
	crypto_hash_sha256_state hash;
};

static uint8_t pattern_byte(uint64_t i)
{
	return (uint8_t)(i ^ i >> 8 ^ i >> 16);
}

/* The end of a flow. */

static void report(struct flow *f, const char *end, uint32_t code, bool ok)
{
	char id[PU_PEERID_TEXT_MAX];
	pu_time now = pu_loop_now(f->p->loop);
	json_t *e = json_pack("{s:s,s:s,s:s,s:I,s:I,s:s,s:i,s:b,s:f}", "peer",
			      pu_peerid_text(&f->peer, id), "proto", f->protocol, "direction",
			      f->inbound ? "inbound" : "outbound", "in", (json_int_t)f->in, "out",
			      (json_int_t)f->out, "end", end, "code", (int)code, "ok", ok, "ms",
			      (double)(now - f->began) / 1e6);

	if (strncmp(f->protocol, "/peerup/", 8) == 0)
		json_object_set_new(e, "text", json_stringn_nocheck((char *)f->got, f->n_got));
	emit("stream", e);
}

static void flow_free(struct flow *f)
{
	free(f->head);
	free(f);
}

static void done(struct flow *f, bool ok)
{
	pu_stream_close(f->st);
	report(f, "eof", 0, ok);
	flow_free(f);
}

/* Sending. */

/* Goes on as far as there is room. False: the flow is gone. */
static bool pump(struct flow *f)
{
	static uint8_t piece[PIECE];

	while (f->head_sent < f->head_len) {
		size_t n = pu_stream_write(f->st, f->head + f->head_sent,
					   f->head_len - f->head_sent);

		f->head_sent += n;
		f->out += n;
		if (f->head_sent < f->head_len)
			return true;
	}
	while (f->pattern_sent < f->pattern_len) {
		size_t len = pu_min(PIECE, f->pattern_len - f->pattern_sent), n;

		for (size_t i = 0; i < len; i++)
			piece[i] = pattern_byte(f->pattern_sent + i);
		n = pu_stream_write(f->st, piece, len);
		f->pattern_sent += n;
		f->out += n;
		if (n < len)
			return true;
	}
	switch (f->at_end) {
	case END_NOTHING:
		break;
	case END_SHUTDOWN:
		pu_stream_shutdown(f->st);
		break;
	case END_CLOSE:
		done(f, true);
		return false;
	case END_RESET:
		pu_stream_reset(f->st, RESET_CODE);
		report(f, "eof", 0, true);
		flow_free(f);
		return false;
	}
	f->at_end = END_NOTHING;
	return true;
}

static void send_head(struct flow *f, const void *p, size_t len)
{
	f->head = malloc(len + 1);
	if (!f->head)
		abort();
	memcpy(f->head, p, len);
	f->head_len = len;
}

static void send_number(struct flow *f, uint64_t v)
{
	uint8_t b[8];

	pu_put_be64(b, v);
	send_head(f, b, sizeof b);
}

/* Receiving. */

static size_t keep(struct flow *f, const uint8_t *p, size_t len)
{
	size_t n = pu_min(len, sizeof f->got - f->n_got);

	memcpy(f->got + f->n_got, p, n);
	f->n_got += n;
	f->in += len;
	return len;
}

static size_t match(struct flow *f, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		f->wrong |= p[i] != pattern_byte(f->in + i);
	f->in += len;
	return len;
}

static size_t echo(struct flow *f, const uint8_t *p, size_t len)
{
	size_t n = f->head_sent == f->head_len ? pu_stream_write(f->st, p, len) : 0;

	f->out += n;
	return keep(f, p, n);
}

static size_t digest(struct flow *f, const uint8_t *p, size_t len)
{
	crypto_hash_sha256_update(&f->hash, p, len);
	f->in += len;
	return len;
}

static void answer_of(struct flow *f, uint64_t n, uint8_t out[ANSWER_LEN])
{
	pu_put_be64(out, n);
	crypto_hash_sha256_final(&f->hash, out + 8);
}

static void finish_ok(struct flow *f)
{
	done(f, true);
}

static void finish_matched(struct flow *f)
{
	done(f, !f->wrong && f->in == f->wanted);
}

/* Openers. */

static void start_pattern(struct flow *f)
{
	f->pattern_len = f->wanted;
	f->at_end = END_SHUTDOWN;
}

static void start_source(struct flow *f)
{
	send_number(f, f->wanted);
	f->at_end = END_SHUTDOWN;
}

static void start_reset(struct flow *f)
{
	send_number(f, f->wanted);
}

static void start_ping(struct flow *f)
{
	send_head(f, "ping\n", 5);
}

static size_t recv_pong(struct flow *f, const uint8_t *p, size_t len)
{
	keep(f, p, len);
	if (memchr(f->got, '\n', f->n_got))
		done(f, f->n_got == 5 && memcmp(f->got, "pong\n", 5) == 0);
	return len;
}

static void eof_failed(struct flow *f)
{
	done(f, false);
}

static void eof_sink(struct flow *f)
{
	uint8_t want[ANSWER_LEN];

	crypto_hash_sha256_init(&f->hash);
	for (uint64_t i = 0; i < f->wanted; i++) {
		uint8_t b = pattern_byte(i);

		crypto_hash_sha256_update(&f->hash, &b, 1);
	}
	answer_of(f, f->wanted, want);
	done(f, f->n_got == sizeof want && memcmp(f->got, want, sizeof want) == 0);
}

static void start_nothing(struct flow *f)
{
	(void)f;
}

static void start_service(struct flow *f)
{
	f->at_end = END_SHUTDOWN;
}

static const struct role open_echo = { start_pattern, match, finish_matched };
static const struct role open_sink = { start_pattern, keep, eof_sink };
static const struct role open_source = { start_source, match, finish_matched };
static const struct role open_reset = { start_reset, match, eof_failed };
static const struct role open_ping = { start_ping, recv_pong, eof_failed };
static const struct role open_service = { start_service, keep, finish_ok };

/* Handlers. */

static void start_hash(struct flow *f)
{
	crypto_hash_sha256_init(&f->hash);
}

static void eof_hash(struct flow *f)
{
	uint8_t b[ANSWER_LEN];

	answer_of(f, f->in, b);
	send_head(f, b, sizeof b);
	f->at_end = END_CLOSE;
	pump(f);
}

static bool read_number(struct flow *f)
{
	if (f->n_got < 8)
		return false;
	f->wanted = pu_get_be64(f->got);
	return true;
}

static void eof_source(struct flow *f)
{
	if (!read_number(f)) {
		done(f, false);
		return;
	}
	f->pattern_len = f->wanted;
	f->at_end = END_CLOSE;
	pump(f);
}

static size_t recv_reset(struct flow *f, const uint8_t *p, size_t len)
{
	keep(f, p, len);
	if (f->pattern_len == 0 && f->at_end == END_NOTHING && read_number(f)) {
		f->pattern_len = f->wanted;
		f->at_end = END_RESET;
		pump(f);
	}
	return len;
}

static size_t recv_ping(struct flow *f, const uint8_t *p, size_t len)
{
	bool good;

	keep(f, p, len);
	if (f->head || !memchr(f->got, '\n', f->n_got))
		return len;
	good = f->n_got == 5 && memcmp(f->got, "ping\n", 5) == 0;
	send_head(f, good ? "pong\n" : "unknown\n", good ? 5 : 8);
	f->at_end = END_CLOSE;
	pump(f);
	return len;
}

static void eof_ignored(struct flow *f)
{
	(void)f;
}

static const struct role serve_echo = { start_nothing, echo, finish_ok };
static const struct role serve_sink = { start_hash, digest, eof_hash };
static const struct role serve_source = { start_nothing, keep, eof_source };
static const struct role serve_reset = { start_nothing, recv_reset, eof_ignored };
static const struct role serve_ping = { start_nothing, recv_ping, eof_failed };

static const struct {
	const char *protocol;
	const struct role *open, *serve;
} protocols[] = {
	{ "/interop/echo/1.0.0", &open_echo, &serve_echo },
	{ "/interop/sink/1.0.0", &open_sink, &serve_sink },
	{ "/interop/source/1.0.0", &open_source, &serve_source },
	{ "/interop/reset/1.0.0", &open_reset, &serve_reset },
	{ "/pingpong/1.0.0", &open_ping, &serve_ping },
};

/* The stream. */

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct flow *f = arg;

	(void)st;
	return f->role->recv(f, p, len);
}

static void on_eof(void *arg, struct pu_stream *st)
{
	struct flow *f = arg;

	(void)st;
	f->role->eof(f);
}

static void on_writable(void *arg, struct pu_stream *st)
{
	if (pump(arg))
		pu_stream_resume(st);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct flow *f = arg;

	(void)st;
	(void)err;
	report(f, "reset", code, f->role == &open_reset && f->in <= f->wanted && !f->wrong);
	flow_free(f);
}

static const struct pu_stream_events stream_events = { on_recv, on_eof, on_writable, on_closed };

static struct flow *flow_new(struct peer *p, const struct role *role)
{
	struct flow *f = calloc(1, sizeof *f);

	if (!f)
		abort();
	f->p = p;
	f->role = role;
	f->began = pu_loop_now(p->loop);
	return f;
}

static void run(struct flow *f, struct pu_stream *st)
{
	f->st = st;
	f->peer = st->conn->peer;
	pu_stream_set_events(st, &stream_events, f);
	f->role->start(f);
	pump(f);
}

static void on_inbound(void *arg, struct pu_stream *st)
{
	struct served *s = arg;
	struct flow *f = flow_new(s->p, s->role);

	f->inbound = true;
	snprintf(f->protocol, sizeof f->protocol, "%s", st->protocol);
	if (s->reply)
		send_head(f, s->reply, strlen(s->reply));
	run(f, st);
}

static int handle(struct peer *p, const char *protocol, const struct role *role, const char *reply)
{
	struct served *s = calloc(1, sizeof *s);

	if (!s)
		return PU_ENOMEM;
	s->p = p;
	s->role = role;
	s->reply = reply ? strdup(reply) : NULL;
	s->next = all_served;
	all_served = s;
	return pu_host_handle(p->host, protocol, on_inbound, s);
}

int flow_handle(struct peer *p, const char *protocol, const char *reply)
{
	return handle(p, protocol, &serve_echo, reply);
}

int flow_handle_all(struct peer *p)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < PU_ARRAY_LEN(protocols); i++)
		r = handle(p, protocols[i].protocol, protocols[i].serve, NULL);
	return r;
}

void flow_free_all(void)
{
	while (all_served) {
		struct served *s = all_served;

		all_served = s->next;
		free(s->reply);
		free(s);
	}
}

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct flow *f = arg;

	if (err < 0) {
		emit_error("open", &f->peer, pu_err_text(err));
		flow_free(f);
		return;
	}
	run(f, st);
}

void flow_open(struct peer *p, const struct pu_peerid *id, const char *protocol, uint64_t bytes,
	       const char *data)
{
	const char *const list[] = { protocol, NULL };
	const struct role *role = strncmp(protocol, "/peerup/", 8) == 0 ? &open_service : &open_echo;
	struct flow *f;
	int r;

	for (size_t i = 0; i < PU_ARRAY_LEN(protocols); i++)
		if (strcmp(protocols[i].protocol, protocol) == 0)
			role = protocols[i].open;
	f = flow_new(p, role);
	f->peer = *id;
	f->wanted = bytes;
	strncpy(f->protocol, protocol, sizeof f->protocol - 1);
	if (role == &open_service)
		send_head(f, data, strlen(data));
	r = pu_host_open(p->host, id, NULL, list, on_open, f, NULL);
	if (r < 0)
		on_open(f, r, NULL);
}
