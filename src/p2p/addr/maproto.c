#include "p2p/addr/maproto.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/codec.h"
#include "base/err.h"
#include "base/wire.h"
#include "crypto/peerid.h"
#include "p2p/addr/multiaddr.h"

enum { HASH_DIGEST_MAX = 64, VALUE_TEXT_MAX = 128 };

static const struct pu_maproto table[] = {
	{ PU_MA_IP4, PU_MAPROTO_IP4, "ip4" },
	{ PU_MA_TCP, PU_MAPROTO_PORT, "tcp" },
	{ PU_MA_IP6, PU_MAPROTO_IP6, "ip6" },
	{ PU_MA_IP6ZONE, PU_MAPROTO_NAME, "ip6zone" },
	{ PU_MA_IPCIDR, PU_MAPROTO_BITS, "ipcidr" },
	{ PU_MA_DNS, PU_MAPROTO_NAME, "dns" },
	{ PU_MA_DNS4, PU_MAPROTO_NAME, "dns4" },
	{ PU_MA_DNS6, PU_MAPROTO_NAME, "dns6" },
	{ PU_MA_DNSADDR, PU_MAPROTO_NAME, "dnsaddr" },
	{ PU_MA_UDP, PU_MAPROTO_PORT, "udp" },
	{ PU_MA_WEBRTC_DIRECT, PU_MAPROTO_NONE, "webrtc-direct" },
	{ PU_MA_P2P_CIRCUIT, PU_MAPROTO_NONE, "p2p-circuit" },
	{ PU_MA_UNIX, PU_MAPROTO_PATH, "unix" },
	{ PU_MA_P2P, PU_MAPROTO_PEER, "p2p" },
	{ PU_MA_TLS, PU_MAPROTO_NONE, "tls" },
	{ PU_MA_SNI, PU_MAPROTO_NAME, "sni" },
	{ PU_MA_NOISE, PU_MAPROTO_NONE, "noise" },
	{ PU_MA_QUIC, PU_MAPROTO_NONE, "quic" },
	{ PU_MA_QUIC_V1, PU_MAPROTO_NONE, "quic-v1" },
	{ PU_MA_WEBTRANSPORT, PU_MAPROTO_NONE, "webtransport" },
	{ PU_MA_CERTHASH, PU_MAPROTO_HASH, "certhash" },
	{ PU_MA_WS, PU_MAPROTO_NONE, "ws" },
	{ PU_MA_WSS, PU_MAPROTO_NONE, "wss" },
	{ PU_MA_HTTP, PU_MAPROTO_NONE, "http" },
	{ PU_MA_HTTP_PATH, PU_MAPROTO_QUOTED, "http-path" },
	{ PU_MA_MEMORY, PU_MAPROTO_NAME, "memory" },
};

const struct pu_maproto *pu_maproto_find(uint64_t code)
{
	for (size_t i = 0; i < PU_ARRAY_LEN(table); i++)
		if (table[i].code == code)
			return &table[i];
	return NULL;
}

const struct pu_maproto *pu_maproto_by_name(const char *name, size_t len)
{
	struct pu_bytes b = pu_bytes(name, len);

	if (pu_bytes_eq_str(b, "ipfs"))
		return pu_maproto_find(PU_MA_P2P);
	for (size_t i = 0; i < PU_ARRAY_LEN(table); i++)
		if (pu_bytes_eq_str(b, table[i].name))
			return &table[i];
	return NULL;
}

bool pu_maproto_is_var(const struct pu_maproto *proto)
{
	return proto->value >= PU_MAPROTO_NAME;
}

size_t pu_maproto_fixed_len(const struct pu_maproto *proto)
{
	static const uint8_t len[] = {
		[PU_MAPROTO_IP4] = 4,
		[PU_MAPROTO_IP6] = 16,
		[PU_MAPROTO_PORT] = 2,
		[PU_MAPROTO_BITS] = 1,
	};

	return (size_t)proto->value < PU_ARRAY_LEN(len) ? len[proto->value] : 0;
}

/* A value must not be able to pretend to be further components in text. */
static bool is_name(struct pu_bytes v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] <= 0x20 || v.p[i] >= 0x7f || v.p[i] == '/')
			return false;
	return v.len > 0;
}

static bool is_path(struct pu_bytes v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] < 0x20 || v.p[i] == 0x7f)
			return false;
	return v.len > 1 && v.p[0] == '/' && v.p[v.len - 1] != '/';
}

static bool is_hash(struct pu_bytes v)
{
	struct pu_rd r = pu_rd_init(v.p, v.len);
	struct pu_bytes digest;

	pu_rd_uvarint(&r);
	digest = pu_rd_lp(&r, HASH_DIGEST_MAX);
	return pu_rd_end(&r) == 0 && digest.len > 0;
}

bool pu_maproto_valid(const struct pu_maproto *proto, struct pu_bytes value)
{
	struct pu_peerid id;

	switch (proto->value) {
	case PU_MAPROTO_NONE:
	case PU_MAPROTO_IP4:
	case PU_MAPROTO_IP6:
	case PU_MAPROTO_PORT:
		return value.len == pu_maproto_fixed_len(proto);
	case PU_MAPROTO_BITS:
		return value.len == 1 && value.p[0] <= 128;
	case PU_MAPROTO_NAME:
		return is_name(value);
	case PU_MAPROTO_PEER:
		return pu_peerid_from_bytes(&id, value) == 0;
	case PU_MAPROTO_HASH:
		return is_hash(value);
	case PU_MAPROTO_PATH:
		return is_path(value);
	case PU_MAPROTO_QUOTED:
		return value.len > 0;
	}
	return false;
}

size_t pu_maproto_text_bound(const struct pu_maproto *proto, size_t len)
{
	size_t name = 1 + strlen(proto->name);

	switch (proto->value) {
	case PU_MAPROTO_NONE:
		return name;
	case PU_MAPROTO_IP4:
		return name + INET_ADDRSTRLEN;
	case PU_MAPROTO_IP6:
		return name + INET6_ADDRSTRLEN;
	case PU_MAPROTO_PORT:
	case PU_MAPROTO_BITS:
		return name + sizeof "/65535";
	case PU_MAPROTO_NAME:
	case PU_MAPROTO_PATH:
		return name + 1 + len;
	case PU_MAPROTO_PEER:
	case PU_MAPROTO_HASH:
		return name + 2 + len + len / 2;
	case PU_MAPROTO_QUOTED:
		return name + 1 + 3 * len;
	}
	return name;
}

/* Plain decimal, no sign, no more digits than max has. */
static int parse_decimal(const char *text, size_t len, unsigned max, unsigned *pv)
{
	unsigned v = 0;

	if (len == 0 || len > 5)
		return PU_EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return PU_EINVAL;
		v = v * 10 + (unsigned)(text[i] - '0');
	}
	if (v > max)
		return PU_EINVAL;
	*pv = v;
	return 0;
}

static int parse_ip(int family, const char *text, uint8_t *out, int len)
{
	return inet_pton(family, text, out) == 1 ? len : PU_EINVAL;
}

static int parse_peer(const char *text, uint8_t *out, size_t cap)
{
	struct pu_peerid id;

	if (pu_peerid_from_text(&id, text) < 0 || id.len > cap)
		return PU_EINVAL;
	memcpy(out, id.b, id.len);
	return id.len;
}

static int parse_hash(const char *text, size_t len, uint8_t *out, size_t cap)
{
	if (len == 0)
		return PU_EINVAL;
	switch (text[0]) {
	case 'b':
		return pu_base32_decode(text + 1, len - 1, out, cap);
	case 'f':
		return pu_hex_decode(text + 1, len - 1, out, cap);
	case 'u':
		return pu_base64url_decode(text + 1, len - 1, out, cap);
	case 'z':
		return pu_base58_decode(text + 1, len - 1, out, cap);
	default:
		return PU_EINVAL;
	}
}

static int parse_quoted(const char *text, size_t len, uint8_t *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (n == cap)
			return PU_EINVAL;
		if (text[i] != '%') {
			out[n++] = (uint8_t)text[i];
			continue;
		}
		if (len - i < 3 || pu_hex_decode(text + i + 1, 2, out + n, 1) != 1)
			return PU_EINVAL;
		n++;
		i += 2;
	}
	return (int)n;
}

/* text is terminated here and has no more than VALUE_TEXT_MAX characters. */
static int parse_short(const struct pu_maproto *proto, const char *text, size_t len, uint8_t *out,
		       size_t cap)
{
	unsigned v = 0;

	if (cap < 16)
		return PU_EINVAL;
	switch (proto->value) {
	case PU_MAPROTO_IP4:
		return parse_ip(AF_INET, text, out, 4);
	case PU_MAPROTO_IP6:
		return parse_ip(AF_INET6, text, out, 16);
	case PU_MAPROTO_PORT:
		if (parse_decimal(text, len, 65535, &v) < 0)
			return PU_EINVAL;
		pu_put_be16(out, (uint16_t)v);
		return 2;
	case PU_MAPROTO_BITS:
		if (parse_decimal(text, len, 128, &v) < 0)
			return PU_EINVAL;
		out[0] = (uint8_t)v;
		return 1;
	case PU_MAPROTO_PEER:
		return parse_peer(text, out, cap);
	case PU_MAPROTO_HASH:
		return parse_hash(text, len, out, cap);
	case PU_MAPROTO_NONE:
	case PU_MAPROTO_NAME:
	case PU_MAPROTO_PATH:
	case PU_MAPROTO_QUOTED:
		break;
	}
	return PU_EINVAL;
}

int pu_maproto_parse(const struct pu_maproto *proto, const char *text, size_t len, uint8_t *out,
		     size_t cap)
{
	char copy[VALUE_TEXT_MAX + 1];
	int n;

	if (proto->value == PU_MAPROTO_NAME || proto->value == PU_MAPROTO_PATH) {
		if (len > cap)
			return PU_EINVAL;
		memcpy(out, text, len);
		n = (int)len;
	} else if (proto->value == PU_MAPROTO_QUOTED) {
		n = parse_quoted(text, len, out, cap);
	} else {
		if (len > VALUE_TEXT_MAX)
			return PU_EINVAL;
		memcpy(copy, text, len);
		copy[len] = '\0';
		n = parse_short(proto, copy, len, out, cap);
	}
	if (n < 0 || !pu_maproto_valid(proto, pu_bytes(out, (size_t)n)))
		return PU_EINVAL;
	return n;
}

static int format_ip(int family, struct pu_bytes v, char *out, size_t cap)
{
	return inet_ntop(family, v.p, out, (socklen_t)cap) ? (int)strlen(out) : PU_ELIMIT;
}

static int format_number(unsigned v, char *out, size_t cap)
{
	int n = snprintf(out, cap, "%u", v);

	return n < 0 || (size_t)n >= cap ? PU_ELIMIT : n;
}

static int format_plain(struct pu_bytes v, char *out, size_t cap)
{
	if (v.len >= cap)
		return PU_ELIMIT;
	memcpy(out, v.p, v.len);
	out[v.len] = '\0';
	return (int)v.len;
}

static int format_hash(struct pu_bytes v, char *out, size_t cap)
{
	int n;

	if (cap < 2)
		return PU_ELIMIT;
	out[0] = 'u';
	n = pu_base64url_encode(v, out + 1, cap - 1);
	return n < 0 ? n : n + 1;
}

static bool is_unreserved(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

static int format_quoted(struct pu_bytes v, char *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < v.len; i++) {
		if (cap - n < 4)
			return PU_ELIMIT;
		if (is_unreserved(v.p[i])) {
			out[n++] = (char)v.p[i];
			continue;
		}
		out[n++] = '%';
		pu_hex_encode(pu_bytes(v.p + i, 1), out + n, cap - n);
		n += 2;
	}
	out[n] = '\0';
	return (int)n;
}

int pu_maproto_format(const struct pu_maproto *proto, struct pu_bytes value, char *out, size_t cap)
{
	switch (proto->value) {
	case PU_MAPROTO_NONE:
		return 0;
	case PU_MAPROTO_IP4:
		return format_ip(AF_INET, value, out, cap);
	case PU_MAPROTO_IP6:
		return format_ip(AF_INET6, value, out, cap);
	case PU_MAPROTO_PORT:
		return format_number(pu_get_be16(value.p), out, cap);
	case PU_MAPROTO_BITS:
		return format_number(value.p[0], out, cap);
	case PU_MAPROTO_NAME:
	case PU_MAPROTO_PATH:
		return format_plain(value, out, cap);
	case PU_MAPROTO_PEER:
		return pu_base58_encode(value, out, cap);
	case PU_MAPROTO_HASH:
		return format_hash(value, out, cap);
	case PU_MAPROTO_QUOTED:
		return format_quoted(value, out, cap);
	}
	return PU_ELIMIT;
}
