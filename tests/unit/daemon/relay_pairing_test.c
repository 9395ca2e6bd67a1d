/* A relay, its groups, and nodes that join with codes: who knows whom afterwards, whatever
 * restarts in between.
 *
 *   a 11.0.1.1   b 11.0.2.1   c 11.0.3.1   d 11.0.4.1        relay 11.0.0.101 */
#include "daemon/relay_pairing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/enrolment.h"
#include "overlay/member_edit.h"
#include "overlay/pair/notify.h"
#include "overlay/pair/pair.h"
#include "support/node_lab.h"

enum { TTL = 3600 };

static struct pu_lab lab;
static struct pu_lab_node *const a = &lab.node[0], *const b = &lab.node[1], *const c = &lab.node[2],
			  *const d = &lab.node[3];
static struct pu_lab_relay *const relay = &lab.relay[0];
static char codes[PU_GROUP_CODES_MAX][PU_CODE_TEXT_MAX + 1];
static const struct pu_sim_link good = { .delay = PU_MS(5) };

static int setup(void **state)
{
	char ip[16];

	pu_log_set_level(PU_LOG_OFF);
	pu_lab_init(&lab, 4);
	pu_sim_default_link(lab.sim, &good);
	pu_lab_relays_init(&lab, 1);
	for (unsigned i = 0; i < 4; i++) {
		snprintf(ip, sizeof ip, "11.0.%u.1", i + 1);
		pu_lab_place(&lab.node[i], ip);
	}
	pu_lab_relay_up(relay);
	return 0;
}

static int teardown(void **state)
{
	pu_lab_deinit(&lab);
	return 0;
}

/* What the nodes and the relay have written is theirs again after a restart. */
static void keep(const char *dir, const char *name, char *to, size_t cap)
{
	char path[PU_PATHS_LEN], *text;
	size_t len;

	assert_int_equal(pu_paths_join(path, dir, name), 0);
	assert_int_equal(pu_file_read(path, cap - 1, &text, &len, NULL), 0);
	memcpy(to, text, len + 1);
	free(text);
}

static void restart_relay(void)
{
	keep(relay->dir, "relay_authorized_keys", relay->members, sizeof relay->members);
	pu_lab_relay_down(relay);
	pu_lab_run(&lab, PU_SEC(1));
	pu_lab_relay_up(relay);
}

static struct pu_group *make(unsigned n, int64_t member_ttl)
{
	struct pu_relay_pairing_order o = { .n = n, .ttl = TTL, .member_ttl = member_ttl,
					    .network = "" };
	struct pu_failure why = { .what = "" };
	struct pu_group *g = NULL;

	if (pu_relay_pairing_make(relay->server->pairing, &o, &g, codes, &why) < 0)
		fail_msg("%s: %s", why.what, why.why);
	return g;
}

/* --- joining ---------------------------------------------------------------------- */

struct attempt {
	bool done;
	int err;
	struct pu_pair_result r;
};

static void on_redeemed(void *arg, int err, const struct pu_pair_result *r)
{
	struct attempt *at = arg;

	at->done = true;
	at->err = err;
	if (r)
		at->r = *r;
}

static bool is_done(void *arg)
{
	return ((struct attempt *)arg)->done;
}

static struct attempt *begin(struct pu_lab_node *n, const char *text, const char *name)
{
	struct attempt *at = calloc(1, sizeof *at);
	struct pu_pair_request *q;
	struct pu_multiaddr ma;
	struct pu_peerid id;
	struct pu_code code;

	assert_non_null(at);
	assert_int_equal(pu_code_parse(text, &code, NULL), 0);
	assert_int_equal(pu_multiaddr_split_peer(&code.relay, &ma, &id), 0);
	assert_int_equal(pu_host_add_addr(n->node->host, &id, &ma, false), 0);
	pu_host_forget_failures(n->node->host, &id);
	assert_int_equal(pu_pair_redeem(n->node->host, &id, code.token, name, on_redeemed, at, &q),
			 0);
	return at;
}

static struct attempt *redeem(struct pu_lab_node *n, const char *text, const char *name)
{
	struct attempt *at = begin(n, text, name);

	assert_true(pu_sim_run_until(lab.sim, is_done, at, PU_SEC(60)));
	return at;
}

static void reload(struct pu_lab_node *n)
{
	struct pu_config_diags *diags = calloc(1, sizeof *diags);
	struct pu_failure why = { .what = "" };
	struct pu_config *cfg = NULL;

	assert_int_equal(pu_config_load(n->paths.config, &cfg, diags), 0);
	free(diags);
	assert_int_equal(pu_node_reload(n->node, cfg, &why), 0);
}

/* What the joiner stores: the relay, and those who were there before. */
static void enrol(struct pu_lab_node *n, const char *text, const struct pu_pair_result *r)
{
	struct pu_enrolment_peer *v = calloc(r->n_peers + 1, sizeof *v);
	struct pu_enrolment e = { .now = pu_loop_unix(pu_sim_loop(n->sim)),
				  .n_peers = r->n_peers + 1, .peer = v, .n_relays = 1 };
	struct pu_failure why = { .what = "" };
	struct pu_code code;

	assert_int_equal(pu_code_parse(text, &code, NULL), 0);
	e.relay[0] = code.relay;
	for (size_t i = 0; i <= r->n_peers; i++) {
		v[i].expires = PU_MEMBER_NO_EXPIRY;
		snprintf(v[i].group, sizeof v[i].group, "%s", r->group);
		if (i < r->n_peers)
			v[i].id = r->peer[i].id;
		if (i < r->n_peers)
			pu_enrolment_clean_name(r->peer[i].name, v[i].name);
	}
	v[r->n_peers].id = code.relay_id;
	v[r->n_peers].unnamed = true;
	if (pu_enrolment_apply(n->node->cfg, NULL, &e, &why) < 0)
		fail_msg("%s: %s", why.what, why.why);
	free(v);
	reload(n);
}

static void join(struct pu_lab_node *n, const char *text, const char *name)
{
	struct attempt *at = redeem(n, text, name);

	assert_int_equal(at->err, 0);
	enrol(n, text, &at->r);
	free(at);
}

static int try_code(struct pu_lab_node *n, const char *text)
{
	struct attempt *at = redeem(n, text, n->name);
	int err = at->err;

	free(at);
	return err;
}

/* --- what became of it ------------------------------------------------------------- */

static bool knows(struct pu_lab_node *n, const struct pu_lab_node *other)
{
	struct pu_roster_peer *p = pu_roster_find(n->node->roster, &other->id);

	return p && p->authorized;
}

static void assert_named(struct pu_lab_node *n, const struct pu_lab_node *other, const char *name)
{
	struct pu_roster_peer *p = pu_roster_find(n->node->roster, &other->id);

	assert_true(knows(n, other));
	assert_string_equal(p->name, name);
	assert_int_equal(p->access, PU_ACCESS_SERVICES);
}

static const struct pu_member *at_relay(const struct pu_lab_node *n)
{
	return pu_member_find(relay->server->members, &n->id);
}

static void up(struct pu_lab_node *n)
{
	pu_lab_up(n);
	pu_lab_run(&lab, PU_SEC(1));
}

/* --- tests ------------------------------------------------------------------------ */

static void three_friends_know_each_other_and_meet(void **state)
{
	struct pu_group *g = make(3, 0);

	for (unsigned i = 0; i < 3; i++)
		up(&lab.node[i]);
	join(a, codes[0], "anna");
	join(b, codes[1], "bert");
	pu_lab_run(&lab, PU_SEC(5));
	assert_named(a, b, "bert");
	join(c, codes[2], "carl");
	pu_lab_run(&lab, PU_SEC(30));
	assert_named(a, b, "bert");
	assert_named(a, c, "carl");
	assert_named(b, a, "anna");
	assert_named(b, c, "carl");
	assert_named(c, a, "anna");
	assert_named(c, b, "bert");
	assert_string_equal(at_relay(c)->comment, "carl");
	assert_string_equal(at_relay(c)->group, g->id);
	assert_true(pu_lab_connected(a, c));
	assert_true(pu_lab_connected(b, c));
}

/* a sleeps while the others join, and the relay forgets everything meanwhile. */
static void who_was_away_is_told_even_after_a_restart_of_the_relay(void **state)
{
	(void)make(4, 0);
	for (unsigned i = 0; i < 4; i++)
		up(&lab.node[i]);
	join(a, codes[0], "anna");
	join(d, codes[3], "dora");
	pu_lab_run(&lab, PU_SEC(5));
	assert_true(knows(a, d));
	pu_sim_link(a->sim, relay->sim, &(struct pu_sim_link){ .down = true });
	pu_host_disconnect(a->node->host, &relay->server->key.peer, 0);
	pu_lab_run(&lab, PU_SEC(1));
	join(b, codes[1], "bert");
	join(c, codes[2], "carl");
	pu_lab_run(&lab, PU_SEC(5));
	assert_true(knows(d, b));
	assert_true(knows(d, c));
	assert_false(knows(a, b));
	restart_relay();
	pu_sim_link(a->sim, relay->sim, &good);
	pu_lab_run(&lab, PU_SEC(300));
	assert_named(a, b, "bert");
	assert_named(a, c, "carl");
	assert_named(a, d, "dora");
}

static void strangers_are_let_in_only_while_a_code_is_left(void **state)
{
	struct pu_host *h = relay->server->host;

	up(a);
	up(b);
	assert_false(pu_host_on_probation(h));
	(void)make(1, 0);
	assert_true(pu_host_on_probation(h));
	join(a, codes[0], "anna");
	pu_lab_run(&lab, PU_SEC(2));
	assert_false(pu_host_on_probation(h));
	assert_true(try_code(b, codes[0]) < 0);
	/* The newcomer is an ordinary member by now. */
	pu_lab_run(&lab, PU_SEC(10));
	assert_true(pu_lab_reserved(a, relay));
	assert_false(at_relay(b));
}

static void wrong_codes_change_nothing(void **state)
{
	struct pu_group *g = make(2, 0);
	char wrong[PU_CODE_TEXT_MAX + 1];
	struct pu_code code;

	up(a);
	assert_int_equal(pu_code_parse(codes[0], &code, NULL), 0);
	code.token[0] ^= 1;
	assert_int_equal(pu_code_format(&code, wrong), 0);
	assert_int_equal(try_code(a, wrong), PU_EDENIED);
	assert_null(at_relay(a));
	assert_int_equal(g->n_used, 0);
	assert_int_equal(try_code(a, codes[0]), 0);
}

/* The time that a group gives its members is in the file, so it outlives the relay. */
static void membership_ends_in_time_whatever_restarts(void **state)
{
	(void)make(1, 120);
	up(a);
	join(a, codes[0], "anna");
	pu_lab_run(&lab, PU_SEC(10));
	assert_true(at_relay(a)->expires < PU_MEMBER_NO_EXPIRY);
	restart_relay();
	pu_lab_run(&lab, PU_SEC(60));
	assert_true(pu_lab_reserved(a, relay));
	pu_lab_run(&lab, PU_SEC(80));
	assert_false(pu_lab_reserved(a, relay));
	assert_null(pu_host_conn(relay->server->host, &a->id));
}

static void member_keeps_its_comment_and_gains_time(void **state)
{
	char line[256];
	int64_t now = pu_loop_unix(pu_sim_loop(relay->sim));

	snprintf(line, sizeof line,
		 "%s  note=kept  # the old oak\n%s  expires=2020-01-01T00:00:00Z\n",
		 a->id_text, b->id_text);
	pu_lab_append(relay->members, sizeof relay->members, line);
	pu_lab_relay_reload(relay);
	(void)make(2, 3600);
	up(a);
	up(b);
	join(a, codes[0], "anna");
	join(b, codes[1], "bert");
	keep(relay->dir, "relay_authorized_keys", relay->members, sizeof relay->members);
	assert_non_null(strstr(relay->members, "note=kept"));
	assert_string_equal(at_relay(a)->comment, "the old oak");
	assert_int_equal(at_relay(a)->expires, PU_MEMBER_NO_EXPIRY);
	assert_true(at_relay(b)->expires >= now + 3600);
}

/* How a peer without a name is called. */
static const char *name_of_id(const struct pu_peerid *peer, char out[32])
{
	char id[PU_PEERID_TEXT_MAX];

	pu_peerid_text(peer, id);
	snprintf(out, 32, "peer-%s", id + strlen(id) - 8);
	return out;
}

static void names_are_cleaned_and_unique(void **state)
{
	char name[32];

	(void)make(4, 0);
	for (unsigned i = 0; i < 4; i++)
		up(&lab.node[i]);
	join(a, codes[0], "evil: {inject: true}");
	join(b, codes[1], "evilinjecttrue");
	join(c, codes[2], "!@#$%");
	join(d, codes[3], "EVILINJECTTRUE");
	assert_string_equal(at_relay(a)->comment, "evilinjecttrue");
	assert_string_equal(at_relay(b)->comment, "evilinjecttrue-2");
	assert_memory_equal(at_relay(c)->comment, "paired-", 7);
	assert_string_equal(at_relay(d)->comment, "EVILINJECTTRUE-3");
	pu_lab_run(&lab, PU_SEC(5));
	assert_named(a, b, "evilinjecttrue-2");
	assert_named(a, c, name_of_id(&c->id, name));
}

static void code_is_free_again_when_the_file_cannot_be_written(void **state)
{
	struct pu_group *g = make(1, 0);
	char file[PU_PATHS_LEN];

	up(a);
	assert_int_equal(pu_paths_join(file, relay->dir, "relay_authorized_keys"), 0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkdir(file, 0700), 0);
	assert_int_equal(try_code(a, codes[0]), PU_EDENIED);
	assert_int_equal(g->n_used, 0);
	assert_true(pu_host_on_probation(relay->server->host));
	assert_int_equal(rmdir(file), 0);
	assert_int_equal(try_code(a, codes[0]), 0);
	assert_non_null(at_relay(a));
}

static bool a_is_stored(void *arg)
{
	return at_relay(a) != NULL;
}

/* Everything that the relay says from the moment on in which it has stored a is lost. */
static int lose_the_answer(const char *text)
{
	static const struct pu_sim_link cut = { .down = true };
	struct attempt *at = begin(a, text, "anna");
	int err;

	assert_true(pu_sim_run_until(lab.sim, a_is_stored, NULL, PU_SEC(10)));
	pu_sim_link_one_way(relay->sim, a->sim, &cut);
	assert_true(pu_sim_run_until(lab.sim, is_done, at, PU_SEC(60)));
	err = at->err;
	free(at);
	pu_sim_link(a->sim, relay->sim, &good);
	pu_host_disconnect(a->node->host, &relay->server->key.peer, 0);
	pu_lab_run(&lab, PU_SEC(60));
	return err;
}

static void lost_answer_is_given_again(void **state)
{
	struct pu_group *g = make(2, 0);

	up(a);
	up(b);
	join(b, codes[1], "bert");
	assert_true(lose_the_answer(codes[0]) < 0);
	assert_int_equal(g->n_used, 2);
	join(a, codes[0], "anna");
	assert_named(a, b, "bert");
	assert_named(b, a, "anna");
}

/* The relay dies after it has stored the member: that counts, the code is gone, and a new one
 * makes things complete. */
static void relay_that_dies_in_the_middle_has_stored_all_or_nothing(void **state)
{
	(void)make(1, 3600);
	up(a);
	assert_true(lose_the_answer(codes[0]) < 0);
	restart_relay();
	assert_non_null(at_relay(a));
	assert_true(at_relay(a)->expires < PU_MEMBER_NO_EXPIRY);
	assert_string_equal(at_relay(a)->comment, "anna");
	assert_int_equal(try_code(a, codes[0]), PU_EDENIED);
	(void)make(1, 3600);
	join(a, codes[0], "anna");
	pu_lab_run(&lab, PU_SEC(10));
	assert_true(pu_lab_reserved(a, relay));
}

static void nobody_is_introduced_to_one_who_was_shut_out(void **state)
{
	struct attempt *at;
	char file[PU_PATHS_LEN];

	(void)make(3, 0);
	for (unsigned i = 0; i < 3; i++)
		up(&lab.node[i]);
	join(a, codes[0], "anna");
	join(b, codes[1], "bert");
	assert_int_equal(pu_paths_join(file, relay->dir, "relay_authorized_keys"), 0);
	assert_int_equal(pu_member_edit_remove(file, &a->id), 0);
	assert_int_equal(pu_relay_server_reload_members(relay->server), 0);
	at = redeem(c, codes[2], "carl");
	assert_int_equal(at->err, 0);
	assert_int_equal(at->r.n_peers, 1);
	assert_true(pu_peerid_eq(&at->r.peer[0].id, &b->id));
	/* b still counts a, and learns of c all the same. */
	enrol(c, codes[2], &at->r);
	free(at);
	pu_lab_run(&lab, PU_SEC(5));
	assert_named(b, c, "carl");
	assert_false(knows(a, c));
}

static void relay_for_everybody_takes_members_in_all_the_same(void **state)
{
	relay->server->cfg->gating = false;
	(void)make(2, 3600);
	up(a);
	up(b);
	join(a, codes[0], "anna");
	join(b, codes[1], "bert");
	pu_lab_run(&lab, PU_SEC(5));
	assert_named(a, b, "bert");
	assert_non_null(at_relay(a));
	assert_true(at_relay(b)->expires < PU_MEMBER_NO_EXPIRY);
}

static void group_that_is_revoked_takes_nobody_in(void **state)
{
	struct pu_group *g = make(2, 0);

	up(a);
	up(b);
	join(a, codes[0], "anna");
	assert_int_equal(
		pu_groups_remove(pu_relay_pairing_groups(relay->server->pairing), g->id), 0);
	assert_true(try_code(b, codes[1]) < 0);
	assert_non_null(at_relay(a));
	assert_null(at_relay(b));
}

/* --- introductions that are not believed ------------------------------------------- */

struct notice {
	struct pu_notify m;
	bool done;
	int err;
};

static void on_sent(void *arg, int err)
{
	struct notice *n = arg;

	n->done = true;
	n->err = err;
}

static bool notice_done(void *arg)
{
	return ((struct notice *)arg)->done;
}

/* h tells n of peer. */
static int introduce(struct pu_host *h, struct pu_lab_node *n, const char *group, unsigned size,
		     const struct pu_lab_node *peer)
{
	struct notice *t = calloc(1, sizeof *t);
	struct pu_notify_sending *s;
	int err;

	assert_non_null(t);
	snprintf(t->m.group, sizeof t->m.group, "%s", group);
	t->m.size = size;
	t->m.n_peers = 1;
	t->m.peer[0].id = peer->id;
	snprintf(t->m.peer[0].name, sizeof t->m.peer[0].name, "%s", peer->name);
	assert_int_equal(pu_notify_send(h, &n->id, &t->m, on_sent, t, &s), 0);
	assert_true(pu_sim_run_until(lab.sim, notice_done, t, PU_SEC(20)));
	pu_lab_run(&lab, PU_SEC(1));
	err = t->err;
	free(t);
	return err;
}

static void only_a_relay_of_ours_and_a_group_of_ours_count(void **state)
{
	struct pu_group *g = make(2, 0);
	struct pu_host *h = relay->server->host;

	for (unsigned i = 0; i < 4; i++)
		up(&lab.node[i]);
	join(a, codes[0], "anna");
	join(b, codes[1], "bert");
	pu_lab_run(&lab, PU_SEC(10));
	assert_true(pu_lab_connected(b, a));
	assert_int_equal(introduce(b->node->host, a, g->id, 9, c), 0); /* no relay */
	assert_false(knows(a, c));
	assert_int_equal(introduce(h, a, "elsewhere", 9, c), 0); /* no group of ours */
	assert_false(knows(a, c));
	assert_int_equal(introduce(h, a, g->id, 2, c), 0); /* more than there are */
	assert_false(knows(a, c));
	assert_int_equal(introduce(h, a, g->id, 2, b), 0); /* known */
	assert_int_equal(introduce(h, a, g->id, 9, a), 0); /* itself */
	assert_int_equal(introduce(h, a, g->id, 3, c), 0);
	assert_named(a, c, "c");
}

static void introduced_without_a_name_it_gets_one_of_its_id(void **state)
{
	static const char *const none[] = { "", "paired-2026-03-01", "!" };
	struct pu_group *g = make(4, 0);
	struct pu_lab_node named;
	char name[32];

	up(a);
	join(a, codes[0], "anna");
	pu_lab_run(&lab, PU_SEC(10));
	for (unsigned i = 0; i < sizeof none / sizeof none[0]; i++) {
		struct pu_lab_node *n = &lab.node[1 + i];

		named = *n;
		snprintf(named.name, sizeof named.name, "%s", none[i]);
		assert_int_equal(introduce(relay->server->host, a, g->id, 5, &named), 0);
		assert_named(a, n, name_of_id(&n->id, name));
	}
}

/* Its entry, not just anybody's, says that the group was joined there. */
static void relay_speaks_only_for_its_own_groups(void **state)
{
	struct pu_group *g = make(2, 0);
	char file[PU_PATHS_LEN];

	for (unsigned i = 0; i < 2; i++)
		up(&lab.node[i]);
	join(a, codes[0], "anna");
	join(b, codes[1], "bert");
	pu_lab_run(&lab, PU_SEC(10));
	assert_true(knows(a, b));
	assert_int_equal(pu_paths_join(file, a->dir, "authorized_keys"), 0);
	assert_int_equal(pu_member_edit_set_attr(file, &relay->server->key.peer, "group", ""), 0);
	assert_int_equal(introduce(relay->server->host, a, g->id, 9, c), 0);
	assert_false(knows(a, c));
}

static void expired_peer_is_not_introduced_back(void **state)
{
	static const struct pu_member_set over = { "expires", "2020-01-01T00:00:00Z" };
	struct pu_group *g = make(2, 0);
	char file[PU_PATHS_LEN], text[2048];

	up(a);
	join(a, codes[0], "anna");
	pu_lab_run(&lab, PU_SEC(10));
	assert_int_equal(pu_paths_join(file, a->dir, "authorized_keys"), 0);
	assert_int_equal(pu_member_edit_add_with(file, &c->id, &over, 1, "gone", NULL), 0);
	assert_int_equal(introduce(relay->server->host, a, g->id, 9, c), 0);
	keep(a->dir, "authorized_keys", text, sizeof text);
	assert_non_null(strstr(text, "expires=2020"));
	assert_int_equal(introduce(relay->server->host, a, g->id, 9, d), 0);
	assert_true(knows(a, d));
}

static void introduction_that_cannot_be_stored_comes_again(void **state)
{
	char file[PU_PATHS_LEN], moved[PU_PATHS_LEN];
	struct pu_group *g = make(2, 0);

	up(a);
	join(a, codes[0], "anna");
	pu_lab_run(&lab, PU_SEC(10));
	assert_int_equal(pu_paths_join(file, a->dir, "authorized_keys"), 0);
	assert_int_equal(pu_paths_join(moved, a->dir, "moved"), 0);
	assert_int_equal(rename(file, moved), 0);
	assert_int_equal(mkdir(file, 0700), 0);
	assert_true(introduce(relay->server->host, a, g->id, 3, c) < 0);
	assert_int_equal(rmdir(file), 0);
	assert_int_equal(rename(moved, file), 0);
	assert_int_equal(introduce(relay->server->host, a, g->id, 3, c), 0);
	assert_true(knows(a, c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(three_friends_know_each_other_and_meet, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			who_was_away_is_told_even_after_a_restart_of_the_relay, setup, teardown),
		cmocka_unit_test_setup_teardown(strangers_are_let_in_only_while_a_code_is_left,
						setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_codes_change_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(membership_ends_in_time_whatever_restarts, setup,
						teardown),
		cmocka_unit_test_setup_teardown(member_keeps_its_comment_and_gains_time, setup,
						teardown),
		cmocka_unit_test_setup_teardown(names_are_cleaned_and_unique, setup, teardown),
		cmocka_unit_test_setup_teardown(code_is_free_again_when_the_file_cannot_be_written,
						setup, teardown),
		cmocka_unit_test_setup_teardown(lost_answer_is_given_again, setup, teardown),
		cmocka_unit_test_setup_teardown(
			relay_that_dies_in_the_middle_has_stored_all_or_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_is_introduced_to_one_who_was_shut_out, setup,
						teardown),
		cmocka_unit_test_setup_teardown(relay_for_everybody_takes_members_in_all_the_same,
						setup, teardown),
		cmocka_unit_test_setup_teardown(group_that_is_revoked_takes_nobody_in, setup,
						teardown),
		cmocka_unit_test_setup_teardown(only_a_relay_of_ours_and_a_group_of_ours_count,
						setup, teardown),
		cmocka_unit_test_setup_teardown(introduced_without_a_name_it_gets_one_of_its_id,
						setup, teardown),
		cmocka_unit_test_setup_teardown(relay_speaks_only_for_its_own_groups, setup,
						teardown),
		cmocka_unit_test_setup_teardown(expired_peer_is_not_introduced_back, setup,
						teardown),
		cmocka_unit_test_setup_teardown(introduction_that_cannot_be_stored_comes_again,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
