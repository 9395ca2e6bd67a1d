#include "overlay/vip.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/err.h"
#include "crypto/hash.h"
#include "crypto/key.h"

static const uint8_t table_key[16] = { 1, 2, 3 };

static struct pu_peerid peer_of(uint32_t n)
{
	uint8_t seed[32] = { (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), 7 };
	struct pu_key k;
	struct pu_peerid id;

	assert_int_equal(pu_key_from_seed(&k, seed), 0);
	id = k.peer;
	pu_key_deinit(&k);
	return id;
}

static void address_is_the_hash_of_the_peer_id(void **state)
{
	struct pu_peerid id = peer_of(1);
	uint8_t hash[PU_SHA256_LEN];
	struct pu_vip v;

	pu_sha256(pu_peerid_bytes(&id), hash);
	pu_vip_canonical(&id, &v);
	assert_int_equal(v.v4[0], 10);
	assert_int_equal(v.v4[1], 64);
	assert_memory_equal(v.v4 + 2, hash, 2);
	assert_memory_equal(v.v6, "\xfd\x70\x65\x65\x72\x75", 6);
	assert_memory_equal(v.v6 + 6, hash, 10);
}

static void other_ranges_hold_the_same_peers(void **state)
{
	struct pu_vip_range r = { .v4 = { 10, 9, 8, 0 }, .v4_bits = 24, .v6 = { 0xfd }, .v6_bits = 64 };
	struct pu_vip v;

	assert_int_equal(pu_vip_range_check(&r), 0);
	for (uint32_t i = 0; i < 300; i++) {
		struct pu_peerid id = peer_of(i);

		pu_vip_derive(&r, &id, 0, &v);
		assert_memory_equal(v.v4, "\x0a\x09\x08", 3);
		assert_int_not_equal(v.v4[3], 0);
		assert_int_not_equal(v.v4[3], 255);
		assert_int_not_equal(v.v4[3], PU_VIP_DNS_HOST);
	}
	r.v4[3] = 1;
	assert_int_equal(pu_vip_range_check(&r), PU_EINVAL);
	r.v4[3] = 0;
	r.v4_bits = 30;
	assert_int_equal(pu_vip_range_check(&r), PU_EINVAL);
}

/* 200 peers in 253 addresses collide many times; each keeps its own address. */
static void colliding_peers_get_different_addresses(void **state)
{
	struct pu_vip_range r = { .v4 = { 10, 9, 8, 0 }, .v4_bits = 24, .v6 = { 0xfd }, .v6_bits = 48 };
	struct pu_vip_table *t;
	bool used[256] = { false }, is_new;
	struct pu_vip v, again;
	unsigned moved = 0;

	assert_int_equal(pu_vip_table_new(&r, table_key, &t), 0);
	for (uint32_t i = 0; i < 200; i++) {
		struct pu_peerid id = peer_of(i);
		const struct pu_peerid *found;

		assert_int_equal(pu_vip_assign(t, &id, &v, &is_new), 0);
		assert_true(is_new);
		assert_false(used[v.v4[3]]);
		used[v.v4[3]] = true;
		pu_vip_derive(&r, &id, 0, &again);
		moved += memcmp(&again, &v, sizeof v) != 0;
		found = pu_vip_find(t, AF_INET, v.v4);
		assert_non_null(found);
		assert_true(pu_peerid_eq(found, &id));
		found = pu_vip_find(t, AF_INET6, v.v6);
		assert_non_null(found);
		assert_true(pu_peerid_eq(found, &id));
	}
	assert_true(moved > 20);
	pu_vip_table_free(t);
}

static void addresses_survive_a_restart(void **state)
{
	struct pu_vip_range r = { .v4 = { 10, 9, 8, 0 }, .v4_bits = 24, .v6 = { 0xfd }, .v6_bits = 48 };
	struct pu_vip_table *t, *u;
	struct pu_vip before[100], after;
	struct pu_buf out;
	unsigned line;
	bool is_new;

	assert_int_equal(pu_vip_table_new(&r, table_key, &t), 0);
	for (uint32_t i = 0; i < 100; i++) {
		struct pu_peerid id = peer_of(i);

		assert_int_equal(pu_vip_assign(t, &id, &before[i], &is_new), 0);
	}
	pu_buf_init(&out, 1 << 20);
	assert_int_equal(pu_vip_table_save(t, &out), 0);
	pu_vip_table_free(t);

	assert_int_equal(pu_vip_table_new(&r, table_key, &u), 0);
	assert_int_equal(pu_vip_table_load(u, pu_buf_bytes(&out), &line), 0);
	/* Asked in another order, every peer has the address it had. */
	for (uint32_t i = 100; i-- > 0;) {
		struct pu_peerid id = peer_of(i);

		assert_int_equal(pu_vip_assign(u, &id, &after, &is_new), 0);
		assert_false(is_new);
		assert_memory_equal(&after, &before[i], sizeof after);
	}
	pu_vip_table_free(u);
	pu_buf_deinit(&out);
}

static void damaged_table_names_the_line(void **state)
{
	static const char *const bad[] = { "nonsense 0\n", "12D3KooW 1\n",
					   "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5 x\n",
					   "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5 9999999\n" };
	char text[400];
	unsigned line;

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++) {
		struct pu_vip_table *t;

		assert_int_equal(pu_vip_table_new(&pu_vip_canonical_range, table_key, &t), 0);
		snprintf(text, sizeof text, "12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq 0\n%s",
			 bad[i]);
		assert_int_equal(pu_vip_table_load(t, pu_bytes_str(text), &line), PU_EPROTO);
		assert_int_equal(line, 2);
		pu_vip_table_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(address_is_the_hash_of_the_peer_id),
		cmocka_unit_test(other_ranges_hold_the_same_peers),
		cmocka_unit_test(colliding_peers_get_different_addresses),
		cmocka_unit_test(addresses_survive_a_restart),
		cmocka_unit_test(damaged_table_names_the_line),
	};

	if (pu_crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
