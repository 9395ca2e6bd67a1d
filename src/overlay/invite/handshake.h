/* The conversation of inviter and joiner, as bytes in and bytes out: no streams, no files, no
 * clock. docs/protocols/invite.md has the messages.
 *
 *   /peerup/invite/1.0.0   as peer-up speaks it: X25519 with the token mixed in, joiner's
 *                          name, inviter's name. Nobody confirms; the token has 64 bits.
 *   /peerup/invite/3.0.0   CPace with the words as password; the channel is both peer IDs.
 *                          The joiner proves first, so that an inviter never confirms a
 *                          guess; then names, rights and addresses, sealed; then the joiner
 *                          says that it has stored them.
 *
 * Order of events at the inviter: on_guess (before anything that depends on the password
 * leaves), then on_proven or a failure; it stores the joiner for a short while, answers with
 * pu_handshake_accept(), and on_done when the joiner has it too: stores it for good. Version 1
 * has no such last word: on_done comes with the answer. At the joiner: on_proven with what the
 * inviter granted; it stores that, then pu_handshake_accept(); on_done when the
 * other side must have got it. */
#ifndef PU_OVERLAY_INVITE_HANDSHAKE_H
#define PU_OVERLAY_INVITE_HANDSHAKE_H

#include "base/buf.h"
#include "overlay/invite/code.h"
#include "overlay/member.h"

#define PU_INVITE_PROTOCOL_V1 "/peerup/invite/1.0.0"
#define PU_INVITE_PROTOCOL_V3 "/peerup/invite/3.0.0"

enum {
	PU_HANDSHAKE_NAME_MAX = 255,    /* bytes of a name on the wire */
	PU_HANDSHAKE_RELAYS_MAX = 8,
	PU_HANDSHAKE_ADDRS_MAX = 16,
	PU_HANDSHAKE_MESSAGE_MAX = 4096, /* sealed, as on the wire */
	PU_HANDSHAKE_REFUSAL_MAX = 200, /* bytes of what a refusal says; the receiver replaces
					 * all but printable ASCII */
};

/* What one side tells the other about itself once the password is proven. */
struct pu_introduction {
	char name[PU_HANDSHAKE_NAME_MAX + 1]; /* as sent; may hold anything but NUL: clean it */
	enum pu_access access;                /* granted to the other; services in version 1 */
	char network[PU_CODE_NETWORK_MAX + 1];
	struct pu_multiaddr relay[PU_HANDSHAKE_RELAYS_MAX]; /* with /p2p/ID; those we use */
	size_t n_relays;
	struct pu_multiaddr addr[PU_HANDSHAKE_ADDRS_MAX];   /* at which we listen */
	size_t n_addrs;
};

struct pu_handshake;

struct pu_handshake_events {
	/* Bytes for the other side, borrowed. */
	void (*send)(void *arg, const uint8_t *p, size_t len);
	/* Inviter: a guess is about to be answered. False: no more are allowed, end silently. */
	bool (*on_guess)(void *arg);
	/* The other side holds the code; peer is borrowed. May call pu_handshake_accept() or
	 * _refuse() from inside, or later. */
	void (*on_proven)(void *arg, const struct pu_introduction *peer);
	/* Over: both sides have stored the other. */
	void (*on_done)(void *arg);
	/* PU_EDENIED: wrong code, or (inviter) on_guess said no, or (joiner) the other side ended,
	 * which is all it says about a wrong code. PU_EREFUSED: the right code, but the other
	 * side could not store us; text says why. PU_EEOF: the inviter: the joiner went away; the
	 * joiner: the inviter went away after we had accepted, so that it may not know it; what
	 * we have stored stays, and the inviter will store us for good when we come as a member
	 * before its short while is over. PU_EPROTO, PU_ENOMEM. text is NULL otherwise. */
	void (*on_failed)(void *arg, int err, const char *text);
};

struct pu_handshake_options {
	bool inviter;
	enum pu_code_version version; /* 1 or 3 */
	const struct pu_code *code;   /* token, or number and password; copied */
	struct pu_peerid self, peer;
	const struct pu_introduction *us; /* copied */
	void (*random)(void *arg, uint8_t *p, size_t len);
	const struct pu_handshake_events *ev;
	void *arg;
};

int pu_handshake_new(const struct pu_handshake_options *opt, struct pu_handshake **ph);
/* The joiner speaks first. */
void pu_handshake_start(struct pu_handshake *h);
/* Bytes as they came; any chunking. Freeing h from inside a callback is fine. */
void pu_handshake_recv(struct pu_handshake *h, const uint8_t *p, size_t len);
/* The other side ended its direction. */
void pu_handshake_eof(struct pu_handshake *h);
/* What on_proven told is stored. */
void pu_handshake_accept(struct pu_handshake *h);
/* It could not be: text (short, for the person on the other side) is sent. */
void pu_handshake_refuse(struct pu_handshake *h, const char *text);
/* Wipes its secrets. NULL is fine. */
void pu_handshake_free(struct pu_handshake *h);

#endif
