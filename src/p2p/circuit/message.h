/* The messages of circuit relay v2: HopMessage between a client and its relay, StopMessage
 * between the relay and the peer that is called. One struct for both. */
#ifndef PU_P2P_CIRCUIT_MESSAGE_H
#define PU_P2P_CIRCUIT_MESSAGE_H

#include "base/buf.h"
#include "p2p/addr/multiaddr.h"

enum {
	PU_CIRCUIT_MESSAGE_MAX = 4096, /* without the length in front */
	PU_CIRCUIT_ADDRS_MAX = 16,     /* of a reservation; more are ignored */
	PU_CIRCUIT_VOUCHER_MAX = 3072,
};

enum pu_circuit_protocol { PU_CIRCUIT_HOP, PU_CIRCUIT_STOP };

/* RESERVE exists in the hop protocol only. */
enum pu_circuit_type {
	PU_CIRCUIT_RESERVE,
	PU_CIRCUIT_CONNECT,
	PU_CIRCUIT_STATUS,
	PU_CIRCUIT_UNKNOWN, /* a number that we do not know; never encoded */
};

enum pu_circuit_status {
	PU_CIRCUIT_UNUSED = 0,
	PU_CIRCUIT_OK = 100,
	PU_CIRCUIT_RESERVATION_REFUSED = 200,
	PU_CIRCUIT_RESOURCE_LIMIT_EXCEEDED = 201,
	PU_CIRCUIT_PERMISSION_DENIED = 202,
	PU_CIRCUIT_CONNECTION_FAILED = 203,
	PU_CIRCUIT_NO_RESERVATION = 204,
	PU_CIRCUIT_MALFORMED_MESSAGE = 400,
	PU_CIRCUIT_UNEXPECTED_MESSAGE = 401,
};

/* As on the wire: seconds, bytes per direction; 0 is no limit. */
struct pu_circuit_wire_limit {
	uint32_t duration;
	uint64_t data;
};

struct pu_circuit_reservation {
	int64_t expires; /* Unix seconds */
	size_t n_addrs;
	struct pu_multiaddr addrs[PU_CIRCUIT_ADDRS_MAX];
	size_t voucher_len; /* 0: none */
	uint8_t voucher[PU_CIRCUIT_VOUCHER_MAX];
};

/* About 7 KiB: a scratch of the module rather than a local variable. */
struct pu_circuit_message {
	enum pu_circuit_type type;
	uint32_t status; /* enum pu_circuit_status or what else the peer sent; 0: absent */
	struct pu_peerid peer; /* empty: absent */
	bool has_limit, has_reservation;
	struct pu_circuit_wire_limit limit;
	struct pu_circuit_reservation reservation;
};

/* Appends the message with its length in front. PU_ELIMIT, PU_ENOMEM, PU_EINVAL (a type
 * that the protocol does not have). */
int pu_circuit_message_encode(enum pu_circuit_protocol protocol,
			      const struct pu_circuit_message *m, struct pu_buf *out);
/* in: one message without the length. An absent type is type 0, as everywhere in libp2p;
 * addresses that we cannot read are left out. PU_EPROTO; PU_ENOMEM. */
int pu_circuit_message_decode(enum pu_circuit_protocol protocol, struct pu_bytes in,
			      struct pu_circuit_message *m);
/* "RESERVATION_REFUSED"; "unknown status" for strange ones. */
const char *pu_circuit_message_status_name(uint32_t status);

#endif
