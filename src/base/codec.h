/* Text codings of bytes: base58btc, base32 (RFC 4648, lower case, no padding),
 * base64url without padding, base64 with padding, hexadecimal. Decoders are strict. */
#ifndef PU_BASE_CODEC_H
#define PU_BASE_CODEC_H

#include "base/bytes.h"

/* Encoders write a terminated string and return its length; PU_ELIMIT when out
 * is too small. Decoders return the number of bytes; PU_EINVAL for characters or
 * bits that do not belong, PU_ELIMIT when out is too small. */
int pu_base58_encode(struct pu_bytes in, char *out, size_t cap);
int pu_base58_decode(const char *in, size_t len, uint8_t *out, size_t cap);
int pu_base32_encode(struct pu_bytes in, char *out, size_t cap);
int pu_base32_decode(const char *in, size_t len, uint8_t *out, size_t cap);
int pu_base64url_encode(struct pu_bytes in, char *out, size_t cap);
int pu_base64url_decode(const char *in, size_t len, uint8_t *out, size_t cap);
int pu_base64_encode(struct pu_bytes in, char *out, size_t cap);
int pu_hex_encode(struct pu_bytes in, char *out, size_t cap);
int pu_hex_decode(const char *in, size_t len, uint8_t *out, size_t cap);

#endif
