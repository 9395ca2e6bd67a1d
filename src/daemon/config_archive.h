/* The configs that a program ran well with, kept beside the config for `config rollback`:
 * config.yaml → .config.last-good.yaml, and older ones .config.last-good.1.yaml … 4. */
#ifndef PU_DAEMON_CONFIG_ARCHIVE_H
#define PU_DAEMON_CONFIG_ARCHIVE_H

#include "base/file.h"

enum { PU_CONFIG_ARCHIVE_MAX = 5 };

/* Where the n-th copy of that config is, 0 the newest; out has cap bytes. PU_ELIMIT. */
int pu_config_archive_path(const char *config, unsigned n, char *out, size_t cap);
/* Keeps text as the newest copy, mode 0600, same owner as the config, unless the newest
 * is the same; the oldest goes. */
int pu_config_archive_save(const char *config, struct pu_bytes text);
/* The n-th copy; *ptext is the caller's, *psaved (may be NULL) Unix seconds.
 * PU_ENOENT: there is none. */
int pu_config_archive_read(const char *config, unsigned n, char **ptext, size_t *plen,
			   int64_t *psaved);
/* Puts the n-th copy back in place of the config. What stood there is kept as
 * .config.rejected.yaml. PU_ENOENT: there is no such copy. */
int pu_config_archive_restore(const char *config, unsigned n);

/* Writes a config or a file beside it: mode 0600, owned like the config that is there. */
int pu_config_archive_write(const char *config, const char *path, struct pu_bytes text);
/* Keeps the config as .config.rejected.yaml before it is replaced; one that is not there
 * is no error. */
int pu_config_archive_reject(const char *config);

#endif
