/* Any bytes as a query: byte 0 says how much room the answer has and by what transport
 * it goes, the rest is the message. */
#include <arpa/nameser.h>
#include <stdlib.h>

#include "base/err.h"
#include "support/dns_zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_answer(const uint8_t *query, const uint8_t *out, int len, size_t cap)
{
	ns_msg m;

	check(len <= (int)cap);
	if (len == 0)
		return;
	check(ns_initparse(out, len, &m) == 0);
	check(out[0] == query[0] && out[1] == query[1]);
	check(ns_msg_getflag(m, ns_f_qr) == 1);
	check(ns_msg_count(m, ns_s_qd) <= 1);
	/* "No" always says for how long. */
	if (ns_msg_getflag(m, ns_f_rcode) == ns_r_nxdomain && !ns_msg_getflag(m, ns_f_tc))
		check(ns_msg_count(m, ns_s_ns) == 1 && ns_msg_count(m, ns_s_an) == 0);
	for (int s = ns_s_an; s < ns_s_max; s++)
		for (int i = 0; i < ns_msg_count(m, s); i++) {
			ns_rr rr;

			check(ns_parserr(&m, s, i, &rr) == 0);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pu_dns_config cfg = dns_zone_config();
	size_t cap, len;
	uint8_t *out;
	int n;

	if (size == 0)
		return 0;
	cap = (size_t)(data[0] & 0x7f) * 16;
	out = malloc(cap + 1);
	len = size - 1;
	if (!out)
		return 0;
	n = pu_dns_answer(&cfg, pu_bytes(data + 1, len), data[0] & 0x80, out, cap);
	check(n >= 0 || n == PU_ENOENT);
	if (n < 0)
		n = pu_dns_fail(pu_bytes(data + 1, len), ns_r_refused, out, cap);
	check(n == 0 || len >= 12);
	check_answer(data + 1, out, n, cap);
	free(out);
	return 0;
}
