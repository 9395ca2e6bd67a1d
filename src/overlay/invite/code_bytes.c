/* Codes of version 1 and 2:
 *
 *   version[1] token[8 or 16] IPv4[4] port[2] length[1] relay ID  length[1] network
 *   and in version 1 the inviter's ID to the end
 *
 * in base32, in groups of four characters. */
#include <ctype.h>

#include "base/codec.h"
#include "base/err.h"
#include "base/wire.h"
#include "overlay/invite/code_internal.h"

enum {
	PAYLOAD_MIN = 16, /* peer-up's, of either version */
	PAYLOAD_MAX = 1 + PU_CODE_TOKEN_MAX + 4 + 2 + 1 + PU_PEERID_MAX + 1 + PU_CODE_NETWORK_MAX +
		      PU_PEERID_MAX,
	GROUP_LEN = 4,
};

static size_t token_len(enum pu_code_version v)
{
	return v == PU_CODE_INVITE_V1 ? 8 : 16;
}

/* A network name is a DNS label, in lower case as in the configuration. */
static bool network_ok(const char *s)
{
	size_t len = strlen(s);

	if (len == 0)
		return true;
	return s[0] != '-' && s[len - 1] != '-' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static int wrong_char(char c, char *why)
{
	static const char digits[] = "0189", letters[] = "OIBG";
	const char *digit = strchr(digits, c);

	if (digit)
		return pu_code_wrong(why, "there is no \"%c\" in codes; is it the letter %c?", c,
				     letters[digit - digits]);
	if (isprint((unsigned char)c))
		return pu_code_wrong(why, "\"%c\" does not belong into a code", c);
	return pu_code_wrong(why, "there are characters in it that do not belong into a code");
}

/* Without what people and terminals put between the groups, in lower case. */
static int strip(const char *text, char *out, size_t *plen, char *why)
{
	size_t n = 0;

	for (; *text; text++) {
		int c = tolower((unsigned char)*text);

		if (c == '-' || isspace(c))
			continue;
		if (!(c >= 'a' && c <= 'z') && !(c >= '2' && c <= '7'))
			return wrong_char(*text, why);
		out[n++] = (char)c;
	}
	*plen = n;
	return 0;
}

static void take_relay(struct pu_rd *r, struct pu_code *code)
{
	struct pu_bytes ip = pu_rd_bytes(r, 4), port = pu_rd_bytes(r, 2);
	struct pu_bytes id = pu_rd_bytes(r, pu_rd_u8(r));

	if (r->err || pu_get_be16(port.p) == 0 || pu_peerid_from_bytes(&code->relay_id, id) < 0 ||
	    pu_multiaddr_append(&code->relay, PU_MA_IP4, ip) < 0 ||
	    pu_multiaddr_append(&code->relay, PU_MA_TCP, port) < 0 ||
	    pu_multiaddr_append(&code->relay, PU_MA_P2P, id) < 0)
		r->err = PU_EPROTO;
}

static void take_network(struct pu_rd *r, struct pu_code *code)
{
	struct pu_bytes b = pu_rd_bytes(r, pu_rd_u8(r));

	if (r->err || b.len > PU_CODE_NETWORK_MAX) {
		r->err = PU_EPROTO;
		return;
	}
	if (b.len)
		memcpy(code->network, b.p, b.len);
	if (strlen(code->network) != b.len || !network_ok(code->network))
		r->err = PU_EPROTO;
}

static int take_payload(struct pu_bytes b, struct pu_code *code)
{
	struct pu_rd r = pu_rd_init(b.p, b.len);
	struct pu_bytes token, id;

	code->version = (enum pu_code_version)pu_rd_u8(&r);
	token = pu_rd_bytes(&r, token_len(code->version));
	if (token.len)
		memcpy(code->token, token.p, token.len);
	take_relay(&r, code);
	take_network(&r, code);
	if (code->version == PU_CODE_INVITE_V1 && !r.err) {
		id = pu_rd_bytes(&r, r.left);
		if (pu_peerid_from_bytes(&code->inviter, id) < 0)
			return PU_EINVAL;
	}
	return pu_rd_end(&r) < 0 ? PU_EINVAL : 0;
}

static int take_version(struct pu_bytes b, struct pu_code *code, char *why)
{
	if (b.len < PAYLOAD_MIN)
		return pu_code_wrong(why, "the code is too short: a part of it is missing");
	if (b.p[0] > PU_CODE_PAIR_V2) {
		pu_code_wrong(why, "the code was made by a newer version; upgrade this program");
		return PU_ENOTSUP;
	}
	if (b.p[0] == 0 || take_payload(b, code) < 0)
		return pu_code_wrong(why,
				     "this is no code, or something in it was changed or lost");
	return 0;
}

int pu_code_parse_bytes(const char *text, struct pu_code *code, char *why)
{
	char stripped[PU_CODE_TEXT_MAX + 1];
	uint8_t payload[PU_CODE_TEXT_MAX];
	size_t len;
	int r = strip(text, stripped, &len, why);

	if (r < 0)
		goto out;
	r = pu_base32_decode(stripped, len, payload, sizeof payload);
	if (r < 0)
		r = pu_code_wrong(why, "the code is not complete, or something in it was changed");
	else
		r = take_version(pu_bytes(payload, (size_t)r), code, why);
out:
	explicit_bzero(stripped, sizeof stripped);
	explicit_bzero(payload, sizeof payload);
	return r;
}

/* Address, port and ID of a relay's /ip4/A/tcp/P/p2p/ID; they borrow from ma. */
static int split_relay(const struct pu_multiaddr *ma, struct pu_ma_part part[3])
{
	static const uint32_t shape[3] = { PU_MA_IP4, PU_MA_TCP, PU_MA_P2P };
	size_t off = 0;

	for (size_t i = 0; i < PU_ARRAY_LEN(shape); i++)
		if (!pu_multiaddr_next(ma, &off, &part[i]) || part[i].code != shape[i])
			return PU_EINVAL;
	return off == ma->len ? 0 : PU_EINVAL;
}

/* In groups of four, in upper case. */
static void write_groups(const char *text, char *out)
{
	for (size_t i = 0; text[i]; i++) {
		if (i > 0 && i % GROUP_LEN == 0)
			*out++ = '-';
		*out++ = (char)toupper((unsigned char)text[i]);
	}
	*out = '\0';
}

int pu_code_format_bytes(const struct pu_code *code, char *out)
{
	char text[PAYLOAD_MAX * 8 / 5 + 2];
	uint8_t payload[PAYLOAD_MAX];
	struct pu_wr w = pu_wr_init(payload, sizeof payload);
	struct pu_ma_part relay[3];
	size_t network = strnlen(code->network, sizeof code->network);
	int r;

	if (split_relay(&code->relay, relay) < 0 || network > PU_CODE_NETWORK_MAX ||
	    !network_ok(code->network))
		return PU_EINVAL;
	if (code->version == PU_CODE_INVITE_V1 && pu_peerid_empty(&code->inviter))
		return PU_EINVAL;
	pu_wr_u8(&w, (uint8_t)code->version);
	pu_wr_bytes(&w, pu_bytes(code->token, token_len(code->version)));
	pu_wr_bytes(&w, relay[0].value);
	pu_wr_bytes(&w, relay[1].value);
	pu_wr_u8(&w, (uint8_t)relay[2].value.len);
	pu_wr_bytes(&w, relay[2].value);
	pu_wr_u8(&w, (uint8_t)network);
	pu_wr_bytes(&w, pu_bytes(code->network, network));
	if (code->version == PU_CODE_INVITE_V1)
		pu_wr_bytes(&w, pu_peerid_bytes(&code->inviter));
	r = pu_wr_end(&w);
	if (r >= 0)
		r = pu_base32_encode(pu_bytes(payload, (size_t)r), text, sizeof text);
	if (r >= 0)
		write_groups(text, out);
	explicit_bzero(payload, sizeof payload);
	explicit_bzero(text, sizeof text);
	return r < 0 ? r : 0;
}
