#include "p2p/autonat/server.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/autonat/dialback.h"
#include "p2p/autonat/target.h"
#include "p2p/proto/message.h"

enum {
	MINUTE_S = 60,
	/* Bytes that nobody asked for, while we wait and dial. */
	SURPLUS_MAX = 2 * PU_AUTONAT_CHUNK_MAX,
	/* The answer has to be out before the client's own deadline, which is the same. */
	MARGIN_MS = 500,
};

/* Who asked during the last minute. */
struct taken {
	struct pu_peerid peer;
	pu_time at;
	bool data;
};

struct pu_autonat_server {
	struct pu_host *h;
	bool private_addrs;
	struct pu_autonat_stats *stats;
	struct taken taken[PU_AUTONAT_PER_MINUTE]; /* oldest first */
	size_t n_taken;
	struct pu_list served;
	size_t n_served;
};

enum served_state {
	SERVED_READING, /* the request */
	SERVED_PAYING,  /* dial data */
	SERVED_WAITING, /* a moment, before */
	SERVED_DIALING,
};

struct served {
	struct pu_list node;
	struct pu_autonat_server *s;
	enum served_state state;
	struct pu_stream *st;
	struct pu_timer timer;
	pu_time deadline;
	uint64_t nonce;
	struct pu_multiaddr addr;
	uint32_t idx;
	uint64_t owed; /* dial data still to come */
	size_t surplus;
	struct pu_autonat_dialback *dialback;
};

/* Limits. */

static void forget_old(struct pu_autonat_server *s)
{
	pu_time now = pu_loop_now(pu_host_loop(s->h));
	size_t n = 0;

	while (n < s->n_taken && now - s->taken[n].at >= PU_SEC(MINUTE_S))
		n++;
	s->n_taken -= n;
	memmove(s->taken, s->taken + n, s->n_taken * sizeof s->taken[0]);
}

static bool may_ask(struct pu_autonat_server *s, const struct pu_peerid *peer)
{
	size_t recent = 0, current = 0;

	forget_old(s);
	for (size_t i = 0; i < s->n_taken; i++)
		recent += pu_peerid_eq(&s->taken[i].peer, peer);
	PU_LIST_FOREACH(it, tmp, &s->served)
		current += pu_peerid_eq(&PU_CONTAINER_OF(it, struct served, node)->st->conn->peer,
					peer);
	return s->n_taken < PU_AUTONAT_PER_MINUTE && recent < PU_AUTONAT_PER_MINUTE_PEER &&
	       s->n_served < PU_AUTONAT_SERVED_MAX && current < PU_AUTONAT_SERVED_PEER_MAX;
}

static void note_asked(struct pu_autonat_server *s, const struct pu_peerid *peer)
{
	s->taken[s->n_taken++] = (struct taken){ *peer, pu_loop_now(pu_host_loop(s->h)), false };
}

/* One more request of that peer needs dial data. */
static bool may_pay(struct pu_autonat_server *s, const struct pu_peerid *peer)
{
	struct taken *mine = NULL;
	size_t n = 0;

	forget_old(s);
	for (size_t i = 0; i < s->n_taken; i++) {
		n += s->taken[i].data;
		if (!s->taken[i].data && pu_peerid_eq(&s->taken[i].peer, peer))
			mine = &s->taken[i];
	}
	if (n >= PU_AUTONAT_PER_MINUTE_DATA)
		return false;
	if (mine)
		mine->data = true;
	return true;
}

/* The end of a request. */

static void served_free(struct served *sv)
{
	pu_timer_stop(&sv->timer);
	if (sv->dialback)
		pu_autonat_dialback_cancel(sv->dialback);
	pu_list_remove(&sv->node);
	sv->s->n_served--;
	free(sv);
}

static int say(struct pu_stream *st, enum pu_autonat_status status, uint32_t idx,
	       enum pu_autonat_dial dial)
{
	struct pu_autonat_message m = { .type = PU_AUTONAT_RESPONSE, .status = status,
					.idx = idx, .dial = dial };

	return pu_autonat_message_write(st, &m);
}

static void answer(struct served *sv, enum pu_autonat_status status, enum pu_autonat_dial dial)
{
	if (say(sv->st, status, sv->idx, dial) < 0)
		pu_stream_reset(sv->st, PU_STREAM_CODE_LIMIT);
	else
		pu_stream_close(sv->st);
	served_free(sv);
}

static void malformed(struct served *sv)
{
	sv->s->stats->malformed++;
	pu_stream_reset(sv->st, PU_STREAM_CODE_PROTOCOL);
	served_free(sv);
}

/* Dialling. */

static void on_dialed(void *arg, int err, enum pu_autonat_dial status)
{
	struct served *sv = arg;

	sv->dialback = NULL;
	answer(sv, err ? PU_AUTONAT_INTERNAL : PU_AUTONAT_OK, status);
}

static void dial(struct served *sv)
{
	struct pu_host *h = sv->s->h;
	pu_time now = pu_loop_now(pu_host_loop(h)), end = sv->deadline - PU_MS(MARGIN_MS);
	int r;

	pu_timer_stop(&sv->timer);
	sv->state = SERVED_DIALING;
	sv->s->stats->dialed++;
	r = pu_autonat_dialback_start(h, &sv->st->conn->peer, &sv->addr, sv->nonce,
				      end > now ? end - now : 0, on_dialed, sv, &sv->dialback);
	if (r < 0)
		answer(sv, PU_AUTONAT_INTERNAL, PU_AUTONAT_DIAL_UNUSED);
}

static uint64_t random_below(struct pu_autonat_server *s, uint64_t n)
{
	uint64_t v;

	pu_loop_random(pu_host_loop(s->h), &v, sizeof v);
	return v % n;
}

static void wait_and_dial(struct served *sv)
{
	sv->state = SERVED_WAITING;
	pu_timer_set(&sv->timer, pu_loop_now(pu_host_loop(sv->s->h)) +
					 PU_MS(random_below(sv->s, PU_AUTONAT_WAIT_MAX_MS + 1)));
}

static void ask_for_data(struct served *sv)
{
	struct pu_autonat_message m = { .type = PU_AUTONAT_DATA_REQUEST, .idx = sv->idx };
	const uint64_t range = PU_AUTONAT_DATA_MAX - PU_AUTONAT_DATA_MIN + 1;

	if (!may_pay(sv->s, &sv->st->conn->peer)) {
		sv->s->stats->rejected++;
		answer(sv, PU_AUTONAT_REJECTED, PU_AUTONAT_DIAL_UNUSED);
		return;
	}
	m.n_bytes = PU_AUTONAT_DATA_MIN + random_below(sv->s, range);
	sv->owed = m.n_bytes;
	sv->state = SERVED_PAYING;
	if (pu_autonat_message_write(sv->st, &m) < 0)
		malformed(sv); /* it does not read */
}

/* What the client says. */

static void on_request(struct served *sv, const struct pu_autonat_message *m)
{
	const struct pu_conn *c = sv->st->conn;
	struct pu_autonat_target_rules rules = { sv->s->h, c, sv->s->private_addrs };

	sv->nonce = m->nonce;
	for (size_t i = 0; i < m->n_addrs && sv->addr.len == 0; i++) {
		sv->idx = (uint32_t)i;
		pu_autonat_target(&rules, &m->addrs[i], &sv->addr);
	}
	if (sv->addr.len == 0) {
		sv->idx = 0;
		sv->s->stats->refused++;
		answer(sv, PU_AUTONAT_REFUSED, PU_AUTONAT_DIAL_UNUSED);
	} else if (pu_autonat_target_same_ip(&sv->addr, &c->remote)) {
		dial(sv);
	} else {
		ask_for_data(sv);
	}
}

static void on_data(struct served *sv, uint64_t n)
{
	sv->s->stats->dial_data += n;
	sv->owed -= n < sv->owed ? n : sv->owed;
	if (n > PU_AUTONAT_CHUNK_MAX || (n < PU_AUTONAT_CHUNK_MIN && sv->owed > 0))
		malformed(sv);
	else if (sv->owed == 0)
		wait_and_dial(sv);
}

static void on_message(struct served *sv, const struct pu_autonat_message *m)
{
	if (sv->state == SERVED_READING && m->type == PU_AUTONAT_REQUEST)
		on_request(sv, m);
	else if (sv->state == SERVED_PAYING && m->type == PU_AUTONAT_DATA)
		on_data(sv, m->n_bytes);
	else
		malformed(sv);
}

static size_t on_surplus(struct served *sv, size_t len)
{
	sv->surplus += len;
	if (sv->surplus > SURPLUS_MAX)
		malformed(sv);
	return len;
}

/* One message per call: the stream offers the rest again, if it is still ours. */
static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct served *sv = arg;
	struct pu_autonat_message m;
	struct pu_bytes body;
	size_t used;
	int r;

	if (sv->state == SERVED_WAITING || sv->state == SERVED_DIALING)
		return on_surplus(sv, len);
	r = pu_message_split(pu_bytes(p, len), PU_AUTONAT_MESSAGE_MAX, &body, &used);
	if (r == PU_EAGAIN)
		return 0;
	if (r == 0)
		r = pu_autonat_message_decode(body, &m);
	if (r < 0) {
		malformed(sv);
		return len;
	}
	if (used < len)
		pu_stream_resume(st);
	on_message(sv, &m);
	return used;
}

/* Clients may half-close behind what they have to say. */
static void on_eof(void *arg, struct pu_stream *st)
{
	struct served *sv = arg;

	(void)st;
	if (sv->state == SERVED_READING || sv->state == SERVED_PAYING)
		malformed(sv);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	(void)st;
	(void)err;
	(void)code;
	served_free(arg);
}

static const struct pu_stream_events stream_events = { .on_recv = on_recv, .on_eof = on_eof,
						       .on_closed = on_closed };

static void on_timer(void *arg)
{
	struct served *sv = arg;

	if (sv->state == SERVED_WAITING)
		dial(sv);
	else
		malformed(sv); /* too slow */
}

static void turn_down(struct pu_autonat_server *s, struct pu_stream *st)
{
	s->stats->rejected++;
	if (say(st, PU_AUTONAT_REJECTED, 0, PU_AUTONAT_DIAL_UNUSED) < 0)
		pu_stream_reset(st, PU_STREAM_CODE_RATE);
	else
		pu_stream_close(st);
}

static void on_stream(void *arg, struct pu_stream *st)
{
	struct pu_autonat_server *s = arg;
	struct pu_loop *loop = pu_host_loop(s->h);
	struct served *sv = NULL;

	s->stats->requests++;
	/* Through a relay nobody can tell the peer's own address from a victim's. */
	if (!st->conn->limited && may_ask(s, &st->conn->peer))
		sv = calloc(1, sizeof *sv);
	if (!sv) {
		turn_down(s, st);
		return;
	}
	note_asked(s, &st->conn->peer);
	sv->s = s;
	sv->st = st;
	sv->deadline = pu_loop_now(loop) + PU_SEC(PU_AUTONAT_REQUEST_TIMEOUT_S);
	pu_list_append(&s->served, &sv->node);
	s->n_served++;
	pu_timer_init(&sv->timer, loop, on_timer, sv);
	pu_timer_set(&sv->timer, sv->deadline);
	pu_stream_set_events(st, &stream_events, sv);
}

int pu_autonat_server_new(struct pu_host *h, bool private_addrs, struct pu_autonat_stats *stats,
			  struct pu_autonat_server **ps)
{
	struct pu_autonat_server *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return PU_ENOMEM;
	s->h = h;
	s->private_addrs = private_addrs;
	s->stats = stats;
	pu_list_init(&s->served);
	r = pu_host_handle(h, PU_AUTONAT_REQUEST_PROTOCOL, on_stream, s);
	if (r < 0)
		free(s);
	else
		*ps = s;
	return r;
}

void pu_autonat_server_free(struct pu_autonat_server *s)
{
	if (!s)
		return;
	pu_host_unhandle(s->h, PU_AUTONAT_REQUEST_PROTOCOL);
	PU_LIST_FOREACH(it, tmp, &s->served) {
		struct served *sv = PU_CONTAINER_OF(it, struct served, node);

		pu_stream_reset(sv->st, PU_STREAM_CODE_SHUTDOWN);
		served_free(sv);
	}
	free(s);
}
