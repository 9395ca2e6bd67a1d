#include "p2p/circuit/voucher.h"

#include <stdlib.h>

#include "base/err.h"
#include "crypto/envelope.h"
#include "p2p/circuit/circuit.pb-c.h"
#include "p2p/proto/message.h"

enum { PAYLOAD_MAX = 128 };

static ProtobufCBinaryData data(const struct pu_peerid *id)
{
	return (ProtobufCBinaryData){ id->len, (uint8_t *)id->b };
}

static int append_payload(const struct pu_peerid *relay, const struct pu_peerid *peer,
			  int64_t expires, struct pu_buf *out)
{
	PuPb__CircuitVoucher m = PU_PB__CIRCUIT_VOUCHER__INIT;

	m.has_relay = m.has_peer = m.has_expiration = 1;
	m.relay = data(relay);
	m.peer = data(peer);
	m.expiration = (uint64_t)expires;
	return pu_message_pack(&m.base, PAYLOAD_MAX, out);
}

int pu_circuit_voucher_make(const struct pu_key *relay, const struct pu_peerid *peer,
			    int64_t expires, struct pu_buf *out)
{
	struct pu_buf payload;
	int r;

	pu_buf_init(&payload, PAYLOAD_MAX);
	r = append_payload(&relay->peer, peer, expires, &payload);
	if (r == 0)
		r = pu_envelope_seal(relay, PU_ENVELOPE_DOMAIN_VOUCHER, PU_ENVELOPE_VOUCHER,
				     pu_buf_bytes(&payload), out);
	pu_buf_deinit(&payload);
	return r;
}

static bool names(const ProtobufCBinaryData *field, const struct pu_peerid *id)
{
	return pu_bytes_eq(pu_bytes(field->data, field->len), pu_peerid_bytes(id));
}

static int check_payload(struct pu_bytes payload, const struct pu_peerid *relay,
			 const struct pu_peerid *peer, int64_t now, int64_t *pexpires)
{
	PuPb__CircuitVoucher *m = pu_pb__circuit_voucher__unpack(NULL, payload.len, payload.p);
	int r = 0;

	if (!m)
		return PU_EPROTO;
	if (!names(&m->relay, relay) || !names(&m->peer, peer))
		r = PU_EPEERID;
	else if (m->expiration > INT64_MAX)
		r = PU_EPROTO;
	else if ((int64_t)m->expiration <= now)
		r = PU_ETIMEDOUT;
	else if (pexpires)
		*pexpires = (int64_t)m->expiration;
	pu_pb__circuit_voucher__free_unpacked(m, NULL);
	return r;
}

int pu_circuit_voucher_check(struct pu_bytes envelope, const struct pu_peerid *relay,
			     const struct pu_peerid *peer, int64_t now, int64_t *pexpires)
{
	struct pu_pubkey *signer = malloc(sizeof *signer);
	struct pu_bytes payload;
	int r;

	if (!signer)
		return PU_ENOMEM;
	r = pu_envelope_open(envelope, PU_ENVELOPE_DOMAIN_VOUCHER, PU_ENVELOPE_VOUCHER, signer,
			     &payload);
	if (r == 0 && !pu_peerid_eq(&signer->peer, relay))
		r = PU_ECRYPTO;
	if (r == 0)
		r = payload.len <= PAYLOAD_MAX
			    ? check_payload(payload, relay, peer, now, pexpires)
			    : PU_EPROTO;
	free(signer);
	return r;
}
