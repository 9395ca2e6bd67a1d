/* Domain names in wire form, cut into labels. */
#ifndef PU_TUN_DNS_NAME_H
#define PU_TUN_DNS_NAME_H

#include "base/bytes.h"

enum {
	PU_DNS_WIRE_MAX = 255, /* bytes of a name with its root label */
	PU_DNS_LABEL_MAX = 63,
	PU_DNS_LABELS_MAX = 127,
};

/* Lower case; label 0 is the leftmost one. */
struct pu_dns_name {
	uint8_t wire[PU_DNS_WIRE_MAX];
	uint8_t len;                   /* bytes of wire, root label included */
	uint8_t n;                     /* labels without the root */
	uint8_t at[PU_DNS_LABELS_MAX]; /* where each label begins in wire */
};

/* From an uncompressed name within len bytes. PU_EPROTO: malformed or longer. */
int pu_dns_name_from_wire(struct pu_dns_name *name, const uint8_t *wire, size_t len);
/* From "home.p2p", with or without the final dot. PU_EINVAL. */
int pu_dns_name_from_text(struct pu_dns_name *name, const char *text);
/* True when the last labels of name are zone (the same name included). */
bool pu_dns_name_within(const struct pu_dns_name *name, const struct pu_dns_name *zone);
/* Label i as text. False when it holds anything but letters, digits, '-' and '_':
 * no host of ours is called so. */
bool pu_dns_name_label(const struct pu_dns_name *name, unsigned i,
		       char out[PU_DNS_LABEL_MAX + 1]);
/* The wire form of the name without its first i labels (i <= n). */
static inline const uint8_t *pu_dns_name_tail(const struct pu_dns_name *name, unsigned i)
{
	return i < name->n ? name->wire + name->at[i] : name->wire + name->len - 1;
}

#endif
