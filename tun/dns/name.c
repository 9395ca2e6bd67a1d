#include "tun/dns/name.h"

#include <arpa/nameser.h>

#include "base/err.h"

static uint8_t lower(uint8_t c)
{
	/* RFC 4343: ASCII only, whatever the locale. */
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

int pu_dns_name_from_wire(struct pu_dns_name *name, const uint8_t *wire, size_t len)
{
	size_t off = 0;

	name->n = 0;
	for (;;) {
		size_t label;

		if (off >= len || off >= PU_DNS_WIRE_MAX)
			return PU_EPROTO;
		label = wire[off];
		if (label > PU_DNS_LABEL_MAX || label + 1 > PU_DNS_WIRE_MAX - off ||
		    label + 1 > len - off)
			return PU_EPROTO;
		if (label > 0)
			name->at[name->n++] = (uint8_t)off;
		name->wire[off++] = (uint8_t)label;
		for (size_t i = 0; i < label; i++, off++)
			name->wire[off] = lower(wire[off]);
		if (label == 0)
			break;
	}
	name->len = (uint8_t)off;
	return 0;
}

int pu_dns_name_from_text(struct pu_dns_name *name, const char *text)
{
	uint8_t wire[PU_DNS_WIRE_MAX];

	if (ns_name_pton(text, wire, sizeof wire) < 0)
		return PU_EINVAL;
	return pu_dns_name_from_wire(name, wire, sizeof wire) < 0 ? PU_EINVAL : 0;
}

bool pu_dns_name_within(const struct pu_dns_name *name, const struct pu_dns_name *zone)
{
	if (name->n < zone->n)
		return false;
	return name->len - (pu_dns_name_tail(name, name->n - zone->n) - name->wire) == zone->len &&
	       memcmp(pu_dns_name_tail(name, name->n - zone->n), zone->wire, zone->len) == 0;
}

bool pu_dns_name_label(const struct pu_dns_name *name, unsigned i,
		       char out[PU_DNS_LABEL_MAX + 1])
{
	const uint8_t *p = name->wire + name->at[i];
	size_t len = *p++;

	for (size_t k = 0; k < len; k++) {
		uint8_t c = p[k];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
		out[k] = (char)c;
	}
	out[len] = '\0';
	return true;
}
