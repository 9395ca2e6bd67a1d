/* The last config that a program started with, kept beside it for `config rollback`
 * config.yaml → .config.last-good.yaml. */
#ifndef PU_DAEMON_CONFIG_ARCHIVE_H
#define PU_DAEMON_CONFIG_ARCHIVE_H

#include "base/file.h"

/* Where the copy of that config is; out has cap bytes. PU_ELIMIT. */
int pu_config_archive_path(const char *config, char *out, size_t cap);
/* Keeps a copy, mode 0600, same owner as the config. */
int pu_config_archive_save(const char *config);
/* Puts the copy back in place of the config. PU_ENOENT: there is none. */
int pu_config_archive_restore(const char *config);

#endif
