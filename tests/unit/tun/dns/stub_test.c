#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/nameser.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/wire.h"
#include "support/dns_zone.h"
#include "tun/dns/message.h"

/* An asked question and what came of it. */
struct ask {
	uint8_t query[600];
	size_t query_len;
	uint8_t out[4096];
	int len;
	ns_msg msg;
};

static void put_question(struct ask *a, const char *name, unsigned type, unsigned class)
{
	uint8_t *p = a->query;
	int n;

	memset(a, 0, sizeof *a);
	pu_put_be16(p, 0x1234);
	pu_put_be16(p + 2, PU_DNS_FLAG_RD);
	pu_put_be16(p + 4, 1);
	n = ns_name_pton(name, p + 12, 255);
	assert_true(n >= 0);
	/* ns_name_pton does not say how long the name is. */
	a->query_len = 12;
	while (p[a->query_len])
		a->query_len += 1u + p[a->query_len];
	a->query_len++;
	pu_put_be16(p + a->query_len, (uint16_t)type);
	pu_put_be16(p + a->query_len + 2, (uint16_t)class);
	a->query_len += 4;
}

static void put_opt(struct ask *a, unsigned udp_size, unsigned version, unsigned flags)
{
	uint8_t *p = a->query + a->query_len;

	p[0] = 0;
	pu_put_be16(p + 1, ns_t_opt);
	pu_put_be16(p + 3, (uint16_t)udp_size);
	pu_put_be32(p + 5, version << 16 | flags);
	pu_put_be16(p + 9, 0);
	a->query_len += 11;
	pu_put_be16(a->query + 10, (uint16_t)(pu_get_be16(a->query + 10) + 1));
}

/* The stub sees exactly the bytes of the query, so that a sanitizer sees a read
 * behind them. */
static void send_query(struct ask *a, bool tcp)
{
	struct pu_dns_config cfg = dns_zone_config();
	uint8_t *exact = malloc(a->query_len);

	memcpy(exact, a->query, a->query_len);
	a->len = pu_dns_answer(&cfg, pu_bytes(exact, a->query_len), tcp, a->out, sizeof a->out);
	free(exact);
	if (a->len > 0)
		assert_int_equal(ns_initparse(a->out, a->len, &a->msg), 0);
}

static void ask(struct ask *a, const char *name, unsigned type)
{
	put_question(a, name, type, ns_c_in);
	send_query(a, false);
	assert_true(a->len > 0);
	assert_int_equal(ns_msg_id(a->msg), 0x1234);
	assert_int_equal(ns_msg_getflag(a->msg, ns_f_qr), 1);
	assert_int_equal(ns_msg_getflag(a->msg, ns_f_rd), 1);
}

static unsigned rcode(struct ask *a)
{
	return ns_msg_getflag(a->msg, ns_f_rcode);
}

static ns_rr record(struct ask *a, ns_sect sect, int i)
{
	ns_rr rr;

	assert_true(ns_msg_count(a->msg, sect) > i);
	assert_int_equal(ns_parserr(&a->msg, sect, i, &rr), 0);
	return rr;
}

static void assert_negative(struct ask *a, unsigned code, const char *zone)
{
	ns_rr soa;

	assert_int_equal(rcode(a), code);
	assert_int_equal(ns_msg_getflag(a->msg, ns_f_aa), 1);
	assert_int_equal(ns_msg_count(a->msg, ns_s_an), 0);
	assert_int_equal(ns_msg_count(a->msg, ns_s_ns), 1);
	soa = record(a, ns_s_ns, 0);
	assert_int_equal(ns_rr_type(soa), ns_t_soa);
	assert_string_equal(ns_rr_name(soa), zone);
	/* The last field is how long the "no" may be kept. */
	assert_int_equal(pu_get_be32(ns_rr_rdata(soa) + ns_rr_rdlen(soa) - 4), PU_DNS_TTL);
}

static void assert_one(struct ask *a, const char *owner, unsigned type)
{
	ns_rr rr;

	assert_int_equal(rcode(a), ns_r_noerror);
	assert_int_equal(ns_msg_getflag(a->msg, ns_f_aa), 1);
	assert_int_equal(ns_msg_getflag(a->msg, ns_f_tc), 0);
	assert_int_equal(ns_msg_count(a->msg, ns_s_an), 1);
	rr = record(a, ns_s_an, 0);
	assert_int_equal(ns_rr_type(rr), type);
	assert_string_equal(ns_rr_name(rr), owner);
	assert_int_equal(ns_rr_ttl(rr), PU_DNS_TTL);
}

static void assert_target(struct ask *a, ns_rr *rr, size_t skip, const char *name)
{
	char text[NS_MAXDNAME];

	assert_true(ns_name_uncompress(ns_msg_base(a->msg), ns_msg_end(a->msg),
				       ns_rr_rdata(*rr) + skip, text, sizeof text) > 0);
	assert_string_equal(text, name);
}

static void a_host_has_its_addresses(void **state)
{
	static const uint8_t v4[] = { 10, 64, 1, 2 };
	struct ask a;
	ns_rr rr;

	ask(&a, "home.p2p", ns_t_a);
	assert_one(&a, "home.p2p", ns_t_a);
	rr = record(&a, ns_s_an, 0);
	assert_int_equal(ns_rr_rdlen(rr), 4);
	assert_memory_equal(ns_rr_rdata(rr), v4, 4);
	ask(&a, "home.p2p", ns_t_aaaa);
	assert_one(&a, "home.p2p", ns_t_aaaa);
	rr = record(&a, ns_s_an, 0);
	assert_int_equal(ns_rr_rdlen(rr), 16);
	assert_int_equal(ns_rr_rdata(rr)[15], 0x12);
}

static void a_missing_type_is_not_a_missing_name(void **state)
{
	struct ask a;

	ask(&a, "nas.p2p", ns_t_aaaa);
	assert_negative(&a, ns_r_noerror, "p2p");
	ask(&a, "six.p2p", ns_t_a);
	assert_negative(&a, ns_r_noerror, "p2p");
	ask(&a, "six.p2p", ns_t_txt);
	assert_negative(&a, ns_r_noerror, "p2p");
	ask(&a, "home.p2p", ns_t_mx);
	assert_negative(&a, ns_r_noerror, "p2p");
	ask(&a, "nobody.p2p", ns_t_a);
	assert_negative(&a, ns_r_nxdomain, "p2p");
}

static void names_below_a_host_do_not_exist(void **state)
{
	struct ask a;

	ask(&a, "x.home.p2p", ns_t_a);
	assert_negative(&a, ns_r_nxdomain, "p2p");
	ask(&a, "a.b.c.d.home.p2p", ns_t_a);
	assert_negative(&a, ns_r_nxdomain, "p2p");
	/* One label with a dot in it is not two labels. */
	ask(&a, "x\\.home.p2p", ns_t_a);
	assert_negative(&a, ns_r_nxdomain, "p2p");
	ask(&a, "home\\000.p2p", ns_t_a);
	assert_negative(&a, ns_r_nxdomain, "p2p");
}

static void case_does_not_matter_and_is_given_back(void **state)
{
	struct ask a;

	ask(&a, "hOMe.P2p", ns_t_a);
	assert_one(&a, "hOMe.P2p", ns_t_a);
	assert_memory_equal(a.out + 12, a.query + 12, a.query_len - 12);
	ask(&a, "NoBody.p2P", ns_t_a);
	assert_int_equal(rcode(&a), ns_r_nxdomain);
	assert_memory_equal(a.out + 12, a.query + 12, a.query_len - 12);
}

static void the_zone_itself_has_soa_and_ns(void **state)
{
	struct ask a;
	ns_rr rr;

	ask(&a, "p2p", ns_t_soa);
	assert_one(&a, "p2p", ns_t_soa);
	ask(&a, "p2p", ns_t_ns);
	assert_one(&a, "p2p", ns_t_ns);
	rr = record(&a, ns_s_an, 0);
	assert_target(&a, &rr, 0, "p2p");
	ask(&a, "p2p", ns_t_a);
	assert_negative(&a, ns_r_noerror, "p2p");
}

static void a_service_is_found_by_srv(void **state)
{
	struct ask a;
	ns_rr rr;

	ask(&a, "_ssh._tcp.home.p2p", ns_t_srv);
	assert_one(&a, "_ssh._tcp.home.p2p", ns_t_srv);
	rr = record(&a, ns_s_an, 0);
	assert_int_equal(pu_get_be16(ns_rr_rdata(rr)), 0);
	assert_int_equal(pu_get_be16(ns_rr_rdata(rr) + 2), 0);
	assert_int_equal(pu_get_be16(ns_rr_rdata(rr) + 4), 22);
	assert_target(&a, &rr, 6, "home.p2p");
	assert_int_equal(ns_rr_rdlen(rr), 6 + sizeof "\4home\3p2p");
	assert_int_equal(ns_msg_count(a.msg, ns_s_ar), 2);
	rr = record(&a, ns_s_ar, 0);
	assert_int_equal(ns_rr_type(rr), ns_t_a);
	assert_string_equal(ns_rr_name(rr), "home.p2p");
	rr = record(&a, ns_s_ar, 1);
	assert_int_equal(ns_rr_type(rr), ns_t_aaaa);
	ask(&a, "_DNS._UDP.home.p2p", ns_t_srv);
	assert_one(&a, "_DNS._UDP.home.p2p", ns_t_srv);
}

static void a_service_without_port_has_no_srv_but_txt(void **state)
{
	struct ask a;
	ns_rr rr;

	ask(&a, "_media._tcp.home.p2p", ns_t_srv);
	assert_negative(&a, ns_r_noerror, "p2p");
	ask(&a, "_media._tcp.home.p2p", ns_t_txt);
	assert_one(&a, "_media._tcp.home.p2p", ns_t_txt);
	rr = record(&a, ns_s_an, 0);
	assert_int_equal(ns_rr_rdlen(rr), sizeof "service=media" + sizeof "peer=12D3KooW");
	assert_memory_equal(ns_rr_rdata(rr), "\x0dservice=media\x0dpeer=12D3KooW", 28);
}

static void unknown_services_and_protocols_do_not_exist(void **state)
{
	struct ask a;

	ask(&a, "_ftp._tcp.home.p2p", ns_t_srv);
	assert_negative(&a, ns_r_nxdomain, "p2p");
	ask(&a, "_ssh._udp.home.p2p", ns_t_srv);
	assert_negative(&a, ns_r_nxdomain, "p2p");
	ask(&a, "_ssh._tcp.nobody.p2p", ns_t_srv);
	assert_negative(&a, ns_r_nxdomain, "p2p");
	ask(&a, "ssh._tcp.home.p2p", ns_t_srv);
	assert_negative(&a, ns_r_nxdomain, "p2p");
	ask(&a, "_tcp.nas.p2p", ns_t_a);
	assert_negative(&a, ns_r_nxdomain, "p2p");
}

static void a_name_between_others_exists(void **state)
{
	struct ask a;

	ask(&a, "_tcp.home.p2p", ns_t_a);
	assert_negative(&a, ns_r_noerror, "p2p");
	ask(&a, "_udp.home.p2p", ns_t_srv);
	assert_negative(&a, ns_r_noerror, "p2p");
}

static void an_address_has_its_name(void **state)
{
	struct ask a;
	ns_rr rr;

	ask(&a, "2.1.64.10.in-addr.arpa", ns_t_ptr);
	assert_one(&a, "2.1.64.10.in-addr.arpa", ns_t_ptr);
	rr = record(&a, ns_s_an, 0);
	assert_target(&a, &rr, 0, "home.p2p");
}

static void an_ipv6_address_has_its_name(void **state)
{
	/* fd50:6565:7200::12 */
	static const char name[] = "2.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
				   "0.0.2.7.5.6.5.6.0.5.d.f.ip6.arpa";
	static const char zone[] = "0.0.2.7.5.6.5.6.0.5.d.f.ip6.arpa";
	char other[sizeof name];
	struct ask a;
	ns_rr rr;

	ask(&a, name, ns_t_ptr);
	assert_one(&a, name, ns_t_ptr);
	rr = record(&a, ns_s_an, 0);
	assert_target(&a, &rr, 0, "home.p2p");
	memcpy(other, name, sizeof other);
	other[0] = 'e';
	ask(&a, other, ns_t_ptr);
	assert_negative(&a, ns_r_nxdomain, zone);
	ask(&a, name + 2, ns_t_ptr);
	assert_negative(&a, ns_r_noerror, zone);
	ask(&a, zone, ns_t_soa);
	assert_one(&a, zone, ns_t_soa);
}

static void reverse_names_that_are_no_address(void **state)
{
	struct ask a;

	ask(&a, "9.9.64.10.in-addr.arpa", ns_t_ptr);
	assert_negative(&a, ns_r_nxdomain, "64.10.in-addr.arpa");
	ask(&a, "2.1.64.10.in-addr.arpa", ns_t_a);
	assert_negative(&a, ns_r_noerror, "64.10.in-addr.arpa");
	ask(&a, "1.64.10.in-addr.arpa", ns_t_ptr);
	assert_negative(&a, ns_r_noerror, "64.10.in-addr.arpa");
	ask(&a, "x.1.64.10.in-addr.arpa", ns_t_ptr);
	assert_negative(&a, ns_r_nxdomain, "64.10.in-addr.arpa");
	ask(&a, "02.1.64.10.in-addr.arpa", ns_t_ptr);
	assert_negative(&a, ns_r_nxdomain, "64.10.in-addr.arpa");
	ask(&a, "256.1.64.10.in-addr.arpa", ns_t_ptr);
	assert_negative(&a, ns_r_nxdomain, "64.10.in-addr.arpa");
	ask(&a, "5.2.1.64.10.in-addr.arpa", ns_t_ptr);
	assert_negative(&a, ns_r_nxdomain, "64.10.in-addr.arpa");
	ask(&a, "64.10.in-addr.arpa", ns_t_soa);
	assert_one(&a, "64.10.in-addr.arpa", ns_t_soa);
}

static void foreign_names_are_left_to_the_caller(void **state)
{
	static const char *const names[] = {
		"example.com", "p2p.example.com", ".", "xp2p", "home.xp2p", "in-addr.arpa",
		"10.in-addr.arpa", "1.1.65.10.in-addr.arpa", "x.10.in-addr.arpa",
		"0.0.0.0.d.f.ip6.arpa", "64.10.ip6.arpa",
	};
	struct ask a;

	for (size_t i = 0; i < PU_ARRAY_LEN(names); i++) {
		put_question(&a, names[i], ns_t_a, ns_c_in);
		send_query(&a, false);
		assert_int_equal(a.len, PU_ENOENT);
		a.len = pu_dns_fail(pu_bytes(a.query, a.query_len), ns_r_refused, a.out,
				    sizeof a.out);
		assert_int_equal(ns_initparse(a.out, a.len, &a.msg), 0);
		assert_int_equal(rcode(&a), ns_r_refused);
		assert_int_equal(a.len, a.query_len);
		assert_int_equal(ns_msg_getflag(a.msg, ns_f_aa), 0);
	}
}

static void any_gets_one_kind_of_record(void **state)
{
	struct ask a;

	ask(&a, "home.p2p", PU_DNS_TYPE_ANY);
	assert_one(&a, "home.p2p", ns_t_a);
	ask(&a, "six.p2p", PU_DNS_TYPE_ANY);
	assert_one(&a, "six.p2p", ns_t_aaaa);
	ask(&a, "_tcp.home.p2p", PU_DNS_TYPE_ANY);
	assert_negative(&a, ns_r_noerror, "p2p");
}

static void long_answers_are_truncated_over_udp_only(void **state)
{
	struct ask a;

	ask(&a, "nas.p2p", ns_t_txt);
	assert_int_equal(ns_msg_getflag(a.msg, ns_f_tc), 1);
	assert_int_equal(ns_msg_count(a.msg, ns_s_an), 0);
	assert_int_equal(ns_msg_count(a.msg, ns_s_qd), 1);
	assert_true(a.len <= 512);
	send_query(&a, true);
	assert_one(&a, "nas.p2p", ns_t_txt);
	assert_true(a.len > 1000);
	/* EDNS makes room, but never more than a packet that needs no fragments. */
	put_question(&a, "nas.p2p", ns_t_txt, ns_c_in);
	put_opt(&a, 4096, 0, 0);
	send_query(&a, false);
	assert_one(&a, "nas.p2p", ns_t_txt);
	assert_true(a.len <= PU_DNS_UDP_MAX);
	put_question(&a, "nas.p2p", ns_t_txt, ns_c_in);
	put_opt(&a, 600, 0, 0);
	send_query(&a, false);
	assert_int_equal(ns_msg_getflag(a.msg, ns_f_tc), 1);
	assert_int_equal(ns_msg_count(a.msg, ns_s_ar), 1);
}

static void edns_is_answered_with_edns(void **state)
{
	struct ask a;
	ns_rr rr;

	put_question(&a, "home.p2p", ns_t_a, ns_c_in);
	put_opt(&a, 1400, 0, 0x8000);
	send_query(&a, false);
	assert_one(&a, "home.p2p", ns_t_a);
	assert_int_equal(ns_msg_count(a.msg, ns_s_ar), 1);
	rr = record(&a, ns_s_ar, 0);
	assert_int_equal(ns_rr_type(rr), ns_t_opt);
	assert_int_equal(ns_rr_class(rr), PU_DNS_UDP_MAX);
	assert_int_equal(ns_rr_ttl(rr), 0x8000);
	ask(&a, "home.p2p", ns_t_a);
	assert_int_equal(ns_msg_count(a.msg, ns_s_ar), 0);
}

static void a_later_edns_version_is_badvers(void **state)
{
	struct ask a;
	ns_rr rr;

	put_question(&a, "home.p2p", ns_t_a, ns_c_in);
	put_opt(&a, 1400, 1, 0);
	send_query(&a, false);
	assert_int_equal(rcode(&a), 0);
	assert_int_equal(ns_msg_count(a.msg, ns_s_an), 0);
	rr = record(&a, ns_s_ar, 0);
	assert_int_equal(ns_rr_ttl(rr) >> 24, 1);
	assert_int_equal(ns_rr_ttl(rr) >> 16 & 0xff, 0);
}

static void two_opt_records_are_a_format_error(void **state)
{
	struct ask a;

	put_question(&a, "home.p2p", ns_t_a, ns_c_in);
	put_opt(&a, 1400, 0, 0);
	put_opt(&a, 1400, 0, 0);
	send_query(&a, false);
	assert_int_equal(rcode(&a), ns_r_formerr);
}

static void other_opcodes_classes_and_transfers_are_refused(void **state)
{
	struct ask a;

	put_question(&a, "home.p2p", ns_t_a, ns_c_in);
	pu_put_be16(a.query + 2, 5 << 11); /* UPDATE */
	send_query(&a, false);
	assert_int_equal(rcode(&a), ns_r_notimpl);
	assert_int_equal(ns_msg_getflag(a.msg, ns_f_opcode), 5);
	put_question(&a, "version.bind", ns_t_txt, ns_c_chaos);
	send_query(&a, false);
	assert_int_equal(rcode(&a), ns_r_refused);
	ask(&a, "p2p", ns_t_axfr);
	assert_int_equal(rcode(&a), ns_r_refused);
	ask(&a, "home.p2p", ns_t_tkey);
	assert_int_equal(rcode(&a), ns_r_notimpl);
	ask(&a, "home.p2p", ns_t_opt);
	assert_int_equal(rcode(&a), ns_r_formerr);
}

static void what_is_no_query_gets_no_answer(void **state)
{
	struct ask a;

	put_question(&a, "home.p2p", ns_t_a, ns_c_in);
	pu_put_be16(a.query + 2, PU_DNS_FLAG_QR);
	send_query(&a, false);
	assert_int_equal(a.len, 0);
	put_question(&a, "home.p2p", ns_t_a, ns_c_in);
	a.query_len = 11;
	send_query(&a, false);
	assert_int_equal(a.len, 0);
}

static void malformed_queries_are_format_errors(void **state)
{
	struct ask a;

	/* Cut anywhere behind the header. */
	put_question(&a, "home.p2p", ns_t_a, ns_c_in);
	for (size_t n = a.query_len - 1; n >= 12; n--) {
		a.query_len = n;
		send_query(&a, false);
		assert_int_equal(rcode(&a), ns_r_formerr);
		assert_int_equal(ns_msg_count(a.msg, ns_s_qd), 0);
	}
	put_question(&a, "home.p2p", ns_t_a, ns_c_in);
	pu_put_be16(a.query + 4, 2);
	send_query(&a, false);
	assert_int_equal(rcode(&a), ns_r_formerr);
	/* A name that points at itself. */
	put_question(&a, "home.p2p", ns_t_a, ns_c_in);
	pu_put_be16(a.query + 12, 0xc00c);
	send_query(&a, false);
	assert_int_equal(rcode(&a), ns_r_formerr);
	/* Bytes behind the last record. */
	put_question(&a, "home.p2p", ns_t_a, ns_c_in);
	a.query_len++;
	send_query(&a, false);
	assert_int_equal(rcode(&a), ns_r_formerr);
}

static void a_small_buffer_is_never_overrun(void **state)
{
	struct pu_dns_config cfg = dns_zone_config();
	struct ask a;

	put_question(&a, "_ssh._tcp.home.p2p", ns_t_srv, ns_c_in);
	put_opt(&a, 1400, 0, 0);
	for (size_t cap = 0; cap < 200; cap++) {
		uint8_t *out = malloc(cap ? cap : 1);
		int n = pu_dns_answer(&cfg, pu_bytes(a.query, a.query_len), false, out, cap);

		assert_true(n >= 0 && (size_t)n <= cap);
		if (n > 0)
			assert_int_equal(ns_initparse(out, n, &a.msg), 0);
		free(out);
	}
}

static void odd_prefixes_are_cut_at_the_next_label(void **state)
{
	struct pu_dns_config cfg = dns_zone_config();
	struct ask a;

	cfg.v4_bits = 12; /* 10.64.0.0/12 covers 10.64 to 10.79 */
	put_question(&a, "1.1.79.10.in-addr.arpa", ns_t_ptr, ns_c_in);
	a.len = pu_dns_answer(&cfg, pu_bytes(a.query, a.query_len), false, a.out, sizeof a.out);
	assert_int_equal(ns_initparse(a.out, a.len, &a.msg), 0);
	assert_negative(&a, ns_r_nxdomain, "79.10.in-addr.arpa");
	put_question(&a, "1.1.80.10.in-addr.arpa", ns_t_ptr, ns_c_in);
	assert_int_equal(pu_dns_answer(&cfg, pu_bytes(a.query, a.query_len), false, a.out,
				       sizeof a.out), PU_ENOENT);
}

static void the_domains_are_those_that_are_answered_for(void **state)
{
	struct pu_dns_config cfg = dns_zone_config();
	char text[4096], *save = NULL;
	unsigned n = 0;

	assert_int_equal(pu_dns_domains(&cfg, text, sizeof text), 0);
	assert_string_equal(text, "p2p 64.10.in-addr.arpa 0.0.2.7.5.6.5.6.0.5.d.f.ip6.arpa");
	for (size_t cap = 0; cap <= strlen(text); cap++) {
		char small[64];

		if (cap <= sizeof small)
			assert_int_equal(pu_dns_domains(&cfg, small, cap), PU_ELIMIT);
	}
	/* Every one of them is answered with authority. */
	cfg.v4_bits = 12;
	cfg.v6_bits = 46;
	assert_int_equal(pu_dns_domains(&cfg, text, sizeof text), 0);
	for (char *d = strtok_r(text, " ", &save); d; d = strtok_r(NULL, " ", &save), n++) {
		struct ask a;

		put_question(&a, d, ns_t_soa, ns_c_in);
		a.len = pu_dns_answer(&cfg, pu_bytes(a.query, a.query_len), false, a.out,
				      sizeof a.out);
		assert_int_equal(ns_initparse(a.out, a.len, &a.msg), 0);
		assert_one(&a, d, ns_t_soa);
	}
	assert_int_equal(n, 1 + 16 + 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_has_its_addresses),
		cmocka_unit_test(a_missing_type_is_not_a_missing_name),
		cmocka_unit_test(names_below_a_host_do_not_exist),
		cmocka_unit_test(case_does_not_matter_and_is_given_back),
		cmocka_unit_test(the_zone_itself_has_soa_and_ns),
		cmocka_unit_test(a_service_is_found_by_srv),
		cmocka_unit_test(a_service_without_port_has_no_srv_but_txt),
		cmocka_unit_test(unknown_services_and_protocols_do_not_exist),
		cmocka_unit_test(a_name_between_others_exists),
		cmocka_unit_test(an_address_has_its_name),
		cmocka_unit_test(an_ipv6_address_has_its_name),
		cmocka_unit_test(reverse_names_that_are_no_address),
		cmocka_unit_test(foreign_names_are_left_to_the_caller),
		cmocka_unit_test(any_gets_one_kind_of_record),
		cmocka_unit_test(long_answers_are_truncated_over_udp_only),
		cmocka_unit_test(edns_is_answered_with_edns),
		cmocka_unit_test(a_later_edns_version_is_badvers),
		cmocka_unit_test(two_opt_records_are_a_format_error),
		cmocka_unit_test(other_opcodes_classes_and_transfers_are_refused),
		cmocka_unit_test(what_is_no_query_gets_no_answer),
		cmocka_unit_test(malformed_queries_are_format_errors),
		cmocka_unit_test(a_small_buffer_is_never_overrun),
		cmocka_unit_test(odd_prefixes_are_cut_at_the_next_label),
		cmocka_unit_test(the_domains_are_those_that_are_answered_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
