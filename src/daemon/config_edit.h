/* In-place edits of the config file by commands: comments, unknown keys, order and
 * layout of everything else stay as they are.
 *
 * Places are paths of keys ending in NULL: { "names", "home", NULL }. Each edit is
 * checked: afterwards the file must say exactly what it said before, but for the one
 * place. What cannot be done that way (anchors, tags, exotic layout) is refused with
 * PU_ENOTSUP and the text stays as it was. */
#ifndef PU_DAEMON_CONFIG_EDIT_H
#define PU_DAEMON_CONFIG_EDIT_H

#include "daemon/config.h"

enum {
	PU_CONFIG_EDIT_DEPTH = 6, /* keys in a path */
	PU_CONFIG_EDIT_WAIT_MS = 3000,
};

struct pu_config_edit;

/* Reads the file; it must be valid YAML with private permissions, errors as
 * pu_config_load(). Until it is closed other edits of files in that folder wait (the lock of
 * base/filelock.h on the folder), so that none of them is lost; PU_ETIMEDOUT when they hold it
 * for PU_CONFIG_EDIT_WAIT_MS. */
int pu_config_edit_open(const char *path, struct pu_config_edit **pe,
			struct pu_config_diags *diags);
/* The same for who holds that lock already. */
int pu_config_edit_open_held(const char *path, struct pu_config_edit **pe,
			     struct pu_config_diags *diags);
/* The same on text in memory, which cannot be committed. */
int pu_config_edit_open_text(struct pu_bytes text, struct pu_config_edit **pe,
			     struct pu_config_diags *diags);
void pu_config_edit_close(struct pu_config_edit *e);

/* Sets a scalar, adding missing sections. quoted: write "value". PU_EINVAL: the value
 * has control characters; PU_ENOTSUP; PU_ENOMEM. */
int pu_config_edit_set(struct pu_config_edit *e, const char *const *path, const char *value,
		       bool quoted);
/* Removes the key with all below it; an emptied map becomes {}. PU_ENOENT. */
int pu_config_edit_remove(struct pu_config_edit *e, const char *const *path);
/* Appends a quoted item to the list, adding it if needed. PU_EEXIST: there already. */
int pu_config_edit_list_add(struct pu_config_edit *e, const char *const *path,
			    const char *value);
/* Removes the item; an emptied list becomes []. PU_ENOENT. */
int pu_config_edit_list_remove(struct pu_config_edit *e, const char *const *path,
			       const char *value);

bool pu_config_edit_has(const struct pu_config_edit *e, const char *const *path);
/* The text as it is now, valid until the next edit. */
struct pu_bytes pu_config_edit_text(const struct pu_config_edit *e);

/* Checks the result as the loader will, then replaces the file, mode 0600, same
 * owner. PU_ECONFIG with diags: the result would not be a valid configuration. */
int pu_config_edit_commit(struct pu_config_edit *e, struct pu_config_diags *diags);

#endif
