/* The folder that received files go to. Nothing is ever written outside it, whatever the names
 * are and whoever moves things there meanwhile; nothing that exists is replaced unless asked. A
 * file that is not complete lies beside its place as ".peerup-<…>.part". */
#ifndef PU_CLI_FILES_STORE_H
#define PU_CLI_FILES_STORE_H

#include "cli/files_conn.h"

enum { PU_FILES_RESERVE = 64 * 1024 * 1024 }; /* bytes of the disk that stay free */

struct pu_files_store {
	int root;
	bool overwrite;
	char sender[128]; /* parts of one sender are no other's; its peer ID */
};

/* What is there already of an entry. */
struct pu_files_found {
	enum pu_files_status status; /* OK, or why it cannot be taken */
	bool complete; /* a file of that size; otherwise a part */
	uint64_t have;
	uint8_t hash[PU_BLAKE2B_LEN]; /* of that many bytes */
};

/* A file that is being written. */
struct pu_files_slot {
	int dir, fd; /* -1: none */
	const struct pu_files_entry *entry;
	char name[PU_FILES_NAME_MAX + 1];
	char part[64];
	uint64_t at;
	struct pu_blake2b hash;
};

/* Opens the folder, which must exist. Errors of the system. */
int pu_files_store_open(struct pu_files_store *s, const char *dir, const char *sender,
			bool overwrite);
void pu_files_store_close(struct pu_files_store *s);
/* Bytes that may still be written; UINT64_MAX when the system does not say. */
uint64_t pu_files_store_room(const struct pu_files_store *s);

/* Makes a folder, or finds out about a file. c is kept patient. < 0: as
 * pu_files_conn_busy(). */
int pu_files_store_look(const struct pu_files_store *s, const struct pu_files_entry *e,
			struct pu_files_conn *c, struct pu_files_found *out);

void pu_files_slot_init(struct pu_files_slot *t);
/* Keeps the part for a later transfer. */
void pu_files_slot_keep(struct pu_files_slot *t);
/* Begins, or goes on behind offset bytes of the part. *pstatus: OK, or why not. < 0: as
 * pu_files_conn_busy(). */
int pu_files_slot_open(struct pu_files_slot *t, const struct pu_files_store *s,
		       const struct pu_files_entry *e, uint64_t offset, struct pu_files_conn *c,
		       enum pu_files_status *pstatus);
enum pu_files_status pu_files_slot_write(struct pu_files_slot *t, struct pu_bytes b);
/* The content is complete: if its hash is that, it gets its name, durably. as: the name that
 * it got. Otherwise the part is removed. */
enum pu_files_status pu_files_slot_finish(struct pu_files_slot *t, const struct pu_files_store *s,
					  const uint8_t hash[PU_BLAKE2B_LEN],
					  char as[PU_FILES_NAME_MAX + 1]);
/* The content is worthless. */
void pu_files_slot_drop(struct pu_files_slot *t);

#endif
