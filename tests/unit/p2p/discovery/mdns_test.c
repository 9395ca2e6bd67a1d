/* Hosts on one link find each other; strangers on it do little harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <arpa/nameser.h>
#include <cmocka.h>

#include "base/err.h"
#include "p2p/discovery/mdns.h"
#include "p2p/discovery/mdns_message.h"
#include "support/hosts.h"

enum { TOLD_MAX = 64 };

static const char *const listen_both[] = { "/ip4/0.0.0.0/tcp/4001", "/ip4/0.0.0.0/udp/4001/quic-v1",
					   "/ip6/::/udp/4001/quic-v1", NULL };

struct told {
	struct pu_peerid id;
	struct pu_multiaddr addrs[PU_MDNS_ADDRS_PER_PEER];
	size_t n;
};

struct member {
	struct test_host t;
	struct pu_mdns *m;
	struct told told[TOLD_MAX];
	unsigned n_told;
};

static void on_peer(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *addrs, size_t n)
{
	struct member *x = arg;
	struct told *t = &x->told[x->n_told++ % TOLD_MAX];

	assert_in_range(n, 1, PU_MDNS_ADDRS_PER_PEER);
	t->id = *peer;
	t->n = n;
	memcpy(t->addrs, addrs, n * sizeof *addrs);
}

static void tell_interfaces(struct member *x)
{
	struct pu_multiaddr ip[16];
	size_t n = pu_sim_node_ips(x->t.node, ip, PU_ARRAY_LEN(ip));

	pu_host_set_interface_addrs(x->t.h, ip, n);
	pu_mdns_set_interfaces(x->m, ip, n);
}

static void member_start(struct member *x, struct pu_sim *sim, unsigned n, const char *ip4,
			 const char *ip6)
{
	const struct pu_mdns_options opt = { on_peer, x };

	memset(x, 0, sizeof *x);
	test_host_init(&x->t, sim, n, ip4, ip6);
	test_host_start(&x->t, listen_both);
	assert_int_equal(pu_mdns_new(x->t.h, pu_sim_net(x->t.node), &opt, &x->m), 0);
	tell_interfaces(x);
}

static void member_stop(struct member *x)
{
	pu_mdns_free(x->m);
	test_host_stop(&x->t);
}

static unsigned n_told_of(const struct member *x, const struct member *of)
{
	unsigned n = 0;

	for (unsigned i = 0; i < x->n_told && i < TOLD_MAX; i++)
		n += pu_peerid_eq(&x->told[i].id, &of->t.key.peer);
	return n;
}

static bool was_told(const struct told *t, const char *text)
{
	char buf[PU_MULTIADDR_TEXT_MAX];

	for (size_t i = 0; i < t->n; i++)
		if (strcmp(pu_multiaddr_text(&t->addrs[i], buf), text) == 0)
			return true;
	return false;
}

static struct pu_mdns_stats stats_of(const struct member *x)
{
	struct pu_mdns_stats s;

	pu_mdns_stats(x->m, &s);
	return s;
}

/* A program of some sort on the link: multicast socket, and a plain one. */
struct stranger {
	struct pu_sim_node *node;
	struct pu_udp *mcast, *plain;
	uint8_t last[PU_MDNS_RECV_MAX];
	size_t last_len;
	unsigned n_mcast, n_plain;
};

static void note(struct stranger *s, const struct pu_dgrams *d, size_t n, unsigned *count)
{
	for (size_t i = 0; i < n; i++) {
		*count += (unsigned)((d[i].len + d[i].segment - 1) / d[i].segment);
		s->last_len = d[i].segment;
		memcpy(s->last, d[i].p, d[i].segment);
	}
}

static void on_mcast(void *arg, const struct pu_dgrams *d, size_t n)
{
	struct stranger *s = arg;

	note(s, d, n, &s->n_mcast);
}

static void on_plain(void *arg, const struct pu_dgrams *d, size_t n)
{
	struct stranger *s = arg;

	note(s, d, n, &s->n_plain);
}

static void stranger_init(struct stranger *s, struct pu_sim *sim, const char *ip, uint16_t port)
{
	static const struct pu_udp_events mcast_events = { .on_recv = on_mcast };
	static const struct pu_udp_events plain_events = { .on_recv = on_plain };
	union pu_sockaddr group = pu_sim_sockaddr("224.0.0.251", 5353), sa = pu_sim_sockaddr(ip, port);
	struct pu_net *net;

	memset(s, 0, sizeof *s);
	s->node = pu_sim_node_new(sim, "stranger");
	pu_sim_node_add_ip(s->node, ip);
	net = pu_sim_net(s->node);
	assert_int_equal(net->ops->mcast_open(net, &group, &sa, &mcast_events, s, &s->mcast), 0);
	assert_int_equal(net->ops->udp_open(net, &sa, &plain_events, s, &s->plain), 0);
}

static void stranger_deinit(struct stranger *s)
{
	pu_sim_net(s->node)->ops->udp_close(s->mcast);
	pu_sim_net(s->node)->ops->udp_close(s->plain);
}

static void shout(struct stranger *s, const void *p, size_t len)
{
	struct pu_dgrams d = { .remote = pu_sim_sockaddr("224.0.0.251", 5353), .p = p, .len = len,
			       .segment = len };

	assert_int_equal(pu_sim_net(s->node)->ops->udp_send(s->mcast, &d), 0);
}

static void whisper(struct stranger *s, const char *ip, const void *p, size_t len)
{
	struct pu_dgrams d = { .remote = pu_sim_sockaddr(ip, 5353), .p = p, .len = len, .segment = len };

	assert_int_equal(pu_sim_net(s->node)->ops->udp_send(s->plain, &d), 0);
}

static const char query[] = "\0\0\0\0\0\1\0\0\0\0\0\0\4_p2p\4_udp\5local\0\0\x0c\0\1";
static const char query_alone[] = "\0\0\0\0\0\1\0\0\0\0\0\0\4_p2p\4_udp\5local\0\0\x0c\x80\1";

/* An answer in the name of peer n with these addresses. */
static size_t made_up(unsigned n, const char *const *addrs, size_t n_addrs,
		      uint8_t b[PU_MDNS_SEND_MAX])
{
	static char text[8][PU_MDNS_TEXT_MAX + 1];
	struct pu_bytes texts[8];
	struct pu_mdns_answer a = { .label = "pretendpretendpretendpretendpret", .ttl = 100,
				    .texts = texts, .n_texts = n_addrs };
	uint8_t seed[32] = { (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), 9 };
	char id[PU_PEERID_TEXT_MAX];
	struct pu_key key;
	int len;

	assert_int_equal(pu_key_from_seed(&key, seed), 0);
	pu_peerid_text(&key.peer, id);
	for (size_t i = 0; i < n_addrs; i++) {
		snprintf(text[i], sizeof text[i], "dnsaddr=%s/p2p/%s", addrs[i], id);
		texts[i] = pu_bytes_str(text[i]);
	}
	a.host = pu_sim_sockaddr("10.0.0.66", 1);
	len = pu_mdns_write_answer(&a, b, PU_MDNS_SEND_MAX);
	assert_true(len > 0);
	pu_key_deinit(&key);
	return (size_t)len;
}

static void pretend(struct stranger *s, unsigned n, const char *const *addrs, size_t n_addrs)
{
	uint8_t b[PU_MDNS_SEND_MAX];
	size_t len = made_up(n, addrs, n_addrs, b);

	shout(s, b, len);
}

static void two_hosts_find_each_other_and_meet(void **state)
{
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	struct test_dial d = { 0 };
	struct member a, b;

	member_start(&a, sim, 1, "10.0.0.1", "fd00::1");
	member_start(&b, sim, 2, "10.0.0.2", "fd00::2");
	pu_sim_run(sim, PU_MS(300));
	assert_true(n_told_of(&a, &b) >= 1);
	assert_true(n_told_of(&b, &a) >= 1);
	assert_int_equal(a.told[0].n, 3);
	assert_true(was_told(&a.told[0], "/ip4/10.0.0.2/tcp/4001"));
	assert_true(was_told(&a.told[0], "/ip4/10.0.0.2/udp/4001/quic-v1"));
	assert_true(was_told(&a.told[0], "/ip6/fd00::2/udp/4001/quic-v1"));
	for (size_t i = 0; i < a.told[0].n; i++)
		assert_int_equal(pu_host_add_addr(a.t.h, &b.t.key.peer, &a.told[0].addrs[i], false), 0);
	test_connect(&a.t, &b.t, &d, PU_SEC(5));
	assert_int_equal(d.err, 0);
	member_stop(&a);
	member_stop(&b);
	pu_sim_free(sim);
}

static void a_late_host_is_found_at_once_and_told_rarely(void **state)
{
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	struct member x[3];
	char ip[16];

	for (unsigned i = 0; i < 3; i++) {
		snprintf(ip, sizeof ip, "192.168.1.%u", i + 1);
		member_start(&x[i], sim, i + 1, ip, NULL);
		pu_sim_run(sim, PU_SEC(90));
	}
	for (unsigned i = 0; i < 3; i++)
		for (unsigned k = 0; k < 3; k++)
			/* 270 s: never twice a minute. */
			assert_in_range(n_told_of(&x[i], &x[k]), i != k, i == k ? 0 : 5);
	pu_sim_run(sim, PU_SEC(1200)); /* long after the records died */
	for (unsigned i = 0; i < 3; i++)
		for (unsigned k = 0; k < 3; k++)
			assert_in_range(n_told_of(&x[i], &x[k]), i != k ? 4 : 0, i == k ? 0 : 15);
	for (unsigned i = 0; i < 3; i++)
		member_stop(&x[i]);
	pu_sim_free(sim);
}

static void alone_on_the_link_hardly_a_word_is_said(void **state)
{
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	struct pu_mdns_stats s;
	struct member a;

	member_start(&a, sim, 1, "10.0.0.1", NULL);
	pu_sim_run(sim, PU_SEC(3600));
	s = stats_of(&a);
	assert_int_equal(a.n_told, 0);
	assert_in_range(s.queries_out, 12, 16);
	assert_int_equal(s.answers_out, 2); /* our own questions are heard, too */
	assert_int_equal(s.malformed + s.dropped, 0);
	member_stop(&a);
	pu_sim_free(sim);
}

static void other_links_are_other_worlds(void **state)
{
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	struct member a, b;

	member_start(&a, sim, 1, "10.0.0.1", NULL);
	member_start(&b, sim, 2, "10.0.1.2", NULL);
	pu_sim_run(sim, PU_SEC(10));
	assert_int_equal(a.n_told + b.n_told, 0);
	member_stop(&a);
	member_stop(&b);
	pu_sim_free(sim);
}

static void a_new_address_is_told_soon(void **state)
{
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	struct member a, b;

	member_start(&a, sim, 1, "10.0.0.1", NULL);
	member_start(&b, sim, 2, "10.0.0.2", NULL);
	pu_sim_run(sim, PU_SEC(5));
	a.n_told = 0;
	pu_sim_node_remove_ip(b.t.node, "10.0.0.2");
	pu_sim_node_add_ip(b.t.node, "10.0.0.22");
	tell_interfaces(&b);
	pu_sim_run(sim, PU_SEC(2));
	assert_true(a.n_told >= 1);
	assert_true(was_told(&a.told[a.n_told - 1], "/ip4/10.0.0.22/tcp/4001"));
	assert_false(was_told(&a.told[a.n_told - 1], "/ip4/10.0.0.2/tcp/4001"));
	/* And b, who may be on another link now, looks around again. */
	assert_true(n_told_of(&b, &a) >= 2);
	member_stop(&a);
	member_stop(&b);
	pu_sim_free(sim);
}

static void interfaces_come_and_go(void **state)
{
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	struct pu_multiaddr two[2], none;
	struct member a, b;

	member_start(&a, sim, 1, "10.0.0.1", NULL);
	pu_sim_node_add_ip(a.t.node, "10.0.0.11"); /* the same link: one socket */
	assert_int_equal(pu_sim_node_ips(a.t.node, two, 2), 2);
	tell_interfaces(&a);
	member_start(&b, sim, 2, "10.0.0.2", NULL);
	pu_mdns_set_interfaces(b.m, &none, 0);
	pu_sim_run(sim, PU_SEC(5));
	assert_int_equal(b.n_told, 0);
	assert_int_equal(stats_of(&b).queries_out, 0);
	tell_interfaces(&b);
	for (int i = 0; i < 100; i++) { /* a cable with a loose contact */
		pu_sim_run(sim, PU_MS(20));
		tell_interfaces(&b);
	}
	assert_in_range(stats_of(&b).queries_out, 1, 4);
	pu_sim_run(sim, PU_SEC(2));
	assert_true(n_told_of(&b, &a) >= 1);
	assert_true(was_told(&b.told[b.n_told - 1], "/ip4/10.0.0.11/tcp/4001"));
	member_stop(&a);
	member_stop(&b);
	pu_sim_free(sim);
}

/* Containers and virtual machines have bridges, plenty of them: what leads there is of no
 * use to the neighbours, and would crowd out what is. */
static void each_link_hears_of_its_own_addresses(void **state)
{
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	struct member a, b, inner;
	char ip[32];

	member_start(&a, sim, 1, "192.168.1.1", "fd00::1");
	for (unsigned i = 0; i < 12; i++) {
		snprintf(ip, sizeof ip, "172.%u.0.1", 16 + i);
		pu_sim_node_add_ip(a.t.node, ip);
		pu_sim_node_set_interface(a.t.node, ip, 2 + i);
	}
	tell_interfaces(&a);
	member_start(&b, sim, 2, "192.168.1.2", "fd00::2");
	member_start(&inner, sim, 3, "172.20.0.2", NULL);
	pu_sim_run(sim, PU_SEC(3));
	assert_true(n_told_of(&b, &a) >= 1);
	assert_int_equal(b.told[b.n_told - 1].n, 3);
	assert_true(was_told(&b.told[b.n_told - 1], "/ip4/192.168.1.1/tcp/4001"));
	assert_true(was_told(&b.told[b.n_told - 1], "/ip6/fd00::1/udp/4001/quic-v1"));
	assert_true(n_told_of(&inner, &a) >= 1);
	assert_int_equal(inner.told[0].n, 2);
	assert_true(was_told(&inner.told[0], "/ip4/172.20.0.1/tcp/4001"));
	assert_int_equal(n_told_of(&inner, &b), 0);
	member_stop(&a);
	member_stop(&b);
	member_stop(&inner);
	pu_sim_free(sim);
}

static void only_addresses_of_a_link_are_believed(void **state)
{
	static const char *const bad[] = {
		"/ip4/8.8.8.8/tcp/4001", "/ip4/127.0.0.1/tcp/4001", "/ip4/0.0.0.0/tcp/4001",
		"/ip4/224.0.0.1/udp/4001/quic-v1", "/ip4/100.64.0.1/tcp/4001",
		"/ip6/2001:4860::8888/tcp/4001", "/ip6/fe80::1/tcp/4001",
	};
	static const char *const odd[] = {
		"/dns4/example.org/tcp/4001", "/ip6zone/eth0/ip6/fe80::1/tcp/4001", "/ip4/10.0.0.9/tcp/80/ws",
		"/ip4/10.0.0.9/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN/p2p-circuit",
		"", "/", "no address",
	};
	static const char *const good[] = {
		"/ip4/10.99.0.1/tcp/4001", "/ip4/172.31.0.1/udp/4001/quic-v1", "/ip4/192.168.7.7/tcp/4001",
		"/ip4/169.254.1.1/tcp/4001", "/ip6/fdff::1/udp/4001/quic-v1",
		"/ip4/11.0.0.77/tcp/4001", /* the network of our own interface */
		"/ip6/2a00:b::77/tcp/4001",
	};
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	struct stranger s;
	struct member a;

	member_start(&a, sim, 1, "11.0.0.1", "2a00:b::1");
	pu_sim_node_add_ip(a.t.node, "fe80::aa");
	tell_interfaces(&a);
	stranger_init(&s, sim, "11.0.0.66", 5353);
	pu_sim_run(sim, PU_SEC(3));
	pretend(&s, 1, bad, PU_ARRAY_LEN(bad));
	pretend(&s, 2, odd, PU_ARRAY_LEN(odd));
	pu_sim_run(sim, PU_SEC(1));
	assert_int_equal(a.n_told, 0);
	pretend(&s, 3, good, PU_ARRAY_LEN(good));
	pu_sim_run(sim, PU_SEC(1));
	assert_int_equal(a.n_told, 1);
	assert_int_equal(a.told[0].n, PU_ARRAY_LEN(good));
	stranger_deinit(&s);
	member_stop(&a);
	pu_sim_free(sim);
}

static void answers_to_ourselves_alone_are_not_heard(void **state)
{
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	struct stranger s, far;
	struct member a;

	member_start(&a, sim, 1, "10.0.0.1", NULL);
	stranger_init(&s, sim, "10.0.0.66", 5353);
	stranger_init(&far, sim, "10.9.9.66", 5353);
	pu_sim_run(sim, PU_SEC(3));
	pretend(&far, 1, (const char *const[]){ "/ip4/10.0.0.66/tcp/1" }, 1);
	whisper(&far, "10.0.0.1", query, sizeof query - 1);
	whisper(&s, "10.0.0.1", query, sizeof query - 1);
	pu_sim_run(sim, PU_SEC(3));
	assert_int_equal(a.n_told, 0);
	assert_int_equal(far.n_mcast, 1); /* itself */
	assert_int_equal(s.n_plain + far.n_plain, 0);
	stranger_deinit(&s);
	stranger_deinit(&far);
	member_stop(&a);
	pu_sim_free(sim);
}

static void many_questions_get_one_answer_a_second(void **state)
{
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	struct stranger s;
	struct member a;
	unsigned before;

	member_start(&a, sim, 1, "10.0.0.1", NULL);
	stranger_init(&s, sim, "10.0.0.66", 5353);
	pu_sim_run(sim, PU_SEC(10));
	before = (unsigned)stats_of(&a).answers_out;
	for (int i = 0; i < 1000; i++) {
		shout(&s, query, sizeof query - 1);
		pu_sim_run(sim, PU_MS(5));
	}
	assert_in_range(stats_of(&a).answers_out - before, 4, 6);
	/* The first answer came with a little delay, not at once and not late. */
	pu_sim_run(sim, PU_SEC(10));
	s.n_mcast = 0;
	shout(&s, query, sizeof query - 1);
	pu_sim_run(sim, PU_MS(20));
	assert_int_equal(s.n_mcast, 1); /* ourselves */
	pu_sim_run(sim, PU_MS(110));
	assert_int_equal(s.n_mcast, 2);
	stranger_deinit(&s);
	member_stop(&a);
	pu_sim_free(sim);
}

static void who_wants_an_answer_alone_gets_it(void **state)
{
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	struct stranger s;
	struct member a;

	member_start(&a, sim, 1, "10.0.0.1", NULL);
	stranger_init(&s, sim, "10.0.0.66", 5353);
	pu_sim_run(sim, PU_SEC(10));
	s.n_mcast = 0;
	shout(&s, query_alone, sizeof query_alone - 1);
	pu_sim_run(sim, PU_SEC(1));
	assert_int_equal(s.n_plain, 1);
	assert_int_equal(s.n_mcast, 1); /* our own question */
	for (int i = 0; i < 500; i++)
		shout(&s, query_alone, sizeof query_alone - 1);
	pu_sim_run(sim, PU_SEC(1));
	assert_in_range(s.n_plain, 2, 21);
	assert_true(stats_of(&a).dropped > 400);
	/* After a while all should hear it again. */
	pu_sim_run(sim, PU_SEC(100));
	s.n_plain = 0;
	s.n_mcast = 0;
	shout(&s, query_alone, sizeof query_alone - 1);
	pu_sim_run(sim, PU_SEC(1));
	assert_int_equal(s.n_plain, 0);
	assert_int_equal(s.n_mcast, 2);
	stranger_deinit(&s);
	member_stop(&a);
	pu_sim_free(sim);
}

/* dig, for one: it asks from any port, and knows nothing of mDNS. */
static void who_is_no_mdns_program_is_answered_in_his_terms(void **state)
{
	static const char asked[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\4_p2p\4_udp\5local\0\0\x0c\0\1";
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	struct stranger s;
	struct member a;

	member_start(&a, sim, 1, "10.0.0.1", NULL);
	stranger_init(&s, sim, "10.0.0.66", 40000);
	pu_sim_run(sim, PU_SEC(10));
	whisper(&s, "224.0.0.251", asked, sizeof asked - 1);
	pu_sim_run(sim, PU_MS(15)); /* before the answer to all */
	assert_int_equal(s.n_plain, 1);
	assert_memory_equal(s.last, "\x12\x34\x84\0\0\1\0\1", 8);
	assert_memory_equal(s.last + 12, asked + 12, sizeof asked - 1 - 12);
	stranger_deinit(&s);
	member_stop(&a);
	pu_sim_free(sim);
}

/* rust-libp2p: it asks and answers from a port that it does not read. */
static void a_port_that_is_not_read_is_no_obstacle(void **state)
{
	static const char *const addr[] = { "/ip4/10.0.0.66/tcp/4001" };
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	uint8_t b[PU_MDNS_SEND_MAX];
	struct stranger s;
	struct member a;
	size_t len;

	member_start(&a, sim, 1, "10.0.0.1", NULL);
	stranger_init(&s, sim, "10.0.0.66", 40000);
	pu_sim_run(sim, PU_SEC(10));
	s.n_mcast = 0;
	whisper(&s, "224.0.0.251", query, sizeof query - 1);
	pu_sim_run(sim, PU_SEC(1));
	assert_int_equal(s.n_mcast, 2); /* its own question, and what everybody hears */
	for (int i = 0; i < 100; i++)
		whisper(&s, "224.0.0.251", query, sizeof query - 1);
	pu_sim_run(sim, PU_SEC(1));
	assert_in_range(s.n_mcast, 103, 104);
	len = made_up(5, addr, 1, b);
	whisper(&s, "224.0.0.251", b, len);
	pu_sim_run(sim, PU_SEC(1));
	assert_int_equal(a.n_told, 1);
	assert_true(was_told(&a.told[0], addr[0]));
	stranger_deinit(&s);
	member_stop(&a);
	pu_sim_free(sim);
}

static void made_up_peers_are_told_in_moderation(void **state)
{
	static const char *const addr[] = { "/ip4/10.0.0.99/tcp/4001" };
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	struct stranger s;
	struct member a, b;

	member_start(&a, sim, 1, "10.0.0.1", NULL);
	stranger_init(&s, sim, "10.0.0.66", 5353);
	pu_sim_run(sim, PU_SEC(3));
	for (unsigned i = 0; i < 3000; i++) {
		pretend(&s, i, addr, 1);
		if (i % 100 == 0)
			pu_sim_run(sim, PU_MS(100));
	}
	assert_in_range(a.n_told, 32, 110);
	assert_true(stats_of(&a).dropped > 2500);
	/* When it is over, a real one is found as ever. */
	pu_sim_run(sim, PU_SEC(10));
	member_start(&b, sim, 2, "10.0.0.2", NULL);
	a.n_told = 0;
	pu_sim_run(sim, PU_SEC(2));
	assert_int_equal(n_told_of(&a, &b), 1);
	stranger_deinit(&s);
	member_stop(&a);
	member_stop(&b);
	pu_sim_free(sim);
}

static void junk_is_counted(void **state)
{
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	uint8_t junk[600];
	struct stranger s;
	struct member a;

	member_start(&a, sim, 1, "10.0.0.1", NULL);
	stranger_init(&s, sim, "10.0.0.66", 5353);
	for (int i = 0; i < 500; i++) {
		for (size_t k = 0; k < sizeof junk; k++)
			junk[k] = (uint8_t)pu_sim_random(sim, 256);
		shout(&s, junk, 1 + (size_t)pu_sim_random(sim, sizeof junk));
		pu_sim_run(sim, PU_MS(1));
	}
	pu_sim_run(sim, PU_SEC(1));
	assert_true(stats_of(&a).malformed > 450);
	assert_int_equal(a.n_told, 0);
	stranger_deinit(&s);
	member_stop(&a);
	pu_sim_free(sim);
}

static void leaving_says_goodbye(void **state)
{
	struct pu_sim *sim = pu_sim_new(pu_sim_seed());
	struct stranger s;
	struct member a;
	ns_msg h;
	ns_rr rr;

	member_start(&a, sim, 1, "10.0.0.1", NULL);
	stranger_init(&s, sim, "10.0.0.66", 5353);
	pu_sim_run(sim, PU_SEC(3));
	s.n_mcast = 0;
	member_stop(&a);
	pu_sim_run(sim, PU_MS(100));
	assert_int_equal(s.n_mcast, 1);
	assert_int_equal(ns_initparse(s.last, (int)s.last_len, &h), 0);
	assert_int_equal(ns_parserr(&h, ns_s_an, 0, &rr), 0);
	assert_int_equal(ns_rr_type(rr), ns_t_ptr);
	assert_int_equal(ns_rr_ttl(rr), 0);
	stranger_deinit(&s);
	pu_sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_hosts_find_each_other_and_meet),
		cmocka_unit_test(a_late_host_is_found_at_once_and_told_rarely),
		cmocka_unit_test(alone_on_the_link_hardly_a_word_is_said),
		cmocka_unit_test(other_links_are_other_worlds),
		cmocka_unit_test(a_new_address_is_told_soon),
		cmocka_unit_test(interfaces_come_and_go),
		cmocka_unit_test(each_link_hears_of_its_own_addresses),
		cmocka_unit_test(only_addresses_of_a_link_are_believed),
		cmocka_unit_test(answers_to_ourselves_alone_are_not_heard),
		cmocka_unit_test(many_questions_get_one_answer_a_second),
		cmocka_unit_test(who_wants_an_answer_alone_gets_it),
		cmocka_unit_test(who_is_no_mdns_program_is_answered_in_his_terms),
		cmocka_unit_test(a_port_that_is_not_read_is_no_obstacle),
		cmocka_unit_test(made_up_peers_are_told_in_moderation),
		cmocka_unit_test(junk_is_counted),
		cmocka_unit_test(leaving_says_goodbye),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
