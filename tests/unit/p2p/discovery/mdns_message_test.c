/* DNS messages of mDNS, as we write them and as others do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <arpa/nameser.h>
#include <cmocka.h>

#include "base/err.h"
#include "p2p/discovery/mdns_message.h"

static const char us[] = "abcdefghijklmnopqrstuvwxyz0123456789abcd";
static const char them[] = "zbcdefghijklmnopqrstuvwxyz0123456789abcd";

static struct pu_mdns_answer answer(const struct pu_bytes *texts, size_t n)
{
	struct pu_mdns_answer a = { .label = us, .ttl = PU_MDNS_TTL_S, .texts = texts, .n_texts = n };

	a.host.v4.sin_family = AF_INET;
	a.host.v4.sin_port = htons(4001);
	a.host.v4.sin_addr.s_addr = htonl(0xc0a80102);
	return a;
}

static int parse(const uint8_t *b, int len, const char *label, struct pu_mdns_message *m)
{
	assert_true(len > 0);
	return pu_mdns_parse(pu_bytes(b, (size_t)len), label, m);
}

static void our_answer_is_read_back(void **state)
{
	const struct pu_bytes texts[] = { pu_bytes_str("dnsaddr=/ip4/192.168.1.2/tcp/1"),
					  pu_bytes_str("dnsaddr=/ip4/192.168.1.2/udp/1/quic-v1") };
	struct pu_mdns_answer a = answer(texts, 2);
	struct pu_mdns_message m;
	uint8_t b[PU_MDNS_SEND_MAX];
	int n = pu_mdns_write_answer(&a, b, sizeof b);

	assert_int_equal(parse(b, n, them, &m), 0);
	assert_true(m.response);
	assert_int_equal(m.n_texts, 2);
	assert_true(pu_bytes_eq_str(m.texts[0], "/ip4/192.168.1.2/tcp/1"));
	assert_true(pu_bytes_eq_str(m.texts[1], "/ip4/192.168.1.2/udp/1/quic-v1"));
	a.ttl = 0; /* a goodbye */
	n = pu_mdns_write_answer(&a, b, sizeof b);
	assert_int_equal(parse(b, n, them, &m), 0);
	assert_int_equal(m.n_texts, 0);
	assert_false(m.dull);
}

/* What zeroconf of go-libp2p needs: pointer, SRV, one TXT and an address, all together. */
static void our_answer_has_all_records(void **state)
{
	const struct pu_bytes texts[] = { pu_bytes_str("dnsaddr=/x"), pu_bytes_str("dnsaddr=/y") };
	struct pu_mdns_answer a = answer(texts, 2);
	char instance[128], host[128], name[NS_MAXDNAME];
	uint8_t b[PU_MDNS_SEND_MAX];
	int n = pu_mdns_write_answer(&a, b, sizeof b);
	ns_msg h;
	ns_rr rr;

	snprintf(instance, sizeof instance, "%s._p2p._udp.local", us);
	snprintf(host, sizeof host, "%s.local", us);
	assert_int_equal(ns_initparse(b, n, &h), 0);
	assert_true(ns_msg_getflag(h, ns_f_qr));
	assert_true(ns_msg_getflag(h, ns_f_aa));
	assert_int_equal(ns_msg_id(h), 0);
	assert_int_equal(ns_msg_count(h, ns_s_qd), 0);
	assert_int_equal(ns_msg_count(h, ns_s_an), 1);
	assert_int_equal(ns_msg_count(h, ns_s_ar), 3);
	assert_int_equal(ns_parserr(&h, ns_s_an, 0, &rr), 0);
	assert_string_equal(ns_rr_name(rr), "_p2p._udp.local");
	assert_int_equal(ns_rr_type(rr), ns_t_ptr);
	assert_int_equal(ns_rr_class(rr), ns_c_in); /* others have that pointer, too */
	assert_true(ns_name_uncompress(b, b + n, ns_rr_rdata(rr), name, sizeof name) > 0);
	assert_string_equal(name, instance);
	assert_int_equal(ns_parserr(&h, ns_s_ar, 0, &rr), 0);
	assert_int_equal(ns_rr_type(rr), ns_t_txt);
	assert_string_equal(ns_rr_name(rr), instance);
	assert_int_equal(ns_rr_class(rr), 0x8000 | ns_c_in);
	assert_int_equal(ns_rr_rdlen(rr), 22);
	assert_int_equal(ns_parserr(&h, ns_s_ar, 1, &rr), 0);
	assert_int_equal(ns_rr_type(rr), ns_t_srv);
	assert_string_equal(ns_rr_name(rr), instance);
	assert_int_equal(ns_get16(ns_rr_rdata(rr) + 4), 4001);
	assert_true(ns_name_uncompress(b, b + n, ns_rr_rdata(rr) + 6, name, sizeof name) > 0);
	assert_string_equal(name, host);
	assert_int_equal(ns_parserr(&h, ns_s_ar, 2, &rr), 0);
	assert_int_equal(ns_rr_type(rr), ns_t_a);
	assert_string_equal(ns_rr_name(rr), host);
	assert_memory_equal(ns_rr_rdata(rr), "\xc0\xa8\x01\x02", 4);
}

static void texts_that_do_not_fit_stay_out(void **state)
{
	char text[PU_MDNS_TEXT_MAX + 2];
	struct pu_bytes texts[40];
	struct pu_mdns_message m;
	struct pu_mdns_answer a = answer(texts, PU_ARRAY_LEN(texts));
	uint8_t b[PU_MDNS_SEND_MAX];
	int n;

	memset(text, 'x', sizeof text);
	memcpy(text, "dnsaddr=", 8);
	for (size_t i = 0; i < PU_ARRAY_LEN(texts); i++)
		texts[i] = pu_bytes(text, 200);
	texts[0].len = PU_MDNS_TEXT_MAX + 1;
	n = pu_mdns_write_answer(&a, b, sizeof b);
	assert_in_range(n, 1000, PU_MDNS_SEND_MAX);
	assert_int_equal(parse(b, n, them, &m), 0);
	assert_in_range(m.n_texts, 5, 6);
	a.n_texts = 1; /* only the one that is too long */
	assert_int_equal(pu_mdns_write_answer(&a, b, sizeof b), PU_ELIMIT);
	a.n_texts = 2;
	assert_int_equal(pu_mdns_write_answer(&a, b, 150), PU_ELIMIT);
}

static void our_query_asks_all_but_ourselves(void **state)
{
	struct pu_mdns_message m;
	uint8_t b[PU_MDNS_SEND_MAX];
	int n = pu_mdns_write_query(us, b, sizeof b);

	assert_int_equal(parse(b, n, us, &m), 0);
	assert_false(m.response);
	assert_true(m.asks);
	assert_false(m.asks_unicast);
	assert_true(m.knows_us);
	assert_int_equal(parse(b, n, them, &m), 0);
	assert_true(m.asks);
	assert_false(m.knows_us);
}

/* Queries in the bytes of others. */

#define HEAD(flags, qd, an) "\0\0" flags "\0" qd "\0" an "\0\0\0\0"
#define SERVICE "\x04_p2p\x04_udp\x05local\0"

static int parse_text(const char *text, size_t len, struct pu_mdns_message *m)
{
	return pu_mdns_parse(pu_bytes(text, len), us, m);
}
#define PARSE(text, m) parse_text(text, sizeof(text) - 1, m)

static void questions_are_understood(void **state)
{
	struct pu_mdns_message m;

	assert_int_equal(PARSE(HEAD("\0\0", "\1", "\0") SERVICE "\0\x0c\0\1", &m), 0);
	assert_true(m.asks && !m.asks_unicast);
	assert_int_equal(m.question.len, 21);
	assert_int_equal(PARSE(HEAD("\0\0", "\1", "\0") SERVICE "\0\x0c\x80\1", &m), 0);
	assert_true(m.asks && m.asks_unicast);
	assert_int_equal(PARSE(HEAD("\0\0", "\1", "\0") "\x04_P2P\x04_UDP\x05LOCAL\0" "\0\xff\0\xff",
			       &m), 0);
	assert_true(m.asks);
	/* Both kinds: the one who wants multicast decides. */
	assert_int_equal(PARSE(HEAD("\0\0", "\2", "\0") SERVICE "\0\x0c\x80\1" SERVICE "\0\x0c\0\1",
			       &m), 0);
	assert_true(m.asks && !m.asks_unicast);
	/* Of our own records. */
	assert_int_equal(PARSE(HEAD("\0\0", "\1", "\0")
			       "\x28" "abcdefghijklmnopqrstuvwxyz0123456789abcd" SERVICE
			       "\0\x10\0\1", &m), 0);
	assert_true(m.asks);
	assert_int_equal(PARSE(HEAD("\0\0", "\1", "\0")
			       "\x28" "abcdefghijklmnopqrstuvwxyz0123456789abcd" "\x05local\0"
			       "\0\1\0\1", &m), 0);
	assert_true(m.asks);
	/* Of nothing that we have. */
	assert_int_equal(PARSE(HEAD("\0\0", "\1", "\0") SERVICE "\0\1\0\1", &m), 0);
	assert_false(m.asks);
	assert_int_equal(PARSE(HEAD("\0\0", "\1", "\0") "\x05_http\x04_tcp\x05local\0" "\0\x0c\0\1",
			       &m), 0);
	assert_false(m.asks);
	assert_int_equal(PARSE(HEAD("\0\0", "\1", "\0") SERVICE "\0\x0c\0\3", &m), 0);
	assert_false(m.asks);
}

static void known_answers_must_be_ours_and_fresh(void **state)
{
	static const char question[] = HEAD("\0\0", "\1", "\1") SERVICE "\0\x0c\0\1";
	static const char ours[] = "\x28" "abcdefghijklmnopqrstuvwxyz0123456789abcd" "\xc0\x0c";
	static const struct {
		const char *record;
		bool known;
	} cases[] = {
		{ "\xc0\x0c\0\x0c\0\1\0\0\x01\x68\0\x2b", true },
		{ "\xc0\x0c\0\x0c\0\1\0\0\0\xb4\0\x2b", true },
		{ "\xc0\x0c\0\x0c\0\1\0\0\0\xb3\0\x2b", false }, /* dies soon */
		{ "\xc0\x0c\0\x10\0\1\0\0\x01\x68\0\x2b", false }, /* no pointer */
	};
	char b[256];

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		struct pu_mdns_message m;
		size_t n = sizeof question - 1;

		memcpy(b, question, n);
		memcpy(b + n, cases[i].record, 12);
		memcpy(b + n + 12, ours, 43);
		assert_int_equal(parse_text(b, n + 12 + 43, &m), 0);
		assert_true(m.asks);
		assert_int_equal(m.knows_us, cases[i].known);
		b[n + 14] = 'x'; /* somebody else */
		assert_int_equal(parse_text(b, n + 12 + 43, &m), 0);
		assert_false(m.knows_us);
	}
}

/* As js-libp2p and rust-libp2p: one string per record, all of them answers. */
static void many_text_records_are_read(void **state)
{
	static const char b[] = HEAD("\x84\0", "\0", "\3") SERVICE "\0\x0c\0\1\0\0\0\x78\0\4" "\1z\xc0\x0c"
				"\1z\xc0\x0c" "\0\x10\0\1\0\0\0\x78\0\x0b" "\x0a" "dnsaddr=/a"
				"\1z\xc0\x0c" "\0\x10\0\1\0\0\0\x78\0\x13" "\x0a" "dnsaddr=/b" "\7" "other=1";
	struct pu_mdns_message m;

	assert_int_equal(parse_text(b, sizeof b - 1, &m), 0);
	assert_true(m.response && !m.dull);
	assert_int_equal(m.n_texts, 2);
	assert_true(pu_bytes_eq_str(m.texts[0], "/a"));
	assert_true(pu_bytes_eq_str(m.texts[1], "/b"));
}

/* rust-libp2p: the name is one label. Only the pointer makes it one of the service. */
static void a_bare_name_is_one_when_pointed_to(void **state)
{
	static const char b[] = HEAD("\x84\0", "\0", "\1") SERVICE "\0\x0c\0\1\0\0\1\x68\0\5" "\3Abc\0"
				"\3aBc\0" "\0\x10\x80\1\0\0\1\x68\0\x0b" "\x0a" "dnsaddr=/a"
				"\3xyz\0" "\0\x10\x80\1\0\0\1\x68\0\x0b" "\x0a" "dnsaddr=/b";
	static const char other[] = HEAD("\x84\0", "\0", "\1") "\5other\0\0\x0c\0\1\0\0\1\x68\0\5"
				    "\3abc\0" "\3abc\0" "\0\x10\x80\1\0\0\1\x68\0\x0b" "\x0a"
				    "dnsaddr=/a";
	uint8_t two[sizeof b];
	struct pu_mdns_message m;

	memcpy(two, b, sizeof b);
	two[11] = 2; /* additional records */
	assert_int_equal(parse_text((const char *)two, sizeof b - 1, &m), 0);
	assert_false(m.dull);
	assert_int_equal(m.n_texts, 1);
	assert_true(pu_bytes_eq_str(m.texts[0], "/a"));
	memcpy(two, other, sizeof other);
	two[11] = 1;
	assert_int_equal(parse_text((const char *)two, sizeof other - 1, &m), 0);
	assert_true(m.dull);
	assert_int_equal(m.n_texts, 0);
}

static void other_services_are_not_ours(void **state)
{
	static const char b[] = HEAD("\x84\0", "\0", "\1") "\1z\5_http\4_tcp\5local\0"
				"\0\x10\0\1\0\0\0\x78\0\x0b" "\x0a" "dnsaddr=/a";
	struct pu_mdns_message m;

	assert_int_equal(parse_text(b, sizeof b - 1, &m), 0);
	assert_true(m.dull);
	assert_int_equal(m.n_texts, 0);
}

static void malformed_messages_are_refused(void **state)
{
	static const char cut[] = HEAD("\x84\0", "\0", "\1") "\1z" SERVICE "\0\x10\0\1\0\0\0\x78\0\x0b"
				  "\x0a" "dnsaddr=/a";
	static uint8_t big[PU_MDNS_RECV_MAX + 1];
	struct pu_mdns_message m;

	for (size_t i = 0; i < sizeof cut - 1; i++)
		assert_int_equal(parse_text(cut, i, &m), PU_EPROTO);
	assert_int_equal(parse_text(cut, sizeof cut - 1, &m), 0);
	assert_int_equal(m.n_texts, 1);
	/* A name that points to itself, and two that point to each other. */
	assert_int_equal(PARSE(HEAD("\0\0", "\1", "\0") "\xc0\x0c\0\x0c\0\1", &m), PU_EPROTO);
	assert_int_equal(PARSE(HEAD("\0\0", "\1", "\0") "\xc0\x0e\xc0\x0c\0\x0c\0\1", &m), PU_EPROTO);
	/* More records than there are. */
	assert_int_equal(PARSE(HEAD("\0\0", "\2", "\0") SERVICE "\0\x0c\0\1", &m), PU_EPROTO);
	assert_int_equal(PARSE(HEAD("\x28\0", "\1", "\0") SERVICE "\0\x0c\0\1", &m), PU_EPROTO);
	assert_int_equal(PARSE(HEAD("\x84\3", "\0", "\0"), &m), PU_EPROTO);
	assert_int_equal(pu_mdns_parse(pu_bytes(big, sizeof big), us, &m), PU_EPROTO);
	/* A string longer than its record. */
	assert_int_equal(PARSE(HEAD("\x84\0", "\0", "\1") "\1z" SERVICE "\0\x10\0\1\0\0\0\x78\0\x0b"
			       "\xff" "dnsaddr=/a", &m), 0);
	assert_int_equal(m.n_texts, 0);
}

static void a_legacy_asker_gets_his_question_back(void **state)
{
	static const char asked[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0" "\x04_p2P\x04_uDp\x05local\0" "\0\x0c\0\1";
	const struct pu_bytes texts[] = { pu_bytes_str("dnsaddr=/x") };
	struct pu_mdns_answer a = answer(texts, 1);
	struct pu_mdns_message q;
	uint8_t b[PU_MDNS_SEND_MAX];
	ns_msg h;
	ns_rr rr;
	int n;

	assert_int_equal(parse_text(asked, sizeof asked - 1, &q), 0);
	a.legacy = true;
	a.id = q.id;
	a.question = q.question;
	n = pu_mdns_write_answer(&a, b, sizeof b);
	assert_int_equal(ns_initparse(b, n, &h), 0);
	assert_int_equal(ns_msg_id(h), 0x1234);
	assert_int_equal(ns_msg_count(h, ns_s_qd), 1);
	assert_memory_equal(b + 12, asked + 12, 21);
	assert_int_equal(ns_parserr(&h, ns_s_an, 0, &rr), 0);
	assert_int_equal(ns_rr_ttl(rr), PU_MDNS_TTL_LEGACY_S);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ns_parserr(&h, ns_s_ar, i, &rr), 0);
		assert_int_equal(ns_rr_ttl(rr), PU_MDNS_TTL_LEGACY_S);
		assert_int_equal(ns_rr_class(rr), ns_c_in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_answer_is_read_back),
		cmocka_unit_test(our_answer_has_all_records),
		cmocka_unit_test(texts_that_do_not_fit_stay_out),
		cmocka_unit_test(our_query_asks_all_but_ourselves),
		cmocka_unit_test(questions_are_understood),
		cmocka_unit_test(known_answers_must_be_ours_and_fresh),
		cmocka_unit_test(many_text_records_are_read),
		cmocka_unit_test(a_bare_name_is_one_when_pointed_to),
		cmocka_unit_test(other_services_are_not_ours),
		cmocka_unit_test(malformed_messages_are_refused),
		cmocka_unit_test(a_legacy_asker_gets_his_question_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
