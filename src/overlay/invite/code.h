/* What is told from one person to another so that their machines can meet: codes.
 *
 *   version 1  AEAQ-…        an invitation, as peer-up makes it: relay, inviter, 64-bit token
 *   version 2  AIAQ-…        a relay's pairing code: relay, 128-bit token
 *   version 3  relay.example.org/7-otter-canyon-maple
 *                            an invitation of ours: where to ask, which number, a password.
 *                            host, host:port, [v6] or [v6]:port; the part up to the slash may
 *                            be missing for somebody who uses the relay already
 *
 * Versions 1 and 2 are long because they carry keys; version 3 can be short because its
 * password is used in a PAKE (handshake.h) and only a few guesses are possible. */
#ifndef PU_OVERLAY_INVITE_CODE_H
#define PU_OVERLAY_INVITE_CODE_H

#include "base/buf.h"
#include "crypto/peerid.h"
#include "p2p/addr/multiaddr.h"

enum {
	PU_CODE_TEXT_MAX = 1023,   /* characters we read, dashes included */
	PU_CODE_TOKEN_MAX = 16,
	PU_CODE_NETWORK_MAX = 63,
	PU_CODE_HOST_MAX = 253,
	PU_CODE_WORDS = 3,         /* of the password, when we make it */
	PU_CODE_PASSWORD_MAX = 63,
	PU_CODE_PORT = 7777,       /* when a version 3 code names none */
	PU_CODE_NUMBER_MAX = 9999,
};

enum pu_code_version { PU_CODE_INVITE_V1 = 1, PU_CODE_PAIR_V2 = 2, PU_CODE_INVITE_V3 = 3 };

struct pu_code {
	enum pu_code_version version;
	/* Versions 1 and 2. */
	uint8_t token[PU_CODE_TOKEN_MAX]; /* 8 or 16 bytes */
	struct pu_multiaddr relay;        /* /ip4/…/tcp/…/p2p/<relay> */
	struct pu_peerid relay_id;
	char network[PU_CODE_NETWORK_MAX + 1]; /* "" for the global one; a DNS label */
	struct pu_peerid inviter;         /* version 1 */
	/* Version 3. */
	char host[PU_CODE_HOST_MAX + 1];  /* name or address without brackets, "" when missing */
	uint16_t port;
	unsigned number;                  /* of the nameplate, from 1 */
	char password[PU_CODE_PASSWORD_MAX + 1]; /* "otter-canyon-maple", lower case */
};

/* Reads what a person typed, pasted or scanned: letter case, dashes or spaces between groups
 * do not matter. PU_EINVAL: no code (why says what is wrong with it, in words for that
 * person; may be NULL); PU_ENOTSUP: a version newer than ours. Wrong words of version 3 are
 * told with the nearest right one, so that no guess is wasted on a slip. */
int pu_code_parse(const char *text, struct pu_code *code, char why[160]);
/* The code as text, terminated, into out (PU_CODE_TEXT_MAX + 1 bytes). PU_EINVAL: the relay
 * of a version 1 or 2 code is not of the form above; PU_ELIMIT. */
int pu_code_format(const struct pu_code *code, char *out);
/* PU_CODE_WORDS random words, 8 bits each, drawn from random (one byte per word). */
void pu_code_password(const uint8_t random[PU_CODE_WORDS], char out[PU_CODE_PASSWORD_MAX + 1]);
/* Where a version 3 code says to ask: /ip4|ip6|dns/…/udp/…/quic-v1 and …/tcp/…. Returns how
 * many (2), 0 when it names no host. */
size_t pu_code_addrs(const struct pu_code *code, struct pu_multiaddr out[2]);
void pu_code_wipe(struct pu_code *code);

#endif
