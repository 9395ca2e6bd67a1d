/* Who gets into the table and who falls out of it: a peer whose identify lists the
 * protocol, over a direct connection, that has answered a question; as go does it. */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/kad/state.h"

/* A peer on trial. */
struct check {
	struct pu_list node;
	struct pu_kad *k;
	struct pu_peerid peer;
	struct pu_kad_call *call;
};

static bool is_shunned(const struct pu_kad *k, const struct pu_peerid *peer)
{
	for (unsigned i = 0; i < KAD_SHUNNED_MAX; i++)
		if (k->shunned[i].until > pu_loop_now(k->loop) &&
		    pu_peerid_eq(&k->shunned[i].peer, peer))
			return true;
	return false;
}

static void shun(struct pu_kad *k, const struct pu_peerid *peer)
{
	struct kad_shunned *s;
	char text[PU_PEERID_SHORT_MAX];

	if (is_shunned(k, peer))
		return;
	s = &k->shunned[k->next_shunned++ % KAD_SHUNNED_MAX];
	s->peer = *peer;
	s->until = pu_loop_now(k->loop) + PU_SEC(KAD_SHUN_S);
	pu_kad_table_remove(&k->table, peer);
	pu_log(PU_LOG_WARN, "kad", "peer answers nonsense",
	       PU_KV_STR("peer", pu_peerid_short(peer, text)));
}

static bool is_bootstrap(const struct pu_kad *k, const struct pu_peerid *peer)
{
	for (size_t i = 0; i < k->n_bootstrap; i++)
		if (pu_peerid_eq(&k->bootstrap[i], peer))
			return true;
	return false;
}

bool pu_kad_admit_wanted(const struct pu_kad *k, const struct pu_peerid *peer)
{
	if (pu_peerid_eq(peer, pu_host_id(k->host)) || is_shunned(k, peer))
		return false;
	return !k->opt.may_enter || is_bootstrap(k, peer) || k->opt.may_enter(k->opt.arg, peer);
}

/* A direct connection to a peer that says it serves. */
static struct pu_conn *serving(const struct pu_kad *k, const struct pu_peerid *peer)
{
	struct pu_conn *c = pu_host_conn(k->host, peer);

	return c && !c->limited && pu_host_peer_supports(k->host, peer, k->protocol) ? c : NULL;
}

static void enter(struct pu_kad *k, const struct pu_peerid *peer)
{
	struct pu_conn *c = serving(k, peer);
	struct pu_kad_group group;

	if (!c || !pu_kad_admit_wanted(k, peer))
		return;
	group = pu_kad_group_of(&c->remote);
	if (pu_kad_table_add(&k->table, peer, &group, pu_loop_now(k->loop)) != 0)
		return;
	if (k->table.n == 1)
		pu_kad_refresh_soon(k);
	pu_kad_advert_newcomer(k, peer);
}

/* When nothing works, it is our own network and nobody else's fault. */
static bool is_offline(const struct pu_kad *k)
{
	struct pu_host_stats st;

	pu_host_stats(k->host, &st);
	return st.n_conns == 0;
}

void pu_kad_admit_outcome(struct pu_kad *k, const struct pu_peerid *peer, int err)
{
	switch (err) {
	case 0:
		enter(k, peer);
		break;
	case PU_EPROTO:
		shun(k, peer);
		break;
	case PU_ENOPROTO:
		pu_kad_table_remove(&k->table, peer);
		break;
	case PU_E2BIG:
	case PU_ELIMIT:
	case PU_ENOMEM:
	case PU_ECANCELED:
		break; /* we were not able to */
	default:
		if (!is_offline(k))
			pu_kad_table_failed(&k->table, peer);
	}
}

/* Trials. */

static void check_free(struct check *ch)
{
	pu_list_remove(&ch->node);
	ch->k->n_checks--;
	free(ch);
}

static void on_checked(void *arg, int err, const struct pu_kad_message *reply)
{
	struct check *ch = arg;
	struct pu_kad *k = ch->k;
	struct pu_peerid peer = ch->peer;

	check_free(ch);
	pu_kad_admit_outcome(k, &peer, err);
}

static bool is_checked(const struct pu_kad *k, const struct pu_peerid *peer)
{
	PU_LIST_FOREACH (it, tmp, &k->checks)
		if (pu_peerid_eq(&PU_CONTAINER_OF(it, struct check, node)->peer, peer))
			return true;
	return false;
}

/* Does it know where it is itself? Any proper answer will do. */
void pu_kad_admit_check(struct pu_kad *k, const struct pu_peerid *peer)
{
	struct check *ch;

	if (k->n_checks >= KAD_CHECKS_MAX || is_checked(k, peer))
		return; /* the next walk meets it again */
	ch = calloc(1, sizeof *ch);
	if (!ch)
		return;
	ch->k = k;
	ch->peer = *peer;
	pu_list_append(&k->checks, &ch->node);
	k->n_checks++;
	if (pu_kad_rpc_call(k->rpc, peer,
			    pu_kad_query_request(k, PU_KAD_FIND_NODE, pu_peerid_bytes(peer)),
			    on_checked, ch, &ch->call) < 0)
		check_free(ch);
}

void pu_kad_admit_identified(struct pu_kad *k, const struct pu_conn *c)
{
	if (c->limited)
		return;
	if (!pu_host_peer_supports(k->host, &c->peer, k->protocol))
		pu_kad_table_remove(&k->table, &c->peer);
	else if (pu_kad_table_find(&k->table, &c->peer))
		pu_kad_advert_newcomer(k, &c->peer);
	else if (pu_kad_admit_wanted(k, &c->peer))
		pu_kad_admit_check(k, &c->peer);
}

void pu_kad_admit_stop(struct pu_kad *k)
{
	PU_LIST_FOREACH (it, tmp, &k->checks) {
		struct check *ch = PU_CONTAINER_OF(it, struct check, node);

		pu_kad_rpc_cancel(ch->call);
		check_free(ch);
	}
}
