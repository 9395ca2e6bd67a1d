/* The protocols a multiaddr is made of: number, name, and how the value of each
 * looks in bytes and in text. */
#ifndef PU_P2P_ADDR_MAPROTO_H
#define PU_P2P_ADDR_MAPROTO_H

#include "base/bytes.h"

enum pu_maproto_value {
	PU_MAPROTO_NONE,
	PU_MAPROTO_IP4,
	PU_MAPROTO_IP6,
	PU_MAPROTO_PORT,
	PU_MAPROTO_BITS,  /* length of an IP prefix */
	PU_MAPROTO_NAME,  /* printable ASCII without '/' */
	PU_MAPROTO_PEER,  /* peer ID */
	PU_MAPROTO_HASH,  /* multihash, multibase in text */
	PU_MAPROTO_PATH,  /* starts with '/' and takes the rest of the text */
	PU_MAPROTO_QUOTED /* any bytes, percent-encoded in text */
};

struct pu_maproto {
	uint32_t code; /* enum pu_ma_code */
	enum pu_maproto_value value;
	const char *name;
};

/* NULL when unknown. */
const struct pu_maproto *pu_maproto_find(uint64_t code);
/* "ipfs" is an old name of p2p. NULL when unknown. */
const struct pu_maproto *pu_maproto_by_name(const char *name, size_t len);

/* True when the value has a length prefix on the wire. */
bool pu_maproto_is_var(const struct pu_maproto *proto);
/* Length of the value when it has none. */
size_t pu_maproto_fixed_len(const struct pu_maproto *proto);
bool pu_maproto_valid(const struct pu_maproto *proto, struct pu_bytes value);
/* Upper bound of the text of "/name/value" for a value of len bytes. */
size_t pu_maproto_text_bound(const struct pu_maproto *proto, size_t len);

/* Text of a value to bytes: the length, or PU_EINVAL. The result is valid. */
int pu_maproto_parse(const struct pu_maproto *proto, const char *text, size_t len, uint8_t *out,
		     size_t cap);
/* A valid value as terminated text: the length, or PU_ELIMIT. */
int pu_maproto_format(const struct pu_maproto *proto, struct pu_bytes value, char *out, size_t cap);

#endif
