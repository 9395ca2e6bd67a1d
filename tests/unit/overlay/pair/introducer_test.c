/* A relay that introduces, and recipients that believe by peer-up's rule: a message counts when
 * those known of the group and those named, known or not, are fewer than the group's size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "overlay/pair/introducer.h"
#include "support/hosts.h"

enum { N = 4 };

static const char *const listen_at[] = { "/ip4/0.0.0.0/tcp/7777", NULL };
static const struct pu_sim_link good = { .delay = PU_MS(10) };
static const char group[] = "ab12cd34";

struct friend {
	struct test_host t;
	struct pu_notify_receiver *receiver;
	struct pu_peerid known[N];
	size_t n_known;
	unsigned heard, refused;
	bool cannot; /* store */
	char last_name[PU_GROUP_NAME_MAX + 1];
	uint8_t last_proof[PU_GROUP_PROOF_LEN];
};

struct lab {
	struct pu_sim *sim;
	struct test_host relay;
	struct friend f[N];
	struct pu_groups *groups;
	struct pu_members *set;
	struct pu_introducer *in;
	char text[2048];
};

static bool on_notify(void *arg, const struct pu_peerid *from, const struct pu_notify *m)
{
	struct friend *f = arg;

	f->heard++;
	if (f->cannot)
		return false;
	assert_string_equal(m->group, group);
	if (f->n_known + m->n_peers >= m->size) {
		f->refused++;
		return true;
	}
	for (size_t i = 0; i < m->n_peers; i++) {
		bool known = false;

		for (size_t k = 0; k < f->n_known; k++)
			known |= pu_peerid_eq(&f->known[k], &m->peer[i].id);
		if (!known)
			f->known[f->n_known++] = m->peer[i].id;
		memcpy(f->last_name, m->peer[i].name, sizeof f->last_name);
		memcpy(f->last_proof, m->peer[i].proof, sizeof f->last_proof);
	}
	return true;
}

static const struct pu_members *members(void *arg)
{
	return ((struct lab *)arg)->set;
}

static void introducer_start(struct lab *l)
{
	const struct pu_introducer_options opt = { .host = l->relay.h, .groups = l->groups,
						   .members = members, .arg = l };

	assert_int_equal(pu_introducer_new(&opt, &l->in), 0);
}

static void members_parse(struct lab *l)
{
	static const uint8_t key[16];

	pu_member_free(l->set);
	assert_int_equal(pu_member_parse(pu_bytes_str(l->text), key, NULL, NULL, &l->set), 0);
}

static struct lab *lab_new(void)
{
	struct lab *l = calloc(1, sizeof *l);

	assert_non_null(l);
	l->sim = pu_sim_new(pu_sim_seed());
	pu_sim_default_link(l->sim, &good);
	test_host_init(&l->relay, l->sim, 9, "11.0.0.9", NULL);
	test_host_start(&l->relay, listen_at);
	for (unsigned i = 0; i < N; i++) {
		struct friend *f = &l->f[i];
		char ip[16];

		snprintf(ip, sizeof ip, "11.0.0.%u", i + 1);
		test_host_init(&f->t, l->sim, i + 1, ip, NULL);
		test_host_start(&f->t, NULL);
		test_host_introduce(&f->t, &l->relay);
		assert_int_equal(pu_notify_receiver_new(f->t.h, on_notify, f, &f->receiver), 0);
	}
	assert_int_equal(pu_groups_new(pu_sim_loop(l->relay.node), &l->groups), 0);
	members_parse(l);
	introducer_start(l);
	return l;
}

static void lab_free(struct lab *l)
{
	pu_introducer_free(l->in);
	for (unsigned i = 0; i < N; i++) {
		pu_notify_receiver_free(l->f[i].receiver);
		test_host_stop(&l->f[i].t);
	}
	test_host_stop(&l->relay);
	pu_groups_free(l->groups);
	pu_member_free(l->set);
	pu_sim_free(l->sim);
	free(l);
}

static void admit(struct lab *l, unsigned i, const char *attrs, const char *comment)
{
	char id[PU_PEERID_TEXT_MAX], line[256];

	snprintf(line, sizeof line, "%s  group=%s%s  # %s\n",
		 pu_peerid_text(&l->f[i].t.key.peer, id), group, attrs, comment);
	strcat(l->text, line);
	members_parse(l);
}

static void visit(struct lab *l, unsigned i)
{
	struct test_dial d = { .done = false };

	test_connect(&l->f[i].t, &l->relay, &d, PU_SEC(5));
	pu_sim_run(l->sim, PU_SEC(2));
}

static void leave(struct lab *l, unsigned i)
{
	pu_host_disconnect(l->f[i].t.h, &l->relay.key.peer, 0);
	pu_sim_run(l->sim, PU_SEC(1));
}

/* With a code: it hears of the earlier ones in the answer. */
static void pair(struct lab *l, struct pu_group *g, unsigned i)
{
	struct friend *f = &l->f[i];
	char name[8];

	snprintf(name, sizeof name, "n%u", i);
	for (unsigned k = 0; k < i; k++)
		f->known[f->n_known++] = l->f[k].t.key.peer;
	g->slot[i].used = true;
	g->slot[i].peer = f->t.key.peer;
	memset(g->slot[i].proof, (int)i + 1, sizeof g->slot[i].proof);
	g->n_used++;
	admit(l, i, "", name);
	pu_introducer_paired(l->in, g, &f->t.key.peer);
	visit(l, i);
}

static struct pu_group *make_group(struct lab *l)
{
	static const uint8_t tokens[N][PU_GROUP_TOKEN_LEN];
	struct pu_group *g;

	assert_int_equal(pu_groups_add(l->groups, N, 3600, 0, "", tokens[0], &g), 0);
	memcpy(g->id, group, sizeof group);
	return g;
}

static void every_newcomer_is_told_to_all_before_it(void **state)
{
	struct lab *l = lab_new();
	struct pu_group *g = make_group(l);

	for (unsigned i = 0; i < N; i++)
		pair(l, g, i);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(l->f[i].n_known, N - 1);
		assert_int_equal(l->f[i].refused, 0);
		assert_int_equal(l->f[i].heard, N - 1 - i);
	}
	assert_string_equal(l->f[0].last_name, "n3");
	assert_int_equal(l->f[0].last_proof[0], N);
	lab_free(l);
}

/* Some know some, and the relay remembers nothing. */
static void after_a_restart_nobody_is_left_out(void **state)
{
	struct lab *l = lab_new();

	for (unsigned i = 0; i < N; i++)
		admit(l, i, "", "x");
	l->f[1].known[l->f[1].n_known++] = l->f[3].t.key.peer;
	l->f[2].known[l->f[2].n_known++] = l->f[0].t.key.peer;
	l->f[2].known[l->f[2].n_known++] = l->f[1].t.key.peer;
	for (unsigned i = 0; i < N; i++) {
		visit(l, i);
		assert_int_equal(l->f[i].n_known, N - 1);
	}
	/* Told is told, however often they come. */
	pu_sim_run(l->sim, PU_SEC(60));
	leave(l, 0);
	visit(l, 0);
	assert_int_equal(l->f[0].heard, N - 1);
	lab_free(l);
}

static void who_cannot_store_is_asked_again_but_not_at_once(void **state)
{
	struct lab *l = lab_new();

	admit(l, 0, "", "a");
	admit(l, 1, "", "b");
	l->f[0].cannot = true;
	visit(l, 0);
	assert_int_equal(l->f[0].heard, 1);
	leave(l, 0);
	visit(l, 0);
	leave(l, 0);
	visit(l, 0);
	assert_int_equal(l->f[0].heard, 1);
	l->f[0].cannot = false;
	pu_sim_run(l->sim, PU_SEC(PU_INTRODUCER_PAUSE_S));
	assert_int_equal(l->f[0].heard, 2);
	assert_int_equal(l->f[0].n_known, 1);
	lab_free(l);
}

static void members_that_expired_and_other_groups_are_not_told(void **state)
{
	struct lab *l = lab_new();
	char id[PU_PEERID_TEXT_MAX], line[256];

	admit(l, 0, "", "a");
	admit(l, 1, "  expires=2000-01-01T00:00:00Z", "b");
	snprintf(line, sizeof line, "%s group=other\n",
		 pu_peerid_text(&l->f[2].t.key.peer, id));
	strcat(l->text, line);
	members_parse(l);
	for (unsigned i = 0; i < 3; i++)
		visit(l, i);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(l->f[i].heard, 0);
	lab_free(l);
}

/* peer-up would make two equal keys of two equal names. */
static void only_names_of_one_are_told(void **state)
{
	struct lab *l = lab_new();

	admit(l, 0, "", "a");
	admit(l, 1, "", "same");
	admit(l, 2, "", "same");
	admit(l, 3, "", "paired-2026-03-01");
	strcpy(l->f[0].last_name, "unset");
	visit(l, 0);
	assert_int_equal(l->f[0].n_known, 3);
	assert_string_equal(l->f[0].last_name, "");
	visit(l, 1);
	assert_int_equal(l->f[1].n_known, 3);
	lab_free(l);
}

static void who_does_not_speak_the_protocol_is_left_alone(void **state)
{
	struct lab *l = lab_new();

	admit(l, 0, "", "a");
	admit(l, 1, "", "b");
	pu_notify_receiver_free(l->f[0].receiver);
	l->f[0].receiver = NULL;
	visit(l, 0);
	visit(l, 1);
	assert_int_equal(l->f[1].heard, 1);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_newcomer_is_told_to_all_before_it),
		cmocka_unit_test(after_a_restart_nobody_is_left_out),
		cmocka_unit_test(who_cannot_store_is_asked_again_but_not_at_once),
		cmocka_unit_test(members_that_expired_and_other_groups_are_not_told),
		cmocka_unit_test(only_names_of_one_are_told),
		cmocka_unit_test(who_does_not_speak_the_protocol_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
