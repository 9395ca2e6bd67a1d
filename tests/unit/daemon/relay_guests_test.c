/* A relay, two of its members, and strangers: one of the members has invited somebody. */
#include "daemon/relay_guests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "base/rfc3339.h"
#include "daemon/relay_server.h"
#include "overlay/invite/nameplate.h"
#include "p2p/circuit/addr.h"
#include "p2p/circuit/ask.h"
#include "p2p/circuit/transport.h"
#include "p2p/proto/ping.h"
#include "support/circuit_lab.h"

struct world {
	struct pu_sim *sim;
	struct pu_sim_node *node;
	char dir[64], keys[128];
	struct pu_relay_server *relay;
	struct circuit_end a, b; /* members, both wait at the relay */
	struct circuit_end guest, other;
	struct pu_nameplate *n;  /* of a */
	unsigned number, losses;
	int lost;
	bool stopped;
};

static const char *const listen_on[] = { "/ip4/0.0.0.0/udp/4001/quic-v1", NULL };

/* The relay's files. */

static void put(const struct world *w, const char *name, const char *text)
{
	char path[160];

	snprintf(path, sizeof path, "%s/%s", w->dir, name);
	assert_int_equal(pu_file_replace(path, pu_bytes_str(text), 0600, NULL), 0);
}

static void authorize(struct world *w, const char *more)
{
	char text[1024], a[PU_PEERID_TEXT_MAX], b[PU_PEERID_TEXT_MAX];

	snprintf(text, sizeof text, "%s # a\n%s # b\n%s", pu_peerid_text(&w->a.t.key.peer, a),
		 pu_peerid_text(&w->b.t.key.peer, b), more);
	put(w, "relay_authorized_keys", text);
}

static char *keys(const struct world *w)
{
	char *text;
	size_t len;

	assert_int_equal(pu_file_read(w->keys, PU_MEMBER_FILE_MAX, &text, &len, NULL), 0);
	return text;
}

static struct pu_relay_config *config(const struct world *w, const char *text)
{
	struct pu_config_diags *d = calloc(1, sizeof *d);
	struct pu_relay_config *cfg = NULL;
	char path[160];

	put(w, PU_RELAY_CONFIG_NAME, text);
	snprintf(path, sizeof path, "%s/" PU_RELAY_CONFIG_NAME, w->dir);
	assert_int_equal(pu_relay_config_load(path, &cfg, d), 0);
	free(d);
	return cfg;
}

/* Everybody. */

static struct pu_multiaddr relay_addr(const struct world *w)
{
	char text[PU_MULTIADDR_TEXT_MAX], id[PU_PEERID_TEXT_MAX];
	struct pu_multiaddr ma;

	snprintf(text, sizeof text, "/ip4/11.0.0.1/udp/7777/quic-v1/p2p/%s",
		 pu_peerid_text(&w->relay->key.peer, id));
	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	return ma;
}

static void start_end(struct world *w, struct circuit_end *e)
{
	test_host_start(&e->t, listen_on);
	assert_int_equal(pu_circuit_transport_new(e->t.h, &(struct pu_circuit_options){ 0 },
						  &e->circuit), 0);
	assert_int_equal(pu_relays_new(e->t.h, 0, NULL, NULL, &e->relays), 0);
}

static void reserve(struct world *w, struct circuit_end *e)
{
	struct pu_multiaddr ma = relay_addr(w);

	assert_int_equal(pu_relays_set(e->relays, &ma, 1), 0);
	pu_sim_run(w->sim, PU_SEC(3));
}

static bool has_reserved(const struct world *w, const struct circuit_end *e)
{
	return pu_hop_has_reservation(w->relay->hop, &e->t.key.peer);
}

static void start(struct world *w, const char *text)
{
	struct circuit_end *ends[] = { &w->a, &w->b, &w->guest, &w->other };
	struct pu_failure why = { .what = "" };
	struct pu_relay_server_options opt = { .version = "1" };
	struct pu_multiaddr ip;

	memset(w, 0, sizeof *w);
	w->sim = pu_sim_new(pu_sim_seed());
	w->node = pu_sim_node_new(w->sim, "relay");
	pu_sim_node_add_ip(w->node, "11.0.0.1");
	snprintf(w->dir, sizeof w->dir, "/tmp/pu_guests_XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->keys, sizeof w->keys, "%s/relay_authorized_keys", w->dir);
	test_host_init(&w->a.t, w->sim, 1, "11.0.1.1", NULL);
	test_host_init(&w->b.t, w->sim, 2, "11.0.1.2", NULL);
	test_host_init(&w->guest.t, w->sim, 3, "11.0.1.3", NULL);
	test_host_init(&w->other.t, w->sim, 4, "11.0.1.4", NULL);
	authorize(w, "");
	opt.loop = pu_sim_loop(w->node);
	opt.net = pu_sim_net(w->node);
	opt.cfg = config(w, text);
	assert_int_equal(pu_relay_server_new(&opt, &w->relay, &why), 0);
	pu_sim_node_ips(w->node, &ip, 1);
	pu_host_set_interface_addrs(w->relay->host, &ip, 1);
	for (size_t i = 0; i < PU_ARRAY_LEN(ends); i++)
		start_end(w, ends[i]);
	reserve(w, &w->a);
	reserve(w, &w->b);
	assert_true(has_reserved(w, &w->a) && has_reserved(w, &w->b));
}

static void on_stopped(void *arg)
{
	((struct world *)arg)->stopped = true;
}

static bool has_stopped(void *arg)
{
	return ((struct world *)arg)->stopped;
}

static void stop(struct world *w)
{
	static const char *const files[] = { "relay_node.key", PU_RELAY_CONFIG_NAME,
					     "relay_authorized_keys",
					     ".relay_authorized_keys.lock" };
	char path[160];

	pu_relay_server_stop(w->relay, on_stopped, w);
	assert_true(pu_sim_run_until(w->sim, has_stopped, w, PU_SEC(30)));
	pu_relay_server_free(w->relay);
	pu_sim_run(w->sim, PU_SEC(1));
	assert_null(w->n); /* its owner has heard of the end */
	circuit_lab_stop_end(&w->a);
	circuit_lab_stop_end(&w->b);
	circuit_lab_stop_end(&w->guest);
	circuit_lab_stop_end(&w->other);
	for (size_t i = 0; i < PU_ARRAY_LEN(files); i++) {
		snprintf(path, sizeof path, "%s/%s", w->dir, files[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(w->dir), 0);
	pu_sim_free(w->sim);
}

/* The invitation. */

static void on_number(void *arg, unsigned number)
{
	((struct world *)arg)->number = number;
}

static void on_lost(void *arg, int err)
{
	struct world *w = arg;

	w->losses++;
	w->lost = err;
	pu_nameplate_free(w->n);
	w->n = NULL;
}

static const struct pu_nameplate_events events = { on_number, on_lost };

static bool invite(struct world *w, struct circuit_end *e)
{
	w->number = 0;
	assert_int_equal(pu_nameplate_allocate(e->t.h, &w->relay->key.peer, 0, 3600, &events, w,
					       &w->n), 0);
	pu_sim_run(w->sim, PU_SEC(1));
	return w->number > 0;
}

struct answer {
	bool done;
	int err;
	struct pu_peerid owner;
	struct pu_conn *c;
};

static void on_vouched(void *arg, int err)
{
	struct answer *x = arg;

	x->done = true;
	x->err = err;
}

static int vouch(struct world *w, const struct circuit_end *e, const char *name)
{
	struct answer x = { 0 };

	assert_int_equal(pu_nameplate_vouch(w->n, &e->t.key.peer, name, on_vouched, &x), 0);
	pu_sim_run(w->sim, PU_SEC(1));
	assert_true(x.done);
	return x.err;
}

static void on_met(void *arg, int err, struct pu_conn *c)
{
	struct answer *x = arg;

	x->done = true;
	x->err = err;
	x->c = c;
}

/* Somebody comes to the relay with nothing but its address. */
static struct pu_conn *come(struct world *w, struct circuit_end *e)
{
	struct answer x = { 0 };
	struct pu_multiaddr ma, addr = relay_addr(w);
	struct pu_peerid id;

	assert_int_equal(pu_multiaddr_split_peer(&addr, &ma, &id), 0);
	assert_int_equal(pu_host_connect_addr(e->t.h, &ma, on_met, &x, NULL), 0);
	pu_sim_run(w->sim, PU_SEC(2));
	assert_true(x.done);
	return x.err || x.c->closing ? NULL : x.c;
}

static void on_owner(void *arg, int err, const struct pu_peerid *owner)
{
	struct answer *x = arg;

	x->done = true;
	x->err = err;
	if (err == 0)
		x->owner = *owner;
}

static int ask(struct world *w, struct circuit_end *e, struct pu_conn *c, struct pu_peerid *owner)
{
	struct pu_nameplate_lookup *l;
	struct answer x = { 0 };

	assert_int_equal(pu_nameplate_ask(e->t.h, c, w->number, on_owner, &x, &l), 0);
	pu_sim_run(w->sim, PU_SEC(1));
	assert_true(x.done);
	*owner = x.owner;
	return x.err;
}

/* Through the relay. */
static int reach(struct world *w, struct circuit_end *from, struct circuit_end *to)
{
	struct pu_multiaddr ma = relay_addr(w), relay;
	struct test_dial d = { 0 };
	struct pu_peerid id;

	assert_int_equal(pu_multiaddr_split_peer(&ma, &relay, &id), 0);
	assert_int_equal(pu_circuit_addr_make(&relay, &id, &ma), 0);
	assert_int_equal(pu_host_add_addr(from->t.h, &to->t.key.peer, &ma, true), 0);
	pu_host_forget_failures(from->t.h, &to->t.key.peer);
	test_connect(&from->t, &to->t, &d, PU_SEC(20));
	return d.done ? d.err : PU_ETIMEDOUT;
}

static int speaks(struct world *w, struct circuit_end *e, const char *protocol)
{
	const char *const protocols[] = { protocol, NULL };
	struct test_host relay = { .h = w->relay->host, .key = w->relay->key };
	struct test_sink sink = { 0 };
	struct test_dial d = { .ev = &test_sink_events, .arg = &sink };

	test_open(&e->t, &relay, protocols, &d, PU_SEC(5));
	if (d.st)
		pu_stream_reset(d.st, 0);
	pu_sim_run(w->sim, PU_MS(100));
	return d.err;
}

static bool is_connected(const struct world *w, const struct circuit_end *e)
{
	const struct pu_conn *c = pu_host_conn(e->t.h, &w->relay->key.peer);

	return c && !c->closing;
}

static void a_stranger_with_the_number_reaches_its_owner(void **state)
{
	struct pu_peerid owner;
	struct world w;
	struct pu_conn *c;

	start(&w, "version: 1\n");
	assert_null(come(&w, &w.guest));
	assert_true(invite(&w, &w.a));
	c = come(&w, &w.guest);
	assert_non_null(c);
	assert_int_equal(ask(&w, &w.guest, c, &owner), 0);
	assert_true(pu_peerid_eq(&owner, &w.a.t.key.peer));
	assert_int_equal(reach(&w, &w.guest, &w.a), 0);
	/* So does another one with the same number; who is right, the password decides. */
	c = come(&w, &w.other);
	assert_non_null(c);
	assert_int_equal(ask(&w, &w.other, c, &owner), 0);
	assert_int_equal(reach(&w, &w.other, &w.a), 0);
	stop(&w);
}

static void a_stranger_finds_nothing_else(void **state)
{
	struct world w;

	start(&w, "version: 1\n");
	assert_true(invite(&w, &w.a));
	assert_non_null(come(&w, &w.guest));
	assert_int_equal(reach(&w, &w.guest, &w.b), PU_EDENIED); /* no number */
	assert_int_equal(reach(&w, &w.guest, &w.other), PU_EDENIED); /* nobody */
	assert_int_equal(speaks(&w, &w.guest, PU_PING_PROTOCOL), PU_ENOPROTO);
	assert_int_equal(speaks(&w, &w.guest, "/peerup/kad/1.0.0"), PU_ENOPROTO);
	assert_int_equal(speaks(&w, &w.guest, PU_AUTONAT_REQUEST_PROTOCOL), PU_ENOPROTO);
	assert_int_equal(speaks(&w, &w.guest, "/ipfs/id/1.0.0"), PU_ENOPROTO);
	assert_int_equal(speaks(&w, &w.guest, PU_NAMEPLATE_PROTOCOL), 0);
	/* Members do all of that. */
	assert_int_equal(speaks(&w, &w.b, PU_AUTONAT_REQUEST_PROTOCOL), 0);
	assert_int_equal(reach(&w, &w.b, &w.a), 0);
	stop(&w);
}

static void a_stranger_gets_no_reservation(void **state)
{
	struct pu_relay_info info;
	struct world w;

	start(&w, "version: 1\n");
	assert_true(invite(&w, &w.a));
	reserve(&w, &w.guest);
	assert_false(has_reserved(&w, &w.guest));
	assert_int_equal(pu_relays_list(w.guest.relays, &info, 1), 1);
	assert_int_equal(info.err, PU_EDENIED);
	stop(&w);
}

static void a_stranger_does_not_stay_for_long(void **state)
{
	struct world w;

	start(&w, "version: 1\n");
	assert_true(invite(&w, &w.a));
	assert_non_null(come(&w, &w.guest));
	assert_int_equal(reach(&w, &w.guest, &w.a), 0);
	pu_sim_run(w.sim, PU_SEC(PU_HOST_PROBATION_S - 10));
	assert_non_null(pu_host_conn(w.guest.t.h, &w.a.t.key.peer));
	pu_sim_run(w.sim, PU_SEC(11));
	assert_false(is_connected(&w, &w.guest));
	assert_null(pu_host_conn(w.guest.t.h, &w.a.t.key.peer));
	stop(&w);
}

static void when_the_number_ends_strangers_go(void **state)
{
	struct world w;

	start(&w, "version: 1\n");
	assert_true(invite(&w, &w.a));
	assert_non_null(come(&w, &w.guest));
	assert_int_equal(reach(&w, &w.guest, &w.a), 0);
	pu_nameplate_free(w.n);
	w.n = NULL;
	pu_sim_run(w.sim, PU_SEC(1));
	assert_false(is_connected(&w, &w.guest));
	assert_null(pu_host_conn(w.guest.t.h, &w.a.t.key.peer));
	assert_null(come(&w, &w.guest));
	stop(&w);
}

static void who_is_no_member_any_more_has_no_number(void **state)
{
	char b[PU_PEERID_TEXT_MAX];
	struct world w;

	start(&w, "version: 1\n");
	assert_true(invite(&w, &w.a));
	pu_peerid_text(&w.b.t.key.peer, b);
	put(&w, "relay_authorized_keys", b);
	assert_int_equal(pu_relay_server_reload_members(w.relay), 0);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(w.losses, 1);
	assert_int_equal(pu_relay_guests_numbers(w.relay->guests), 0);
	assert_null(come(&w, &w.guest));
	stop(&w);
}

static void on_circuit(void *arg, int err, const struct pu_circuit_message *m,
		       struct pu_stream *st)
{
	static struct test_sink sink;
	struct answer *x = arg;

	x->done = true;
	x->err = err ? err : pu_circuit_ask_err(m->status);
	if (st)
		pu_stream_set_events(st, &test_sink_events, &sink);
}

static void one_stranger_has_few_circuits(void **state)
{
	struct answer x[PU_HOP_CIRCUITS_PER_GUEST + 1] = { 0 };
	struct pu_circuit_ask *ask_again;
	struct world w;
	struct pu_conn *c;

	start(&w, "version: 1\n");
	assert_true(invite(&w, &w.a));
	c = come(&w, &w.guest);
	for (unsigned i = 0; i < PU_ARRAY_LEN(x); i++)
		assert_int_equal(pu_circuit_ask(w.guest.t.h, c, PU_CIRCUIT_CONNECT,
						&w.a.t.key.peer, PU_SEC(5), on_circuit, &x[i],
						&ask_again), 0);
	pu_sim_run(w.sim, PU_SEC(1));
	for (unsigned i = 0; i < PU_HOP_CIRCUITS_PER_GUEST; i++)
		assert_true(x[i].done && x[i].err == 0);
	assert_int_equal(x[PU_HOP_CIRCUITS_PER_GUEST].err, PU_ELIMIT);
	stop(&w);
}

static void whom_the_owner_vouches_for_becomes_a_member(void **state)
{
	char expect[256], id[PU_PEERID_TEXT_MAX], by[PU_PEERID_TEXT_MAX], *text;
	struct world w;

	start(&w, "version: 1\n");
	assert_true(invite(&w, &w.a));
	assert_non_null(come(&w, &w.guest));
	assert_int_equal(vouch(&w, &w.guest, "Anna's lap#top\n"), 0);
	pu_peerid_text(&w.a.t.key.peer, by);
	snprintf(expect, sizeof expect, "\n%s  invited_by=%.16s  # Annaslaptop\n",
		 pu_peerid_text(&w.guest.t.key.peer, id), by);
	text = keys(&w);
	assert_non_null(strstr(text, expect));
	free(text);
	/* On the connection that it has. */
	assert_true(is_connected(&w, &w.guest));
	reserve(&w, &w.guest);
	assert_true(has_reserved(&w, &w.guest));
	assert_int_equal(vouch(&w, &w.guest, "again"), 0);
	pu_nameplate_free(w.n);
	w.n = NULL;
	pu_sim_run(w.sim, PU_SEC(2 * PU_HOST_PROBATION_S));
	assert_true(has_reserved(&w, &w.guest));
	assert_int_equal(reach(&w, &w.guest, &w.b), 0);
	stop(&w);
}

static void who_was_not_here_yet_becomes_a_member_as_well(void **state)
{
	char *text;
	struct world w;

	start(&w, "version: 1\n");
	assert_true(invite(&w, &w.a));
	assert_int_equal(vouch(&w, &w.guest, "\x01\x02"), 0);
	text = keys(&w);
	assert_non_null(strstr(text, "# invited-20"));
	free(text);
	pu_nameplate_free(w.n);
	w.n = NULL;
	pu_sim_run(w.sim, PU_SEC(1));
	assert_non_null(come(&w, &w.guest));
	stop(&w);
}

static void the_operator_has_the_last_word(void **state)
{
	char line[160], id[PU_PEERID_TEXT_MAX], when[PU_RFC3339_MAX];
	struct world w;

	start(&w, "version: 1\n");
	snprintf(line, sizeof line, "%s expires=%s\n", pu_peerid_text(&w.guest.t.key.peer, id),
		 pu_rfc3339_text(pu_loop_unix(w.relay->loop) - 60, when));
	authorize(&w, line);
	assert_int_equal(pu_relay_server_reload_members(w.relay), 0);
	assert_true(invite(&w, &w.a));
	assert_int_equal(vouch(&w, &w.guest, "guest"), PU_EDENIED);
	/* Or wants no invitations at all. */
	assert_int_equal(pu_relay_server_reload(w.relay, config(&w,
				"security: {members_may_invite: false}\n")), 0);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(w.losses, 1);
	assert_null(come(&w, &w.other));
	assert_false(invite(&w, &w.a));
	assert_int_equal(w.lost, PU_EDENIED);
	assert_int_equal(pu_relay_server_reload(w.relay, config(&w, "version: 1\n")), 0);
	assert_true(invite(&w, &w.a));
	stop(&w);
}

static void what_cannot_be_stored_is_not_granted(void **state)
{
	struct world w;

	start(&w, "version: 1\n");
	assert_true(invite(&w, &w.a));
	/* Something else is where the file was. */
	unlink(w.keys);
	assert_int_equal(mkdir(w.keys, 0700), 0);
	assert_non_null(come(&w, &w.guest));
	assert_int_equal(vouch(&w, &w.guest, "guest"), PU_ESYS);
	reserve(&w, &w.guest);
	assert_false(has_reserved(&w, &w.guest));
	rmdir(w.keys);
	stop(&w);
}

static void what_the_file_says_now_counts(void **state)
{
	char *text;
	struct world w;

	start(&w, "version: 1\n");
	assert_true(invite(&w, &w.a));
	put(&w, "relay_authorized_keys", "# nobody\n");
	assert_int_not_equal(vouch(&w, &w.guest, "guest"), 0);
	text = keys(&w);
	assert_string_equal(text, "# nobody\n");
	free(text);
	stop(&w);
}

static void without_gating_numbers_work_as_well(void **state)
{
	struct pu_peerid owner;
	struct world w;
	struct pu_conn *c;
	char *text;

	start(&w, "security: {enable_connection_gating: false}\n");
	assert_true(invite(&w, &w.a));
	c = come(&w, &w.guest);
	assert_int_equal(ask(&w, &w.guest, c, &owner), 0);
	assert_true(pu_peerid_eq(&owner, &w.a.t.key.peer));
	assert_int_equal(reach(&w, &w.guest, &w.a), 0);
	/* Nothing needs to be written. */
	assert_int_equal(vouch(&w, &w.guest, "guest"), 0);
	text = keys(&w);
	assert_null(strstr(text, "invited_by"));
	free(text);
	stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stranger_with_the_number_reaches_its_owner),
		cmocka_unit_test(a_stranger_finds_nothing_else),
		cmocka_unit_test(a_stranger_gets_no_reservation),
		cmocka_unit_test(a_stranger_does_not_stay_for_long),
		cmocka_unit_test(when_the_number_ends_strangers_go),
		cmocka_unit_test(who_is_no_member_any_more_has_no_number),
		cmocka_unit_test(one_stranger_has_few_circuits),
		cmocka_unit_test(whom_the_owner_vouches_for_becomes_a_member),
		cmocka_unit_test(who_was_not_here_yet_becomes_a_member_as_well),
		cmocka_unit_test(the_operator_has_the_last_word),
		cmocka_unit_test(what_cannot_be_stored_is_not_granted),
		cmocka_unit_test(what_the_file_says_now_counts),
		cmocka_unit_test(without_gating_numbers_work_as_well),
	};

	pu_log_set_level(PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
