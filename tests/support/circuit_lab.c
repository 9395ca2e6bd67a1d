#include "support/circuit_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/err.h"
#include "p2p/circuit/addr.h"

static const char *const both[] = { "/ip4/0.0.0.0/tcp/4001", "/ip4/0.0.0.0/udp/4001/quic-v1",
				    NULL };

void circuit_lab_init(struct circuit_lab *l)
{
	memset(l, 0, sizeof *l);
	l->sim = pu_sim_new(pu_sim_seed());
	l->opt.limits = pu_hop_limits_default;
	l->link.delay = PU_MS(10);
	l->listen = both;
	test_host_init(&l->a.t, l->sim, 1, "11.0.0.1", NULL);
	test_host_init(&l->b.t, l->sim, 2, "11.0.0.2", NULL);
	test_host_init(&l->relay[0], l->sim, 3, "11.0.0.101", NULL);
	test_host_init(&l->relay[1], l->sim, 4, "11.0.0.102", NULL);
}

static void on_change(void *arg, const struct pu_relay_info *info)
{
	struct circuit_end *e = arg;

	e->last = *info;
	e->changes++;
}

void circuit_lab_start_end(struct circuit_lab *l, struct circuit_end *e)
{
	static const struct pu_relays_events events = { on_change };

	test_host_start(&e->t, l->listen);
	assert_int_equal(pu_circuit_transport_new(e->t.h, &l->circuit, &e->circuit), 0);
	assert_int_equal(pu_relays_new(e->t.h, 0, &events, e, &e->relays), 0);
}

void circuit_lab_stop_end(struct circuit_end *e)
{
	pu_relays_free(e->relays);
	e->relays = NULL;
	test_host_stop(&e->t);
}

void circuit_lab_start_relay(struct circuit_lab *l, unsigned i)
{
	test_host_start(&l->relay[i], l->listen);
	assert_int_equal(pu_hop_new(l->relay[i].h, &l->opt, &l->hop[i]), 0);
}

void circuit_lab_stop_relay(struct circuit_lab *l, unsigned i)
{
	pu_hop_free(l->hop[i]);
	l->hop[i] = NULL;
	test_host_stop(&l->relay[i]);
}

void circuit_lab_start(struct circuit_lab *l)
{
	struct pu_sim_link wall = { .no_udp = true, .no_tcp = true };

	pu_sim_default_link(l->sim, &l->link);
	pu_sim_link(l->a.t.node, l->b.t.node, &wall);
	for (unsigned i = 0; i < CIRCUIT_LAB_RELAYS; i++)
		circuit_lab_start_relay(l, i);
	circuit_lab_start_end(l, &l->a);
	circuit_lab_start_end(l, &l->b);
}

void circuit_lab_stop(struct circuit_lab *l)
{
	circuit_lab_stop_end(&l->a);
	circuit_lab_stop_end(&l->b);
	for (unsigned i = 0; i < CIRCUIT_LAB_RELAYS; i++)
		if (l->hop[i])
			circuit_lab_stop_relay(l, i);
	pu_sim_free(l->sim);
}

struct pu_multiaddr circuit_lab_relay_addr(const struct circuit_lab *l, unsigned i)
{
	char id[PU_PEERID_TEXT_MAX], text[PU_MULTIADDR_TEXT_MAX];
	struct pu_multiaddr ma;

	snprintf(text, sizeof text, "/ip4/11.0.0.%u/tcp/4001/p2p/%s", 101 + i,
		 pu_peerid_text(&l->relay[i].key.peer, id));
	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	return ma;
}

struct pu_multiaddr circuit_lab_circuit_addr(const struct circuit_lab *l, unsigned i)
{
	struct pu_multiaddr ma = circuit_lab_relay_addr(l, i);

	assert_int_equal(pu_circuit_addr_make(&ma, &l->relay[i].key.peer, &ma), 0);
	return ma;
}

void circuit_lab_use_relays(struct circuit_lab *l, struct circuit_end *e, unsigned n)
{
	struct pu_multiaddr list[CIRCUIT_LAB_RELAYS];

	for (unsigned i = 0; i < n; i++)
		list[i] = circuit_lab_relay_addr(l, i);
	assert_int_equal(pu_relays_set(e->relays, list, n), 0);
}

enum pu_relay_state circuit_lab_state(const struct circuit_end *e, unsigned i)
{
	struct pu_relay_info info[PU_RELAYS_MAX];
	size_t n = pu_relays_list(e->relays, info, PU_RELAYS_MAX);

	assert_true(i < n);
	return info[i].state;
}

struct wait {
	const struct circuit_end *e;
	unsigned i;
};

static bool is_reserved(void *arg)
{
	const struct wait *w = arg;

	return circuit_lab_state(w->e, w->i) == PU_RELAY_RESERVED;
}

bool circuit_lab_reserved(struct circuit_lab *l, struct circuit_end *e, unsigned i, pu_time limit)
{
	struct wait w = { e, i };

	return pu_sim_run_until(l->sim, is_reserved, &w, limit);
}

void circuit_lab_introduce(struct circuit_lab *l, struct circuit_end *from,
			   const struct circuit_end *to, unsigned i)
{
	struct pu_multiaddr ma = circuit_lab_circuit_addr(l, i);

	assert_int_equal(pu_host_add_addr(from->t.h, &to->t.key.peer, &ma, true), 0);
}
