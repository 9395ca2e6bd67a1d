/* Names of the files that stand beside a config: config.yaml → .config.last-good.yaml. */
#ifndef PU_DAEMON_CONFIG_SIBLING_H
#define PU_DAEMON_CONFIG_SIBLING_H

#include "base/bytes.h"

/* dir/.<name>.<what><extension> for a config dir/<name><extension>; without its extension
 * when bare. out has cap bytes. PU_ELIMIT. */
int pu_config_sibling(const char *config, const char *what, bool bare, char *out, size_t cap);
/* Removes that file, and the removal survives a power cut. PU_ENOENT, … */
int pu_config_sibling_remove(const char *path);

#endif
