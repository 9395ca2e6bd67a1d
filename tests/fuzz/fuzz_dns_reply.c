/* What an upstream may send back: byte 0 is the length of the query (in front of the
 * reply) in units of two bytes, byte 1 a limit to cut the reply to, in units of 16. */
#include <stdlib.h>

#include "tun/dns/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t query_len, len, limit, cut;
	struct pu_bytes query;
	uint8_t *reply;

	if (size < 2)
		return 0;
	query_len = pu_min(data[0] * 2u, size - 2);
	limit = data[1] * 16u;
	query = pu_bytes(data + 2, query_len);
	len = size - 2 - query_len;
	reply = malloc(len ? len : 1);
	if (!reply)
		return 0;
	memcpy(reply, data + 2 + query_len, len);
	if (pu_dns_reply_matches(pu_bytes(reply, len), query)) {
		check(len >= PU_DNS_HEADER_LEN && memcmp(reply, query.p, 2) == 0);
		cut = pu_dns_message_truncate(reply, len, limit);
		check(cut <= len);
		if (cut < len) {
			ns_msg m;

			check(len > limit && reply[2] & PU_DNS_FLAG_TC >> 8);
			check(ns_initparse(reply, (int)cut, &m) == 0);
		}
	}
	free(reply);
	return 0;
}
