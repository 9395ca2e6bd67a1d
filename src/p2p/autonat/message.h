/* The messages of AutoNAT v2, each with its length in front. Nothing here keeps state. */
#ifndef PU_P2P_AUTONAT_MESSAGE_H
#define PU_P2P_AUTONAT_MESSAGE_H

#include "base/buf.h"
#include "p2p/addr/multiaddr.h"
#include "p2p/stack/stream.h"

enum {
	PU_AUTONAT_MESSAGE_MAX = 8192, /* bytes without the length in front */
	PU_AUTONAT_BACK_MAX = 1024,    /* the same on the stream of the dial-back */
	PU_AUTONAT_ADDRS_MAX = 50,     /* of a request; more are not looked at */
	PU_AUTONAT_CHUNK_MAX = 4096,   /* dial data in one message */
	PU_AUTONAT_CHUNK_MIN = 100,    /* unless it is the last */
	PU_AUTONAT_CHUNK = 4000,       /* what we send: rust reads 4104 bytes with all around */
	PU_AUTONAT_DATA_MIN = 30000,   /* dial data that is asked for in all */
	PU_AUTONAT_DATA_MAX = 100000,
};

/* Answer to a request as a whole. */
enum pu_autonat_status {
	PU_AUTONAT_INTERNAL = 0,
	PU_AUTONAT_REJECTED = 100, /* too many, come back later */
	PU_AUTONAT_REFUSED = 101,  /* none of the addresses will be dialled */
	PU_AUTONAT_OK = 200,
};

/* What became of the address that was dialled. */
enum pu_autonat_dial {
	PU_AUTONAT_DIAL_UNUSED = 0,
	PU_AUTONAT_DIAL_ERROR = 100,
	PU_AUTONAT_DIAL_BACK_ERROR = 101, /* connected, but the nonce was not taken */
	PU_AUTONAT_DIAL_OK = 200,
};

enum pu_autonat_type {
	PU_AUTONAT_REQUEST,
	PU_AUTONAT_RESPONSE,
	PU_AUTONAT_DATA_REQUEST,
	PU_AUTONAT_DATA,
};

struct pu_autonat_message {
	enum pu_autonat_type type;
	uint64_t nonce;                                 /* REQUEST */
	struct pu_multiaddr addrs[PU_AUTONAT_ADDRS_MAX]; /* empty where we cannot read it */
	size_t n_addrs;
	uint32_t status, dial; /* RESPONSE: whatever numbers the peer sent */
	uint32_t idx;          /* RESPONSE, DATA_REQUEST */
	uint64_t n_bytes;      /* DATA_REQUEST, DATA (how many there were) */
};

/* PU_EPROTO: malformed, too long, or none of the four. */
int pu_autonat_message_decode(struct pu_bytes body, struct pu_autonat_message *out);
/* Appends with the length in front. PU_ELIMIT, PU_ENOMEM. DATA: zeros, as many as
 * n_bytes says (at most PU_AUTONAT_CHUNK_MAX). */
int pu_autonat_message_encode(const struct pu_autonat_message *m, struct pu_buf *out);

/* On the stream of the dial-back. */
int pu_autonat_back_decode(struct pu_bytes body, uint64_t *pnonce);
int pu_autonat_back_encode(uint64_t nonce, struct pu_buf *out);
int pu_autonat_back_response_decode(struct pu_bytes body, uint32_t *pstatus);
int pu_autonat_back_response_encode(struct pu_buf *out);

/* Encodes and writes; PU_ELIMIT when the stream has no room for all of it. */
int pu_autonat_message_write(struct pu_stream *st, const struct pu_autonat_message *m);

#endif
