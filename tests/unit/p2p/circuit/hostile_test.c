/* Relays that lie, stall and flood. relay[0] of the lab gets handlers of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "base/wire.h"
#include "p2p/circuit/message.h"
#include "p2p/circuit/pipe.h"
#include "p2p/circuit/reader.h"
#include "p2p/circuit/voucher.h"
#include "p2p/stack/upgrade.h"
#include "support/circuit_lab.h"

enum { CALLS_MAX = 256 };

/* A stream of the hop or stop protocol, seen from the evil relay. */
struct call {
	struct evil *evil;
	struct pu_stream *st;
	struct pu_circuit_reader reader;
	struct call *other;           /* bytes go there */
	struct pu_circuit_message got; /* the last message */
	unsigned n_got;
	size_t received; /* bytes behind messages */
	bool closed, eof;
	uint32_t code;
};

struct evil {
	struct circuit_lab *l;
	struct test_host *t;
	struct pu_circuit_message reply; /* to everything */
	bool silent;
	bool close_after;                /* the reply */
	const uint8_t *extra;            /* behind the reply, */
	size_t n_extra, repeat;          /* so often */
	struct call *divert;             /* CONNECT leads there */
	struct call calls[CALLS_MAX];
	unsigned n_calls;
};

static void send_bytes(struct call *c, const void *p, size_t len)
{
	if (c->st)
		pu_stream_write(c->st, p, len);
}

static void send_message(struct call *c, enum pu_circuit_protocol protocol,
			 const struct pu_circuit_message *m)
{
	struct pu_buf out;

	pu_buf_init(&out, 65536);
	assert_int_equal(pu_circuit_message_encode(protocol, m, &out), 0);
	send_bytes(c, pu_buf_bytes(&out).p, out.len);
	pu_buf_deinit(&out);
}

static void reply(struct call *c)
{
	struct evil *e = c->evil;

	if (e->silent)
		return;
	send_message(c, PU_CIRCUIT_HOP, &e->reply);
	for (size_t i = 0; i < e->repeat; i++)
		send_bytes(c, e->extra, e->n_extra);
	if (e->close_after && c->st) {
		pu_stream_close(c->st);
		c->st = NULL;
	}
}

static size_t call_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct call *c = arg;
	bool hop = strcmp(st->protocol, PU_HOP_PROTOCOL) == 0;
	struct pu_bytes body;
	size_t taken;

	if (c->other) {
		size_t n = c->other->st ? pu_stream_write(c->other->st, p, len) : len;

		c->received += n;
		return n;
	}
	if (c->n_got > 0) {
		c->received += len;
		return len;
	}
	if (pu_circuit_reader_feed(&c->reader, p, len, &taken, &body) == 0) {
		assert_int_equal(pu_circuit_message_decode(hop ? PU_CIRCUIT_HOP : PU_CIRCUIT_STOP,
							   body, &c->got), 0);
		c->n_got++;
		if (hop && c->evil->divert) {
			c->other = c->evil->divert;
			c->other->other = c;
			send_message(c, PU_CIRCUIT_HOP, &c->evil->reply);
			if (c->other->st)
				pu_stream_resume(c->other->st);
		} else if (hop) {
			reply(c);
		}
	}
	return taken;
}

static void call_eof(void *arg, struct pu_stream *st)
{
	struct call *c = arg;

	(void)st;
	c->eof = true;
}

static void call_writable(void *arg, struct pu_stream *st)
{
	struct call *c = arg;

	(void)st;
	if (c->other && c->other->st)
		pu_stream_resume(c->other->st);
}

static void call_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct call *c = arg;

	(void)st;
	(void)err;
	c->closed = true;
	c->code = code;
	c->st = NULL;
}

static const struct pu_stream_events call_events = { call_recv, call_eof, call_writable,
						     call_closed };

static struct call *call_new(struct evil *e, struct pu_stream *st)
{
	struct call *c;

	assert_true(e->n_calls < CALLS_MAX);
	c = &e->calls[e->n_calls++];
	c->evil = e;
	c->st = st;
	pu_circuit_reader_init(&c->reader);
	pu_stream_set_events(st, &call_events, c);
	return c;
}

static void on_hop(void *arg, struct pu_stream *st)
{
	call_new(arg, st);
}

static void evil_init(struct evil *e, struct circuit_lab *l)
{
	memset(e, 0, sizeof *e);
	e->l = l;
	e->t = &l->relay[0];
	e->reply.type = PU_CIRCUIT_STATUS;
	e->reply.status = PU_CIRCUIT_OK;
	e->reply.has_reservation = true;
	e->reply.reservation.expires = pu_loop_unix(pu_sim_loop(e->t->node)) + 3600;
}

/* In place of the honest relay. */
static struct evil *start(struct circuit_lab *l)
{
	struct evil *e = calloc(1, sizeof *e);

	assert_non_null(e);
	circuit_lab_init(l);
	circuit_lab_start(l);
	pu_hop_free(l->hop[0]);
	l->hop[0] = NULL;
	evil_init(e, l);
	assert_int_equal(pu_host_handle(e->t->h, PU_HOP_PROTOCOL, on_hop, e), 0);
	return e;
}

static void stop(struct evil *e)
{
	struct circuit_lab *l = e->l;

	test_host_stop(e->t);
	circuit_lab_stop(l);
	for (unsigned i = 0; i < e->n_calls; i++)
		pu_circuit_reader_deinit(&e->calls[i].reader);
	free(e);
}

static struct pu_relay_info info_of(const struct circuit_end *e)
{
	struct pu_relay_info info[2];

	assert_int_equal(pu_relays_list(e->relays, info, 2), 1);
	return info[0];
}

static size_t circuits_of(const struct circuit_end *e, struct pu_multiaddr *out, size_t cap)
{
	struct pu_multiaddr all[64];
	size_t n_all = pu_host_addrs(e->t.h, all, PU_ARRAY_LEN(all)), n = 0;

	for (size_t i = 0; i < n_all && n < cap; i++)
		if (pu_multiaddr_kind(&all[i]) == PU_MA_KIND_CIRCUIT)
			out[n++] = all[i];
	return n;
}

/* Reservations. */

static void put_voucher(struct evil *e, const struct pu_key *signer, const struct pu_peerid *peer,
			int64_t expires)
{
	struct pu_circuit_reservation *res = &e->reply.reservation;
	struct pu_buf b;

	pu_buf_init(&b, sizeof res->voucher);
	assert_int_equal(pu_circuit_voucher_make(signer, peer, expires, &b), 0);
	memcpy(res->voucher, pu_buf_bytes(&b).p, b.len);
	res->voucher_len = b.len;
	pu_buf_deinit(&b);
}

static void expect_refused(struct evil *e, int err)
{
	struct pu_multiaddr out[2];
	struct pu_relay_info info;

	circuit_lab_use_relays(e->l, &e->l->b, 1);
	assert_false(circuit_lab_reserved(e->l, &e->l->b, 0, PU_SEC(40)));
	info = info_of(&e->l->b);
	assert_int_equal(info.err, err);
	assert_false(info.voucher);
	assert_int_equal(circuits_of(&e->l->b, out, 2), 0);
	assert_in_range(e->n_calls, 1, 10);
	stop(e);
}

static void a_voucher_of_another_relay_is_a_lie(void **state)
{
	struct circuit_lab l;
	struct evil *e = start(&l);

	put_voucher(e, &l.relay[1].key, &l.b.t.key.peer, e->reply.reservation.expires);
	expect_refused(e, PU_ECRYPTO);
}

static void a_voucher_for_another_peer_is_a_lie(void **state)
{
	struct circuit_lab l;
	struct evil *e = start(&l);

	put_voucher(e, &l.relay[0].key, &l.a.t.key.peer, e->reply.reservation.expires);
	expect_refused(e, PU_EPEERID);
}

static void a_voucher_of_yesterday_is_a_lie(void **state)
{
	struct circuit_lab l;
	struct evil *e = start(&l);

	put_voucher(e, &l.relay[0].key, &l.b.t.key.peer, e->reply.reservation.expires - 90000);
	expect_refused(e, PU_EPROTO);
}

static void a_forged_voucher_is_a_lie(void **state)
{
	struct circuit_lab l;
	struct evil *e = start(&l);

	put_voucher(e, &l.relay[0].key, &l.b.t.key.peer, e->reply.reservation.expires);
	e->reply.reservation.voucher[e->reply.reservation.voucher_len - 1] ^= 1;
	expect_refused(e, PU_ECRYPTO);
}

static void a_reservation_that_is_over_is_none(void **state)
{
	struct circuit_lab l;
	struct evil *e = start(&l);

	e->reply.reservation.expires -= 3601;
	expect_refused(e, PU_EPROTO);
}

static void success_without_reservation_is_none(void **state)
{
	struct circuit_lab l;
	struct evil *e = start(&l);

	e->reply.has_reservation = false;
	expect_refused(e, PU_EPROTO);
}

static void silence_is_given_up(void **state)
{
	struct circuit_lab l;
	struct evil *e = start(&l);

	e->silent = true;
	expect_refused(e, PU_ETIMEDOUT);
}

static void an_answer_without_end_is_refused(void **state)
{
	/* A length of 65535. */
	static const uint8_t huge[] = { 0xff, 0xff, 0x03, 0x08, 0x02 };
	struct circuit_lab l;
	struct evil *e = start(&l);
	struct pu_relay_info info;

	e->silent = true;
	circuit_lab_use_relays(&l, &l.b, 1);
	pu_sim_run(l.sim, PU_SEC(2));
	assert_int_equal(e->n_calls, 1);
	send_bytes(&e->calls[0], huge, sizeof huge);
	pu_sim_run(l.sim, PU_MS(100));
	info = info_of(&l.b);
	assert_int_equal(info.err, PU_EPROTO);
	assert_int_equal(info.state, PU_RELAY_WAITING);
	assert_true(e->calls[0].closed);
	stop(e);
}

/* rust: no voucher. js: the limit in milliseconds. Everything but the time may be absent. */
static void a_bare_reservation_is_good_enough(void **state)
{
	struct pu_multiaddr out[2], ma;
	struct circuit_lab l;
	struct evil *e = start(&l);
	struct pu_relay_info info;

	circuit_lab_use_relays(&l, &l.b, 1);
	assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(5)));
	info = info_of(&l.b);
	assert_false(info.voucher);
	assert_false(info.limit.told);
	assert_int_equal(circuits_of(&l.b, out, 2), 1);
	ma = circuit_lab_circuit_addr(&l, 0);
	assert_true(pu_multiaddr_eq(&out[0], &ma));
	stop(e);
}

static void a_reservation_for_ever_is_renewed_all_the_same(void **state)
{
	struct circuit_lab l;
	struct evil *e = start(&l);

	e->reply.reservation.expires = INT64_MAX;
	circuit_lab_use_relays(&l, &l.b, 1);
	assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(5)));
	pu_sim_run(l.sim, PU_SEC(8 * 24 * 3600));
	assert_in_range(e->n_calls, 2, 3);
	stop(e);
}

static void a_second_for_ever_does_not_make_us_a_flood(void **state)
{
	struct circuit_lab l;
	struct evil *e = start(&l);

	e->reply.reservation.expires = pu_loop_unix(pu_sim_loop(e->t->node)) + 1;
	circuit_lab_use_relays(&l, &l.b, 1);
	pu_sim_run(l.sim, PU_SEC(60));
	assert_in_range(e->n_calls, 3, 12);
	stop(e);
}

static void tell(struct evil *e, const char *fmt, const struct pu_peerid *id)
{
	struct pu_circuit_reservation *res = &e->reply.reservation;
	char text[PU_MULTIADDR_TEXT_MAX], id_text[PU_PEERID_TEXT_MAX];

	snprintf(text, sizeof text, fmt, id ? pu_peerid_text(id, id_text) : "");
	assert_int_equal(pu_multiaddr_from_text(&res->addrs[res->n_addrs++], text), 0);
}

static void only_sensible_addresses_of_the_relay_itself_are_passed_on(void **state)
{
	struct pu_multiaddr out[16], ma;
	struct circuit_lab l;
	struct evil *e = start(&l);
	const struct pu_peerid *relay = &l.relay[0].key.peer, *other = &l.relay[1].key.peer;

	tell(e, "/ip4/11.0.0.5/tcp/4001/p2p/%s", other);             /* somebody else */
	tell(e, "/ip4/192.168.1.1/tcp/80", NULL);                    /* our private network */
	tell(e, "/ip4/127.0.0.1/tcp/22", NULL);
	tell(e, "/ip4/0.0.0.0/tcp/4001", NULL);
	tell(e, "/ip4/11.0.0.5/tcp/4001/p2p/%s/p2p-circuit", other); /* behind another relay */
	tell(e, "/ip4/11.0.0.5/udp/4001", NULL);                     /* nothing we know */
	tell(e, "/ip4/11.0.0.6/tcp/4001", NULL);
	tell(e, "/ip4/11.0.0.7/tcp/4001/p2p/%s", relay);
	tell(e, "/ip4/11.0.0.8/tcp/4001/p2p/%s/p2p-circuit", relay);
	tell(e, "/ip4/11.0.0.8/tcp/4001/p2p/%s/p2p-circuit", relay);
	circuit_lab_use_relays(&l, &l.b, 1);
	assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(5)));
	assert_int_equal(circuits_of(&l.b, out, 16), 4);
	ma = circuit_lab_circuit_addr(&l, 0);
	assert_true(pu_multiaddr_eq(&out[3], &ma));
	for (int i = 0; i < 3; i++) {
		char text[PU_MULTIADDR_TEXT_MAX], want[32];

		snprintf(want, sizeof want, "/ip4/11.0.0.%d/tcp/4001/p2p/", 6 + i);
		assert_memory_equal(pu_multiaddr_text(&out[i], text), want, strlen(want));
	}
	stop(e);
}

static void addresses_without_number_are_cut(void **state)
{
	struct pu_multiaddr out[32];
	struct circuit_lab l;
	struct evil *e = start(&l);

	for (int i = 0; i < PU_CIRCUIT_ADDRS_MAX; i++) {
		char text[64];

		snprintf(text, sizeof text, "/ip4/11.0.3.%d/tcp/4001", i);
		tell(e, text, NULL);
	}
	circuit_lab_use_relays(&l, &l.b, 1);
	assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(5)));
	assert_int_equal(circuits_of(&l.b, out, 32), PU_RELAYS_ADDRS_MAX);
	stop(e);
}

static void a_flood_of_answers_is_cut_off(void **state)
{
	static const uint8_t status[] = { 4, 8, 2, 0x28, 0x64 };
	struct circuit_lab l;
	struct evil *e = start(&l);

	e->extra = status;
	e->n_extra = sizeof status;
	e->repeat = 20000;
	circuit_lab_use_relays(&l, &l.b, 1);
	assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(5)));
	pu_sim_run(l.sim, PU_SEC(60));
	assert_int_equal(circuit_lab_state(&l.b, 0), PU_RELAY_RESERVED);
	assert_int_equal(l.b.t.disconnected, 0);
	assert_int_equal(e->n_calls, 1);
	stop(e);
}

/* A relay that was fine and then lies loses what it had. */
static void a_lie_at_renewal_ends_the_reservation(void **state)
{
	struct pu_multiaddr out[2];
	struct circuit_lab l;
	struct evil *e = start(&l);

	circuit_lab_use_relays(&l, &l.b, 1);
	assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(5)));
	put_voucher(e, &l.relay[0].key, &l.a.t.key.peer, e->reply.reservation.expires);
	pu_sim_run(l.sim, PU_SEC(2800));
	assert_int_equal(circuit_lab_state(&l.b, 0), PU_RELAY_WAITING);
	assert_int_equal(info_of(&l.b).err, PU_EPEERID);
	assert_int_equal(circuits_of(&l.b, out, 2), 0);
	stop(e);
}

static void a_relay_without_room_at_renewal_keeps_the_reservation_for_its_time(void **state)
{
	struct circuit_lab l;
	struct evil *e = start(&l);

	circuit_lab_use_relays(&l, &l.b, 1);
	assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(5)));
	e->reply.status = PU_CIRCUIT_RESOURCE_LIMIT_EXCEEDED;
	e->reply.has_reservation = false;
	pu_sim_run(l.sim, PU_SEC(3500));
	assert_int_equal(circuit_lab_state(&l.b, 0), PU_RELAY_RESERVED);
	assert_int_equal(info_of(&l.b).err, PU_ELIMIT);
	pu_sim_run(l.sim, PU_SEC(200));
	assert_int_equal(circuit_lab_state(&l.b, 0), PU_RELAY_WAITING);
	stop(e);
}

/* Dials. */

static int dial(struct evil *e, pu_time limit)
{
	struct test_dial d = { 0 };

	circuit_lab_introduce(e->l, &e->l->a, &e->l->b, 0);
	test_connect(&e->l->a.t, &e->l->b.t, &d, limit);
	assert_true(d.done);
	assert_null(pu_host_conn(e->l->a.t.h, &e->l->b.t.key.peer));
	return d.err;
}

static void an_unknown_status_is_no_success(void **state)
{
	struct circuit_lab l;
	struct evil *e = start(&l);

	e->reply.status = 999;
	assert_int_equal(dial(e, PU_SEC(5)), PU_EPROTO);
	stop(e);
}

static void a_circuit_full_of_rubbish_fails(void **state)
{
	static const uint8_t rubbish[1000] = { 0x55 };
	struct circuit_lab l;
	struct evil *e = start(&l);

	e->extra = rubbish;
	e->n_extra = sizeof rubbish;
	e->repeat = 300;
	assert_int_equal(dial(e, PU_SEC(5)), PU_EPROTO);
	pu_sim_run(l.sim, PU_SEC(5));
	assert_non_null(pu_host_conn(l.a.t.h, &l.relay[0].key.peer));
	stop(e);
}

static void a_circuit_that_leads_nowhere_times_out(void **state)
{
	struct circuit_lab l;
	struct evil *e = start(&l);

	assert_int_equal(dial(e, PU_SEC(20)), PU_ETIMEDOUT);
	assert_true(e->calls[0].received > 0); /* our side began the handshake */
	pu_sim_run(l.sim, PU_SEC(1));
	assert_true(e->calls[0].eof || e->calls[0].closed);
	stop(e);
}

static void silence_ends_the_dial(void **state)
{
	struct circuit_lab l;
	struct evil *e = start(&l);

	e->silent = true;
	assert_int_equal(dial(e, PU_SEC(20)), PU_ETIMEDOUT);
	stop(e);
}

static void a_circuit_that_is_closed_at_once_fails(void **state)
{
	struct circuit_lab l;
	struct evil *e = start(&l);

	e->close_after = true;
	assert_int_equal(dial(e, PU_SEC(5)), PU_ECLOSED);
	stop(e);
}

static void on_stop_open(void *arg, int err, struct pu_stream *st)
{
	assert_int_equal(err, 0);
	call_new(arg, st);
}

/* A stream of the stop protocol from the evil relay to that host. */
static struct call *open_stop(struct evil *e, struct circuit_end *to)
{
	static const char *const stop_protocol[] = { PU_STOP_PROTOCOL, NULL };
	struct test_dial d = { 0 };
	unsigned n = e->n_calls;

	test_host_introduce(e->t, &to->t);
	test_connect(e->t, &to->t, &d, PU_SEC(5));
	assert_int_equal(d.err, 0);
	assert_int_equal(pu_host_open(e->t->h, &to->t.key.peer, d.c, stop_protocol, on_stop_open, e,
				      NULL), 0);
	pu_sim_run(e->l->sim, PU_MS(60));
	assert_int_equal(e->n_calls, n + 1);
	return &e->calls[n];
}

static void say_connect(struct call *c, const struct pu_peerid *from)
{
	struct pu_circuit_message m = { .type = PU_CIRCUIT_CONNECT, .peer = *from };

	send_message(c, PU_CIRCUIT_STOP, &m);
}

/* a wants relay[1], which is an ordinary host here; it gets b. */
static void somebody_else_behind_the_circuit_is_noticed(void **state)
{
	struct pu_multiaddr ma;
	struct circuit_lab l;
	struct evil *e = start(&l);
	struct test_dial d = { 0 };

	e->divert = open_stop(e, &l.b);
	say_connect(e->divert, &l.a.t.key.peer);
	pu_sim_run(l.sim, PU_MS(100));
	assert_int_equal(e->divert->got.status, PU_CIRCUIT_OK);
	ma = circuit_lab_circuit_addr(&l, 0);
	assert_int_equal(pu_host_add_addr(l.a.t.h, &l.relay[1].key.peer, &ma, true), 0);
	test_connect(&l.a.t, &l.relay[1], &d, PU_SEC(5));
	assert_true(d.done);
	assert_int_equal(d.err, PU_EPEERID);
	assert_null(pu_host_conn(l.a.t.h, &l.b.t.key.peer));
	pu_sim_run(l.sim, PU_SEC(1));
	assert_null(pu_host_conn(l.b.t.h, &l.a.t.key.peer));
	stop(e);
}

/* Data goes on after both ends have closed. */
static void bytes_after_the_end_are_ignored(void **state)
{
	static const uint8_t more[4096];
	struct circuit_lab l;
	struct evil *e = start(&l);
	struct test_dial d = { 0 };
	struct call *hop;

	e->divert = open_stop(e, &l.b);
	say_connect(e->divert, &l.a.t.key.peer);
	circuit_lab_introduce(&l, &l.a, &l.b, 0);
	test_connect(&l.a.t, &l.b.t, &d, PU_SEC(5));
	assert_int_equal(d.err, 0);
	hop = e->divert->other;
	pu_host_disconnect(l.a.t.h, &l.b.t.key.peer, PU_CONN_CODE_NORMAL);
	for (int i = 0; i < 50; i++) {
		send_bytes(hop, more, sizeof more);
		send_bytes(e->divert, more, sizeof more);
		pu_sim_run(l.sim, PU_MS(200));
	}
	assert_null(pu_host_conn(l.a.t.h, &l.b.t.key.peer));
	assert_null(pu_host_conn(l.b.t.h, &l.a.t.key.peer));
	assert_non_null(pu_host_conn(l.a.t.h, &l.relay[0].key.peer));
	assert_non_null(pu_host_conn(l.b.t.h, &l.relay[0].key.peer));
	stop(e);
}

/* What relays bring. */

static struct pu_circuit_stats stats_of(const struct circuit_end *e)
{
	struct pu_circuit_stats s;

	pu_circuit_stats(e->circuit, &s);
	return s;
}

static void callers_must_be_named_and_be_somebody_else(void **state)
{
	struct circuit_lab l;
	struct evil *e = start(&l);
	struct pu_circuit_message m = { .type = PU_CIRCUIT_STATUS, .status = PU_CIRCUIT_OK };
	struct call *c[5];
	static const uint8_t rubbish[] = { 3, 0xff, 0xff, 0xff };
	static const uint8_t huge[] = { 0xff, 0xff, 0x7f };

	for (size_t i = 0; i < PU_ARRAY_LEN(c); i++)
		c[i] = open_stop(e, &l.b);
	send_message(c[0], PU_CIRCUIT_STOP, &m);
	say_connect(c[1], &l.relay[0].key.peer);
	say_connect(c[2], &l.b.t.key.peer);
	send_bytes(c[3], rubbish, sizeof rubbish);
	send_bytes(c[4], huge, sizeof huge);
	pu_sim_run(l.sim, PU_SEC(1));
	assert_int_equal(c[0]->got.status, PU_CIRCUIT_UNEXPECTED_MESSAGE);
	for (size_t i = 1; i < PU_ARRAY_LEN(c); i++)
		assert_int_equal(c[i]->got.status, PU_CIRCUIT_MALFORMED_MESSAGE);
	assert_int_equal(stats_of(&l.b).malformed, 5);
	assert_int_equal(stats_of(&l.b).pending, 0);
	stop(e);
}

static void endless_silent_streams_are_bounded_and_given_up(void **state)
{
	struct circuit_lab l;
	struct evil *e = start(&l);
	struct test_dial d = { 0 };

	for (int i = 0; i < 60; i++)
		open_stop(e, &l.b);
	assert_int_equal(stats_of(&l.b).pending, PU_CIRCUIT_PENDING_PER_RELAY);
	assert_int_equal(stats_of(&l.b).refused, 60 - PU_CIRCUIT_PENDING_PER_RELAY);
	/* Another relay's callers still get in. */
	{
		struct pu_multiaddr ma = circuit_lab_relay_addr(&l, 1);

		assert_int_equal(pu_relays_set(l.b.relays, &ma, 1), 0);
		assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(2)));
		circuit_lab_introduce(&l, &l.a, &l.b, 1);
		test_connect(&l.a.t, &l.b.t, &d, PU_SEC(2));
		assert_int_equal(d.err, 0);
	}
	pu_sim_run(l.sim, PU_SEC(PU_CIRCUIT_STOP_TIMEOUT_S + 1));
	assert_int_equal(stats_of(&l.b).pending, 0);
	stop(e);
}

static void callers_that_never_shake_hands_are_given_up(void **state)
{
	struct circuit_lab l;
	struct evil *e = start(&l);

	for (int i = 0; i < 20; i++)
		say_connect(open_stop(e, &l.b), &l.a.t.key.peer);
	pu_sim_run(l.sim, PU_SEC(1));
	assert_int_equal(stats_of(&l.b).pending, PU_CIRCUIT_PENDING_PER_RELAY);
	pu_sim_run(l.sim, PU_SEC(PU_CIRCUIT_HANDSHAKE_TIMEOUT_S + 1));
	assert_int_equal(stats_of(&l.b).pending, 0);
	assert_int_equal(stats_of(&l.b).open, 0);
	stop(e);
}

struct impostor {
	bool done;
	int err;
};

static void impostor_done(void *arg, int err, struct pu_conn *c)
{
	struct impostor *im = arg;

	im->done = true;
	im->err = err;
	assert_null(c);
}

/* The relay says that a calls and shakes hands as itself. */
static void a_caller_must_prove_the_identity_that_the_relay_told(void **state)
{
	static const struct pu_tcp_transport_options opt = { .order = { PU_SECURITY_NOISE } };
	struct circuit_lab l;
	struct evil *e = start(&l);
	struct call *c = open_stop(e, &l.b);
	struct pu_upgrade_config uc = {
		.loop = pu_sim_loop(e->t->node), .key = &e->t->key, .initiator = true,
		.opt = &opt, .timeout = PU_SEC(10),
	};
	struct impostor im = { 0 };
	struct pu_circuit_pipe *pipe;
	struct pu_upgrade *up;
	struct pu_list pipes;

	say_connect(c, &l.a.t.key.peer);
	pu_sim_run(l.sim, PU_MS(100));
	assert_int_equal(c->got.status, PU_CIRCUIT_OK);
	pu_list_init(&pipes);
	assert_int_equal(pu_circuit_pipe_new(c->st, &pipes, &pipe), 0);
	c->st = NULL;
	assert_int_equal(pu_upgrade_start(&uc, &pipe->pipe, impostor_done, &im, &up), 0);
	pu_sim_run(l.sim, PU_SEC(5));
	assert_true(im.done);
	assert_true(im.err < 0);
	assert_int_equal(stats_of(&l.b).accepted, 0);
	assert_null(pu_host_conn(l.b.t.h, &l.a.t.key.peer));
	stop(e);
}

static void no_circuit_comes_through_a_circuit(void **state)
{
	static const char *const stop_protocol[] = { PU_STOP_PROTOCOL, NULL };
	struct pu_multiaddr ma;
	struct circuit_lab l;
	struct evil *e = start(&l);
	struct test_dial d = { 0 };
	unsigned n = e->n_calls;

	/* b is behind relay[1]; relay[0] reaches it through that one only. */
	ma = circuit_lab_relay_addr(&l, 1);
	assert_int_equal(pu_relays_set(l.b.relays, &ma, 1), 0);
	assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(2)));
	assert_int_equal(pu_circuit_transport_new(l.relay[0].h, NULL, &(struct pu_transport *){ 0 }),
			 0);
	ma = circuit_lab_circuit_addr(&l, 1);
	assert_int_equal(pu_host_add_addr(l.relay[0].h, &l.b.t.key.peer, &ma, true), 0);
	test_connect(&l.relay[0], &l.b.t, &d, PU_SEC(5));
	assert_int_equal(d.err, 0);
	assert_true(d.c->limited);
	assert_int_equal(pu_host_open(l.relay[0].h, &l.b.t.key.peer, d.c, stop_protocol, on_stop_open,
				      e, NULL), 0);
	pu_sim_run(l.sim, PU_SEC(1));
	say_connect(&e->calls[n], &l.a.t.key.peer);
	pu_sim_run(l.sim, PU_SEC(1));
	assert_int_equal(e->calls[n].got.status, PU_CIRCUIT_PERMISSION_DENIED);
	stop(e);
}

#define C(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		C(a_voucher_of_another_relay_is_a_lie),
		C(a_voucher_for_another_peer_is_a_lie),
		C(a_voucher_of_yesterday_is_a_lie),
		C(a_forged_voucher_is_a_lie),
		C(a_reservation_that_is_over_is_none),
		C(success_without_reservation_is_none),
		C(silence_is_given_up),
		C(an_answer_without_end_is_refused),
		C(a_bare_reservation_is_good_enough),
		C(a_reservation_for_ever_is_renewed_all_the_same),
		C(a_second_for_ever_does_not_make_us_a_flood),
		C(only_sensible_addresses_of_the_relay_itself_are_passed_on),
		C(addresses_without_number_are_cut),
		C(a_flood_of_answers_is_cut_off),
		C(a_lie_at_renewal_ends_the_reservation),
		C(a_relay_without_room_at_renewal_keeps_the_reservation_for_its_time),
		C(an_unknown_status_is_no_success),
		C(a_circuit_full_of_rubbish_fails),
		C(a_circuit_that_leads_nowhere_times_out),
		C(silence_ends_the_dial),
		C(a_circuit_that_is_closed_at_once_fails),
		C(somebody_else_behind_the_circuit_is_noticed),
		C(bytes_after_the_end_are_ignored),
		C(callers_must_be_named_and_be_somebody_else),
		C(endless_silent_streams_are_bounded_and_given_up),
		C(callers_that_never_shake_hands_are_given_up),
		C(a_caller_must_prove_the_identity_that_the_relay_told),
		C(no_circuit_comes_through_a_circuit),
	};

	pu_log_set_level(PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
