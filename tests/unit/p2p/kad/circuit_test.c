/* The DHT and relays: leads to who is behind one, and stays off their circuits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "p2p/kad/kad.h"
#include "support/circuit_lab.h"

struct lab {
	struct circuit_lab l;
	struct pu_kad *a, *b, *relay;
	bool done;
	int err;
	size_t n_circuits;
};

/* What a relay's daemon would wire: its circuit for those who have reserved. */
static size_t circuit_to(void *arg, const struct pu_peerid *peer, struct pu_multiaddr *out,
			 size_t cap)
{
	struct lab *lab = arg;

	if (!pu_hop_has_reservation(lab->l.hop[0], peer))
		return 0;
	out[0] = circuit_lab_circuit_addr(&lab->l, 0);
	return 1;
}

static struct pu_kad *make(struct test_host *t, enum pu_kad_mode mode, struct lab *lab)
{
	struct pu_kad_options opt = { .mode = mode };
	struct pu_kad *k;

	if (lab) {
		opt.more_addrs = circuit_to;
		opt.arg = lab;
	}
	assert_int_equal(pu_kad_new(t->h, &opt, &k), 0);
	return k;
}

static void start(struct lab *lab, enum pu_kad_mode mode_of_b)
{
	memset(lab, 0, sizeof *lab);
	circuit_lab_init(&lab->l);
	circuit_lab_start(&lab->l);
	lab->relay = make(&lab->l.relay[0], PU_KAD_SERVER, lab);
	lab->a = make(&lab->l.a.t, PU_KAD_CLIENT, NULL);
	lab->b = make(&lab->l.b.t, mode_of_b, NULL);
	circuit_lab_use_relays(&lab->l, &lab->l.a, 1);
	circuit_lab_use_relays(&lab->l, &lab->l.b, 1);
	assert_true(circuit_lab_reserved(&lab->l, &lab->l.a, 0, PU_SEC(30)));
	assert_true(circuit_lab_reserved(&lab->l, &lab->l.b, 0, PU_SEC(30)));
	pu_kad_bootstrap(lab->a, &lab->l.relay[0].key.peer, 1);
	pu_kad_bootstrap(lab->b, &lab->l.relay[0].key.peer, 1);
	pu_sim_run(lab->l.sim, PU_SEC(10));
}

static void stop(struct lab *lab)
{
	pu_kad_free(lab->a);
	pu_kad_free(lab->b);
	pu_kad_free(lab->relay);
	circuit_lab_stop(&lab->l);
}

static void on_found(void *arg, int err, const struct pu_multiaddr *addrs, size_t n)
{
	struct lab *lab = arg;

	lab->done = true;
	lab->err = err;
	for (size_t i = 0; i < n; i++)
		lab->n_circuits += pu_multiaddr_kind(&addrs[i]) == PU_MA_KIND_CIRCUIT;
}

static bool is_done(void *arg)
{
	return ((struct lab *)arg)->done;
}

static void find_b(struct lab *lab)
{
	lab->done = false;
	lab->n_circuits = 0;
	assert_int_equal(pu_kad_find_peer(lab->a, &lab->l.b.t.key.peer, on_found, lab, NULL), 0);
	assert_true(pu_sim_run_until(lab->l.sim, is_done, lab, PU_SEC(30)));
	assert_int_equal(lab->err, 0);
}

static void peer_behind_a_relay_is_found_and_reached_by_its_id(void **state)
{
	struct test_dial d;
	struct lab lab;

	start(&lab, PU_KAD_CLIENT);
	find_b(&lab);
	assert_true(lab.n_circuits >= 1);
	test_connect(&lab.l.a.t, &lab.l.b.t, &d, PU_SEC(30));
	assert_int_equal(d.err, 0);
	assert_true(d.c->limited);
	stop(&lab);
}

static size_t nothing(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	return len;
}

static void note_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	*(uint32_t *)arg = code;
}

static void dht_stays_off_circuits(void **state)
{
	static const char *const proto[] = { "/peerup/kad/1.0.0", NULL };
	static const struct pu_stream_events events = { .on_recv = nothing,
							.on_closed = note_closed };
	struct pu_kad_stats st;
	uint64_t asked; /* by the relay, over its own connection */
	struct test_dial d;
	struct lab lab;
	uint32_t code = 0;

	start(&lab, PU_KAD_SERVER);
	find_b(&lab);
	test_connect(&lab.l.a.t, &lab.l.b.t, &d, PU_SEC(30));
	assert_true(d.err == 0 && d.c->limited);
	pu_sim_run(lab.l.sim, PU_SEC(700)); /* a refresh */
	pu_kad_stats(lab.a, &st);
	assert_int_equal(st.peers, 1); /* the relay */
	pu_kad_stats(lab.b, &st);
	assert_int_equal(st.refused, 0); /* nobody even tried */
	asked = st.requests_in;
	/* Whoever tries is refused. */
	memset(&d, 0, sizeof d);
	d.ev = &events;
	d.arg = &code;
	test_open(&lab.l.a.t, &lab.l.b.t, proto, &d, PU_SEC(30));
	if (d.err == 0) {
		pu_stream_write(d.st, "\x02\x08\x05", 3);
		pu_sim_run(lab.l.sim, PU_SEC(5));
	}
	pu_kad_stats(lab.b, &st);
	assert_int_equal(st.refused, 1);
	assert_int_equal(st.requests_in, asked);
	stop(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peer_behind_a_relay_is_found_and_reached_by_its_id),
		cmocka_unit_test(dht_stays_off_circuits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
