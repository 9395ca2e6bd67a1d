#include "p2p/kad/inbound.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/htab.h"
#include "base/log.h"
#include "base/wire.h"
#include "p2p/proto/message.h"

/* How much a peer has asked, for as long as that matters. */
struct asker {
	struct pu_hnode hnode;
	struct pu_list lru; /* the least recently heard first */
	struct pu_peerid peer;
	pu_time full_at; /* when its burst will be whole again */
	unsigned n_streams;
	bool told; /* the log has heard of it */
};

struct served {
	struct pu_list node;
	struct pu_kad_inbound *owner;
	struct asker *asker;
	struct pu_stream *st;
	struct pu_buf in, out;
	struct pu_timer idle;
	bool eof;
};

struct pu_kad_inbound {
	struct pu_host *host;
	const char *protocol;
	pu_kad_request_fn *on_request;
	void *arg;
	bool open;
	struct pu_list streams;
	unsigned n_streams;
	struct pu_htab askers;
	struct pu_list lru;
	struct pu_kad_message req, reply; /* too large for a stack frame */
	struct pu_kad_inbound_stats stats;
};

/* Peers. */

static struct asker *asker_find(const struct pu_kad_inbound *in, const struct pu_peerid *peer)
{
	struct pu_hnode *n =
		pu_htab_first(&in->askers, pu_htab_hash(&in->askers, peer, sizeof *peer));

	for (; n; n = pu_htab_next(n)) {
		struct asker *a = PU_CONTAINER_OF(n, struct asker, hnode);

		if (pu_peerid_eq(&a->peer, peer))
			return a;
	}
	return NULL;
}

static void asker_free(struct pu_kad_inbound *in, struct asker *a)
{
	pu_htab_remove(&in->askers, &a->hnode);
	pu_list_remove(&a->lru);
	free(a);
}

static bool make_room(struct pu_kad_inbound *in)
{
	if (in->askers.n_nodes < PU_KAD_INBOUND_PEERS_MAX)
		return true;
	PU_LIST_FOREACH (it, tmp, &in->lru) {
		struct asker *a = PU_CONTAINER_OF(it, struct asker, lru);

		if (a->n_streams > 0)
			continue;
		asker_free(in, a);
		return true;
	}
	return false;
}

static struct asker *asker_get(struct pu_kad_inbound *in, const struct pu_peerid *peer)
{
	struct asker *a = asker_find(in, peer);

	if (a) {
		pu_list_remove(&a->lru);
		pu_list_append(&in->lru, &a->lru);
		return a;
	}
	a = make_room(in) ? calloc(1, sizeof *a) : NULL;
	if (!a)
		return NULL;
	if (pu_htab_add(&in->askers, &a->hnode, pu_htab_hash(&in->askers, peer, sizeof *peer)) <
	    0) {
		free(a);
		return NULL;
	}
	a->peer = *peer;
	pu_list_init(&a->lru);
	pu_list_append(&in->lru, &a->lru);
	return a;
}

static bool too_fast(struct asker *a, pu_time now)
{
	pu_time each = PU_SEC(1) / PU_KAD_INBOUND_RATE;
	pu_time full = a->full_at > now ? a->full_at : now;

	if (full + each > now + PU_KAD_INBOUND_BURST * each)
		return true;
	a->full_at = full + each;
	return false;
}

/* Streams. */

static void served_free(struct served *sv)
{
	pu_timer_stop(&sv->idle);
	pu_list_remove(&sv->node);
	sv->owner->n_streams--;
	sv->asker->n_streams--;
	pu_buf_deinit(&sv->in);
	pu_buf_deinit(&sv->out);
	free(sv);
}

static void refuse(struct served *sv, uint32_t code)
{
	pu_stream_reset(sv->st, code);
	served_free(sv);
}

static void served_active(struct served *sv)
{
	pu_timer_set(&sv->idle, pu_loop_now(pu_host_loop(sv->owner->host)) +
					PU_SEC(PU_KAD_INBOUND_IDLE_S));
}

static void flush(struct served *sv)
{
	struct pu_bytes b = pu_buf_bytes(&sv->out);

	pu_buf_consume(&sv->out, pu_stream_write(sv->st, b.p, b.len));
	if (sv->out.len == 0)
		pu_buf_clear(&sv->out, 0);
}

/* Floods are told of once per peer. */
static void log_flood(struct asker *a)
{
	char peer[PU_PEERID_SHORT_MAX];

	if (!a->told)
		pu_log(PU_LOG_WARN, "kad", "too many requests",
		       PU_KV_STR("peer", pu_peerid_short(&a->peer, peer)));
	a->told = true;
}

static void reply_init(struct pu_kad_message *reply, const struct pu_kad_message *req)
{
	reply->type = req->type;
	reply->key = req->key;
	reply->has_record = false;
	reply->received[0] = '\0';
	reply->n_closer = reply->n_providers = 0;
	reply->n_junk = 0;
	reply->unpacked = NULL;
}

/* 0, or the code to reset the stream with. */
static uint32_t handle(struct served *sv, struct pu_bytes body)
{
	struct pu_kad_inbound *in = sv->owner;
	enum pu_kad_verdict verdict;
	int r;

	if (too_fast(sv->asker, pu_loop_now(pu_host_loop(in->host)))) {
		in->stats.refused++;
		log_flood(sv->asker);
		return PU_STREAM_CODE_RATE;
	}
	in->stats.requests++;
	if (pu_kad_message_decode(body, &in->req) < 0) {
		in->stats.malformed++;
		return PU_STREAM_CODE_PROTOCOL;
	}
	reply_init(&in->reply, &in->req);
	verdict = in->on_request(in->arg, sv->st->conn, &in->req, &in->reply);
	r = verdict == PU_KAD_ANSWER ? pu_kad_message_encode(&in->reply, &sv->out) : 0;
	pu_kad_message_deinit(&in->req);
	if (verdict == PU_KAD_REFUSE || r < 0) {
		in->stats.refused++;
		return r < 0 ? PU_STREAM_CODE_LIMIT : PU_STREAM_CODE_PROTOCOL;
	}
	return 0;
}

/* All whole requests, as long as their answers are taken. False: the stream is gone. */
static bool take_requests(struct served *sv)
{
	while (sv->out.len == 0) {
		struct pu_bytes body;
		uint32_t code;
		size_t used;
		int r = pu_message_split(pu_buf_bytes(&sv->in), PU_KAD_REQUEST_MAX, &body, &used);

		if (r == PU_EAGAIN)
			return true;
		if (r < 0) {
			sv->owner->stats.malformed++;
			refuse(sv, PU_STREAM_CODE_PROTOCOL);
			return false;
		}
		code = handle(sv, body);
		if (code) {
			refuse(sv, code);
			return false;
		}
		pu_buf_consume(&sv->in, used);
		if (sv->in.len == 0)
			pu_buf_clear(&sv->in, 0);
		served_active(sv);
		flush(sv);
	}
	return true;
}

static void end_if_done(struct served *sv)
{
	if (!sv->eof || sv->out.len > 0)
		return;
	pu_stream_close(sv->st);
	served_free(sv);
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct served *sv = arg;
	size_t n = pu_min(len, pu_buf_room(&sv->in));

	if (sv->out.len > 0)
		return 0; /* first it has to take what it asked for */
	if (pu_buf_append(&sv->in, p, n) < 0)
		refuse(sv, PU_STREAM_CODE_LIMIT);
	else if (take_requests(sv) && n < len)
		pu_stream_resume(st);
	return n;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	struct served *sv = arg;

	sv->eof = true;
	end_if_done(sv);
}

static void on_writable(void *arg, struct pu_stream *st)
{
	struct served *sv = arg;

	flush(sv);
	if (sv->out.len > 0 || !take_requests(sv))
		return;
	pu_stream_resume(st);
	end_if_done(sv);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	served_free(arg);
}

static const struct pu_stream_events served_events = { on_recv, on_eof, on_writable, on_closed };

static void on_idle(void *arg)
{
	struct served *sv = arg;

	pu_stream_close(sv->st);
	served_free(sv);
}

static void on_stream(void *arg, struct pu_stream *st)
{
	struct pu_kad_inbound *in = arg;
	struct asker *a = st->conn->limited || in->n_streams >= PU_KAD_INBOUND_STREAMS_MAX
				  ? NULL
				  : asker_get(in, &st->conn->peer);
	struct served *sv = a && a->n_streams < PU_KAD_INBOUND_STREAMS_PER_PEER
				    ? calloc(1, sizeof *sv)
				    : NULL;

	if (!sv) {
		in->stats.refused++;
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return;
	}
	sv->owner = in;
	sv->asker = a;
	sv->st = st;
	a->n_streams++;
	in->n_streams++;
	pu_buf_init(&sv->in, PU_KAD_REQUEST_MAX + PU_UVARINT_MAX);
	pu_buf_init(&sv->out, PU_KAD_MESSAGE_OUT_MAX);
	pu_timer_init(&sv->idle, pu_host_loop(in->host), on_idle, sv);
	pu_list_append(&in->streams, &sv->node);
	served_active(sv);
	pu_stream_set_events(st, &served_events, sv);
}

/* The interface. */

int pu_kad_inbound_new(struct pu_host *h, const char *protocol, pu_kad_request_fn *on_request,
		       void *arg, struct pu_kad_inbound **pin)
{
	struct pu_kad_inbound *in = calloc(1, sizeof *in);
	uint8_t key[16];

	if (!in)
		return PU_ENOMEM;
	in->host = h;
	in->protocol = protocol;
	in->on_request = on_request;
	in->arg = arg;
	pu_list_init(&in->streams);
	pu_list_init(&in->lru);
	pu_loop_random(pu_host_loop(h), key, sizeof key);
	pu_htab_init(&in->askers, key);
	*pin = in;
	return 0;
}

int pu_kad_inbound_open(struct pu_kad_inbound *in)
{
	int r = in->open ? 0 : pu_host_handle(in->host, in->protocol, on_stream, in);

	if (r == 0)
		in->open = true;
	return r;
}

void pu_kad_inbound_close(struct pu_kad_inbound *in)
{
	if (in->open)
		pu_host_unhandle(in->host, in->protocol);
	in->open = false;
	PU_LIST_FOREACH (it, tmp, &in->streams)
		refuse(PU_CONTAINER_OF(it, struct served, node), PU_STREAM_CODE_SHUTDOWN);
}

void pu_kad_inbound_free(struct pu_kad_inbound *in)
{
	if (!in)
		return;
	pu_kad_inbound_close(in);
	PU_LIST_FOREACH (it, tmp, &in->lru)
		asker_free(in, PU_CONTAINER_OF(it, struct asker, lru));
	pu_htab_deinit(&in->askers);
	free(in);
}

void pu_kad_inbound_stats(const struct pu_kad_inbound *in, struct pu_kad_inbound_stats *out)
{
	*out = in->stats;
	out->streams = in->n_streams;
	out->bytes = in->askers.n_nodes * sizeof(struct asker) +
		     in->n_streams * sizeof(struct served) + sizeof *in;
	PU_LIST_FOREACH (it, tmp, &in->streams) {
		const struct served *sv = PU_CONTAINER_OF(it, struct served, node);

		out->bytes += sv->in.cap + sv->out.cap;
	}
}
