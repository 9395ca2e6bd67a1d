#include "overlay/invite/code.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/err.h"
#include "support/vectors.h"

enum { WHY_MAX = 160 };

static struct pu_vectors *v;

static int load(void **state)
{
	v = pu_vectors_load("codes.txt");
	return 0;
}

static int unload(void **state)
{
	pu_vectors_free(v);
	return 0;
}

struct known {
	const char *code, *relay, *network;
	enum pu_code_version version;
};

static const struct known known[] = {
	{ "v1.global", "relay", NULL, PU_CODE_INVITE_V1 },
	{ "v1.network", "relay", "v1.network_name", PU_CODE_INVITE_V1 },
	{ "v2.global", "relay", NULL, PU_CODE_PAIR_V2 },
	{ "v2.network", "relay", "v2.network_name", PU_CODE_PAIR_V2 },
	{ "v2.other_relay", "other_relay", NULL, PU_CODE_PAIR_V2 },
};

static void known_code(const struct known *k, struct pu_code *c)
{
	char text[PU_MULTIADDR_TEXT_MAX];
	const char *relay = pu_vectors_text(v, k->relay);

	*c = (struct pu_code){ .version = k->version };
	snprintf(text, sizeof text, "%s/p2p/%s", pu_vectors_text(v, "address"), relay);
	assert_int_equal(pu_multiaddr_from_text(&c->relay, text), 0);
	assert_int_equal(pu_peerid_from_text(&c->relay_id, relay), 0);
	memcpy(c->token, pu_vectors_hex(v, "token").p, k->version == PU_CODE_INVITE_V1 ? 8 : 16);
	if (k->network)
		strcpy(c->network, pu_vectors_text(v, k->network));
	if (k->version == PU_CODE_INVITE_V1)
		assert_int_equal(pu_peerid_from_text(&c->inviter, pu_vectors_text(v, "inviter")),
				 0);
}

static void assert_same(const struct pu_code *a, const struct pu_code *b)
{
	assert_int_equal(a->version, b->version);
	assert_memory_equal(a->token, b->token, sizeof a->token);
	assert_true(pu_multiaddr_eq(&a->relay, &b->relay));
	assert_true(pu_peerid_eq(&a->relay_id, &b->relay_id));
	assert_true(pu_peerid_eq(&a->inviter, &b->inviter));
	assert_string_equal(a->network, b->network);
	assert_string_equal(a->host, b->host);
	assert_int_equal(a->port, b->port);
	assert_int_equal(a->number, b->number);
	assert_string_equal(a->password, b->password);
}

static void codes_of_peer_up_are_written(void **state)
{
	char text[PU_CODE_TEXT_MAX + 1];
	struct pu_code c;

	for (size_t i = 0; i < PU_ARRAY_LEN(known); i++) {
		known_code(&known[i], &c);
		assert_int_equal(pu_code_format(&c, text), 0);
		assert_string_equal(text, pu_vectors_text(v, known[i].code));
	}
}

static void codes_of_peer_up_are_read(void **state)
{
	struct pu_code want, got;

	for (size_t i = 0; i < PU_ARRAY_LEN(known); i++) {
		known_code(&known[i], &want);
		memset(&got, 0x5a, sizeof got);
		assert_int_equal(pu_code_parse(pu_vectors_text(v, known[i].code), &got, NULL), 0);
		assert_same(&got, &want);
	}
}

static void case_dashes_and_spaces_do_not_matter(void **state)
{
	const char *text = pu_vectors_text(v, "v1.global");
	char other[2 * PU_CODE_TEXT_MAX + 8];
	struct pu_code want, got;
	size_t n = 0;

	other[n++] = ' ';
	for (size_t i = 0; text[i]; i++) {
		if (text[i] == '-' && i % 2)
			continue;
		other[n++] = text[i] == '-' ? "\n \t"[i % 3] : (char)tolower(text[i]);
	}
	strcpy(other + n, "\n\n");
	assert_int_equal(pu_code_parse(text, &want, NULL), 0);
	assert_int_equal(pu_code_parse(other, &got, NULL), 0);
	assert_same(&got, &want);
}

static int parse_bytes(const uint8_t *p, size_t len)
{
	char text[PU_CODE_TEXT_MAX + 1], why[WHY_MAX] = "";
	struct pu_code c;
	int r;

	assert_true(pu_base32_encode(pu_bytes(p, len), text, sizeof text) >= 0);
	r = pu_code_parse(text, &c, why);
	assert_true(r == 0 || why[0]);
	return r;
}

/* The bytes of a known code. */
static size_t payload(const char *name, uint8_t *out, size_t cap)
{
	const char *text = pu_vectors_text(v, name);
	char plain[PU_CODE_TEXT_MAX];
	size_t n = 0;
	int r;

	for (; *text; text++)
		if (*text != '-')
			plain[n++] = (char)tolower(*text);
	r = pu_base32_decode(plain, n, out, cap);
	assert_true(r > 0);
	return (size_t)r;
}

static void payloads_have_the_lengths_of_peer_up(void **state)
{
	static const size_t len[] = { 93, 100, 63, 73, 63 };
	uint8_t b[256];

	for (size_t i = 0; i < PU_ARRAY_LEN(known); i++)
		assert_int_equal(payload(known[i].code, b, sizeof b), len[i]);
}

static void a_truncated_or_longer_code_is_refused(void **state)
{
	uint8_t b[256] = { 0 };

	for (size_t i = 0; i < PU_ARRAY_LEN(known); i++) {
		size_t len = payload(known[i].code, b, sizeof b - 1);

		assert_int_equal(parse_bytes(b, len), 0);
		for (size_t n = 1; n < len; n++)
			assert_int_equal(parse_bytes(b, n), PU_EINVAL);
		b[len] = 0;
		assert_int_equal(parse_bytes(b, len + 1), PU_EINVAL);
	}
}

static void a_code_cut_at_any_character_is_refused(void **state)
{
	char text[PU_CODE_TEXT_MAX + 1];
	struct pu_code c;

	for (size_t i = 0; i < PU_ARRAY_LEN(known); i++) {
		strcpy(text, pu_vectors_text(v, known[i].code));
		for (size_t n = strlen(text); n-- > 0;) {
			if (text[n] == '-')
				continue;
			text[n] = '\0';
			assert_int_equal(pu_code_parse(text, &c, NULL), PU_EINVAL);
		}
	}
}

static void what_is_appended_to_a_code_is_noticed(void **state)
{
	static const char *const tails[] = { "AAAA", "--namelaptop", "A", "-AAAA-AAAA", "?" };
	char text[PU_CODE_TEXT_MAX + 1];
	struct pu_code c;

	for (size_t i = 0; i < PU_ARRAY_LEN(known); i++)
		for (size_t j = 0; j < PU_ARRAY_LEN(tails); j++) {
			snprintf(text, sizeof text, "%s%s", pu_vectors_text(v, known[i].code),
				 tails[j]);
			assert_int_equal(pu_code_parse(text, &c, NULL), PU_EINVAL);
		}
}

static void left_over_bits_must_be_zero(void **state)
{
	char text[PU_CODE_TEXT_MAX + 1];
	struct pu_code c;

	/* 93 bytes are 744 bits: the last character has one bit too many. */
	strcpy(text, pu_vectors_text(v, "v1.global"));
	assert_int_equal(text[strlen(text) - 1], 'I');
	text[strlen(text) - 1] = 'J';
	assert_int_equal(pu_code_parse(text, &c, NULL), PU_EINVAL);
}

static void versions_are_told_apart(void **state)
{
	uint8_t b[30] = { 3 };

	assert_int_equal(parse_bytes(b, sizeof b), PU_ENOTSUP);
	assert_int_equal(parse_bytes(b, 15), PU_EINVAL);
	b[0] = 0;
	assert_int_equal(parse_bytes(b, sizeof b), PU_EINVAL);
}

static void broken_fields_are_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} breaks[] = {
		{ 15, 37 },  /* length of the relay's ID */
		{ 15, 255 },
		{ 16, 7 },   /* no multihash */
		{ 54, 200 }, /* length of the network */
		{ 55, 7 },   /* the inviter's ID: no multihash, another length */
		{ 56, 35 },
		{ 56, 37 },
	};
	uint8_t b[256];
	size_t len = payload("v1.global", b, sizeof b);

	for (size_t i = 0; i < PU_ARRAY_LEN(breaks); i++) {
		uint8_t was = b[breaks[i].at];

		b[breaks[i].at] = breaks[i].value;
		assert_int_equal(parse_bytes(b, len), PU_EINVAL);
		b[breaks[i].at] = was;
	}
	b[13] = b[14] = 0; /* port */
	assert_int_equal(parse_bytes(b, len), PU_EINVAL);
}

static void networks_are_labels_of_63_letters_at_most(void **state)
{
	static const char *const bad[] = { "a b", "a.b", "-a", "a-", "A" };
	char text[PU_CODE_TEXT_MAX + 1];
	struct pu_code c, got;

	known_code(&known[2], &c);
	memset(c.network, 'a', PU_CODE_NETWORK_MAX);
	assert_int_equal(pu_code_format(&c, text), 0);
	assert_int_equal(pu_code_parse(text, &got, NULL), 0);
	assert_same(&got, &c);
	c.network[PU_CODE_NETWORK_MAX] = 'a';
	assert_int_equal(pu_code_format(&c, text), PU_EINVAL);
	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++) {
		uint8_t b[256];
		size_t len = payload("v2.global", b, sizeof b), n = strlen(bad[i]);

		memset(c.network, 0, sizeof c.network);
		strcpy(c.network, bad[i]);
		assert_int_equal(pu_code_format(&c, text), PU_EINVAL);
		b[len - 1] = (uint8_t)n;
		memcpy(b + len, bad[i], n);
		assert_int_equal(parse_bytes(b, len + n), PU_EINVAL);
	}
}

static void only_relays_with_ipv4_and_tcp_fit_into_a_code(void **state)
{
	static const char *const bad[] = {
		"/ip6/2001:db8::1/tcp/7777/p2p/%s", "/ip4/203.0.113.50/udp/7777/quic-v1/p2p/%s",
		"/dns/relay.example.org/tcp/7777/p2p/%s", "/ip4/203.0.113.50/tcp/7777/ws/p2p/%s",
	};
	char text[PU_CODE_TEXT_MAX + 1], relay[PU_MULTIADDR_TEXT_MAX];
	struct pu_code c;

	known_code(&known[0], &c);
	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++) {
		snprintf(relay, sizeof relay, bad[i], pu_vectors_text(v, "relay"));
		assert_int_equal(pu_multiaddr_from_text(&c.relay, relay), 0);
		assert_int_equal(pu_code_format(&c, text), PU_EINVAL);
	}
	assert_int_equal(pu_multiaddr_from_text(&c.relay, "/ip4/203.0.113.50/tcp/7777"), 0);
	assert_int_equal(pu_code_format(&c, text), PU_EINVAL);
	known_code(&known[0], &c);
	c.inviter = (struct pu_peerid){ 0 };
	assert_int_equal(pu_code_format(&c, text), PU_EINVAL);
}

static void digits_that_look_like_letters_are_explained(void **state)
{
	char text[PU_CODE_TEXT_MAX + 1], why[WHY_MAX];
	struct pu_code c;

	strcpy(text, pu_vectors_text(v, "v2.global"));
	text[3] = '0';
	assert_int_equal(pu_code_parse(text, &c, why), PU_EINVAL);
	assert_string_equal(why, "there is no \"0\" in codes; is it the letter O?");
}

struct spoken {
	const char *text, *host;
	uint16_t port;
	unsigned number;
	const char *canonical; /* NULL: as text */
};

static const struct spoken spoken[] = {
	{ "7-otter-canyon-maple", "", 7777, 7, NULL },
	{ "relay.example.org/7-otter-canyon-maple", "relay.example.org", 7777, 7, NULL },
	{ "relay.example.org:9000/9999-otter-canyon-maple", "relay.example.org", 9000, 9999, NULL },
	{ "203.0.113.50/12-otter-canyon-maple", "203.0.113.50", 7777, 12, NULL },
	{ "[2001:db8::1]/12-otter-canyon-maple", "2001:db8::1", 7777, 12, NULL },
	{ "[2001:db8::1]:80/12-otter-canyon-maple", "2001:db8::1", 80, 12, NULL },
	{ "relay.example.org/7 otter canyon maple", "relay.example.org", 7777, 7,
	  "relay.example.org/7-otter-canyon-maple" },
	{ " \tRELAY.Example.org/7-OTTER  canyon -- Maple\n", "relay.example.org", 7777, 7,
	  "relay.example.org/7-otter-canyon-maple" },
	{ "7 Otter Canyon Maple", "", 7777, 7, "7-otter-canyon-maple" },
	{ "relay.example.org:7777/7-otter-canyon-maple", "relay.example.org", 7777, 7,
	  "relay.example.org/7-otter-canyon-maple" },
	{ "[2001:DB8::A]/ 12 otter-canyon-maple", "2001:db8::a", 7777, 12,
	  "[2001:db8::a]/12-otter-canyon-maple" },
};

static void spoken_codes_are_read_and_written(void **state)
{
	char text[PU_CODE_TEXT_MAX + 1];
	struct pu_code c, again;

	for (size_t i = 0; i < PU_ARRAY_LEN(spoken); i++) {
		const struct spoken *s = &spoken[i];

		assert_int_equal(pu_code_parse(s->text, &c, NULL), 0);
		assert_int_equal(c.version, PU_CODE_INVITE_V3);
		assert_string_equal(c.host, s->host);
		assert_int_equal(c.port, s->port);
		assert_int_equal(c.number, s->number);
		assert_string_equal(c.password, "otter-canyon-maple");
		assert_int_equal(pu_code_format(&c, text), 0);
		assert_string_equal(text, s->canonical ? s->canonical : s->text);
		assert_int_equal(pu_code_parse(text, &again, NULL), 0);
		assert_same(&again, &c);
	}
}

static void what_is_wrong_with_a_spoken_code_is_told(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "relay.example.org/7-oter-canyon-maple",
		  "\"oter\" is not one of the words; did you mean \"otter\"?" },
		{ "7 otter canion maple",
		  "\"canion\" is not one of the words; did you mean \"canyon\"?" },
		{ "7-otter-canyon-\x1b[31m",
		  "\"?[31m\" is not one of the words that codes are made of" },
		{ "7-otter-canyon", "behind the number come 3 words, here are 2" },
		{ "7", "behind the number come 3 words, here are 0" },
		{ "relay.example.org/otter-canyon-maple",
		  "the words come after a number of 1 to 9999, as in \"7-otter-canyon-maple\"" },
		{ "0-otter-canyon-maple",
		  "the words come after a number of 1 to 9999, as in \"7-otter-canyon-maple\"" },
		{ "10000-otter-canyon-maple",
		  "the words come after a number of 1 to 9999, as in \"7-otter-canyon-maple\"" },
		{ "/7-otter-canyon-maple", "in front of the slash is no host name and no address" },
		{ "https://relay/7-otter-canyon-maple",
		  "behind the host comes a port of 1 to 65535, or nothing" },
		{ "2001:db8::1/7-otter-canyon-maple",
		  "write an IPv6 address in brackets, as in \"[2001:db8::1]\"" },
		{ "[relay]/7-otter-canyon-maple", "between the brackets is no IPv6 address" },
		{ "[2001:db8::1/7-otter-canyon-maple",
		  "in front of the slash is no host name and no address" },
		{ "203.0.113.500/7-otter-canyon-maple",
		  "in front of the slash is no host name and no address" },
		{ "a..b/7-otter-canyon-maple",
		  "in front of the slash is no host name and no address" },
		{ "a_b/7-otter-canyon-maple",
		  "in front of the slash is no host name and no address" },
		{ "relay:0/7-otter-canyon-maple",
		  "behind the host comes a port of 1 to 65535, or nothing" },
		{ "relay:65536/7-otter-canyon-maple",
		  "behind the host comes a port of 1 to 65535, or nothing" },
		{ "relay:/7-otter-canyon-maple",
		  "behind the host comes a port of 1 to 65535, or nothing" },
		{ "", "no code was given" },
		{ " \n", "no code was given" },
	};
	char why[WHY_MAX];
	struct pu_code c;

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		assert_int_equal(pu_code_parse(cases[i].text, &c, why), PU_EINVAL);
		assert_string_equal(why, cases[i].why);
	}
}

static void long_input_is_refused(void **state)
{
	char text[PU_CODE_TEXT_MAX + 2], words[256] = "7";
	struct pu_code c;

	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_int_equal(pu_code_parse(text, &c, NULL), PU_EINVAL);
	memcpy(text, "7-", 2);
	text[PU_CODE_TEXT_MAX] = '\0';
	assert_int_equal(pu_code_parse(text, &c, NULL), PU_EINVAL);
	text[1] = 'a';
	text[PU_CODE_TEXT_MAX - 1] = '/';
	assert_int_equal(pu_code_parse(text, &c, NULL), PU_EINVAL);
	for (int i = 0; i < 12; i++)
		strcat(words, "-canyon");
	assert_int_equal(pu_code_parse(words, &c, NULL), PU_EINVAL);
}

static void a_failure_leaves_the_result_alone(void **state)
{
	struct pu_code c;
	uint8_t before[sizeof c];

	memset(&c, 0x5a, sizeof c);
	memcpy(before, &c, sizeof c);
	assert_int_equal(pu_code_parse("7-otter-canyon-mapel-x", &c, NULL), PU_EINVAL);
	assert_memory_equal(&c, before, sizeof c);
}

static void passwords_have_three_words(void **state)
{
	static const uint8_t random[][PU_CODE_WORDS] = { { 0, 127, 255 }, { 0 } };
	char password[PU_CODE_PASSWORD_MAX + 1];
	struct pu_code c = { .version = PU_CODE_INVITE_V3, .port = PU_CODE_PORT, .number = 1 }, got;
	char text[PU_CODE_TEXT_MAX + 1];

	for (size_t i = 0; i < PU_ARRAY_LEN(random); i++) {
		pu_code_password(random[i], password);
		strcpy(c.password, password);
		assert_int_equal(pu_code_format(&c, text), 0);
		assert_int_equal(pu_code_parse(text, &got, NULL), 0);
		assert_same(&got, &c);
	}
	assert_string_equal(password, "acorn-acorn-acorn");
}

static void a_spoken_code_says_where_to_ask(void **state)
{
	static const struct {
		const char *code, *quic, *tcp;
	} cases[] = {
		{ "relay.example.org/7-otter-canyon-maple",
		  "/dns/relay.example.org/udp/7777/quic-v1", "/dns/relay.example.org/tcp/7777" },
		{ "203.0.113.50:80/7-otter-canyon-maple", "/ip4/203.0.113.50/udp/80/quic-v1",
		  "/ip4/203.0.113.50/tcp/80" },
		{ "[2001:db8::1]/7-otter-canyon-maple", "/ip6/2001:db8::1/udp/7777/quic-v1",
		  "/ip6/2001:db8::1/tcp/7777" },
	};
	char text[PU_MULTIADDR_TEXT_MAX];
	struct pu_multiaddr ma[2];
	struct pu_code c;

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		assert_int_equal(pu_code_parse(cases[i].code, &c, NULL), 0);
		assert_int_equal(pu_code_addrs(&c, ma), 2);
		assert_string_equal(pu_multiaddr_text(&ma[0], text), cases[i].quic);
		assert_string_equal(pu_multiaddr_text(&ma[1], text), cases[i].tcp);
	}
	assert_int_equal(pu_code_parse("7-otter-canyon-maple", &c, NULL), 0);
	assert_int_equal(pu_code_addrs(&c, ma), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_of_peer_up_are_written),
		cmocka_unit_test(codes_of_peer_up_are_read),
		cmocka_unit_test(case_dashes_and_spaces_do_not_matter),
		cmocka_unit_test(payloads_have_the_lengths_of_peer_up),
		cmocka_unit_test(a_truncated_or_longer_code_is_refused),
		cmocka_unit_test(a_code_cut_at_any_character_is_refused),
		cmocka_unit_test(what_is_appended_to_a_code_is_noticed),
		cmocka_unit_test(left_over_bits_must_be_zero),
		cmocka_unit_test(versions_are_told_apart),
		cmocka_unit_test(broken_fields_are_refused),
		cmocka_unit_test(networks_are_labels_of_63_letters_at_most),
		cmocka_unit_test(only_relays_with_ipv4_and_tcp_fit_into_a_code),
		cmocka_unit_test(digits_that_look_like_letters_are_explained),
		cmocka_unit_test(spoken_codes_are_read_and_written),
		cmocka_unit_test(what_is_wrong_with_a_spoken_code_is_told),
		cmocka_unit_test(long_input_is_refused),
		cmocka_unit_test(a_failure_leaves_the_result_alone),
		cmocka_unit_test(passwords_have_three_words),
		cmocka_unit_test(a_spoken_code_says_where_to_ask),
	};
	return cmocka_run_group_tests(tests, load, unload);
}
