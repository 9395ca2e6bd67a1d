/* Answers of a router that may be anybody. */
#include <stdlib.h>

#include "platform/pcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct pu_pcp_map asked = {
		.nonce = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }, .port = 4001
	};
	struct pu_pcp_map given;

	if (pu_pcp_response(pu_bytes(data, size), &asked, &given) == 0 && given.port != 4001)
		abort();
	return 0;
}
