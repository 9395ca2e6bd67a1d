#include "support/simnet.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "support/simnet_internal.h"

enum {
	EPHEMERAL_FIRST = 40000,
	TURNS_AT_ONE_TIME_MAX = 1000000,
};

const struct pu_net_ops sim_net_ops = {
	.udp_open = sim_udp_open,
	.udp_local = sim_udp_local,
	.udp_send = sim_udp_send,
	.udp_close = sim_udp_close,
	.interface_of = sim_interface_of,
	.mcast_open = sim_mcast_open,
	.udp_route = sim_udp_route,
	.tcp_connect = sim_tcp_connect,
	.tcp_write = sim_tcp_write,
	.tcp_resume = sim_tcp_resume,
	.tcp_shutdown = sim_tcp_shutdown,
	.tcp_local = sim_tcp_local,
	.tcp_remote = sim_tcp_remote,
	.tcp_set_events = sim_tcp_set_events,
	.tcp_close = sim_tcp_close,
	.tcp_progress = sim_tcp_progress,
	.tcp_listen = sim_tcp_listen,
	.tcp_listener_local = sim_tcp_listener_local,
	.tcp_listener_close = sim_tcp_listener_close,
	.resolve = sim_resolve,
	.resolve_cancel = sim_resolve_cancel,
};

void *sim_alloc(size_t n)
{
	void *p = calloc(1, n);

	if (!p)
		abort();
	return p;
}

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t pu_sim_random(struct pu_sim *s, uint64_t n)
{
	return n ? splitmix(&s->rng) % n : 0;
}

bool sim_chance(struct pu_sim *s, unsigned per_million)
{
	return per_million && pu_sim_random(s, PU_SIM_MILLION) < per_million;
}

static void node_random(void *arg, void *p, size_t n)
{
	struct pu_sim_node *node = arg;
	uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)splitmix(&node->rng);
}

/* Events: a binary heap ordered by time, then by age. */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void sim_post(struct pu_sim_node *n, struct sim_event *e, pu_time at)
{
	struct pu_sim *s = n->sim;
	size_t i;

	if (s->n_events == s->cap_events) {
		s->cap_events = s->cap_events ? 2 * s->cap_events : 256;
		s->heap = realloc(s->heap, s->cap_events * sizeof *s->heap);
		if (!s->heap)
			abort();
	}
	e->node = n;
	e->at = at > s->now ? at : s->now;
	e->seq = s->seq++;
	for (i = s->n_events++; i > 0 && before(e, s->heap[(i - 1) / 2]); i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = e;
}

struct sim_event *sim_peek(struct pu_sim *s, const struct pu_sim_node *n)
{
	if (s->n_events == 0 || s->heap[0]->node != n || s->heap[0]->at > s->now)
		return NULL;
	return s->heap[0];
}

struct sim_event *sim_pop(struct pu_sim *s)
{
	struct sim_event *top = s->heap[0], *last = s->heap[--s->n_events];
	size_t i = 0, c;

	for (; (c = 2 * i + 1) < s->n_events; i = c) {
		if (c + 1 < s->n_events && before(s->heap[c + 1], s->heap[c]))
			c++;
		if (before(last, s->heap[c]))
			break;
		s->heap[i] = s->heap[c];
	}
	s->heap[i] = last;
	return top;
}

/* The simulation. */

uint64_t pu_sim_seed(void)
{
	const char *text = getenv("PU_SIM_SEED");

	return text ? strtoull(text, NULL, 0) : 1;
}

struct pu_sim *pu_sim_new(uint64_t seed)
{
	struct pu_sim *s = sim_alloc(sizeof *s);

	s->seed = s->rng = seed;
	s->now = PU_SEC(1000);
	s->link.delay = PU_MS(1);
	pu_list_init(&s->names);
	pu_list_init(&s->nats);
	return s;
}

void pu_sim_print_seed(const struct pu_sim *s)
{
	fprintf(stderr, "replay with PU_SIM_SEED=%llu\n", (unsigned long long)s->seed);
}

static void node_free(struct pu_sim_node *n)
{
	assert(n->n_sockets == 0);
	assert(pu_list_empty(&n->resolves));
	for (unsigned i = 0; i < SIM_NODES_MAX; i++)
		free(n->out[i]);
	pu_loop_deinit(&n->loop);
	free(n);
}

void pu_sim_free(struct pu_sim *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->n_nodes; i++)
		sim_tcp_abandon(s->nodes[i]);
	while (s->n_events > 0) {
		struct sim_event *e = sim_pop(s);

		e->drop(e);
	}
	for (unsigned i = 0; i < s->n_nodes; i++)
		node_free(s->nodes[i]);
	sim_nats_free(s);
	PU_LIST_FOREACH(it, tmp, &s->names) {
		struct sim_name *nm = PU_CONTAINER_OF(it, struct sim_name, node);

		pu_list_remove(it);
		free(nm->name);
		free(nm->txt);
		free(nm);
	}
	free(s->heap);
	free(s);
}

pu_time pu_sim_now(const struct pu_sim *s)
{
	return s->now;
}

struct pu_sim_node *pu_sim_node_new(struct pu_sim *s, const char *name)
{
	struct pu_sim_node *n = sim_alloc(sizeof *n);

	assert(s->n_nodes < SIM_NODES_MAX);
	n->net.ops = &sim_net_ops;
	n->sim = s;
	n->index = s->n_nodes;
	snprintf(n->name, sizeof n->name, "%s", name);
	n->rng = splitmix(&s->rng);
	n->mtu = 1500;
	n->next_port = EPHEMERAL_FIRST;
	pu_list_init(&n->udps);
	pu_list_init(&n->tcps);
	pu_list_init(&n->listeners);
	pu_list_init(&n->resolves);
	pu_loop_init(&n->loop, s->now, (int64_t)PU_SEC(1700000000), node_random, n);
	n->loop.driver = n;
	s->nodes[s->n_nodes++] = n;
	return n;
}

void pu_sim_node_add_ip(struct pu_sim_node *n, const char *ip)
{
	assert(n->n_ips < SIM_IPS_MAX);
	n->interfaces[n->n_ips] = 1;
	n->ips[n->n_ips++] = pu_sim_sockaddr(ip, 0);
}

void pu_sim_node_remove_ip(struct pu_sim_node *n, const char *ip)
{
	union pu_sockaddr sa = pu_sim_sockaddr(ip, 0);

	for (unsigned i = 0; i < n->n_ips; i++) {
		if (!sim_sa_same_ip(&n->ips[i], &sa))
			continue;
		n->ips[i] = n->ips[--n->n_ips];
		n->interfaces[i] = n->interfaces[n->n_ips];
		return;
	}
}

void pu_sim_node_set_interface(struct pu_sim_node *n, const char *ip, unsigned number)
{
	union pu_sockaddr sa = pu_sim_sockaddr(ip, 0);

	for (unsigned i = 0; i < n->n_ips; i++)
		if (sim_sa_same_ip(&n->ips[i], &sa))
			n->interfaces[i] = number;
}

void pu_sim_node_set_mtu(struct pu_sim_node *n, size_t mtu)
{
	n->mtu = mtu;
}

struct pu_loop *pu_sim_loop(struct pu_sim_node *n)
{
	return &n->loop;
}

struct pu_net *pu_sim_net(struct pu_sim_node *n)
{
	return &n->net;
}

void pu_sim_node_sleep(struct pu_sim_node *n, pu_time duration)
{
	n->slept_at = n->sim->now;
	n->wakes_at = n->sim->now + duration;
}

unsigned pu_sim_node_sockets(const struct pu_sim_node *n)
{
	return n->n_sockets;
}

/* Time. */

static bool is_asleep(const struct pu_sim_node *n)
{
	return n->wakes_at > n->sim->now;
}

/* When the node wants its next turn. */
static pu_time due_at(const struct pu_sim_node *n)
{
	pu_time due = pu_loop_next_timeout(&n->loop);

	if (is_asleep(n))
		return n->wakes_at;
	return due == PU_TIME_NEVER ? due : due + n->slept;
}

static pu_time next_time(const struct pu_sim *s)
{
	pu_time t = s->n_events ? s->heap[0]->at : PU_TIME_NEVER;

	for (unsigned i = 0; i < s->n_nodes; i++) {
		pu_time due = due_at(s->nodes[i]);

		if (due < t)
			t = due;
	}
	return t > s->now ? t : s->now;
}

static void set_now(struct pu_sim *s, pu_time now)
{
	if (now == s->now) {
		/* Somebody re-arms a timer for "now" for ever. */
		if (++s->turns_at_now > TURNS_AT_ONE_TIME_MAX) {
			pu_sim_print_seed(s);
			abort();
		}
		return;
	}
	s->turns_at_now = 0;
	s->now = now;
}

/* What arrives at a sleeping node does so when it wakes. */
static void put_off_events(struct pu_sim *s)
{
	while (s->n_events > 0 && s->heap[0]->at <= s->now && is_asleep(s->heap[0]->node)) {
		struct sim_event *e = sim_pop(s);

		sim_post(e->node, e, e->node->wakes_at);
	}
}

static void wake(struct pu_sim_node *n)
{
	pu_time gap = n->sim->now - n->slept_at;

	if (n->wakes_at == 0)
		return;
	n->wakes_at = 0;
	n->slept += gap;
	pu_loop_gap(&n->loop, gap);
}

/* One turn of one node; false when no node has anything due now. */
static bool turn(struct pu_sim *s)
{
	struct pu_sim_node *n = NULL;
	struct sim_event *e;

	put_off_events(s);
	if (s->n_events > 0 && s->heap[0]->at <= s->now)
		n = s->heap[0]->node;
	for (unsigned i = 0; !n && i < s->n_nodes; i++)
		if (due_at(s->nodes[i]) <= s->now)
			n = s->nodes[i];
	if (!n)
		return false;
	wake(n);
	pu_loop_enter(&n->loop, s->now - n->slept);
	while ((e = sim_peek(s, n)) != NULL)
		e->run(sim_pop(s));
	pu_loop_leave(&n->loop);
	return true;
}

bool pu_sim_run_until(struct pu_sim *s, bool (*cond)(void *arg), void *arg, pu_time limit)
{
	pu_time end = s->now + limit;
	bool done = cond && cond(arg);

	while (!done) {
		pu_time t = next_time(s);

		if (t > end || t == PU_TIME_NEVER)
			break;
		set_now(s, t);
		if (turn(s) && cond)
			done = cond(arg);
	}
	if (!done)
		s->now = end;
	/* The test acts between runs: let it see the right time. */
	for (unsigned i = 0; i < s->n_nodes; i++)
		if (!is_asleep(s->nodes[i]))
			pu_loop_enter(&s->nodes[i]->loop, s->now - s->nodes[i]->slept);
	return done;
}

void pu_sim_run(struct pu_sim *s, pu_time duration)
{
	pu_sim_run_until(s, NULL, NULL, duration);
}

void pu_sim_hide_tcp_progress(struct pu_sim *s)
{
	s->tcp_silent = true;
}
