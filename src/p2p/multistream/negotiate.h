/* multistream-select 1.0: two ends agree on the protocol of a byte stream, be it a
 * connection (security, muxer) or one stream. Pure computation: bytes in, bytes
 * out. A line is uvarint(length + 1) ‖ text ‖ "\n".
 *
 * Rules for the caller
 *  - Whole lines are consumed and nothing else: an incomplete line stays with the
 *    caller, who offers it again together with what follows. Bytes behind the last
 *    line of a finished negotiation are payload already.
 *  - What is appended to out is to be sent, also when the call failed.
 *  - PU_ENOPROTO as initiator: reset the stream. Closing it gracefully would leave
 *    the peer waiting for another proposal.
 *  - Lazy initiator: payload may be sent right behind what pu_multistream_initiate()
 *    wrote; the reply is checked when it comes. Before such a stream is closed the
 *    reply must have been read. Only for a protocol that the peer is known to speak.
 *  - Responder: when the echo cannot be sent because the peer stopped reading, the
 *    payload is still to be delivered.
 *  - End of input or a deadline (10 s) before the end is the caller's business. */
#ifndef PU_P2P_MULTISTREAM_NEGOTIATE_H
#define PU_P2P_MULTISTREAM_NEGOTIATE_H

#include "base/buf.h"

enum {
	PU_MULTISTREAM_LINE_MAX = 1024, /* text and newline of an accepted line */
	PU_MULTISTREAM_NAME_MAX = 255,  /* of a protocol that we can agree on */
	PU_MULTISTREAM_PROPOSALS_MAX = 16,
	PU_MULTISTREAM_OUT_MAX = 512, /* most that one call appends */
};

/* True when we speak the protocol. The name is made of printable ASCII and is
 * 1 to PU_MULTISTREAM_NAME_MAX bytes long; not terminated, borrowed until return. */
typedef bool pu_multistream_supports_fn(void *arg, struct pu_bytes name);

enum pu_multistream_state {
	PU_MULTISTREAM_HEADER, /* the peer's header line is next */
	PU_MULTISTREAM_REPLY,  /* initiator: echo or "na" is next */
	PU_MULTISTREAM_PROPOSAL, /* responder: a proposal is next */
	PU_MULTISTREAM_DONE,
	PU_MULTISTREAM_FAILED,
};

/* One negotiation. Embed it; there is nothing to free. */
struct pu_multistream {
	enum pu_multistream_state state;
	bool initiator, lazy;
	int err;                              /* why it failed */
	unsigned n_proposals;                 /* responder: heard so far */
	const char *const *proposal;          /* initiator: the one on the wire */
	pu_multistream_supports_fn *supports; /* responder */
	void *arg;
	char name[PU_MULTISTREAM_NAME_MAX + 1]; /* responder: what was agreed */
};

/* Appends our header and the first proposal to out. protocols: NULL-terminated, not
 * empty, in order of preference, valid until the negotiation ends (the strings as
 * long as the result is used). lazy: the caller will send payload at once; sound
 * only with a single protocol. PU_EINVAL: empty list, bad name, lazy with several;
 * PU_ELIMIT, PU_ENOMEM from out. */
int pu_multistream_initiate(struct pu_multistream *ms, const char *const *protocols, bool lazy,
			    struct pu_buf *out);
/* Appends our header to out, without waiting for theirs. PU_ELIMIT, PU_ENOMEM. */
int pu_multistream_respond(struct pu_multistream *ms, pu_multistream_supports_fn *supports,
			   void *arg, struct pu_buf *out);

/* Reads lines from in. *pused: bytes consumed, set in every case.
 * 0: agreed, see pu_multistream_protocol(); PU_EAGAIN: more input needed;
 * PU_ENOPROTO: initiator, the peer speaks none of the list; PU_ELIMIT: responder, too
 * many proposals (or no room in out); PU_EPROTO: malformed; PU_ENOMEM. After 0 or
 * a failure the same is returned again and nothing is consumed. */
int pu_multistream_recv(struct pu_multistream *ms, struct pu_bytes in, size_t *pused,
			struct pu_buf *out);

/* The protocol agreed on, a string of the initiator's list or inside ms; NULL
 * before. For a lazy initiator the one proposed, from the start. */
const char *pu_multistream_protocol(const struct pu_multistream *ms);

#endif
