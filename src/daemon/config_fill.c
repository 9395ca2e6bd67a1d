#include "daemon/config_fill.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

enum { PATH_LEN = 512 };

/* One walk over the tree. The pattern path finds the option ("names.*"), the shown
 * path is what the user reads ("names.home"). */
struct loader {
	const struct pu_config_schema *schema;
	const char *dir;
	void *top;
	struct pu_config_diags *diags;
};

struct place {
	char pattern[PATH_LEN];
	char shown[PATH_LEN];
	void *base; /* struct that offsets of options below refer to */
};

static void complain(struct loader *l, const struct pu_config_node *n, bool warning,
		     const struct place *at, const char *text)
{
	pu_config_diags_add(l->diags, warning, n->start.line, n->start.column, "%.200s: %s",
			    at->shown, text);
}

static bool descend(const struct place *at, const char *pattern_key, const char *key,
		    struct place *out)
{
	const char *dot = at->pattern[0] ? "." : "";

	out->base = at->base;
	return snprintf(out->pattern, PATH_LEN, "%s%s%s", at->pattern, dot, pattern_key) <
		       PATH_LEN &&
	       snprintf(out->shown, PATH_LEN, "%s%s%s", at->shown, dot, key) < PATH_LEN;
}

static const char *kind_text(const struct pu_config_node *n)
{
	switch (n->kind) {
	case PU_CONFIG_SCALAR:
		return "a single value";
	case PU_CONFIG_SEQUENCE:
		return "a list";
	case PU_CONFIG_MAPPING:
		return "a section with keys";
	case PU_CONFIG_ALIAS:
		return "an alias";
	}
	return "";
}

static int parse_scalar(struct loader *l, const struct pu_config_node *n, const struct place *at,
			const struct pu_config_option *o, void *v)
{
	const struct pu_config_node *real = pu_config_node_real(n);
	bool soft = o->flags & PU_CONFIG_SKIP_BAD;
	char why[400];
	int r;

	if (real->kind != PU_CONFIG_SCALAR) {
		snprintf(why, sizeof why, "%s where a single value belongs", kind_text(real));
		complain(l, n, false, at, why);
		return PU_ECONFIG;
	}
	r = pu_config_option_parse(o, real->text, l->dir, v, why, sizeof why);
	if (r == PU_ECONFIG) {
		if (soft)
			snprintf(why + strlen(why), sizeof why - strlen(why), " (skipped)");
		complain(l, n, soft, at, why);
	}
	return r;
}

/* All lists have the same shape, see PU_CONFIG_LIST. */
typedef PU_CONFIG_LIST(void) any_list;

static int list_append(any_list *list, const void *item, size_t size)
{
	void *grown = realloc(list->v, (list->n + 1) * size);

	if (!grown)
		return PU_ENOMEM;
	memcpy((char *)grown + list->n * size, item, size);
	list->v = grown;
	list->n++;
	return 0;
}

union any_item {
	struct pu_multiaddr ma;
	struct pu_peerid peer;
	struct pu_prefix prefix;
};

static int load_list(struct loader *l, const struct pu_config_node *n, const struct place *at,
		     const struct pu_config_option *o, any_list *list)
{
	const struct pu_config_node *seq = pu_config_node_real(n);
	union any_item item;
	struct place here;
	char index[24];
	int r;

	if (seq->kind != PU_CONFIG_SEQUENCE) {
		complain(l, n, false, at, "a list belongs here, for example [ … ]");
		return 0;
	}
	if (seq->n > (size_t)o->max) {
		snprintf(index, sizeof index, "%lld", (long long)o->max);
		pu_config_diags_add(l->diags, false, n->start.line, n->start.column,
				    "%.200s: %zu items, allowed are at most %s", at->shown, seq->n,
				    index);
		return 0;
	}
	if (seq->n < (size_t)o->min)
		complain(l, n, false, at, "at least one item is needed");
	for (size_t i = 0; i < seq->n; i++) {
		list->given++;
		memset(&item, 0, sizeof item);
		snprintf(index, sizeof index, "%zu", i + 1);
		if (!descend(at, "", index, &here))
			return 0;
		r = parse_scalar(l, seq->child[i], &here, o, &item);
		if (r == 0)
			r = list_append(list, &item, pu_config_type_size(o->type));
		if (r == PU_ENOMEM)
			return r;
	}
	return 0;
}

static int load_option(struct loader *l, const struct pu_config_node *n, const struct place *at,
		       const struct pu_config_option *o)
{
	void *v = (char *)at->base + o->offset;
	int r;

	if (pu_config_node_is_null(n) && !(o->flags & PU_CONFIG_REQUIRED))
		return 0; /* as if the key were absent */
	if (o->flags & PU_CONFIG_IS_LIST)
		return load_list(l, n, at, o, v);
	/* Defaults are in place already. */
	pu_config_type_deinit(o->type, v);
	r = parse_scalar(l, n, at, o, v);
	return r == PU_ENOMEM ? r : 0;
}

/* True when the option lies directly in the struct that path's section describes:
 * no further map in between. */
static const char *direct_below(const char *path, const char *section)
{
	size_t n = strlen(section);
	const char *rest;

	if (strncmp(path, section, n) != 0)
		return NULL;
	rest = path + n;
	if (*rest == '.' && n > 0)
		rest++;
	else if (*rest && n > 0)
		return NULL;
	return strchr(rest, '*') ? NULL : rest;
}

static int set_defaults(struct loader *l, const char *section, void *base)
{
	char why[400], word[256];
	union any_item item;
	int r = 0;

	for (size_t i = 0; i < l->schema->n_options && r == 0; i++) {
		const struct pu_config_option *o = &l->schema->options[i];
		void *v = (char *)base + o->offset;
		const char *p = o->def;

		if (!p || !direct_below(o->path, section))
			continue;
		if (!(o->flags & PU_CONFIG_IS_LIST)) {
			r = pu_config_option_parse(o, p, l->dir, v, why, sizeof why);
			continue;
		}
		for (; *p && r == 0; p += strspn(p, " ")) {
			size_t n = strcspn(p, " ");

			snprintf(word, sizeof word, "%.*s", (int)n, p);
			memset(&item, 0, sizeof item);
			r = pu_config_option_parse(o, word, l->dir, &item, why, sizeof why);
			if (r == 0)
				r = list_append(v, &item, pu_config_type_size(o->type));
			p += n;
		}
	}
	return r;
}

static void free_array(const struct pu_config_schema *s, const struct pu_config_map *m, void *base);

static void free_struct(const struct pu_config_schema *s, const char *section, void *base)
{
	for (size_t i = 0; i < s->n_options; i++) {
		const struct pu_config_option *o = &s->options[i];
		void *v = (char *)base + o->offset;

		if (!direct_below(o->path, section))
			continue;
		if (o->flags & PU_CONFIG_IS_LIST)
			free(((any_list *)v)->v);
		else
			pu_config_type_deinit(o->type, v);
	}
	for (size_t i = 0; i < s->n_maps; i++) {
		const char *path = s->maps[i].path;
		size_t n = strlen(path) - 2; /* without ".*" */
		char parent[64];

		snprintf(parent, sizeof parent, "%.*s", (int)n, path);
		if (direct_below(parent, section))
			free_array(s, &s->maps[i], base);
	}
}

static void *entry_at(const struct pu_config_map *m, void *base, size_t i)
{
	char *array;

	memcpy(&array, (char *)base + m->array, sizeof array);
	return array + i * m->entry_size;
}

static void free_array(const struct pu_config_schema *s, const struct pu_config_map *m, void *base)
{
	size_t *count = (size_t *)((char *)base + m->count);
	void *array;

	for (size_t i = 0; i < *count; i++) {
		struct pu_config_entry *e = entry_at(m, base, i);

		free_struct(s, m->path, e);
		free(e->name);
	}
	memcpy(&array, (char *)base + m->array, sizeof array);
	free(array);
}

/* A zeroed entry at the end of the map's array. */
static int add_entry(const struct pu_config_map *m, void *base, const struct pu_config_node *key,
		     void **pentry)
{
	size_t *count = (size_t *)((char *)base + m->count);
	struct pu_config_entry *e;
	void *array;

	memcpy(&array, (char *)base + m->array, sizeof array);
	array = realloc(array, (*count + 1) * m->entry_size);
	if (!array)
		return PU_ENOMEM;
	memcpy((char *)base + m->array, &array, sizeof array);
	e = entry_at(m, base, *count);
	memset(e, 0, m->entry_size);
	e->name = strdup(key->text);
	if (!e->name)
		return PU_ENOMEM;
	e->line = key->start.line;
	e->column = key->start.column;
	(*count)++;
	*pentry = e;
	return 0;
}

static int load_section(struct loader *l, const struct pu_config_node *n, const struct place *at);

static void check_required(struct loader *l, const struct pu_config_node *key,
			   const struct pu_config_node *map, const struct place *at)
{
	for (size_t i = 0; i < l->schema->n_options; i++) {
		const struct pu_config_option *o = &l->schema->options[i];
		const char *rest = direct_below(o->path, at->pattern);

		if (!rest || !*rest || !(o->flags & PU_CONFIG_REQUIRED))
			continue;
		if (pu_config_node_get(pu_config_node_real(map), rest, NULL))
			continue;
		pu_config_diags_add(l->diags, false, key->start.line, key->start.column,
				    "%.200s: the key %s is missing", at->shown, rest);
	}
}

static int load_entry(struct loader *l, const struct pu_config_map *m,
		      const struct pu_config_node *key, const struct pu_config_node *value,
		      struct place *at)
{
	const struct pu_config_option *o = pu_config_schema_option(l->schema, at->pattern);
	void *entry;
	int r;

	if (!m->key_ok(key->text)) {
		pu_config_diags_add(l->diags, false, key->start.line, key->start.column,
				    "%.200s: the name is not valid, allowed is %s", at->shown,
				    m->key_what);
		return 0;
	}
	if (*(size_t *)((char *)at->base + m->count) >= m->max) {
		pu_config_diags_add(l->diags, false, key->start.line, key->start.column,
				    "%.200s: too many entries, allowed are %zu", at->shown, m->max);
		return 0;
	}
	r = add_entry(m, at->base, key, &entry);
	if (r < 0)
		return r;
	at->base = entry;
	r = set_defaults(l, m->path, entry);
	if (r < 0)
		return r;
	if (o)
		return load_option(l, value, at, o);
	check_required(l, key, value, at);
	return load_section(l, value, at);
}

static void warn_unknown(struct loader *l, const struct pu_config_node *key,
			 const struct place *section, const struct place *at)
{
	char near[64];

	if (pu_config_schema_suggest(l->schema, section->pattern, key->text, near, sizeof near))
		pu_config_diags_add(l->diags, true, key->start.line, key->start.column,
				    "%.200s: unknown key, ignored; is %s meant?", at->shown, near);
	else
		complain(l, key, true, at, "unknown key, ignored");
}

static int load_key(struct loader *l, const struct pu_config_node *key,
		    const struct pu_config_node *value, const struct place *section)
{
	const struct pu_config_option *o;
	const struct pu_config_map *m;
	struct place at;

	if (!descend(section, "*", key->text, &at)) {
		complain(l, key, false, section, "a key is too long");
		return 0;
	}
	m = pu_config_schema_map(l->schema, at.pattern);
	if (m)
		return load_entry(l, m, key, value, &at);
	if (!descend(section, key->text, key->text, &at))
		return 0;
	if (strpbrk(key->text, "*.")) { /* would read as a path of the table */
		warn_unknown(l, key, section, &at);
		return 0;
	}
	o = pu_config_schema_option(l->schema, at.pattern);
	if (o)
		return load_option(l, value, &at, o);
	if (pu_config_schema_is_section(l->schema, at.pattern))
		return load_section(l, value, &at);
	warn_unknown(l, key, section, &at);
	return 0;
}

static int load_section(struct loader *l, const struct pu_config_node *n, const struct place *at)
{
	const struct pu_config_node *map = pu_config_node_real(n);
	int r = 0;

	if (pu_config_node_is_null(n))
		return 0;
	if (map->kind != PU_CONFIG_MAPPING) {
		pu_config_diags_add(l->diags, false, n->start.line, n->start.column,
				    "%s%s%s where a section with keys belongs", at->shown,
				    at->shown[0] ? ": " : "the file has ", kind_text(map));
		return 0;
	}
	for (size_t i = 0; i + 1 < map->n && r == 0; i += 2)
		r = load_key(l, map->child[i], map->child[i + 1], at);
	return r;
}

/* Lists with a default start empty when the file has the key; the default must not
 * be mixed with what the user wrote. */
static void drop_list_defaults(struct loader *l, const struct pu_config_node *root)
{
	for (size_t i = 0; i < l->schema->n_options; i++) {
		const struct pu_config_option *o = &l->schema->options[i];
		const struct pu_config_node *n = pu_config_node_real(root);
		char path[PATH_LEN], *save, *word;
		any_list *list;

		if (!(o->flags & PU_CONFIG_IS_LIST) || !o->def)
			continue;
		snprintf(path, sizeof path, "%s", o->path);
		for (word = strtok_r(path, ".", &save); word && n;
		     word = strtok_r(NULL, ".", &save))
			n = pu_config_node_real(pu_config_node_get(n, word, NULL));
		if (pu_config_node_is_null(n))
			continue;
		list = (any_list *)((char *)l->top + o->offset);
		free(list->v);
		*list = (any_list){ 0 };
	}
}

int pu_config_fill(const struct pu_config_schema *s, const struct pu_config_node *root,
		   const char *dir, void *out, struct pu_config_diags *diags)
{
	struct loader l = { .schema = s, .dir = dir, .top = out, .diags = diags };
	struct place top = { .base = out };
	int r = set_defaults(&l, "", out);

	if (r < 0 || !root)
		return r;
	drop_list_defaults(&l, root);
	return load_section(&l, root, &top);
}

void pu_config_fill_free(const struct pu_config_schema *s, void *out)
{
	free_struct(s, "", out);
}
