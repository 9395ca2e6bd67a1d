#include "support/handshake_pair.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/wire.h"
#include "crypto/hash.h"
#include "crypto/key.h"

static void maybe_free(struct pu_handshake_side *s, enum pu_handshake_event e)
{
	if (s->free_on == e) {
		pu_handshake_free(s->h);
		s->h = NULL;
	}
}

static void on_send(void *arg, const uint8_t *b, size_t len)
{
	struct pu_handshake_side *s = arg;
	struct pu_handshake_pair *p = s->pair;
	struct pu_handshake_message *m = &p->log[p->n_log];

	if (p->n_log == PU_HANDSHAKE_PAIR_LOG || len > sizeof m->b)
		abort();
	m->from_inviter = s == &p->inviter;
	m->eof = false;
	m->len = len;
	memcpy(m->b, b, len);
	p->n_log++;
	s->sent += len;
	maybe_free(s, PU_ON_SEND);
}

static bool on_guess(void *arg)
{
	struct pu_handshake_side *s = arg;

	s->guesses++;
	maybe_free(s, PU_ON_GUESS);
	return !s->no_guess;
}

static void on_proven(void *arg, const struct pu_introduction *peer)
{
	struct pu_handshake_side *s = arg;

	s->proven++;
	s->them = *peer;
	maybe_free(s, PU_ON_PROVEN);
	if (!s->h || s->hold)
		return;
	if (s->refuse)
		pu_handshake_refuse(s->h, s->refuse);
	else
		pu_handshake_accept(s->h);
}

static void on_done(void *arg)
{
	struct pu_handshake_side *s = arg;

	s->done++;
	maybe_free(s, PU_ON_DONE);
}

static void on_failed(void *arg, int err, const char *text)
{
	struct pu_handshake_side *s = arg;

	s->failed++;
	s->err = err;
	snprintf(s->text, sizeof s->text, "%s", text ? text : "");
	maybe_free(s, PU_ON_FAILED);
}

static const struct pu_handshake_events events = {
	.send = on_send,
	.on_guess = on_guess,
	.on_proven = on_proven,
	.on_done = on_done,
	.on_failed = on_failed,
};

static void draw(void *arg, uint8_t *p, size_t len)
{
	struct pu_handshake_side *s = arg;
	uint8_t in[5] = { s->pair->seed }, out[PU_SHA256_LEN];

	if (s->random) {
		memcpy(p, s->random, len);
		s->random += len;
		return;
	}
	for (size_t i = 0; i < len; i++) {
		pu_put_be32(in + 1, s->pair->drawn++);
		pu_sha256(pu_bytes(in, sizeof in), out);
		p[i] = out[0];
	}
}

static void identity(uint8_t seed, struct pu_peerid *id)
{
	uint8_t bytes[32];
	struct pu_key k;

	memset(bytes, seed, sizeof bytes);
	if (pu_crypto_init() < 0 || pu_key_from_seed(&k, bytes) < 0)
		abort();
	*id = k.peer;
	pu_key_deinit(&k);
}

void pu_handshake_pair_init(struct pu_handshake_pair *p, enum pu_code_version version)
{
	static const uint8_t token[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct pu_code code = { .version = version, .port = PU_CODE_PORT, .number = 7,
				.password = "otter-canyon-maple" };

	memset(p, 0, sizeof *p);
	memcpy(code.token, token, sizeof token);
	p->version = version;
	p->inviter.pair = p->joiner.pair = p;
	p->inviter.code = p->joiner.code = code;
	identity(2, &p->inviter.self);
	identity(3, &p->joiner.self);
	p->inviter.peer = p->joiner.self;
	p->joiner.peer = p->inviter.self;
	strcpy(p->inviter.us.name, "home");
	strcpy(p->joiner.us.name, "laptop");
	p->inviter.us.access = PU_ACCESS_NETWORK;
}

static void side_new(struct pu_handshake_side *s)
{
	struct pu_handshake_options opt = {
		.inviter = s == &s->pair->inviter,
		.version = s->pair->version,
		.code = &s->code,
		.self = s->self,
		.peer = s->peer,
		.us = &s->us,
		.random = draw,
		.ev = &events,
		.arg = s,
	};

	if (pu_handshake_new(&opt, &s->h) < 0)
		abort();
}

void pu_handshake_pair_start(struct pu_handshake_pair *p)
{
	side_new(&p->inviter);
	side_new(&p->joiner);
	pu_handshake_start(p->joiner.h);
}

static void hear(struct pu_handshake_side *s, const uint8_t *b, size_t len, size_t chunk)
{
	while (len > 0 && s->h) {
		size_t n = chunk ? pu_min(chunk, len) : len;

		pu_handshake_recv(s->h, b, n);
		b += n;
		len -= n;
	}
}

static struct pu_handshake_side *heard_by(struct pu_handshake_pair *p, bool from_inviter)
{
	return from_inviter ? &p->joiner : &p->inviter;
}

void pu_handshake_pair_deliver(struct pu_handshake_pair *p)
{
	while (p->next < p->n_log) {
		struct pu_handshake_message m = p->log[p->next];
		size_t i = p->next++;
		struct pu_handshake_side *to = heard_by(p, m.from_inviter);

		if (p->tap && !p->tap(p->arg, i, &m))
			return;
		hear(to, m.b, m.len, p->chunk);
		if (m.eof && to->h)
			pu_handshake_eof(to->h);
	}
}

void pu_handshake_pair_end(struct pu_handshake_pair *p)
{
	if (p->inviter.h)
		pu_handshake_eof(p->inviter.h);
	if (p->joiner.h)
		pu_handshake_eof(p->joiner.h);
}

void pu_handshake_pair_run(struct pu_handshake_pair *p)
{
	pu_handshake_pair_start(p);
	pu_handshake_pair_deliver(p);
	pu_handshake_pair_end(p);
}

void pu_handshake_pair_deinit(struct pu_handshake_pair *p)
{
	pu_handshake_free(p->inviter.h);
	pu_handshake_free(p->joiner.h);
	p->inviter.h = p->joiner.h = NULL;
}
