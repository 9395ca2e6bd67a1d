#include "daemon/config_snippet.h"

#include "base/err.h"

enum { INDENT = PU_CONFIG_INDENT };

size_t pu_config_path_len(const char *const *path)
{
	size_t n = 0;

	while (path[n])
		n++;
	return n;
}

void pu_config_snippet_bytes(struct pu_config_snippet *s, const char *p, size_t n)
{
	if (s->err == 0 && n)
		s->err = pu_buf_append(&s->b, p, n);
}

void pu_config_snippet_text(struct pu_config_snippet *s, const char *p)
{
	pu_config_snippet_bytes(s, p, strlen(p));
}

static void indent_by(struct pu_config_snippet *s, size_t n)
{
	for (; n > 0; n--)
		pu_config_snippet_text(s, " ");
}

/* "text", with quotes and backslashes escaped; control characters were refused before. */
static void put_quoted(struct pu_config_snippet *s, const char *value)
{
	pu_config_snippet_text(s, "\"");
	for (const char *p = value; *p; p++) {
		if (*p == '"' || *p == '\\')
			pu_config_snippet_text(s, "\\");
		pu_config_snippet_bytes(s, p, 1);
	}
	pu_config_snippet_text(s, "\"");
}

/* A key that reads back as itself without quotes, in block and flow style. */
static void put_key(struct pu_config_snippet *s, const char *key)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._-";

	if (key[strspn(key, plain)] || strchr("-.", key[0]) || strcasecmp(key, "null") == 0)
		put_quoted(s, key);
	else
		pu_config_snippet_text(s, key);
}

void pu_config_snippet_value(struct pu_config_snippet *s, const struct pu_config_new *v)
{
	if (v->quoted)
		put_quoted(s, v->text);
	else
		pu_config_snippet_text(s, v->text);
}

void pu_config_snippet_block(struct pu_config_snippet *s, const char *const *path,
			     const struct pu_config_new *v, size_t indent)
{
	for (; path[0]; path++, indent += INDENT) {
		indent_by(s, indent);
		put_key(s, path[0]);
		pu_config_snippet_text(s, ":");
		if (path[1] || v->item)
			pu_config_snippet_text(s, "\n");
	}
	if (v->item) {
		indent_by(s, indent);
		pu_config_snippet_text(s, "- ");
	} else {
		pu_config_snippet_text(s, " ");
	}
	pu_config_snippet_value(s, v);
	pu_config_snippet_text(s, "\n");
}

void pu_config_snippet_flow(struct pu_config_snippet *s, const char *const *path,
			    const struct pu_config_new *v)
{
	size_t depth = pu_config_path_len(path);

	for (size_t i = 0; i < depth; i++) {
		if (i > 0)
			pu_config_snippet_text(s, "{");
		put_key(s, path[i]);
		pu_config_snippet_text(s, ": ");
	}
	pu_config_snippet_text(s, v->item && depth ? "[" : "");
	pu_config_snippet_value(s, v);
	pu_config_snippet_text(s, v->item && depth ? "]" : "");
	for (size_t i = 1; i < depth; i++)
		pu_config_snippet_text(s, "}");
}
