/* The text being edited, below the edits themselves: config_edit_text.c keeps text
 * and tree together, config_edit.c decides what to cut and what to insert. */
#ifndef PU_DAEMON_CONFIG_EDIT_INTERNAL_H
#define PU_DAEMON_CONFIG_EDIT_INTERNAL_H

#include "base/buf.h"
#include "base/file.h"
#include "daemon/config_edit.h"
#include "daemon/config_tree.h"

struct pu_config_edit {
	char *path; /* NULL: text only */
	int lock;   /* of the folder, -1: none */
	struct pu_file_owner owner;
	struct pu_buf text;
	struct pu_config_tree tree; /* of text; never the text's owner */
};

/* Replaces text[from, to) by with, if the result is YAML that says the same as before
 * but for the value at path; PU_ENOTSUP otherwise. Nodes of the old tree are gone
 * afterwards. */
int pu_config_edit_splice(struct pu_config_edit *e, size_t from, size_t to,
			  struct pu_bytes with, const char *const *path);

#endif
