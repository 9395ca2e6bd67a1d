#include "p2p/autonat/dialback.h"

#include <stdlib.h>

#include "base/err.h"
#include "p2p/autonat/autonat.h"
#include "p2p/proto/message.h"

/* What a peer may do on a connection that we opened only to say a number. */
enum { STREAMS_MAX = 8 };

struct pu_autonat_dialback {
	struct pu_host *owner;
	struct pu_key key;
	struct pu_host *h; /* the throw-away one */
	struct pu_host_request *req;
	struct pu_stream *st;
	struct pu_timer timer;
	struct pu_peerid peer;
	uint64_t nonce;
	bool connected;
	pu_autonat_dialback_fn *on_done; /* NULL: told or canceled */
	void *arg;
};

static void dialback_free(struct pu_autonat_dialback *d)
{
	pu_timer_stop(&d->timer);
	if (d->h)
		pu_host_free(d->h);
	pu_key_deinit(&d->key);
	pu_host_release(d->owner);
	free(d);
}

static void on_stopped(void *arg)
{
	dialback_free(arg);
}

/* Closes everything; the memory goes when that is done. */
static void wind_up(struct pu_autonat_dialback *d)
{
	d->on_done = NULL;
	pu_timer_stop(&d->timer);
	if (d->req)
		pu_host_cancel(d->h, d->req);
	if (d->st)
		pu_stream_close(d->st);
	d->req = NULL;
	d->st = NULL;
	pu_host_stop(d->h, on_stopped, d);
}

static void finish(struct pu_autonat_dialback *d, int err, enum pu_autonat_dial status)
{
	pu_autonat_dialback_fn *on_done = d->on_done;
	void *arg = d->arg;

	wind_up(d);
	on_done(arg, err, err ? PU_AUTONAT_DIAL_UNUSED : status);
}

void pu_autonat_dialback_cancel(struct pu_autonat_dialback *d)
{
	wind_up(d);
}

static void on_timeout(void *arg)
{
	struct pu_autonat_dialback *d = arg;

	finish(d, 0, d->connected ? PU_AUTONAT_DIAL_BACK_ERROR : PU_AUTONAT_DIAL_ERROR);
}

/* The stream. */

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct pu_bytes body;
	uint32_t status;
	size_t used;
	int r = pu_message_split(pu_bytes(p, len), PU_AUTONAT_BACK_MAX, &body, &used);

	(void)st;
	if (r == PU_EAGAIN)
		return 0;
	if (r == 0)
		r = pu_autonat_back_response_decode(body, &status);
	finish(arg, 0, r == 0 && status == 0 ? PU_AUTONAT_DIAL_OK : PU_AUTONAT_DIAL_BACK_ERROR);
	return len;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	(void)st;
	finish(arg, 0, PU_AUTONAT_DIAL_OK);
}

/* go resets the stream, with code 0, behind the answer, which may be lost with that; it
 * has read the nonce then. */
static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct pu_autonat_dialback *d = arg;
	bool read = err == PU_ERESET && code == PU_STREAM_CODE_NONE;

	(void)st;
	d->st = NULL;
	finish(d, 0, read ? PU_AUTONAT_DIAL_OK : PU_AUTONAT_DIAL_BACK_ERROR);
}

static const struct pu_stream_events stream_events = { .on_recv = on_recv, .on_eof = on_eof,
						       .on_closed = on_closed };

static int say_nonce(struct pu_autonat_dialback *d)
{
	struct pu_buf out;
	int r;

	pu_buf_init(&out, PU_AUTONAT_BACK_MAX);
	r = pu_autonat_back_encode(d->nonce, &out);
	if (r == 0 && pu_stream_write(d->st, pu_buf_bytes(&out).p, out.len) < out.len)
		r = PU_ELIMIT;
	pu_buf_deinit(&out);
	return r;
}

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct pu_autonat_dialback *d = arg;

	d->req = NULL;
	if (err < 0) {
		finish(d, 0, PU_AUTONAT_DIAL_BACK_ERROR);
		return;
	}
	d->st = st;
	pu_stream_set_events(st, &stream_events, d);
	if (say_nonce(d) < 0)
		finish(d, 0, PU_AUTONAT_DIAL_BACK_ERROR);
	else
		pu_stream_shutdown(st);
}

/* The connection. */

static void on_connect(void *arg, int err, struct pu_conn *c)
{
	static const char *const protocols[] = { PU_AUTONAT_BACK_PROTOCOL, NULL };
	struct pu_autonat_dialback *d = arg;
	struct pu_loop *loop = pu_host_loop(d->h);

	d->req = NULL;
	if (err < 0) {
		bool ours = err == PU_ENOMEM || err == PU_ENOTSUP || err == PU_ESYS;

		finish(d, ours ? err : 0, PU_AUTONAT_DIAL_ERROR);
		return;
	}
	d->connected = true;
	pu_timer_set(&d->timer, pu_loop_now(loop) + PU_SEC(PU_AUTONAT_BACK_TIMEOUT_S));
	if (pu_host_open(d->h, &d->peer, c, protocols, on_open, d, &d->req) < 0)
		finish(d, 0, PU_AUTONAT_DIAL_BACK_ERROR);
}

static int make_host(struct pu_autonat_dialback *d)
{
	struct pu_transport_config lent = pu_host_transport_config(d->owner);
	struct pu_host_config cfg = {
		.loop = lent.loop,
		.net = lent.net,
		.key = &d->key,
		.max_conns = 1,
		.max_conns_per_peer = 1,
		.max_streams = STREAMS_MAX,
	};
	uint8_t seed[32];
	int r;

	pu_loop_random(lent.loop, seed, sizeof seed);
	r = pu_key_from_seed(&d->key, seed);
	explicit_bzero(seed, sizeof seed);
	return r < 0 ? r : pu_host_new(&cfg, &d->h);
}

static int connect_to(struct pu_autonat_dialback *d, const struct pu_multiaddr *ma)
{
	int r = pu_host_add_addr(d->h, &d->peer, ma, true);

	return r < 0 ? r : pu_host_connect(d->h, &d->peer, on_connect, d, &d->req);
}

int pu_autonat_dialback_start(struct pu_host *h, const struct pu_peerid *peer,
			      const struct pu_multiaddr *ma, uint64_t nonce, pu_time limit,
			      pu_autonat_dialback_fn *on_done, void *arg,
			      struct pu_autonat_dialback **pd)
{
	struct pu_autonat_dialback *d = calloc(1, sizeof *d);
	pu_time most = PU_SEC(PU_AUTONAT_DIAL_TIMEOUT_S);
	int r;

	if (!d)
		return PU_ENOMEM;
	d->owner = h;
	d->peer = *peer;
	d->nonce = nonce;
	d->on_done = on_done;
	d->arg = arg;
	pu_host_hold(h);
	pu_timer_init(&d->timer, pu_host_loop(h), on_timeout, d);
	r = make_host(d);
	if (r < 0) {
		dialback_free(d);
		return r;
	}
	pu_timer_set(&d->timer, pu_loop_now(pu_host_loop(h)) + (limit < most ? limit : most));
	r = connect_to(d, ma);
	if (r < 0) {
		wind_up(d);
		return r;
	}
	*pd = d;
	return 0;
}
