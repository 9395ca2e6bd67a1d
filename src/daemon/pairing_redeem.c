/* A relay's code: the relay takes us in and tells who else is in the group. */
#include <stdio.h>
#include <stdlib.h>

#include "base/codec.h"
#include "base/err.h"
#include "daemon/pairing_join.h"

static void fill_relay(const struct join *j, const struct pu_pair_result *res,
		       struct pu_enrolment_peer *out)
{
	*out = (struct pu_enrolment_peer){ .id = j->code.relay_id, .comment = "relay",
					   .expires = PU_MEMBER_NO_EXPIRY, .unnamed = true };
	snprintf(out->group, sizeof out->group, "%s", res->group);
	/* It tells later introductions of this group from others. */
	pu_hex_encode(pu_bytes(res->proof, sizeof res->proof), out->hmac_proof,
		      sizeof out->hmac_proof);
}

static int enrol(struct join *j, const struct pu_pair_result *res, struct pu_failure *why)
{
	struct pu_pairing *p = j->owner;
	struct pu_enrolment e = { .now = pu_loop_unix(p->loop), .n_relays = 1 };
	size_t n = 0;
	int r = pu_join_check_network(j, j->code.network, &e, why);

	if (r < 0)
		return r;
	j->peer = calloc(res->n_peers + 1, sizeof *j->peer);
	if (!j->peer)
		return PU_ENOMEM;
	for (size_t i = 0; i < res->n_peers; i++) {
		struct pu_enrolment_peer *to = &j->peer[n];

		if (pu_peerid_eq(&res->peer[i].id, &p->node->key.peer) ||
		    pu_peerid_eq(&res->peer[i].id, &j->code.relay_id))
			continue;
		to->id = res->peer[i].id;
		to->access = j->access;
		to->expires = PU_MEMBER_NO_EXPIRY;
		pu_enrolment_call(&to->id, res->peer[i].name, to);
		snprintf(to->group, sizeof to->group, "%s", res->group);
		n++;
	}
	fill_relay(j, res, &j->peer[n]);
	e.relay[0] = j->code.relay;
	e.peer = j->peer;
	e.n_peers = n + 1;
	r = pu_enrolment_apply(p->node->cfg, &p->node->paths.owner, &e, why);
	if (r == 0)
		j->n_peers = n;
	return r;
}

static void on_redeemed(void *arg, int err, const struct pu_pair_result *res)
{
	static const char hint[] = "ask the relay's operator for a new code";
	struct join *j = arg;
	struct pu_failure why = { .what = "" };
	int r;

	j->redeem = NULL;
	if (err == PU_EDENIED || err == PU_ENOPROTO) {
		pu_join_fail(j, err, hint, "the relay does not accept the code: it is wrong, or it "
					   "has been used or has expired");
		return;
	}
	if (err < 0) {
		pu_join_fail(j, err, "the same command again", "the relay: %s", pu_err_text(err));
		return;
	}
	snprintf(j->group, sizeof j->group, "%s", res->group);
	r = enrol(j, res, &why);
	if (r < 0) {
		pu_failure_set(&why, r, "join", NULL, "%s", pu_err_text(r));
		pu_join_fail_as(j, r, &why);
		return;
	}
	/* We came to it as a stranger, who may do little: as a member we come anew. */
	pu_host_disconnect(j->owner->node->host, &j->code.relay_id, 0);
	r = pu_pairing_reload(j->owner, &why);
	if (r < 0)
		pu_join_fail_as(j, r, &why);
	else
		pu_join_succeed(j);
}

int pu_join_redeem_start(struct join *j, struct pu_failure *why)
{
	struct pu_host *h = j->owner->node->host;
	struct pu_enrolment unused = { .n_peers = 0 };
	struct pu_multiaddr addr;
	struct pu_peerid id;
	int r = pu_join_check_network(j, j->code.network, &unused, why);

	if (r == 0)
		r = pu_multiaddr_split_peer(&j->code.relay, &addr, &id);
	if (r == 0)
		r = pu_host_add_addr(h, &j->code.relay_id, &addr, false);
	if (r == 0)
		r = pu_pair_redeem(h, &j->code.relay_id, j->code.token, j->name, on_redeemed, j,
				   &j->redeem);
	return r < 0 ? pu_failure_set(why, r, "join", NULL, "%s", pu_err_text(r)) : 0;
}
