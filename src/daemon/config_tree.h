/* YAML text → a tree of nodes that know where they stand in the text. The only file
 * that talks to libyaml. Bounded in size, depth, nodes and aliases; an alias is a
 * node of its own that points to its target, so nothing is ever expanded. */
#ifndef PU_DAEMON_CONFIG_TREE_H
#define PU_DAEMON_CONFIG_TREE_H

#include "daemon/config.h"

enum {
	PU_CONFIG_DEPTH_MAX = 16,
	PU_CONFIG_NODES_MAX = 65536,
	PU_CONFIG_ALIASES_MAX = 256,
};

enum pu_config_kind { PU_CONFIG_SCALAR, PU_CONFIG_SEQUENCE, PU_CONFIG_MAPPING, PU_CONFIG_ALIAS };

struct pu_config_mark {
	size_t offset; /* bytes from the start of the text */
	unsigned line, column; /* from 1; columns count characters */
};

struct pu_config_node {
	enum pu_config_kind kind;
	bool flow;  /* [a, b] or {a: b} */
	bool plain; /* scalar without quotes */
	bool named; /* carries an anchor or a tag */
	struct pu_config_mark start, end;
	char *text; /* scalars: value with terminator */
	size_t len;
	/* Sequences: items. Mappings: key, value, key, value … */
	struct pu_config_node **child;
	size_t n;
	struct pu_config_node *target; /* aliases */
	struct pu_config_node *next;   /* of all nodes of the tree, newest first */
};

struct pu_config_tree {
	struct pu_config_node *root; /* NULL for a file without content */
	struct pu_config_node *all;
	size_t n_nodes;
};

/* PU_ECONFIG (diags says where): not YAML, beyond a limit, more than one document,
 * duplicate or non-scalar keys. PU_ENOMEM. */
int pu_config_tree_parse(struct pu_bytes text, struct pu_config_tree *tree,
			 struct pu_config_diags *diags);
void pu_config_tree_deinit(struct pu_config_tree *tree);

/* The node itself, or what an alias points to. */
const struct pu_config_node *pu_config_node_real(const struct pu_config_node *n);
/* A plain empty, ~ or null scalar, or no node at all. */
bool pu_config_node_is_null(const struct pu_config_node *n);
/* Value of key in a mapping, NULL when absent; *pkey (may be NULL): the key's node. */
struct pu_config_node *pu_config_node_get(const struct pu_config_node *map, const char *key,
					  struct pu_config_node **pkey);
/* Offset just behind the last character that belongs to the node (block
 * collections end before comments and blank lines that follow). */
size_t pu_config_node_end(const struct pu_config_node *n);

#endif
