/* The HTTP handshake of WebSockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/err.h"
#include "p2p/transport/ws_http.h"

/* RFC 6455 §1.3 */
static const struct pu_ws_http_key sample = { "dGhlIHNhbXBsZSBub25jZQ==" };
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define OK_FIELDS "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define SWITCH "HTTP/1.1 101 Switching Protocols\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define GET "GET / HTTP/1.1\r\nHost: a\r\n"

static int response(const char *text)
{
	unsigned status;

	return pu_ws_http_check_response(pu_bytes_str(text), &sample, &status);
}

static int request(const char *text, unsigned *pstatus)
{
	struct pu_ws_http_key key = { "" };
	int r;

	*pstatus = 0;
	r = pu_ws_http_check_request(pu_bytes_str(text), &key, pstatus);
	if (r == 0)
		assert_string_equal(key.text, sample.text);
	return r;
}

static void fixed_random(void *arg, void *p, size_t n)
{
	memset(p, 7, n);
}

static void what_we_write_we_accept(void **state)
{
	struct pu_ws_http_key key, seen;
	struct pu_loop loop;
	struct pu_buf out;
	unsigned status;

	pu_loop_init(&loop, 0, 0, fixed_random, NULL);
	pu_buf_init(&out, PU_WS_HTTP_OUT_MAX);
	pu_ws_http_key_new(&loop, &key);
	assert_int_equal(pu_ws_http_request("relay.example:8080", &key, &out), 0);
	assert_non_null(memmem(pu_buf_bytes(&out).p, out.len, "\r\nHost: relay.example:8080\r\n", 28));
	assert_int_equal(pu_ws_http_head(pu_buf_bytes(&out).p, out.len, 0), out.len);
	assert_int_equal(pu_ws_http_check_request(pu_buf_bytes(&out), &seen, &status), 0);
	assert_string_equal(seen.text, key.text);
	pu_buf_clear(&out, 0);
	assert_int_equal(pu_ws_http_accept(&seen, &out), 0);
	assert_int_equal(pu_ws_http_check_response(pu_buf_bytes(&out), &key, &status), 0);
	assert_int_equal(status, 101);
	pu_buf_deinit(&out);
	pu_loop_deinit(&loop);
}

static void the_example_of_the_rfc_is_answered_as_there(void **state)
{
	struct pu_buf out;

	pu_buf_init(&out, PU_WS_HTTP_OUT_MAX);
	assert_int_equal(pu_ws_http_accept(&sample, &out), 0);
	assert_non_null(memmem(pu_buf_bytes(&out).p, out.len, ACCEPT, sizeof ACCEPT - 1));
	pu_buf_deinit(&out);
}

static void a_head_is_found_however_it_comes(void **state)
{
	static const uint8_t text[] = "GET / HTTP/1.1\r\nA: b\r\n\r\nrest";
	static uint8_t endless[PU_WS_HTTP_HEAD_MAX + 10];

	for (size_t i = 1; i < sizeof text; i++) {
		int r = pu_ws_http_head(text, i, i - 1);

		if (i < 24)
			assert_int_equal(r, PU_EAGAIN);
		if (i == 24)
			assert_int_equal(r, 24);
	}
	assert_int_equal(pu_ws_http_head(text, sizeof text, 0), 24);
	memset(endless, 'x', sizeof endless);
	assert_int_equal(pu_ws_http_head(endless, PU_WS_HTTP_HEAD_MAX - 1, 0), PU_EAGAIN);
	assert_int_equal(pu_ws_http_head(endless, PU_WS_HTTP_HEAD_MAX, 0), PU_E2BIG);
	memcpy(endless + PU_WS_HTTP_HEAD_MAX - 2, "\r\n\r\n", 4);
	assert_int_equal(pu_ws_http_head(endless, sizeof endless, 0), PU_E2BIG);
	memcpy(endless + PU_WS_HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
	assert_int_equal(pu_ws_http_head(endless, sizeof endless, 0), PU_WS_HTTP_HEAD_MAX);
}

static void responses_in_other_words_are_fine(void **state)
{
	static const char *const good[] = {
		SWITCH OK_FIELDS ACCEPT "\r\n",
		"HTTP/1.1 101\r\n" OK_FIELDS ACCEPT "\r\n",
		SWITCH "upgrade:WebSocket\r\nCONNECTION:\t keep-alive , upgrade \r\n" ACCEPT
		       "Server: nginx\r\nDate: now\r\n\r\n",
		SWITCH OK_FIELDS ACCEPT "Content-Length: 0\r\n\r\n",
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(good); i++)
		assert_int_equal(response(good[i]), 0);
}

static void bad_responses_are_refused(void **state)
{
	static const struct {
		int err;
		const char *text;
	} bad[] = {
		{ PU_EPROTO, SWITCH OK_FIELDS "\r\n" }, /* no accept */
		{ PU_EPROTO, SWITCH OK_FIELDS "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n\r\n" },
		{ PU_EPROTO, SWITCH OK_FIELDS "Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO=\r\n\r\n" },
		{ PU_EPROTO, SWITCH OK_FIELDS ACCEPT ACCEPT "\r\n" },
		{ PU_EPROTO, SWITCH "Connection: Upgrade\r\n" ACCEPT "\r\n" },
		{ PU_EPROTO, SWITCH "Upgrade: websocket\r\n" ACCEPT "\r\n" },
		{ PU_EPROTO, SWITCH "Upgrade: h2c\r\nConnection: Upgrade\r\n" ACCEPT "\r\n" },
		{ PU_EPROTO, SWITCH OK_FIELDS ACCEPT "Content-Length: 5\r\n\r\n" },
		{ PU_EPROTO, SWITCH OK_FIELDS ACCEPT "Transfer-Encoding: chunked\r\n\r\n" },
		{ PU_EPROTO, SWITCH OK_FIELDS ACCEPT "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n" },
		{ PU_EPROTO, SWITCH OK_FIELDS ACCEPT "Sec-WebSocket-Protocol: chat\r\n\r\n" },
		{ PU_EPROTO, SWITCH OK_FIELDS ACCEPT " folded: yes\r\n\r\n" },
		{ PU_EPROTO, SWITCH OK_FIELDS ACCEPT "Blank : no\r\n\r\n" },
		{ PU_EPROTO, SWITCH OK_FIELDS ACCEPT "no colon\r\n\r\n" },
		{ PU_EPROTO, SWITCH OK_FIELDS ACCEPT ": no name\r\n\r\n" },
		{ PU_EPROTO, SWITCH OK_FIELDS ACCEPT "Bare: line\n\r\n" },
		{ PU_EPROTO, SWITCH OK_FIELDS ACCEPT "Control: \x01\r\n\r\n" },
		{ PU_EPROTO, SWITCH OK_FIELDS ACCEPT }, /* never ends */
		{ PU_EPROTO, "HTTP/1.0 101 Switching Protocols\r\n" OK_FIELDS ACCEPT "\r\n" },
		{ PU_EPROTO, "HTTP/1.1 1x1 Switching Protocols\r\n" OK_FIELDS ACCEPT "\r\n" },
		{ PU_EPROTO, "HTTP/1.1 1011\r\n" OK_FIELDS ACCEPT "\r\n" },
		{ PU_EPROTO, "HTTP/1.1 100 Continue\r\n\r\n" },
		{ PU_EPROTO, "SSH-2.0-OpenSSH_9.2\r\n\r\n" },
		{ PU_EPROTO, "\r\n" },
		{ PU_ENOPROTO, "HTTP/1.1 200 OK\r\n\r\n" },
		{ PU_ENOPROTO, "HTTP/1.1 404 Not Found\r\n\r\n" },
		{ PU_ENOPROTO, "HTTP/1.1 301 Moved\r\nLocation: https://example.org/\r\n\r\n" },
		{ PU_EDENIED, "HTTP/1.1 403 Forbidden\r\n\r\n" },
		{ PU_EREFUSED, "HTTP/1.1 502 Bad Gateway\r\n\r\n" },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++)
		if (response(bad[i].text) != bad[i].err)
			fail_msg("%d for: %s", response(bad[i].text), bad[i].text);
}

static void too_many_fields_are_refused(void **state)
{
	char text[4096] = SWITCH OK_FIELDS ACCEPT;
	unsigned n = 3;

	for (; n < PU_WS_HTTP_FIELDS_MAX; n++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "A%u: b\r\n", n);
	snprintf(text + strlen(text), sizeof text - strlen(text), "\r\n");
	assert_int_equal(response(text), 0);
	snprintf(text + strlen(text) - 2, 16, "A: b\r\n\r\n");
	assert_int_equal(response(text), PU_EPROTO);
}

static void requests_in_other_words_are_fine(void **state)
{
	static const char *const good[] = {
		GET OK_FIELDS KEY VERSION "\r\n",
		"GET /libp2p?x=y HTTP/1.1\r\nhost: a:80\r\n" OK_FIELDS KEY VERSION "\r\n",
		GET "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" KEY VERSION
		    "Origin: https://evil.example\r\nX-Forwarded-For: 10.0.0.1\r\n"
		    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
	};
	unsigned status;

	for (size_t i = 0; i < PU_ARRAY_LEN(good); i++)
		assert_int_equal(request(good[i], &status), 0);
}

static void bad_requests_are_answered(void **state)
{
	static const struct {
		unsigned status;
		const char *text;
	} bad[] = {
		{ 426, GET "\r\n" }, /* a browser */
		{ 426, GET OK_FIELDS KEY "Sec-WebSocket-Version: 8\r\n\r\n" },
		{ 426, GET "Upgrade: websocket\r\n" KEY VERSION "\r\n" },
		{ 405, "POST / HTTP/1.1\r\nHost: a\r\n" OK_FIELDS KEY VERSION "\r\n" },
		{ 400, "GET / HTTP/1.0\r\nHost: a\r\n" OK_FIELDS KEY VERSION "\r\n" },
		{ 400, "GET http://a/ HTTP/1.1\r\nHost: a\r\n" OK_FIELDS KEY VERSION "\r\n" },
		{ 400, "GET /a b HTTP/1.1\r\nHost: a\r\n" OK_FIELDS KEY VERSION "\r\n" },
		{ 400, "GET  HTTP/1.1\r\nHost: a\r\n" OK_FIELDS KEY VERSION "\r\n" },
		{ 400, "GET / HTTP/1.1\r\n" OK_FIELDS KEY VERSION "\r\n" }, /* no host */
		{ 400, GET "Host: b\r\n" OK_FIELDS KEY VERSION "\r\n" },
		{ 400, GET OK_FIELDS VERSION "\r\n" }, /* no key */
		{ 400, GET OK_FIELDS KEY KEY VERSION "\r\n" },
		{ 400, GET OK_FIELDS VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=a\r\n\r\n" },
		{ 400, GET OK_FIELDS VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ-==\r\n\r\n" },
		{ 400, GET OK_FIELDS VERSION "Sec-WebSocket-Key: dGhl\r\n\r\n" },
		{ 400, GET OK_FIELDS KEY VERSION "Content-Length: 3\r\n\r\n" },
		{ 400, GET OK_FIELDS KEY VERSION "Transfer-Encoding: chunked\r\n\r\n" },
		{ 400, "\x13/multistream/1.0.0\n\r\n\r\n" },
	};
	struct pu_buf out;
	unsigned status;

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++) {
		char line[32];

		assert_int_equal(request(bad[i].text, &status), PU_EPROTO);
		if (status != bad[i].status)
			fail_msg("%u for: %s", status, bad[i].text);
		pu_buf_init(&out, PU_WS_HTTP_OUT_MAX);
		assert_int_equal(pu_ws_http_refuse(status, &out), 0);
		snprintf(line, sizeof line, "HTTP/1.1 %u ", status);
		assert_memory_equal(pu_buf_bytes(&out).p, line, strlen(line));
		pu_buf_deinit(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_we_write_we_accept),
		cmocka_unit_test(the_example_of_the_rfc_is_answered_as_there),
		cmocka_unit_test(a_head_is_found_however_it_comes),
		cmocka_unit_test(responses_in_other_words_are_fine),
		cmocka_unit_test(bad_responses_are_refused),
		cmocka_unit_test(too_many_fields_are_refused),
		cmocka_unit_test(requests_in_other_words_are_fine),
		cmocka_unit_test(bad_requests_are_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
