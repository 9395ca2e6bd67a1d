/* A tree of a config file → a struct, as a table says. Knows no option by name. */
#ifndef PU_DAEMON_CONFIG_FILL_H
#define PU_DAEMON_CONFIG_FILL_H

#include "daemon/config_schema.h"
#include "daemon/config_tree.h"

/* Sets the defaults in *out (zeroed, of the schema's type), then what the tree says
 * (root NULL: nothing). dir: for relative paths. What is wrong goes to diags and is no
 * error here; PU_ENOMEM. pu_config_fill_free() in any case. */
int pu_config_fill(const struct pu_config_schema *s, const struct pu_config_node *root,
		   const char *dir, void *out, struct pu_config_diags *diags);
/* Frees what *out owns, not *out. */
void pu_config_fill_free(const struct pu_config_schema *s, void *out);

#endif
