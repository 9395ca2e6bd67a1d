/* Joiners and a relay in one process: pairing and introductions over real streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "overlay/pair/guesses.h"
#include "overlay/pair/notify.h"
#include "overlay/pair/pair.h"
#include "support/hosts.h"

#define RELAY_IP "11.0.0.9"

static const char *const listen_at[] = { "/ip4/0.0.0.0/tcp/7777", NULL };
static const struct pu_sim_link good = { .delay = PU_MS(10) };
static const uint8_t tokens[3][PU_GROUP_TOKEN_LEN] = { "token number 01", "token number 02",
						       "token number 03" };
static const uint8_t wrong[PU_GROUP_TOKEN_LEN] = "wrong";

struct joiner {
	struct test_host t;
	struct pu_pair_request *request;
	unsigned done;
	int err;
	struct pu_pair_result result;
};

struct lab {
	struct pu_sim *sim;
	struct test_host relay;
	struct joiner a, b;
	struct pu_groups *groups;
	struct pu_group *group;
	struct pu_pair_server *server;
	int store; /* what on_paired says */
	unsigned stored;
	struct pu_peerid last;
	char last_name[PU_GROUP_NAME_MAX + 1];
};

static int on_paired(void *arg, const struct pu_group *g, struct pu_group_slot *slot)
{
	struct lab *l = arg;

	l->stored++;
	l->last = slot->peer;
	memcpy(l->last_name, slot->name, sizeof l->last_name);
	return l->store;
}

static struct lab *lab_new(void)
{
	struct lab *l = calloc(1, sizeof *l);
	struct pu_pair_server_options opt = { .on_paired = on_paired, .arg = l };

	assert_non_null(l);
	l->sim = pu_sim_new(pu_sim_seed());
	pu_sim_default_link(l->sim, &good);
	test_host_init(&l->relay, l->sim, 9, RELAY_IP, NULL);
	test_host_init(&l->a.t, l->sim, 1, "11.0.0.1", NULL);
	test_host_init(&l->b.t, l->sim, 2, "11.0.0.2", NULL);
	test_host_start(&l->relay, listen_at);
	test_host_start(&l->a.t, NULL);
	test_host_start(&l->b.t, NULL);
	test_host_introduce(&l->a.t, &l->relay);
	test_host_introduce(&l->b.t, &l->relay);
	assert_int_equal(pu_groups_new(pu_sim_loop(l->relay.node), &l->groups), 0);
	assert_int_equal(pu_groups_add(l->groups, 3, 3600, 0, "", tokens[0], &l->group), 0);
	opt.groups = l->groups;
	assert_int_equal(pu_pair_server_new(l->relay.h, &opt, &l->server), 0);
	return l;
}

static void lab_free(struct lab *l)
{
	pu_pair_server_free(l->server);
	pu_groups_free(l->groups);
	test_host_stop(&l->a.t);
	test_host_stop(&l->b.t);
	test_host_stop(&l->relay);
	pu_sim_free(l->sim);
	free(l);
}

static void on_done(void *arg, int err, const struct pu_pair_result *r)
{
	struct joiner *j = arg;

	j->done++;
	j->err = err;
	if (r)
		j->result = *r;
}

static void begin(struct lab *l, struct joiner *j, const uint8_t *token, const char *name)
{
	j->done = 0;
	assert_int_equal(pu_pair_redeem(j->t.h, &l->relay.key.peer, token, name, on_done, j,
					&j->request), 0);
}

static bool is_done(void *arg)
{
	return ((struct joiner *)arg)->done > 0;
}

static int finish(struct lab *l, struct joiner *j)
{
	assert_true(pu_sim_run_until(l->sim, is_done, j, PU_SEC(60)));
	assert_int_equal(j->done, 1);
	return j->err;
}

static int redeem(struct lab *l, struct joiner *j, const uint8_t *token, const char *name)
{
	begin(l, j, token, name);
	return finish(l, j);
}

static void second_joiner_learns_of_the_first(void **state)
{
	struct lab *l = lab_new();

	assert_int_equal(redeem(l, &l->a, tokens[0], "home"), 0);
	assert_int_equal(l->a.result.n_peers, 0);
	assert_int_equal(l->a.result.size, 3);
	assert_string_equal(l->a.result.group, l->group->id);
	assert_memory_equal(l->a.result.proof, l->group->slot[0].proof, 32);
	assert_int_equal(redeem(l, &l->b, tokens[2], "laptop"), 0);
	assert_int_equal(l->b.result.n_peers, 1);
	assert_true(pu_peerid_eq(&l->b.result.peer[0].id, &l->a.t.key.peer));
	assert_string_equal(l->b.result.peer[0].name, "home");
	assert_int_equal(l->stored, 2);
	assert_true(pu_peerid_eq(&l->last, &l->b.t.key.peer));
	assert_string_equal(l->last_name, "laptop");
	lab_free(l);
}

static void of_two_with_one_code_exactly_one_wins(void **state)
{
	struct lab *l = lab_new();

	begin(l, &l->a, tokens[0], "a");
	begin(l, &l->b, tokens[0], "b");
	finish(l, &l->a);
	finish(l, &l->b);
	assert_int_equal((l->a.err == 0) + (l->b.err == 0), 1);
	assert_int_equal(l->a.err + l->b.err, PU_EDENIED);
	assert_int_equal(l->stored, 1);
	lab_free(l);
}

static void code_is_free_again_when_the_relay_cannot_store(void **state)
{
	struct lab *l = lab_new();

	l->store = PU_EIO;
	assert_int_equal(redeem(l, &l->a, tokens[0], "a"), PU_EDENIED);
	assert_int_equal(l->group->n_used, 0);
	l->store = 0;
	assert_int_equal(redeem(l, &l->b, tokens[0], "b"), 0);
	lab_free(l);
}

/* The answer was lost: the same peer hears it again, and is not stored again. */
static void success_can_be_heard_twice(void **state)
{
	struct lab *l = lab_new();

	assert_int_equal(redeem(l, &l->a, tokens[0], "a"), 0);
	assert_int_equal(redeem(l, &l->a, tokens[0], "a"), 0);
	assert_int_equal(l->stored, 1);
	assert_int_equal(redeem(l, &l->b, tokens[0], "a"), PU_EDENIED);
	lab_free(l);
}

static void guesses_on_one_connection_end_soon(void **state)
{
	struct lab *l = lab_new();

	for (unsigned i = 0; i < PU_GUESSES_PER_CONN; i++)
		assert_int_equal(redeem(l, &l->a, wrong, "a"), PU_EDENIED);
	/* Even a good code is not looked at any more, on this connection. */
	assert_int_equal(redeem(l, &l->a, tokens[0], "a"), PU_EDENIED);
	assert_int_equal(l->group->n_used, 0);
	assert_int_equal(redeem(l, &l->b, tokens[0], "b"), 0);
	pu_host_disconnect(l->a.t.h, &l->relay.key.peer, 0);
	pu_sim_run(l->sim, PU_SEC(1));
	assert_int_equal(redeem(l, &l->a, tokens[1], "a"), 0);
	lab_free(l);
}

static void guesses_from_one_address_end_and_begin_again(void **state)
{
	struct lab *l = lab_new();

	for (unsigned i = 0; i < PU_GUESSES_PER_ADDRESS; i++) {
		assert_int_equal(redeem(l, &l->a, wrong, "a"), PU_EDENIED);
		pu_host_disconnect(l->a.t.h, &l->relay.key.peer, 0);
		pu_sim_run(l->sim, PU_MS(200));
	}
	assert_int_equal(redeem(l, &l->a, tokens[0], "a"), PU_EDENIED);
	assert_int_equal(l->stored, 0);
	assert_int_equal(redeem(l, &l->b, tokens[1], "b"), 0);
	pu_sim_run(l->sim, PU_SEC(PU_GUESSES_REFILL_S));
	assert_int_equal(redeem(l, &l->a, tokens[0], "a"), 0);
	lab_free(l);
}

static void name_may_be_empty_or_too_long(void **state)
{
	char name[200];
	struct lab *l = lab_new();

	assert_int_equal(redeem(l, &l->a, tokens[0], ""), 0);
	assert_string_equal(l->last_name, "");
	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = '\0';
	assert_int_equal(redeem(l, &l->b, tokens[1], name), 0);
	assert_int_equal(strlen(l->last_name), PU_GROUP_NAME_MAX);
	lab_free(l);
}

static const char *const pair_protocols[] = { PU_PAIR_PROTOCOL, NULL };

static void request_that_never_ends_is_dropped(void **state)
{
	struct test_sink sink = { .len = 0 };
	struct test_dial d = { .ev = &test_sink_events, .arg = &sink };
	struct lab *l = lab_new();

	test_open(&l->a.t, &l->relay, pair_protocols, &d, PU_SEC(5));
	pu_stream_write(d.st, tokens[0], 10);
	pu_sim_run(l->sim, PU_SEC(PU_PAIR_DEADLINE_S) - PU_SEC(1));
	assert_false(sink.closed);
	pu_sim_run(l->sim, PU_SEC(2));
	assert_true(sink.closed);
	lab_free(l);
}

static void request_cut_short_hears_the_usual_answer(void **state)
{
	static const uint8_t failed[] = "\x00\x0epairing failed";
	struct test_sink sink = { .len = 0 };
	struct test_dial d = { .ev = &test_sink_events, .arg = &sink };
	struct lab *l = lab_new();

	test_open(&l->a.t, &l->relay, pair_protocols, &d, PU_SEC(5));
	pu_stream_write(d.st, tokens[0], 10);
	pu_stream_shutdown(d.st);
	pu_sim_run(l->sim, PU_SEC(1));
	assert_true(sink.eof);
	assert_int_equal(sink.len, sizeof failed - 1);
	assert_memory_equal(sink.data, failed, sizeof failed - 1);
	pu_stream_close(d.st);
	lab_free(l);
}

static void one_connection_has_few_requests_at_once(void **state)
{
	struct test_sink sink[PU_PAIR_STREAMS_PER_CONN + 1] = { { .len = 0 } };
	struct lab *l = lab_new();

	for (unsigned i = 0; i < PU_ARRAY_LEN(sink); i++) {
		struct test_dial d = { .ev = &test_sink_events, .arg = &sink[i] };

		test_open(&l->a.t, &l->relay, pair_protocols, &d, PU_SEC(5));
	}
	pu_sim_run(l->sim, PU_SEC(1));
	assert_false(sink[0].closed);
	assert_true(sink[PU_PAIR_STREAMS_PER_CONN].closed);
	lab_free(l);
}

/* A relay that speaks nonsense, says nothing, or does not know the protocol. */

static void talk_nonsense(void *arg, struct pu_stream *st)
{
	struct test_sink *sink = arg;

	sink->st = st;
	pu_stream_set_events(st, &test_sink_events, sink);
	if (!sink->hold) {
		pu_stream_write(st, "\x07what", 5);
		pu_stream_shutdown(st);
	}
}

static void relays_that_misbehave_are_named(void **state)
{
	struct test_sink sink = { .len = 0 };
	struct lab *l = lab_new();

	pu_pair_server_free(l->server);
	l->server = NULL;
	assert_int_equal(redeem(l, &l->b, tokens[0], "b"), PU_ENOPROTO);
	assert_int_equal(pu_host_handle(l->relay.h, PU_PAIR_PROTOCOL, talk_nonsense, &sink), 0);
	assert_int_equal(redeem(l, &l->a, tokens[0], "a"), PU_EPROTO);
	pu_sim_run(l->sim, PU_SEC(1));
	sink = (struct test_sink){ .hold = true };
	assert_int_equal(redeem(l, &l->a, tokens[0], "a"), PU_ETIMEDOUT);
	pu_sim_run(l->sim, PU_SEC(1));
	sink = (struct test_sink){ .hold = true };
	begin(l, &l->a, tokens[0], "a");
	pu_sim_run(l->sim, PU_SEC(1));
	pu_pair_cancel(l->a.request);
	pu_sim_run(l->sim, PU_SEC(60));
	assert_int_equal(l->a.done, 0);
	pu_host_unhandle(l->relay.h, PU_PAIR_PROTOCOL);
	lab_free(l);
}

/* Introductions. */

struct heard {
	unsigned n;
	bool cannot; /* store it */
	struct pu_peerid from;
	struct pu_notify last;
};

static bool on_notify(void *arg, const struct pu_peerid *from, const struct pu_notify *m)
{
	struct heard *h = arg;

	h->n++;
	h->from = *from;
	h->last = *m;
	return !h->cannot;
}

static void on_sent(void *arg, int err)
{
	struct joiner *j = arg;

	j->done++;
	j->err = err;
}

static int notify(struct lab *l, const struct pu_notify *m)
{
	struct pu_notify_sending *s;

	l->a.done = 0;
	assert_int_equal(pu_notify_send(l->relay.h, &l->a.t.key.peer, m, on_sent, &l->a, &s), 0);
	return finish(l, &l->a);
}

static void introduction_arrives_whole_and_its_sender_knows(void **state)
{
	struct heard *heard = calloc(1, sizeof *heard);
	struct pu_notify *m = calloc(1, sizeof *m);
	struct lab *l = lab_new();
	struct pu_notify_receiver *r;
	struct test_dial d = { .done = false };

	memcpy(m->group, "ab12cd34", 9);
	m->size = 255;
	m->n_peers = PU_NOTIFY_PEERS_MAX;
	for (size_t i = 0; i < m->n_peers; i++) {
		m->peer[i].id = l->b.t.key.peer;
		m->peer[i].id.b[37] = (uint8_t)i;
	}
	test_connect(&l->a.t, &l->relay, &d, PU_SEC(5));
	assert_int_equal(notify(l, m), PU_ENOPROTO);
	assert_int_equal(pu_notify_receiver_new(l->a.t.h, on_notify, heard, &r), 0);
	pu_sim_run(l->sim, PU_SEC(1));
	assert_int_equal(notify(l, m), 0);
	assert_int_equal(heard->n, 1);
	assert_true(pu_peerid_eq(&heard->from, &l->relay.key.peer));
	assert_memory_equal(&heard->last, m, sizeof *m);
	heard->cannot = true;
	assert_int_equal(notify(l, m), PU_ERESET);
	pu_notify_receiver_free(r);
	lab_free(l);
	free(heard);
	free(m);
}

static void introduction_that_is_none_is_not_heard(void **state)
{
	static const char *const protocols[] = { PU_NOTIFY_PROTOCOL, NULL };
	struct test_sink sink = { .len = 0 };
	struct test_dial d = { .ev = &test_sink_events, .arg = &sink };
	struct heard *heard = calloc(1, sizeof *heard);
	struct lab *l = lab_new();
	struct pu_notify_receiver *r;
	uint8_t *much = calloc(1, PU_NOTIFY_TEXT_MAX);

	assert_int_equal(pu_notify_receiver_new(l->relay.h, on_notify, heard, &r), 0);
	test_open(&l->a.t, &l->relay, protocols, &d, PU_SEC(5));
	pu_stream_write(d.st, "\x01\x02g1\x02\x01", 6);
	pu_stream_shutdown(d.st);
	pu_sim_run(l->sim, PU_SEC(1));
	assert_true(sink.closed);
	memset(&sink, 0, sizeof sink);
	test_open(&l->a.t, &l->relay, protocols, &d, PU_SEC(5));
	pu_stream_write(d.st, much, PU_NOTIFY_TEXT_MAX);
	pu_stream_write(d.st, much, 1);
	pu_sim_run(l->sim, PU_SEC(1));
	assert_true(sink.closed);
	memset(&sink, 0, sizeof sink);
	test_open(&l->a.t, &l->relay, protocols, &d, PU_SEC(5));
	pu_sim_run(l->sim, PU_SEC(PU_NOTIFY_TIMEOUT_S + 1));
	assert_true(sink.closed);
	assert_int_equal(heard->n, 0);
	pu_notify_receiver_free(r);
	lab_free(l);
	free(heard);
	free(much);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(second_joiner_learns_of_the_first),
		cmocka_unit_test(of_two_with_one_code_exactly_one_wins),
		cmocka_unit_test(code_is_free_again_when_the_relay_cannot_store),
		cmocka_unit_test(success_can_be_heard_twice),
		cmocka_unit_test(guesses_on_one_connection_end_soon),
		cmocka_unit_test(guesses_from_one_address_end_and_begin_again),
		cmocka_unit_test(name_may_be_empty_or_too_long),
		cmocka_unit_test(request_that_never_ends_is_dropped),
		cmocka_unit_test(request_cut_short_hears_the_usual_answer),
		cmocka_unit_test(one_connection_has_few_requests_at_once),
		cmocka_unit_test(relays_that_misbehave_are_named),
		cmocka_unit_test(introduction_arrives_whole_and_its_sender_knows),
		cmocka_unit_test(introduction_that_is_none_is_not_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
