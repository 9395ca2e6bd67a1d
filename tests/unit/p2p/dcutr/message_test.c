#include "p2p/dcutr/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/wire.h"
#include "support/vectors.h"

struct fixture {
	struct pu_vectors *v;
	struct pu_dcutr_message m;
	struct pu_buf out;
	size_t used;
};

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof f);
	f.v = pu_vectors_load("dcutr.txt");
	pu_buf_init(&f.out, 2 * PU_DCUTR_MESSAGE_MAX);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pu_buf_deinit(&f->out);
	pu_vectors_free(f->v);
	return 0;
}

static void add_addr(struct pu_dcutr_message *m, const char *text)
{
	assert_int_equal(pu_multiaddr_from_text(&m->addrs[m->n_addrs++], text), 0);
}

static void assert_out(struct fixture *f, const char *name)
{
	struct pu_bytes want = pu_vectors_hex(f->v, name), got = pu_buf_bytes(&f->out);

	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.p, want.p, want.len);
}

static void known_messages_are_written(void **state)
{
	struct fixture *f = *state;

	f->m.type = PU_DCUTR_CONNECT;
	add_addr(&f->m, "/ip4/192.0.2.1/tcp/4001");
	add_addr(&f->m, "/ip4/192.0.2.1/udp/4001/quic-v1");
	assert_int_equal(pu_dcutr_message_encode(&f->m, &f->out), 0);
	assert_out(f, "connect");
	pu_buf_clear(&f->out, SIZE_MAX);
	f->m = (struct pu_dcutr_message){ .type = PU_DCUTR_SYNC };
	assert_int_equal(pu_dcutr_message_encode(&f->m, &f->out), 0);
	assert_out(f, "sync");
}

static void known_messages_are_read(void **state)
{
	struct fixture *f = *state;
	struct pu_bytes b = pu_vectors_hex(f->v, "connect");
	char text[PU_MULTIADDR_TEXT_MAX];

	assert_int_equal(pu_dcutr_message_decode(b, &f->used, &f->m), 0);
	assert_int_equal(f->used, b.len);
	assert_int_equal(f->m.type, PU_DCUTR_CONNECT);
	assert_int_equal(f->m.n_addrs, 2);
	assert_string_equal(pu_multiaddr_text(&f->m.addrs[1], text),
			    "/ip4/192.0.2.1/udp/4001/quic-v1");
	b = pu_vectors_hex(f->v, "sync");
	assert_int_equal(pu_dcutr_message_decode(b, &f->used, &f->m), 0);
	assert_int_equal(f->m.type, PU_DCUTR_SYNC);
	assert_int_equal(f->m.n_addrs, 0);
}

static void a_part_is_not_enough(void **state)
{
	struct fixture *f = *state;
	struct pu_bytes b = pu_vectors_hex(f->v, "connect");

	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(pu_dcutr_message_decode(pu_bytes(b.p, n), &f->used, &f->m),
				 PU_EAGAIN);
}

static void nonsense_is_refused(void **state)
{
	static const char *const bad[] = { "\x81\x20",     /* 4097 bytes are to follow */
					   "\x02\x08\x07", /* unknown type */
					   "\x02\x12\x00", /* no type */
					   "\x03\x08\x64\x12" };
	struct fixture *f = *state;

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++) {
		size_t len = i == 0 ? 2 : 1 + (size_t)bad[i][0];

		assert_int_equal(pu_dcutr_message_decode(pu_bytes(bad[i], len), &f->used, &f->m),
				 PU_EPROTO);
	}
}

static void only_so_many_addresses_are_looked_at(void **state)
{
	struct fixture *f = *state;
	struct pu_buf body;
	uint8_t prefix[PU_UVARINT_MAX];

	pu_buf_init(&body, PU_DCUTR_MESSAGE_MAX);
	assert_int_equal(pu_buf_append(&body, "\x08\x64", 2), 0);
	assert_int_equal(pu_buf_append(&body, "\x12\x03" "abc", 5), 0); /* not an address */
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(pu_buf_append(&body, "\x12\x08\x04\x0b\x00\x00\x01\x06\x0f\xa1",
					       10), 0);
	assert_int_equal(pu_buf_prepend(&body, prefix, pu_uvarint_encode(prefix, body.len)), 0);
	assert_int_equal(pu_dcutr_message_decode(pu_buf_bytes(&body), &f->used, &f->m), 0);
	assert_int_equal(f->m.n_addrs, PU_DCUTR_ADDRS_MAX);
	assert_int_equal(f->used, body.len);
	pu_buf_deinit(&body);
}

static void what_does_not_fit_is_left_out(void **state)
{
	struct pu_dcutr_message *m = &((struct fixture *)*state)->m, back;
	struct fixture *f = *state;
	char text[300] = "/dns4/";

	memset(text + 6, 'x', 180);
	memcpy(text + 186, "/tcp/1", 7);
	m->type = PU_DCUTR_CONNECT;
	while (m->n_addrs < PU_DCUTR_ADDRS_MAX)
		add_addr(m, text);
	assert_int_equal(pu_dcutr_message_encode(m, &f->out), 0);
	assert_true(f->out.len <= PU_DCUTR_MESSAGE_MAX + 2);
	assert_int_equal(pu_dcutr_message_decode(pu_buf_bytes(&f->out), &f->used, &back), 0);
	assert_in_range(back.n_addrs, 18, 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(known_messages_are_written, setup, teardown),
		cmocka_unit_test_setup_teardown(known_messages_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(a_part_is_not_enough, setup, teardown),
		cmocka_unit_test_setup_teardown(nonsense_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(only_so_many_addresses_are_looked_at, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_does_not_fit_is_left_out, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
