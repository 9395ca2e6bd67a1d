/* Two machines become known to each other by a code: whole nodes over the simulated network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "crypto/key.h"
#include "daemon/relay_pairing.h"
#include "support/pairing_lab.h"

static struct pu_lab lab;
static struct pu_lab_node *a = &lab.node[0], *b = &lab.node[1], *c = &lab.node[2];
static struct pu_pairing *pa, *pb, *pc;
static const struct pu_invite_options plain = { .name = "home", .ttl_s = PU_PAIRING_TTL_S };
static const struct pu_invite_options compat = { .name = "home", .compat = true,
						 .ttl_s = PU_PAIRING_TTL_S };

static void pairings_free(void)
{
	pu_pairing_free(pa);
	pu_pairing_free(pb);
	pu_pairing_free(pc);
	pa = pb = pc = NULL;
}

static int tear_down(void **state)
{
	pairings_free();
	pu_lab_deinit(&lab);
	return 0;
}

/* n nodes in one network, no relay, nobody knows anybody. */
static void strangers(unsigned n)
{
	pu_lab_init(&lab, n);
	pu_lab_up(a);
	pa = pu_lab_pairing_new(a);
	pu_lab_up(b);
	pb = pu_lab_pairing_new(b);
	if (n > 2) {
		pu_lab_up(c);
		pc = pu_lab_pairing_new(c);
	}
}

static bool a_has_reserved(void *arg)
{
	return pu_lab_reserved(a, &lab.relay[0]);
}

/* a uses a relay that knows no other; b and c have never heard of it. All but the relay are
 * behind routers that let nothing in. */
static void behind_a_relay(unsigned n)
{
	static const char *const outside[] = { "5.0.0.1", "6.0.0.1", "7.0.0.1" };

	pu_lab_init(&lab, n);
	pu_lab_relays_init(&lab, 1);
	for (unsigned i = 0; i < n; i++)
		pu_lab_behind(&lab.node[i], &pu_sim_nat_port_restricted, outside[i]);
	pu_lab_use_relay(a, &lab.relay[0]);
	pu_lab_relay_up(&lab.relay[0]);
	pu_lab_up(a);
	pa = pu_lab_pairing_new(a);
	pu_lab_up(b);
	pb = pu_lab_pairing_new(b);
	if (n > 2) {
		pu_lab_up(c);
		pc = pu_lab_pairing_new(c);
	}
	assert_true(pu_sim_run_until(lab.sim, a_has_reserved, NULL, PU_SEC(20)));
}

static const struct pu_invite *invite(const struct pu_invite_options *opt)
{
	struct pu_failure why;
	const struct pu_invite *i = pu_lab_invite(a, pa, opt, &why);

	if (!i)
		fail_msg("%s: %s", why.what, why.why);
	return i;
}

static void join(const char *code, struct pu_lab_join *j)
{
	pu_lab_join(b, pb, code, "laptop", j);
	if (j->err < 0)
		print_message("join: %s: %s\n", j->why.what, j->why.why);
}

static void joins(const char *code)
{
	struct pu_lab_join j;

	join(code, &j);
	assert_int_equal(j.err, 0);
	assert_int_equal(j.n_peers, 1);
	assert_string_equal(j.name, "home");
}

static bool both_know_the_others_offer(void *arg)
{
	struct pu_roster_peer *ab = pu_lab_peer(a, b), *ba = pu_lab_peer(b, a);

	return ab && ba && ab->offer_known && ba->offer_known;
}

/* What a user expects: both are members for good, named, and connected. */
static void expect_friends(void)
{
	assert_true(pu_sim_run_until(lab.sim, both_know_the_others_offer, NULL, PU_SEC(10)));
	assert_string_equal(pu_lab_peer(a, b)->name, "laptop");
	assert_string_equal(pu_lab_peer(b, a)->name, "home");
	pu_lab_run(&lab, PU_SEC(5));
	assert_false(pu_lab_file_has(a, "authorized_keys", "pending="));
	assert_false(pu_lab_file_has(b, "authorized_keys", "pending="));
	assert_false(pu_lab_file_has(a, "authorized_keys", "expires="));
	assert_false(pu_lab_file_has(b, "authorized_keys", "expires="));
	assert_true(pu_lab_file_has(a, "authorized_keys", b->id_text));
	assert_true(pu_lab_file_has(b, "authorized_keys", a->id_text));
}

/* --- the good way ----------------------------------------------------------------- */

static void neighbours_need_no_relay(void **state)
{
	const struct pu_invite *i;

	strangers(2);
	i = invite(&plain);
	assert_non_null(strstr(i->code, "10.0.0.1:4001/"));
	joins(i->code);
	assert_int_equal(i->state, PU_INVITE_USED);
	assert_true(i->confirmed);
	assert_string_equal(i->code, "");
	assert_string_equal(i->peer_name, "laptop");
	assert_true(pu_peerid_eq(&i->peer, &b->id));
	expect_friends();
	/* also after a restart */
	assert_true(pu_lab_file_has(b, "config.yaml", "/ip4/10.0.0.1/udp/4001/quic-v1"));
}

static void relay_lets_the_joiner_in(void **state)
{
	const struct pu_invite *i;

	behind_a_relay(2);
	i = invite(&plain);
	assert_non_null(strstr(i->code, "11.0.0.101/"));
	joins(i->code);
	expect_friends();
	assert_true(pu_lab_file_has(b, "config.yaml", lab.relay[0].id_text));
	/* as a member of the relay, which it was not before */
	pu_lab_run(&lab, PU_SEC(10));
	assert_true(pu_lab_reserved(b, &lab.relay[0]));
}

static void code_for_peer_up_works_the_same_way(void **state)
{
	const struct pu_invite *i;

	behind_a_relay(2);
	i = invite(&compat);
	assert_memory_equal(i->code, "AE", 2);
	joins(i->code);
	assert_true(i->confirmed);
	expect_friends();
	assert_true(pu_lab_file_has(b, "config.yaml", lab.relay[0].id_text));
}

static void access_is_what_each_side_granted(void **state)
{
	struct pu_invite_options opt = plain;

	opt.access = PU_ACCESS_NETWORK;
	strangers(2);
	joins(invite(&opt)->code);
	expect_friends();
	assert_int_equal(pu_lab_peer(a, b)->access, PU_ACCESS_NETWORK);
	assert_int_equal(pu_lab_peer(b, a)->access, PU_ACCESS_SERVICES);
	assert_int_equal(pu_lab_peer(b, a)->granted, PU_ACCESS_NETWORK);
}

static void friends_may_do_it_again(void **state)
{
	strangers(2);
	joins(invite(&plain)->code);
	expect_friends();
	joins(invite(&plain)->code);
	expect_friends();
}

static void each_of_several_invitations_admits_its_own(void **state)
{
	struct pu_lab_join j;
	const struct pu_invite *first, *second;

	strangers(3);
	first = invite(&plain);
	second = invite(&plain);
	assert_string_not_equal(first->code, second->code);
	pu_lab_join(c, pc, second->code, "phone", &j);
	assert_int_equal(j.err, 0);
	assert_int_equal(first->state, PU_INVITE_OPEN);
	assert_int_equal(second->state, PU_INVITE_USED);
	joins(first->code);
	expect_friends();
}

/* A code of the relay's operator, as `relay pair` makes them. */
static void make_relay_codes(unsigned n, char codes[][PU_CODE_TEXT_MAX + 1])
{
	const struct pu_relay_pairing_order o = { .n = n, .ttl = 3600, .network = "" };
	struct pu_failure why = { .what = "" };
	struct pu_group *g;

	if (pu_relay_pairing_make(lab.relay[0].server->pairing, &o, &g, codes, &why) < 0)
		fail_msg("%s: %s", why.what, why.why);
}

static void codes_of_a_relay_bring_a_group_together(void **state)
{
	char codes[2][PU_CODE_TEXT_MAX + 1];
	struct pu_lab_join j;

	behind_a_relay(3);
	make_relay_codes(2, codes);
	pu_lab_join(a, pa, codes[0], "home", &j);
	assert_int_equal(j.err, 0);
	assert_int_equal(j.n_peers, 0);
	assert_int_equal(strlen(j.group), 8);
	join(codes[1], &j);
	assert_int_equal(j.err, 0);
	assert_int_equal(j.n_peers, 1);
	assert_string_equal(j.name, "home");
	assert_true(pu_lab_file_has(b, "config.yaml", lab.relay[0].id_text));
	assert_true(pu_lab_file_has(b, "authorized_keys", "group="));
	assert_true(pu_lab_file_has(b, "authorized_keys", "hmac_proof="));
	pu_lab_run(&lab, PU_SEC(10));
	assert_true(pu_lab_reserved(b, &lab.relay[0]));
	/* used up, for others than the one who used it */
	pu_lab_join(c, pc, codes[1], "phone", &j);
	assert_int_equal(j.err, PU_EDENIED);
	assert_false(pu_lab_file_has(c, "authorized_keys", lab.relay[0].id_text));
}

/* --- bad codes -------------------------------------------------------------------- */

/* The same code with another last word. */
static void spoil(const char *code, char out[PU_CODE_TEXT_MAX + 1])
{
	struct pu_code k;
	char why[160], *dash;
	uint8_t random[PU_CODE_WORDS] = { 0 };
	char other[PU_CODE_PASSWORD_MAX + 1];

	assert_int_equal(pu_code_parse(code, &k, why), 0);
	do {
		random[2]++;
		pu_code_password(random, other);
	} while (strcmp(strrchr(other, '-'), strrchr(k.password, '-')) == 0);
	dash = strrchr(k.password, '-');
	snprintf(dash, sizeof k.password - (size_t)(dash - k.password), "%s",
		 strrchr(other, '-'));
	assert_int_equal(pu_code_format(&k, out), 0);
}

static void wrong_words_are_refused_and_counted(void **state)
{
	char wrong[PU_CODE_TEXT_MAX + 1];
	const struct pu_invite *i;
	struct pu_lab_join j;

	strangers(2);
	i = invite(&plain);
	spoil(i->code, wrong);
	join(wrong, &j);
	assert_int_equal(j.err, PU_EDENIED);
	assert_int_equal(i->wrong_guesses, 1);
	assert_false(pu_lab_file_has(a, "authorized_keys", b->id_text));
	assert_false(pu_lab_file_has(b, "authorized_keys", a->id_text));
	/* the right one is still good */
	joins(i->code);
	assert_int_equal(i->wrong_guesses, 1);
}

static void too_many_guesses_void_the_code(void **state)
{
	char right[PU_CODE_TEXT_MAX + 1], wrong[PU_CODE_TEXT_MAX + 1];
	const struct pu_invite *i;
	struct pu_lab_join j;

	strangers(2);
	i = invite(&plain);
	snprintf(right, sizeof right, "%s", i->code);
	spoil(right, wrong);
	for (unsigned n = 0; n < PU_PAIRING_GUESSES_MAX; n++) {
		assert_int_equal(i->state, PU_INVITE_OPEN);
		join(wrong, &j);
		assert_true(j.err < 0);
		pu_lab_run(&lab, PU_SEC(60)); /* numbers are not asked for too often */
	}
	assert_int_equal(i->state, PU_INVITE_VOID);
	join(right, &j);
	assert_true(j.err < 0);
	assert_false(pu_lab_file_has(a, "authorized_keys", b->id_text));
}

enum { MANY = 26 };

static size_t deaf_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	return len;
}

static void deaf_eof(void *arg, struct pu_stream *st)
{
	pu_stream_close(st);
}

static void deaf_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
}

static void on_opened(void *arg, int err, struct pu_stream *st)
{
	static const struct pu_stream_events deaf = { .on_recv = deaf_recv, .on_eof = deaf_eof,
						      .on_closed = deaf_closed };
	unsigned *n = arg;

	if (err < 0)
		return;
	pu_stream_set_events(st, &deaf, NULL);
	++*n;
}

/* It says nothing, on as many streams as it gets. */
static void one_stranger_does_not_keep_others_out(void **state)
{
	static const char *const protocols[] = { PU_INVITE_PROTOCOL_V3, NULL };
	struct pu_host_request *req;
	const struct pu_invite *i;
	struct pu_multiaddr at;
	unsigned opened = 0;

	strangers(3);
	i = invite(&plain);
	assert_int_equal(pu_multiaddr_from_text(&at, "/ip4/10.0.0.1/tcp/4001"), 0);
	assert_int_equal(pu_host_add_addr(c->node->host, &a->id, &at, false), 0);
	for (unsigned k = 0; k < MANY; k++) {
		assert_int_equal(pu_host_open(c->node->host, &a->id, NULL, protocols, on_opened,
					      &opened, &req),
				 0);
		pu_lab_run(&lab, PU_MS(200));
	}
	assert_true(opened > 0);
	joins(i->code);
	assert_int_equal(i->wrong_guesses, 0);
	expect_friends();
}

static void wrong_token_of_version_1_counts_as_well(void **state)
{
	const struct pu_invite *i;
	char wrong[PU_CODE_TEXT_MAX + 1], why[160];
	struct pu_lab_join j;
	struct pu_code k;

	behind_a_relay(2);
	i = invite(&compat);
	assert_int_equal(pu_code_parse(i->code, &k, why), 0);
	k.token[3] ^= 1;
	assert_int_equal(pu_code_format(&k, wrong), 0);
	join(wrong, &j);
	assert_int_equal(j.err, PU_EDENIED);
	assert_int_equal(i->wrong_guesses, 1);
	assert_false(pu_lab_file_has(a, "authorized_keys", b->id_text));
	assert_false(pu_lab_file_has(b, "authorized_keys", a->id_text));
}

static void used_code_is_no_good(void **state)
{
	char code[PU_CODE_TEXT_MAX + 1];
	const struct pu_invite *i;
	struct pu_lab_join j;

	strangers(3);
	i = invite(&plain);
	snprintf(code, sizeof code, "%s", i->code);
	joins(code);
	pu_lab_join(c, pc, code, "thief", &j);
	assert_true(j.err < 0);
	assert_false(pu_lab_file_has(a, "authorized_keys", c->id_text));
	assert_false(pu_lab_file_has(c, "authorized_keys", a->id_text));
}

static void expired_code_is_no_good(void **state)
{
	struct pu_invite_options opt = plain;
	char code[PU_CODE_TEXT_MAX + 1];
	const struct pu_invite *i;
	struct pu_lab_join j;

	opt.ttl_s = 60;
	strangers(2);
	i = invite(&opt);
	snprintf(code, sizeof code, "%s", i->code);
	pu_lab_run(&lab, PU_SEC(59));
	assert_int_equal(i->state, PU_INVITE_OPEN);
	pu_lab_run(&lab, PU_SEC(2));
	assert_int_equal(i->state, PU_INVITE_EXPIRED);
	assert_string_equal(i->code, "");
	join(code, &j);
	assert_true(j.err < 0);
}

static void time_asleep_counts(void **state)
{
	const struct pu_invite *i;

	strangers(2);
	i = invite(&plain);
	pu_sim_node_sleep(a->sim, PU_SEC(PU_PAIRING_TTL_S + 1));
	pu_lab_run(&lab, PU_SEC(PU_PAIRING_TTL_S + 2));
	assert_int_equal(i->state, PU_INVITE_EXPIRED);
}

static void canceled_code_is_no_good(void **state)
{
	char code[PU_CODE_TEXT_MAX + 1];
	const struct pu_invite *i;
	struct pu_lab_join j;

	strangers(2);
	i = invite(&plain);
	snprintf(code, sizeof code, "%s", i->code);
	assert_int_equal(pu_pairing_cancel(pa, i->id), 0);
	assert_int_equal(i->state, PU_INVITE_CANCELED);
	join(code, &j);
	assert_true(j.err < 0);
	assert_int_equal(pu_pairing_cancel(pa, 999), PU_ENOENT);
}

static void garbage_is_no_code(void **state)
{
	struct pu_lab_join j;

	strangers(2);
	pu_lab_join_start(pb, "hello", "laptop", &j);
	assert_int_equal(j.err, PU_EINVAL);
	assert_string_equal(j.why.what, "code");
	pu_lab_join_start(pb, "7-otter-canyon-maple", "la ptop", &j);
	assert_int_equal(j.err, PU_EINVAL);
	assert_string_equal(j.why.what, "name");
}

static void own_code_is_recognised(void **state)
{
	struct pu_lab_join j;

	strangers(2);
	pu_lab_join(a, pa, invite(&plain)->code, "x", &j);
	assert_true(j.err < 0);
}

static void two_racers_and_one_winner(void **state)
{
	const struct pu_invite *i;
	struct pu_lab_join jb, jc;

	strangers(3);
	i = invite(&plain);
	pu_lab_join_start(pb, i->code, "laptop", &jb);
	pu_lab_join_start(pc, i->code, "phone", &jc);
	pu_lab_run(&lab, PU_SEC(PU_PAIRING_JOIN_TIMEOUT_S + 5));
	assert_true(jb.done && jc.done);
	assert_int_equal((jb.err == 0) + (jc.err == 0), 1);
	assert_int_equal(i->state, PU_INVITE_USED);
	assert_int_equal(pu_lab_file_has(a, "authorized_keys", b->id_text), jb.err == 0);
	assert_int_equal(pu_lab_file_has(a, "authorized_keys", c->id_text), jc.err == 0);
	assert_int_equal(pu_lab_file_has(b, "authorized_keys", a->id_text), jb.err == 0);
	assert_int_equal(pu_lab_file_has(c, "authorized_keys", a->id_text), jc.err == 0);
}

static void strangers_are_shut_out_when_nothing_is_open(void **state)
{
	strangers(2);
	assert_false(pu_host_on_probation(a->node->host));
	joins(invite(&plain)->code);
	pu_lab_run(&lab, PU_SEC(60));
	assert_false(pu_host_on_probation(a->node->host));
}

/* --- interrupted ------------------------------------------------------------------ */

static bool is_used(void *arg)
{
	const struct pu_invite *i = arg;

	return i->state == PU_INVITE_USED;
}

static void inviter_that_stops_before_the_last_word_forgets(void **state)
{
	const struct pu_invite *i;
	struct pu_lab_join j;

	strangers(2);
	i = invite(&plain);
	pu_lab_join_start(pb, i->code, "laptop", &j);
	assert_true(pu_sim_run_until(lab.sim, is_used, (void *)i, PU_SEC(30)));
	assert_true(pu_lab_file_has(a, "authorized_keys", "pending="));
	/* both stop at this moment, and only one of them comes back */
	pairings_free();
	pu_lab_down(b);
	pa = pu_lab_pairing_new(a);
	pu_lab_run(&lab, PU_SEC(PU_PAIRING_UNCONFIRMED_S + 30));
	assert_false(pu_lab_file_has(a, "authorized_keys", b->id_text));
	assert_false(pu_lab_file_has(a, "config.yaml", "laptop"));
	pu_lab_up(b);
}

static void joiner_that_never_confirms_is_forgotten(void **state)
{
	const struct pu_invite *i;
	struct pu_lab_join j;

	strangers(2);
	i = invite(&plain);
	pu_lab_join_start(pb, i->code, "laptop", &j);
	assert_true(pu_sim_run_until(lab.sim, is_used, (void *)i, PU_SEC(30)));
	pu_pairing_free(pb);
	pb = NULL;
	pu_lab_down(b);
	pu_lab_run(&lab, PU_SEC(PU_PAIRING_UNCONFIRMED_S + 30));
	assert_int_equal(i->state, PU_INVITE_FAILED);
	assert_false(i->confirmed);
	assert_false(pu_lab_file_has(a, "authorized_keys", b->id_text));
	pu_lab_up(b);
}

static bool b_has_stored(void *arg)
{
	return pu_lab_file_has(b, "authorized_keys", a->id_text);
}

static void last_word_that_is_lost_is_made_up_for(void **state)
{
	const struct pu_sim_link cut = { .down = true }, lan = { .delay = PU_MS(1) };
	const struct pu_invite *i;
	struct pu_lab_join j;

	strangers(2);
	i = invite(&plain);
	pu_lab_join_start(pb, i->code, "laptop", &j);
	assert_true(pu_sim_run_until(lab.sim, b_has_stored, NULL, PU_SEC(30)));
	pu_sim_link(a->sim, b->sim, &cut);
	pu_lab_run(&lab, PU_SEC(120));
	assert_false(i->confirmed);
	pu_sim_link(a->sim, b->sim, &lan);
	pu_lab_run(&lab, PU_SEC(120));
	assert_true(i->confirmed);
	expect_friends();
}

/* --- where it cannot work --------------------------------------------------------- */

static void other_network_is_refused_by_both(void **state)
{
	const struct pu_invite *i;
	struct pu_lab_join j;

	strangers(2);
	free(a->node->cfg->network);
	a->node->cfg->network = strdup("work");
	free(b->node->cfg->network);
	b->node->cfg->network = strdup("family");
	i = invite(&plain);
	join(i->code, &j);
	assert_int_equal(j.err, PU_EDENIED);
	assert_non_null(strstr(j.why.why, "work"));
	pu_lab_run(&lab, PU_SEC(5));
	assert_false(pu_lab_file_has(b, "authorized_keys", a->id_text));
	assert_false(pu_lab_file_has(a, "authorized_keys", b->id_text));
	assert_int_equal(i->state, PU_INVITE_FAILED);
}

static void relay_that_does_not_know_us_is_named(void **state)
{
	struct pu_failure why;

	pu_lab_init(&lab, 2);
	pu_lab_relays_init(&lab, 1);
	pu_lab_list_relay(a, lab.relay[0].ip, 7777, lab.relay[0].id_text);
	pu_lab_relay_up(&lab.relay[0]);
	pu_lab_up(a);
	pa = pu_lab_pairing_new(a);
	assert_null(pu_lab_invite(a, pa, &plain, &why));
	assert_non_null(strstr(why.why, "relay"));
}

static void compat_needs_a_relay(void **state)
{
	struct pu_failure why;

	strangers(2);
	assert_null(pu_lab_invite(a, pa, &compat, &why));
	assert_string_equal(why.what, "relay.addresses");
}

static void limits_are_told(void **state)
{
	struct pu_invite_options opt = plain;
	struct pu_failure why;

	strangers(2);
	opt.ttl_s = PU_PAIRING_TTL_MAX_S + 1;
	assert_null(pu_lab_invite(a, pa, &opt, &why));
	assert_string_equal(why.what, "ttl");
	opt = plain;
	opt.name = "a b";
	assert_null(pu_lab_invite(a, pa, &opt, &why));
	assert_string_equal(why.what, "name");
	for (unsigned i = 0; i < PU_PAIRING_INVITES_MAX; i++)
		assert_non_null(pu_lab_invite(a, pa, &plain, &why));
	assert_null(pu_lab_invite(a, pa, &plain, &why));
}

static int quiet(void **state)
{
	pu_log_set_level(getenv("PU_TEST_LOG") ? PU_LOG_DEBUG : PU_LOG_OFF);
	return pu_crypto_init();
}

#define TEST(f) cmocka_unit_test_teardown(f, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(neighbours_need_no_relay),
		TEST(relay_lets_the_joiner_in),
		TEST(code_for_peer_up_works_the_same_way),
		TEST(access_is_what_each_side_granted),
		TEST(friends_may_do_it_again),
		TEST(each_of_several_invitations_admits_its_own),
		TEST(codes_of_a_relay_bring_a_group_together),
		TEST(wrong_words_are_refused_and_counted),
		TEST(too_many_guesses_void_the_code),
		TEST(one_stranger_does_not_keep_others_out),
		TEST(wrong_token_of_version_1_counts_as_well),
		TEST(used_code_is_no_good),
		TEST(expired_code_is_no_good),
		TEST(time_asleep_counts),
		TEST(canceled_code_is_no_good),
		TEST(garbage_is_no_code),
		TEST(own_code_is_recognised),
		TEST(two_racers_and_one_winner),
		TEST(strangers_are_shut_out_when_nothing_is_open),
		TEST(inviter_that_stops_before_the_last_word_forgets),
		TEST(joiner_that_never_confirms_is_forgotten),
		TEST(last_word_that_is_lost_is_made_up_for),
		TEST(other_network_is_refused_by_both),
		TEST(relay_that_does_not_know_us_is_named),
		TEST(compat_needs_a_relay),
		TEST(limits_are_told),
	};

	return cmocka_run_group_tests(tests, quiet, NULL);
}
