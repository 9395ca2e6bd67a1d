#include "overlay/pair/pair.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "overlay/pair/guesses.h"
#include "overlay/pair/pair_message.h"

struct pu_pair_server {
	struct pu_host *host;
	struct pu_pair_server_options opt;
	struct pu_guesses *guesses;
	struct pu_list streams;
	unsigned n_streams;
};

struct served {
	struct pu_list node;
	struct pu_pair_server *owner;
	struct pu_stream *st;
	struct pu_timer timer;
	struct pu_buf in, out;
	bool answered;
};

static void served_free(struct served *sv)
{
	pu_timer_stop(&sv->timer);
	pu_list_remove(&sv->node);
	sv->owner->n_streams--;
	pu_buf_deinit(&sv->in);
	pu_buf_deinit(&sv->out);
	free(sv);
}

static void give_up(struct served *sv, uint32_t code)
{
	pu_stream_reset(sv->st, code);
	served_free(sv);
}

/* The joiner reads until the end of the stream. */
static void flush(struct served *sv)
{
	struct pu_bytes b = pu_buf_bytes(&sv->out);

	pu_buf_consume(&sv->out, pu_stream_write(sv->st, b.p, b.len));
	if (sv->out.len > 0)
		return;
	pu_stream_close(sv->st);
	served_free(sv);
}

/* Makes the peer a member and writes the good news. < 0: there are none. */
static int pair(struct served *sv, const struct pu_pair_ask *ask, struct pu_group **pg)
{
	struct pu_pair_server *s = sv->owner;
	const struct pu_peerid *peer = &sv->st->conn->peer;
	struct pu_group_slot *slot;
	bool again;
	int r = pu_groups_redeem(s->opt.groups, ask->token, peer, ask->name, pg, &slot, &again);

	if (r < 0)
		return r;
	r = pu_pair_message_write_paired(*pg, peer, s->opt.is_member, s->opt.arg, &sv->out);
	if (r == 0 && !again)
		r = s->opt.on_paired(s->opt.arg, *pg, slot);
	if (r < 0 && !again)
		pu_groups_return(s->opt.groups, *pg, slot);
	return r;
}

static void answer_failed(struct served *sv)
{
	sv->answered = true;
	pu_buf_clear(&sv->out, 0);
	if (pu_pair_message_write_failed(&sv->out) < 0)
		give_up(sv, PU_STREAM_CODE_LIMIT);
	else
		flush(sv);
}

static void answer(struct served *sv, const struct pu_pair_ask *ask)
{
	struct pu_pair_server *s = sv->owner;
	const struct pu_conn *c = sv->st->conn;
	const struct pu_peerid peer = c->peer;
	pu_time now = pu_loop_now(pu_host_loop(s->host));
	char id[PU_PEERID_TEXT_MAX];
	struct pu_group *g = NULL;
	int r = pu_guesses_allowed(s->guesses, c, now) ? pair(sv, ask, &g) : PU_ELIMIT;

	if (r == PU_EDENIED)
		pu_guesses_wrong(s->guesses, c, now);
	if (r < 0) {
		pu_log(PU_LOG_WARN, "pair", "refused",
		       PU_KV_STR("peer", pu_peerid_text(&peer, id)), PU_KV_ERR(r));
		answer_failed(sv);
		return;
	}
	pu_log(PU_LOG_INFO, "pair", "paired", PU_KV_STR("peer", pu_peerid_text(&peer, id)),
	       PU_KV_STR("group", g->id));
	sv->answered = true;
	flush(sv);
	if (s->opt.on_answered)
		s->opt.on_answered(s->opt.arg, g, &peer);
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct served *sv = arg;
	struct pu_pair_ask ask;
	int r;

	if (sv->answered) /* of a request there is nothing more to read */
		return len;
	pu_buf_append(&sv->in, p, pu_min(len, pu_buf_room(&sv->in)));
	r = pu_pair_message_parse_request(pu_buf_bytes(&sv->in), &ask);
	if (r == PU_EAGAIN)
		return len;
	if (r < 0)
		answer_failed(sv);
	else
		answer(sv, &ask);
	explicit_bzero(&ask, sizeof ask);
	return len;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	struct served *sv = arg;

	if (!sv->answered)
		answer_failed(sv);
}

static void on_writable(void *arg, struct pu_stream *st)
{
	struct served *sv = arg;

	if (sv->answered)
		flush(sv);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	served_free(arg);
}

static const struct pu_stream_events events = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_writable = on_writable,
	.on_closed = on_closed,
};

static void on_timeout(void *arg)
{
	give_up(arg, PU_STREAM_CODE_NONE);
}

static unsigned count_on(const struct pu_pair_server *s, const struct pu_conn *c)
{
	unsigned n = 0;

	PU_LIST_FOREACH (it, tmp, &s->streams)
		n += PU_CONTAINER_OF(it, struct served, node)->st->conn == c;
	return n;
}

static void on_stream(void *arg, struct pu_stream *st)
{
	struct pu_pair_server *s = arg;
	struct served *sv = NULL;

	if (s->n_streams < PU_PAIR_STREAMS_MAX && count_on(s, st->conn) < PU_PAIR_STREAMS_PER_CONN)
		sv = calloc(1, sizeof *sv);
	if (!sv) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return;
	}
	sv->owner = s;
	sv->st = st;
	pu_buf_init(&sv->in, PU_PAIR_REQUEST_MAX);
	sv->in.secret = true;
	pu_buf_init(&sv->out, PU_PAIR_RESPONSE_MAX);
	pu_timer_init(&sv->timer, pu_host_loop(s->host), on_timeout, sv);
	pu_timer_set(&sv->timer, pu_loop_now(pu_host_loop(s->host)) + PU_SEC(PU_PAIR_DEADLINE_S));
	pu_list_append(&s->streams, &sv->node);
	s->n_streams++;
	pu_stream_set_events(st, &events, sv);
}

int pu_pair_server_new(struct pu_host *h, const struct pu_pair_server_options *opt,
		       struct pu_pair_server **ps)
{
	struct pu_pair_server *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return PU_ENOMEM;
	s->host = h;
	s->opt = *opt;
	pu_list_init(&s->streams);
	r = pu_guesses_new(&s->guesses);
	if (r == 0)
		r = pu_host_handle(h, PU_PAIR_PROTOCOL, on_stream, s);
	if (r < 0) {
		pu_guesses_free(s->guesses);
		free(s);
		return r;
	}
	*ps = s;
	return 0;
}

void pu_pair_server_free(struct pu_pair_server *s)
{
	if (!s)
		return;
	pu_host_unhandle(s->host, PU_PAIR_PROTOCOL);
	PU_LIST_FOREACH (it, tmp, &s->streams)
		give_up(PU_CONTAINER_OF(it, struct served, node), PU_STREAM_CODE_SHUTDOWN);
	pu_guesses_free(s->guesses);
	free(s);
}
