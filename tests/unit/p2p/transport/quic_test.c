#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/quic_pair.h"

static const struct pu_sim_link lan = { .delay = PU_MS(1) };
static struct qp_pair pair;

static void dials_and_both_know_each_other(void **state)
{
	char text[PU_MULTIADDR_TEXT_MAX];

	qp_init(&pair, &lan);
	qp_connect(&pair);
	assert_true(pu_peerid_eq(&pair.a.c->peer, &pair.b.key.peer));
	assert_true(pu_peerid_eq(&pair.b.c->peer, &pair.a.key.peer));
	assert_memory_equal(pair.b.c->remote_key->encoded, pair.a.key.encoded, 36);
	assert_true(pair.b.c->inbound);
	assert_false(pair.a.c->inbound);
	assert_true(pair.a.c->datagrams && pair.b.c->datagrams);
	assert_string_equal(pu_multiaddr_text(&pair.a.c->remote, text),
			    "/ip4/10.0.0.2/udp/4001/quic-v1");
	assert_true(pu_multiaddr_has(&pair.b.c->remote, PU_MA_QUIC_V1));
	assert_int_equal(pair.a.gate_asked, 1);
	assert_int_equal(pair.b.gate_asked, 1);
	/* Two round trips and the pace of no one: 4 ms, not 22. */
	assert_true(pair.a.c->opened_at < PU_MS(10) + pu_sim_now(pair.sim));
	assert_in_range(pu_conn_rtt(pair.a.c), PU_MS(2), PU_MS(4));
	qp_deinit(&pair);
}

static bool echoed(void *arg)
{
	struct qp_stream *q = arg;

	return q->eof || q->closed;
}

static void stream_carries_bytes_both_ways(void **state)
{
	struct qp_stream *q;

	qp_init(&pair, &lan);
	qp_connect(&pair);
	pair.b.echo = true;
	q = qp_open(&pair.a, 1000000, true);
	assert_true(qp_run_until(&pair, echoed, q, PU_SEC(20)));
	assert_false(q->closed);
	assert_int_equal(q->got, 1000000);
	assert_true(q->hash == q->wrote_hash);
	assert_int_equal(pair.a.c->n_streams, 1);
	pu_stream_close(q->st);
	q->st = NULL;
	pu_sim_run(pair.sim, PU_SEC(1));
	assert_int_equal(pair.a.c->n_streams, 0);
	assert_int_equal(pair.b.c->n_streams, 0);
	qp_deinit(&pair);
}

static void datagrams_arrive_whole(void **state)
{
	uint8_t b[1000] = { 1, 2, 3 };
	struct iovec iov[2] = { { b, 10 }, { b + 10, 990 } };

	qp_init(&pair, &lan);
	qp_connect(&pair);
	for (int i = 0; i < 8; i++)
		assert_int_equal(pu_conn_send_datagram(pair.a.c, iov, 2), 0);
	pu_sim_run(pair.sim, PU_MS(20));
	assert_int_equal(pair.b.dgrams, 8);
	assert_int_equal(pair.b.dgram_bytes, 8000);
	assert_in_range(pair.b.dgram_ends, 1, 8);
	qp_deinit(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dials_and_both_know_each_other),
		cmocka_unit_test(stream_carries_bytes_both_ways),
		cmocka_unit_test(datagrams_arrive_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
