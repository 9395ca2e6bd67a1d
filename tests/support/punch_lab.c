#include "support/punch_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/err.h"

const char *const punch_lab_nat_names[PUNCH_LAB_NATS] = {
	"none", "full cone", "address restricted", "port restricted", "symmetric", "CGNAT",
};

static const struct pu_sim_nat_config *const configs[PUNCH_LAB_NATS] = {
	NULL,
	&pu_sim_nat_full_cone,
	&pu_sim_nat_address_restricted,
	&pu_sim_nat_port_restricted,
	&pu_sim_nat_symmetric,
	&pu_sim_nat_port_restricted,
};

static void on_result(void *arg, const struct pu_dcutr_result *r)
{
	struct punch_lab_side *s = arg;

	s->results++;
	s->last = *r;
}

static void put_behind(struct punch_lab *l, struct punch_lab_side *s, enum punch_lab_nat k,
		       unsigned i)
{
	struct pu_sim_node *n = s->e->t.node;
	struct pu_sim_nat *home;
	char ip[32];

	if (k == PUNCH_LAB_NONE)
		return;
	snprintf(ip, sizeof ip, "11.0.0.%u", i);
	pu_sim_node_remove_ip(n, ip);
	pu_sim_node_add_ip(n, "192.168.1.2");
	snprintf(ip, sizeof ip, "11.0.%u.1", i);
	home = s->nat = pu_sim_nat_new(l->c.sim, configs[k], ip);
	if (k == PUNCH_LAB_CGNAT) {
		home = pu_sim_nat_new(l->c.sim, configs[k], "100.64.0.7");
		pu_sim_nat_behind(home, s->nat);
	}
	pu_sim_node_behind(n, home);
}

void punch_lab_init(struct punch_lab *l, enum pu_ma_kind transport, enum punch_lab_nat a,
		    enum punch_lab_nat b)
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

static void use_relay(struct punch_lab *l, struct punch_lab_side *s)
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

static void start_side(struct punch_lab *l, struct punch_lab_side *s)
{
	static const char *const quic[] = { "/ip4/0.0.0.0/udp/4001/quic-v1", NULL };
	static const char *const tcp[] = { "/ip4/0.0.0.0/tcp/4001", NULL };
	struct pu_dcutr_options opt = l->opt;

	test_host_start(&s->e->t, l->transport == PU_MA_KIND_TCP    ? tcp
				  : l->transport == PU_MA_KIND_QUIC ? quic
								    : l->c.listen);
	assert_int_equal(pu_circuit_transport_new(s->e->t.h, &l->c.circuit, &s->e->circuit), 0);
	assert_int_equal(pu_relays_new(s->e->t.h, 0, NULL, NULL, &s->e->relays), 0);
	opt.on_result = on_result;
	opt.arg = s;
	assert_int_equal(pu_dcutr_new(s->e->t.h, &opt, &s->d), 0);
}

void punch_lab_start(struct punch_lab *l)
{
	pu_sim_default_link(l->c.sim, &l->c.link);
	circuit_lab_start_relay(&l->c, 0);
	start_side(l, &l->a);
	start_side(l, &l->b);
	use_relay(l, &l->a);
	use_relay(l, &l->b);
	pu_sim_run(l->c.sim, PU_SEC(1));
}

void punch_lab_stop(struct punch_lab *l)
{
	pu_dcutr_free(l->a.d);
	pu_dcutr_free(l->b.d);
	circuit_lab_stop(&l->c);
}

void punch_lab_dial(struct punch_lab *l, struct punch_lab_side *from, struct punch_lab_side *to)
{
	struct test_dial d = { 0 };

	circuit_lab_introduce(&l->c, from->e, to->e, 0);
	test_connect(&from->e->t, &to->e->t, &d, PU_SEC(10));
	assert_true(d.done);
	assert_int_equal(d.err, 0);
}

bool punch_lab_direct(const struct punch_lab_side *from, const struct punch_lab_side *to)
{
	struct pu_conn *c = pu_host_conn(from->e->t.h, &to->e->t.key.peer);

	return c && !c->limited;
}

struct wait {
	struct punch_lab *l;
	unsigned n;
};

static bool enough(void *arg)
{
	struct wait *w = arg;

	return w->l->a.results >= w->n && w->l->b.results >= w->n;
}

bool punch_lab_results(struct punch_lab *l, unsigned n, pu_time limit)
{
	struct wait w = { l, n };

	return pu_sim_run_until(l->c.sim, enough, &w, limit);
}
