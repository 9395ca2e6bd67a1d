/* The joiner's side of the conversation with its host, the inviter. */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/pairing_join.h"

static void on_send(void *arg, const uint8_t *p, size_t len)
{
	struct join *j = arg;

	pu_talk_send(&j->talk, p, len);
}

static bool on_guess(void *arg)
{
	return true; /* only asked of inviters */
}

static void on_random(void *arg, uint8_t *p, size_t len)
{
	const struct join *j = arg;

	pu_loop_random(j->owner->loop, p, len);
}

/* Relays of the inviter, without those that only it can reach. */
static void take_relays(const struct join *j, const struct pu_introduction *intro,
			struct pu_enrolment *e)
{
	struct pu_multiaddr addr;
	struct pu_peerid id;

	if (j->code.version == PU_CODE_INVITE_V1)
		e->relay[e->n_relays++] = j->code.relay;
	for (size_t i = 0; i < intro->n_relays && e->n_relays < PU_ENROLMENT_RELAYS_MAX; i++)
		if (pu_multiaddr_split_peer(&intro->relay[i], &addr, &id) == 0 &&
		    !pu_multiaddr_is_loopback(&addr) && !pu_multiaddr_has(&addr, PU_MA_P2P_CIRCUIT))
			e->relay[e->n_relays++] = intro->relay[i];
}

/* Without relays nothing else would lead to the inviter tomorrow. */
static void take_addrs(const struct pu_introduction *intro, struct pu_enrolment_peer *peer)
{
	for (size_t i = 0; i < intro->n_addrs && peer->n_addrs < PU_ENROLMENT_ADDRS_MAX; i++) {
		enum pu_ma_kind kind = pu_multiaddr_kind(&intro->addr[i]);

		if ((kind == PU_MA_KIND_TCP || kind == PU_MA_KIND_QUIC) &&
		    !pu_multiaddr_is_loopback(&intro->addr[i]) &&
		    !pu_multiaddr_has(&intro->addr[i], PU_MA_P2P))
			peer->addr[peer->n_addrs++] = intro->addr[i];
	}
}

static int enrol(struct join *j, const struct pu_introduction *intro, struct pu_failure *why)
{
	struct pu_pairing *p = j->owner;
	int64_t now = pu_loop_unix(p->loop);
	struct pu_enrolment e = { .now = now, .n_peers = 1 };
	int r;

	if (j->code.version == PU_CODE_INVITE_V3) {
		r = pu_join_check_network(j, intro->network, &e, why);
		if (r < 0)
			return r;
	}
	j->peer = calloc(1, sizeof *j->peer);
	if (!j->peer)
		return PU_ENOMEM;
	j->peer->id = j->inviter;
	j->peer->access = j->access;
	j->peer->expires = PU_MEMBER_NO_EXPIRY;
	/* Version 1 has no word after this one: the inviter has stored us already. */
	if (j->code.version == PU_CODE_INVITE_V3) {
		j->peer->provisional = true;
		j->peer->expires = now + PU_PAIRING_UNCONFIRMED_S;
	}
	pu_enrolment_call(&j->inviter, intro->name, j->peer);
	take_relays(j, intro, &e);
	if (e.n_relays == 0)
		take_addrs(intro, j->peer);
	e.peer = j->peer;
	r = pu_enrolment_apply(p->node->cfg, &p->node->paths.owner, &e, why);
	if (r < 0)
		return r;
	if (j->peer->provisional && !j->peer->was_member)
		r = pu_newcomer_add(p, &j->inviter, j->peer->expires, 0);
	if (r == 0)
		r = pu_pairing_reload(p, why);
	if (r < 0)
		pu_enrolment_settle(p->node->cfg, &j->inviter, false);
	else
		j->n_peers = 1;
	return r;
}

static void on_proven(void *arg, const struct pu_introduction *intro)
{
	struct join *j = arg;
	struct pu_failure why = { .what = "" };
	int r = enrol(j, intro, &why);

	if (r < 0) {
		pu_handshake_refuse(j->talk.hs, r == PU_EDENIED ? "it is in another network" :
								  "it cannot store the invitation");
		pu_failure_set(&why, r, "join", NULL, "%s", pu_err_text(r));
		pu_join_fail_as(j, r, &why);
		return;
	}
	j->stored = true;
	pu_handshake_accept(j->talk.hs);
}

static void on_done(void *arg)
{
	struct join *j = arg;

	pu_newcomer_confirm(j->owner, &j->inviter);
	pu_join_succeed(j);
}

/* Both have stored the other, but our last word or its answer is lost: as soon as the two
 * speak as members, both know. */
static void on_cut_off(struct join *j)
{
	pu_log_msg(PU_LOG_WARN, "pairing", "cut off at the last moment, counts when the other "
					   "machine shows itself");
	pu_join_succeed(j);
}

static void on_failed(void *arg, int err, const char *text)
{
	struct join *j = arg;

	if (j->stored && err != PU_EREFUSED) {
		on_cut_off(j);
		return;
	}
	if (err == PU_EREFUSED)
		pu_join_fail(j, err, NULL, "the inviting machine says: %s", text ? text : "no");
	else if (err == PU_EDENIED)
		pu_join_fail(j, err, "peerup-vpn invite (on the other machine, for a new code)",
			     "the code is wrong, or it has been used or has expired");
	else
		pu_join_fail(j, err, "the same command again",
			     "the conversation with the inviting machine broke off: %s",
			     pu_err_text(err));
}

static const struct pu_handshake_events events = {
	.send = on_send,
	.on_guess = on_guess,
	.on_proven = on_proven,
	.on_done = on_done,
	.on_failed = on_failed,
};

static void on_lost(void *arg, int err)
{
	struct join *j = arg;

	/* An inviter that does not like what it heard may also hang up. */
	on_failed(j, err == PU_ERESET ? PU_EDENIED : err, NULL);
}

void pu_join_talk(struct join *j, struct pu_stream *st)
{
	struct pu_pairing *p = j->owner;
	struct pu_introduction us;
	const struct pu_handshake_options opt = {
		.version = j->code.version,
		.code = &j->code,
		.self = p->node->key.peer,
		.peer = j->inviter,
		.us = &us,
		.random = on_random,
		.ev = &events,
		.arg = j,
	};
	const uint8_t number[2] = { (uint8_t)(j->code.number >> 8), (uint8_t)j->code.number };
	int r;

	j->talk = (struct pu_talk){ .on_lost = on_lost, .arg = j };
	j->talking = true;
	pu_pairing_introduce(p, j->name, j->access, &us);
	pu_talk_open(&j->talk, st);
	r = pu_talk_start(&j->talk, &opt);
	if (r < 0) {
		pu_join_fail(j, r, NULL, "%s", pu_err_text(r));
		return;
	}
	if (j->code.version == PU_CODE_INVITE_V3)
		pu_talk_send(&j->talk, number, sizeof number);
	pu_handshake_start(j->talk.hs);
}
