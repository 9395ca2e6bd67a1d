/* Messages of others, as they are on the wire; ours, as they may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/wire.h"
#include "p2p/kad/key.h"
#include "p2p/kad/message.h"
#include "p2p/kad/state.h"
#include "support/vectors.h"

static struct pu_kad_message *decode(struct pu_bytes in)
{
	struct pu_kad_message *m = calloc(1, sizeof *m);

	assert_int_equal(pu_kad_message_decode(in, m), 0);
	return m;
}

static void done(struct pu_kad_message *m)
{
	pu_kad_message_deinit(m);
	free(m);
}

static void messages_of_go_are_understood(void **state)
{
	struct pu_vectors *v = pu_vectors_load("kad.txt");
	struct pu_multiaddr ma;
	struct pu_kad_message *m = decode(pu_vectors_hex(v, "find_node"));

	assert_int_equal(m->type, PU_KAD_FIND_NODE);
	assert_true(pu_bytes_eq_str(m->key, "/v/hello"));
	assert_false(m->has_record);
	done(m);
	m = decode(pu_vectors_hex(v, "put_value"));
	assert_int_equal(m->type, PU_KAD_PUT_VALUE);
	assert_true(m->has_record);
	assert_true(pu_bytes_eq_str(m->record_key, "/v/hello"));
	assert_true(pu_bytes_eq_str(m->record_value, "world"));
	done(m);
	m = decode(pu_vectors_hex(v, "get_value"));
	assert_int_equal(m->type, PU_KAD_GET_VALUE);
	done(m);
	m = decode(pu_vectors_hex(v, "find_node_multihash"));
	assert_int_equal(m->key.len, 34);
	done(m);
	m = decode(pu_vectors_hex(v, "add_provider"));
	assert_int_equal(m->type, PU_KAD_ADD_PROVIDER);
	assert_int_equal(m->n_providers, 1);
	assert_int_equal(m->providers[0].id.len, 34);
	assert_int_equal(m->providers[0].n_addrs, 1);
	assert_int_equal(pu_multiaddr_from_text(&ma, "/ip4/127.0.0.1/tcp/58555"), 0);
	assert_true(pu_bytes_eq(m->providers[0].addrs[0], pu_multiaddr_bytes(&ma)));
	done(m);
	pu_vectors_free(v);
}

static void request_is_written_as_others_write_it(void **state)
{
	struct pu_vectors *v = pu_vectors_load("kad.txt");
	struct pu_kad_message *m = calloc(1, sizeof *m);
	struct pu_buf out;

	m->type = PU_KAD_FIND_NODE;
	m->key = pu_vectors_hex(v, "peer_a");
	pu_buf_init(&out, PU_KAD_MESSAGE_OUT_MAX);
	assert_int_equal(pu_kad_message_encode(m, &out), 0);
	assert_true(pu_bytes_eq(pu_buf_bytes(&out), pu_vectors_hex(v, "find_a")));
	pu_buf_deinit(&out);
	free(m);
	pu_vectors_free(v);
}

/* proto3 leaves a zero type out, and js would miss ours. */
static void missing_type_is_put_value_and_ours_is_written(void **state)
{
	static const uint8_t without[] = { 0x12, 1, 'k' };
	struct pu_kad_message *m = decode(pu_bytes(without, sizeof without));
	struct pu_buf out;

	assert_int_equal(m->type, PU_KAD_PUT_VALUE);
	pu_buf_init(&out, 100);
	assert_int_equal(pu_kad_message_encode(m, &out), 0);
	assert_memory_equal(pu_buf_bytes(&out).p, "\x05\x08\x00\x12\x01k", 6);
	pu_buf_deinit(&out);
	done(m);
}

static void keys_are_hashed_names(void **state)
{
	struct pu_vectors *v = pu_vectors_load("kad.txt");
	struct pu_kad_key a = pu_kad_key_of(pu_vectors_hex(v, "peer_a"));
	struct pu_kad_key b = pu_kad_key_of(pu_vectors_hex(v, "peer_b"));
	uint8_t name[KAD_RENDEZVOUS_KEY];

	assert_memory_equal(a.b, pu_vectors_hex(v, "key_a").p, sizeof a.b);
	assert_memory_equal(b.b, pu_vectors_hex(v, "key_b").p, sizeof b.b);
	assert_int_equal(pu_kad_key_common(&a, &b), 0);
	assert_int_equal(pu_kad_key_common(&a, &a), PU_KAD_KEY_BITS);
	b = a;
	b.b[3] ^= 0x04;
	assert_int_equal(pu_kad_key_common(&a, &b), 3 * 8 + 5);
	pu_kad_advert_key("test", name);
	assert_memory_equal(name, pu_vectors_hex(v, "rendezvous_test").p, sizeof name);
	pu_vectors_free(v);
}

static void put_field(struct pu_buf *b, unsigned number, struct pu_bytes body)
{
	uint8_t head[1 + PU_UVARINT_MAX] = { (uint8_t)(number << 3 | 2) };

	assert_int_equal(pu_buf_append(b, head, 1 + pu_uvarint_encode(head + 1, body.len)), 0);
	assert_int_equal(pu_buf_append(b, body.p, body.len), 0);
}

static void put_peer(struct pu_buf *out, unsigned list, struct pu_bytes id, const char *addr)
{
	struct pu_multiaddr ma;
	struct pu_buf peer;

	pu_buf_init(&peer, 1000);
	put_field(&peer, 1, id);
	if (addr) {
		assert_int_equal(pu_multiaddr_from_text(&ma, addr), 0);
		put_field(&peer, 2, pu_multiaddr_bytes(&ma));
	}
	put_field(out, list, pu_buf_bytes(&peer));
	pu_buf_deinit(&peer);
}

static void peers_that_are_none_are_left_out_and_counted(void **state)
{
	struct pu_vectors *v = pu_vectors_load("kad.txt");
	struct pu_bytes a = pu_vectors_hex(v, "peer_a"), b = pu_vectors_hex(v, "peer_b");
	struct pu_kad_message *m;
	struct pu_buf in;

	pu_buf_init(&in, 10000);
	assert_int_equal(pu_buf_append(&in, "\x08\x04", 2), 0);
	put_peer(&in, 8, pu_bytes("junk", 4), "/ip4/1.2.3.4/tcp/1");
	put_peer(&in, 8, a, "/ip4/1.2.3.4/tcp/1");
	put_peer(&in, 8, pu_bytes("", 0), NULL);
	/* An address of somebody else, and one that leads nowhere. */
	put_peer(&in, 8, b, "/ip4/1.2.3.4/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN");
	put_peer(&in, 9, b, "/ip4/0.0.0.0/tcp/1");
	m = decode(pu_buf_bytes(&in));
	assert_int_equal(m->n_closer, 2);
	assert_int_equal(m->n_junk, 2);
	assert_true(pu_bytes_eq(pu_peerid_bytes(&m->closer[0].id), a));
	assert_int_equal(m->closer[0].n_addrs, 1);
	assert_int_equal(m->closer[1].n_addrs, 0);
	assert_int_equal(m->n_providers, 1);
	assert_int_equal(m->providers[0].n_addrs, 0);
	done(m);
	pu_buf_deinit(&in);
	pu_vectors_free(v);
}

/* The peer's own name at the end of its address says nothing new. */
static void own_name_is_cut_off_addresses(void **state)
{
	static const char text[] = "/ip4/1.2.3.4/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
	struct pu_multiaddr full, rest;
	struct pu_kad_message *m;
	struct pu_peerid id;
	struct pu_buf in;

	assert_int_equal(pu_multiaddr_from_text(&full, text), 0);
	assert_int_equal(pu_multiaddr_split_peer(&full, &rest, &id), 0);
	pu_buf_init(&in, 1000);
	assert_int_equal(pu_buf_append(&in, "\x08\x04", 2), 0);
	put_peer(&in, 8, pu_peerid_bytes(&id), text);
	m = decode(pu_buf_bytes(&in));
	assert_true(pu_bytes_eq(m->closer[0].addrs[0], pu_multiaddr_bytes(&rest)));
	done(m);
	pu_buf_deinit(&in);
}

static void lists_are_cut_at_their_limits(void **state)
{
	struct pu_vectors *v = pu_vectors_load("kad.txt");
	struct pu_bytes a = pu_vectors_hex(v, "peer_a");
	struct pu_kad_message *m;
	struct pu_buf in;

	pu_buf_init(&in, PU_KAD_MESSAGE_IN_MAX);
	assert_int_equal(pu_buf_append(&in, "\x08\x04", 2), 0);
	for (unsigned i = 0; i < 1000; i++)
		put_peer(&in, 8, a, "/ip4/1.2.3.4/tcp/1");
	m = decode(pu_buf_bytes(&in));
	assert_int_equal(m->n_closer, PU_KAD_PEERS_MAX);
	done(m);
	pu_buf_deinit(&in);
	pu_vectors_free(v);
}

static void what_is_no_message_is_refused(void **state)
{
	static const uint8_t type[] = { 0x08, 6 };
	static const uint8_t negative[] = { 0x08, 0xff, 0xff, 0xff, 0xff,
					    0xff, 0xff, 0xff, 0xff, 0xff, 0x01 };
	static const uint8_t cut[] = { 0x08, 4, 0x12, 5, 'a' };
	struct pu_kad_message *m = calloc(1, sizeof *m);
	struct pu_buf in;

	assert_int_equal(pu_kad_message_decode(pu_bytes(type, sizeof type), m), PU_EPROTO);
	assert_int_equal(pu_kad_message_decode(pu_bytes(negative, sizeof negative), m), PU_EPROTO);
	assert_int_equal(pu_kad_message_decode(pu_bytes(cut, sizeof cut), m), PU_EPROTO);
	pu_buf_init(&in, 1 << 20);
	put_field(&in, 2, pu_bytes(in.mem, 0));
	for (unsigned len = PU_KAD_KEY_MAX; len <= PU_KAD_KEY_MAX + 1; len++) {
		uint8_t key[PU_KAD_KEY_MAX + 1] = { 1 };

		pu_buf_clear(&in, 0);
		put_field(&in, 2, pu_bytes(key, len));
		assert_int_equal(pu_kad_message_decode(pu_buf_bytes(&in), m),
				 len > PU_KAD_KEY_MAX ? PU_EPROTO : 0);
		pu_kad_message_deinit(m);
	}
	pu_buf_deinit(&in);
	free(m);
}

/* rust closes the stream when a message has more than 16 KiB. */
static void answer_never_exceeds_what_rust_takes(void **state)
{
	struct pu_kad_message *m = calloc(1, sizeof *m), *back;
	uint8_t addr[PU_KAD_ADDRS_MAX][200];
	struct pu_bytes b;
	struct pu_buf out;
	uint64_t len;
	int n;

	/* Long addresses, but real ones. */
	for (unsigned i = 0; i < PU_KAD_ADDRS_MAX; i++) {
		struct pu_multiaddr ma;
		char text[600], name[64];

		memset(name, 'a' + (int)i, sizeof name - 1);
		name[sizeof name - 1] = '\0';
		snprintf(text, sizeof text, "/dns4/%s.%s.example/tcp/4001", name, name);
		assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
		assert_true(ma.len <= sizeof addr[i]);
		memcpy(addr[i], ma.b, ma.len);
		for (unsigned j = 0; j < PU_KAD_PEERS_MAX; j++)
			m->closer[j].addrs[i] = m->providers[j].addrs[i] =
				pu_bytes(addr[i], ma.len);
	}
	m->type = PU_KAD_GET_PROVIDERS;
	m->n_closer = m->n_providers = PU_KAD_PEERS_MAX;
	for (unsigned j = 0; j < PU_KAD_PEERS_MAX; j++) {
		struct pu_peerid id = { .len = 34, .b = { 0x12, 32, (uint8_t)j } };

		m->closer[j].id = m->providers[j].id = id;
		m->closer[j].n_addrs = m->providers[j].n_addrs = PU_KAD_ADDRS_MAX;
	}
	pu_buf_init(&out, PU_KAD_MESSAGE_OUT_MAX);
	assert_int_equal(pu_kad_message_encode(m, &out), 0);
	assert_true(out.len <= PU_KAD_MESSAGE_OUT_MAX);
	b = pu_buf_bytes(&out);
	n = pu_uvarint_decode(b.p, b.len, &len);
	assert_int_equal((size_t)n + len, b.len);
	back = decode(pu_bytes(b.p + n, len));
	assert_int_equal(back->n_closer, PU_KAD_PEERS_MAX); /* fewer addresses, not fewer peers */
	assert_int_equal(back->n_providers, PU_KAD_PEERS_MAX);
	assert_true(back->closer[0].n_addrs >= 1);
	done(back);
	pu_buf_deinit(&out);
	free(m);
}

static void value_that_does_not_fit_is_not_cut(void **state)
{
	struct pu_kad_message *m = calloc(1, sizeof *m);
	uint8_t *value = calloc(1, PU_KAD_MESSAGE_OUT_MAX);
	struct pu_buf out;

	m->has_record = true;
	m->record_value = pu_bytes(value, PU_KAD_MESSAGE_OUT_MAX);
	pu_buf_init(&out, 100000);
	assert_int_equal(pu_kad_message_encode(m, &out), PU_E2BIG);
	assert_int_equal(out.len, 0);
	pu_buf_deinit(&out);
	free(value);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_of_go_are_understood),
		cmocka_unit_test(request_is_written_as_others_write_it),
		cmocka_unit_test(missing_type_is_put_value_and_ours_is_written),
		cmocka_unit_test(keys_are_hashed_names),
		cmocka_unit_test(peers_that_are_none_are_left_out_and_counted),
		cmocka_unit_test(own_name_is_cut_off_addresses),
		cmocka_unit_test(lists_are_cut_at_their_limits),
		cmocka_unit_test(what_is_no_message_is_refused),
		cmocka_unit_test(answer_never_exceeds_what_rust_takes),
		cmocka_unit_test(value_that_does_not_fit_is_not_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
