#include "p2p/nat/stun_message.h"

#include "base/err.h"
#include "base/wire.h"

enum {
	COOKIE = 0x2112a442,
	BINDING_REQUEST = 0x0001,
	BINDING_SUCCESS = 0x0101,
	BINDING_ERROR = 0x0111,
	ATTR_MAPPED = 0x0001,
	ATTR_CHANGE_REQUEST = 0x0003,
	ATTR_CHANGED = 0x0005, /* as RFC 3489 called OTHER-ADDRESS */
	ATTR_ERROR_CODE = 0x0009,
	ATTR_XOR_MAPPED = 0x0020,
	ATTR_OTHER = 0x802c,
	FAMILY_IP4 = 1,
	FAMILY_IP6 = 2,
};

size_t pu_stun_message_request(const uint8_t id[PU_STUN_ID_LEN], enum pu_stun_change change,
			       uint8_t out[PU_STUN_REQUEST_MAX])
{
	struct pu_wr w = pu_wr_init(out, PU_STUN_REQUEST_MAX);

	pu_wr_be16(&w, BINDING_REQUEST);
	pu_wr_be16(&w, change ? 8 : 0);
	pu_wr_be32(&w, COOKIE);
	pu_wr_bytes(&w, pu_bytes(id, PU_STUN_ID_LEN));
	if (change) {
		pu_wr_be16(&w, ATTR_CHANGE_REQUEST);
		pu_wr_be16(&w, 4);
		pu_wr_be32(&w, change);
	}
	return (size_t)pu_wr_end(&w);
}

const uint8_t *pu_stun_message_id(struct pu_bytes in)
{
	uint16_t type;

	if (in.len < PU_STUN_HEADER_LEN || pu_get_be32(in.p + 4) != COOKIE)
		return NULL;
	type = pu_get_be16(in.p);
	return type == BINDING_SUCCESS || type == BINDING_ERROR ? in.p + 8 : NULL;
}

/* The XOR key of an address: the cookie and, for IPv6, the transaction behind it, as they
 * stand in the header. key NULL: plain. */
static int parse_addr(struct pu_bytes v, const uint8_t *key, union pu_sockaddr *sa)
{
	uint8_t b[18];
	size_t len;

	if (v.len < 4)
		return PU_EPROTO;
	len = v.p[1] == FAMILY_IP4 ? 6 : v.p[1] == FAMILY_IP6 ? 18 : 0;
	if (len == 0 || v.len != 2 + len)
		return PU_EPROTO;
	memcpy(b, v.p + 2, len);
	for (size_t i = 0; key && i < len; i++)
		b[i] ^= i < 2 ? key[i] : key[i - 2];
	memset(sa, 0, sizeof *sa);
	if (len == 6) {
		sa->v4.sin_family = AF_INET;
		memcpy(&sa->v4.sin_port, b, 2);
		memcpy(&sa->v4.sin_addr, b + 2, 4);
	} else {
		sa->v6.sin6_family = AF_INET6;
		memcpy(&sa->v6.sin6_port, b, 2);
		memcpy(&sa->v6.sin6_addr, b + 2, 16);
	}
	return 0;
}

struct seen {
	struct pu_stun_response r;
	bool mapped_by_xor;
};

static uint16_t error_code(struct pu_bytes v)
{
	return v.len >= 4 ? (uint16_t)((v.p[2] & 7) * 100 + v.p[3]) : 0;
}

static int take_attr(struct seen *s, uint16_t type, struct pu_bytes v, const uint8_t *header)
{
	switch (type) {
	case ATTR_XOR_MAPPED:
		s->mapped_by_xor = true;
		return parse_addr(v, header + 4, &s->r.mapped);
	case ATTR_MAPPED:
		return s->mapped_by_xor ? 0 : parse_addr(v, NULL, &s->r.mapped);
	case ATTR_OTHER:
	case ATTR_CHANGED:
		return parse_addr(v, NULL, &s->r.other);
	case ATTR_ERROR_CODE:
		if (s->r.error)
			s->r.error = pu_max(error_code(v), 1);
		return 0;
	default: /* of a message, not of an enum of ours */
		return 0;
	}
}

int pu_stun_message_parse(struct pu_bytes in, struct pu_stun_response *out)
{
	struct seen s = { 0 };
	struct pu_rd r;
	int err = 0;

	/* Lengths are whole words, and the message is all there is. */
	if (!pu_stun_message_id(in) || in.len > PU_STUN_RESPONSE_MAX ||
	    pu_get_be16(in.p + 2) != in.len - PU_STUN_HEADER_LEN || in.len % 4 != 0)
		return PU_EPROTO;
	s.r.error = pu_get_be16(in.p) == BINDING_ERROR;
	r = pu_rd_init(in.p + PU_STUN_HEADER_LEN, in.len - PU_STUN_HEADER_LEN);
	for (int n = 0; err == 0 && r.err == 0 && r.left > 0; n++) {
		uint16_t type = pu_rd_be16(&r), len = pu_rd_be16(&r);
		struct pu_bytes v = pu_rd_bytes(&r, len);

		(void)pu_rd_bytes(&r, (4 - len % 4) % 4);
		err = r.err || n == PU_STUN_ATTRS_MAX ? PU_EPROTO : take_attr(&s, type, v, in.p);
	}
	if (err == 0 && r.err == 0 && !s.r.error && s.r.mapped.sa.sa_family == 0)
		err = PU_EPROTO;
	if (err < 0 || r.err < 0)
		return PU_EPROTO;
	*out = s.r;
	return 0;
}
