/* Groups of codes: who may use them, how often, until when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "crypto/key.h"
#include "overlay/pair/group.h"
#include "support/vectors.h"

#define TTL 3600

static const uint8_t tokens[3][PU_GROUP_TOKEN_LEN] = { "token number 01", "token number 02",
						       "token number 03" };

struct lab {
	struct pu_loop loop;
	struct pu_groups *g;
	struct pu_group *group;
	struct pu_peerid peer[4];
	unsigned opened, closed;
};

static void fake_random(void *arg, void *p, size_t n)
{
	unsigned *seed = arg;

	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)rand_r(seed);
}

static void on_open(void *arg, bool open)
{
	struct lab *l = arg;

	l->opened += open;
	l->closed += !open;
}

static struct lab *lab_new(void)
{
	static unsigned seed = 1;
	struct lab *l = calloc(1, sizeof *l);

	assert_non_null(l);
	pu_loop_init(&l->loop, PU_SEC(1), 1772366400ll * 1000000000, fake_random, &seed);
	assert_int_equal(pu_groups_new(&l->loop, &l->g), 0);
	pu_groups_on_open(l->g, on_open, l);
	for (unsigned i = 0; i < PU_ARRAY_LEN(l->peer); i++) {
		uint8_t key_seed[32] = { (uint8_t)i };
		struct pu_key k;

		assert_int_equal(pu_key_from_seed(&k, key_seed), 0);
		l->peer[i] = k.peer;
	}
	return l;
}

static void lab_free(struct lab *l)
{
	pu_groups_free(l->g);
	pu_loop_deinit(&l->loop);
	free(l);
}

static void add(struct lab *l, unsigned n)
{
	assert_int_equal(pu_groups_add(l->g, n, TTL, 0, "", tokens[0], &l->group), 0);
}

static int redeem(struct lab *l, unsigned token, unsigned peer)
{
	struct pu_group *g;
	struct pu_group_slot *s;
	bool again;
	int r = pu_groups_redeem(l->g, tokens[token], &l->peer[peer], "x", &g, &s, &again);

	return r == 0 && again ? 1 : r;
}

/* Lets that much time pass, turn by turn. */
static void pass(struct lab *l, unsigned seconds)
{
	pu_time end = l->loop.now + PU_SEC(seconds), next;

	while ((next = pu_loop_next_timeout(&l->loop)) <= end) {
		pu_loop_enter(&l->loop, next);
		pu_loop_leave(&l->loop);
	}
	pu_loop_enter(&l->loop, end);
	pu_loop_leave(&l->loop);
}

static void each_code_is_good_for_one_peer_once(void **state)
{
	struct lab *l = lab_new();

	add(l, 2);
	assert_int_equal(redeem(l, 0, 0), 0);
	assert_int_equal(redeem(l, 0, 1), PU_EDENIED);
	assert_int_equal(redeem(l, 2, 1), PU_EDENIED);
	assert_int_equal(redeem(l, 1, 1), 0);
	assert_int_equal(l->group->n_used, 2);
	assert_int_equal(redeem(l, 1, 2), PU_EDENIED);
	lab_free(l);
}

static void peer_whose_answer_was_lost_may_ask_again(void **state)
{
	struct lab *l = lab_new();

	add(l, 1);
	assert_int_equal(redeem(l, 0, 0), 0);
	assert_int_equal(redeem(l, 0, 0), 1);
	assert_int_equal(l->group->n_used, 1);
	pass(l, TTL);
	assert_int_equal(redeem(l, 0, 0), PU_EDENIED);
	lab_free(l);
}

static void slot_keeps_the_proof_and_no_token(void **state)
{
	struct pu_vectors *v = pu_vectors_load("pairing.txt");
	struct pu_bytes token = pu_vectors_hex(v, "token"), hash = pu_vectors_hex(v, "token_hash"),
			proof = pu_vectors_hex(v, "proof");
	struct lab *l = lab_new();
	struct pu_group_slot *s;
	bool again;

	assert_int_equal(pu_groups_add(l->g, 1, TTL, 0, "", token.p, &l->group), 0);
	assert_memory_equal(l->group->slot[0].hash, hash.p, hash.len);
	memcpy(l->group->id, "ab12cd34", 9);
	assert_int_equal(pu_groups_redeem(l->g, token.p, &l->peer[0], "laptop", &l->group, &s,
					  &again), 0);
	assert_memory_equal(s->proof, proof.p, proof.len);
	assert_string_equal(s->name, "laptop");
	lab_free(l);
	pu_vectors_free(v);
}

static void strangers_are_welcome_only_while_a_code_is_left(void **state)
{
	struct lab *l = lab_new();

	assert_false(pu_groups_open(l->g));
	add(l, 2);
	assert_true(pu_groups_open(l->g));
	assert_int_equal(redeem(l, 0, 0), 0);
	assert_true(pu_groups_open(l->g));
	assert_int_equal(redeem(l, 1, 1), 0);
	assert_false(pu_groups_open(l->g));
	assert_int_equal(l->opened, 1);
	assert_int_equal(l->closed, 1);
	lab_free(l);
}

static void expired_codes_are_worthless_and_swept_later(void **state)
{
	struct lab *l = lab_new();
	char id[PU_GROUP_ID_MAX + 1];

	add(l, 2);
	memcpy(id, l->group->id, sizeof id);
	pass(l, TTL - 1);
	assert_int_equal(redeem(l, 0, 0), 0);
	assert_int_equal(l->closed, 0);
	pass(l, 1);
	assert_int_equal(l->closed, 1);
	assert_int_equal(redeem(l, 1, 1), PU_EDENIED);
	assert_non_null(pu_groups_find(l->g, id)); /* its operator may look at it */
	pass(l, 180);
	assert_null(pu_groups_find(l->g, id));
	assert_int_equal(pu_loop_next_timeout(&l->loop), PU_TIME_NEVER);
	lab_free(l);
}

/* Somebody sets the clock of the machine: what has expired closes within a minute. */
static void clock_that_jumps_closes_a_group(void **state)
{
	struct lab *l = lab_new();

	add(l, 1);
	pass(l, 10);
	l->loop.wall_offset += 2ll * TTL * 1000000000;
	assert_int_equal(redeem(l, 0, 0), PU_EDENIED);
	pass(l, 60);
	assert_int_equal(l->closed, 1);
	lab_free(l);
}

static void code_of_a_peer_that_was_not_stored_is_free_again(void **state)
{
	struct lab *l = lab_new();
	struct pu_group_slot *s;
	bool again;

	add(l, 1);
	assert_int_equal(pu_groups_redeem(l->g, tokens[0], &l->peer[0], "x", &l->group, &s, &again),
			 0);
	assert_false(pu_groups_open(l->g));
	pu_groups_return(l->g, l->group, s);
	assert_true(pu_groups_open(l->g));
	assert_int_equal(l->group->n_used, 0);
	assert_int_equal(redeem(l, 0, 1), 0);
	lab_free(l);
}

static void revoked_codes_are_worthless(void **state)
{
	struct lab *l = lab_new();
	char id[PU_GROUP_ID_MAX + 1];

	add(l, 2);
	memcpy(id, l->group->id, sizeof id);
	assert_int_equal(redeem(l, 0, 0), 0);
	assert_int_equal(pu_groups_remove(l->g, id), 0);
	assert_int_equal(pu_groups_remove(l->g, id), PU_ENOENT);
	assert_int_equal(redeem(l, 0, 0), PU_EDENIED);
	assert_int_equal(redeem(l, 1, 1), PU_EDENIED);
	assert_int_equal(l->closed, 1);
	lab_free(l);
}

static void limits_are_kept(void **state)
{
	static uint8_t many[PU_GROUP_CODES_MAX + 1][PU_GROUP_TOKEN_LEN];
	struct lab *l = lab_new();
	struct pu_group *g;

	assert_int_equal(pu_groups_add(l->g, 0, TTL, 0, "", many[0], &g), PU_EINVAL);
	assert_int_equal(pu_groups_add(l->g, 101, TTL, 0, "", many[0], &g), PU_ELIMIT);
	assert_int_equal(pu_groups_add(l->g, 1, 0, 0, "", many[0], &g), PU_EINVAL);
	assert_int_equal(pu_groups_add(l->g, 1, INT64_MAX, 0, "", many[0], &g), PU_ELIMIT);
	assert_int_equal(pu_groups_add(l->g, 1, TTL, -1, "", many[0], &g), PU_EINVAL);
	assert_int_equal(pu_groups_add(l->g, 1, TTL, INT64_MAX, "", many[0], &g), PU_ELIMIT);
	assert_int_equal(pu_groups_add(l->g, 1, TTL, 0, "no label", many[0], &g), PU_EINVAL);
	for (unsigned i = 0; i < PU_GROUPS_MAX; i++)
		assert_int_equal(
			pu_groups_add(l->g, PU_GROUP_CODES_MAX, TTL, 0, "", many[0], &g), 0);
	assert_int_equal(pu_groups_add(l->g, 1, TTL, 0, "", many[0], &g), PU_ELIMIT);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_code_is_good_for_one_peer_once),
		cmocka_unit_test(peer_whose_answer_was_lost_may_ask_again),
		cmocka_unit_test(slot_keeps_the_proof_and_no_token),
		cmocka_unit_test(strangers_are_welcome_only_while_a_code_is_left),
		cmocka_unit_test(expired_codes_are_worthless_and_swept_later),
		cmocka_unit_test(clock_that_jumps_closes_a_group),
		cmocka_unit_test(code_of_a_peer_that_was_not_stored_is_free_again),
		cmocka_unit_test(revoked_codes_are_worthless),
		cmocka_unit_test(limits_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
