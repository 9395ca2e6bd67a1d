/* From a code to a stream to the inviter: a version 3 code names a place where somebody knows
 * whose number it is, a version 1 code names the inviter and its relay. */
#include <stdio.h>

#include "base/err.h"
#include "daemon/pairing_join.h"

static const char *const protocols_v1[] = { PU_INVITE_PROTOCOL_V1, NULL };
static const char *const protocols_v3[] = { PU_INVITE_PROTOCOL_V3, NULL };

static const char ask_again[] = "peerup-vpn invite (on the other machine, for a new code)";

void pu_join_meet_stop(struct join *j)
{
	struct pu_host *h = j->owner->node->host;

	for (size_t i = 0; i < j->n_ways; i++) {
		struct pu_join_way *w = &j->way[i];

		if (w->req)
			pu_host_cancel(h, w->req);
		if (w->lookup)
			pu_nameplate_cancel(w->lookup);
		w->req = NULL;
		w->lookup = NULL;
	}
}

/* --- to the inviter --------------------------------------------------------------- */

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct join *j = arg;

	j->opening = NULL;
	if (err == PU_ENOPROTO)
		pu_join_fail(j, err, ask_again,
			     "the inviting machine has no open invitation of this kind; the code "
			     "may have been used or have expired");
	else if (err < 0)
		pu_join_fail(j, err, ask_again, "the inviting machine cannot be reached: %s",
			     pu_err_text(err));
	else
		pu_join_talk(j, st);
}

static int open_stream(struct join *j)
{
	struct pu_host *h = j->owner->node->host;

	return pu_host_open(h, &j->inviter, NULL,
			    j->code.version == PU_CODE_INVITE_V1 ? protocols_v1 : protocols_v3,
			    on_open, j, &j->opening);
}

/* The way to the inviter through a relay at that address. */
static int add_circuit(struct join *j, const struct pu_multiaddr *at, const struct pu_peerid *relay)
{
	struct pu_multiaddr ma = *at;
	int r = pu_multiaddr_append(&ma, PU_MA_P2P, pu_peerid_bytes(relay));

	if (r == 0)
		r = pu_multiaddr_append(&ma, PU_MA_P2P_CIRCUIT, pu_bytes(NULL, 0));
	return r < 0 ? r : pu_host_add_addr(j->owner->node->host, &j->inviter, &ma, false);
}

/* --- whose number is it? ---------------------------------------------------------- */

static void way_lost(struct pu_join_way *w, int err)
{
	struct join *j = w->owner;
	char place[PU_CODE_HOST_MAX + 1];

	/* Somebody who knows that there is no such number knows best. */
	if (j->way_err == 0 || (err == PU_ENOENT && j->way_err != PU_ENOENT))
		j->way_err = err;
	if (++j->n_lost < j->n_ways)
		return;
	snprintf(place, sizeof place, "%s", j->code.host[0] ? j->code.host : "the relays");
	if (j->way_err == PU_ENOENT)
		pu_join_fail(j, PU_ENOENT, ask_again,
			     "no invitation has the number %u at %s; it may have been used or have "
			     "expired", j->code.number, place);
	else if (j->way_err == PU_ENOPROTO || j->way_err == PU_EDENIED)
		pu_join_fail(j, j->way_err, ask_again,
			     "%s answers, but has no open invitations for strangers", place);
	else
		pu_join_fail(j, j->way_err, ask_again, "%s cannot be reached: %s", place,
			     pu_err_text(j->way_err));
}

static void on_owner(void *arg, int err, const struct pu_peerid *owner)
{
	struct pu_join_way *w = arg;
	struct join *j = w->owner;
	int r = 0;

	w->lookup = NULL;
	if (err < 0) {
		way_lost(w, err);
		return;
	}
	j->inviter = *owner;
	j->keeper = w->keeper;
	if (pu_peerid_eq(owner, &j->owner->node->key.peer)) {
		pu_join_fail(j, PU_EINVAL, NULL,
			     "the code was made on this machine; type it on the other one");
		return;
	}
	if (!pu_peerid_eq(owner, &w->keeper))
		r = add_circuit(j, &w->remote, &w->keeper);
	pu_join_meet_stop(j);
	if (r == 0)
		r = open_stream(j);
	if (r < 0)
		pu_join_fail(j, r, NULL, "%s", pu_err_text(r));
}

static bool is_asked(const struct join *j, const struct pu_peerid *keeper)
{
	for (size_t i = 0; i < j->n_ways; i++)
		if (j->way[i].lookup && pu_peerid_eq(&j->way[i].keeper, keeper))
			return true;
	return false;
}

static void on_conn(void *arg, int err, struct pu_conn *c)
{
	struct pu_join_way *w = arg;
	struct join *j = w->owner;
	int r;

	w->req = NULL;
	if (err < 0) {
		way_lost(w, err);
		return;
	}
	if (is_asked(j, &c->peer)) { /* QUIC and TCP led to the same one */
		j->n_lost++;
		return;
	}
	w->keeper = c->peer;
	w->remote = c->remote;
	r = pu_nameplate_ask(j->owner->node->host, c, j->code.number, on_owner, w, &w->lookup);
	if (r < 0)
		way_lost(w, r);
}

static struct pu_join_way *add_way(struct join *j)
{
	struct pu_join_way *w = &j->way[j->n_ways++];

	*w = (struct pu_join_way){ .owner = j };
	return w;
}

/* A code without a place is for somebody who uses the same relays. */
static int ask_our_relays(struct join *j, struct pu_failure *why)
{
	const struct pu_config *cfg = j->owner->node->cfg;
	struct pu_multiaddr addr;
	struct pu_peerid id;
	int r = PU_ENOENT;

	for (size_t i = 0; i < cfg->relays.n && j->n_ways < PU_JOIN_WAYS_MAX; i++) {
		struct pu_join_way *w;
		bool known = pu_multiaddr_split_peer(&cfg->relays.v[i], &addr, &id) < 0;

		for (size_t k = 0; k < j->n_ways; k++)
			known |= pu_peerid_eq(&j->way[k].keeper, &id);
		if (known)
			continue;
		w = add_way(j);
		w->keeper = id;
		r = pu_host_connect(j->owner->node->host, &id, on_conn, w, &w->req);
		if (r < 0)
			j->n_ways--;
	}
	if (j->n_ways > 0)
		return 0;
	return pu_failure_set(why, r, "code", NULL,
			      "it names no place where to ask; type all of it, with the part in "
			      "front of the slash");
}

static int ask_there(struct join *j, struct pu_failure *why)
{
	struct pu_multiaddr ma[2];
	size_t n = pu_code_addrs(&j->code, ma);
	int r = PU_EINVAL;

	if (n == 0)
		return ask_our_relays(j, why);
	for (size_t i = 0; i < n; i++) {
		struct pu_join_way *w = add_way(j);

		r = pu_host_connect_addr(j->owner->node->host, &ma[i], on_conn, w, &w->req);
		if (r < 0)
			j->n_ways--;
	}
	return j->n_ways > 0 ? 0 :
			       pu_failure_set(why, r, "code", NULL, "%s cannot be asked: %s",
					      j->code.host, pu_err_text(r));
}

int pu_join_meet_start(struct join *j, struct pu_failure *why)
{
	struct pu_multiaddr addr;
	struct pu_enrolment unused = { .n_peers = 0 };
	struct pu_peerid id;
	int r;

	if (j->code.version == PU_CODE_INVITE_V3)
		return ask_there(j, why);
	r = pu_join_check_network(j, j->code.network, &unused, why);
	if (r < 0)
		return r;
	j->inviter = j->code.inviter;
	r = pu_multiaddr_split_peer(&j->code.relay, &addr, &id);
	if (r == 0)
		r = pu_host_add_addr(j->owner->node->host, &j->code.relay_id, &addr, false);
	if (r == 0)
		r = add_circuit(j, &addr, &j->code.relay_id);
	if (r == 0)
		r = open_stream(j);
	return r < 0 ? pu_failure_set(why, r, "join", NULL, "%s", pu_err_text(r)) : 0;
}
