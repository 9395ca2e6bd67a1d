/* The hash of a file's beginning, while the other side waits. */
#ifndef PU_CLI_FILES_HASH_H
#define PU_CLI_FILES_HASH_H

#include "cli/files_conn.h"

/* Adds the next len bytes of fd. PU_EIO: there are not so many, or they cannot be read;
 * otherwise as pu_files_conn_busy(). */
int pu_files_hash_start(int fd, uint64_t len, struct pu_blake2b *h, struct pu_files_conn *c);

#endif
