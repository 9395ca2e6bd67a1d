/* DNS messages: reading a query, writing an answer, matching a forwarded reply.
 * The parsing and name compression are libc's (<arpa/nameser.h>). */
#ifndef PU_TUN_DNS_MESSAGE_H
#define PU_TUN_DNS_MESSAGE_H

#include <arpa/nameser.h>

#include "base/wire.h"
#include "tun/dns/name.h"
#include "tun/packet.h"

enum {
	PU_DNS_HEADER_LEN = 12,
	PU_DNS_OPT_LEN = 11,
	PU_DNS_TXT_MAX = 1024, /* text of one TXT record, cut into strings of 255 */

	PU_DNS_FLAG_QR = 0x8000,
	PU_DNS_FLAG_AA = 0x0400,
	PU_DNS_FLAG_TC = 0x0200,
	PU_DNS_FLAG_RD = 0x0100,
	PU_DNS_FLAG_RA = 0x0080,
	PU_DNS_FLAG_CD = 0x0010,

	PU_DNS_TYPE_ANY = 255,
	PU_DNS_BADVERS = 16, /* RFC 6891, in the OPT record */
};

struct pu_dns_query {
	uint16_t id;
	uint16_t flags;            /* as sent */
	struct pu_bytes question;  /* as sent (case kept), borrowed; empty when malformed */
	struct pu_dns_name name;
	uint16_t type, class;
	bool edns;
	bool dnssec_ok;
	uint16_t udp_size; /* what the asker takes over UDP, without limits of ours */
};

/* Reads a query: 0, a DNS rcode to fail it with (q is good for the answer's
 * header), or PU_EPROTO when nothing may be answered (too short, a response). */
int pu_dns_query_parse(struct pu_dns_query *q, struct pu_bytes msg);

struct pu_dns_writer {
	struct pu_wr w;
	size_t limit;      /* of the finished message */
	size_t head_len;   /* header and question; 0: they did not fit */
	uint16_t flags;
	uint16_t count[4]; /* by ns_sect */
	bool full;         /* a record did not fit and was left out */
	bool edns;
	bool dnssec_ok;
	unsigned rcode;
	const uint8_t *names[32]; /* for ns_name_pack */
};

/* Begins an answer of at most limit bytes, which leaves room for an OPT record
 * when the query had one. */
void pu_dns_writer_init(struct pu_dns_writer *dw, const struct pu_dns_query *q, uint8_t *out,
			size_t limit);
/* Records. owner: wire form. A record that does not fit sets full and leaves the
 * message as it was. */
void pu_dns_put_address(struct pu_dns_writer *dw, ns_sect sect, const uint8_t *owner,
			uint32_t ttl, const struct pu_ip *ip);
void pu_dns_put_name(struct pu_dns_writer *dw, ns_sect sect, const uint8_t *owner, uint16_t type,
		     uint32_t ttl, const uint8_t *target);
void pu_dns_put_srv(struct pu_dns_writer *dw, ns_sect sect, const uint8_t *owner, uint32_t ttl,
		    uint16_t port, const uint8_t *target);
void pu_dns_put_txt(struct pu_dns_writer *dw, ns_sect sect, const uint8_t *owner, uint32_t ttl,
		    const char *const *texts, size_t n);
/* The zone's SOA; negative answers may be kept ttl seconds. */
void pu_dns_put_soa(struct pu_dns_writer *dw, ns_sect sect, const uint8_t *apex, uint32_t ttl);
/* Forgets all records (for truncation); the question stays. */
void pu_dns_writer_rewind(struct pu_dns_writer *dw);
/* Writes OPT and header. Length of the message, 0 when not even header and
 * question fit. */
int pu_dns_writer_end(struct pu_dns_writer *dw);

/* Cuts a message that is longer than limit down to header and question with the TC
 * bit, so that the asker comes again over TCP. Returns the new length. */
size_t pu_dns_message_truncate(uint8_t *msg, size_t len, size_t limit);
/* True when reply is a well-formed answer to the query that was sent. */
bool pu_dns_reply_matches(struct pu_bytes reply, struct pu_bytes query);

#endif
