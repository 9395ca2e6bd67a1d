/* A relay that keeps numbers, members that have them, strangers that ask. */
#include "overlay/invite/nameplate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "overlay/invite/nameplate_message.h"
#include "overlay/invite/nameplate_numbers.h"
#include "support/hosts.h"

struct world {
	struct pu_sim *sim;
	struct test_host relay, a, b, guest;
	struct pu_nameplates *keeper;
	bool open;
	unsigned opened;
	int vouch_result;
	unsigned vouched;
	struct pu_peerid vouched_by, vouched_for;
	char vouched_name[80];
};

static const char *const listen_on[] = { "/ip4/0.0.0.0/udp/4001/quic-v1", NULL };

static bool is_member(void *arg, const struct pu_peerid *peer)
{
	const struct world *w = arg;

	return pu_peerid_eq(peer, &w->a.key.peer) || pu_peerid_eq(peer, &w->b.key.peer);
}

static bool gate(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *remote)
{
	return is_member(arg, peer);
}

static int on_vouched(void *arg, const struct pu_peerid *owner, const struct pu_peerid *peer,
		      const char *name)
{
	struct world *w = arg;

	w->vouched++;
	w->vouched_by = *owner;
	w->vouched_for = *peer;
	strncpy(w->vouched_name, name, sizeof w->vouched_name - 1);
	return w->vouch_result;
}

static void on_open(void *arg, bool open)
{
	struct world *w = arg;
	pu_time until = pu_sim_now(w->sim) + PU_SEC(PU_NAMEPLATE_TTL_MAX_S);

	assert_true(open != w->open);
	w->open = open;
	w->opened += open;
	assert_int_equal(pu_host_probation(w->relay.h, PU_NAMEPLATE_PROTOCOL, false,
					   open ? until : 0), 0);
}

static void start(struct world *w)
{
	struct pu_nameplates_options opt = { .may_allocate = is_member, .on_vouched = on_vouched,
					     .on_open = on_open, .arg = w };

	memset(w, 0, sizeof *w);
	w->sim = pu_sim_new(pu_sim_seed());
	test_host_init(&w->relay, w->sim, 1, "11.0.0.1", NULL);
	test_host_init(&w->a, w->sim, 2, "11.0.0.2", NULL);
	test_host_init(&w->b, w->sim, 3, "11.0.0.3", NULL);
	test_host_init(&w->guest, w->sim, 4, "11.0.0.4", NULL);
	w->relay.cfg.gate = gate;
	w->relay.cfg.gate_arg = w;
	test_host_start(&w->relay, listen_on);
	test_host_start(&w->a, NULL);
	test_host_start(&w->b, NULL);
	test_host_start(&w->guest, NULL);
	test_host_introduce(&w->a, &w->relay);
	test_host_introduce(&w->b, &w->relay);
	test_host_introduce(&w->guest, &w->relay);
	assert_int_equal(pu_nameplates_new(w->relay.h, &opt, &w->keeper), 0);
}

static void stop(struct world *w)
{
	pu_nameplates_free(w->keeper);
	assert_false(w->open);
	test_host_stop(&w->relay);
	test_host_stop(&w->a);
	test_host_stop(&w->b);
	test_host_stop(&w->guest);
	pu_sim_free(w->sim);
}

/* What the owner of a number hears. */
struct owner {
	struct pu_nameplate *n;
	unsigned number, numbers, losses;
	int err;
	bool free_at_once;
	int vouch_err;
	unsigned vouches;
};

static void on_number(void *arg, unsigned number)
{
	struct owner *o = arg;

	o->number = number;
	o->numbers++;
	if (!o->free_at_once)
		return;
	pu_nameplate_free(o->n);
	o->n = NULL;
}

static void on_lost(void *arg, int err)
{
	struct owner *o = arg;

	o->losses++;
	o->err = err;
	pu_nameplate_free(o->n);
	o->n = NULL;
}

static const struct pu_nameplate_events owner_events = { on_number, on_lost };

static void on_vouch_done(void *arg, int err)
{
	struct owner *o = arg;

	o->vouch_err = err;
	o->vouches++;
}

static bool is_settled(void *arg)
{
	const struct owner *o = arg;

	return o->numbers + o->losses > 0;
}

static int allocate(struct world *w, struct test_host *t, struct owner *o, unsigned wanted,
		    unsigned ttl_s)
{
	memset(o, 0, sizeof *o);
	assert_int_equal(pu_nameplate_allocate(t->h, &w->relay.key.peer, wanted, ttl_s,
					       &owner_events, o, &o->n), 0);
	assert_int_equal(o->numbers, 0);
	assert_true(pu_sim_run_until(w->sim, is_settled, o, PU_SEC(30)));
	return o->losses ? o->err : 0;
}

struct question {
	bool done;
	int err;
	struct pu_peerid owner;
};

static void on_answer(void *arg, int err, const struct pu_peerid *owner)
{
	struct question *q = arg;

	assert_false(q->done);
	q->done = true;
	q->err = err;
	if (err == 0)
		q->owner = *owner;
}

static bool is_answered(void *arg)
{
	return ((struct question *)arg)->done;
}

static struct pu_conn *enter(struct world *w, struct test_host *t)
{
	struct test_dial d = { 0 };

	test_connect(t, &w->relay, &d, PU_SEC(5));
	return d.err ? NULL : d.c;
}

static int ask(struct world *w, struct test_host *t, unsigned number, struct pu_peerid *owner)
{
	struct pu_nameplate_lookup *l;
	struct question q = { 0 };
	struct pu_conn *c = enter(w, t);

	if (!c)
		return PU_ECLOSED;
	assert_int_equal(pu_nameplate_ask(t->h, c, number, on_answer, &q, &l), 0);
	assert_true(pu_sim_run_until(w->sim, is_answered, &q, PU_SEC(30)));
	if (owner)
		*owner = q.owner;
	return q.err;
}

static void a_stranger_finds_the_owner(void **state)
{
	struct pu_peerid owner;
	struct owner o;
	struct world w;

	start(&w);
	assert_int_equal(allocate(&w, &w.a, &o, 0, 600), 0);
	assert_in_range(o.number, 1, PU_NAMEPLATE_CHOICE);
	assert_true(w.open);
	assert_true(pu_nameplates_owns(w.keeper, &w.a.key.peer));
	assert_false(pu_nameplates_owns(w.keeper, &w.b.key.peer));
	assert_int_equal(ask(&w, &w.guest, o.number, &owner), 0);
	assert_true(pu_peerid_eq(&owner, &w.a.key.peer));
	assert_int_equal(ask(&w, &w.guest, o.number + 1, NULL), PU_ENOENT);
	/* A second one with the same number is introduced as well. */
	assert_int_equal(ask(&w, &w.b, o.number, &owner), 0);
	assert_true(pu_peerid_eq(&owner, &w.a.key.peer));
	pu_nameplate_free(o.n);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_false(w.open);
	assert_int_equal(pu_nameplates_count(w.keeper), 0);
	stop(&w);
}

static void without_numbers_strangers_stay_outside(void **state)
{
	struct owner o;
	struct world w;

	start(&w);
	assert_int_not_equal(ask(&w, &w.guest, 1, NULL), 0);
	assert_int_equal(allocate(&w, &w.a, &o, 0, 600), 0);
	pu_host_forget_failures(w.guest.h, &w.relay.key.peer);
	assert_int_equal(ask(&w, &w.guest, o.number, NULL), 0);
	/* The end of the last number is the end of their stay. */
	pu_nameplate_free(o.n);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_null(pu_host_conn(w.guest.h, &w.relay.key.peer));
	stop(&w);
}

static void strangers_get_no_number(void **state)
{
	struct owner o, g;
	struct world w;

	start(&w);
	assert_int_equal(allocate(&w, &w.a, &o, 0, 600), 0);
	assert_int_equal(allocate(&w, &w.guest, &g, 0, 600), PU_EDENIED);
	assert_int_equal(pu_nameplates_count(w.keeper), 1);
	pu_nameplate_free(o.n);
	stop(&w);
}

static void a_number_ends_with_its_time(void **state)
{
	struct owner o;
	struct world w;

	start(&w);
	assert_int_equal(allocate(&w, &w.a, &o, 0, 60), 0);
	pu_sim_run(w.sim, PU_SEC(59));
	assert_int_equal(o.losses, 0);
	pu_sim_run(w.sim, PU_SEC(2));
	assert_int_equal(o.losses, 1);
	assert_int_equal(o.err, PU_ETIMEDOUT);
	assert_false(w.open);
	/* However long somebody wants it. */
	assert_int_equal(allocate(&w, &w.a, &o, 0, UINT32_MAX), 0);
	pu_sim_run(w.sim, PU_SEC(PU_NAMEPLATE_TTL_MAX_S + 1));
	assert_int_equal(o.losses, 1);
	assert_int_equal(o.err, PU_ETIMEDOUT);
	/* Or how short. */
	assert_int_equal(allocate(&w, &w.a, &o, 0, 0), 0);
	pu_sim_run(w.sim, PU_SEC(5));
	assert_int_equal(o.losses, 0);
	pu_sim_run(w.sim, PU_SEC(6));
	assert_int_equal(o.losses, 1);
	stop(&w);
}

static void a_number_ends_with_its_stream(void **state)
{
	struct owner o;
	struct world w;

	start(&w);
	assert_int_equal(allocate(&w, &w.a, &o, 0, 600), 0);
	pu_host_disconnect(w.relay.h, &w.a.key.peer, PU_CONN_CODE_GATED); /* expelled */
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(o.losses, 1);
	assert_int_equal(o.err, PU_ECLOSED);
	assert_int_equal(pu_nameplates_count(w.keeper), 0);
	assert_false(w.open);
	stop(&w);
}

static void a_number_ends_with_the_keeper(void **state)
{
	struct pu_nameplates_options opt = { .may_allocate = is_member, .on_open = on_open };
	struct owner o;
	struct world w;

	start(&w);
	assert_int_equal(allocate(&w, &w.a, &o, 0, 600), 0);
	pu_nameplates_free(w.keeper);
	assert_false(w.open);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(o.losses, 1);
	assert_int_equal(allocate(&w, &w.a, &o, 0, 600), PU_ENOPROTO);
	opt.arg = &w;
	assert_int_equal(pu_nameplates_new(w.relay.h, &opt, &w.keeper), 0);
	stop(&w);
}

static void the_owner_gets_its_number_back_and_nobody_else(void **state)
{
	unsigned number;
	struct owner o, p;
	struct world w;

	start(&w);
	assert_int_equal(allocate(&w, &w.a, &o, 0, 600), 0);
	number = o.number;
	pu_nameplate_free(o.n);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(allocate(&w, &w.b, &o, number, 600), 0);
	assert_int_not_equal(o.number, number);
	assert_int_equal(allocate(&w, &w.a, &p, number, 600), 0);
	assert_int_equal(p.number, number);
	pu_nameplate_free(p.n);
	pu_sim_run(w.sim, PU_SEC(PU_NAMEPLATE_REST_S + 1));
	pu_nameplate_free(o.n);
	assert_int_equal(allocate(&w, &w.b, &o, number, 600), 0);
	assert_int_equal(o.number, number);
	pu_nameplate_free(o.n);
	stop(&w);
}

/* The old stream may be dead without anybody knowing. */
static void the_owner_takes_over_from_itself(void **state)
{
	struct owner o, p;
	struct world w;

	start(&w);
	assert_int_equal(allocate(&w, &w.a, &o, 0, 600), 0);
	assert_int_equal(allocate(&w, &w.a, &p, o.number, 600), 0);
	assert_int_equal(p.number, o.number);
	assert_int_equal(pu_nameplates_count(w.keeper), 1);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(o.losses, 1);
	assert_int_equal(p.losses, 0);
	pu_nameplate_free(p.n);
	stop(&w);
}

static void one_member_has_only_so_many(void **state)
{
	struct owner o[PU_NAMEPLATE_PER_PEER + 1];
	struct world w;

	start(&w);
	for (unsigned i = 0; i < PU_NAMEPLATE_PER_PEER; i++)
		assert_int_equal(allocate(&w, &w.a, &o[i], 0, 600), 0);
	assert_int_equal(allocate(&w, &w.a, &o[PU_NAMEPLATE_PER_PEER], 0, 600), PU_ELIMIT);
	for (unsigned i = 0; i < PU_NAMEPLATE_PER_PEER; i++)
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(o[i].number, o[j].number);
	/* Another one still gets some. */
	assert_int_equal(allocate(&w, &w.b, &o[PU_NAMEPLATE_PER_PEER], 0, 600), 0);
	for (unsigned i = 0; i <= PU_NAMEPLATE_PER_PEER; i++)
		pu_nameplate_free(o[i].n);
	stop(&w);
}

static void nobody_tries_all_numbers(void **state)
{
	struct owner o;
	struct world w;

	start(&w);
	assert_int_equal(allocate(&w, &w.a, &o, 0, 600), 0);
	for (unsigned i = 0; i < PU_NAMEPLATE_LOOKUPS_PER_CONN; i++)
		assert_int_equal(ask(&w, &w.guest, 100 + i, NULL), PU_ENOENT);
	assert_int_equal(ask(&w, &w.guest, o.number, NULL), PU_ELIMIT);
	for (unsigned i = 0; i < PU_NAMEPLATE_LOOKUPS_PER_CONN; i++)
		assert_int_equal(ask(&w, &w.b, 100 + i, NULL), PU_ENOENT);
	assert_int_equal(ask(&w, &w.b, o.number, NULL), PU_ELIMIT);
	/* A member's connection stays: it may ask again in a while. */
	pu_sim_run(w.sim, PU_SEC(70));
	assert_int_equal(ask(&w, &w.b, o.number, NULL), 0);
	pu_nameplate_free(o.n);
	stop(&w);
}

static void the_owner_vouches_for_who_came(void **state)
{
	struct owner o;
	struct world w;

	start(&w);
	assert_int_equal(allocate(&w, &w.a, &o, 0, 600), 0);
	assert_int_equal(pu_nameplate_vouch(o.n, &w.guest.key.peer, "lap\x1b[2Jtop\n", on_vouch_done,
					    &o), 0);
	assert_int_equal(o.vouches, 0);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(o.vouches, 1);
	assert_int_equal(o.vouch_err, 0);
	assert_int_equal(w.vouched, 1);
	assert_true(pu_peerid_eq(&w.vouched_by, &w.a.key.peer));
	assert_true(pu_peerid_eq(&w.vouched_for, &w.guest.key.peer));
	assert_string_equal(w.vouched_name, "lap[2Jtop");
	/* What the relay says comes back. */
	w.vouch_result = PU_EDENIED;
	assert_int_equal(pu_nameplate_vouch(o.n, &w.guest.key.peer, NULL, on_vouch_done, &o), 0);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(o.vouch_err, PU_EDENIED);
	w.vouch_result = PU_EEXIST;
	assert_int_equal(pu_nameplate_vouch(o.n, &w.guest.key.peer, NULL, on_vouch_done, &o), 0);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(o.vouch_err, 0);
	w.vouch_result = PU_EIO;
	assert_int_equal(pu_nameplate_vouch(o.n, &w.guest.key.peer, NULL, on_vouch_done, &o), 0);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(o.vouch_err, PU_ESYS);
	pu_nameplate_free(o.n);
	stop(&w);
}

static void one_number_brings_only_so_many_in(void **state)
{
	struct owner o;
	struct world w;

	start(&w);
	assert_int_equal(allocate(&w, &w.a, &o, 0, 600), 0);
	for (unsigned i = 0; i <= PU_NAMEPLATE_VOUCHED_MAX; i++) {
		assert_int_equal(pu_nameplate_vouch(o.n, &w.guest.key.peer, "x", on_vouch_done, &o),
				 0);
		pu_sim_run(w.sim, PU_SEC(1));
	}
	assert_int_equal(w.vouched, PU_NAMEPLATE_VOUCHED_MAX);
	assert_int_equal(o.vouches, PU_NAMEPLATE_VOUCHED_MAX + 1);
	assert_int_equal(o.vouch_err, PU_ELIMIT);
	/* Nor does it bring in the relay itself. */
	pu_nameplate_free(o.n);
	assert_int_equal(allocate(&w, &w.a, &o, 0, 600), 0);
	assert_int_equal(pu_nameplate_vouch(o.n, &w.relay.key.peer, "x", on_vouch_done, &o), 0);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(o.vouch_err, PU_EDENIED);
	pu_nameplate_free(o.n);
	stop(&w);
}

static void who_waits_for_an_answer_hears_of_the_loss(void **state)
{
	struct owner o;
	struct world w;

	start(&w);
	assert_int_equal(allocate(&w, &w.a, &o, 0, 600), 0);
	assert_int_equal(pu_nameplate_vouch(o.n, &w.guest.key.peer, "x", on_vouch_done, &o), 0);
	assert_int_equal(pu_nameplate_vouch(o.n, &w.b.key.peer, "y", on_vouch_done, &o), 0);
	pu_host_disconnect(w.a.h, &w.relay.key.peer, 0);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(o.vouches, 2);
	assert_int_equal(o.vouch_err, PU_ECLOSED);
	assert_int_equal(o.losses, 1);
	stop(&w);
}

static void it_can_be_given_up_at_any_time(void **state)
{
	for (unsigned ms = 0; ms < 60; ms += 4) {
		struct owner o = { 0 };
		struct world w;

		start(&w);
		assert_int_equal(pu_nameplate_allocate(w.a.h, &w.relay.key.peer, 0, 600,
						       &owner_events, &o, &o.n), 0);
		o.free_at_once = ms & 4;
		pu_sim_run(w.sim, PU_MS(ms));
		pu_nameplate_free(o.n);
		pu_sim_run(w.sim, PU_SEC(1));
		assert_int_equal(o.losses, 0);
		assert_int_equal(pu_nameplates_count(w.keeper), 0);
		stop(&w);
	}
}

static void a_question_can_be_given_up_at_any_time(void **state)
{
	for (unsigned ms = 0; ms < 30; ms += 2) {
		struct pu_nameplate_lookup *l;
		struct question q = { 0 };
		struct world w;

		start(&w);
		assert_int_equal(pu_nameplate_ask(w.a.h, enter(&w, &w.a), 7, on_answer, &q, &l), 0);
		pu_sim_run(w.sim, PU_MS(ms));
		if (!q.done)
			pu_nameplate_cancel(l);
		pu_sim_run(w.sim, PU_SEC(1));
		stop(&w);
	}
}

static void a_node_answers_for_itself(void **state)
{
	struct pu_peerid owner;
	unsigned number, second;
	struct owner o;
	struct world w;

	start(&w);
	assert_int_equal(pu_nameplates_claim(w.keeper, pu_sim_now(w.sim) + PU_SEC(60), &number), 0);
	assert_true(w.open);
	assert_int_equal(ask(&w, &w.guest, number, &owner), 0);
	assert_true(pu_peerid_eq(&owner, &w.relay.key.peer));
	assert_int_equal(allocate(&w, &w.a, &o, 0, 600), 0);
	assert_int_equal(pu_nameplates_claim(w.keeper, pu_sim_now(w.sim) + PU_SEC(60), &second), 0);
	pu_nameplates_release(w.keeper, o.number); /* not ours to release */
	pu_nameplates_release(w.keeper, second);
	pu_nameplates_release(w.keeper, second);
	assert_int_equal(pu_nameplates_count(w.keeper), 2);
	pu_sim_run(w.sim, PU_SEC(61));
	assert_int_equal(pu_nameplates_count(w.keeper), 1);
	assert_int_equal(ask(&w, &w.b, number, NULL), PU_ENOENT);
	for (unsigned i = 0; i < PU_NAMEPLATE_PER_PEER; i++)
		assert_int_equal(pu_nameplates_claim(w.keeper, PU_TIME_NEVER, &number), 0);
	assert_int_equal(pu_nameplates_claim(w.keeper, PU_TIME_NEVER, &number), PU_ELIMIT);
	pu_nameplate_free(o.n);
	stop(&w);
}

/* By hand: what no client of ours would send. */

static void say(struct world *w, struct test_host *t, struct test_sink *sink, const void *p,
		size_t len)
{
	static const char *const protocols[] = { PU_NAMEPLATE_PROTOCOL, NULL };
	struct test_dial d = { .ev = &test_sink_events, .arg = sink };

	memset(sink, 0, sizeof *sink);
	test_open(t, &w->relay, protocols, &d, PU_SEC(5));
	assert_int_equal(d.err, 0);
	assert_int_equal(pu_stream_write(d.st, p, len), len);
	pu_sim_run(w->sim, PU_SEC(1));
}

static size_t encode(struct pu_nameplate_message *m, uint8_t *out, size_t at)
{
	struct pu_buf b;
	size_t len;

	pu_buf_init(&b, 1024);
	assert_int_equal(pu_nameplate_message_append(m, &b), 0);
	len = b.len;
	memcpy(out + at, pu_buf_bytes(&b).p, len);
	pu_buf_deinit(&b);
	return at + len;
}

static void nonsense_ends_the_stream(void **state)
{
	static const uint8_t garbage[] = { 3, 0xff, 0xff, 0xff }, huge[] = { 0xff, 0xff, 3 };
	struct pu_nameplate_message m = { .type = PU_NAMEPLATE_VOUCH };
	struct test_sink sink;
	uint8_t b[512];
	struct world w;

	start(&w);
	say(&w, &w.a, &sink, garbage, sizeof garbage);
	assert_true(sink.closed);
	assert_int_equal(sink.code, PU_STREAM_CODE_PROTOCOL);
	say(&w, &w.a, &sink, huge, sizeof huge);
	assert_int_equal(sink.code, PU_STREAM_CODE_PROTOCOL);
	/* Vouching without a number. */
	m.peer = w.guest.key.peer;
	say(&w, &w.a, &sink, b, encode(&m, b, 0));
	assert_int_equal(sink.code, PU_STREAM_CODE_PROTOCOL);
	assert_int_equal(w.vouched, 0);
	/* An answer that nobody asked for. */
	m = (struct pu_nameplate_message){ .type = PU_NAMEPLATE_OWNER, .status = PU_NAMEPLATE_OK };
	say(&w, &w.a, &sink, b, encode(&m, b, 0));
	assert_int_equal(sink.code, PU_STREAM_CODE_PROTOCOL);
	/* Nothing at all. */
	say(&w, &w.a, &sink, b, 0);
	assert_false(sink.closed);
	pu_sim_run(w.sim, PU_SEC(10));
	assert_true(sink.closed);
	stop(&w);
}

static void messages_in_one_piece_are_taken_one_by_one(void **state)
{
	struct pu_nameplate_message m = { .type = PU_NAMEPLATE_ALLOCATE, .seconds = 60 };
	struct test_sink sink;
	uint8_t b[2048];
	struct world w;
	size_t len;

	start(&w);
	len = encode(&m, b, 0);
	m = (struct pu_nameplate_message){ .type = PU_NAMEPLATE_VOUCH, .peer = w.guest.key.peer };
	len = encode(&m, b, len);
	len = encode(&m, b, len);
	say(&w, &w.a, &sink, b, len);
	assert_false(sink.closed);
	assert_int_equal(w.vouched, 2);
	assert_int_equal(pu_nameplates_count(w.keeper), 1);
	/* One stream, one number. */
	m = (struct pu_nameplate_message){ .type = PU_NAMEPLATE_ALLOCATE, .seconds = 60 };
	len = encode(&m, b, 0);
	len = encode(&m, b, len);
	say(&w, &w.b, &sink, b, len);
	assert_int_equal(sink.code, PU_STREAM_CODE_PROTOCOL);
	assert_int_equal(pu_nameplates_count(w.keeper), 1);
	pu_host_disconnect(w.a.h, &w.relay.key.peer, 0);
	pu_sim_run(w.sim, PU_SEC(1));
	stop(&w);
}

/* A keeper that answers what it should not. */
struct liar {
	struct pu_nameplate_message say;
};

static void lie(void *arg, struct pu_stream *st)
{
	static struct test_sink sink;
	struct liar *l = arg;
	uint8_t b[512];
	size_t len = encode(&l->say, b, 0);

	memset(&sink, 0, sizeof sink);
	pu_stream_set_events(st, &test_sink_events, &sink);
	pu_stream_write(st, b, len);
}

static void a_keeper_that_lies_is_found_out(void **state)
{
	struct liar l = { .say = { .type = PU_NAMEPLATE_NUMBER, .status = PU_NAMEPLATE_OK } };
	struct pu_nameplates_options opt = { .arg = NULL };
	struct owner o;
	struct world w;

	start(&w);
	pu_nameplates_free(w.keeper);
	assert_int_equal(pu_host_handle(w.relay.h, PU_NAMEPLATE_PROTOCOL, lie, &l), 0);
	assert_int_equal(allocate(&w, &w.a, &o, 0, 60), PU_EPROTO); /* number 0 */
	l.say.type = PU_NAMEPLATE_VOUCHED;
	assert_int_equal(allocate(&w, &w.a, &o, 0, 60), PU_EPROTO);
	l.say = (struct pu_nameplate_message){ .type = PU_NAMEPLATE_NUMBER, .status = 999 };
	assert_int_equal(allocate(&w, &w.a, &o, 0, 60), PU_EPROTO);
	l.say = (struct pu_nameplate_message){ .type = PU_NAMEPLATE_OWNER,
					       .status = PU_NAMEPLATE_OK };
	assert_int_equal(ask(&w, &w.a, 7, NULL), PU_EPROTO);
	l.say.type = PU_NAMEPLATE_NUMBER;
	assert_int_equal(ask(&w, &w.a, 7, NULL), PU_EPROTO);
	l.say = (struct pu_nameplate_message){ .type = PU_NAMEPLATE_OWNER,
					       .status = PU_NAMEPLATE_UNKNOWN };
	assert_int_equal(ask(&w, &w.a, 7, NULL), PU_ENOENT);
	pu_host_unhandle(w.relay.h, PU_NAMEPLATE_PROTOCOL);
	/* Or says nothing. */
	assert_int_equal(pu_host_handle(w.relay.h, PU_NAMEPLATE_PROTOCOL, test_sink_accept,
					&(struct test_sink){ 0 }), 0);
	assert_int_equal(allocate(&w, &w.a, &o, 0, 60), PU_ETIMEDOUT);
	pu_host_unhandle(w.relay.h, PU_NAMEPLATE_PROTOCOL);
	assert_int_equal(pu_nameplates_new(w.relay.h, &opt, &w.keeper), 0);
	assert_int_equal(allocate(&w, &w.a, &o, 0, 60), PU_EDENIED); /* for itself only */
	stop(&w);
}

/* The table. */

static void all_numbers_can_be_taken_and_stay_short(void **state)
{
	struct pu_nameplate_numbers *t = calloc(1, sizeof *t);
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	struct pu_loop *loop = pu_sim_loop(pu_sim_node_new(sim, "n"));
	struct pu_nameplate_number *p;
	struct pu_peerid owner = { 0 };

	pu_nameplate_numbers_init(t, loop);
	for (unsigned i = 0; i < PU_NAMEPLATE_MAX; i++) {
		memcpy(&owner, &(uint32_t){ 1 + i / PU_NAMEPLATE_PER_PEER }, 4);
		assert_int_equal(pu_nameplate_numbers_take(t, &owner, 0, 10, &p), 0);
		assert_in_range(p->number, 1, i + PU_NAMEPLATE_CHOICE);
	}
	memset(&owner, 0xff, 4);
	assert_int_equal(pu_nameplate_numbers_take(t, &owner, 0, 10, &p), PU_ELIMIT);
	/* All of them rest: there are others. */
	while ((p = pu_nameplate_numbers_first(t)))
		pu_nameplate_numbers_release(t, p);
	assert_int_equal(t->n, 0);
	assert_int_equal(pu_nameplate_numbers_take(t, &owner, 0, 10, &p), 0);
	assert_in_range(p->number, 1, PU_NAMEPLATE_MAX + 2 * PU_NAMEPLATE_CHOICE);
	/* What nobody could say in a code is not given, whoever wants it. */
	assert_int_equal(pu_nameplate_numbers_take(t, &owner, 10000, 10, &p), 0);
	assert_true(p->number < 10000);
	pu_sim_free(sim);
	free(t);
}

static void long_names_are_cut_between_characters(void **state)
{
	struct pu_nameplate_message m = { .type = PU_NAMEPLATE_VOUCH }, got;
	uint8_t b[512];
	size_t len, used;

	/* 62 letters and a euro sign: two of its three bytes would fit. */
	len = 0;
	b[len++] = 2 + 2 + 65;
	b[len++] = 1 << 3;
	b[len++] = PU_NAMEPLATE_VOUCH;
	b[len++] = 6 << 3 | 2;
	b[len++] = 65;
	memset(b + len, 'x', 62);
	memcpy(b + len + 62, "\xe2\x82\xac", 3);
	len += 65;
	assert_int_equal(pu_nameplate_message_split(pu_bytes(b, len), &got, &used), 0);
	assert_int_equal(used, len);
	assert_int_equal(strlen(got.name), 62);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(pu_nameplate_message_split(pu_bytes(b, i), &got, &used), PU_EAGAIN);
	memset(m.name, 'y', PU_NAMEPLATE_NAME_MAX);
	len = encode(&m, b, 0);
	assert_int_equal(pu_nameplate_message_split(pu_bytes(b, len), &got, &used), 0);
	assert_string_equal(got.name, m.name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stranger_finds_the_owner),
		cmocka_unit_test(without_numbers_strangers_stay_outside),
		cmocka_unit_test(strangers_get_no_number),
		cmocka_unit_test(a_number_ends_with_its_time),
		cmocka_unit_test(a_number_ends_with_its_stream),
		cmocka_unit_test(a_number_ends_with_the_keeper),
		cmocka_unit_test(the_owner_gets_its_number_back_and_nobody_else),
		cmocka_unit_test(the_owner_takes_over_from_itself),
		cmocka_unit_test(one_member_has_only_so_many),
		cmocka_unit_test(nobody_tries_all_numbers),
		cmocka_unit_test(the_owner_vouches_for_who_came),
		cmocka_unit_test(one_number_brings_only_so_many_in),
		cmocka_unit_test(who_waits_for_an_answer_hears_of_the_loss),
		cmocka_unit_test(it_can_be_given_up_at_any_time),
		cmocka_unit_test(a_question_can_be_given_up_at_any_time),
		cmocka_unit_test(a_node_answers_for_itself),
		cmocka_unit_test(nonsense_ends_the_stream),
		cmocka_unit_test(messages_in_one_piece_are_taken_one_by_one),
		cmocka_unit_test(a_keeper_that_lies_is_found_out),
		cmocka_unit_test(all_numbers_can_be_taken_and_stay_short),
		cmocka_unit_test(long_names_are_cut_between_characters),
	};

	pu_log_set_level(PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
