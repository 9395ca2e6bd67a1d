#include "base/mac.h"

#include <stdio.h>

#include "base/err.h"

bool pu_mac_is_card(const uint8_t *b)
{
	static const uint8_t none[PU_MAC_LEN];

	return !(b[0] & 1) && memcmp(b, none, sizeof none) != 0;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int pu_mac_parse(const char *text, struct pu_mac *out)
{
	struct pu_mac m = { .given = true };

	if (strlen(text) != PU_MAC_TEXT_MAX - 1)
		return PU_EINVAL;
	for (size_t i = 0; i < PU_MAC_LEN; i++) {
		const char *p = text + 3 * i;
		int hi = digit(p[0]), lo = digit(p[1]);

		if (hi < 0 || lo < 0)
			return PU_EINVAL;
		m.b[i] = (uint8_t)(hi << 4 | lo);
		if (i + 1 < PU_MAC_LEN && p[2] != ':' && p[2] != '-')
			return PU_EINVAL;
	}
	if (!pu_mac_is_card(m.b))
		return PU_EINVAL;
	*out = m;
	return 0;
}

const char *pu_mac_text(const struct pu_mac *m, char out[PU_MAC_TEXT_MAX])
{
	snprintf(out, PU_MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", m->b[0], m->b[1], m->b[2],
		 m->b[3], m->b[4], m->b[5]);
	return out;
}
