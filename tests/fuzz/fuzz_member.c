/* authorized_keys: any file parses, and every member of it can be found. */
#include <stdlib.h>

#include "overlay/member.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_warning(void *arg, unsigned line, const char *text)
{
	if (line == 0 || !text)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[16] = { 1 };
	struct pu_members *set;
	enum pu_access access;

	if (pu_member_parse(pu_bytes(data, size), key, on_warning, NULL, &set) < 0)
		return 0;
	for (size_t i = 0; i < pu_member_count(set); i++) {
		const struct pu_member *m = pu_member_at(set, i);

		if (pu_member_find(set, &m->peer) != m)
			abort();
		if (pu_member_allowed(set, &m->peer, 1772366400, &access) !=
		    pu_member_valid(m, 1772366400))
			abort();
		if (strpbrk(m->comment, "\n\r\033"))
			abort();
	}
	pu_member_free(set);
	return 0;
}
