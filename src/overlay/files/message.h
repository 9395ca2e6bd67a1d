/* /peerup/files/1.0.0 (docs/protocols/files.md): its messages, each with its length in front.
 *
 *   sender    OFFER, ENTRY…            then for every file that is wanted, in order:
 *             START, DATA…, END        or SAME (the copy there is right), or GONE;
 *             DONE
 *   receiver  ACCEPT or FAIL, then ANSWER for every entry, in order; ACK for every START,
 *             SAME and GONE, in order; DONE
 *
 * Either may say WAIT, which means nothing, and FAIL, which ends it. */
#ifndef PU_OVERLAY_FILES_MESSAGE_H
#define PU_OVERLAY_FILES_MESSAGE_H

#include "base/buf.h"
#include "crypto/hash.h"
#include "overlay/files/manifest.h"

enum {
	PU_FILES_MESSAGE_MAX = 64 * 1024,
	PU_FILES_DATA_MAX = 60 * 1024, /* of one DATA */
	PU_FILES_UNACKED_MAX = 64,     /* files that the sender sends ahead of their ACKs */
};

enum pu_files_type {
	PU_FILES_OFFER = 1,  /* count: entries, size: bytes of all */
	PU_FILES_ENTRY = 2,  /* entry */
	PU_FILES_ACCEPT = 3,
	PU_FILES_ANSWER = 4, /* index, status: OK: size bytes are there already, whose hash is
			      * hash; otherwise why it is not wanted */
	PU_FILES_START = 5,  /* index, size: the offset from which DATA follows */
	PU_FILES_DATA = 6,   /* data, not empty */
	PU_FILES_END = 7,    /* status; OK: hash of the whole file */
	PU_FILES_SAME = 8,   /* index */
	PU_FILES_GONE = 9,   /* index: the sender cannot read it any more */
	PU_FILES_ACK = 10,   /* index, status */
	PU_FILES_DONE = 11,
	PU_FILES_WAIT = 12,
	PU_FILES_FAIL = 13,  /* status */
};

/* What became of a file, or why a transfer ends. Numbers of the wire. */
enum pu_files_status {
	PU_FILES_OK = 0,
	PU_FILES_DECLINED = 1, /* the person, or the command's flags, said no */
	PU_FILES_TOO_BIG = 2,  /* beyond --max-size */
	PU_FILES_NO_SPACE = 3, /* the disk is full, or would be */
	PU_FILES_NO_ACCESS = 4, /* the receiver may not write there */
	PU_FILES_IN_THE_WAY = 5, /* something else than a file or folder has that name */
	PU_FILES_CHANGED = 6,  /* the sender's file changed while it was sent */
	PU_FILES_DAMAGED = 7,  /* what arrived is not what was sent */
	PU_FILES_BROKEN = 8,   /* against the protocol */
	PU_FILES_IO = 9,       /* the disk failed */
	PU_FILES_STOPPED = 10, /* by its user */
	PU_FILES_LIMIT = 11,   /* too many files, too long names */
	PU_FILES_UNREADABLE = 12, /* at the sender */
	PU_FILES_STATUS_MAX = 12,
};
/* For people, never NULL. */
const char *pu_files_status_text(enum pu_files_status s);
/* For programs: "declined". */
const char *pu_files_status_name(enum pu_files_status s);

struct pu_files_message {
	enum pu_files_type type;
	uint32_t index, count;
	uint64_t size;
	enum pu_files_status status;
	uint8_t hash[PU_BLAKE2B_LEN];
	struct pu_files_entry entry; /* without path */
	struct pu_bytes path;        /* of entry; borrowed from the input */
	struct pu_bytes data;        /* borrowed */
};

/* Appends it with its length. PU_ELIMIT: it has no room there; PU_ENOMEM. */
int pu_files_message_write(const struct pu_files_message *m, struct pu_buf *out);
/* The first message of in; *pused counts its length too. Members that its type does not have
 * are zero. PU_EAGAIN: more is needed; PU_E2BIG: longer than PU_FILES_MESSAGE_MAX; PU_EPROTO. */
int pu_files_message_read(struct pu_bytes in, struct pu_files_message *m, size_t *pused);

#endif
