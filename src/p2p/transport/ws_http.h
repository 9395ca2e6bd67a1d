/* The HTTP/1.1 handshake of a WebSocket (RFC 6455 §4), no I/O: heads are read when they are
 * whole, and written into a buffer. */
#ifndef PU_P2P_TRANSPORT_WS_HTTP_H
#define PU_P2P_TRANSPORT_WS_HTTP_H

#include "base/buf.h"
#include "base/loop.h"

enum {
	PU_WS_HTTP_HEAD_MAX = 8192, /* a head, with the empty line that ends it */
	PU_WS_HTTP_FIELDS_MAX = 100,
	PU_WS_HTTP_HOST_MAX = 262,  /* a name of 253, brackets and port, terminated */
	PU_WS_HTTP_OUT_MAX = 1024,  /* that one of the functions below appends */
	PU_WS_HTTP_KEY_LEN = 24,
};

/* Sec-WebSocket-Key, terminated. */
struct pu_ws_http_key {
	char text[PU_WS_HTTP_KEY_LEN + 1];
};

void pu_ws_http_key_new(struct pu_loop *loop, struct pu_ws_http_key *key);

/* Length of the head in front of p, once it is whole: PU_EAGAIN before. seen of the len
 * bytes were looked at earlier. PU_E2BIG: it will never fit. */
int pu_ws_http_head(const uint8_t *p, size_t len, size_t seen);

/* Client. host is the Host field: nothing in it may need escaping. PU_ELIMIT, PU_ENOMEM. */
int pu_ws_http_request(const char *host, const struct pu_ws_http_key *key, struct pu_buf *out);
/* Does the response agree to what was asked with the key? PU_EPROTO: it says so, but wrong;
 * for other statuses PU_EDENIED (401, 403), PU_EREFUSED (5xx, 429), PU_ENOPROTO.
 * *pstatus: 0 when there is none. */
int pu_ws_http_check_response(struct pu_bytes head, const struct pu_ws_http_key *key,
			      unsigned *pstatus);

/* Server. PU_EPROTO: *pstatus is what to answer with pu_ws_http_refuse(). */
int pu_ws_http_check_request(struct pu_bytes head, struct pu_ws_http_key *key, unsigned *pstatus);
int pu_ws_http_accept(const struct pu_ws_http_key *key, struct pu_buf *out);
/* 400, 405, 426, 431. */
int pu_ws_http_refuse(unsigned status, struct pu_buf *out);

#endif
