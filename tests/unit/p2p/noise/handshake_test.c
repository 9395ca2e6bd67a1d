#include "p2p/noise/handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/vectors.h"

struct pair {
	struct pu_vectors *v;
	struct pu_noise_handshake init, resp;
};

static struct pu_bytes msg(const struct pair *p, int n, const char *what)
{
	char name[32];

	snprintf(name, sizeof name, "msg%d.%s", n, what);
	return pu_vectors_hex(p->v, name);
}

static void pair_init(struct pair *p)
{
	struct pu_bytes prologue;

	p->v = pu_vectors_load("noise_xx.txt");
	prologue = pu_vectors_hex(p->v, "init_prologue");
	pu_noise_handshake_init(&p->init, true, prologue, pu_vectors_hex(p->v, "init_static").p,
				pu_vectors_hex(p->v, "init_ephemeral").p);
	pu_noise_handshake_init(&p->resp, false, prologue, pu_vectors_hex(p->v, "resp_static").p,
				pu_vectors_hex(p->v, "resp_ephemeral").p);
}

static void pair_deinit(struct pair *p)
{
	pu_noise_handshake_deinit(&p->init);
	pu_noise_handshake_deinit(&p->resp);
	pu_vectors_free(p->v);
}

/* Sends message n with the payload of the vectors and checks its bytes. */
static void pass(struct pair *p, int n)
{
	struct pu_noise_handshake *from = n % 2 ? &p->init : &p->resp;
	struct pu_noise_handshake *to = n % 2 ? &p->resp : &p->init;
	struct pu_bytes payload = msg(p, n, "payload"), want = msg(p, n, "message");
	uint8_t got[256];
	struct pu_buf out;
	size_t len;

	pu_buf_init(&out, 256);
	assert_true(pu_noise_handshake_our_turn(from));
	assert_int_equal(pu_noise_handshake_overhead(from) + payload.len, want.len);
	assert_int_equal(pu_noise_handshake_write(from, payload, &out), 0);
	assert_true(pu_bytes_eq(pu_buf_bytes(&out), want));
	assert_int_equal(pu_noise_handshake_read(to, want, got, &len), 0);
	assert_true(pu_bytes_eq(pu_bytes(got, len), payload));
	pu_buf_deinit(&out);
}

static void known_handshake_and_traffic(void **state)
{
	struct pu_noise_cipher ci, co, ri, ro;
	uint8_t out[64], back[64];
	struct pair p;

	pair_init(&p);
	for (int n = 1; n <= 3; n++)
		pass(&p, n);
	assert_memory_equal(p.init.h, pu_vectors_hex(p.v, "handshake_hash").p, 32);
	assert_memory_equal(p.resp.h, p.init.h, 32);
	pu_noise_handshake_split(&p.init, &co, &ci);
	pu_noise_handshake_split(&p.resp, &ro, &ri);
	for (int n = 4; n <= 6; n++) {
		struct pu_bytes payload = msg(&p, n, "payload"), want = msg(&p, n, "message");
		struct pu_noise_cipher *send = n % 2 ? &co : &ro, *recv = n % 2 ? &ri : &ci;

		assert_int_equal(pu_noise_encrypt(send, pu_bytes(NULL, 0), payload, out), 0);
		assert_memory_equal(out, want.p, want.len);
		assert_int_equal(pu_noise_decrypt(recv, pu_bytes(NULL, 0), want, back), 0);
		assert_memory_equal(back, payload.p, payload.len);
	}
	pair_deinit(&p);
}

static void every_flipped_bit_of_message_two_is_noticed(void **state)
{
	struct pair p;
	struct pu_bytes good;
	uint8_t bad[256], got[256];
	size_t len;

	pair_init(&p);
	pass(&p, 1);
	good = msg(&p, 2, "message");
	for (size_t i = 0; i < good.len; i++) {
		struct pu_noise_handshake hs = p.init;

		memcpy(bad, good.p, good.len);
		bad[i] ^= (uint8_t)(1u << (i % 8));
		/* The top bit of a curve point is ignored, but hashed. */
		assert_true(pu_noise_handshake_read(&hs, pu_bytes(bad, good.len), got, &len) < 0);
	}
	pair_deinit(&p);
}

static void every_truncation_is_noticed(void **state)
{
	struct pair p;
	struct pu_bytes good;
	uint8_t got[256];
	size_t len;

	pair_init(&p);
	for (size_t n = 0; n < PU_NOISE_DH_LEN; n++) {
		struct pu_noise_handshake hs = p.resp;

		assert_int_equal(pu_noise_handshake_read(&hs, pu_bytes(msg(&p, 1, "message").p, n),
							 got, &len), PU_EPROTO);
	}
	pass(&p, 1);
	good = msg(&p, 2, "message");
	for (size_t n = 0; n < good.len; n++) {
		struct pu_noise_handshake hs = p.init;

		assert_true(pu_noise_handshake_read(&hs, pu_bytes(good.p, n), got, &len) < 0);
	}
	pair_deinit(&p);
}

static void low_order_points_are_refused(void **state)
{
	static const uint8_t zero[PU_NOISE_DH_LEN + 64], one[PU_NOISE_DH_LEN] = { 1 };
	uint8_t got[256];
	struct pu_buf out;
	struct pair p;
	size_t len;

	pair_init(&p);
	pu_buf_init(&out, 1024);
	assert_int_equal(pu_noise_handshake_read(&p.resp, pu_bytes(one, sizeof one), got, &len), 0);
	assert_int_equal(pu_noise_handshake_write(&p.resp, pu_bytes(NULL, 0), &out), PU_ECRYPTO);
	assert_int_equal(out.len, 0);
	assert_int_equal(pu_noise_handshake_write(&p.init, pu_bytes(NULL, 0), &out), 0);
	assert_int_equal(pu_noise_handshake_read(&p.init, pu_bytes(zero, sizeof zero), got, &len),
			 PU_ECRYPTO);
	pu_buf_deinit(&out);
	pair_deinit(&p);
}

static void the_last_counter_value_is_never_used(void **state)
{
	struct pu_noise_cipher c = { .ready = true, .n = UINT64_MAX };
	uint8_t out[32], in[16] = { 0 };

	assert_int_equal(pu_noise_encrypt(&c, pu_bytes(NULL, 0), pu_bytes(in, 1), out),
			 PU_ECRYPTO);
	assert_int_equal(pu_noise_decrypt(&c, pu_bytes(NULL, 0), pu_bytes(in, sizeof in), out),
			 PU_ECRYPTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_handshake_and_traffic),
		cmocka_unit_test(every_flipped_bit_of_message_two_is_noticed),
		cmocka_unit_test(every_truncation_is_noticed),
		cmocka_unit_test(low_order_points_are_refused),
		cmocka_unit_test(the_last_counter_value_is_never_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
