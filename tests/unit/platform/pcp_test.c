/* Messages of PCP, with the layouts of RFC 6887. */
#include "platform/pcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"

static const struct pu_pcp_map asked = {
	.nonce = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 },
	.port = 4001,
	.external = 4001,
	.lifetime_s = 7200,
};

static const uint8_t client[4] = { 192, 168, 5, 2 };

/* UDP 4001 is 11.0.0.1:40001 for 1800 s. */
static const uint8_t granted[60] = {
	2, 0x81, 0, 0, 0, 0, 7, 8, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 17, 0, 0, 0, 0x0f, 0xa1, 0x9c, 0x41,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 11, 0, 0, 1,
};

static void request(void **state)
{
	static const uint8_t want[60] = {
		2, 1, 0, 0, 0, 0, 0x1c, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff,
		192, 168, 5, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 17, 0, 0, 0,
		0x0f, 0xa1, 0x0f, 0xa1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0,
	};
	struct pu_pcp_map tcp = asked;
	uint8_t out[PU_PCP_MAP_LEN];

	pu_pcp_request(&asked, client, out);
	assert_memory_equal(out, want, sizeof want);
	tcp.tcp = true;
	pu_pcp_request(&tcp, client, out);
	assert_int_equal(out[36], 6);
}

static int parse(const uint8_t *b, size_t len, struct pu_pcp_map *given)
{
	return pu_pcp_response(pu_bytes(b, len), &asked, given);
}

static void grant(void **state)
{
	static const uint8_t ip[4] = { 11, 0, 0, 1 };
	struct pu_pcp_map given;

	assert_int_equal(parse(granted, sizeof granted, &given), 0);
	assert_int_equal(given.external, 40001);
	assert_int_equal(given.lifetime_s, 1800);
	assert_int_equal(given.port, 4001);
	assert_memory_equal(given.external_ip, ip, 4);
}

/* One byte changed: what it means then. */
static void other_answers(void **state)
{
	static const struct {
		unsigned at;
		uint8_t value;
		int err;
	} cases[] = {
		{ 0, 1, PU_ENOTSUP },	/* version */
		{ 1, 0x01, PU_EPROTO }, /* a request */
		{ 1, 0x82, PU_EAGAIN }, /* PEER */
		{ 3, 1, PU_ENOTSUP },	/* UNSUPP_VERSION */
		{ 3, 4, PU_ENOTSUP },	/* UNSUPP_OPCODE */
		{ 3, 2, PU_EDENIED },	/* NOT_AUTHORIZED */
		{ 3, 8, PU_EDENIED },	/* NO_RESOURCES */
		{ 24, 9, PU_EAGAIN },	/* another nonce */
		{ 36, 6, PU_EAGAIN },	/* another protocol */
		{ 41, 0, PU_EAGAIN },	/* another port */
		{ 54, 0, PU_EPROTO },	/* IPv6 outside */
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		struct pu_pcp_map given = { .external = 7 };
		uint8_t b[sizeof granted];

		memcpy(b, granted, sizeof b);
		b[cases[i].at] = cases[i].value;
		if (parse(b, sizeof b, &given) != cases[i].err)
			fail_msg("byte %u gives %d", cases[i].at, parse(b, sizeof b, &given));
		assert_int_equal(given.external, 7);
	}
}

static void lengths(void **state)
{
	static const uint8_t nat_pmp[8] = { 0, 0x81, 0, 1 };
	uint8_t long_one[PU_PCP_MESSAGE_MAX + 4];
	struct pu_pcp_map given;

	for (size_t n = 0; n < sizeof granted; n++)
		assert_int_equal(parse(granted, n, &given), PU_EPROTO);
	/* Options may follow. */
	memset(long_one, 0, sizeof long_one);
	memcpy(long_one, granted, sizeof granted);
	assert_int_equal(parse(long_one, PU_PCP_MESSAGE_MAX, &given), 0);
	assert_int_equal(parse(long_one, PU_PCP_MESSAGE_MAX + 4, &given), PU_EPROTO);
	/* A router that only knows the older protocol. */
	assert_int_equal(parse(nat_pmp, sizeof nat_pmp, &given), PU_ENOTSUP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request),
		cmocka_unit_test(grant),
		cmocka_unit_test(other_answers),
		cmocka_unit_test(lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
