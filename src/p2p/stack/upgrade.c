#include "p2p/stack/upgrade.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/multistream/negotiate.h"
#include "p2p/noise/channel.h"
#include "p2p/stack/muxed.h"
#include "p2p/tls/channel.h"
#include "p2p/yamux/session.h"

enum upgrade_state {
	UPGRADE_SECURITY,  /* multistream: which security protocol */
	UPGRADE_HANDSHAKE, /* its handshake */
	UPGRADE_MUXER,     /* multistream inside the channel */
	UPGRADE_CONFIRM,   /* initiator: the muxer runs, is the peer content? */
};

struct pu_upgrade {
	struct pu_upgrade_config cfg;
	struct pu_peerid expected;
	enum upgrade_state state;
	struct pu_muxed_parts parts;
	struct pu_muxed *muxed; /* owns the parts */
	const char *security[3];
	struct pu_multistream ms;
	struct pu_timer timer;
	pu_upgrade_fn *on_done;
	void *arg;
};

static const char *const muxers[] = { PU_YAMUX_PROTOCOL, NULL };
static const char *const no_muxers[] = { NULL };

static const struct {
	enum pu_security id;
	const char *protocol;
	int (*new)(const struct pu_secure_config *cfg, struct pu_secure **ps);
} securities[] = {
	{ PU_SECURITY_TLS, PU_TLS_PROTOCOL, pu_tls_new },
	{ PU_SECURITY_NOISE, PU_NOISE_PROTOCOL, pu_noise_new },
};

static void parts_deinit(struct pu_muxed_parts *p)
{
	if (p->sec)
		p->sec->ops->free(p->sec);
	pu_buf_deinit(&p->in);
	pu_buf_deinit(&p->plain);
	pu_buf_deinit(&p->out);
}

static void upgrade_free(struct pu_upgrade *up)
{
	pu_timer_stop(&up->timer);
	parts_deinit(&up->parts);
	free(up);
}

static void discard(struct pu_upgrade *up, bool abort)
{
	if (up->muxed)
		pu_muxed_discard(up->muxed);
	else
		up->parts.pipe->ops->close(up->parts.pipe, abort);
	upgrade_free(up);
}

/* Whatever fits of an alert leaves before the pipe is closed. */
static void fail(struct pu_upgrade *up, int err)
{
	pu_upgrade_fn *on_done = up->on_done;
	void *arg = up->arg;
	struct pu_bytes alert = pu_buf_bytes(&up->parts.out);

	if (!up->muxed && alert.len > 0)
		up->parts.pipe->ops->write(up->parts.pipe, alert.p, alert.len);
	discard(up, false);
	on_done(arg, err, NULL);
}

/* 0, also when some bytes have to wait for on_writable. */
static int drain(struct pu_upgrade *up)
{
	struct pu_bytes b = pu_buf_bytes(&up->parts.out);
	int n = b.len ? up->parts.pipe->ops->write(up->parts.pipe, b.p, b.len) : 0;

	if (n < 0)
		return n;
	pu_buf_consume(&up->parts.out, (size_t)n);
	return 0;
}

/* Somebody who leaves as soon as he knows our name does not want us. */
static int why_gone(const struct pu_upgrade *up, int err)
{
	return up->cfg.initiator && up->state == UPGRADE_MUXER ? PU_EDENIED : err;
}

/* Security protocol. */

static bool speaks_security(void *arg, struct pu_bytes name)
{
	const struct pu_upgrade *up = arg;

	for (const char *const *s = up->security; *s; s++)
		if (pu_bytes_eq_str(name, *s))
			return true;
	return false;
}

static int list_security(struct pu_upgrade *up)
{
	size_t n = 0;

	for (size_t i = 0; i < PU_ARRAY_LEN(up->cfg.opt->order); i++)
		for (size_t j = 0; j < PU_ARRAY_LEN(securities); j++)
			if (securities[j].id == up->cfg.opt->order[i])
				up->security[n++] = securities[j].protocol;
	return n ? 0 : PU_EINVAL;
}

static int start_security(struct pu_upgrade *up)
{
	up->state = UPGRADE_SECURITY;
	if (up->cfg.initiator)
		return pu_multistream_initiate(&up->ms, up->security, false, &up->parts.out);
	return pu_multistream_respond(&up->ms, speaks_security, up, &up->parts.out);
}

static int start_handshake(struct pu_upgrade *up)
{
	struct pu_secure_config sc = {
		.key = up->cfg.key,
		.expected = up->cfg.expected ? &up->expected : NULL,
		.initiator = up->cfg.initiator,
		.muxers = up->cfg.opt->no_early_muxer ? no_muxers : muxers,
		.loop = up->cfg.loop,
		.tls = up->cfg.tls,
	};

	up->state = UPGRADE_HANDSHAKE;
	for (size_t i = 0; i < PU_ARRAY_LEN(securities); i++)
		if (strcmp(securities[i].protocol, pu_multistream_protocol(&up->ms)) == 0)
			return securities[i].new(&sc, &up->parts.sec);
	return PU_ENOPROTO;
}

static int step_security(struct pu_upgrade *up)
{
	size_t used;
	int r = pu_multistream_recv(&up->ms, pu_buf_bytes(&up->parts.in), &used, &up->parts.out);

	pu_buf_consume(&up->parts.in, used);
	return r < 0 ? r : start_handshake(up);
}

/* Muxer, inside the channel. */

static bool speaks_muxer(void *arg, struct pu_bytes name)
{
	(void)arg;
	return pu_bytes_eq_str(name, PU_YAMUX_PROTOCOL);
}

/* Seals what one step of the negotiation wrote. */
static int seal_lines(struct pu_upgrade *up, struct pu_buf *lines)
{
	struct pu_secure *sec = up->parts.sec;

	return lines->len ? sec->ops->seal(sec, pu_buf_bytes(lines), &up->parts.out) : 0;
}

static int start_muxer(struct pu_upgrade *up)
{
	struct pu_buf lines;
	int r;

	up->state = UPGRADE_MUXER;
	pu_buf_init(&lines, PU_MULTISTREAM_OUT_MAX);
	if (up->cfg.initiator)
		r = pu_multistream_initiate(&up->ms, muxers, false, &lines);
	else
		r = pu_multistream_respond(&up->ms, speaks_muxer, up, &lines);
	if (r == 0)
		r = seal_lines(up, &lines);
	pu_buf_deinit(&lines);
	return r;
}

static int step_muxer(struct pu_upgrade *up)
{
	struct pu_muxed_parts *p = &up->parts;
	struct pu_buf lines;
	size_t used;
	int r, sealed;

	r = p->sec->ops->open(p->sec, &p->in, &p->plain);
	if (r < 0)
		return why_gone(up, r == PU_EEOF ? PU_ECLOSED : r);
	pu_buf_init(&lines, PU_MULTISTREAM_OUT_MAX);
	r = pu_multistream_recv(&up->ms, pu_buf_bytes(&p->plain), &used, &lines);
	pu_buf_consume(&p->plain, used);
	sealed = seal_lines(up, &lines);
	pu_buf_deinit(&lines);
	return r == 0 || r == PU_EAGAIN ? (sealed < 0 ? sealed : r) : r;
}

/* Handshake. */

static bool welcome(struct pu_upgrade *up)
{
	const struct pu_upgrade_config *c = &up->cfg;

	return !c->gate ||
	       c->gate(c->gate_arg, &up->parts.sec->remote.peer, c->inbound, &c->remote);
}

static int step_handshake(struct pu_upgrade *up)
{
	struct pu_muxed_parts *p = &up->parts;
	int r = p->sec->ops->handshake(p->sec, &p->in, &p->out);

	if (r < 0)
		return r;
	if (!welcome(up)) {
		/* The peer shall not hear anything: the end of the pipe is the answer. */
		pu_buf_clear(&p->out, 0);
		return PU_EDENIED;
	}
	return p->sec->muxer ? 0 : start_muxer(up);
}

/* Done. */

static void confirmed(void *arg, int err)
{
	struct pu_upgrade *up = arg;
	pu_upgrade_fn *on_done = up->on_done;
	void *done_arg = up->arg;
	struct pu_conn *c = err < 0 ? NULL : pu_muxed_conn(up->muxed);

	upgrade_free(up);
	on_done(done_arg, err, c);
}

static int finish(struct pu_upgrade *up)
{
	struct pu_muxed *m;
	int r = pu_muxed_new(&up->cfg, &up->parts, &m);

	if (r < 0)
		return r;
	up->parts = (struct pu_muxed_parts){ 0 };
	up->muxed = m;
	if (up->cfg.initiator && pu_muxed_conn(m)->early_muxer) {
		up->state = UPGRADE_CONFIRM;
		pu_muxed_confirm(m, confirmed, up);
		return 0;
	}
	confirmed(up, 0);
	pu_muxed_start(m);
	return 0;
}

static int step(struct pu_upgrade *up)
{
	switch (up->state) {
	case UPGRADE_SECURITY:
		return step_security(up);
	case UPGRADE_HANDSHAKE:
		return step_handshake(up);
	case UPGRADE_MUXER:
		return step_muxer(up);
	case UPGRADE_CONFIRM:
		break;
	}
	return 0;
}

/* Goes as far as the input lasts. The upgrade may be gone afterwards. */
static void advance(struct pu_upgrade *up)
{
	enum upgrade_state was;
	int r;

	do {
		was = up->state;
		r = step(up);
	} while (r == 0 && up->state != was);
	if (r == 0 || r == PU_EAGAIN) {
		int w = drain(up);

		if (w < 0)
			r = PU_ERESET;
	}
	if (r == 0)
		r = finish(up);
	if (r < 0 && r != PU_EAGAIN)
		fail(up, r);
}

/* The pipe. */

static size_t on_recv(void *arg, const uint8_t *p, size_t len)
{
	struct pu_upgrade *up = arg;
	int r = pu_buf_append(&up->parts.in, p, len);

	/* Nobody has reason to send that much before we agreed. */
	if (r < 0)
		fail(up, r == PU_ELIMIT ? PU_EPROTO : r);
	else
		advance(up);
	return len;
}

static void on_eof(void *arg)
{
	struct pu_upgrade *up = arg;

	fail(up, why_gone(up, PU_ECLOSED));
}

static void on_writable(void *arg)
{
	struct pu_upgrade *up = arg;

	if (drain(up) < 0)
		fail(up, PU_ERESET);
}

static void on_error(void *arg, int err)
{
	struct pu_upgrade *up = arg;

	fail(up, why_gone(up, err));
}

static const struct pu_pipe_events pipe_events = { on_recv, on_eof, on_writable, on_error };

static void on_timeout(void *arg)
{
	fail(arg, PU_ETIMEDOUT);
}

static void configure(struct pu_upgrade *up, const struct pu_upgrade_config *cfg,
		      struct pu_pipe *pipe)
{
	up->cfg = *cfg;
	if (cfg->expected) {
		up->expected = *cfg->expected;
		up->cfg.expected = &up->expected;
	}
	up->parts.pipe = pipe;
	pu_buf_init(&up->parts.in, PU_MUXED_IN_MAX);
	pu_buf_init(&up->parts.plain, PU_MUXED_PLAIN_MAX);
	pu_buf_init(&up->parts.out, PU_MUXED_OUT_MAX);
	pu_timer_init(&up->timer, cfg->loop, on_timeout, up);
}

int pu_upgrade_start(const struct pu_upgrade_config *cfg, PU_TAKES struct pu_pipe *pipe,
		     pu_upgrade_fn *on_done, void *arg, struct pu_upgrade **pup)
{
	struct pu_upgrade *up = calloc(1, sizeof *up);
	int r;

	if (!up) {
		pipe->ops->close(pipe, true);
		return PU_ENOMEM;
	}
	configure(up, cfg, pipe);
	up->on_done = on_done;
	up->arg = arg;
	r = list_security(up);
	if (r == 0)
		r = pu_buf_append(&up->parts.in, cfg->early.p, cfg->early.len);
	if (r == 0)
		r = start_security(up);
	if (r < 0) {
		discard(up, true);
		return r;
	}
	pu_timer_set(&up->timer, pu_loop_now(cfg->loop) + cfg->timeout);
	pipe->ev = &pipe_events;
	pipe->arg = up;
	drain(up); /* a broken pipe tells by on_error */
	*pup = up;
	return 0;
}

void pu_upgrade_cancel(struct pu_upgrade *up)
{
	discard(up, true);
}
