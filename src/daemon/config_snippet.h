/* New text for a config file: keys, quoted values, blocks and flow collections. */
#ifndef PU_DAEMON_CONFIG_SNIPPET_H
#define PU_DAEMON_CONFIG_SNIPPET_H

#include "base/buf.h"

enum { PU_CONFIG_INDENT = 2 }; /* of new blocks */

/* Growing text; the first failure sticks in err. b is initialised by the caller. */
struct pu_config_snippet {
	struct pu_buf b;
	int err;
};

/* What is to be written at a place. */
struct pu_config_new {
	const char *text; /* without control characters */
	bool quoted;
	bool item; /* of a list */
};

/* Number of keys in a path that ends in NULL. */
size_t pu_config_path_len(const char *const *path);

void pu_config_snippet_bytes(struct pu_config_snippet *s, const char *p, size_t n);
void pu_config_snippet_text(struct pu_config_snippet *s, const char *p);
void pu_config_snippet_value(struct pu_config_snippet *s, const struct pu_config_new *v);
/* "a:\n  b: value\n" for the keys of path, the first line at indent. */
void pu_config_snippet_block(struct pu_config_snippet *s, const char *const *path,
			     const struct pu_config_new *v, size_t indent);
/* "a: {b: value}" for the keys of path. */
void pu_config_snippet_flow(struct pu_config_snippet *s, const char *const *path,
			    const struct pu_config_new *v);

#endif
