#include "platform/pcp.h"

#include "base/err.h"
#include "base/wire.h"

enum {
	VERSION = 2,
	OPCODE_MAP = 1,
	RESPONSE = 0x80,
	HEADER_LEN = 24,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	UNSUPP_VERSION = 1,
	UNSUPP_OPCODE = 4,
};

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

static void put_ip4(struct pu_wr *w, const uint8_t ip[4])
{
	pu_wr_bytes(w, pu_bytes(mapped_prefix, sizeof mapped_prefix));
	pu_wr_bytes(w, pu_bytes(ip, 4));
}

void pu_pcp_request(const struct pu_pcp_map *m, const uint8_t client[4],
		    uint8_t out[PU_PCP_MAP_LEN])
{
	struct pu_wr w = pu_wr_init(out, PU_PCP_MAP_LEN);

	pu_wr_u8(&w, VERSION);
	pu_wr_u8(&w, OPCODE_MAP);
	pu_wr_be16(&w, 0);
	pu_wr_be32(&w, m->lifetime_s);
	put_ip4(&w, client);
	pu_wr_bytes(&w, pu_bytes(m->nonce, sizeof m->nonce));
	pu_wr_u8(&w, m->tcp ? PROTOCOL_TCP : PROTOCOL_UDP);
	pu_wr_u8(&w, 0);
	pu_wr_be16(&w, 0);
	pu_wr_be16(&w, m->port);
	pu_wr_be16(&w, m->external);
	put_ip4(&w, m->external_ip);
}

/* Version, opcode and result. Older routers answer with the header of NAT-PMP. */
static int check_header(struct pu_bytes in, uint32_t *plifetime)
{
	uint8_t result;

	if (in.len < 4 || in.len > PU_PCP_MESSAGE_MAX || !(in.p[1] & RESPONSE))
		return PU_EPROTO;
	if (in.p[0] != VERSION)
		return PU_ENOTSUP;
	if (in.len < HEADER_LEN || in.len % 4 != 0)
		return PU_EPROTO;
	result = in.p[3];
	if (result == UNSUPP_VERSION || result == UNSUPP_OPCODE)
		return PU_ENOTSUP;
	if ((in.p[1] & ~RESPONSE) != OPCODE_MAP)
		return PU_EAGAIN;
	if (in.len < PU_PCP_MAP_LEN)
		return PU_EPROTO;
	*plifetime = pu_get_be32(in.p + 4);
	return result ? PU_EDENIED : 0;
}

static bool answers(const uint8_t *body, const struct pu_pcp_map *asked)
{
	return memcmp(body, asked->nonce, PU_PCP_NONCE_LEN) == 0 &&
	       body[12] == (asked->tcp ? PROTOCOL_TCP : PROTOCOL_UDP) &&
	       pu_get_be16(body + 16) == asked->port;
}

int pu_pcp_response(struct pu_bytes in, const struct pu_pcp_map *asked, struct pu_pcp_map *given)
{
	const uint8_t *body = in.p + HEADER_LEN;
	uint32_t lifetime;
	int r = check_header(in, &lifetime);

	if (r < 0 && r != PU_EDENIED)
		return r;
	if (!answers(body, asked))
		return PU_EAGAIN;
	if (r < 0)
		return r;
	if (memcmp(body + 20, mapped_prefix, sizeof mapped_prefix) != 0)
		return PU_EPROTO;
	*given = *asked;
	given->lifetime_s = lifetime;
	given->external = pu_get_be16(body + 18);
	memcpy(given->external_ip, body + 32, 4);
	return 0;
}
