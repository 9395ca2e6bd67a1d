#include "overlay/offers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"

static struct pu_offer *zeroed(void)
{
	struct pu_offer *o = calloc(1, sizeof *o);

	assert_non_null(o);
	return o;
}

static void offer_survives_the_wire(void **state)
{
	struct pu_offer *in = zeroed(), *out = zeroed();
	struct pu_buf wire;

	in->access = PU_ACCESS_NETWORK;
	in->n_services = PU_OFFERS_SERVICES_MAX;
	for (size_t i = 0; i < in->n_services; i++) {
		snprintf(in->services[i].name, sizeof in->services[i].name, "s%zu", i);
		in->services[i].port = (uint16_t)(i * 255);
	}
	in->n_routes = 2;
	in->routes[0] = (struct pu_offer_route){ 4, 24, { 192, 168, 1 } };
	in->routes[1] = (struct pu_offer_route){ 16, 48, { 0xfd, 1 } };
	pu_buf_init(&wire, PU_OFFERS_MESSAGE_MAX);
	assert_int_equal(pu_offer_encode(in, &wire), 0);
	assert_int_equal(pu_offer_decode(pu_buf_bytes(&wire), out), 0);
	assert_memory_equal(in, out, sizeof *in);
	pu_buf_deinit(&wire);
	free(in);
	free(out);
}

static void service_that_cannot_exist_is_skipped(void **state)
{
	/* services { name "SSH" port 22 }, { name "ok" port 70000 }, { name "ok" port 1 } */
	static const uint8_t wire[] = "\x0a\x07\x0a\x03SSH\x10\x16"
				      "\x0a\x08\x0a\x02ok\x10\xf0\xa2\x04"
				      "\x0a\x06\x0a\x02ok\x10\x01\x10\x09";
	struct pu_offer *out = zeroed();

	assert_int_equal(pu_offer_decode(pu_bytes(wire, sizeof wire - 1), out), 0);
	assert_int_equal(out->n_services, 1);
	assert_string_equal(out->services[0].name, "ok");
	assert_int_equal(out->services[0].port, 1);
	/* An access class that we do not know is the smaller right. */
	assert_int_equal(out->access, PU_ACCESS_SERVICES);
	free(out);
}

static void malformed_offers_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ "\x0a\x07\x0a", 3 },				  /* cut off */
		{ "\x1a\x07\x0a\x03\x01\x02\x03\x10\x08", 9 },	  /* three-byte address */
		{ "\x1a\x08\x0a\x04\x01\x02\x03\x04\x10\x21", 10 }, /* /33 of IPv4 */
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11 },
	};
	struct pu_offer *out = zeroed();
	uint8_t *big = calloc(1, PU_OFFERS_MESSAGE_MAX + 1);

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++)
		assert_int_equal(pu_offer_decode(pu_bytes(bad[i].bytes, bad[i].len), out), PU_EPROTO);
	assert_int_equal(pu_offer_decode(pu_bytes(big, PU_OFFERS_MESSAGE_MAX + 1), out), PU_EPROTO);
	free(big);
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offer_survives_the_wire),
		cmocka_unit_test(service_that_cannot_exist_is_skipped),
		cmocka_unit_test(malformed_offers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
