/* Reservation vouchers: what a relay signs for the peer that it takes in (libp2p specs
 * relay/circuit-v2.md, "Reservation Vouchers"). */
#ifndef PU_P2P_CIRCUIT_VOUCHER_H
#define PU_P2P_CIRCUIT_VOUCHER_H

#include "base/buf.h"
#include "crypto/key.h"

/* Appends the signed envelope to out. expires: Unix seconds. PU_ELIMIT, PU_ENOMEM. */
int pu_circuit_voucher_make(const struct pu_key *relay, const struct pu_peerid *peer,
			    int64_t expires, struct pu_buf *out);
/* 0 when that relay signed it for that peer and it is valid at now (Unix seconds);
 * *pexpires may be NULL. PU_EPROTO: malformed; PU_ECRYPTO: forged or of somebody else;
 * PU_EPEERID: about another relay or peer; PU_ETIMEDOUT: expired. */
int pu_circuit_voucher_check(struct pu_bytes envelope, const struct pu_peerid *relay,
			     const struct pu_peerid *peer, int64_t now, int64_t *pexpires);

#endif
