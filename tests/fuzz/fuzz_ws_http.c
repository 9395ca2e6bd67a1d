/* Heads of the WebSocket handshake. The first byte chooses the side. */
#include <stdlib.h>

#include "base/err.h"
#include "p2p/transport/ws_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(struct pu_bytes head)
{
	struct pu_ws_http_key key;
	struct pu_buf out;
	unsigned status = 0;

	pu_buf_init(&out, PU_WS_HTTP_OUT_MAX);
	if (pu_ws_http_check_request(head, &key, &status) == 0) {
		if (strlen(key.text) != PU_WS_HTTP_KEY_LEN || pu_ws_http_accept(&key, &out) < 0 ||
		    pu_ws_http_check_response(pu_buf_bytes(&out), &key, &status) < 0)
			abort();
	} else if (status < 400 || pu_ws_http_refuse(status, &out) < 0) {
		abort();
	}
	pu_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pu_ws_http_key key = { "dGhlIHNhbXBsZSBub25jZQ==" };
	unsigned status = 0;
	int n;

	if (size == 0)
		return 0;
	n = pu_ws_http_head(data + 1, size - 1, 0);
	if (n > 0 && (size_t)n > size - 1)
		abort();
	if (n <= 0)
		n = (int)size - 1; /* what is no whole head must not harm either */
	if (data[0] & 1)
		check_request(pu_bytes(data + 1, (size_t)n));
	else if (pu_ws_http_check_response(pu_bytes(data + 1, (size_t)n), &key, &status) == 0 &&
		 status != 101)
		abort();
	return 0;
}
