/* CPace, a balanced password-authenticated key exchange (draft-irtf-cfrg-cpace, group
 * ristretto255 of RFC 9496, hash SHA-512): both ends of a run that used the same password
 * and the same context have the same key; anybody else has learned whether one guess was
 * right, and nothing for a second one. */
#ifndef PU_CRYPTO_CPACE_H
#define PU_CRYPTO_CPACE_H

#include "base/bytes.h"

enum {
	PU_CPACE_SHARE_LEN = 32, /* an encoded group element */
	PU_CPACE_KEY_LEN = 64,
	PU_CPACE_PASSWORD_MAX = 256, /* bytes */
	PU_CPACE_CONTEXT_MAX = 512,  /* of the channel identifier, of the associated data */
};

/* One end of one run; pu_cpace_wipe() when it is over, whatever came of it. */
struct pu_cpace {
	uint8_t scalar[32];
	uint8_t share[PU_CPACE_SHARE_LEN]; /* to be sent */
};

/* channel: the same on both ends, names them and their roles (CI of the draft); sid: the
 * same on both ends or empty. secret: 64 random bytes, the source of the scalar. PU_ELIMIT,
 * PU_ECRYPTO. */
int pu_cpace_start(struct pu_cpace *c, struct pu_bytes password, struct pu_bytes channel,
		   struct pu_bytes sid, const uint8_t secret[64]);
/* The key (ISK, initiator and responder order). ad…: associated data of either end, may be
 * empty. PU_ECRYPTO: the share is no valid element, or neutral. */
int pu_cpace_finish(const struct pu_cpace *c, bool initiator,
		    const uint8_t share[PU_CPACE_SHARE_LEN], struct pu_bytes sid,
		    struct pu_bytes ad_initiator, struct pu_bytes ad_responder,
		    uint8_t key[PU_CPACE_KEY_LEN]);
void pu_cpace_wipe(struct pu_cpace *c);

#endif
