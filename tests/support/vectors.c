#include "support/vectors.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/codec.h"

enum { PAIRS_MAX = 256 };

struct pair {
	char *name, *value;
	uint8_t *bytes; /* decoded on demand */
};

struct pu_vectors {
	struct pair pair[PAIRS_MAX];
	size_t n;
};

static char *trim(char *s)
{
	size_t len;

	while (isspace((unsigned char)*s))
		s++;
	len = strlen(s);
	while (len > 0 && isspace((unsigned char)s[len - 1]))
		s[--len] = '\0';
	return s;
}

static void add_line(struct pu_vectors *v, char *line)
{
	bool more = isspace((unsigned char)line[0]) != 0;
	char *text = trim(line), *eq;

	if (*text == '#' || *text == '\0')
		return;
	if (more && v->n > 0) {
		struct pair *last = &v->pair[v->n - 1];
		size_t len = strlen(last->value);

		last->value = realloc(last->value, len + strlen(text) + 1);
		strcpy(last->value + len, text);
		return;
	}
	eq = strchr(text, '=');
	if (!eq || v->n == PAIRS_MAX)
		fail_msg("bad line in vectors: %s", text);
	*eq = '\0';
	v->pair[v->n].name = strdup(trim(text));
	v->pair[v->n++].value = strdup(trim(eq + 1));
}

struct pu_vectors *pu_vectors_load(const char *file)
{
	struct pu_vectors *v = calloc(1, sizeof *v);
	char path[4096], *line = NULL;
	size_t cap = 0;
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", PU_TEST_VECTORS, file);
	f = fopen(path, "r");
	if (!f)
		fail_msg("cannot read %s", path);
	while (getline(&line, &cap, f) >= 0)
		add_line(v, line);
	free(line);
	fclose(f);
	return v;
}

void pu_vectors_free(struct pu_vectors *v)
{
	for (size_t i = 0; i < v->n; i++) {
		free(v->pair[i].name);
		free(v->pair[i].value);
		free(v->pair[i].bytes);
	}
	free(v);
}

static struct pair *find(struct pu_vectors *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->pair[i].name, name) == 0)
			return &v->pair[i];
	fail_msg("no vector called %s", name);
	return NULL;
}

const char *pu_vectors_text(struct pu_vectors *v, const char *name)
{
	return find(v, name)->value;
}

struct pu_bytes pu_vectors_hex(struct pu_vectors *v, const char *name)
{
	struct pair *p = find(v, name);
	size_t len = strlen(p->value);

	if (!p->bytes) {
		p->bytes = malloc(len / 2 + 1);
		if (pu_hex_decode(p->value, len, p->bytes, len / 2) < 0)
			fail_msg("vector %s is not hex", name);
	}
	return pu_bytes(p->bytes, len / 2);
}

bool pu_vectors_next(struct pu_vectors *v, size_t *pi, const char **pname, const char **pvalue)
{
	if (*pi >= v->n)
		return false;
	*pname = v->pair[*pi].name;
	*pvalue = v->pair[(*pi)++].value;
	return true;
}
