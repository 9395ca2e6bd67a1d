#include "tun/dns/reverse.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

/* The two reverse trees: bits and labels of an address, and their top. */
struct tree {
	unsigned label_bits, labels;
	const uint8_t top[14];
	size_t top_len;
};

static const struct tree tree4 = { 8, 4, "\7in-addr\4arpa", 14 };
static const struct tree tree6 = { 4, 32, "\3ip6\4arpa", 10 };

/* One octet in decimal or one nibble in hexadecimal, in the only spelling that
 * addresses are asked by (no leading zeros); -1 otherwise. */
static int label_value(const struct pu_dns_name *name, unsigned i, const struct tree *t)
{
	char text[PU_DNS_LABEL_MAX + 1], again[8];
	unsigned long v;
	char *end;

	if (!pu_dns_name_label(name, i, text) || strlen(text) > 3)
		return -1;
	v = strtoul(text, &end, t->label_bits == 8 ? 10 : 16);
	if (v >= 1ul << t->label_bits)
		return -1;
	snprintf(again, sizeof again, t->label_bits == 8 ? "%lu" : "%lx", v);
	return strcmp(text, again) == 0 ? (int)v : -1;
}

static void set_label(struct pu_ip *a, unsigned k, const struct tree *t, int v)
{
	if (t->label_bits == 8)
		a->b[k] = (uint8_t)v;
	else
		a->b[k / 2] |= (uint8_t)(k % 2 ? v : v << 4);
}

static bool same_prefix(const struct pu_ip *a, const struct pu_ip *b, unsigned bits)
{
	unsigned rest = bits % 8;

	if (memcmp(a->b, b->b, bits / 8) != 0)
		return false;
	return rest == 0 || (a->b[bits / 8] ^ b->b[bits / 8]) >> (8 - rest) == 0;
}

enum pu_dns_reverse pu_dns_reverse_parse(const struct pu_dns_name *name,
					 const struct pu_ip *prefix, unsigned bits,
					 unsigned *papex, struct pu_ip *addr)
{
	const struct tree *t = prefix->version == 4 ? &tree4 : &tree6;
	unsigned apex_labels = (bits + t->label_bits - 1) / t->label_bits;
	struct pu_ip a = { .version = prefix->version };
	unsigned below, k;

	if (prefix->version == 0 || bits == 0 || apex_labels > t->labels || name->n < 2 ||
	    name->len - name->at[name->n - 2] != (int)t->top_len ||
	    memcmp(pu_dns_name_tail(name, name->n - 2), t->top, t->top_len) != 0)
		return PU_DNS_REVERSE_FOREIGN;
	below = name->n - 2;
	if (below < apex_labels)
		return PU_DNS_REVERSE_FOREIGN;
	for (k = 0; k < below && k < t->labels; k++) {
		int v = label_value(name, below - 1 - k, t);

		if (v < 0)
			break;
		set_label(&a, k, t, v);
	}
	if (k < apex_labels || !same_prefix(&a, prefix, bits))
		return PU_DNS_REVERSE_FOREIGN;
	*papex = below - apex_labels;
	if (k < below)
		return PU_DNS_REVERSE_INVALID;
	if (k < t->labels)
		return PU_DNS_REVERSE_ABOVE;
	*addr = a;
	return PU_DNS_REVERSE_ADDRESS;
}

static unsigned label_of(const struct pu_ip *a, unsigned k, const struct tree *t)
{
	if (t->label_bits == 8)
		return a->b[k];
	return k % 2 ? a->b[k / 2] & 0xf : a->b[k / 2] >> 4;
}

/* One zone of n labels, the last of them (in address order) being v. */
static int append_zone(const struct pu_ip *a, unsigned n, unsigned v, const struct tree *t,
		       char *out, size_t len, size_t cap)
{
	for (unsigned k = n; k-- > 0 && len < cap;) {
		unsigned label = k == n - 1 ? v : label_of(a, k, t);

		len += (size_t)snprintf(out + len, cap - len, t->label_bits == 8 ? "%s%u." : "%s%x.",
					k == n - 1 ? " " : "", label);
	}
	if (len < cap)
		len += (size_t)snprintf(out + len, cap - len, "%s",
					t->label_bits == 8 ? "in-addr.arpa" : "ip6.arpa");
	return len < cap ? (int)len : PU_ELIMIT;
}

int pu_dns_reverse_zones(const struct pu_ip *prefix, unsigned bits, char *out, size_t len,
			 size_t cap)
{
	const struct tree *t = prefix->version == 4 ? &tree4 : &tree6;
	unsigned n = (bits + t->label_bits - 1) / t->label_bits;
	unsigned spare = n * t->label_bits - bits; /* bits of the last label that are free */
	unsigned first;
	int r = (int)len;

	if (prefix->version == 0 || bits == 0 || n > t->labels)
		return (int)len;
	first = label_of(prefix, n - 1, t) >> spare << spare;
	for (unsigned v = first; r >= 0 && v < first + (1u << spare); v++)
		r = append_zone(prefix, n, v, t, out, (size_t)r, cap);
	return r;
}
