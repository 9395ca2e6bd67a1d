/* Who comes with a code: the inviter's side of the conversation. */
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/pairing_internal.h"

enum {
	GUESTS_MAX = 24,
	GUESTS_PER_PEER = 2, /* one may be left of a way that has died */
	NUMBER_LEN = 2,  /* in front of a conversation of version 3: which invitation */
	PATIENCE_S = 25, /* strangers are not let stay for longer anyway */
};

struct guest {
	struct pu_list node;
	struct pu_pairing *owner;
	struct pu_talk talk;
	struct pu_timer timer;
	struct pu_peerid peer;
	enum pu_code_version version;
	uint64_t invite; /* 0: not known yet */
	uint8_t number[NUMBER_LEN];
	size_t n_number;
	bool proven;
};

static void guest_free(struct guest *g, bool politely)
{
	struct pu_pairing *p = g->owner;

	pu_timer_stop(&g->timer);
	pu_list_remove(&g->node);
	pu_talk_close(&g->talk, politely);
	free(g);
	pu_invite_update_serving(p);
}

static struct invite *invite_of(const struct guest *g)
{
	return pu_pairing_invite_find(g->owner, g->invite);
}

static struct invite *find_open(const struct pu_pairing *p, enum pu_code_version version,
				unsigned number)
{
	PU_LIST_FOREACH (it, tmp, &p->invites) {
		struct invite *i = PU_CONTAINER_OF(it, struct invite, node);

		if (i->pub.state == PU_INVITE_OPEN && i->pub.version == version &&
		    (version == PU_CODE_INVITE_V1 || i->code.number == number))
			return i;
	}
	return NULL;
}

/* --- the conversation ------------------------------------------------------------- */

static void on_send(void *arg, const uint8_t *p, size_t len)
{
	struct guest *g = arg;

	pu_talk_send(&g->talk, p, len);
}

/* Counted before anything is answered; a right one is taken off again. Whoever hangs up
 * after the answer has had its guess. */
static bool on_guess(void *arg)
{
	const struct guest *g = arg;
	struct invite *i = invite_of(g);

	if (!i || i->pub.state != PU_INVITE_OPEN || i->taken ||
	    i->pub.wrong_guesses >= PU_PAIRING_GUESSES_MAX)
		return false;
	i->pub.wrong_guesses++;
	return true;
}

static int enrol(struct guest *g, struct invite *i, const struct pu_introduction *intro,
		 struct pu_failure *why)
{
	struct pu_pairing *p = g->owner;
	int64_t now = pu_loop_unix(p->loop);
	struct pu_enrolment_peer peer = {
		.id = g->peer,
		.access = i->pub.access,
		.expires = now + PU_PAIRING_UNCONFIRMED_S,
		.provisional = true,
	};
	struct pu_enrolment e = { .now = now, .n_peers = 1, .peer = &peer };
	int r;

	pu_enrolment_call(&g->peer, intro->name, &peer);
	r = pu_enrolment_apply(p->node->cfg, &p->node->paths.owner, &e, why);
	if (r == 0 && !peer.was_member)
		r = pu_newcomer_add(p, &g->peer, peer.expires, i->pub.id);
	if (r == 0)
		r = pu_pairing_reload(p, why);
	if (r < 0) {
		pu_enrolment_settle(p->node->cfg, &g->peer, false);
		return r;
	}
	i->pub.peer = g->peer;
	i->pub.confirmed = peer.was_member;
	snprintf(i->pub.peer_name, sizeof i->pub.peer_name, "%s", peer.name);
	return 0;
}

static void on_vouched(void *arg, int err)
{
	if (err < 0)
		pu_log(PU_LOG_WARN, "pairing",
		       "the relay does not take the new peer in: its operator has to authorize it",
		       PU_KV_ERR(err));
}

bool pu_guests_any(const struct pu_pairing *p, uint64_t invite)
{
	PU_LIST_FOREACH (it, tmp, &p->guests)
		if (PU_CONTAINER_OF(it, struct guest, node)->invite == invite)
			return true;
	return false;
}

static void vouch(const struct invite *i)
{
	struct pu_nameplate *plate = i->chosen ? i->chosen->plate : NULL;
	int r = plate ? pu_nameplate_vouch(plate, &i->pub.peer, i->pub.peer_name, on_vouched, NULL)
		      : 0;

	if (r < 0)
		on_vouched(NULL, r);
}

static void refuse(struct guest *g, const char *text)
{
	pu_handshake_refuse(g->talk.hs, text);
	guest_free(g, true);
}

static void on_proven(void *arg, const struct pu_introduction *intro)
{
	struct guest *g = arg;
	struct invite *i = invite_of(g);
	struct pu_failure why = { .what = "" };
	char id[PU_PEERID_SHORT_MAX];

	if (i && i->pub.wrong_guesses > 0)
		i->pub.wrong_guesses--;
	if (!i || i->taken || i->pub.state != PU_INVITE_OPEN) {
		refuse(g, "this code has been used already");
		return;
	}
	i->taken = true;
	if (enrol(g, i, intro, &why) < 0) {
		pu_log(PU_LOG_ERROR, "pairing", "cannot store who has joined",
		       PU_KV_STR("peer", pu_peerid_short(&g->peer, id)),
		       PU_KV_STR("what", why.what), PU_KV_STR("why", why.why));
		i->taken = false; /* the code is good for another try */
		refuse(g, "the other machine cannot store this one; see its log");
		return;
	}
	g->proven = true;
	vouch(i);
	pu_host_promote(g->owner->node->host, &g->peer);
	pu_invite_end(i, PU_INVITE_USED);
	/* g may be gone after it: on_done comes from inside with version 1. */
	pu_handshake_accept(g->talk.hs);
}

static void on_done(void *arg)
{
	struct guest *g = arg;
	struct pu_pairing *p = g->owner;
	struct pu_peerid peer = g->peer;

	pu_newcomer_confirm(p, &peer);
	guest_free(g, true);
}

static void check_guesses(struct invite *i)
{
	if (i && i->pub.state == PU_INVITE_OPEN &&
	    i->pub.wrong_guesses >= PU_PAIRING_GUESSES_MAX)
		pu_invite_end(i, PU_INVITE_VOID);
}

static void on_failed(void *arg, int err, const char *text)
{
	struct guest *g = arg;
	struct pu_pairing *p = g->owner;
	uint64_t invite = g->invite;
	char id[PU_PEERID_SHORT_MAX];

	pu_log(PU_LOG_WARN, "pairing", g->proven ? "a joiner did not finish" : "no such code",
	       PU_KV_STR("peer", pu_peerid_short(&g->peer, id)), PU_KV_U64("id", invite),
	       PU_KV_ERR(err));
	/* It was stored for a short while and says itself that it does not want to. */
	if (g->proven && err == PU_EREFUSED)
		pu_newcomer_refused(p, &g->peer, text);
	guest_free(g, true);
	check_guesses(pu_pairing_invite_find(p, invite));
}

static void on_random(void *arg, uint8_t *p, size_t len)
{
	const struct guest *g = arg;

	pu_loop_random(g->owner->loop, p, len);
}

static const struct pu_handshake_events events = {
	.send = on_send,
	.on_guess = on_guess,
	.on_proven = on_proven,
	.on_done = on_done,
	.on_failed = on_failed,
};

static int start(struct guest *g, const struct invite *i)
{
	struct pu_introduction us;
	const struct pu_handshake_options opt = {
		.inviter = true,
		.version = g->version,
		.code = &i->code,
		.self = g->owner->node->key.peer,
		.peer = g->peer,
		.us = &us,
		.random = on_random,
		.ev = &events,
		.arg = g,
	};

	g->invite = i->pub.id;
	pu_pairing_introduce(g->owner, i->name, i->pub.access, &us);
	return pu_talk_start(&g->talk, &opt);
}

/* --- coming and going ------------------------------------------------------------- */

/* A number that nobody has looks like a wrong password: no list of open invitations. */
static size_t on_first(void *arg, const uint8_t *p, size_t len)
{
	struct guest *g = arg;
	const struct invite *i;
	size_t n = pu_min(len, NUMBER_LEN - g->n_number);

	memcpy(g->number + g->n_number, p, n);
	g->n_number += n;
	if (g->n_number < NUMBER_LEN)
		return n;
	i = find_open(g->owner, g->version, (unsigned)(g->number[0] << 8 | g->number[1]));
	if (!i || start(g, i) < 0) {
		guest_free(g, true);
		return len;
	}
	pu_handshake_recv(g->talk.hs, p + n, len - n);
	return len;
}

static void on_lost(void *arg, int err)
{
	on_failed(arg, err, NULL);
}

static void on_timer(void *arg)
{
	on_failed(arg, PU_ETIMEDOUT, NULL);
}

static bool has_room(const struct pu_pairing *p, const struct pu_peerid *peer)
{
	unsigned n = 0, same = 0;

	PU_LIST_FOREACH (it, tmp, &p->guests) {
		n++;
		same += pu_peerid_eq(&PU_CONTAINER_OF(it, struct guest, node)->peer, peer);
	}
	return n < GUESTS_MAX && same < GUESTS_PER_PEER;
}

void pu_guest_accept(void *arg, struct pu_stream *st)
{
	struct pu_pairing *p = arg;
	bool v1 = strcmp(st->protocol, PU_INVITE_PROTOCOL_V1) == 0;
	const struct invite *i = v1 ? find_open(p, PU_CODE_INVITE_V1, 0) : NULL;
	bool wanted = (i || !v1) && has_room(p, &st->conn->peer);
	struct guest *g = wanted ? calloc(1, sizeof *g) : NULL;

	if (!g) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return;
	}
	g->owner = p;
	g->peer = st->conn->peer;
	g->version = v1 ? PU_CODE_INVITE_V1 : PU_CODE_INVITE_V3;
	g->talk = (struct pu_talk){ .on_first = on_first, .on_lost = on_lost, .arg = g };
	pu_timer_init(&g->timer, p->loop, on_timer, g);
	pu_timer_set(&g->timer, pu_loop_now(p->loop) + PU_SEC(PATIENCE_S));
	pu_list_append(&p->guests, &g->node);
	pu_talk_open(&g->talk, st);
	if (v1 && start(g, i) < 0)
		guest_free(g, false);
}

void pu_guests_drop(struct pu_pairing *p, uint64_t invite)
{
	PU_LIST_FOREACH (it, tmp, &p->guests) {
		struct guest *g = PU_CONTAINER_OF(it, struct guest, node);

		if (invite == 0 || g->invite == invite)
			guest_free(g, false);
	}
}
