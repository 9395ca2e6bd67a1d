/* Numbers, both ends of the protocol. The first byte: 0 what a member says to the keeper, 1 what
 * a stranger on probation says, 2 what a keeper answers to a member (who then vouches), 3 what
 * it answers to a question. The second byte says how long the pieces are; an odd one ends the
 * stream behind them. */
#include "base/err.h"
#include "overlay/invite/nameplate.h"
#include "support/said.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Made once: only the messages differ. */
static struct world {
	struct said said; /* the input */
	struct said_node keeper, member, liar;
	struct pu_nameplates *numbers;
	bool open;
	unsigned vouched;
} w;

static bool may_allocate(void *arg, const struct pu_peerid *peer)
{
	return pu_peerid_eq(peer, &w.member.key.peer);
}

static int on_vouched(void *arg, const struct pu_peerid *owner, const struct pu_peerid *peer,
		      const char *name)
{
	said_must(pu_peerid_eq(owner, &w.member.key.peer));
	said_must(!pu_peerid_empty(peer) && !pu_peerid_eq(peer, &w.keeper.key.peer));
	for (const char *p = name; *p; p++)
		said_must((uint8_t)*p >= 0x20 && *p != 0x7f && p - name < 64);
	said_must(++w.vouched <= PU_NAMEPLATE_VOUCHED_MAX);
	return 0;
}

static void on_open(void *arg, bool open)
{
	said_must(open != w.open);
	w.open = open;
}

static bool gate(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *remote)
{
	return pu_peerid_eq(peer, &w.member.key.peer);
}

static void introduce(const struct said_node *a, const struct said_node *b, const char *at)
{
	struct pu_multiaddr ma;

	said_must(pu_multiaddr_from_text(&ma, at) == 0);
	said_must(pu_host_add_addr(a->h, &b->key.peer, &ma, true) == 0);
}

static void prepare(void)
{
	static const struct pu_nameplates_options opt = { may_allocate, on_vouched, on_open, NULL };

	said_must(pu_crypto_init() == 0);
	w.said.sim = pu_sim_new(1);
	said_node_start(&w.said, &w.keeper, 1, "11.0.0.1", gate);
	said_node_start(&w.said, &w.member, 2, "11.0.0.2", NULL);
	said_node_start(&w.said, &w.liar, 3, "11.0.0.3", NULL);
	introduce(&w.member, &w.keeper, "/ip4/11.0.0.1/tcp/1");
	introduce(&w.member, &w.liar, "/ip4/11.0.0.3/tcp/1");
	introduce(&w.liar, &w.keeper, "/ip4/11.0.0.1/tcp/1");
	said_must(pu_nameplates_new(w.keeper.h, &opt, &w.numbers) == 0);
	said_must(pu_host_handle(w.liar.h, PU_NAMEPLATE_PROTOCOL, said_on_stream, &w.said) == 0);
	said_must(pu_host_probation(w.keeper.h, PU_NAMEPLATE_PROTOCOL, false, PU_TIME_NEVER) == 0);
}

static void say(struct said_node *who, const uint8_t *p, size_t len, uint8_t step)
{
	static const char *const protocols[] = { PU_NAMEPLATE_PROTOCOL, NULL };
	bool member = who == &w.member;

	w.vouched = 0;
	said_must(pu_host_open(who->h, &w.keeper.key.peer, NULL, protocols, said_on_open, &w.said, NULL) == 0);
	said_feed(&w.said, p, len, step);
	said_must(member || (pu_nameplates_count(w.numbers) == 0 && w.vouched == 0));
	said_must(pu_nameplates_count(w.numbers) <= 1 && w.open == (pu_nameplates_count(w.numbers) == 1));
	said_drop(&w.said);
	said_must(pu_nameplates_count(w.numbers) == 0 && !w.open);
	/* The next one shall be let in afresh. */
	pu_host_disconnect(who->h, &w.keeper.key.peer, 0);
	pu_sim_run(w.said.sim, PU_MS(100));
}

struct heard {
	struct pu_nameplate *n;
	unsigned numbers, losses, answers;
};

static void on_answer(void *arg, int err)
{
	((struct heard *)arg)->answers++;
}

static void on_number(void *arg, unsigned number)
{
	struct heard *x = arg;

	said_must(number > 0 && x->losses == 0);
	x->numbers++;
	said_must(pu_nameplate_vouch(x->n, &w.keeper.key.peer, "x", on_answer, x) == 0);
}

static void on_lost(void *arg, int err)
{
	struct heard *x = arg;

	said_must(err < 0);
	x->losses++;
	pu_nameplate_free(x->n);
	x->n = NULL;
}

static void answer_member(const uint8_t *p, size_t len, uint8_t step)
{
	static const struct pu_nameplate_events ev = { on_number, on_lost };
	struct heard x = { 0 };

	said_must(pu_nameplate_allocate(w.member.h, &w.liar.key.peer, 0, 60, &ev, &x, &x.n) == 0);
	said_feed(&w.said, p, len, step);
	said_drop(&w.said);
	pu_sim_run(w.said.sim, PU_SEC(1));
	said_must(x.numbers <= 1 && x.losses == 1 && x.answers == x.numbers);
}

static void on_owner(void *arg, int err, const struct pu_peerid *owner)
{
	struct heard *x = arg;

	said_must(err < 0 || !pu_peerid_empty(owner));
	x->answers++;
}

static void connected(void *arg, int err, struct pu_conn *c)
{
	struct pu_nameplate_lookup *l;

	said_must(err == 0);
	said_must(pu_nameplate_ask(w.member.h, c, 7, on_owner, arg, &l) == 0);
}

static void answer_question(const uint8_t *p, size_t len, uint8_t step)
{
	struct heard x = { 0 };

	said_must(pu_host_connect(w.member.h, &w.liar.key.peer, connected, &x, NULL) == 0);
	said_feed(&w.said, p, len, step);
	said_drop(&w.said);
	pu_sim_run(w.said.sim, PU_SEC(1));
	said_must(x.answers == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!w.said.sim)
		prepare();
	if (size < 2 || size > 4096)
		return 0;
	switch (data[0] % 4) {
	case 0:
		say(&w.member, data + 2, size - 2, data[1]);
		break;
	case 1:
		say(&w.liar, data + 2, size - 2, data[1]);
		break;
	case 2:
		answer_member(data + 2, size - 2, data[1]);
		break;
	case 3:
		answer_question(data + 2, size - 2, data[1]);
		break;
	}
	return 0;
}
