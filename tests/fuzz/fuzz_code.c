/* Codes: what is read can be written, and reads as the same again. */
#include <stdlib.h>

#include "base/err.h"
#include "overlay/invite/code.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WHY_MAX = 160 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[PU_CODE_TEXT_MAX + 1], why[WHY_MAX], *in;
	struct pu_code c, again;
	struct pu_multiaddr ma[2];
	int r;

	in = malloc(size + 1);
	if (!in)
		return 0;
	memcpy(in, data, size);
	in[size] = '\0';
	memset(why, 1, sizeof why);
	r = pu_code_parse(in, &c, why);
	free(in);
	if (r < 0) {
		if (!memchr(why, '\0', sizeof why) || why[0] == '\0' || strpbrk(why, "\n\r\033"))
			abort();
		return 0;
	}
	if (pu_code_format(&c, text) < 0 || strlen(text) > PU_CODE_TEXT_MAX)
		abort();
	if (pu_code_parse(text, &again, why) < 0 || memcmp(&c, &again, sizeof c) != 0)
		abort();
	if (pu_code_addrs(&c, ma) != (c.host[0] ? 2 : 0))
		abort();
	return 0;
}
