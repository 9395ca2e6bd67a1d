/* The bytes of pairing and of introductions, against vectors and against liars. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "crypto/hash.h"
#include "overlay/pair/notify.h"
#include "overlay/pair/pair_message.h"
#include "support/vectors.h"

static struct pu_vectors *v;

static struct pu_peerid peer(const char *name)
{
	struct pu_peerid id;

	assert_int_equal(pu_peerid_from_text(&id, pu_vectors_text(v, name)), 0);
	return id;
}

static void assert_bytes(struct pu_bytes got, const char *name)
{
	struct pu_bytes want = pu_vectors_hex(v, name);

	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.p, want.p, want.len);
}

static void request_is_as_peer_up_sends_it(void **state)
{
	struct pu_bytes token = pu_vectors_hex(v, "token"), want = pu_vectors_hex(v, "request");
	struct pu_pair_ask ask = { .name = "laptop" }, back;
	uint8_t out[PU_PAIR_REQUEST_MAX];

	memcpy(ask.token, token.p, token.len);
	assert_bytes(pu_bytes(out, pu_pair_message_write_request(&ask, out)), "request");
	assert_int_equal(pu_pair_message_parse_request(want, &back), want.len);
	assert_memory_equal(&back, &ask, sizeof ask);
	for (size_t n = 0; n < want.len; n++)
		assert_int_equal(pu_pair_message_parse_request(pu_bytes(want.p, n), &back),
				 PU_EAGAIN);
}

static void name_longer_than_agreed_is_refused(void **state)
{
	uint8_t in[PU_GROUP_TOKEN_LEN + 1 + 65] = { 0 };
	struct pu_pair_ask ask;

	in[PU_GROUP_TOKEN_LEN] = 65;
	assert_int_equal(pu_pair_message_parse_request(pu_bytes(in, sizeof in), &ask), PU_EPROTO);
	assert_int_equal(pu_pair_message_parse_request(pu_bytes(in, PU_GROUP_TOKEN_LEN + 1), &ask),
			 PU_EPROTO);
	in[PU_GROUP_TOKEN_LEN] = 64;
	assert_int_equal(pu_pair_message_parse_request(pu_bytes(in, sizeof in), &ask),
			 sizeof in - 1);
}

/* A group of n codes, the first one used by "home". */
static struct pu_group *group(unsigned n, bool used)
{
	struct pu_group *g = calloc(1, sizeof *g + n * sizeof g->slot[0]);

	assert_non_null(g);
	memcpy(g->id, "ab12cd34", 9);
	g->n = n;
	if (used) {
		g->slot[0].used = true;
		g->slot[0].peer = peer("inviter_id");
		memcpy(g->slot[0].name, "home", 5);
		g->slot[1].used = true;
		g->slot[1].peer = peer("joiner_id");
	}
	return g;
}

static void answers_are_as_peer_up_sends_them(void **state)
{
	struct pu_group *two = group(2, true), *solo = group(1, false);
	const struct pu_peerid joiner = peer("joiner_id");
	struct pu_buf out;

	pu_buf_init(&out, PU_PAIR_RESPONSE_MAX);
	assert_int_equal(pu_pair_message_write_paired(two, &joiner, NULL, NULL, &out), 0);
	assert_bytes(pu_buf_bytes(&out), "paired");
	pu_buf_clear(&out, 0);
	assert_int_equal(pu_pair_message_write_paired(solo, &joiner, NULL, NULL, &out), 0);
	assert_bytes(pu_buf_bytes(&out), "paired_solo");
	pu_buf_clear(&out, 0);
	assert_int_equal(pu_pair_message_write_failed(&out), 0);
	assert_bytes(pu_buf_bytes(&out), "failed");
	pu_buf_deinit(&out);
	free(two);
	free(solo);
}

static int parse(const void *p, size_t len, struct pu_pair_result *r)
{
	const struct pu_peerid self = peer("joiner_id");

	return pu_pair_message_parse_response(pu_bytes(p, len), &self, r);
}

static void answers_of_peer_up_are_understood(void **state)
{
	struct pu_bytes two = pu_vectors_hex(v, "paired"), solo = pu_vectors_hex(v, "paired_solo"),
			failed = pu_vectors_hex(v, "failed");
	struct pu_peerid inviter = peer("inviter_id");
	struct pu_pair_result r = { .size = 0 };

	for (size_t n = 0; n < two.len; n++)
		assert_int_equal(parse(two.p, n, &r), PU_EAGAIN);
	assert_int_equal(parse(two.p, two.len, &r), 0);
	assert_string_equal(r.group, "ab12cd34");
	assert_int_equal(r.size, 2);
	assert_int_equal(r.n_peers, 1);
	assert_true(pu_peerid_eq(&r.peer[0].id, &inviter));
	assert_string_equal(r.peer[0].name, "home");
	assert_int_equal(parse(solo.p, solo.len, &r), 0);
	assert_int_equal(r.n_peers, 0);
	for (size_t n = 0; n < failed.len; n++)
		assert_int_equal(parse(failed.p, n, &r), PU_EAGAIN);
	assert_int_equal(parse(failed.p, failed.len, &r), PU_EDENIED);
}

static void answers_that_cannot_be_are_refused(void **state)
{
	struct pu_bytes two = pu_vectors_hex(v, "paired");
	struct pu_pair_result r;
	uint8_t b[256];

	memcpy(b, two.p, two.len);
	b[0] = 2; /* defined by peer-up and not used */
	assert_int_equal(parse(b, two.len, &r), PU_EPROTO);
	b[0] = 1;
	b[2] = 'A'; /* no name of a group */
	assert_int_equal(parse(b, two.len, &r), PU_EPROTO);
	b[2] = ' ';
	assert_int_equal(parse(b, two.len, &r), PU_EPROTO);
	b[2] = 'a';
	b[10] = 1; /* more members than codes */
	assert_int_equal(parse(b, two.len, &r), PU_EPROTO);
	b[10] = 2;
	b[13] ^= 0x40; /* no peer ID */
	assert_int_equal(parse(b, two.len, &r), PU_EPROTO);
	assert_int_equal(parse("\x01\x00\x02\x00", 4, &r), PU_EPROTO); /* no group */
}

static void repeated_peers_and_ourselves_are_left_out(void **state)
{
	struct pu_group *g = group(4, true);
	const struct pu_peerid nobody = { .len = 0 };
	struct pu_pair_result r;
	struct pu_buf out;

	g->slot[2] = g->slot[0];
	pu_buf_init(&out, PU_PAIR_RESPONSE_MAX);
	assert_int_equal(pu_pair_message_write_paired(g, &nobody, NULL, NULL, &out), 0);
	assert_int_equal(parse(pu_buf_bytes(&out).p, out.len, &r), 0);
	assert_int_equal(r.n_peers, 1);
	assert_string_equal(r.peer[0].name, "home");
	pu_buf_deinit(&out);
	free(g);
}

static void introduction_is_as_peer_up_sends_it(void **state)
{
	struct pu_notify *m = calloc(2, sizeof *m);
	struct pu_bytes proof = pu_vectors_hex(v, "proof"), want = pu_vectors_hex(v, "notify");
	struct pu_buf out;

	memcpy(m->group, "ab12cd34", 9);
	m->size = 2;
	m->n_peers = 1;
	m->peer[0].id = peer("inviter_id");
	memcpy(m->peer[0].name, "home", 5);
	memcpy(m->peer[0].proof, proof.p, proof.len);
	pu_buf_init(&out, PU_NOTIFY_TEXT_MAX);
	assert_int_equal(pu_notify_write(m, &out), 0);
	assert_bytes(pu_buf_bytes(&out), "notify");
	assert_int_equal(pu_notify_parse(want, &m[1]), 0);
	assert_memory_equal(&m[0], &m[1], sizeof *m);
	for (size_t n = 0; n < want.len; n++)
		assert_int_equal(pu_notify_parse(pu_bytes(want.p, n), &m[1]), PU_EPROTO);
	pu_buf_deinit(&out);
	free(m);
}

static void bad_introductions_are_refused(void **state)
{
	struct pu_bytes ab = pu_vectors_hex(v, "notify_ab"), good = pu_vectors_hex(v, "notify");
	struct pu_notify *m = calloc(1, sizeof *m);
	uint8_t b[256];

	assert_int_equal(pu_notify_parse(ab, m), PU_EPROTO);
	assert_int_equal(pu_notify_parse(pu_bytes("\x99\x02g1\x01\x00", 6), m), PU_EPROTO);
	assert_int_equal(pu_notify_parse(pu_bytes("\x01", 1), m), PU_EPROTO);
	assert_int_equal(pu_notify_parse(pu_bytes("\x01\x02g1\x02\x01", 6), m), PU_EPROTO);
	assert_int_equal(pu_notify_parse(pu_bytes("\x01\x02g1\x02\x00", 6), m), 0);
	memcpy(b, good.p, good.len);
	b[good.len] = 0; /* something behind it */
	assert_int_equal(pu_notify_parse(pu_bytes(b, good.len + 1), m), PU_EPROTO);
	b[14] = 0; /* a zero byte in the ID */
	assert_int_equal(pu_notify_parse(pu_bytes(b, good.len), m), PU_EPROTO);
	free(m);
}

static void largest_introduction_survives_the_wire(void **state)
{
	struct pu_notify *m = calloc(2, sizeof *m);
	struct pu_buf out;

	memset(m->group, 'z', PU_GROUP_ID_MAX);
	m->size = 255;
	m->n_peers = PU_NOTIFY_PEERS_MAX;
	for (size_t i = 0; i < m->n_peers; i++) {
		m->peer[i].id = peer("inviter_id");
		m->peer[i].id.b[37] = (uint8_t)i;
		memset(m->peer[i].name, 'n', PU_GROUP_NAME_MAX);
	}
	pu_buf_init(&out, PU_NOTIFY_TEXT_MAX);
	assert_int_equal(pu_notify_write(m, &out), 0);
	assert_int_equal(pu_notify_parse(pu_buf_bytes(&out), &m[1]), 0);
	assert_memory_equal(&m[0], &m[1], sizeof *m);
	pu_buf_deinit(&out);
	free(m);
}

static int load(void **state)
{
	v = pu_vectors_load("pairing.txt");
	return 0;
}

static int unload(void **state)
{
	pu_vectors_free(v);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_is_as_peer_up_sends_it),
		cmocka_unit_test(name_longer_than_agreed_is_refused),
		cmocka_unit_test(answers_are_as_peer_up_sends_them),
		cmocka_unit_test(answers_of_peer_up_are_understood),
		cmocka_unit_test(answers_that_cannot_be_are_refused),
		cmocka_unit_test(repeated_peers_and_ourselves_are_left_out),
		cmocka_unit_test(introduction_is_as_peer_up_sends_it),
		cmocka_unit_test(bad_introductions_are_refused),
		cmocka_unit_test(largest_introduction_survives_the_wire),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
