/* Numbers, both ends of the protocol. The first byte: 0 what a member says to the keeper, 1 what
 * a stranger on probation says, 2 what a keeper answers to a member (who then vouches), 3 what
 * it answers to a question. The second byte says how long the pieces are; an odd one ends the
 * stream behind them. */
#include <stdlib.h>

#include "base/err.h"
#include "overlay/invite/nameplate.h"
#include "support/simnet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct node {
	struct pu_key key;
	struct pu_host *h;
};

/* Made once: only the messages differ. */
static struct world {
	struct pu_sim *sim;
	struct node keeper, member, liar;
	struct pu_nameplates *numbers;
	struct pu_stream *st; /* on which the input is said */
	bool open;
	unsigned vouched;
} w;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static size_t ignore_bytes(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	return len;
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	w.st = NULL;
}

static const struct pu_stream_events events = { .on_recv = ignore_bytes, .on_closed = on_closed };

static void on_stream(void *arg, struct pu_stream *st)
{
	if (w.st) {
		pu_stream_reset(st, 0);
		return;
	}
	w.st = st;
	pu_stream_set_events(st, &events, NULL);
}

static void on_opened(void *arg, int err, struct pu_stream *st)
{
	must(err == 0);
	on_stream(arg, st);
}

static bool may_allocate(void *arg, const struct pu_peerid *peer)
{
	return pu_peerid_eq(peer, &w.member.key.peer);
}

static int on_vouched(void *arg, const struct pu_peerid *owner, const struct pu_peerid *peer,
		      const char *name)
{
	must(pu_peerid_eq(owner, &w.member.key.peer));
	must(!pu_peerid_empty(peer) && !pu_peerid_eq(peer, &w.keeper.key.peer));
	for (const char *p = name; *p; p++)
		must((uint8_t)*p >= 0x20 && *p != 0x7f && p - name < 64);
	must(++w.vouched <= PU_NAMEPLATE_VOUCHED_MAX);
	return 0;
}

static void on_open(void *arg, bool open)
{
	must(open != w.open);
	w.open = open;
}

static bool gate(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *remote)
{
	return pu_peerid_eq(peer, &w.member.key.peer);
}

static void node_start(struct node *n, unsigned number, const char *ip, bool gated)
{
	struct pu_sim_node *sn = pu_sim_node_new(w.sim, ip);
	uint8_t seed[32] = { (uint8_t)number };
	struct pu_host_config cfg = { .loop = pu_sim_loop(sn), .net = pu_sim_net(sn),
				      .key = &n->key, .agent = "fuzz", .no_quic = true,
				      .tcp = { .order = { PU_SECURITY_NOISE } },
				      .gate = gated ? gate : NULL };
	struct pu_multiaddr ma;

	pu_sim_node_add_ip(sn, ip);
	must(pu_key_from_seed(&n->key, seed) == 0 && pu_host_new(&cfg, &n->h) == 0);
	must(pu_multiaddr_from_text(&ma, "/ip4/0.0.0.0/tcp/1") == 0);
	must(pu_host_listen(n->h, &ma) == 0);
}

static void introduce(const struct node *a, const struct node *b, const char *at)
{
	struct pu_multiaddr ma;

	must(pu_multiaddr_from_text(&ma, at) == 0);
	must(pu_host_add_addr(a->h, &b->key.peer, &ma, true) == 0);
}

static void prepare(void)
{
	static const struct pu_nameplates_options opt = { may_allocate, on_vouched, on_open, NULL };

	must(pu_crypto_init() == 0);
	w.sim = pu_sim_new(1);
	node_start(&w.keeper, 1, "11.0.0.1", true);
	node_start(&w.member, 2, "11.0.0.2", false);
	node_start(&w.liar, 3, "11.0.0.3", false);
	introduce(&w.member, &w.keeper, "/ip4/11.0.0.1/tcp/1");
	introduce(&w.member, &w.liar, "/ip4/11.0.0.3/tcp/1");
	introduce(&w.liar, &w.keeper, "/ip4/11.0.0.1/tcp/1");
	must(pu_nameplates_new(w.keeper.h, &opt, &w.numbers) == 0);
	must(pu_host_handle(w.liar.h, PU_NAMEPLATE_PROTOCOL, on_stream, NULL) == 0);
	must(pu_host_probation(w.keeper.h, PU_NAMEPLATE_PROTOCOL, false, PU_TIME_NEVER) == 0);
}

static bool stream_is_there(void *arg)
{
	return w.st != NULL;
}

static void feed(const uint8_t *p, size_t len, uint8_t step)
{
	must(pu_sim_run_until(w.sim, stream_is_there, NULL, PU_SEC(5)));
	for (size_t i = 0; i < len && w.st; i += (size_t)step + 1) {
		pu_stream_write(w.st, p + i, pu_min((size_t)step + 1, len - i));
		pu_sim_run(w.sim, PU_MS(1));
	}
	if (w.st && step & 1)
		pu_stream_shutdown(w.st);
	pu_sim_run(w.sim, PU_MS(20));
}

static void drop_stream(void)
{
	if (w.st)
		pu_stream_reset(w.st, 0);
	w.st = NULL;
	pu_sim_run(w.sim, PU_MS(20));
}

static void say(struct node *who, const uint8_t *p, size_t len, uint8_t step)
{
	static const char *const protocols[] = { PU_NAMEPLATE_PROTOCOL, NULL };
	bool member = who == &w.member;

	w.vouched = 0;
	must(pu_host_open(who->h, &w.keeper.key.peer, NULL, protocols, on_opened, NULL, NULL) == 0);
	feed(p, len, step);
	must(member || (pu_nameplates_count(w.numbers) == 0 && w.vouched == 0));
	must(pu_nameplates_count(w.numbers) <= 1 && w.open == (pu_nameplates_count(w.numbers) == 1));
	drop_stream();
	must(pu_nameplates_count(w.numbers) == 0 && !w.open);
	/* The next one shall be let in afresh. */
	pu_host_disconnect(who->h, &w.keeper.key.peer, 0);
	pu_sim_run(w.sim, PU_MS(100));
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

	must(number > 0 && x->losses == 0);
	x->numbers++;
	must(pu_nameplate_vouch(x->n, &w.keeper.key.peer, "x", on_answer, x) == 0);
}

static void on_lost(void *arg, int err)
{
	struct heard *x = arg;

	must(err < 0);
	x->losses++;
	pu_nameplate_free(x->n);
	x->n = NULL;
}

static void answer_member(const uint8_t *p, size_t len, uint8_t step)
{
	static const struct pu_nameplate_events ev = { on_number, on_lost };
	struct heard x = { 0 };

	must(pu_nameplate_allocate(w.member.h, &w.liar.key.peer, 0, 60, &ev, &x, &x.n) == 0);
	feed(p, len, step);
	drop_stream();
	pu_sim_run(w.sim, PU_SEC(1));
	must(x.numbers <= 1 && x.losses == 1 && x.answers == x.numbers);
}

static void on_owner(void *arg, int err, const struct pu_peerid *owner)
{
	struct heard *x = arg;

	must(err < 0 || !pu_peerid_empty(owner));
	x->answers++;
}

static void connected(void *arg, int err, struct pu_conn *c)
{
	struct pu_nameplate_lookup *l;

	must(err == 0);
	must(pu_nameplate_ask(w.member.h, c, 7, on_owner, arg, &l) == 0);
}

static void answer_question(const uint8_t *p, size_t len, uint8_t step)
{
	struct heard x = { 0 };

	must(pu_host_connect(w.member.h, &w.liar.key.peer, connected, &x, NULL) == 0);
	feed(p, len, step);
	drop_stream();
	pu_sim_run(w.sim, PU_SEC(1));
	must(x.answers == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!w.sim)
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
