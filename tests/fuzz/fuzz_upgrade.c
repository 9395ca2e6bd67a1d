/* Whatever arrives on a freshly accepted connection. The first byte says how long the
 * pieces are. */
#include <stdlib.h>

#include "base/loop.h"
#include "p2p/stack/upgrade.h"
#include "p2p/tls/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fake {
	struct pu_pipe pipe;
	bool closed;
};

static int fake_write(struct pu_pipe *p, const uint8_t *b, size_t len)
{
	return (int)len;
}

static void fake_nothing(struct pu_pipe *p)
{
}

static void fake_close(struct pu_pipe *p, bool hard)
{
	PU_CONTAINER_OF(p, struct fake, pipe)->closed = true;
}

static const struct pu_pipe_ops fake_ops = { fake_write, fake_nothing, fake_nothing, fake_close,
					     NULL };

struct result {
	bool done;
	struct pu_conn *c;
};

static void refuse_stream(void *arg, struct pu_conn *c, struct pu_stream *st)
{
	pu_stream_reset(st, 0);
}

static void conn_closed(void *arg, struct pu_conn *c, int err, uint64_t code)
{
	((struct result *)arg)->c = NULL;
}

static const struct pu_conn_events conn_events = { .on_stream = refuse_stream,
						   .on_closed = conn_closed };

static void on_done(void *arg, int err, struct pu_conn *c)
{
	struct result *r = arg;

	r->done = true;
	r->c = c;
	if (c) {
		c->ev = &conn_events;
		c->arg = r;
	}
}

static void random_fixed(void *arg, void *p, size_t n)
{
	memset(p, 0x5a, n);
}

static struct pu_key key;
static struct pu_tls_credentials *credentials;

static void prepare(struct pu_loop *loop)
{
	uint8_t seed[32] = { 7 };

	if (key.peer.len > 0)
		return;
	if (pu_crypto_init() < 0 || pu_key_from_seed(&key, seed) < 0 ||
	    pu_tls_credentials_new(&key, loop, &credentials) < 0)
		abort();
}

/* Turns until the loop has nothing to do for hours. */
static void settle(struct pu_loop *loop)
{
	for (int i = 0; i < 1000 && pu_loop_next_timeout(loop) != PU_TIME_NEVER; i++) {
		pu_loop_enter(loop, pu_loop_next_timeout(loop));
		pu_loop_leave(loop);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pu_tcp_transport_options opt = {
		.order = { PU_SECURITY_TLS, PU_SECURITY_NOISE }
	};
	struct fake fake = { .pipe.ops = &fake_ops };
	struct result r = { 0 };
	struct pu_loop loop;
	struct pu_upgrade_config cfg = { .inbound = true, .opt = &opt, .timeout = PU_SEC(15) };
	struct pu_upgrade *up;
	size_t step = size ? 1 + data[0] : 1;

	pu_loop_init(&loop, PU_SEC(1), (int64_t)PU_SEC(1700000000), random_fixed, NULL);
	prepare(&loop);
	cfg.loop = &loop;
	cfg.key = &key;
	cfg.tls = credentials;
	if (pu_upgrade_start(&cfg, &fake.pipe, on_done, &r, &up) < 0)
		return 0;
	for (size_t i = 1; i < size && !fake.closed; i += step) {
		pu_loop_enter(&loop, pu_loop_now(&loop) + PU_MS(1));
		fake.pipe.ev->on_recv(fake.pipe.arg, data + i, pu_min(step, size - i));
		pu_loop_leave(&loop);
	}
	if (!fake.closed && size & 1)
		fake.pipe.ev->on_eof(fake.pipe.arg);
	settle(&loop);
	if (r.c) /* cannot be: nobody guesses our keys */
		abort();
	if (!r.done)
		abort();
	pu_loop_deinit(&loop);
	return 0;
}
