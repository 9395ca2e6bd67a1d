/* Answers of STUN servers. */
#include "p2p/nat/stun_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pu_stun_response r;

	(void)pu_stun_message_id(pu_bytes(data, size));
	(void)pu_stun_message_parse(pu_bytes(data, size), &r);
	return 0;
}
