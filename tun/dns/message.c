#include "tun/dns/message.h"

#include "base/err.h"
#include "tun/dns/stub.h"

enum {
	OPCODE_MASK = 0x7800,
	OPT_DO = 0x8000,
	QUESTION_FIXED = 4, /* type, class */
	RR_FIXED = 10,	    /* type, class, ttl, rdlength */
	TXT_STRING_MAX = 255,
};

/* --- reading --- */

/* The question behind the header. A compressed name there could only point into
 * the header or at itself. */
static int read_question(struct pu_dns_query *q, struct pu_bytes msg)
{
	struct pu_bytes rest = pu_bytes(msg.p + PU_DNS_HEADER_LEN, msg.len - PU_DNS_HEADER_LEN);
	struct pu_rd r;
	int err = pu_dns_name_from_wire(&q->name, rest.p, rest.len);

	if (err < 0)
		return err;
	r = pu_rd_init(rest.p + q->name.len, rest.len - q->name.len);
	q->type = pu_rd_be16(&r);
	q->class = pu_rd_be16(&r);
	if (r.err)
		return r.err;
	q->question = pu_bytes(rest.p, q->name.len + (size_t)QUESTION_FIXED);
	return 0;
}

/* 0 or an rcode. */
static int read_opt(struct pu_dns_query *q, ns_msg *h)
{
	for (int i = 0; i < ns_msg_count(*h, ns_s_ar); i++) {
		ns_rr rr;

		if (ns_parserr(h, ns_s_ar, i, &rr) < 0)
			return ns_r_formerr;
		if (ns_rr_type(rr) != ns_t_opt)
			continue;
		if (q->edns || (ns_rr_name(rr)[0] != '\0' && strcmp(ns_rr_name(rr), ".") != 0))
			return ns_r_formerr;
		q->edns = true;
		q->udp_size = ns_rr_class(rr);
		q->dnssec_ok = ns_rr_ttl(rr) & OPT_DO;
		if ((ns_rr_ttl(rr) >> 16 & 0xff) != 0)
			return PU_DNS_BADVERS;
	}
	return 0;
}

int pu_dns_query_parse(struct pu_dns_query *q, struct pu_bytes msg)
{
	ns_msg h;

	memset(q, 0, sizeof *q);
	if (msg.len < PU_DNS_HEADER_LEN || msg.len > NS_MAXMSG)
		return PU_EPROTO;
	q->id = pu_get_be16(msg.p);
	q->flags = pu_get_be16(msg.p + 2);
	if (q->flags & PU_DNS_FLAG_QR)
		return PU_EPROTO;
	if (q->flags & OPCODE_MASK)
		return ns_r_notimpl;
	if (pu_get_be16(msg.p + 4) != 1 || read_question(q, msg) < 0)
		return ns_r_formerr;
	if (ns_initparse(msg.p, (int)msg.len, &h) < 0)
		return ns_r_formerr;
	return read_opt(q, &h);
}

/* --- writing --- */

static void put_wire_name(struct pu_dns_writer *dw, const uint8_t *wire, bool compress)
{
	struct pu_wr *w = &dw->w;
	int n;

	if (w->err)
		return;
	n = ns_name_pack(wire, w->p + w->len, (int)(w->cap - w->len),
			 compress ? dw->names : NULL,
			 compress ? dw->names + PU_ARRAY_LEN(dw->names) : NULL);
	if (n < 0)
		w->err = PU_ELIMIT;
	else
		w->len += (size_t)n;
}

void pu_dns_writer_init(struct pu_dns_writer *dw, const struct pu_dns_query *q, uint8_t *out,
			size_t limit)
{
	uint8_t header[PU_DNS_HEADER_LEN] = { 0 };

	memset(dw, 0, sizeof *dw);
	dw->limit = limit;
	dw->edns = q->edns;
	dw->dnssec_ok = q->dnssec_ok;
	dw->flags = PU_DNS_FLAG_QR |
		    (q->flags & (OPCODE_MASK | PU_DNS_FLAG_RD | PU_DNS_FLAG_CD));
	dw->w = pu_wr_init(out, limit - (q->edns ? pu_min(limit, PU_DNS_OPT_LEN) : 0));
	dw->names[0] = out;
	pu_put_be16(header, q->id);
	pu_wr_bytes(&dw->w, pu_bytes(header, sizeof header));
	if (q->question.len > 0) {
		/* The asker's spelling (draft-vixie-dnsext-dns0x20), which the owner
		 * names then point back to. */
		put_wire_name(dw, q->question.p, true);
		pu_wr_be16(&dw->w, q->type);
		pu_wr_be16(&dw->w, q->class);
		dw->count[ns_s_qd] = 1;
	}
	dw->head_len = dw->w.err ? 0 : dw->w.len;
}

/* Owner, type, class, ttl and an open length. Returns where the record begins. */
static size_t rr_begin(struct pu_dns_writer *dw, const uint8_t *owner, uint16_t type, uint32_t ttl)
{
	size_t start = dw->w.len;

	put_wire_name(dw, owner, true);
	pu_wr_be16(&dw->w, type);
	pu_wr_be16(&dw->w, ns_c_in);
	pu_wr_be32(&dw->w, ttl);
	pu_wr_be16(&dw->w, 0);
	return start;
}

static void rr_end(struct pu_dns_writer *dw, ns_sect sect, size_t start)
{
	const uint8_t *p = dw->w.p + start;
	size_t fixed;

	if (dw->w.err) {
		/* Names of the lost record may be in the compression table, so nothing
		 * may be packed behind this point any more: err stays set. */
		dw->w.len = start;
		dw->full = true;
		return;
	}
	while (*p && (*p & NS_CMPRSFLGS) == 0)
		p += 1 + *p;
	p += *p ? 2 : 1;
	fixed = (size_t)(p - dw->w.p) + RR_FIXED;
	pu_put_be16(dw->w.p + fixed - 2, (uint16_t)(dw->w.len - fixed));
	dw->count[sect]++;
}

void pu_dns_put_address(struct pu_dns_writer *dw, ns_sect sect, const uint8_t *owner,
			uint32_t ttl, const struct pu_ip *ip)
{
	bool v4 = ip->version == 4;
	size_t start = rr_begin(dw, owner, v4 ? ns_t_a : ns_t_aaaa, ttl);

	pu_wr_bytes(&dw->w, pu_bytes(ip->b, v4 ? 4 : 16));
	rr_end(dw, sect, start);
}

void pu_dns_put_name(struct pu_dns_writer *dw, ns_sect sect, const uint8_t *owner, uint16_t type,
		     uint32_t ttl, const uint8_t *target)
{
	size_t start = rr_begin(dw, owner, type, ttl);

	put_wire_name(dw, target, true);
	rr_end(dw, sect, start);
}

void pu_dns_put_srv(struct pu_dns_writer *dw, ns_sect sect, const uint8_t *owner, uint32_t ttl,
		    uint16_t port, const uint8_t *target)
{
	size_t start = rr_begin(dw, owner, ns_t_srv, ttl);

	pu_wr_be16(&dw->w, 0);
	pu_wr_be16(&dw->w, 0);
	pu_wr_be16(&dw->w, port);
	put_wire_name(dw, target, false); /* RFC 2782: not compressed */
	rr_end(dw, sect, start);
}

void pu_dns_put_txt(struct pu_dns_writer *dw, ns_sect sect, const uint8_t *owner, uint32_t ttl,
		    const char *const *texts, size_t n)
{
	size_t start = rr_begin(dw, owner, ns_t_txt, ttl);

	for (size_t i = 0; i < n; i++) {
		struct pu_bytes left = pu_bytes_str(texts[i]);

		do {
			size_t len = pu_min(left.len, TXT_STRING_MAX);

			pu_wr_u8(&dw->w, (uint8_t)len);
			pu_wr_bytes(&dw->w, pu_bytes(left.p, len));
			left = pu_bytes(left.p + len, left.len - len);
		} while (left.len > 0);
	}
	rr_end(dw, sect, start);
}

void pu_dns_put_soa(struct pu_dns_writer *dw, ns_sect sect, const uint8_t *apex, uint32_t ttl)
{
	/* As RFC 6303 §3 asks for zones that live on one host only. */
	static const uint8_t nobody[] = "\6nobody\7invalid";
	size_t start = rr_begin(dw, apex, ns_t_soa, ttl);

	put_wire_name(dw, apex, true);
	put_wire_name(dw, nobody, true);
	pu_wr_be32(&dw->w, 1);      /* serial: there are no secondaries */
	pu_wr_be32(&dw->w, 3600);   /* refresh */
	pu_wr_be32(&dw->w, 1200);   /* retry */
	pu_wr_be32(&dw->w, 604800); /* expire */
	pu_wr_be32(&dw->w, ttl);
	rr_end(dw, sect, start);
}

void pu_dns_writer_rewind(struct pu_dns_writer *dw)
{
	dw->w.len = dw->head_len;
	dw->count[ns_s_an] = dw->count[ns_s_ns] = dw->count[ns_s_ar] = 0;
}

int pu_dns_writer_end(struct pu_dns_writer *dw)
{
	struct pu_wr w = pu_wr_init(dw->w.p + dw->w.len, dw->limit - dw->w.len);

	if (dw->head_len == 0)
		return 0;
	if (dw->edns) {
		pu_wr_u8(&w, 0);
		pu_wr_be16(&w, ns_t_opt);
		pu_wr_be16(&w, PU_DNS_UDP_MAX);
		pu_wr_be32(&w, (uint32_t)(dw->rcode >> 4) << 24 | (dw->dnssec_ok ? OPT_DO : 0));
		pu_wr_be16(&w, 0);
		dw->count[ns_s_ar]++;
	}
	if (w.err)
		return 0;
	pu_put_be16(dw->w.p + 2, dw->flags | (dw->rcode & 0xf));
	for (int i = 0; i < 4; i++)
		pu_put_be16(dw->w.p + 4 + 2 * i, dw->count[i]);
	return (int)(dw->w.len + w.len);
}

/* --- forwarding --- */

size_t pu_dns_message_truncate(uint8_t *msg, size_t len, size_t limit)
{
	struct pu_dns_query q = { 0 };

	if (len <= limit || len < PU_DNS_HEADER_LEN)
		return len;
	pu_put_be16(msg + 2, pu_get_be16(msg + 2) | PU_DNS_FLAG_TC);
	if (pu_get_be16(msg + 4) != 1 || read_question(&q, pu_bytes(msg, len)) < 0)
		pu_put_be16(msg + 4, 0);
	memset(msg + 6, 0, 6);
	return PU_DNS_HEADER_LEN + q.question.len;
}

bool pu_dns_reply_matches(struct pu_bytes reply, struct pu_bytes query)
{
	struct pu_dns_query asked = { 0 }, got = { 0 };
	uint16_t flags;

	if (reply.len < PU_DNS_HEADER_LEN || query.len < PU_DNS_HEADER_LEN)
		return false;
	flags = pu_get_be16(reply.p + 2);
	if (memcmp(reply.p, query.p, 2) != 0 || !(flags & PU_DNS_FLAG_QR) || (flags & OPCODE_MASK))
		return false;
	/* An upstream that refuses may leave the question out; the reply is then the
	 * bare header, good for its rcode only. */
	if (pu_get_be16(reply.p + 4) == 0)
		return (flags & 0xf) != ns_r_noerror && reply.len == PU_DNS_HEADER_LEN;
	if (pu_get_be16(reply.p + 4) != 1 || read_question(&got, reply) < 0 ||
	    read_question(&asked, query) < 0)
		return false;
	/* Some resolvers do not keep the case. */
	return got.type == asked.type && got.class == asked.class &&
	       pu_bytes_eq(pu_bytes(got.name.wire, got.name.len),
			   pu_bytes(asked.name.wire, asked.name.len));
}
