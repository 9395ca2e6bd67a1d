/* Parsing, rewriting and answering packets: bytes 0..1 say how much is at hand, the
 * rest is the packet. */
#include <stdlib.h>

#include "base/err.h"
#include "base/wire.h"
#include "tun/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* There and back again gives the same packet, but for checksums of zero, which have
 * two spellings, and for what an ICMP error quotes, which may already mix the two. */
static void check_rewrite(const uint8_t *p, const struct pu_packet *k, unsigned flags)
{
	struct pu_ip src = { .version = k->src.version, .b = { 1, 2, 3, 4, 5 } };
	struct pu_ip dst = { .version = k->src.version, .b = { 9, 8, 7, 6, 5 } };
	uint8_t *copy = malloc(k->seen);
	struct pu_packet after;

	check(copy != NULL);
	memcpy(copy, p, k->seen);
	pu_packet_rewrite(copy, k, flags, &src, &dst);
	check(pu_packet_parse(&after, copy, k->seen, k->total_len) == 0);
	check(pu_ip_eq(&after.src, &src) && pu_ip_eq(&after.dst, &dst));
	check(after.proto == k->proto && after.ip_len == k->ip_len && after.sport == k->sport);
	pu_packet_rewrite(copy, &after, flags, &k->src, &k->dst);
	check(pu_packet_parse(&after, copy, k->seen, k->total_len) == 0);
	check(pu_ip_eq(&after.src, &k->src) && pu_ip_eq(&after.dst, &k->dst));
	pu_packet_complete_checksum(copy, k->seen, pu_bytes(NULL, 0), k);
	free(copy);
}

static void check_answers(const uint8_t *p, const struct pu_packet *k)
{
	struct pu_ip from = { .version = k->src.version, .b = { 7 } };
	uint8_t out[PU_ICMP_ERROR_MAX];
	struct pu_packet answer;

	for (int what = PU_ICMP_NO_ROUTE; what <= PU_ICMP_TIME_EXCEEDED; what++) {
		int n = pu_packet_icmp_error(out, p, k->seen, k, (enum pu_icmp_error)what, 1300,
					     &from);

		check(n == PU_EDENIED || (n > 0 && n <= PU_ICMP_ERROR_MAX));
		if (n < 0)
			continue;
		check(pu_packet_parse(&answer, out, (size_t)n, (size_t)n) == 0);
		check(pu_ip_eq(&answer.dst, &k->src));
		/* Nobody answers an answer. */
		check(pu_packet_icmp_error(out, out, (size_t)n, &answer, PU_ICMP_NO_ROUTE, 0,
					   &from) == PU_EDENIED);
	}
	if (k->proto == 6 && pu_packet_tcp_refuse(out, p, k) > 0) {
		check(pu_packet_parse(&answer, out, k->src.version == 4 ? 40 : 60,
				      k->src.version == 4 ? 40 : 60) == 0);
		check(answer.sport == k->dport && (answer.tcp_flags & 4));
	}
}

static void check_echo(const uint8_t *p, const struct pu_packet *k)
{
	uint8_t *copy;
	struct pu_packet reply;

	if (!pu_packet_is_echo_request(k) || k->seen != k->total_len)
		return;
	copy = malloc(k->seen);
	check(copy != NULL);
	memcpy(copy, p, k->seen);
	pu_packet_make_echo_reply(copy, k->seen, k);
	check(pu_packet_parse(&reply, copy, k->seen, k->total_len) == 0);
	check(pu_packet_is_echo_reply(&reply) && pu_ip_eq(&reply.src, &k->dst));
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pu_packet k;
	uint8_t *p;
	size_t len, hidden;

	if (size < 2)
		return 0;
	hidden = pu_get_be16(data);
	len = size - 2;
	p = malloc(len ? len : 1); /* its own, so that one byte too many is seen */
	check(p != NULL);
	memcpy(p, data + 2, len);
	if (pu_packet_parse(&k, p, len, len + hidden) == 0) {
		check_rewrite(p, &k, 0);
		check_rewrite(p, &k, PU_PKT_CSUM_PARTIAL);
		check_answers(p, &k);
		check_echo(p, &k);
	}
	free(p);
	return 0;
}
