/* What peers know of each other: identify, push, ping, and who is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/wire.h"
#include "crypto/envelope.h"
#include "p2p/host/state.h"
#include "p2p/proto/identify.h"
#include "p2p/proto/identify.pb-c.h"
#include "p2p/proto/identify_message.h"
#include "p2p/proto/ping.h"
#include "support/hosts.h"

struct pair {
	struct pu_sim *sim;
	struct test_host a, b;
	struct test_sink sink;
};

static void pair_init(struct pair *p)
{
	memset(p, 0, sizeof *p);
	p->sim = pu_sim_new(pu_sim_seed());
	test_host_init(&p->a, p->sim, 1, "11.0.0.1", "2a00::1");
	test_host_init(&p->b, p->sim, 2, "11.0.0.2", "2a00::2");
}

static void pair_meet(struct pair *p)
{
	static const char *const listen[] = { "/ip4/0.0.0.0/udp/4001/quic-v1",
					      "/ip4/0.0.0.0/tcp/4001", "/ip6/::/tcp/4001", NULL };
	struct test_dial d = { 0 };

	test_host_start(&p->a, listen);
	test_host_start(&p->b, listen);
	test_host_introduce(&p->a, &p->b);
	test_connect(&p->a, &p->b, &d, PU_SEC(5));
	assert_int_equal(d.err, 0);
	pu_sim_run(p->sim, PU_SEC(2));
}

static void pair_start(struct pair *p)
{
	pair_init(p);
	pair_meet(p);
}

static void pair_stop(struct pair *p)
{
	test_host_stop(&p->a);
	test_host_stop(&p->b);
	pu_sim_free(p->sim);
}

static struct host_conn *conn_of(struct test_host *t, const struct test_host *peer)
{
	return host_conn_of(pu_host_conn(t->h, &peer->key.peer));
}

static bool knows_addr(struct test_host *t, const struct test_host *peer, const char *text)
{
	struct pu_multiaddr ma, list[PU_HOST_ADDRS_PER_PEER];
	size_t n = pu_host_peer_addrs(t->h, &peer->key.peer, list, PU_ARRAY_LEN(list));

	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	for (size_t i = 0; i < n; i++)
		if (pu_multiaddr_eq(&list[i], &ma))
			return true;
	return false;
}

static void accept_and_close(void *arg, struct pu_stream *st)
{
	(void)arg;
	pu_stream_reset(st, 0);
}

/* Identify. */

static void both_learn_everything(void **state)
{
	struct pair p;
	const struct pu_peer *a;

	pair_start(&p);
	assert_int_equal(p.b.identified, 1);
	assert_true(pu_host_peer_identified(p.b.h, &p.a.key.peer));
	assert_string_equal(pu_host_peer_agent(p.b.h, &p.a.key.peer), "peerup/test");
	assert_true(pu_host_peer_supports(p.b.h, &p.a.key.peer, PU_PING_PROTOCOL));
	assert_true(pu_host_peer_supports(p.b.h, &p.a.key.peer, PU_IDENTIFY_PUSH_PROTOCOL));
	assert_false(pu_host_peer_supports(p.b.h, &p.a.key.peer, "/none"));
	assert_true(knows_addr(&p.b, &p.a, "/ip4/11.0.0.1/tcp/4001"));
	assert_true(knows_addr(&p.b, &p.a, "/ip6/2a00::1/tcp/4001"));
	assert_true(knows_addr(&p.b, &p.a, "/ip4/11.0.0.1/udp/4001/quic-v1"));
	a = pu_peerstore_find(&p.b.h->peers, &p.a.key.peer);
	PU_LIST_FOREACH(it, tmp, &a->addrs)
		assert_true(PU_CONTAINER_OF(it, struct pu_peer_addr, node)->certified);
	pair_stop(&p);
}

static void add_handlers(struct test_host *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char name[64];

		snprintf(name, sizeof name, "/peerup/service-number-%u-of-many/1.0.0", i);
		assert_int_equal(pu_host_handle(t->h, name, accept_and_close, NULL), 0);
	}
}

static void add_addrs(struct test_host *t, unsigned n)
{
	struct pu_multiaddr ma[PU_LISTENER_ADVERTISED_MAX];

	for (unsigned i = 0; i < n; i++) {
		char text[100];

		snprintf(text, sizeof text, "/ip6/2a00:1234:5678:9abc::%u/udp/4001/quic-v1", i + 1);
		assert_int_equal(pu_multiaddr_from_text(&ma[i], text), 0);
	}
	assert_int_equal(pu_host_advertise(t->h, t, ma, n), 0);
}

/* rust reads one message of at most 4096 bytes. */
static void sixty_protocols_and_twenty_addresses_fit_into_the_first_message(void **state)
{
	struct pu_buf out, body;
	struct pair p;
	uint64_t len;
	int n;
	PuPb__Identify *m;

	pair_start(&p);
	add_handlers(&p.a, 60);
	add_addrs(&p.a, PU_LISTENER_ADVERTISED_MAX);
	pu_buf_init(&out, 100000);
	pu_buf_init(&body, 100000);
	assert_int_equal(pu_identify_message_encode(conn_of(&p.a, &p.b), 5, &out), 0);
	n = pu_uvarint_decode(pu_buf_bytes(&out).p, out.len, &len);
	assert_true(n > 0);
	assert_true(len + (uint64_t)n <= 4096);
	m = pu_pb__identify__unpack(NULL, len, pu_buf_bytes(&out).p + n);
	assert_non_null(m);
	assert_int_equal(m->n_protocols, 63);
	assert_int_equal(m->n_listen_addrs, 19);
	assert_int_equal(m->public_key.len, 36);
	assert_true(out.len > len + (uint64_t)n); /* the record follows */
	pu_pb__identify__free_unpacked(m, NULL);
	pu_buf_deinit(&out);
	pu_buf_deinit(&body);
	/* And the other side has all of it after the push. */
	pu_sim_run(p.sim, PU_SEC(3));
	assert_true(pu_host_peer_supports(p.b.h, &p.a.key.peer,
					  "/peerup/service-number-59-of-many/1.0.0"));
	assert_true(knows_addr(&p.b, &p.a, "/ip6/2a00:1234:5678:9abc::7/udp/4001/quic-v1"));
	pair_stop(&p);
}

static void more_protocols_than_fit_go_into_more_messages(void **state)
{
	struct pair p;

	pair_start(&p);
	add_handlers(&p.a, 300);
	pu_sim_run(p.sim, PU_SEC(3));
	assert_true(pu_host_peer_supports(p.b.h, &p.a.key.peer,
					  "/peerup/service-number-299-of-many/1.0.0"));
	assert_true(pu_host_peer_supports(p.b.h, &p.a.key.peer, PU_PING_PROTOCOL));
	pair_stop(&p);
}

static void changes_are_pushed_both_ways(void **state)
{
	struct pair p;

	pair_start(&p);
	assert_int_equal(pu_host_handle(p.a.h, "/new/1", accept_and_close, NULL), 0);
	assert_int_equal(pu_host_handle(p.b.h, "/new/2", accept_and_close, NULL), 0);
	pu_sim_run(p.sim, PU_SEC(3));
	assert_true(pu_host_peer_supports(p.b.h, &p.a.key.peer, "/new/1"));
	assert_true(pu_host_peer_supports(p.a.h, &p.b.key.peer, "/new/2"));
	pu_host_unhandle(p.a.h, "/new/1");
	add_addrs(&p.b, 1);
	pu_sim_run(p.sim, PU_SEC(3));
	assert_false(pu_host_peer_supports(p.b.h, &p.a.key.peer, "/new/1"));
	assert_true(knows_addr(&p.a, &p.b, "/ip6/2a00:1234:5678:9abc::1/udp/4001/quic-v1"));
	assert_int_equal(p.b.identified, 3);
	/* An address that is gone is forgotten, unless the user wrote it down. */
	assert_int_equal(pu_host_advertise(p.b.h, &p.b, NULL, 0), 0);
	pu_sim_run(p.sim, PU_SEC(3));
	assert_false(knows_addr(&p.a, &p.b, "/ip6/2a00:1234:5678:9abc::1/udp/4001/quic-v1"));
	assert_true(knows_addr(&p.a, &p.b, "/ip4/11.0.0.2/tcp/4001"));
	pair_stop(&p);
}

static void many_changes_are_one_push(void **state)
{
	struct pair p;

	pair_start(&p);
	add_handlers(&p.a, 20);
	pu_sim_run(p.sim, PU_SEC(3));
	assert_int_equal(p.b.identified, 2);
	pair_stop(&p);
}

static void restless_changes_are_told_at_a_bearable_rate(void **state)
{
	struct pair p;

	pair_start(&p);
	for (unsigned i = 0; i < 60; i++) {
		add_addrs(&p.a, 1 + i % 2);
		pu_sim_run(p.sim, PU_MS(500));
	}
	assert_in_range(p.b.identified, 10, 16); /* in half a minute */
	pu_sim_run(p.sim, PU_SEC(10));
	assert_true(knows_addr(&p.b, &p.a, "/ip6/2a00:1234:5678:9abc::2/udp/4001/quic-v1"));
	pair_stop(&p);
}

/* A message of a stranger's making. */

struct forged {
	PuPb__Identify m;
	uint8_t bytes[PU_IDENTIFY_MESSAGE_MAX];
};

static int apply(struct pair *p, const PuPb__Identify *m, bool push)
{
	uint8_t b[PU_IDENTIFY_MESSAGE_MAX];
	size_t n = pu_pb__identify__get_packed_size(m);

	assert_true(n <= sizeof b);
	pu_pb__identify__pack(m, b);
	return pu_identify_message_apply(conn_of(&p->a, &p->b), pu_bytes(b, n), push);
}

static void another_peers_key_is_not_believed(void **state)
{
	PuPb__Identify m = PU_PB__IDENTIFY__INIT;
	struct pair p;

	pair_start(&p);
	m.has_public_key = 1;
	m.public_key = (ProtobufCBinaryData){ sizeof p.a.key.encoded, p.a.key.encoded };
	m.agent_version = (char *)"evil";
	assert_int_equal(apply(&p, &m, false), PU_ECRYPTO);
	assert_string_equal(pu_host_peer_agent(p.a.h, &p.b.key.peer), "peerup/test");
	pair_stop(&p);
}

static void odd_content_is_dropped_and_the_rest_kept(void **state)
{
	static const uint8_t unknown[] = { 0xff, 0x7f, 1, 2 }, loopback[] = { 4, 127, 0, 0, 1, 6, 0, 9 };
	static const uint8_t any[] = { 4, 0, 0, 0, 0, 6, 0, 9 }, good[] = { 4, 11, 0, 0, 7, 6, 0, 9 };
	ProtobufCBinaryData addrs[] = { { sizeof unknown, (uint8_t *)unknown },
					{ sizeof loopback, (uint8_t *)loopback },
					{ sizeof any, (uint8_t *)any }, { 0, NULL },
					{ sizeof good, (uint8_t *)good } };
	char longest[300], *names[] = { (char *)"", (char *)"/ok/1", (char *)"bad name", longest,
					(char *)"/ok/1", (char *)"\x01" };
	PuPb__Identify m = PU_PB__IDENTIFY__INIT;
	struct pair p;
	struct pu_multiaddr list[40];

	pair_start(&p);
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	m.n_listen_addrs = PU_ARRAY_LEN(addrs);
	m.listen_addrs = addrs;
	m.n_protocols = PU_ARRAY_LEN(names);
	m.protocols = names;
	m.agent_version = (char *)"a\x1b[31m";
	m.has_signed_peer_record = 1;
	m.signed_peer_record = (ProtobufCBinaryData){ sizeof good, (uint8_t *)good };
	assert_int_equal(apply(&p, &m, false), 0);
	assert_string_equal(pu_host_peer_agent(p.a.h, &p.b.key.peer), "a?[31m");
	assert_true(pu_host_peer_supports(p.a.h, &p.b.key.peer, "/ok/1"));
	assert_int_equal(conn_of(&p.a, &p.b)->peer->n_protocols, 1);
	assert_true(knows_addr(&p.a, &p.b, "/ip4/11.0.0.7/tcp/9"));
	assert_int_equal(pu_host_peer_addrs(p.a.h, &p.b.key.peer, list, 40), 4);
	/* A push that says nothing of protocols changes none. */
	m.n_protocols = 0;
	assert_int_equal(apply(&p, &m, true), 0);
	assert_true(pu_host_peer_supports(p.a.h, &p.b.key.peer, "/ok/1"));
	pair_stop(&p);
}

static void every_connection_may_have_protocols_of_its_own(void **state)
{
	char *first[] = { (char *)"/a/1" }, *second[] = { (char *)"/b/1" };
	PuPb__Identify m = PU_PB__IDENTIFY__INIT;
	struct pu_peer *peer;
	struct pair p;

	pair_start(&p);
	peer = conn_of(&p.a, &p.b)->peer;
	m.n_protocols = 1;
	m.protocols = first;
	assert_int_equal(apply(&p, &m, false), 0);
	assert_int_equal(peer->n_protocols, 1);
	peer->n_conns++; /* as if this were another one */
	m.protocols = second;
	assert_int_equal(apply(&p, &m, false), 0);
	assert_int_equal(apply(&p, &m, false), 0);
	assert_int_equal(peer->n_protocols, 2);
	assert_true(pu_host_peer_supports(p.a.h, &peer->id, "/a/1"));
	assert_true(pu_host_peer_supports(p.a.h, &peer->id, "/b/1"));
	assert_int_equal(apply(&p, &m, true), 0);
	peer->n_conns--;
	assert_int_equal(peer->n_protocols, 1);
	assert_true(pu_host_peer_supports(p.a.h, &peer->id, "/b/1"));
	pair_stop(&p);
}

static void protocols_of_many_connections_are_bounded(void **state)
{
	enum { AT_ONCE = 200 };
	char text[AT_ONCE][32], *names[AT_ONCE];
	PuPb__Identify m = PU_PB__IDENTIFY__INIT;
	struct pu_peer *peer;
	struct pair p;

	pair_start(&p);
	peer = conn_of(&p.a, &p.b)->peer;
	peer->n_conns++;
	m.n_protocols = AT_ONCE;
	m.protocols = names;
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < AT_ONCE; i++) {
			snprintf(text[i], sizeof text[i], "/name/%d/%d", round, i);
			names[i] = text[i];
		}
		assert_int_equal(apply(&p, &m, false), 0);
	}
	peer->n_conns--;
	assert_int_equal(peer->n_protocols, PU_PEERSTORE_PROTOCOLS_MAX);
	assert_true(pu_host_peer_supports(p.a.h, &peer->id, "/name/9/199"));
	pair_stop(&p);
}

static void old_records_do_not_win(void **state)
{
	PuPb__Identify m = PU_PB__IDENTIFY__INIT;
	static const uint8_t old[] = { 4, 11, 0, 0, 66, 6, 0, 9 };
	struct pu_bytes addr = { old, sizeof old };
	struct pu_buf payload, env;
	struct pair p;

	pair_start(&p);
	pu_buf_init(&payload, 1000);
	pu_buf_init(&env, 1000);
	assert_int_equal(pu_peer_record_encode(&p.b.key.peer, 1, &addr, 1, &payload), 0);
	assert_int_equal(pu_envelope_seal(&p.b.key, PU_ENVELOPE_DOMAIN_PEER_RECORD,
					  PU_ENVELOPE_PEER_RECORD, pu_buf_bytes(&payload), &env), 0);
	m.has_signed_peer_record = 1;
	m.signed_peer_record = (ProtobufCBinaryData){ env.len, (uint8_t *)pu_buf_bytes(&env).p };
	assert_int_equal(apply(&p, &m, true), 0);
	assert_false(knows_addr(&p.a, &p.b, "/ip4/11.0.0.66/tcp/9"));
	assert_true(knows_addr(&p.a, &p.b, "/ip4/11.0.0.2/tcp/4001"));
	pu_buf_deinit(&payload);
	pu_buf_deinit(&env);
	pair_stop(&p);
}

static void framing_is_bounded(void **state)
{
	struct pu_buf body;
	unsigned n = 0;
	size_t used;
	uint8_t b[40] = { 3, 1, 2, 3, 2, 9 };

	pu_buf_init(&body, 1000);
	assert_int_equal(pu_identify_message_split(pu_bytes(b, 6), &body, &n, &used), 0);
	assert_int_equal(used, 4);
	assert_int_equal(n, 1);
	assert_int_equal(body.len, 3);
	b[0] = 0x81; /* 8193 */
	b[1] = 0x40;
	assert_int_equal(pu_identify_message_split(pu_bytes(b, 2), &body, &n, &used), PU_EPROTO);
	memset(b, 0, sizeof b); /* empty messages count, too */
	n = 0;
	assert_int_equal(pu_identify_message_split(pu_bytes(b, 10), &body, &n, &used), 0);
	assert_int_equal(pu_identify_message_split(pu_bytes(b, 1), &body, &n, &used), PU_EPROTO);
	pu_buf_deinit(&body);
}

/* Observed addresses. */

static void three_observers_make_an_address_advertised(void **state)
{
	struct test_host c[4];
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	struct pu_multiaddr ma[32];
	struct test_dial d = { 0 };
	struct test_host us;

	test_host_init(&us, sim, 1, "11.0.0.1", NULL);
	test_host_start(&us, (const char *[]){ "/ip4/0.0.0.0/udp/4001/quic-v1", NULL });
	pu_host_set_interface_addrs(us.h, NULL, 0); /* as if a NAT were in between */
	for (unsigned i = 0; i < 3; i++) {
		char ip[16];

		assert_int_equal(pu_host_addrs(us.h, ma, 32), 0);
		assert_int_equal(pu_host_observed_addrs(us.h, 1, ma, 32), i > 0);
		snprintf(ip, sizeof ip, "11.0.%u.2", i + 1);
		test_host_init(&c[i], sim, i + 2, ip, NULL);
		test_host_start(&c[i], (const char *[]){ "/ip4/0.0.0.0/udp/4001/quic-v1", NULL });
		test_host_introduce(&us, &c[i]);
		test_connect(&us, &c[i], &d, PU_SEC(5));
		assert_int_equal(d.err, 0);
		pu_sim_run(sim, PU_SEC(2));
	}
	assert_int_equal(pu_host_addrs(us.h, ma, 32), 1);
	assert_int_equal(ma[0].b[4], 1);
	test_host_stop(&us);
	for (unsigned i = 0; i < 3; i++)
		test_host_stop(&c[i]);
	pu_sim_free(sim);
}

/* Ping. */

struct pinged {
	bool done;
	int err;
	pu_time rtt;
};

static void on_ping(void *arg, int err, pu_time rtt)
{
	*(struct pinged *)arg = (struct pinged){ true, err, rtt };
}

static void ping_measures_the_round_trip(void **state)
{
	struct pu_sim_link link = { .delay = PU_MS(40) };
	struct pinged r = { 0 };
	struct pu_ping *ping;
	struct pair p;

	pair_init(&p);
	pu_sim_default_link(p.sim, &link);
	pair_meet(&p);
	assert_int_equal(pu_ping(p.a.h, &p.b.key.peer, NULL, on_ping, &r, NULL), 0);
	pu_sim_run(p.sim, PU_SEC(1));
	assert_true(r.done);
	assert_int_equal(r.err, 0);
	assert_in_range(r.rtt / 1000000, 80, 85);
	/* Canceled in both of its states. */
	r.done = false;
	assert_int_equal(pu_ping(p.a.h, &p.b.key.peer, NULL, on_ping, &r, &ping), 0);
	pu_ping_cancel(ping);
	assert_int_equal(pu_ping(p.a.h, &p.b.key.peer, NULL, on_ping, &r, &ping), 0);
	pu_sim_run(p.sim, PU_MS(50));
	pu_ping_cancel(ping);
	pu_sim_run(p.sim, PU_SEC(15));
	assert_false(r.done);
	/* Somebody who does not answer. */
	link.down = true;
	pu_sim_link(p.a.node, p.b.node, &link);
	assert_int_equal(pu_ping(p.a.h, &p.b.key.peer, NULL, on_ping, &r, NULL), 0);
	pu_sim_run(p.sim, PU_SEC(11));
	assert_int_equal(r.err, PU_ETIMEDOUT);
	pair_stop(&p);
}

/* js ends its direction before the echo comes back. */
static void ping_is_answered_after_a_half_close(void **state)
{
	struct test_dial d = { .ev = &test_sink_events };
	uint8_t b[PU_PING_LEN] = { 1, 2, 3 };
	struct pair p;

	pair_start(&p);
	d.arg = &p.sink;
	test_open(&p.a, &p.b, (const char *const[]){ PU_PING_PROTOCOL, NULL }, &d, PU_SEC(5));
	assert_int_equal(d.err, 0);
	pu_stream_write(d.st, b, sizeof b);
	pu_stream_shutdown(d.st);
	pu_sim_run(p.sim, PU_SEC(1));
	assert_int_equal(p.sink.len, sizeof b);
	assert_memory_equal(p.sink.data, b, sizeof b);
	assert_true(p.sink.eof);
	assert_false(p.sink.closed);
	pu_stream_close(d.st);
	pair_stop(&p);
}

static void ping_stream_lives_as_long_as_it_is_used(void **state)
{
	struct test_dial d = { .ev = &test_sink_events };
	uint8_t b[PU_PING_LEN] = { 0 };
	struct pair p;

	pair_start(&p);
	d.arg = &p.sink;
	test_open(&p.a, &p.b, (const char *const[]){ PU_PING_PROTOCOL, NULL }, &d, PU_SEC(5));
	for (unsigned i = 1; i <= 9; i++) {
		pu_stream_write(d.st, b, 10); /* in pieces */
		pu_sim_run(p.sim, PU_SEC(1));
		pu_stream_write(d.st, b + 10, sizeof b - 10);
		pu_sim_run(p.sim, PU_SEC(4));
		assert_int_equal(p.sink.len, i * PU_PING_LEN);
	}
	assert_false(p.sink.eof);
	pu_sim_run(p.sim, PU_SEC(PU_PING_IDLE_S + 1));
	assert_true(p.sink.eof || p.sink.closed);
	if (!p.sink.closed)
		pu_stream_close(d.st);
	pair_stop(&p);
}

/* Keeping connections. */

static void idle_connections_are_closed_unless_protected_or_used(void **state)
{
	struct test_dial d = { .ev = &test_sink_events };
	struct pair p;

	pair_init(&p);
	p.b.cfg.idle_timeout = PU_SEC(30);
	pair_meet(&p);
	pu_sim_run(p.sim, PU_SEC(20));
	assert_int_equal(p.b.disconnected, 0);
	pu_sim_run(p.sim, PU_SEC(40));
	assert_int_equal(p.b.disconnected, 1);
	assert_int_equal(p.a.closed_code, PU_CONN_CODE_GC);
	/* Protected. */
	pu_host_protect(p.b.h, &p.a.key.peer, true);
	test_connect(&p.a, &p.b, &d, PU_SEC(5));
	pu_sim_run(p.sim, PU_SEC(100));
	assert_int_equal(p.b.disconnected, 1);
	pu_host_protect(p.b.h, &p.a.key.peer, false);
	/* With a stream on it. */
	pu_host_handle(p.b.h, "/s", test_sink_accept, &p.sink);
	d.arg = &p.sink;
	test_open(&p.a, &p.b, (const char *const[]){ "/s", NULL }, &d, PU_SEC(5));
	assert_int_equal(d.err, 0);
	pu_sim_run(p.sim, PU_SEC(100));
	assert_int_equal(p.b.disconnected, 1);
	pu_stream_reset(d.st, 0);
	pu_sim_run(p.sim, PU_SEC(100));
	assert_int_equal(p.b.disconnected, 2);
	pair_stop(&p);
}

static void connections_are_limited(const char *listen)
{
	enum { N = 6, MAX = 3 };
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	struct test_host srv, c[N];
	struct test_dial d = { 0 };
	struct pu_host_stats stats;

	test_host_init(&srv, sim, 1, "11.0.0.1", NULL);
	srv.cfg.max_conns = MAX;
	test_host_start(&srv, (const char *[]){ listen, NULL });
	for (unsigned i = 0; i < N; i++) {
		char ip[16];

		snprintf(ip, sizeof ip, "11.0.1.%u", i + 1);
		test_host_init(&c[i], sim, i + 2, ip, NULL);
		test_host_start(&c[i], NULL);
		test_host_introduce(&c[i], &srv);
		test_connect(&c[i], &srv, &d, PU_SEC(5));
	}
	pu_sim_run(sim, PU_SEC(3));
	pu_host_stats(srv.h, &stats);
	assert_int_equal(stats.n_conns, MAX);
	assert_null(pu_host_conn(c[N - 1].h, &srv.key.peer)); /* refused, or let in and sent away */
	/* A while later nobody of them has done anything: the next one gets in. */
	pu_sim_run(sim, PU_SEC(30));
	test_connect(&c[N - 1], &srv, &d, PU_SEC(5));
	pu_sim_run(sim, PU_SEC(3));
	assert_non_null(pu_host_conn(c[N - 1].h, &srv.key.peer));
	pu_host_stats(srv.h, &stats);
	assert_int_equal(stats.n_conns, MAX);
	for (unsigned i = 0; i < N; i++)
		test_host_stop(&c[i]);
	test_host_stop(&srv);
	pu_sim_free(sim);
}

static void connections_are_limited_and_idle_ones_make_room(void **state)
{
	connections_are_limited("/ip4/0.0.0.0/udp/4001/quic-v1");
	connections_are_limited("/ip4/0.0.0.0/tcp/4001");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_learn_everything),
		cmocka_unit_test(sixty_protocols_and_twenty_addresses_fit_into_the_first_message),
		cmocka_unit_test(more_protocols_than_fit_go_into_more_messages),
		cmocka_unit_test(changes_are_pushed_both_ways),
		cmocka_unit_test(many_changes_are_one_push),
		cmocka_unit_test(restless_changes_are_told_at_a_bearable_rate),
		cmocka_unit_test(another_peers_key_is_not_believed),
		cmocka_unit_test(odd_content_is_dropped_and_the_rest_kept),
		cmocka_unit_test(every_connection_may_have_protocols_of_its_own),
		cmocka_unit_test(protocols_of_many_connections_are_bounded),
		cmocka_unit_test(old_records_do_not_win),
		cmocka_unit_test(framing_is_bounded),
		cmocka_unit_test(three_observers_make_an_address_advertised),
		cmocka_unit_test(ping_measures_the_round_trip),
		cmocka_unit_test(ping_is_answered_after_a_half_close),
		cmocka_unit_test(ping_stream_lives_as_long_as_it_is_used),
		cmocka_unit_test(idle_connections_are_closed_unless_protected_or_used),
		cmocka_unit_test(connections_are_limited_and_idle_ones_make_room),
	};

	pu_log_set_level(getenv("PU_TEST_LOG") ? PU_LOG_DEBUG : PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
