#include "daemon/config_tree.h"

#include <stdlib.h>
#include <yaml.h>

#include "base/err.h"
#include "base/htab.h"

struct anchor {
	char *name;
	struct pu_config_node *node;
};

struct builder {
	yaml_parser_t parser;
	struct pu_bytes text;
	struct pu_config_tree *tree;
	struct pu_config_diags *diags;
	struct pu_config_node *open[PU_CONFIG_DEPTH_MAX]; /* collections being filled */
	size_t depth;
	struct anchor *anchors;
	size_t n_anchors, n_aliases, n_documents;
	size_t at_index, at_offset; /* last character index and its byte offset */
};

/* libyaml counts characters; we cut bytes. Marks come nearly in order, so a cursor
 * that walks either way is enough. */
static size_t byte_offset(struct builder *b, size_t index)
{
	const uint8_t *p = b->text.p;
	size_t off = b->at_offset, i = b->at_index;

	while (i < index && off < b->text.len) {
		off++;
		while (off < b->text.len && (p[off] & 0xc0) == 0x80)
			off++;
		i++;
	}
	while (i > index && off > 0) {
		off--;
		while (off > 0 && (p[off] & 0xc0) == 0x80)
			off--;
		i--;
	}
	b->at_offset = off;
	b->at_index = i;
	return off;
}

static struct pu_config_mark mark(struct builder *b, const yaml_mark_t *m)
{
	return (struct pu_config_mark){ .offset = byte_offset(b, m->index),
					.line = (unsigned)m->line + 1,
					.column = (unsigned)m->column + 1 };
}

static int fail(struct builder *b, const yaml_mark_t *m, const char *text)
{
	pu_config_diags_add(b->diags, false, (unsigned)m->line + 1, (unsigned)m->column + 1, "%s",
			    text);
	return PU_ECONFIG;
}

static int syntax_error(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	const yaml_mark_t *m = &p->problem_mark;

	if (p->error == YAML_MEMORY_ERROR)
		return PU_ENOMEM;
	if (p->error == YAML_READER_ERROR) {
		pu_config_diags_add(b->diags, false, (unsigned)p->mark.line + 1, 0,
				    "not a text file in UTF-8: %s at byte %zu", p->problem,
				    p->problem_offset);
		return PU_ECONFIG;
	}
	pu_config_diags_add(b->diags, false, (unsigned)m->line + 1, (unsigned)m->column + 1,
			    "not valid YAML: %s%s%s", p->context ? p->context : "",
			    p->context ? ": " : "", p->problem ? p->problem : "unknown problem");
	return PU_ECONFIG;
}

static int add_child(struct pu_config_node *parent, struct pu_config_node *n)
{
	struct pu_config_node **grown;

	if ((parent->n & (parent->n - 1)) == 0) { /* full at each power of two */
		grown = realloc(parent->child,
				(parent->n ? 2 * parent->n : 1) * sizeof *parent->child);
		if (!grown)
			return PU_ENOMEM;
		parent->child = grown;
	}
	parent->child[parent->n++] = n;
	return 0;
}

static int new_node(struct builder *b, enum pu_config_kind kind, const yaml_event_t *e,
		    struct pu_config_node **pn)
{
	struct pu_config_node *n, *parent = b->depth ? b->open[b->depth - 1] : NULL;

	if (b->tree->n_nodes >= PU_CONFIG_NODES_MAX)
		return fail(b, &e->start_mark, "too many entries in one file");
	if (parent && parent->kind == PU_CONFIG_MAPPING && parent->n % 2 == 0 &&
	    kind != PU_CONFIG_SCALAR)
		return fail(b, &e->start_mark, "a key must be a plain word or string");
	n = calloc(1, sizeof *n);
	if (!n)
		return PU_ENOMEM;
	n->kind = kind;
	n->start = mark(b, &e->start_mark);
	n->end = mark(b, &e->end_mark);
	n->next = b->tree->all;
	b->tree->all = n;
	b->tree->n_nodes++;
	*pn = n;
	if (parent)
		return add_child(parent, n);
	b->tree->root = n;
	return 0;
}

static int set_anchor(struct builder *b, const yaml_char_t *name, struct pu_config_node *n)
{
	struct anchor *grown;

	if (!name)
		return 0;
	n->named = true;
	grown = realloc(b->anchors, (b->n_anchors + 1) * sizeof *grown);
	if (!grown)
		return PU_ENOMEM;
	b->anchors = grown;
	grown[b->n_anchors].node = n;
	grown[b->n_anchors].name = strdup((const char *)name);
	if (!grown[b->n_anchors].name)
		return PU_ENOMEM;
	b->n_anchors++;
	return 0;
}

static int on_scalar(struct builder *b, const yaml_event_t *e)
{
	struct pu_config_node *n;
	int r = new_node(b, PU_CONFIG_SCALAR, e, &n);

	if (r < 0)
		return r;
	n->len = e->data.scalar.length;
	n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->named = e->data.scalar.tag != NULL;
	n->text = malloc(n->len + 1);
	if (!n->text)
		return PU_ENOMEM;
	memcpy(n->text, e->data.scalar.value, n->len);
	n->text[n->len] = '\0';
	if (memchr(n->text, '\0', n->len))
		return fail(b, &e->start_mark, "a zero character is not allowed in a value");
	return set_anchor(b, e->data.scalar.anchor, n);
}

static int on_start(struct builder *b, const yaml_event_t *e, bool map)
{
	struct pu_config_node *n;
	int r;

	if (b->depth == PU_CONFIG_DEPTH_MAX)
		return fail(b, &e->start_mark, "nested too deeply");
	r = new_node(b, map ? PU_CONFIG_MAPPING : PU_CONFIG_SEQUENCE, e, &n);
	if (r < 0)
		return r;
	b->open[b->depth++] = n;
	if (map) {
		n->flow = e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
		n->named = e->data.mapping_start.tag != NULL;
		return set_anchor(b, e->data.mapping_start.anchor, n);
	}
	n->flow = e->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
	n->named = e->data.sequence_start.tag != NULL;
	return set_anchor(b, e->data.sequence_start.anchor, n);
}

static int on_alias(struct builder *b, const yaml_event_t *e)
{
	struct pu_config_node *n;
	int r;

	if (++b->n_aliases > PU_CONFIG_ALIASES_MAX)
		return fail(b, &e->start_mark, "too many aliases");
	r = new_node(b, PU_CONFIG_ALIAS, e, &n);
	if (r < 0)
		return r;
	for (size_t i = b->n_anchors; i-- > 0 && !n->target;)
		if (strcmp(b->anchors[i].name, (const char *)e->data.alias.anchor) == 0)
			n->target = b->anchors[i].node;
	if (!n->target)
		return fail(b, &e->start_mark, "this alias has no anchor before it");
	for (size_t i = 0; i < b->depth; i++)
		if (b->open[i] == n->target)
			return fail(b, &e->start_mark, "an alias must not contain itself");
	return 0;
}

struct seen_key {
	struct pu_hnode hn;
	const struct pu_config_node *key;
};

static int check_key(struct builder *b, struct pu_htab *t, struct seen_key *s,
		     const struct pu_config_node *key)
{
	uint64_t hash = pu_htab_hash(t, key->text, key->len);

	for (struct pu_hnode *h = pu_htab_first(t, hash); h; h = pu_htab_next(h)) {
		const struct pu_config_node *old =
			PU_CONTAINER_OF(h, struct seen_key, hn)->key;

		if (strcmp(old->text, key->text) == 0) {
			pu_config_diags_add(b->diags, false, key->start.line, key->start.column,
					    "%s: this key is already set in line %u", key->text,
					    old->start.line);
			return PU_ECONFIG;
		}
	}
	s->key = key;
	return pu_htab_add(t, &s->hn, hash);
}

static int check_duplicates(struct builder *b, const struct pu_config_node *map)
{
	static const uint8_t key[16]; /* the file is the user's own: no flooding */
	struct seen_key *seen = calloc(map->n / 2 + 1, sizeof *seen);
	struct pu_htab t;
	int r = 0;

	if (!seen)
		return PU_ENOMEM;
	pu_htab_init(&t, key);
	for (size_t i = 0; i < map->n && r == 0; i += 2) {
		r = check_key(b, &t, &seen[i / 2], map->child[i]);
		if (r == 0 && strcmp(map->child[i]->text, "<<") == 0 && map->child[i]->plain) {
			pu_config_diags_add(b->diags, false, map->child[i]->start.line,
					    map->child[i]->start.column,
					    "merge keys (<<) are not supported");
			r = PU_ECONFIG;
		}
	}
	pu_htab_deinit(&t);
	free(seen);
	return r;
}

static int on_end(struct builder *b, const yaml_event_t *e)
{
	struct pu_config_node *n = b->open[--b->depth];

	n->end = mark(b, &e->end_mark);
	return n->kind == PU_CONFIG_MAPPING ? check_duplicates(b, n) : 0;
}

static int on_event(struct builder *b, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return on_scalar(b, e);
	case YAML_SEQUENCE_START_EVENT:
		return on_start(b, e, false);
	case YAML_MAPPING_START_EVENT:
		return on_start(b, e, true);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_end(b, e);
	case YAML_ALIAS_EVENT:
		return on_alias(b, e);
	case YAML_DOCUMENT_START_EVENT:
		if (b->n_documents++ > 0)
			return fail(b, &e->start_mark, "more than one YAML document in the file");
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	}
	return 0;
}

static int run(struct builder *b)
{
	yaml_event_t e;
	bool done = false;
	int r = 0;

	while (r == 0 && !done) {
		if (!yaml_parser_parse(&b->parser, &e))
			return syntax_error(b);
		done = e.type == YAML_STREAM_END_EVENT;
		r = on_event(b, &e);
		yaml_event_delete(&e);
	}
	return r;
}

int pu_config_tree_parse(struct pu_bytes text, struct pu_config_tree *tree,
			 struct pu_config_diags *diags)
{
	struct builder b = { .text = text, .tree = tree, .diags = diags };
	int r;

	*tree = (struct pu_config_tree){ 0 };
	if (text.len > PU_CONFIG_FILE_MAX)
		return PU_E2BIG;
	if (!yaml_parser_initialize(&b.parser))
		return PU_ENOMEM;
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, text.p ? text.p : (const uint8_t *)"", text.len);
	r = run(&b);
	yaml_parser_delete(&b.parser);
	for (size_t i = 0; i < b.n_anchors; i++)
		free(b.anchors[i].name);
	free(b.anchors);
	if (r < 0)
		pu_config_tree_deinit(tree);
	return r;
}

void pu_config_tree_deinit(struct pu_config_tree *tree)
{
	struct pu_config_node *next;

	for (struct pu_config_node *n = tree->all; n; n = next) {
		next = n->next;
		free(n->text);
		free(n->child);
		free(n);
	}
	*tree = (struct pu_config_tree){ 0 };
}

const struct pu_config_node *pu_config_node_real(const struct pu_config_node *n)
{
	/* A target is never an alias itself: those cannot carry an anchor. */
	return n && n->kind == PU_CONFIG_ALIAS ? n->target : n;
}

bool pu_config_node_is_null(const struct pu_config_node *n)
{
	n = pu_config_node_real(n);
	if (!n)
		return true;
	if (n->kind != PU_CONFIG_SCALAR || !n->plain)
		return false;
	return n->len == 0 || strcmp(n->text, "~") == 0 || strcasecmp(n->text, "null") == 0;
}

struct pu_config_node *pu_config_node_get(const struct pu_config_node *map, const char *key,
					  struct pu_config_node **pkey)
{
	if (!map || map->kind != PU_CONFIG_MAPPING)
		return NULL;
	for (size_t i = 0; i + 1 < map->n; i += 2) {
		if (strcmp(map->child[i]->text, key) == 0) {
			if (pkey)
				*pkey = map->child[i];
			return map->child[i + 1];
		}
	}
	return NULL;
}

size_t pu_config_node_end(const struct pu_config_node *n)
{
	while (n->n > 0 && !n->flow)
		n = n->child[n->n - 1];
	return n->end.offset;
}
