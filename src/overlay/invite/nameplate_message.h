/* Messages of /peerup/nameplate/1.0.0, with their length in front. */
#ifndef PU_OVERLAY_INVITE_NAMEPLATE_MESSAGE_H
#define PU_OVERLAY_INVITE_NAMEPLATE_MESSAGE_H

#include "base/buf.h"
#include "crypto/peerid.h"

enum {
	PU_NAMEPLATE_MESSAGE_MAX = 256, /* bytes without the length */
	PU_NAMEPLATE_FRAME_MAX = 264,   /* with it */
	PU_NAMEPLATE_NAME_MAX = 64,     /* of a name; what is longer is cut */
};

enum pu_nameplate_type {
	PU_NAMEPLATE_ALLOCATE = 1, /* number: wanted, or 0; seconds */
	PU_NAMEPLATE_NUMBER = 2,   /* its answer: status, number, seconds */
	PU_NAMEPLATE_LOOKUP = 3,   /* number */
	PU_NAMEPLATE_OWNER = 4,    /* its answer: status, peer */
	PU_NAMEPLATE_VOUCH = 5,    /* peer, name; on the stream of a number */
	PU_NAMEPLATE_VOUCHED = 6,  /* its answer: status, peer */
};

enum pu_nameplate_status {
	PU_NAMEPLATE_OK = 100,
	PU_NAMEPLATE_DENIED = 200,
	PU_NAMEPLATE_LIMIT = 201,
	PU_NAMEPLATE_UNKNOWN = 202, /* no such number */
	PU_NAMEPLATE_FAILED = 203,  /* could not be stored */
};

struct pu_nameplate_message {
	enum pu_nameplate_type type;
	uint32_t status; /* others than those above are failures, too */
	uint32_t number, seconds;
	struct pu_peerid peer;                /* empty: none */
	char name[PU_NAMEPLATE_NAME_MAX + 1]; /* without control characters */
};

/* Appends it. PU_ELIMIT: out is full; PU_ENOMEM. */
int pu_nameplate_message_append(const struct pu_nameplate_message *m, struct pu_buf *out);
/* The first message of in. PU_EAGAIN: more is needed; PU_EPROTO: malformed, or of a type that
 * we do not know. */
int pu_nameplate_message_split(struct pu_bytes in, struct pu_nameplate_message *m, size_t *pused);
/* The same with bytes as they come: so many are taken, in (as long as PU_NAMEPLATE_FRAME_MAX)
 * keeps the beginning of a message and is empty behind it. PU_ENOMEM, too. */
int pu_nameplate_message_feed(struct pu_buf *in, const uint8_t *p, size_t len,
			      struct pu_nameplate_message *m, size_t *ptaken);
/* What a status means for the one who asked: 0, PU_EDENIED, PU_ELIMIT, PU_ENOENT, or
 * PU_EPROTO for what we do not know, PU_ESYS: the other side could not store it. */
int pu_nameplate_message_err(uint32_t status);
/* The status that tells of that. */
enum pu_nameplate_status pu_nameplate_message_status(int err);

#endif
