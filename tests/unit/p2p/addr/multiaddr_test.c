#include "p2p/addr/multiaddr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/err.h"
#include "support/vectors.h"

#define A "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
#define B "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB"

static struct pu_multiaddr ma(const char *text)
{
	struct pu_multiaddr m;

	if (pu_multiaddr_from_text(&m, text) < 0)
		fail_msg("refused: %s", text);
	return m;
}

static void text_and_bytes_agree_with_others(void **state)
{
	struct pu_vectors *v = pu_vectors_load("multiaddrs.txt");
	const char *text, *hex;
	size_t i = 0;

	while (pu_vectors_next(v, &i, &text, &hex)) {
		struct pu_bytes known = pu_vectors_hex(v, text);
		struct pu_multiaddr from_text = ma(text), from_bytes;
		char out[PU_MULTIADDR_TEXT_MAX];

		assert_true(pu_bytes_eq(pu_multiaddr_bytes(&from_text), known));
		assert_int_equal(pu_multiaddr_from_bytes(&from_bytes, known), 0);
		assert_true(pu_multiaddr_eq(&from_text, &from_bytes));
		assert_string_equal(pu_multiaddr_text(&from_bytes, out), text);
	}
	assert_true(i > 15);
	pu_vectors_free(v);
}

static void other_spellings_mean_the_same(void **state)
{
	static const char *const pairs[][2] = {
		{ "/ipfs/" A, "/p2p/" A },
		{ "/p2p/bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pzyt6",
		  "/p2p/" A },
		{ "/ip4/1.2.3.4/tcp/80/", "/ip4/1.2.3.4/tcp/80" },
		{ "/ip6/2001:0db8:0:0::1/tcp/1", "/ip6/2001:db8::1/tcp/1" },
		{ "/ip4/1.2.3.4/tcp/00080", "/ip4/1.2.3.4/tcp/80" },
		{ "/ip4/1.2.3.4/tcp/80/http-path/a%2fb", "/ip4/1.2.3.4/tcp/80/http-path/a%2fb" },
		{ "/unix/tmp/a/b.sock", "/unix/tmp/a/b.sock" },
	};
	char out[PU_MULTIADDR_TEXT_MAX];

	for (size_t i = 0; i < PU_ARRAY_LEN(pairs); i++) {
		struct pu_multiaddr m = ma(pairs[i][0]);

		assert_string_equal(pu_multiaddr_text(&m, out), pairs[i][1]);
	}
}

static void bad_text_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "/", "//", "ip4/1.2.3.4", "/ip4", "/ip4/", "/ip4/1.2.3", "/ip4/1.2.3.4.5",
		"/ip4/1.2.3.4/tcp", "/ip4/1.2.3.4/tcp/", "/ip4/1.2.3.4/tcp/65536",
		"/ip4/1.2.3.4/tcp/-1", "/ip4/1.2.3.4/tcp/ 80", "/ip4/1.2.3.4/tcp/000080",
		"/ip4/1.2.3.4//tcp/80", "/ip6/1.2.3.4", "/ip6/::1%lo", "/nope", "/nope/x",
		"/dns4//tcp/1", "/dns4/a b/tcp/1", "/dns4/\x01/tcp/1", "/dns4/b\xc3\xbc/tcp/1",
		"/p2p/home", "/p2p/", "/certhash/x", "/certhash/uAAAA", "/ipcidr/129",
		"/p2p-circuit/x", "/unix", "/unix/", "/http-path/", "/http-path/%zz",
		"/http-path/%2", "/memory/",
	};
	struct pu_multiaddr m = { .len = 3 };

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++)
		if (pu_multiaddr_from_text(&m, bad[i]) != PU_EINVAL)
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(m.len, 3);
}

static int decode_hex(const char *hex, struct pu_multiaddr *m)
{
	uint8_t b[600];
	int n = pu_hex_decode(hex, strlen(hex), b, sizeof b);

	assert_true(n >= 0);
	return pu_multiaddr_from_bytes(m, pu_bytes(b, (size_t)n));
}

static void bad_bytes_are_refused(void **state)
{
	static const char *const bad[] = {
		"", "00", "04", "04010203", "0401020304ff", "0401020304ff01", "8400",
		"0401020304060f",
		"3500",                   /* empty name */
		"3503612f62",             /* a name that pretends to be two components */
		"35036100ff",             /* a name with a NUL */
		"350161ff",               /* trailing half varint */
		"a50300", "a5030100",     /* no peer ID */
		"a5032212200000",         /* short */
		"d20300", "d203021220",
		"2b81",
		"900301610401020304",     /* something behind a path */
		"900302612f", "90030161", /* paths start with and do not end in a slash */
	};
	struct pu_multiaddr m = { .len = 3 };

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++)
		if (decode_hex(bad[i], &m) != PU_EINVAL)
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(m.len, 3);
}

static void every_accepted_address_fits_its_text(void **state)
{
	char out[PU_MULTIADDR_TEXT_MAX];
	struct pu_multiaddr m;
	uint8_t b[PU_MULTIADDR_MAX + 2];

	/* 125 × webrtc-direct would be 1750 characters. */
	for (size_t i = 0; i < sizeof b; i += 2) {
		b[i] = 0x98;
		b[i + 1] = 0x02;
	}
	assert_int_equal(pu_multiaddr_from_bytes(&m, pu_bytes(b, 250)), PU_EINVAL);
	assert_int_equal(pu_multiaddr_from_bytes(&m, pu_bytes(b, 84)), 0);
	assert_int_equal(strlen(pu_multiaddr_text(&m, out)), 42 * strlen("/webrtc-direct"));
	for (size_t i = 0; i < 60; i++)
		if (pu_multiaddr_append(&m, PU_MA_WEBRTC_DIRECT, pu_bytes(NULL, 0)) < 0)
			break;
	assert_true(strlen(pu_multiaddr_text(&m, out)) < sizeof out);
	/* A name of 247 bytes is the longest address there is. */
	memset(b, 'a', sizeof b);
	memcpy(b, "\x35\xf7\x01", 3);
	assert_int_equal(pu_multiaddr_from_bytes(&m, pu_bytes(b, 250)), 0);
	memcpy(b, "\x35\xf8\x01", 3);
	assert_int_equal(pu_multiaddr_from_bytes(&m, pu_bytes(b, 251)), PU_EINVAL);
}

static void a_component_is_appended_only_when_it_fits(void **state)
{
	struct pu_multiaddr m = { 0 }, before;
	char out[PU_MULTIADDR_TEXT_MAX];

	assert_int_equal(pu_multiaddr_append(&m, PU_MA_IP4, pu_bytes("\x01\x02\x03\x04", 4)), 0);
	assert_int_equal(pu_multiaddr_append(&m, PU_MA_TCP, pu_bytes("\x00\x50", 2)), 0);
	before = m;
	assert_int_equal(pu_multiaddr_append(&m, PU_MA_TCP, pu_bytes("\x00", 1)), PU_EINVAL);
	assert_int_equal(pu_multiaddr_append(&m, PU_MA_DNS, pu_bytes_str("a/b")), PU_EINVAL);
	assert_int_equal(pu_multiaddr_append(&m, (enum pu_ma_code)5, pu_bytes(NULL, 0)), PU_EINVAL);
	assert_true(pu_multiaddr_eq(&m, &before));
	assert_int_equal(pu_multiaddr_append(&m, PU_MA_WS, pu_bytes(NULL, 0)), 0);
	assert_string_equal(pu_multiaddr_text(&m, out), "/ip4/1.2.3.4/tcp/80/ws");
}

static void the_peer_at_the_end_is_split_off(void **state)
{
	struct pu_multiaddr m = ma("/ip4/1.2.3.4/tcp/80/p2p/" A "/p2p-circuit/p2p/" B), rest;
	char out[PU_MULTIADDR_TEXT_MAX], text[PU_PEERID_TEXT_MAX];
	struct pu_peerid id;

	assert_int_equal(pu_multiaddr_split_peer(&m, &m, &id), 0);
	assert_string_equal(pu_peerid_text(&id, text), B);
	assert_string_equal(pu_multiaddr_text(&m, out),
			    "/ip4/1.2.3.4/tcp/80/p2p/" A "/p2p-circuit");
	assert_int_equal(pu_multiaddr_split_peer(&m, &rest, &id), PU_ENOENT);
	assert_true(pu_peerid_empty(&id));
	assert_true(pu_multiaddr_eq(&m, &rest));
	m = ma("/p2p/" A);
	assert_int_equal(pu_multiaddr_split_peer(&m, &rest, &id), 0);
	assert_int_equal(rest.len, 0);
}

static void a_dialler_knows_what_it_can_dial(void **state)
{
	static const struct {
		const char *text;
		enum pu_ma_kind kind;
	} cases[] = {
		{ "/ip4/1.2.3.4/tcp/80", PU_MA_KIND_TCP },
		{ "/ip6/::1/tcp/80", PU_MA_KIND_TCP },
		{ "/ip6zone/lo/ip6/fe80::1/tcp/80", PU_MA_KIND_TCP },
		{ "/ip6zone/lo/ip4/1.2.3.4/tcp/80", PU_MA_KIND_OTHER },
		{ "/dns/a/tcp/80", PU_MA_KIND_TCP },
		{ "/dns4/a/udp/80/quic-v1", PU_MA_KIND_QUIC },
		{ "/dns6/a/udp/80/quic-v1", PU_MA_KIND_QUIC },
		{ "/dnsaddr/a/tcp/80", PU_MA_KIND_OTHER },
		{ "/ip4/1.2.3.4/udp/80", PU_MA_KIND_OTHER },
		{ "/ip4/1.2.3.4/udp/80/quic", PU_MA_KIND_OTHER },
		{ "/ip4/1.2.3.4/udp/80/quic-v1/webtransport", PU_MA_KIND_OTHER },
		{ "/ip4/1.2.3.4/tcp/80/ws", PU_MA_KIND_WS },
		{ "/ip4/1.2.3.4/tcp/80/wss", PU_MA_KIND_WSS },
		{ "/ip4/1.2.3.4/tcp/80/tls/ws", PU_MA_KIND_WSS },
		{ "/dns/a/tcp/80/tls/sni/a/ws", PU_MA_KIND_WSS },
		{ "/dns/a/tcp/80/tls", PU_MA_KIND_OTHER },
		{ "/dns/a/tcp/80/tls/sni/a", PU_MA_KIND_OTHER },
		{ "/dns/a/tcp/80/tls/wss", PU_MA_KIND_OTHER },
		{ "/dns/a/tcp/80/sni/a/ws", PU_MA_KIND_OTHER },
		{ "/ip4/1.2.3.4/tcp/80/sni/a/ws", PU_MA_KIND_WS },
		{ "/ip4/1.2.3.4/tcp/80/sni/a", PU_MA_KIND_OTHER },
		{ "/ip4/1.2.3.4/tcp/80/sni/a/wss", PU_MA_KIND_OTHER },
		{ "/dns/a/tcp/80/ws/ws", PU_MA_KIND_OTHER },
		{ "/ip4/1.2.3.4/tcp/80/http", PU_MA_KIND_OTHER },
		{ "/ip4/1.2.3.4/tcp/80/p2p/" A "/p2p-circuit", PU_MA_KIND_CIRCUIT },
		{ "/p2p/" A "/p2p-circuit", PU_MA_KIND_CIRCUIT },
		{ "/p2p-circuit", PU_MA_KIND_OTHER },
		{ "/ip4/1.2.3.4/tcp/80/p2p/" A "/p2p-circuit/p2p/" B "/p2p-circuit",
		  PU_MA_KIND_OTHER },
		{ "/memory/1", PU_MA_KIND_OTHER },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		struct pu_multiaddr m = ma(cases[i].text);

		if (pu_multiaddr_kind(&m) != cases[i].kind)
			fail_msg("kind of %s", cases[i].text);
	}
}

static void socket_addresses_go_both_ways(void **state)
{
	static const char *const same[] = {
		"/ip4/1.2.3.4/tcp/80",
		"/ip6/2001:db8::1/tcp/80",
		"/ip4/1.2.3.4/udp/80/quic-v1",
		"/ip6/2001:db8::1/udp/80/quic-v1",
	};
	union pu_sockaddr sa, sb;
	char out[PU_MULTIADDR_TEXT_MAX];
	struct pu_multiaddr m;

	for (size_t i = 0; i < PU_ARRAY_LEN(same); i++) {
		m = ma(same[i]);
		assert_int_equal(pu_multiaddr_to_sockaddr(&m, &sa), 0);
		assert_int_equal(pu_multiaddr_from_sockaddr(&m, &sa, pu_multiaddr_kind(&m)), 0);
		assert_string_equal(pu_multiaddr_text(&m, out), same[i]);
	}
	m = ma("/ip6/::ffff:1.2.3.4/tcp/80");
	assert_int_equal(pu_multiaddr_to_sockaddr(&m, &sa), 0);
	assert_int_equal(pu_sockaddr_len(&sa), sizeof sa.v6);
	assert_int_equal(pu_multiaddr_from_sockaddr(&m, &sa, PU_MA_KIND_TCP), 0);
	assert_string_equal(pu_multiaddr_text(&m, out), "/ip4/1.2.3.4/tcp/80");
	assert_int_equal(pu_multiaddr_to_sockaddr(&m, &sb), 0);
	assert_false(pu_sockaddr_eq(&sa, &sb));
	assert_int_equal(pu_sockaddr_len(&sb), sizeof sa.v4);

	m = ma("/ip6zone/lo/ip6/fe80::1/tcp/80");
	assert_int_equal(pu_multiaddr_to_sockaddr(&m, &sa), 0);
	assert_int_equal(sa.v6.sin6_scope_id, 1);
	m = ma("/ip6zone/no-such-interface/ip6/fe80::1/tcp/80");
	assert_int_equal(pu_multiaddr_to_sockaddr(&m, &sa), PU_EINVAL);
	m = ma("/dns/a/tcp/80");
	assert_int_equal(pu_multiaddr_to_sockaddr(&m, &sa), PU_EINVAL);
	m = ma("/ip4/1.2.3.4");
	assert_int_equal(pu_multiaddr_to_sockaddr(&m, &sa), PU_EINVAL);
}

static void classes_follow_the_registries(void **state)
{
	static const char *const private[] = {
		"0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "169.254.1.1",
		"172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1",
		"192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
		"224.0.0.1", "255.255.255.255",
	};
	static const char *const public[] = { "1.1.1.1", "11.0.0.1", "100.63.0.1", "100.128.0.1",
					      "172.15.0.1", "172.32.0.1", "198.20.0.1",
					      "223.255.255.255" };
	char text[64];
	struct pu_multiaddr m;

	for (size_t i = 0; i < PU_ARRAY_LEN(private); i++) {
		snprintf(text, sizeof text, "/ip4/%s/tcp/1", private[i]);
		m = ma(text);
		assert_false(pu_multiaddr_is_public(&m));
	}
	for (size_t i = 0; i < PU_ARRAY_LEN(public); i++) {
		snprintf(text, sizeof text, "/ip4/%s/tcp/1", public[i]);
		m = ma(text);
		assert_true(pu_multiaddr_is_public(&m));
		snprintf(text, sizeof text, "/ip6/64:ff9b::%s/tcp/1", public[i]);
		m = ma(text);
		assert_true(pu_multiaddr_is_public(&m));
	}
	m = ma("/ip6/2606:4700::1111/tcp/1");
	assert_true(pu_multiaddr_is_public(&m));
	m = ma("/ip6/2001:db8::1/tcp/1");
	assert_false(pu_multiaddr_is_public(&m));
	m = ma("/ip6/fd00::1/tcp/1");
	assert_false(pu_multiaddr_is_public(&m));
	m = ma("/ip6/64:ff9b::10.0.0.1/tcp/1");
	assert_false(pu_multiaddr_is_public(&m));
	m = ma("/dns/example.com/tcp/1");
	assert_false(pu_multiaddr_is_public(&m));

	m = ma("/ip4/127.1.2.3/tcp/1");
	assert_true(pu_multiaddr_is_loopback(&m));
	m = ma("/ip6/::ffff:127.0.0.1/tcp/1");
	assert_true(pu_multiaddr_is_loopback(&m));
	m = ma("/ip6/::1/udp/1/quic-v1");
	assert_true(pu_multiaddr_is_loopback(&m));
	m = ma("/ip6/::/tcp/1");
	assert_false(pu_multiaddr_is_loopback(&m));
	assert_true(pu_multiaddr_is_unspecified(&m));
	m = ma("/ip4/0.0.0.0/tcp/1");
	assert_true(pu_multiaddr_is_unspecified(&m));
	m = ma("/ip4/0.0.0.1/tcp/1");
	assert_false(pu_multiaddr_is_unspecified(&m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_and_bytes_agree_with_others),
		cmocka_unit_test(other_spellings_mean_the_same),
		cmocka_unit_test(bad_text_is_refused),
		cmocka_unit_test(bad_bytes_are_refused),
		cmocka_unit_test(every_accepted_address_fits_its_text),
		cmocka_unit_test(a_component_is_appended_only_when_it_fits),
		cmocka_unit_test(the_peer_at_the_end_is_split_off),
		cmocka_unit_test(a_dialler_knows_what_it_can_dial),
		cmocka_unit_test(socket_addresses_go_both_ways),
		cmocka_unit_test(classes_follow_the_registries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
