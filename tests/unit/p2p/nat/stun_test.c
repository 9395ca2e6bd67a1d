/* STUN through all kinds of NAT, with servers that know RFC 5780, others, and bad ones. */
#include "p2p/nat/stun.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "base/wire.h"
#include "p2p/nat/stun_message.h"
#include "support/simnet.h"
#include "support/simnet_nat.h"

enum { SERVERS_MAX = 3, PORT = 3478, OTHER_PORT = 3479 };

enum manner {
	PLAIN,          /* RFC 8489 */
	TWO_ADDRESSES,  /* and RFC 5780 */
	PRETENDS,       /* names a second address that is somebody else's, and cannot use it */
	OLD,            /* MAPPED-ADDRESS only */
	ERROR,          /* 500 */
	WRONG_ID,
	WRONG_SOURCE,   /* answers from another port without being asked to */
	GARBAGE,
	SILENT,
	FORGETFUL,      /* answers the third request only */
};

/* A server: sock[address][port]. */
struct server {
	enum manner manner;
	struct pu_sim_node *node;
	const char *ip[2];
	struct sock {
		struct server *sv;
		struct pu_udp *udp;
		int a, p;
	} sock[2][2];
	unsigned requests;
};

struct world {
	struct pu_sim *sim;
	struct pu_sim_node *node;
	struct server server[SERVERS_MAX];
	bool done;
	int err;
	struct pu_stun_report r;
	struct pu_stun *s;
	pu_time took, since;
};

static void put_addr(struct pu_wr *w, uint16_t type, const union pu_sockaddr *sa, bool xor)
{
	const uint32_t cookie = 0x2112a442;

	pu_wr_be16(w, type);
	pu_wr_be16(w, 8);
	pu_wr_be16(w, 1);
	pu_wr_be16(w, (uint16_t)(ntohs(sa->v4.sin_port) ^ (xor ? cookie >> 16 : 0)));
	pu_wr_be32(w, ntohl(sa->v4.sin_addr.s_addr) ^ (xor ? cookie : 0));
}

static size_t response(const struct server *sv, const uint8_t *id, const union pu_sockaddr *seen,
		       uint8_t out[256])
{
	union pu_sockaddr other = pu_sim_sockaddr(sv->manner == PRETENDS ? "11.9.9.9" : sv->ip[1],
						  OTHER_PORT);
	union pu_sockaddr lie = pu_sim_sockaddr("6.6.6.6", 666);
	struct pu_wr w = pu_wr_init(out, 256);

	pu_wr_be16(&w, sv->manner == ERROR ? 0x0111 : 0x0101);
	pu_wr_be16(&w, 0);
	pu_wr_be32(&w, 0x2112a442);
	pu_wr_bytes(&w, pu_bytes(id, PU_STUN_ID_LEN));
	if (sv->manner == ERROR) {
		pu_wr_be16(&w, 0x0009);
		pu_wr_be16(&w, 4);
		pu_wr_be32(&w, 0x500);
	} else if (sv->manner == OLD) {
		put_addr(&w, 0x0001, seen, false);
	} else {
		put_addr(&w, 0x0020, seen, true);
		put_addr(&w, 0x0001, &lie, false); /* a router rewrote it */
	}
	if (sv->manner == TWO_ADDRESSES || sv->manner == PRETENDS)
		put_addr(&w, 0x802c, &other, false);
	pu_put_be16(out + 2, (uint16_t)(w.len - 20));
	return w.len;
}

static void answer(struct sock *from, const struct pu_dgrams *d, const uint8_t *b, size_t len)
{
	const struct pu_net_ops *net = pu_sim_net(from->sv->node)->ops;
	struct pu_dgrams out = { .remote = d->remote, .p = b, .len = len, .segment = len };

	out.local = pu_sim_sockaddr(from->sv->ip[from->a], 0);
	assert_int_equal(net->udp_send(from->udp, &out), 0);
}

static void on_request(struct sock *k, const struct pu_dgrams *d, const uint8_t *p, size_t n)
{
	struct server *sv = k->sv;
	struct sock *from = k;
	uint8_t out[256], change;
	size_t len;

	assert_true(n == 20 || n == 28);
	assert_int_equal(pu_get_be16(p), 1);
	sv->requests++;
	change = n == 28 ? p[27] : 0;
	if (sv->manner == SILENT || (sv->manner == FORGETFUL && sv->requests < 3))
		return;
	if (sv->manner == TWO_ADDRESSES && change)
		from = &sv->sock[change == 6 ? !k->a : k->a][!k->p];
	if (sv->manner == WRONG_SOURCE)
		from = &sv->sock[0][1];
	len = response(sv, p + 8, &d->remote, out);
	if (sv->manner == WRONG_ID)
		out[10] ^= 1;
	if (sv->manner == GARBAGE)
		len = 30;
	answer(from, d, out, len);
}

static void on_recv(void *arg, const struct pu_dgrams *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t off = 0; off < d[i].len; off += d[i].segment)
			on_request(arg, &d[i], d[i].p + off, pu_min(d[i].segment, d[i].len - off));
}

static const struct pu_udp_events server_events = { .on_recv = on_recv };

static void server_start(struct server *sv, struct pu_sim *sim, const char *ip, const char *ip2,
			 enum manner manner)
{
	sv->manner = manner;
	sv->node = pu_sim_node_new(sim, "stun");
	sv->ip[0] = ip;
	sv->ip[1] = ip2;
	for (int a = 0; a < 2; a++) {
		pu_sim_node_add_ip(sv->node, sv->ip[a]);
		for (int p = 0; p < 2; p++) {
			struct sock *k = &sv->sock[a][p];
			union pu_sockaddr bind = pu_sim_sockaddr(sv->ip[a], p ? OTHER_PORT : PORT);
			struct pu_net *net = pu_sim_net(sv->node);

			*k = (struct sock){ sv, NULL, a, p };
			assert_int_equal(net->ops->udp_open(net, &bind, &server_events, k, &k->udp),
					 0);
		}
	}
}

static void init(struct world *w, const char *ip, enum manner a, enum manner b)
{
	memset(w, 0, sizeof *w);
	w->sim = pu_sim_new(pu_sim_seed());
	w->node = pu_sim_node_new(w->sim, "node");
	pu_sim_node_add_ip(w->node, ip);
	server_start(&w->server[0], w->sim, "11.1.0.1", "11.1.0.2", a);
	server_start(&w->server[1], w->sim, "11.2.0.1", "11.2.0.2", b);
	pu_sim_add_name(w->sim, "stun.example", "11.1.0.1", NULL);
	pu_sim_add_name(w->sim, "again.example", "11.1.0.1", NULL);
	pu_sim_add_name(w->sim, "six.example", "2a00::1", NULL);
}

static void on_done(void *arg, int err, const struct pu_stun_report *r)
{
	struct world *w = arg;

	assert_false(w->done);
	w->done = true;
	w->err = err;
	w->r = *r;
	w->took = pu_sim_now(w->sim) - w->since;
}

static bool is_done(void *arg)
{
	return ((struct world *)arg)->done;
}

static void run(struct world *w, const char *const *servers)
{
	size_t n = 0;

	while (servers[n])
		n++;
	w->done = false;
	w->since = pu_sim_now(w->sim);
	assert_int_equal(pu_stun_start(pu_sim_loop(w->node), pu_sim_net(w->node), servers, n,
				       on_done, w, &w->s), 0);
	assert_false(w->done);
	assert_true(pu_sim_run_until(w->sim, is_done, w, PU_SEC(30)));
	assert_int_equal(pu_sim_node_sockets(w->node), 0);
}

static void fini(struct world *w)
{
	for (int i = 0; i < SERVERS_MAX; i++)
		for (int j = 0; j < 4; j++)
			if (w->server[i].sock[j / 2][j % 2].udp)
				pu_sim_net(w->node)->ops->udp_close(
					w->server[i].sock[j / 2][j % 2].udp);
	pu_sim_free(w->sim);
}

static const char *const two[] = { "stun.example", "11.2.0.1:3478", NULL };

static void expect_external(const struct world *w, size_t i, const char *prefix)
{
	char text[PU_MULTIADDR_TEXT_MAX];

	assert_true(i < w->r.n_external);
	assert_int_equal(strncmp(pu_multiaddr_text(&w->r.external[i], text), prefix,
				 strlen(prefix)), 0);
}

static void without_nat(void **state)
{
	struct world w;

	init(&w, "11.0.0.5", PLAIN, PLAIN);
	run(&w, two);
	assert_int_equal(w.err, 0);
	assert_int_equal(w.r.type, PU_NAT_NONE);
	assert_int_equal(w.r.asked, 2);
	assert_int_equal(w.r.answered, 2);
	assert_int_equal(w.r.n_external, 1);
	expect_external(&w, 0, "/ip4/11.0.0.5/udp/");
	assert_true(w.took < PU_MS(100));
	fini(&w);
}

static void one_witness_is_enough_for_no_nat_only(void **state)
{
	static const char *const one[] = { "stun.example", NULL };
	static const char *const same[] = { "stun.example", "again.example", NULL };
	struct world w;

	init(&w, "11.0.0.5", PLAIN, PLAIN);
	run(&w, one);
	assert_int_equal(w.r.type, PU_NAT_NONE);
	fini(&w);
	init(&w, "192.168.0.5", TWO_ADDRESSES, PLAIN);
	pu_sim_node_behind(w.node, pu_sim_nat_new(w.sim, &pu_sim_nat_full_cone, "11.3.0.1"));
	run(&w, one);
	assert_int_equal(w.r.type, PU_NAT_UNKNOWN);
	expect_external(&w, 0, "/ip4/11.3.0.1/udp/");
	/* Two names of one server are one witness. */
	run(&w, same);
	assert_int_equal(w.r.type, PU_NAT_UNKNOWN);
	assert_int_equal(w.r.answered, 2);
	fini(&w);
}

struct kind {
	const struct pu_sim_nat_config *nat;
	enum manner manner;
	enum pu_nat_type type;
	bool guessed;
};

static void kinds_of_nat(void **state)
{
	static const struct kind kinds[] = {
		{ &pu_sim_nat_full_cone, TWO_ADDRESSES, PU_NAT_FULL_CONE, false },
		{ &pu_sim_nat_address_restricted, TWO_ADDRESSES, PU_NAT_ADDRESS_RESTRICTED,
		  false },
		{ &pu_sim_nat_port_restricted, TWO_ADDRESSES, PU_NAT_PORT_RESTRICTED, false },
		{ &pu_sim_nat_symmetric, TWO_ADDRESSES, PU_NAT_SYMMETRIC, false },
		/* Nobody can tell how they filter. */
		{ &pu_sim_nat_full_cone, PLAIN, PU_NAT_ADDRESS_RESTRICTED, true },
		{ &pu_sim_nat_port_restricted, OLD, PU_NAT_ADDRESS_RESTRICTED, true },
		{ &pu_sim_nat_port_restricted, PRETENDS, PU_NAT_ADDRESS_RESTRICTED, true },
		{ &pu_sim_nat_symmetric, PLAIN, PU_NAT_SYMMETRIC, false },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(kinds); i++) {
		const struct kind *k = &kinds[i];
		struct world w;

		init(&w, "192.168.0.5", k->manner, PLAIN);
		pu_sim_node_behind(w.node, pu_sim_nat_new(w.sim, k->nat, "11.3.0.1"));
		run(&w, two);
		if (w.r.type != k->type)
			fail_msg("kind %zu is %s", i, pu_nat_type_text(w.r.type));
		assert_int_equal(w.r.filter_guessed, k->guessed);
		assert_int_equal(w.r.n_external, k->type == PU_NAT_SYMMETRIC ? 2 : 1);
		expect_external(&w, 0, "/ip4/11.3.0.1/udp/");
		fini(&w);
	}
}

/* A carrier's NAT that is symmetric spoils the good one at home. */
static void two_nats_are_as_bad_as_the_worse(void **state)
{
	struct pu_sim_nat *home, *carrier;
	struct world w;

	init(&w, "192.168.0.5", TWO_ADDRESSES, PLAIN);
	home = pu_sim_nat_new(w.sim, &pu_sim_nat_full_cone, "100.64.0.9");
	carrier = pu_sim_nat_new(w.sim, &pu_sim_nat_symmetric, "11.3.0.1");
	pu_sim_nat_behind(home, carrier);
	pu_sim_node_behind(w.node, home);
	run(&w, two);
	assert_int_equal(w.r.type, PU_NAT_SYMMETRIC);
	expect_external(&w, 0, "/ip4/11.3.0.1/udp/");
	fini(&w);
}

/* A second address that is one of the other servers' is no test: we have been there. */
static void filters_are_not_tested_with_addresses_we_talked_to(void **state)
{
	static const char *const known[] = { "11.1.0.1", "11.1.0.2", NULL };
	struct world w;

	init(&w, "192.168.0.5", TWO_ADDRESSES, PLAIN);
	pu_sim_node_behind(w.node, pu_sim_nat_new(w.sim, &pu_sim_nat_port_restricted, "11.3.0.1"));
	run(&w, known);
	assert_int_equal(w.r.type, PU_NAT_ADDRESS_RESTRICTED);
	assert_true(w.r.filter_guessed);
	fini(&w);
}

static void requests_are_repeated(void **state)
{
	struct world w;

	init(&w, "11.0.0.5", FORGETFUL, SILENT);
	run(&w, two);
	assert_int_equal(w.err, 0);
	assert_int_equal(w.r.answered, 1);
	/* 0, 0.5, 1.5, 3.5 s */
	assert_int_equal(w.server[1].requests, 4);
	assert_int_equal(w.server[0].requests, 3);
	assert_int_equal(w.took / PU_MS(1), PU_STUN_TIMEOUT_MS);
	fini(&w);
}

static void losses_are_made_good(void **state)
{
	struct pu_sim_link lossy = { .delay = PU_MS(30), .loss = 300000, .duplicate = 300000 };
	struct world w;

	init(&w, "192.168.0.5", TWO_ADDRESSES, PLAIN);
	pu_sim_default_link(w.sim, &lossy);
	pu_sim_node_behind(w.node, pu_sim_nat_new(w.sim, &pu_sim_nat_full_cone, "11.3.0.1"));
	run(&w, two);
	assert_int_equal(w.r.type, PU_NAT_FULL_CONE);
	fini(&w);
}

static void bad_servers_tell_nothing(void **state)
{
	static const enum manner bad[] = { ERROR, WRONG_ID, WRONG_SOURCE, GARBAGE, SILENT };

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++) {
		struct world w;

		init(&w, "11.0.0.5", bad[i], bad[i]);
		run(&w, two);
		assert_int_equal(w.err, PU_ETIMEDOUT);
		assert_int_equal(w.r.type, PU_NAT_UNKNOWN);
		assert_int_equal(w.r.asked, 2);
		assert_int_equal(w.r.answered, 0);
		assert_int_equal(w.r.n_external, 0);
		fini(&w);
	}
}

static void names_that_lead_nowhere(void **state)
{
	static const char *const nowhere[] = { "none.example", "six.example:19302",
					       "[2a00::1]:3478", "[2a00::1]", NULL };
	struct world w;

	init(&w, "11.0.0.5", PLAIN, PLAIN);
	run(&w, nowhere);
	assert_int_equal(w.err, PU_ENOENT);
	assert_int_equal(w.r.asked, 4);
	fini(&w);
}

static void bad_names_are_refused(void **state)
{
	static const char *const bad[] = { "", ":3478", "a:", "a:0", "a:65536", "a:b", "a:123456",
					   "::1", "[::1", "[::1]x", "[::1]:x" };
	static const char *many[PU_STUN_SERVERS_MAX + 1];
	struct world w;

	init(&w, "11.0.0.5", PLAIN, PLAIN);
	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++)
		assert_int_equal(pu_stun_start(pu_sim_loop(w.node), pu_sim_net(w.node), &bad[i], 1,
					       on_done, &w, &w.s), PU_EINVAL);
	for (size_t i = 0; i < PU_ARRAY_LEN(many); i++)
		many[i] = "stun.example";
	assert_int_equal(pu_stun_start(pu_sim_loop(w.node), pu_sim_net(w.node), many,
				       PU_ARRAY_LEN(many), on_done, &w, &w.s), PU_ELIMIT);
	assert_int_equal(pu_stun_start(pu_sim_loop(w.node), pu_sim_net(w.node), many, 0, on_done,
				       &w, &w.s), PU_EINVAL);
	assert_int_equal(pu_sim_node_sockets(w.node), 0);
	fini(&w);
}

/* Nobody but those who were named gets anything: not even the other address of a server. */
static void nobody_else_is_asked(void **state)
{
	struct pu_sim_node *victim;
	struct world w;

	init(&w, "192.168.0.5", PRETENDS, PRETENDS);
	victim = pu_sim_node_new(w.sim, "victim");
	pu_sim_node_add_ip(victim, "11.9.9.9");
	run(&w, two);
	assert_int_equal(pu_sim_counters(w.node, victim).udp_sent, 0);
	fini(&w);
}

static void it_can_be_cancelled_at_any_time(void **state)
{
	for (unsigned ms = 0; ms < 60; ms++) {
		struct world w;

		init(&w, "192.168.0.5", TWO_ADDRESSES, PLAIN);
		pu_sim_node_behind(w.node, pu_sim_nat_new(w.sim, &pu_sim_nat_port_restricted,
							  "11.3.0.1"));
		assert_int_equal(pu_stun_start(pu_sim_loop(w.node), pu_sim_net(w.node), two, 2,
					       on_done, &w, &w.s), 0);
		pu_sim_run(w.sim, PU_MS(ms));
		if (!w.done)
			pu_stun_cancel(w.s);
		pu_sim_run(w.sim, PU_SEC(10));
		assert_false(w.done);
		assert_int_equal(pu_sim_node_sockets(w.node), 0);
		fini(&w);
	}
}

/* RFC 5769, with the software and fingerprint attributes it has. */
static void responses_of_the_rfc(void **state)
{
	static const uint8_t ip4[] = {
		0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
		0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74,
		0x20, 0x76, 0x65, 0x63, 0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x08, 0x00, 0x01,
		0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43, 0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99,
		0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89, 0xf9, 0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b,
		0xe7, 0xd7, 0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96,
	};
	static const uint8_t ip6[] = {
		0x01, 0x01, 0x00, 0x48, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
		0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74,
		0x20, 0x76, 0x65, 0x63, 0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x14, 0x00, 0x02,
		0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5,
		0xbe, 0xd2, 0xb9, 0xd9, 0x00, 0x08, 0x00, 0x14, 0xa3, 0x82, 0x95, 0x4e, 0x4b, 0xe6,
		0x7b, 0xf1, 0x17, 0x84, 0xc9, 0x7c, 0x82, 0x92, 0xc2, 0x75, 0xbf, 0xe3, 0xed, 0x41,
		0x80, 0x28, 0x00, 0x04, 0xc8, 0xfb, 0x0b, 0x4c,
	};
	union pu_sockaddr want4 = pu_sim_sockaddr("192.0.2.1", 32853);
	union pu_sockaddr want6 = pu_sim_sockaddr("2001:db8:1234:5678:11:2233:4455:6677", 32853);
	struct pu_stun_response r;

	assert_int_equal(pu_stun_message_parse(pu_bytes(ip4, sizeof ip4), &r), 0);
	assert_true(pu_sockaddr_eq(&r.mapped, &want4));
	assert_int_equal(r.error, 0);
	assert_int_equal(pu_stun_message_parse(pu_bytes(ip6, sizeof ip6), &r), 0);
	assert_true(pu_sockaddr_eq(&r.mapped, &want6));
	for (size_t n = 0; n < sizeof ip4; n++)
		assert_int_equal(pu_stun_message_parse(pu_bytes(ip4, n), &r), PU_EPROTO);
}

static void requests_on_the_wire(void **state)
{
	static const uint8_t id[PU_STUN_ID_LEN] = "abcdefghijkl";
	static const uint8_t want[] = "\0\1\0\x08\x21\x12\xa4\x42"
				      "abcdefghijkl\0\3\0\4\0\0\0\6";
	uint8_t out[PU_STUN_REQUEST_MAX];

	assert_int_equal(pu_stun_message_request(id, PU_STUN_CHANGE_NONE, out), 20);
	assert_int_equal(out[3], 0);
	assert_int_equal(pu_stun_message_request(id, PU_STUN_CHANGE_BOTH, out), 28);
	assert_memory_equal(out, want, 28);
	assert_null(pu_stun_message_id(pu_bytes(out, 28))); /* no response */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_nat),
		cmocka_unit_test(one_witness_is_enough_for_no_nat_only),
		cmocka_unit_test(kinds_of_nat),
		cmocka_unit_test(two_nats_are_as_bad_as_the_worse),
		cmocka_unit_test(filters_are_not_tested_with_addresses_we_talked_to),
		cmocka_unit_test(requests_are_repeated),
		cmocka_unit_test(losses_are_made_good),
		cmocka_unit_test(bad_servers_tell_nothing),
		cmocka_unit_test(names_that_lead_nowhere),
		cmocka_unit_test(bad_names_are_refused),
		cmocka_unit_test(nobody_else_is_asked),
		cmocka_unit_test(it_can_be_cancelled_at_any_time),
		cmocka_unit_test(responses_of_the_rfc),
		cmocka_unit_test(requests_on_the_wire),
	};

	pu_log_set_level(PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
