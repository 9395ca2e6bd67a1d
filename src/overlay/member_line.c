#include "overlay/member_line.h"

#include "base/err.h"

bool pu_member_line_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct pu_bytes trim(struct pu_bytes b)
{
	while (b.len > 0 && pu_member_line_blank(b.p[0])) {
		b.p++;
		b.len--;
	}
	while (b.len > 0 && pu_member_line_blank(b.p[b.len - 1]))
		b.len--;
	return b;
}

static struct pu_bytes first_field(struct pu_bytes b)
{
	size_t n = 0;

	while (n < b.len && !pu_member_line_blank(b.p[n]))
		n++;
	return pu_bytes(b.p, n);
}

int pu_member_line_parse(struct pu_bytes line, struct pu_member_line *out)
{
	struct pu_member_line l = { 0 };
	char text[128]; /* no form of a peer ID is longer */
	const uint8_t *hash;
	struct pu_bytes id;

	if (line.len > PU_MEMBER_LINE_MAX)
		return PU_E2BIG;
	hash = line.len ? memchr(line.p, '#', line.len) : NULL;
	if (hash) {
		l.comment = trim(pu_bytes(hash + 1, (size_t)(line.p + line.len - hash - 1)));
		line.len = (size_t)(hash - line.p);
	}
	l.fields = trim(line);
	if (l.fields.len == 0)
		return PU_ENOENT;
	id = first_field(l.fields);
	if (id.len >= sizeof text || memchr(id.p, '\0', id.len))
		return PU_EINVAL;
	memcpy(text, id.p, id.len);
	text[id.len] = '\0';
	if (pu_peerid_from_text(&l.peer, text) < 0)
		return PU_EINVAL;
	*out = l;
	return 0;
}

bool pu_member_line_next(const struct pu_member_line *l, size_t *poff,
			 struct pu_member_attr *attr)
{
	struct pu_bytes rest, field;
	const uint8_t *eq;

	if (*poff == 0)
		*poff = first_field(l->fields).len;
	while (*poff < l->fields.len) {
		rest = trim(pu_bytes(l->fields.p + *poff, l->fields.len - *poff));
		field = first_field(rest);
		*poff = (size_t)(field.p + field.len - l->fields.p);
		eq = field.len ? memchr(field.p, '=', field.len) : NULL;
		if (!eq)
			continue;
		attr->key = pu_bytes(field.p, (size_t)(eq - field.p));
		attr->value = pu_bytes(eq + 1, (size_t)(field.p + field.len - eq - 1));
		return true;
	}
	return false;
}

bool pu_member_next_line(struct pu_bytes *rest, struct pu_bytes *line, bool *plf)
{
	const uint8_t *lf;

	if (rest->len == 0)
		return false;
	lf = memchr(rest->p, '\n', rest->len);
	*plf = lf != NULL;
	*line = pu_bytes(rest->p, lf ? (size_t)(lf - rest->p) : rest->len);
	rest->p += line->len + *plf;
	rest->len -= line->len + *plf;
	return true;
}
