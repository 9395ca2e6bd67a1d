#include "p2p/yamux/frame.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/vectors.h"

static void headers_are_the_known_bytes(void **state)
{
	static const struct {
		const char *name;
		struct pu_yamux_frame f;
	} cases[] = {
		{ "open_1", { PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_SYN, 1, 0 } },
		{ "accept_1", { PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_ACK, 1, 0 } },
		{ "data_1_hello", { PU_YAMUX_DATA, 0, 1, 5 } },
		{ "data_syn_3_ff", { PU_YAMUX_DATA, PU_YAMUX_SYN, 3, 1 } },
		{ "credit_1_262144", { PU_YAMUX_WINDOW_UPDATE, 0, 1, 262144 } },
		{ "fin_1", { PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_FIN, 1, 0 } },
		{ "rst_1_1001", { PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_RST, 1, 0x1001 } },
		{ "ping_7", { PU_YAMUX_PING, PU_YAMUX_SYN, 0, 7 } },
		{ "pong_7", { PU_YAMUX_PING, PU_YAMUX_ACK, 0, 7 } },
		{ "goaway_normal", { PU_YAMUX_GO_AWAY, 0, 0, 0 } },
		{ "goaway_protocol", { PU_YAMUX_GO_AWAY, 0, 0, 1 } },
	};
	struct pu_vectors *v = pu_vectors_load("yamux.txt");

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		struct pu_bytes want = pu_vectors_hex(v, cases[i].name);
		struct pu_yamux_frame f;
		uint8_t b[PU_YAMUX_HEADER_LEN];

		pu_yamux_frame_encode(&cases[i].f, b);
		assert_memory_equal(b, want.p, sizeof b);
		assert_int_equal(pu_yamux_frame_decode(&f, want.p), 0);
		assert_int_equal(f.type, cases[i].f.type);
		assert_int_equal(f.flags, cases[i].f.flags);
		assert_int_equal(f.id, cases[i].f.id);
		assert_int_equal(f.len, cases[i].f.len);
	}
	pu_vectors_free(v);
}

static void other_versions_and_types_are_refused(void **state)
{
	static const uint8_t version[PU_YAMUX_HEADER_LEN] = { 1 };
	static const uint8_t type[PU_YAMUX_HEADER_LEN] = { 0, 4 };
	struct pu_yamux_frame f;

	assert_int_equal(pu_yamux_frame_decode(&f, version), PU_EPROTO);
	assert_int_equal(pu_yamux_frame_decode(&f, type), PU_EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_the_known_bytes),
		cmocka_unit_test(other_versions_and_types_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
