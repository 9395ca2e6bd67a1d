/* The table of grades, row by row. */
#include "daemon/grade.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ADDRS_MAX = 4 };

struct facts {
	struct pu_grade_facts f;
	struct pu_multiaddr ips[ADDRS_MAX], mapped, observed;
	struct pu_stun_report stun;
};

static struct pu_grade grade_of(struct facts *f, const char *const *ips)
{
	struct pu_grade g;

	for (f->f.n_ips = 0; ips && ips[f->f.n_ips]; f->f.n_ips++)
		assert_int_equal(pu_multiaddr_from_text(&f->ips[f->f.n_ips], ips[f->f.n_ips]), 0);
	f->f.ips = f->ips;
	pu_grade(&f->f, &g);
	return g;
}

static void expect(const struct pu_grade *g, char letter, const char *label, const char *text)
{
	assert_int_equal(g->letter, letter);
	assert_string_equal(g->label, label);
	assert_string_equal(g->text, text);
}

static const char *const lan[] = { "/ip4/127.0.0.1", "/ip4/192.168.1.2", "/ip6/fd00::2", NULL };

static void interfaces(void **state)
{
	static const char *const six[] = { "/ip4/8.8.4.4", "/ip6/2a00::1", NULL };
	static const char *const four[] = { "/ip4/192.168.1.2", "/ip4/8.8.4.4", NULL };
	struct facts f = { 0 };
	struct pu_grade g = grade_of(&f, six);

	expect(&g, 'A', "Excellent", "Public IPv6 detected");
	assert_true(g.global_ip4);
	g = grade_of(&f, four);
	expect(&g, 'B', "Good", "Public IPv4 detected");
	assert_false(g.global_ip6);
	g = grade_of(&f, lan);
	expect(&g, 'D', "Poor", "No public address detected");
	g = grade_of(&f, NULL);
	expect(&g, 'F', "Offline", "No network connectivity detected");
}

static void what_is_not_global(void **state)
{
	static const char *const no[] = {
		"/ip4/10.1.2.3",     "/ip4/172.16.0.1", "/ip4/172.31.255.1", "/ip4/192.168.0.1",
		"/ip4/100.64.0.1",   "/ip4/100.127.0.1", "/ip4/169.254.1.1", "/ip4/127.0.0.1",
		"/ip4/224.0.0.1",    "/ip4/255.255.255.255", "/ip6/::1", "/ip6/fe80::1",
		"/ip6/fd12::1",	     "/ip6/fc00::1",	 "/ip6/ff02::1",
	};
	static const char *const yes[] = { "/ip4/172.32.0.1", "/ip4/100.128.0.1", "/ip4/100.63.0.1",
					   "/ip4/11.0.0.1", "/ip6/2001:db8::1" };

	for (size_t i = 0; i < PU_ARRAY_LEN(no); i++) {
		const char *const ips[] = { no[i], NULL };
		struct facts f = { 0 };

		assert_int_equal(grade_of(&f, ips).letter, 'D');
	}
	for (size_t i = 0; i < PU_ARRAY_LEN(yes); i++) {
		const char *const ips[] = { yes[i], NULL };
		struct facts f = { 0 };

		assert_in_range(grade_of(&f, ips).letter, 'A', 'B');
	}
}

static struct pu_grade with_nat(struct facts *f, enum pu_nat_type t)
{
	f->stun.type = t;
	f->stun.asked = f->stun.answered = 2;
	f->f.stun = &f->stun;
	return grade_of(f, lan);
}

static void nat_types(void **state)
{
	struct facts f = { 0 };
	struct pu_grade g = with_nat(&f, PU_NAT_NONE);

	expect(&g, 'B', "Good", "STUN reports no NAT");
	g = with_nat(&f, PU_NAT_FULL_CONE);
	expect(&g, 'B', "Good", "Hole-punchable NAT (full-cone)");
	g = with_nat(&f, PU_NAT_ADDRESS_RESTRICTED);
	expect(&g, 'B', "Good", "Hole-punchable NAT (address-restricted)");
	g = with_nat(&f, PU_NAT_PORT_RESTRICTED);
	expect(&g, 'C', "Fair", "Port-restricted NAT");
	g = with_nat(&f, PU_NAT_SYMMETRIC);
	expect(&g, 'D', "Poor", "Symmetric NAT (CGNAT likely)");
	g = with_nat(&f, PU_NAT_UNKNOWN);
	expect(&g, 'D', "Poor", "No public address detected");
	f.stun.n_external = 1;
	g = with_nat(&f, PU_NAT_UNKNOWN);
	expect(&g, 'C', "Fair", "NAT type unknown, external address discovered");
}

static void cgnat(void **state)
{
	static const char *const shared[] = { "/ip4/100.70.1.2", NULL };
	static const char *const shared_six[] = { "/ip4/100.70.1.2", "/ip6/2a00::1", NULL };
	struct facts f = { 0 };
	struct pu_grade g = grade_of(&f, shared);

	/* Nothing was asked. */
	expect(&g, 'D', "Poor", "No public address detected");
	assert_true(g.cgnat);
	f.f.stun = &f.stun;
	f.stun.type = PU_NAT_FULL_CONE;
	g = grade_of(&f, shared);
	expect(&g, 'D', "Poor", "CGNAT detected, hole-punch unlikely");
	g = grade_of(&f, shared_six);
	expect(&g, 'A', "Excellent", "Public IPv6 detected");
}

static void others_may_tell_the_outer_address(void **state)
{
	struct facts f = { 0 };
	struct pu_grade g;

	assert_int_equal(pu_multiaddr_from_text(&f.observed, "/ip4/8.8.4.4/udp/4001/quic-v1"), 0);
	f.f.observed = &f.observed;
	f.f.n_observed = 1;
	g = grade_of(&f, lan);
	expect(&g, 'C', "Fair", "NAT type unknown, external address discovered");
	f.f.mapped = &f.observed;
	f.f.n_mapped = 1;
	f.f.n_observed = 0;
	g = grade_of(&f, lan);
	expect(&g, 'C', "Fair", "NAT type unknown, external address discovered");
	/* A router behind a router. */
	assert_int_equal(pu_multiaddr_from_text(&f.observed, "/ip4/10.0.0.7/tcp/4001"), 0);
	g = grade_of(&f, lan);
	expect(&g, 'D', "Poor", "No public address detected");
}

static void evidence_says_where_it_comes_from(void **state)
{
	struct pu_autonat_verdict v = { .reachable = PU_REACHABLE_YES, .yes = 2, .no = 1 };
	struct facts f = { 0 };
	struct pu_grade g;

	assert_int_equal(pu_multiaddr_from_text(&f.stun.external[0], "/ip4/8.8.4.4/udp/4001"), 0);
	f.stun.n_external = 1;
	assert_int_equal(pu_multiaddr_from_text(&v.addr, "/ip4/8.8.4.4/tcp/4001"), 0);
	f.f.verdicts = &v;
	f.f.n_verdicts = 1;
	g = with_nat(&f, PU_NAT_PORT_RESTRICTED);
	assert_string_equal(g.evidence, "interfaces: /ip4/127.0.0.1 /ip4/192.168.1.2 /ip6/fd00::2; "
					"stun: port-restricted, 2 of 2 answered; "
					"seen as /ip4/8.8.4.4/udp/4001; "
					"autonat: /ip4/8.8.4.4/tcp/4001 reached by 2 of 3");
	g = grade_of(&(struct facts){ 0 }, NULL);
	assert_string_equal(g.evidence, "");
}

static void evidence_has_an_end(void **state)
{
	struct pu_multiaddr many[100];
	struct facts f = { 0 };
	struct pu_grade g;

	for (size_t i = 0; i < PU_ARRAY_LEN(many); i++)
		assert_int_equal(pu_multiaddr_from_text(&many[i],
			"/dns4/a-very-long-name-that-takes-a-lot-of-room-in-a-line-of-evidence.example"
			"/tcp/4001/p2p/12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"), 0);
	f.f.mapped = f.f.observed = many;
	f.f.n_mapped = f.f.n_observed = PU_ARRAY_LEN(many);
	g = grade_of(&f, lan);
	assert_true(strlen(g.evidence) < PU_GRADE_EVIDENCE_MAX);
	assert_non_null(strstr(g.evidence, "and 97 more"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interfaces),
		cmocka_unit_test(what_is_not_global),
		cmocka_unit_test(nat_types),
		cmocka_unit_test(cgnat),
		cmocka_unit_test(others_may_tell_the_outer_address),
		cmocka_unit_test(evidence_says_where_it_comes_from),
		cmocka_unit_test(evidence_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
