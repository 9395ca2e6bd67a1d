/* What the versions of the handshake share; see overlay/invite/handshake.h. */
#ifndef PU_OVERLAY_INVITE_HANDSHAKE_INTERNAL_H
#define PU_OVERLAY_INVITE_HANDSHAKE_INTERNAL_H

#include "crypto/cpace.h"
#include "crypto/dh.h"
#include "crypto/hash.h"
#include "crypto/seal.h"
#include "overlay/invite/handshake.h"

enum { PU_HANDSHAKE_PREFIX_LEN = 2 }; /* length in front of a message, big-endian */

/* What we wait for. Both versions and both roles go through the same states. */
enum pu_handshake_state {
	PU_HANDSHAKE_IDLE,     /* joiner: for pu_handshake_start() */
	PU_HANDSHAKE_SHARE,    /* the other's public key or share */
	PU_HANDSHAKE_PROOF,    /* what shows that the other has the same code */
	PU_HANDSHAKE_DECIDING, /* pu_handshake_accept() or _refuse() */
	PU_HANDSHAKE_LAST,     /* version 3: the other's word that it is done */
	PU_HANDSHAKE_OVER,
};

struct pu_handshake_v1 {
	uint8_t secret[PU_DH_LEN];
	uint8_t key[PU_SEAL_KEY_LEN];
};

/* Keys of version 3; each seals one message, or proves one. */
enum pu_handshake_key {
	PU_HANDSHAKE_KEY_PROOF, /* of the joiner; the inviter's is the next one, and so on */
	PU_HANDSHAKE_KEY_FIRST = 2,
	PU_HANDSHAKE_KEY_LAST = 4,
	PU_HANDSHAKE_KEYS = 6,
};

struct pu_handshake_v3 {
	struct pu_cpace cpace;
	uint8_t transcript[PU_SHA256_LEN];
	uint8_t key[PU_HANDSHAKE_KEYS][PU_SEAL_KEY_LEN];
};

struct pu_handshake {
	const struct pu_handshake_version *version;
	enum pu_handshake_state state;
	bool inviter;
	bool eof;       /* the other side will say no more */
	bool gone;      /* freed by its owner; depth tells when it really goes */
	unsigned depth; /* of our functions that are running */
	struct pu_code code;
	struct pu_peerid self, peer;
	struct pu_introduction us, them;
	void (*random)(void *arg, uint8_t *p, size_t len);
	const struct pu_handshake_events *ev;
	void *arg;
	struct pu_buf in;
	union {
		struct pu_handshake_v1 v1;
		struct pu_handshake_v3 v3;
	};
};

/* Every function that returns an int tells by it that the handshake failed; PU_ECANCELED:
 * silently. They set the next state before they call an event, last of all. */
struct pu_handshake_version {
	int (*init)(struct pu_handshake *h);
	/* The joiner's first words. */
	int (*start)(struct pu_handshake *h);
	/* How long the message is that starts with in, and where its body begins. PU_EAGAIN. */
	int (*frame)(const struct pu_handshake *h, struct pu_bytes in, size_t *pat, size_t *plen);
	int (*on_share)(struct pu_handshake *h, struct pu_bytes msg);
	int (*on_proof)(struct pu_handshake *h, struct pu_bytes msg);
	int (*on_last)(struct pu_handshake *h, struct pu_bytes msg);
	int (*accept)(struct pu_handshake *h);
	int (*refuse)(struct pu_handshake *h, const char *text);
};

extern const struct pu_handshake_version pu_handshake_version_1;
extern const struct pu_handshake_version pu_handshake_version_3;

/* Length in front, then that many bytes. PU_EAGAIN, PU_EPROTO: less than min or more than
 * PU_HANDSHAKE_MESSAGE_MAX. */
int pu_handshake_frame(struct pu_bytes in, size_t min, size_t *pat, size_t *plen);

/* Events, unless the owner is gone or has heard that it is over. */
void pu_handshake_send(struct pu_handshake *h, const uint8_t *p, size_t len);
bool pu_handshake_may_guess(struct pu_handshake *h);
void pu_handshake_proven(struct pu_handshake *h);
void pu_handshake_done(struct pu_handshake *h);
void pu_handshake_failed(struct pu_handshake *h, int err, const char *text);

#endif
