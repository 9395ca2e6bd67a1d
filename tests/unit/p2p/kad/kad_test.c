/* Whole hosts over the simulated network: who is found, by whom, and who is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/wire.h"
#include "p2p/kad/inbound.h"
#include "p2p/kad/kad.h"
#include "p2p/kad/rpc.h"
#include "p2p/kad/table.h"
#include "support/hosts.h"

enum { HOSTS_MAX = 12 };

struct member {
	struct test_host t;
	struct pu_kad *k;
	char ip[24];
};

struct lab {
	struct pu_sim *sim;
	struct member m[HOSTS_MAX];
	unsigned n;
};

static void lab_init(struct lab *lab)
{
	struct pu_sim_link link = { .delay = PU_MS(10) };

	memset(lab, 0, sizeof *lab);
	lab->sim = pu_sim_new(pu_sim_seed());
	pu_sim_default_link(lab->sim, &link);
}

/* A host and its DHT. opt may be NULL. */
static struct member *add_with(struct lab *lab, enum pu_kad_mode mode,
			       const struct pu_kad_options *opt)
{
	static const char *const listen[] = { "/ip4/0.0.0.0/udp/4001/quic-v1", NULL };
	struct pu_kad_options options = opt ? *opt : (struct pu_kad_options){ 0 };
	struct member *m = &lab->m[lab->n++];

	options.mode = mode;
	snprintf(m->ip, sizeof m->ip, "11.%u.0.1", lab->n);
	test_host_init(&m->t, lab->sim, lab->n, m->ip, NULL);
	test_host_start(&m->t, listen);
	assert_int_equal(pu_kad_new(m->t.h, &options, &m->k), 0);
	return m;
}

static struct member *add(struct lab *lab, enum pu_kad_mode mode)
{
	return add_with(lab, mode, NULL);
}

static void leave(struct member *m)
{
	pu_kad_free(m->k);
	m->k = NULL;
	test_host_stop(&m->t);
}

static void lab_deinit(struct lab *lab)
{
	for (unsigned i = 0; i < lab->n; i++)
		if (lab->m[i].k)
			leave(&lab->m[i]);
	pu_sim_free(lab->sim);
}

/* m begins with b. */
static void bootstrap(struct member *m, const struct member *b)
{
	test_host_introduce(&m->t, &b->t);
	pu_kad_bootstrap(m->k, &b->t.key.peer, 1);
}

static struct pu_kad_stats stats(const struct member *m)
{
	struct pu_kad_stats st;

	pu_kad_stats(m->k, &st);
	return st;
}

static bool knows(const struct member *m, const struct member *of)
{
	struct pu_multiaddr ma[32];

	return pu_host_peer_addrs(m->t.h, &of->t.key.peer, ma, PU_ARRAY_LEN(ma)) > 0;
}

/* Looking for a peer. */

struct search {
	struct pu_sim *sim;
	bool done;
	int err;
	size_t n;
	struct pu_multiaddr addrs[64];
	unsigned n_providers;
	struct pu_peerid provider[16];
	size_t provider_addrs[16];
	pu_time took, since;
	struct pu_kad *k;
	struct pu_kad_query *q;
	unsigned cancel_at;
};

static void on_found(void *arg, int err, const struct pu_multiaddr *addrs, size_t n)
{
	struct search *s = arg;

	assert_false(s->done);
	s->done = true;
	s->err = err;
	s->n = n;
	s->took = pu_sim_now(s->sim) - s->since;
	for (size_t i = 0; i < n; i++)
		s->addrs[i] = addrs[i];
}

static bool is_done(void *arg)
{
	return ((struct search *)arg)->done;
}

static void begin(struct search *s, struct member *m)
{
	memset(s, 0, sizeof *s);
	s->sim = m->t.sim;
	s->since = pu_sim_now(s->sim);
	s->k = m->k;
}

static void find(struct member *m, const struct pu_peerid *peer, struct search *s)
{
	begin(s, m);
	assert_int_equal(pu_kad_find_peer(m->k, peer, on_found, s, &s->q), 0);
	assert_false(s->done); /* later, always */
	assert_true(pu_sim_run_until(m->t.sim, is_done, s, PU_SEC(70)));
}

static bool has(const struct search *s, const char *text)
{
	struct pu_multiaddr ma;

	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	for (size_t i = 0; i < s->n; i++)
		if (pu_multiaddr_eq(&s->addrs[i], &ma))
			return true;
	return false;
}

static void on_provider(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *addrs,
			size_t n)
{
	struct search *s = arg;

	assert_false(s->done);
	s->provider[s->n_providers] = *peer;
	s->provider_addrs[s->n_providers++] = n;
	if (n > 0)
		s->addrs[0] = addrs[0];
	if (s->cancel_at && s->n_providers == s->cancel_at)
		pu_kad_cancel(s->k, s->q);
}

static void on_providers_done(void *arg, int err)
{
	struct search *s = arg;

	assert_false(s->done);
	s->done = true;
	s->err = err;
}

static const struct pu_kad_providers_events providers_events = { on_provider, on_providers_done };

static void find_providers(struct member *m, const char *name, unsigned max, struct search *s)
{
	begin(s, m);
	assert_int_equal(pu_kad_find_providers(m->k, name, max, &providers_events, s, &s->q), 0);
	assert_int_equal(s->n_providers, 0);
	assert_true(pu_sim_run_until(m->t.sim, is_done, s, PU_SEC(70)));
}

/* A relay in the middle that serves, and clients that know only it. */
static void star(struct lab *lab, unsigned clients)
{
	lab_init(lab);
	add(lab, PU_KAD_SERVER);
	for (unsigned i = 0; i < clients; i++)
		bootstrap(add(lab, PU_KAD_CLIENT), &lab->m[0]);
	pu_sim_run(lab->sim, PU_SEC(10));
}

static void peer_known_only_to_the_relay_is_found(void **state)
{
	struct lab lab;
	struct search s;
	struct test_dial d;

	star(&lab, 2);
	assert_false(knows(&lab.m[1], &lab.m[2]));
	find(&lab.m[1], &lab.m[2].t.key.peer, &s);
	assert_int_equal(s.err, 0);
	assert_true(has(&s, "/ip4/11.3.0.1/udp/4001/quic-v1"));
	assert_true(s.took < PU_SEC(1));
	/* The host has them, too. */
	test_connect(&lab.m[1].t, &lab.m[2].t, &d, PU_SEC(10));
	assert_int_equal(d.err, 0);
	lab_deinit(&lab);
}

static size_t circuit_of(void *arg, const struct pu_peerid *peer, struct pu_multiaddr *out,
			 size_t cap)
{
	const struct pu_peerid *reserved = arg;

	if (!pu_peerid_eq(peer, reserved) || cap == 0)
		return 0;
	assert_int_equal(pu_multiaddr_from_text(
				 out, "/ip4/11.1.0.1/udp/4001/quic-v1/p2p/"
				      "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN/"
				      "p2p-circuit"),
			 0);
	return 1;
}

static void relay_names_its_circuit_for_those_who_reserved(void **state)
{
	struct pu_peerid reserved = { 0 };
	struct pu_kad_options opt = { .more_addrs = circuit_of, .arg = &reserved };
	struct lab lab;
	struct search s;
	unsigned circuits = 0;

	lab_init(&lab);
	add_with(&lab, PU_KAD_SERVER, &opt);
	bootstrap(add(&lab, PU_KAD_CLIENT), &lab.m[0]);
	bootstrap(add(&lab, PU_KAD_CLIENT), &lab.m[0]);
	reserved = lab.m[2].t.key.peer;
	pu_sim_run(lab.sim, PU_SEC(10));
	find(&lab.m[1], &lab.m[2].t.key.peer, &s);
	assert_int_equal(s.err, 0);
	for (size_t i = 0; i < s.n; i++)
		circuits += pu_multiaddr_kind(&s.addrs[i]) == PU_MA_KIND_CIRCUIT;
	assert_int_equal(circuits, 1);
	assert_int_equal(s.n, 2); /* and its own address */
	lab_deinit(&lab);
}

static void nobody_knows_a_stranger(void **state)
{
	struct pu_peerid nobody = { .len = 34, .b = { 0x12, 32, 1, 2, 3 } };
	struct lab lab;
	struct search s;

	star(&lab, 2);
	find(&lab.m[1], &nobody, &s);
	assert_int_equal(s.err, PU_ENOENT);
	assert_int_equal(s.n, 0);
	assert_true(s.took < PU_SEC(1));
	assert_int_equal(pu_kad_find_peer(lab.m[1].k, &lab.m[1].t.key.peer, on_found, &s, NULL),
			 PU_EINVAL);
	lab_deinit(&lab);
}

static void without_anybody_to_ask_the_search_says_so(void **state)
{
	struct pu_peerid nobody = { .len = 34, .b = { 0x12, 32, 1, 2, 3 } };
	struct lab lab;
	struct search s;

	lab_init(&lab);
	add(&lab, PU_KAD_CLIENT);
	add(&lab, PU_KAD_SERVER);
	find(&lab.m[0], &nobody, &s);
	assert_int_equal(s.err, PU_EUNREACH);
	/* Bootstrap peers are asked when the table is empty; this one does not answer. */
	bootstrap(&lab.m[0], &lab.m[1]);
	leave(&lab.m[1]);
	find(&lab.m[0], &nobody, &s);
	assert_int_equal(s.err, PU_EUNREACH);
	assert_true(s.took <= PU_SEC(PU_KAD_RPC_TIMEOUT_S + 1));
	lab_deinit(&lab);
}

static void clients_are_in_nobodys_table(void **state)
{
	struct lab lab;

	star(&lab, 3);
	assert_int_equal(stats(&lab.m[0]).peers, 0);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(stats(&lab.m[i]).peers, 1);
	/* One turns into a server and is found by everybody who refreshes. */
	pu_kad_set_mode(lab.m[3].k, PU_KAD_SERVER);
	assert_int_equal(pu_kad_mode(lab.m[3].k), PU_KAD_SERVER);
	pu_sim_run(lab.sim, PU_SEC(700));
	assert_int_equal(stats(&lab.m[0]).peers, 1);
	assert_int_equal(stats(&lab.m[1]).peers, 2);
	/* And back: whoever hears of it forgets it. */
	pu_kad_set_mode(lab.m[3].k, PU_KAD_CLIENT);
	pu_sim_run(lab.sim, PU_SEC(5));
	assert_int_equal(stats(&lab.m[0]).peers, 0);
	assert_int_equal(stats(&lab.m[1]).peers, 1);
	lab_deinit(&lab);
}

static void servers_find_each_other_through_one(void **state)
{
	struct lab lab;

	lab_init(&lab);
	add(&lab, PU_KAD_SERVER);
	for (unsigned i = 1; i < 8; i++)
		bootstrap(add(&lab, PU_KAD_SERVER), &lab.m[0]);
	pu_sim_run(lab.sim, PU_SEC(30));
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(stats(&lab.m[i]).peers, 7);
	lab_deinit(&lab);
}

static void peer_is_found_across_several_servers(void **state)
{
	struct lab lab;
	struct search s;

	lab_init(&lab);
	for (unsigned i = 0; i < 6; i++)
		add(&lab, PU_KAD_SERVER);
	for (unsigned i = 1; i < 6; i++)
		bootstrap(&lab.m[i], &lab.m[i - 1]); /* a chain */
	bootstrap(add(&lab, PU_KAD_CLIENT), &lab.m[0]);
	bootstrap(add(&lab, PU_KAD_CLIENT), &lab.m[5]);
	pu_sim_run(lab.sim, PU_SEC(30));
	find(&lab.m[6], &lab.m[7].t.key.peer, &s);
	assert_int_equal(s.err, 0);
	assert_true(has(&s, "/ip4/11.8.0.1/udp/4001/quic-v1"));
	lab_deinit(&lab);
}

static void provider_is_found_with_its_address(void **state)
{
	struct lab lab;
	struct search s;

	star(&lab, 3);
	assert_int_equal(pu_kad_advertise(lab.m[1].k, "peerup-default-network"), 0);
	assert_int_equal(pu_kad_advertise(lab.m[2].k, "peerup-default-network"), 0);
	pu_sim_run(lab.sim, PU_SEC(5));
	assert_int_equal(stats(&lab.m[0]).providers, 2);
	find_providers(&lab.m[3], "peerup-default-network", 0, &s);
	assert_int_equal(s.err, 0);
	assert_int_equal(s.n_providers, 2);
	assert_true(s.provider_addrs[0] > 0 && s.provider_addrs[1] > 0);
	assert_true(knows(&lab.m[3], &lab.m[1]) && knows(&lab.m[3], &lab.m[2]));
	/* Another name is another place. */
	find_providers(&lab.m[3], "other", 0, &s);
	assert_int_equal(s.err, 0);
	assert_int_equal(s.n_providers, 0);
	/* One is enough, and a server that keeps the record knows it itself. */
	find_providers(&lab.m[3], "peerup-default-network", 1, &s);
	assert_int_equal(s.n_providers, 1);
	find_providers(&lab.m[0], "peerup-default-network", 0, &s);
	assert_int_equal(s.n_providers, 2);
	lab_deinit(&lab);
}

static void query_may_be_canceled_from_inside(void **state)
{
	struct lab lab;
	struct search s;

	star(&lab, 3);
	pu_kad_advertise(lab.m[1].k, "x");
	pu_kad_advertise(lab.m[2].k, "x");
	pu_sim_run(lab.sim, PU_SEC(5));
	begin(&s, &lab.m[3]);
	s.cancel_at = 1;
	assert_int_equal(pu_kad_find_providers(lab.m[3].k, "x", 0, &providers_events, &s, &s.q), 0);
	pu_sim_run(lab.sim, PU_SEC(70));
	assert_int_equal(s.n_providers, 1);
	assert_false(s.done);
	assert_int_equal(stats(&lab.m[3]).queries, 0);
	/* And from outside, at every moment. */
	for (unsigned ms = 0; ms < 100; ms += 5) {
		begin(&s, &lab.m[1]);
		assert_int_equal(pu_kad_find_peer(lab.m[1].k, &lab.m[2].t.key.peer, on_found, &s,
						  &s.q),
				 0);
		pu_sim_run(lab.sim, PU_MS(ms));
		if (s.done)
			break;
		pu_kad_cancel(lab.m[1].k, s.q);
		pu_sim_run(lab.sim, PU_SEC(1));
		assert_false(s.done);
	}
	lab_deinit(&lab);
}

static void record_is_said_again_to_a_server_that_was_restarted(void **state)
{
	struct pu_kad_options opt = { .mode = PU_KAD_SERVER };
	struct lab lab;

	star(&lab, 1);
	pu_kad_advertise(lab.m[1].k, "x");
	pu_sim_run(lab.sim, PU_SEC(5));
	assert_int_equal(stats(&lab.m[0]).providers, 1);
	pu_kad_free(lab.m[0].k); /* forgets everything, keeps its name */
	pu_sim_run(lab.sim, PU_SEC(20));
	assert_int_equal(pu_kad_new(lab.m[0].t.h, &opt, &lab.m[0].k), 0);
	pu_sim_run(lab.sim, PU_SEC(20));
	assert_int_equal(stats(&lab.m[0]).providers, 1);
	/* Nothing more is said after the end. */
	assert_int_equal(pu_kad_advertise(lab.m[1].k, NULL), 0);
	pu_sim_run(lab.sim, PU_SEC(49 * 3600));
	assert_int_equal(stats(&lab.m[0]).providers, 0);
	lab_deinit(&lab);
}

static void record_is_renewed_before_it_is_forgotten(void **state)
{
	struct lab lab;

	star(&lab, 1);
	pu_kad_advertise(lab.m[1].k, "x");
	pu_sim_run(lab.sim, PU_SEC(50 * 3600));
	assert_int_equal(stats(&lab.m[0]).providers, 1);
	lab_deinit(&lab);
}

static void networks_do_not_see_each_other(void **state)
{
	struct pu_kad_options blue = { .network = "blue" };
	struct lab lab;
	struct search s;

	lab_init(&lab);
	add_with(&lab, PU_KAD_SERVER, &blue);
	bootstrap(add_with(&lab, PU_KAD_CLIENT, &blue), &lab.m[0]);
	bootstrap(add(&lab, PU_KAD_CLIENT), &lab.m[0]);
	bootstrap(add(&lab, PU_KAD_SERVER), &lab.m[0]);
	pu_sim_run(lab.sim, PU_SEC(30));
	assert_int_equal(stats(&lab.m[0]).peers, 0);
	assert_int_equal(stats(&lab.m[1]).peers, 1);
	assert_int_equal(stats(&lab.m[2]).peers, 0);
	find(&lab.m[2], &lab.m[1].t.key.peer, &s);
	assert_int_equal(s.err, PU_EUNREACH);
	assert_true(pu_host_peer_supports(lab.m[1].t.h, &lab.m[0].t.key.peer,
					  "/peerup/blue/kad/1.0.0"));
	lab_deinit(&lab);
}

static bool none(void *arg, const struct pu_peerid *peer)
{
	return !pu_peerid_eq(peer, arg);
}

static void owner_keeps_peers_out(void **state)
{
	struct pu_peerid unwanted = { 0 };
	struct pu_kad_options opt = { .may_enter = none, .arg = &unwanted };
	struct lab lab;

	lab_init(&lab);
	add_with(&lab, PU_KAD_SERVER, &opt);
	bootstrap(add(&lab, PU_KAD_SERVER), &lab.m[0]);
	bootstrap(add(&lab, PU_KAD_SERVER), &lab.m[0]);
	unwanted = lab.m[1].t.key.peer;
	pu_sim_run(lab.sim, PU_SEC(30));
	assert_int_equal(stats(&lab.m[0]).peers, 1);
	assert_int_equal(stats(&lab.m[1]).peers, 2);
	/* Unless the owner names them himself. */
	pu_kad_bootstrap(lab.m[0].k, &unwanted, 1);
	pu_kad_network_changed(lab.m[0].k);
	pu_sim_run(lab.sim, PU_SEC(30));
	assert_int_equal(stats(&lab.m[0]).peers, 2);
	lab_deinit(&lab);
}

static void dead_servers_leave_the_table_and_come_back(void **state)
{
	struct pu_sim_link down = { .down = true }, up = { .delay = PU_MS(10) };
	struct lab lab;

	star(&lab, 0);
	bootstrap(add(&lab, PU_KAD_SERVER), &lab.m[0]);
	bootstrap(add(&lab, PU_KAD_SERVER), &lab.m[0]);
	pu_sim_run(lab.sim, PU_SEC(30));
	assert_int_equal(stats(&lab.m[1]).peers, 2);
	pu_sim_link(lab.m[1].t.node, lab.m[2].t.node, &down);
	pu_sim_link(lab.m[0].t.node, lab.m[2].t.node, &down);
	pu_sim_run(lab.sim, PU_SEC(3600));
	assert_int_equal(stats(&lab.m[1]).peers, 1);
	/* The one that is cut off keeps the names: nobody else is to blame. */
	assert_int_equal(stats(&lab.m[2]).peers, 2);
	pu_sim_link(lab.m[1].t.node, lab.m[2].t.node, &up);
	pu_sim_link(lab.m[0].t.node, lab.m[2].t.node, &up);
	pu_sim_run(lab.sim, PU_SEC(1300));
	assert_int_equal(stats(&lab.m[1]).peers, 2);
	lab_deinit(&lab);
}

static void host_may_stop_before_the_dht(void **state)
{
	struct lab lab;
	struct search s;

	star(&lab, 2);
	pu_kad_advertise(lab.m[1].k, "x");
	begin(&s, &lab.m[1]);
	pu_kad_find_peer(lab.m[1].k, &lab.m[2].t.key.peer, on_found, &s, NULL);
	pu_sim_run(lab.sim, PU_MS(5));
	pu_host_stop(lab.m[1].t.h, NULL, NULL);
	assert_true(pu_sim_run_until(lab.sim, is_done, &s, PU_SEC(70)));
	assert_int_equal(s.err, PU_EUNREACH);
	pu_sim_run(lab.sim, PU_SEC(7200));
	pu_kad_free(lab.m[1].k);
	lab.m[1].k = NULL;
	pu_host_free(lab.m[1].t.h);
	lab_deinit(&lab);
}

/* Requests that no walk makes. */

struct reply {
	bool done, has_record;
	int err;
	size_t n_closer;
	char value[16];
};

static void on_reply(void *arg, int err, const struct pu_kad_message *m)
{
	struct reply *r = arg;

	r->done = true;
	r->err = err;
	if (err < 0 || !m)
		return;
	r->n_closer = m->n_closer;
	r->has_record = m->has_record;
	if (m->has_record)
		snprintf(r->value, sizeof r->value, "%.*s", (int)m->record_value.len,
			 (const char *)m->record_value.p);
}

static bool has_replied(void *arg)
{
	return ((struct reply *)arg)->done;
}

static struct reply request(struct member *from, const struct member *to, enum pu_kad_type type,
			    const char *key, const char *value, const struct pu_peerid *provider)
{
	static const uint8_t addr[] = { 4, 1, 2, 3, 4, 6, 0, 1 };
	struct pu_kad_message *m = calloc(1, sizeof *m);
	struct reply reply = { 0 };
	struct pu_kad_call *call;
	struct pu_kad_rpc *rpc;

	m->type = type;
	m->key = m->record_key = pu_bytes_str(key);
	m->has_record = value;
	m->record_value = value ? pu_bytes_str(value) : pu_bytes(NULL, 0);
	if (provider) {
		m->n_providers = 1;
		m->providers[0].id = *provider;
		m->providers[0].n_addrs = 1;
		m->providers[0].addrs[0] = pu_bytes(addr, sizeof addr);
	}
	assert_int_equal(pu_kad_rpc_new(from->t.h, "/peerup/kad/1.0.0", &rpc), 0);
	assert_int_equal(pu_kad_rpc_call(rpc, &to->t.key.peer, m, on_reply, &reply, &call), 0);
	assert_true(pu_sim_run_until(from->t.sim, has_replied, &reply, PU_SEC(20)));
	pu_sim_run(from->t.sim, PU_SEC(1));
	pu_kad_rpc_free(rpc);
	free(m);
	return reply;
}

static bool only_ours(void *arg, struct pu_bytes key, struct pu_bytes value, struct pu_bytes old)
{
	return key.len > 6 && memcmp(key.p, "/ours/", 6) == 0;
}

static void values_are_kept_only_where_somebody_judges(void **state)
{
	struct pu_kad_options opt = { .judge = only_ours };
	struct member *server, *other, *client;
	struct reply r;
	struct lab lab;

	lab_init(&lab);
	server = add_with(&lab, PU_KAD_SERVER, &opt);
	other = add(&lab, PU_KAD_SERVER);
	client = add(&lab, PU_KAD_CLIENT);
	bootstrap(client, server);
	test_host_introduce(&client->t, &other->t);
	r = request(client, server, PU_KAD_PUT_VALUE, "/ours/x", "v", NULL);
	assert_int_equal(r.err, 0);
	assert_string_equal(r.value, "v"); /* the echo */
	r = request(client, server, PU_KAD_GET_VALUE, "/ours/x", NULL, NULL);
	assert_string_equal(r.value, "v");
	r = request(client, server, PU_KAD_GET_VALUE, "/ours/y", NULL, NULL);
	assert_true(r.err == 0 && !r.has_record);
	assert_int_equal(request(client, server, PU_KAD_PUT_VALUE, "/pk/x", "v", NULL).err,
			 PU_ERESET);
	assert_int_equal(request(client, other, PU_KAD_PUT_VALUE, "/ours/x", "v", NULL).err,
			 PU_ERESET);
	assert_int_equal(stats(server).records, 1);
	assert_int_equal(stats(server).refused, 1);
	assert_int_equal(stats(other).records, 0);
	lab_deinit(&lab);
}

static void nobody_provides_for_others(void **state)
{
	struct member *server, *a, *b;
	struct lab lab;

	star(&lab, 2);
	server = &lab.m[0], a = &lab.m[1], b = &lab.m[2];
	request(a, server, PU_KAD_ADD_PROVIDER, "k", NULL, &b->t.key.peer);
	assert_int_equal(stats(server).providers, 0);
	assert_int_equal(stats(server).refused, 1);
	request(a, server, PU_KAD_ADD_PROVIDER, "k", NULL, NULL);
	assert_int_equal(stats(server).refused, 2);
	request(a, server, PU_KAD_ADD_PROVIDER, "k", NULL, &a->t.key.peer);
	assert_int_equal(stats(server).providers, 1);
	assert_int_equal(request(a, server, PU_KAD_FIND_NODE, "", NULL, NULL).err, PU_ERESET);
	assert_int_equal(request(a, server, PU_KAD_PING, "", NULL, NULL).err, 0);
	lab_deinit(&lab);
}

/* Strangers with bytes of their own. */

static const char *const proto[] = { "/peerup/kad/1.0.0", NULL };

static void raw_open(struct member *m, const struct member *to, struct test_dial *d,
		     struct test_sink *sink)
{
	memset(d, 0, sizeof *d);
	memset(sink, 0, sizeof *sink);
	d->ev = &test_sink_events;
	d->arg = sink;
	test_open(&m->t, &to->t, proto, d, PU_SEC(10));
	assert_int_equal(d->err, 0);
	sink->st = d->st;
}

static void raw_close(struct test_sink *sink)
{
	if (sink->st)
		pu_stream_close(sink->st);
	sink->st = NULL;
}

static void several_requests_share_a_stream_until_it_idles(void **state)
{
	static const uint8_t ping[] = { 2, 0x08, PU_KAD_PING };
	struct test_sink *sink = calloc(1, sizeof *sink);
	struct test_dial d;
	struct lab lab;

	star(&lab, 1);
	raw_open(&lab.m[1], &lab.m[0], &d, sink);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(pu_stream_write(sink->st, ping, sizeof ping), sizeof ping);
		pu_sim_run(lab.sim, PU_SEC(50));
		assert_false(sink->eof || sink->closed);
		assert_int_equal(sink->len, 3 * i);
	}
	/* Half a request does not count as life. */
	pu_stream_write(sink->st, ping, 1);
	pu_sim_run(lab.sim, PU_SEC(15));
	assert_true(sink->eof || sink->closed);
	raw_close(sink);
	lab_deinit(&lab);
	free(sink);
}

static void garbage_ends_the_stream_and_is_counted(void **state)
{
	static const uint8_t too_long[] = { 0xff, 0xff, 0x7f };
	static const uint8_t no_message[] = { 3, 0xff, 0xff, 0xff };
	static const uint8_t odd_type[] = { 2, 0x08, 0x77 };
	const struct {
		const uint8_t *p;
		size_t len;
	} bad[] = { { too_long, sizeof too_long },
		    { no_message, sizeof no_message },
		    { odd_type, sizeof odd_type } };
	struct test_sink *sink = calloc(1, sizeof *sink);
	struct test_dial d;
	struct lab lab;

	star(&lab, 1);
	for (unsigned i = 0; i < PU_ARRAY_LEN(bad); i++) {
		raw_open(&lab.m[1], &lab.m[0], &d, sink);
		pu_stream_write(sink->st, bad[i].p, bad[i].len);
		pu_sim_run(lab.sim, PU_SEC(1));
		assert_true(sink->closed);
		assert_int_equal(stats(&lab.m[0]).malformed, i + 1);
	}
	lab_deinit(&lab);
	free(sink);
}

static void flood_is_cut_off_and_counted(void **state)
{
	static const uint8_t ping[] = { 2, 0x08, PU_KAD_PING };
	struct test_sink *sink = calloc(1, sizeof *sink);
	struct test_dial d;
	struct search s;
	struct lab lab;

	star(&lab, 3);
	raw_open(&lab.m[1], &lab.m[0], &d, sink);
	for (unsigned i = 0; i < PU_KAD_INBOUND_BURST + 10; i++)
		pu_stream_write(sink->st, ping, sizeof ping);
	pu_sim_run(lab.sim, PU_SEC(1));
	assert_true(sink->closed);
	assert_int_equal(sink->code, PU_STREAM_CODE_RATE);
	assert_true(sink->len <= 3 * PU_KAD_INBOUND_BURST);
	assert_int_equal(stats(&lab.m[0]).refused, 1);
	/* Others are served as before. */
	find(&lab.m[2], &lab.m[3].t.key.peer, &s);
	assert_int_equal(s.err, 0);
	/* And the culprit again, when it has calmed down. */
	pu_sim_run(lab.sim, PU_SEC(10));
	find(&lab.m[1], &lab.m[3].t.key.peer, &s);
	assert_int_equal(s.err, 0);
	lab_deinit(&lab);
	free(sink);
}

static void streams_per_peer_are_bounded(void **state)
{
	enum { N = PU_KAD_INBOUND_STREAMS_PER_PEER + 2 };
	struct test_sink *sink = calloc(N, sizeof *sink);
	struct test_dial d;
	struct lab lab;
	unsigned closed = 0;

	lab_init(&lab);
	add(&lab, PU_KAD_SERVER);
	add(&lab, PU_KAD_CLIENT);
	test_host_introduce(&lab.m[1].t, &lab.m[0].t);
	for (unsigned i = 0; i < N; i++) {
		raw_open(&lab.m[1], &lab.m[0], &d, &sink[i]);
		pu_stream_write(sink[i].st, "\x02", 1);
	}
	pu_sim_run(lab.sim, PU_SEC(1));
	for (unsigned i = 0; i < N; i++) {
		closed += sink[i].closed;
		raw_close(&sink[i]);
	}
	assert_int_equal(closed, 3); /* the DHT has one for itself */
	assert_int_equal(stats(&lab.m[0]).refused, 3);
	lab_deinit(&lab);
	free(sink);
}

/* A server that answers every request with the same bytes. */
struct impostor {
	const uint8_t *p;
	size_t len;
	unsigned asked;
};

static size_t impostor_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct impostor *im = arg;

	im->asked++;
	pu_stream_write(st, im->p, im->len);
	return len;
}

static void impostor_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
}

static const struct pu_stream_events impostor_events = { .on_recv = impostor_recv,
							 .on_closed = impostor_closed };

static void impostor_accept(void *arg, struct pu_stream *st)
{
	pu_stream_set_events(st, &impostor_events, arg);
}

static void nonsense_gets_a_peer_left_alone(void **state)
{
	static const uint8_t junk[] = { 4, 0x08, 0x04, 0x42, 0x7f };
	static const uint8_t wrong[] = { 2, 0x08, 0x01 };
	/* A closer peer whose ID is none. */
	static const uint8_t nobody[] = { 9, 0x08, 0x04, 0x42, 0x05, 0x0a, 0x03, 1, 2, 3 };
	const struct {
		const uint8_t *p;
		size_t len;
	} answer[] = { { junk, sizeof junk }, { wrong, sizeof wrong }, { nobody, sizeof nobody } };

	for (unsigned i = 0; i < PU_ARRAY_LEN(answer); i++) {
		struct impostor im = { answer[i].p, answer[i].len, 0 };
		struct lab lab;
		struct search s;
		unsigned asked;

		lab_init(&lab);
		test_host_init(&lab.m[0].t, lab.sim, 1, "11.1.0.1", NULL);
		lab.n = 1;
		test_host_start(&lab.m[0].t,
				(const char *const[]){ "/ip4/0.0.0.0/tcp/4001", NULL });
		assert_int_equal(pu_host_handle(lab.m[0].t.h, proto[0], impostor_accept, &im), 0);
		add(&lab, PU_KAD_CLIENT);
		bootstrap(&lab.m[1], &lab.m[0]);
		pu_sim_run(lab.sim, PU_SEC(60));
		asked = im.asked;
		assert_true(asked > 0 && asked <= 3);
		find(&lab.m[1], &(struct pu_peerid){ .len = 34, .b = { 0x12, 32 } }, &s);
		assert_int_equal(s.err, PU_EUNREACH);
		assert_int_equal(im.asked, asked);
		if (i < 2)
			assert_true(stats(&lab.m[1]).malformed > 0);
		leave(&lab.m[1]);
		test_host_stop(&lab.m[0].t);
		pu_sim_free(lab.sim);
	}
}

static void memory_is_counted(void **state)
{
	struct lab lab;
	size_t before;

	star(&lab, 1);
	before = stats(&lab.m[0]).bytes;
	assert_in_range(before, 1, 200000);
	pu_kad_advertise(lab.m[1].k, "x");
	pu_sim_run(lab.sim, PU_SEC(5));
	assert_true(stats(&lab.m[0]).bytes > before);
	lab_deinit(&lab);
}

static void silly_options_are_refused(void **state)
{
	char name[300];
	struct pu_kad_options opt = { .network = name };
	struct pu_kad *k;
	struct lab lab;

	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	lab_init(&lab);
	add(&lab, PU_KAD_CLIENT);
	assert_int_equal(pu_kad_new(lab.m[0].t.h, &opt, &k), PU_EINVAL);
	assert_int_equal(pu_kad_advertise(lab.m[0].k, ""), PU_EINVAL);
	assert_int_equal(pu_kad_find_providers(lab.m[0].k, "", 1, &providers_events, NULL, NULL),
			 PU_EINVAL);
	lab_deinit(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peer_known_only_to_the_relay_is_found),
		cmocka_unit_test(relay_names_its_circuit_for_those_who_reserved),
		cmocka_unit_test(nobody_knows_a_stranger),
		cmocka_unit_test(without_anybody_to_ask_the_search_says_so),
		cmocka_unit_test(clients_are_in_nobodys_table),
		cmocka_unit_test(servers_find_each_other_through_one),
		cmocka_unit_test(peer_is_found_across_several_servers),
		cmocka_unit_test(provider_is_found_with_its_address),
		cmocka_unit_test(query_may_be_canceled_from_inside),
		cmocka_unit_test(record_is_said_again_to_a_server_that_was_restarted),
		cmocka_unit_test(record_is_renewed_before_it_is_forgotten),
		cmocka_unit_test(networks_do_not_see_each_other),
		cmocka_unit_test(owner_keeps_peers_out),
		cmocka_unit_test(dead_servers_leave_the_table_and_come_back),
		cmocka_unit_test(host_may_stop_before_the_dht),
		cmocka_unit_test(values_are_kept_only_where_somebody_judges),
		cmocka_unit_test(nobody_provides_for_others),
		cmocka_unit_test(several_requests_share_a_stream_until_it_idles),
		cmocka_unit_test(garbage_ends_the_stream_and_is_counted),
		cmocka_unit_test(flood_is_cut_off_and_counted),
		cmocka_unit_test(streams_per_peer_are_bounded),
		cmocka_unit_test(nonsense_gets_a_peer_left_alone),
		cmocka_unit_test(memory_is_counted),
		cmocka_unit_test(silly_options_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
