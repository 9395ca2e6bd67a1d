#include "overlay/member_check.h"

#include <stdio.h>

#include "base/err.h"
#include "base/rfc3339.h"
#include "overlay/member_line.h"

enum { GROUP_MAX = 255, PROOF_HEX = 64, SAS_HEX = 8 };

struct check {
	const struct pu_members *set;
	pu_member_finding_fn *fn;
	void *arg;
	struct pu_bytes text; /* of the line */
	unsigned line;
};

static void tell(struct check *c, const uint8_t *at, const char *text)
{
	const struct pu_member_finding f = { .line = c->line, .text = text,
					     .column = (unsigned)(at - c->text.p) + 1 };

	c->fn(c->arg, &f);
}

static bool is_hex(struct pu_bytes b, size_t len)
{
	for (size_t i = 0; i < b.len; i++)
		if (!strchr("0123456789abcdef", b.p[i]) || b.p[i] == '\0')
			return false;
	return b.len == len;
}

static bool is_time(struct pu_bytes b)
{
	char text[PU_RFC3339_MAX + 16];
	int64_t t;

	if (b.len >= sizeof text || memchr(b.p, '\0', b.len))
		return false;
	memcpy(text, b.p, b.len);
	text[b.len] = '\0';
	return pu_rfc3339_parse(text, &t) == 0;
}

static bool is_sas(struct pu_bytes b)
{
	static const char prefix[] = "sha256:";
	size_t n = sizeof prefix - 1;

	return b.len > n && memcmp(b.p, prefix, n) == 0 &&
	       is_hex(pu_bytes(b.p + n, b.len - n), SAS_HEX);
}

static bool is_access(struct pu_bytes b)
{
	return pu_bytes_eq_str(b, "services") || pu_bytes_eq_str(b, "network") ||
	       pu_bytes_eq_str(b, "none");
}

static bool is_group(struct pu_bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.p[i] <= ' ' || b.p[i] >= 0x7f)
			return false;
	return b.len > 0 && b.len <= GROUP_MAX;
}

static bool is_proof(struct pu_bytes b)
{
	return is_hex(b, PROOF_HEX);
}

/* Attributes that mean something to us; everything else is somebody else's. */
static const struct known {
	const char *key;
	bool (*ok)(struct pu_bytes value);
	const char *fault;
} known[] = {
	{ "access", is_access, "access= is none of services, network and none" },
	{ "expires", is_time, "expires= is not a time like 2026-03-01T12:00:00Z" },
	{ "verified", is_sas, "verified= is not sha256: and 8 digits of 0-9 a-f" },
	{ "group", is_group, "group= is empty, too long or has odd characters" },
	{ "hmac_proof", is_proof, "hmac_proof= is not 64 digits of 0-9 a-f" },
};

static void check_attr(struct check *c, const struct pu_member_attr *a, unsigned *pseen)
{
	for (size_t i = 0; i < PU_ARRAY_LEN(known); i++) {
		if (!pu_bytes_eq_str(a->key, known[i].key))
			continue;
		if (*pseen & 1u << i)
			tell(c, a->key.p, "given twice, only the last one counts");
		*pseen |= 1u << i;
		if (!known[i].ok(a->value))
			tell(c, a->value.p, known[i].fault);
	}
}

/* The words behind the peer ID. */
static void check_fields(struct check *c, struct pu_bytes fields)
{
	const uint8_t *p = fields.p, *end = p + fields.len, *word, *eq;
	struct pu_member_attr a;
	unsigned seen = 0;
	bool first = true;

	while (p < end) {
		for (word = p; p < end && !pu_member_line_blank(*p); p++)
			;
		eq = p > word ? memchr(word, '=', (size_t)(p - word)) : NULL;
		if (eq) {
			a.key = pu_bytes(word, (size_t)(eq - word));
			a.value = pu_bytes(eq + 1, (size_t)(p - eq - 1));
			check_attr(c, &a, &seen);
		} else if (!first) {
			tell(c, word, "a word without '=' means nothing; a comment begins with #");
		}
		first = false;
		while (p < end && pu_member_line_blank(*p))
			p++;
	}
}

static const uint8_t *first_char(struct pu_bytes line)
{
	size_t i = 0;

	while (i < line.len && pu_member_line_blank(line.p[i]))
		i++;
	return line.p + i;
}

static void check_line(struct check *c)
{
	const struct pu_member *m;
	struct pu_member_line l;
	char text[80];
	int r = pu_member_line_parse(c->text, &l);

	if (r == PU_ENOENT)
		return;
	if (r < 0) {
		tell(c, first_char(c->text), r == PU_E2BIG ? "line too long" :
							     "does not begin with a peer ID");
		return;
	}
	m = pu_member_find(c->set, &l.peer);
	if (m && m->line < c->line) {
		snprintf(text, sizeof text, "peer is listed in line %u already", m->line);
		tell(c, l.fields.p, text);
	}
	check_fields(c, l.fields);
}

int pu_member_check(struct pu_bytes text, const uint8_t key[16], pu_member_finding_fn *fn,
		    void *arg, size_t *pn_peers)
{
	struct check c = { .fn = fn, .arg = arg };
	struct pu_members *set;
	bool lf;
	int r = pu_member_parse(text, key, NULL, NULL, &set);

	if (r < 0)
		return r;
	c.set = set;
	while (pu_member_next_line(&text, &c.text, &lf)) {
		c.line++;
		check_line(&c);
	}
	*pn_peers = pu_member_count(set);
	pu_member_free(set);
	return 0;
}
