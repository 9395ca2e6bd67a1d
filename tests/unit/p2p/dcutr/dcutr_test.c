/* Hole punching over real circuits through every kind of NAT. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/circuit/addr.h"
#include "p2p/dcutr/dcutr.h"
#include "support/circuit_lab.h"
#include "support/simnet_nat.h"

enum kind { NONE, FULL_CONE, ADDRESS_RESTRICTED, PORT_RESTRICTED, SYMMETRIC, CGNAT, N_KINDS };

static const char *const kind_names[] = { "none", "full cone", "address restricted",
					  "port restricted", "symmetric", "CGNAT" };

/* One side of the punch. */
struct side {
	struct circuit_end *e;
	struct pu_dcutr *d;
	struct pu_sim_nat *nat, *outer;
	unsigned results;
	struct pu_dcutr_result last;
};

/* a dials b through relay 0, so b leads. */
struct lab {
	struct circuit_lab c;
	struct side a, b;
	enum pu_ma_kind transport;
	struct pu_dcutr_options opt;
};

static void on_result(void *arg, const struct pu_dcutr_result *r)
{
	struct side *s = arg;

	s->results++;
	s->last = *r;
}

static struct pu_sim_nat *make_nat(struct pu_sim *sim, enum kind k, const char *ip)
{
	switch (k) {
	case NONE:
		return NULL;
	case FULL_CONE:
		return pu_sim_nat_new(sim, &pu_sim_nat_full_cone, ip);
	case ADDRESS_RESTRICTED:
		return pu_sim_nat_new(sim, &pu_sim_nat_address_restricted, ip);
	case PORT_RESTRICTED:
	case CGNAT:
		return pu_sim_nat_new(sim, &pu_sim_nat_port_restricted, ip);
	case SYMMETRIC:
		return pu_sim_nat_new(sim, &pu_sim_nat_symmetric, ip);
	case N_KINDS:
		break;
	}
	return NULL;
}

static void put_behind(struct lab *l, struct side *s, enum kind k, unsigned i)
{
	struct pu_sim_node *n = s->e->t.node;
	char ip[32];

	if (k == NONE)
		return;
	snprintf(ip, sizeof ip, "11.0.0.%u", i);
	pu_sim_node_remove_ip(n, ip);
	pu_sim_node_add_ip(n, "192.168.1.2");
	snprintf(ip, sizeof ip, "11.0.%u.1", i);
	s->outer = s->nat = make_nat(l->c.sim, k, ip);
	if (k == CGNAT) {
		s->nat = pu_sim_nat_new(l->c.sim, &pu_sim_nat_port_restricted, "100.64.0.7");
		pu_sim_nat_behind(s->nat, s->outer);
	}
	pu_sim_node_behind(n, s->nat);
}

static void use_relay(struct lab *l, struct side *s)
{
	char id[PU_PEERID_TEXT_MAX], text[PU_MULTIADDR_TEXT_MAX];
	struct pu_multiaddr ma;

	snprintf(text, sizeof text, "/ip4/11.0.0.101/%s/p2p/%s",
		 l->transport == PU_MA_KIND_TCP ? "tcp/4001" : "udp/4001/quic-v1",
		 pu_peerid_text(&l->c.relay[0].key.peer, id));
	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	assert_int_equal(pu_relays_set(s->e->relays, &ma, 1), 0);
	assert_true(circuit_lab_reserved(&l->c, s->e, 0, PU_SEC(10)));
}

static void init(struct lab *l, enum pu_ma_kind transport, enum kind a, enum kind b)
{
	memset(l, 0, sizeof *l);
	circuit_lab_init(&l->c);
	l->transport = transport;
	l->a.e = &l->c.a;
	l->b.e = &l->c.b;
	put_behind(l, &l->a, a, 1);
	put_behind(l, &l->b, b, 2);
	l->c.a.t.cfg.no_quic = l->c.b.t.cfg.no_quic = transport == PU_MA_KIND_TCP;
	l->c.a.t.cfg.no_tcp = l->c.b.t.cfg.no_tcp = transport == PU_MA_KIND_QUIC;
}

static void start_side(struct lab *l, struct side *s)
{
	static const char *const quic[] = { "/ip4/0.0.0.0/udp/4001/quic-v1", NULL };
	static const char *const tcp[] = { "/ip4/0.0.0.0/tcp/4001", NULL };
	struct pu_dcutr_options opt = l->opt;

	test_host_start(&s->e->t, l->transport == PU_MA_KIND_TCP    ? tcp
				  : l->transport == PU_MA_KIND_QUIC ? quic
								    : circuit_lab_listen);
	assert_int_equal(pu_circuit_transport_new(s->e->t.h, &l->c.circuit, &s->e->circuit), 0);
	assert_int_equal(pu_relays_new(s->e->t.h, 0, NULL, NULL, &s->e->relays), 0);
	opt.on_result = on_result;
	opt.arg = s;
	assert_int_equal(pu_dcutr_new(s->e->t.h, &opt, &s->d), 0);
}

static void start(struct lab *l)
{
	pu_sim_default_link(l->c.sim, &l->c.link);
	circuit_lab_start_relay(&l->c, 0);
	start_side(l, &l->a);
	start_side(l, &l->b);
	use_relay(l, &l->a);
	use_relay(l, &l->b);
	pu_sim_run(l->c.sim, PU_SEC(1));
}

static void stop(struct lab *l)
{
	pu_dcutr_free(l->a.d);
	pu_dcutr_free(l->b.d);
	circuit_lab_stop(&l->c);
}

static void dial_through_the_relay(struct lab *l)
{
	struct test_dial d = { 0 };

	circuit_lab_introduce(&l->c, &l->c.a, &l->c.b, 0);
	test_connect(&l->c.a.t, &l->c.b.t, &d, PU_SEC(10));
	assert_int_equal(d.err, 0);
}

static bool direct(const struct side *from, const struct side *to)
{
	struct pu_conn *c = pu_host_conn(from->e->t.h, &to->e->t.key.peer);

	return c && !c->limited;
}

static bool both_know(void *arg)
{
	struct lab *l = arg;

	return l->a.results && l->b.results;
}

/* Somebody's port must be known to the other, or not matter to him. */
static bool possible(enum kind a, enum kind b)
{
	if (a == SYMMETRIC)
		return b == NONE || b == FULL_CONE || b == ADDRESS_RESTRICTED;
	if (b == SYMMETRIC)
		return a == NONE || a == FULL_CONE || a == ADDRESS_RESTRICTED;
	return true;
}

static void assert_cell(enum pu_ma_kind transport, enum kind a, enum kind b)
{
	struct lab l;
	bool want = possible(a, b);

	init(&l, transport, a, b);
	start(&l);
	dial_through_the_relay(&l);
	pu_sim_run_until(l.c.sim, both_know, &l, PU_SEC(40));
	if (direct(&l.a, &l.b) != want || direct(&l.b, &l.a) != want)
		fail_msg("%s, %s dials %s: %s", transport == PU_MA_KIND_TCP ? "TCP" : "QUIC",
			 kind_names[a], kind_names[b], want ? "stays relayed" : "direct");
	assert_int_equal(l.b.last.outcome, want ? PU_DCUTR_DIRECT : PU_DCUTR_TIMEOUT);
	stop(&l);
}

static void matrix(enum pu_ma_kind transport)
{
	for (int a = 0; a < N_KINDS; a++)
		for (int b = 0; b < N_KINDS; b++)
			assert_cell(transport, (enum kind)a, (enum kind)b);
}

static void quic_is_direct_wherever_theory_allows(void **state)
{
	matrix(PU_MA_KIND_QUIC);
}

static void tcp_is_direct_wherever_theory_allows(void **state)
{
	matrix(PU_MA_KIND_TCP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quic_is_direct_wherever_theory_allows),
		cmocka_unit_test(tcp_is_direct_wherever_theory_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
