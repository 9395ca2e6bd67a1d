#include "p2p/transport/ws_http.h"

#include <stdio.h>
#include <strings.h>

#include "base/codec.h"
#include "base/err.h"
#include "crypto/hash.h"

enum {
	NONCE_LEN = 16,
	ACCEPT_LEN = 28, /* base64 of SHA-1 */
};

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/* What the fields of a head say; each of them counts for both directions. */
struct fields {
	struct pu_bytes key, accept; /* NULL: absent */
	unsigned n, n_host;
	bool upgrade, connection, version;
	bool extension, protocol; /* the server chose something that we never offered */
	bool body;
};

/* Parsing. */

static struct pu_bytes rest_of(struct pu_bytes b, size_t n)
{
	return pu_bytes(b.p + n, b.len - n);
}

static bool is_tchar(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* The next line without its CR LF, which must be there. Other control bytes are refused. */
static int next_line(struct pu_bytes *head, struct pu_bytes *line)
{
	const uint8_t *end = memchr(head->p, '\n', head->len);
	size_t n = end ? (size_t)(end - head->p) : 0;

	if (n == 0 || end[-1] != '\r')
		return PU_EPROTO;
	*line = pu_bytes(head->p, n - 1);
	*head = rest_of(*head, n + 1);
	for (size_t i = 0; i < line->len; i++)
		if ((line->p[i] < 0x20 && line->p[i] != '\t') || line->p[i] == 0x7f)
			return PU_EPROTO;
	return 0;
}

static bool is_text(struct pu_bytes b, const char *text)
{
	return b.len == strlen(text) && strncasecmp((const char *)b.p, text, b.len) == 0;
}

static struct pu_bytes trim(struct pu_bytes b)
{
	while (b.len > 0 && is_blank(b.p[0]))
		b = rest_of(b, 1);
	while (b.len > 0 && is_blank(b.p[b.len - 1]))
		b.len--;
	return b;
}

/* Does the comma separated list contain the word? */
static bool lists(struct pu_bytes value, const char *word)
{
	while (value.len > 0) {
		const uint8_t *comma = memchr(value.p, ',', value.len);
		size_t n = comma ? (size_t)(comma - value.p) : value.len;

		if (is_text(trim(pu_bytes(value.p, n)), word))
			return true;
		value = rest_of(value, comma ? n + 1 : n);
	}
	return false;
}

/* Twice is as bad as wrong. */
static int only_once(struct pu_bytes *where, struct pu_bytes value)
{
	if (where->p)
		return PU_EPROTO;
	*where = value;
	return 0;
}

static int read_field(struct fields *f, struct pu_bytes name, struct pu_bytes value)
{
	if (is_text(name, "Upgrade"))
		f->upgrade |= lists(value, "websocket");
	else if (is_text(name, "Connection"))
		f->connection |= lists(value, "upgrade");
	else if (is_text(name, "Host"))
		f->n_host++;
	else if (is_text(name, "Sec-WebSocket-Version"))
		f->version |= lists(value, "13");
	else if (is_text(name, "Sec-WebSocket-Key"))
		return only_once(&f->key, value);
	else if (is_text(name, "Sec-WebSocket-Accept"))
		return only_once(&f->accept, value);
	else if (is_text(name, "Sec-WebSocket-Extensions"))
		f->extension = true;
	else if (is_text(name, "Sec-WebSocket-Protocol"))
		f->protocol = true;
	else if (is_text(name, "Transfer-Encoding"))
		f->body = true;
	else if (is_text(name, "Content-Length"))
		f->body |= !is_text(value, "0");
	return 0;
}

static int read_fields(struct pu_bytes head, struct fields *f)
{
	struct pu_bytes line;
	size_t n;
	int r;

	while ((r = next_line(&head, &line)) == 0 && line.len > 0) {
		if (++f->n > PU_WS_HTTP_FIELDS_MAX)
			return PU_EPROTO;
		for (n = 0; n < line.len && is_tchar(line.p[n]); n++)
			;
		if (n == 0 || n == line.len || line.p[n] != ':')
			return PU_EPROTO;
		r = read_field(f, pu_bytes(line.p, n), trim(rest_of(line, n + 1)));
		if (r < 0)
			return r;
	}
	return r < 0 || head.len > 0 ? PU_EPROTO : 0;
}

/* The accept value that belongs to a key. */
static int accept_of(const char *key, size_t len, char out[ACCEPT_LEN + 1])
{
	uint8_t both[PU_WS_HTTP_KEY_LEN + sizeof guid - 1], digest[PU_SHA1_LEN];
	int r;

	if (len != PU_WS_HTTP_KEY_LEN)
		return PU_EPROTO;
	memcpy(both, key, len);
	memcpy(both + len, guid, sizeof guid - 1);
	r = pu_sha1(pu_bytes(both, sizeof both), digest);
	if (r == 0)
		r = pu_base64_encode(pu_bytes(digest, sizeof digest), out, ACCEPT_LEN + 1);
	return r < 0 ? r : 0;
}

/* The contract. */

void pu_ws_http_key_new(struct pu_loop *loop, struct pu_ws_http_key *key)
{
	uint8_t nonce[NONCE_LEN];

	pu_loop_random(loop, nonce, sizeof nonce);
	/* The buffer is exactly as long as the text. */
	(void)pu_base64_encode(pu_bytes(nonce, sizeof nonce), key->text, sizeof key->text);
}

int pu_ws_http_head(const uint8_t *p, size_t len, size_t seen)
{
	static const char end[] = { '\r', '\n', '\r', '\n' };
	size_t from = seen < sizeof end ? 0 : seen - (sizeof end - 1);
	size_t limit = pu_min(len, PU_WS_HTTP_HEAD_MAX);
	const uint8_t *at = limit > from ? memmem(p + from, limit - from, end, sizeof end) : NULL;

	if (at)
		return (int)(at - p + (ptrdiff_t)sizeof end);
	return len >= PU_WS_HTTP_HEAD_MAX ? PU_E2BIG : PU_EAGAIN;
}

static int append_text(struct pu_buf *out, const char *text, int len)
{
	if (len < 0 || len >= PU_WS_HTTP_OUT_MAX)
		return PU_ELIMIT;
	return pu_buf_append(out, text, (size_t)len);
}

int pu_ws_http_request(const char *host, const struct pu_ws_http_key *key, struct pu_buf *out)
{
	char text[PU_WS_HTTP_OUT_MAX];
	int n = snprintf(text, sizeof text,
			 "GET / HTTP/1.1\r\n"
			 "Host: %s\r\n"
			 "Upgrade: websocket\r\n"
			 "Connection: Upgrade\r\n"
			 "Sec-WebSocket-Key: %s\r\n"
			 "Sec-WebSocket-Version: 13\r\n"
			 "\r\n",
			 host, key->text);

	return append_text(out, text, n);
}

/* "HTTP/1.1 101 …": the number, or 0. */
static unsigned read_status(struct pu_bytes line)
{
	const uint8_t *p = line.p;
	unsigned status = 0;

	if (line.len < 12 || memcmp(p, "HTTP/1.1 ", 9) != 0 || (line.len > 12 && p[12] != ' '))
		return 0;
	for (int i = 9; i < 12; i++) {
		if (p[i] < '0' || p[i] > '9')
			return 0;
		status = status * 10 + (p[i] - '0');
	}
	return status;
}

static int other_status(unsigned status)
{
	if (status == 401 || status == 403)
		return PU_EDENIED;
	if (status >= 500 || status == 429)
		return PU_EREFUSED;
	return status >= 200 ? PU_ENOPROTO : PU_EPROTO;
}

int pu_ws_http_check_response(struct pu_bytes head, const struct pu_ws_http_key *key,
			      unsigned *pstatus)
{
	char wanted[ACCEPT_LEN + 1];
	struct fields f = { 0 };
	struct pu_bytes line;
	int r;

	*pstatus = 0;
	if (next_line(&head, &line) < 0)
		return PU_EPROTO;
	*pstatus = read_status(line);
	if (*pstatus != 101)
		return other_status(*pstatus);
	r = read_fields(head, &f);
	if (r == 0)
		r = accept_of(key->text, strlen(key->text), wanted);
	if (r < 0)
		return r;
	if (!f.upgrade || !f.connection || f.extension || f.protocol || f.body ||
	    !pu_bytes_eq_str(f.accept, wanted))
		return PU_EPROTO;
	return 0;
}

/* "GET /… HTTP/1.1" */
static int check_request_line(struct pu_bytes line, unsigned *pstatus)
{
	static const char version[] = " HTTP/1.1";
	const size_t tail = sizeof version - 1;

	*pstatus = 400;
	if (line.len < 5 + tail || memcmp(line.p + line.len - tail, version, tail) != 0 ||
	    memchr(line.p, '\t', line.len))
		return PU_EPROTO;
	if (memcmp(line.p, "GET ", 4) != 0) {
		*pstatus = 405;
		return PU_EPROTO;
	}
	/* A proxy in front of us may have chosen any path. */
	if (line.p[4] != '/' || memchr(line.p + 4, ' ', line.len - tail - 4))
		return PU_EPROTO;
	return 0;
}

static bool is_key(struct pu_bytes b)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	return b.len == PU_WS_HTTP_KEY_LEN &&
	       strspn((const char *)b.p, alphabet) == PU_WS_HTTP_KEY_LEN - 2 &&
	       memcmp(b.p + PU_WS_HTTP_KEY_LEN - 2, "==", 2) == 0;
}

int pu_ws_http_check_request(struct pu_bytes head, struct pu_ws_http_key *key, unsigned *pstatus)
{
	struct fields f = { 0 };
	struct pu_bytes line;

	*pstatus = 400;
	if (next_line(&head, &line) < 0 || check_request_line(line, pstatus) < 0)
		return PU_EPROTO;
	if (read_fields(head, &f) < 0 || f.n_host != 1 || f.body)
		return PU_EPROTO;
	if (!f.upgrade || !f.connection || !f.version) {
		*pstatus = 426;
		return PU_EPROTO;
	}
	if (!is_key(f.key))
		return PU_EPROTO;
	memcpy(key->text, f.key.p, PU_WS_HTTP_KEY_LEN);
	key->text[PU_WS_HTTP_KEY_LEN] = '\0';
	return 0;
}

int pu_ws_http_accept(const struct pu_ws_http_key *key, struct pu_buf *out)
{
	char text[PU_WS_HTTP_OUT_MAX], accept[ACCEPT_LEN + 1];
	int n = accept_of(key->text, strlen(key->text), accept);

	if (n < 0)
		return n;
	n = snprintf(text, sizeof text,
		     "HTTP/1.1 101 Switching Protocols\r\n"
		     "Upgrade: websocket\r\n"
		     "Connection: Upgrade\r\n"
		     "Sec-WebSocket-Accept: %s\r\n"
		     "\r\n",
		     accept);
	return append_text(out, text, n);
}

int pu_ws_http_refuse(unsigned status, struct pu_buf *out)
{
	static const struct {
		unsigned status;
		const char *reason, *more;
	} table[] = {
		{ 400, "Bad Request", "" },
		{ 405, "Method Not Allowed", "Allow: GET\r\n" },
		{ 426, "Upgrade Required",
		  "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" },
		{ 431, "Request Header Fields Too Large", "" },
	};
	char text[PU_WS_HTTP_OUT_MAX];
	size_t i = 0;
	int n;

	while (i < PU_ARRAY_LEN(table) - 1 && table[i].status != status)
		i++;
	n = snprintf(text, sizeof text,
		     "HTTP/1.1 %u %s\r\n%sConnection: close\r\nContent-Length: 0\r\n\r\n",
		     table[i].status, table[i].reason, table[i].more);
	return append_text(out, text, n);
}
