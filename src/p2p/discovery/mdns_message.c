#include "p2p/discovery/mdns_message.h"

#include <arpa/nameser.h>
#include <strings.h>

#include "base/err.h"
#include "base/wire.h"

enum {
	HEADER_LEN = 12,
	FLAG_RESPONSE = 0x8000,
	FLAG_OPCODE = 0x7800,
	FLAG_RCODE = 0x000f,
	FLAG_AUTHORITATIVE = 0x0400,
	CLASS_TOP_BIT = 0x8000, /* of a question: answer me alone; of a record: forget others */
	QUESTION_FIXED = 4,
	NAME_WIRE_MAX = 255,
	POINTER = 0xc000,
};

static const char text_prefix[] = "dnsaddr=";
/* Behind the header, where the first name of every message of ours starts. */
static const uint8_t service_wire[] = "\x04_p2p\x04_udp\x05local";
enum { SERVICE_AT = HEADER_LEN, LOCAL_AT = HEADER_LEN + 10 };

/* Reading. */

static bool is_service(const char *name)
{
	return strcasecmp(name, PU_MDNS_SERVICE) == 0;
}

/* label ‖ suffix */
static bool is_ours(const char *name, const char *label, const char *suffix)
{
	size_t len = strlen(label);

	return strncasecmp(name, label, len) == 0 && strcasecmp(name + len, suffix) == 0;
}

static bool is_instance(const char *name)
{
	static const char suffix[] = "." PU_MDNS_SERVICE;
	size_t len = strlen(name);

	return len >= sizeof suffix &&
	       strcasecmp(name + len - (sizeof suffix - 1), suffix) == 0;
}

static bool asks_for_us(const char *name, unsigned type, const char *label)
{
	if (is_service(name))
		return type == ns_t_ptr || type == ns_t_any;
	return is_ours(name, label, "." PU_MDNS_SERVICE) || is_ours(name, label, ".local");
}

/* A message that is being read. */
struct reading {
	ns_msg h;
	const char *label;
	struct pu_mdns_message *m;
	char instance[NS_MAXDNAME]; /* that the answer points to; "" until then */
};

static int read_question(struct reading *x, int i)
{
	struct pu_mdns_message *m = x->m;
	unsigned class;
	ns_rr rr;

	if (ns_parserr(&x->h, ns_s_qd, i, &rr) < 0)
		return PU_EPROTO;
	class = ns_rr_class(rr);
	if ((class & ~(unsigned)CLASS_TOP_BIT) != ns_c_in &&
	    (class & ~(unsigned)CLASS_TOP_BIT) != ns_c_any)
		return 0;
	if (!asks_for_us(ns_rr_name(rr), ns_rr_type(rr), x->label))
		return 0;
	if (!m->asks)
		m->asks_unicast = true;
	m->asks = true;
	m->asks_unicast &= (class & CLASS_TOP_BIT) != 0;
	return 0;
}

/* The first question as it stands, to be given back. Its name is the first of the message,
 * so a pointer in it could only be a trick. */
static struct pu_bytes first_question(struct pu_bytes b)
{
	size_t n = HEADER_LEN;

	while (n < b.len && b.p[n] != 0 && (b.p[n] & 0xc0) == 0)
		n += b.p[n] + (size_t)1;
	if (n >= b.len || b.p[n] != 0 || n - HEADER_LEN >= NAME_WIRE_MAX ||
	    b.len - n < 1 + QUESTION_FIXED)
		return pu_bytes(NULL, 0);
	return pu_bytes(b.p + HEADER_LEN, n - HEADER_LEN + 1 + QUESTION_FIXED);
}

/* The instance that the service's name points to. */
static bool read_pointer(const struct reading *x, const ns_rr *rr, char target[NS_MAXDNAME])
{
	return ns_rr_type(*rr) == ns_t_ptr && is_service(ns_rr_name(*rr)) &&
	       ns_name_uncompress(ns_msg_base(x->h), ns_msg_end(x->h), ns_rr_rdata(*rr), target,
				  NS_MAXDNAME) >= 0;
}

/* A record in the answers of a query: what the asker knows. */
static void read_known(struct reading *x, const ns_rr *rr)
{
	char target[NS_MAXDNAME];

	if (ns_rr_ttl(*rr) >= PU_MDNS_TTL_S / 2 && read_pointer(x, rr, target))
		x->m->knows_us |= is_ours(target, x->label, "." PU_MDNS_SERVICE);
}

/* rust-libp2p's instances have a name of one label, outside the service. */
static bool is_meant(const struct reading *x, const char *name)
{
	return is_instance(name) || (x->instance[0] && strcasecmp(name, x->instance) == 0);
}

static void read_text(const struct reading *x, const ns_rr *rr)
{
	struct pu_mdns_message *m = x->m;
	const size_t prefix = sizeof text_prefix - 1;
	struct pu_rd r = pu_rd_init(ns_rr_rdata(*rr), ns_rr_rdlen(*rr));

	if (ns_rr_type(*rr) != ns_t_txt || !is_meant(x, ns_rr_name(*rr)))
		return;
	m->dull = false;
	while (r.left > 0 && ns_rr_ttl(*rr) > 0 && m->n_texts < PU_ARRAY_LEN(m->texts)) {
		struct pu_bytes s = pu_rd_bytes(&r, pu_rd_u8(&r));

		if (r.err)
			return;
		if (s.len > prefix && memcmp(s.p, text_prefix, prefix) == 0)
			m->texts[m->n_texts++] = pu_bytes(s.p + prefix, s.len - prefix);
	}
}

static int read_section(struct reading *x, ns_sect sect)
{
	int n = ns_msg_count(x->h, sect);
	char target[NS_MAXDNAME];
	ns_rr rr;

	for (int i = 0; i < n && i < PU_MDNS_RECORDS_MAX; i++) {
		if (ns_parserr(&x->h, sect, i, &rr) < 0)
			return PU_EPROTO;
		if (!x->m->response)
			read_known(x, &rr);
		else if (read_pointer(x, &rr, target))
			memcpy(x->instance, target, strlen(target) + 1);
		else
			read_text(x, &rr);
	}
	return 0;
}

int pu_mdns_parse(struct pu_bytes b, const char *label, struct pu_mdns_message *out)
{
	struct reading x = { .label = label, .m = out };
	unsigned flags;
	int r = 0;

	memset(out, 0, sizeof *out);
	if (b.len < HEADER_LEN || b.len > PU_MDNS_RECV_MAX ||
	    ns_initparse(b.p, (int)b.len, &x.h) < 0)
		return PU_EPROTO;
	flags = pu_get_be16(b.p + 2);
	if (flags & (FLAG_OPCODE | FLAG_RCODE))
		return PU_EPROTO;
	out->id = pu_get_be16(b.p);
	out->response = flags & FLAG_RESPONSE;
	out->dull = out->response;
	if (out->response) {
		r = read_section(&x, ns_s_an);
		return r < 0 ? r : read_section(&x, ns_s_ar);
	}
	for (int i = 0; i < ns_msg_count(x.h, ns_s_qd) && i < PU_MDNS_RECORDS_MAX && r == 0; i++)
		r = read_question(&x, i);
	if (ns_msg_count(x.h, ns_s_qd) == 1)
		out->question = first_question(b);
	return r < 0 ? r : read_section(&x, ns_s_an);
}

/* Writing. */

struct writer {
	struct pu_wr w;
	uint16_t count[4]; /* of each section */
	uint16_t flush;    /* CLASS_TOP_BIT in records that only we have */
};

static struct writer begin(uint8_t *out, size_t cap)
{
	static const uint8_t header[HEADER_LEN];
	struct writer x = { .w = pu_wr_init(out, cap) };

	pu_wr_bytes(&x.w, pu_bytes(header, sizeof header));
	return x;
}

static int finish(struct writer *x, uint16_t id, uint16_t flags)
{
	int n = pu_wr_end(&x->w);

	if (n < 0)
		return n;
	pu_put_be16(x->w.p, id);
	pu_put_be16(x->w.p + 2, flags);
	for (int i = 0; i < 4; i++)
		pu_put_be16(x->w.p + 4 + 2 * i, x->count[i]);
	return n;
}

/* One label, then what stands elsewhere. Returns where it starts. */
static size_t put_name(struct writer *x, const char *label, size_t rest_at)
{
	size_t at = x->w.len, len = strlen(label);

	pu_wr_u8(&x->w, (uint8_t)len);
	pu_wr_bytes(&x->w, pu_bytes(label, len));
	pu_wr_be16(&x->w, (uint16_t)(POINTER | rest_at));
	return at;
}

static void put_pointer(struct writer *x, size_t at)
{
	pu_wr_be16(&x->w, (uint16_t)(POINTER | at));
}

/* Everything between owner and data. Returns where the length is to be filled in. */
static size_t rr_begin(struct writer *x, ns_sect sect, unsigned type, unsigned class, uint32_t ttl)
{
	pu_wr_be16(&x->w, (uint16_t)type);
	pu_wr_be16(&x->w, (uint16_t)class);
	pu_wr_be32(&x->w, ttl);
	pu_wr_be16(&x->w, 0);
	x->count[sect]++;
	return x->w.len - 2;
}

static void rr_end(struct writer *x, size_t length_at)
{
	if (!x->w.err)
		pu_put_be16(x->w.p + length_at, (uint16_t)(x->w.len - length_at - 2));
}

/* The pointer from the service to our instance. Returns where that name stands. */
static size_t put_ptr(struct writer *x, const char *label, uint32_t ttl)
{
	size_t len_at = rr_begin(x, ns_s_an, ns_t_ptr, ns_c_in, ttl);
	size_t at = put_name(x, label, SERVICE_AT);

	rr_end(x, len_at);
	return at;
}

/* All strings in one record: go-libp2p keeps only the last of several. */
static void put_txt(struct writer *x, const struct pu_mdns_answer *a, size_t instance_at,
		    uint32_t ttl, size_t reserve)
{
	size_t len_at, n = 0;

	put_pointer(x, instance_at);
	len_at = rr_begin(x, ns_s_ar, ns_t_txt, ns_c_in | x->flush, ttl);
	for (size_t i = 0; i < a->n_texts; i++) {
		struct pu_bytes t = a->texts[i];

		if (x->w.err || t.len > PU_MDNS_TEXT_MAX ||
		    x->w.cap - x->w.len < 1 + t.len + reserve)
			continue;
		pu_wr_u8(&x->w, (uint8_t)t.len);
		pu_wr_bytes(&x->w, t);
		n++;
	}
	if (n == 0 && a->n_texts > 0)
		x->w.err = PU_ELIMIT;
	if (a->n_texts == 0)
		pu_wr_u8(&x->w, 0); /* RFC 6763 §6.1: not even then is it without a string */
	rr_end(x, len_at);
}

/* Returns where the name of our host stands. */
static size_t put_srv(struct writer *x, const struct pu_mdns_answer *a, size_t instance_at,
		      uint32_t ttl)
{
	size_t len_at, host_at;

	put_pointer(x, instance_at);
	len_at = rr_begin(x, ns_s_ar, ns_t_srv, ns_c_in | x->flush, ttl);
	pu_wr_be32(&x->w, 0); /* priority, weight */
	pu_wr_be16(&x->w, ntohs(a->host.sa.sa_family == AF_INET ? a->host.v4.sin_port
								: a->host.v6.sin6_port));
	host_at = put_name(x, a->label, LOCAL_AT);
	rr_end(x, len_at);
	return host_at;
}

static void put_address(struct writer *x, const struct pu_mdns_answer *a, size_t host_at,
			uint32_t ttl)
{
	bool v4 = a->host.sa.sa_family == AF_INET;
	size_t len_at;

	put_pointer(x, host_at);
	len_at = rr_begin(x, ns_s_ar, v4 ? ns_t_a : ns_t_aaaa, ns_c_in | x->flush, ttl);
	pu_wr_bytes(&x->w, v4 ? pu_bytes(&a->host.v4.sin_addr, 4)
			      : pu_bytes(&a->host.v6.sin6_addr, 16));
	rr_end(x, len_at);
}

/* Where the service's name stands: at the beginning, also in front of a question that
 * asks for it, else in the answer. */
static void put_service(struct writer *x)
{
	if (x->w.len == SERVICE_AT)
		pu_wr_bytes(&x->w, pu_bytes(service_wire, sizeof service_wire));
	else
		put_pointer(x, SERVICE_AT);
}

/* Whose question is not for the service itself, to him the answer stands alone. */
static void put_question(struct writer *x, struct pu_bytes q)
{
	if (q.len != sizeof service_wire + QUESTION_FIXED ||
	    strncasecmp((const char *)q.p, (const char *)service_wire, sizeof service_wire) != 0)
		return;
	pu_wr_bytes(&x->w, q);
	x->count[ns_s_qd]++;
}

int pu_mdns_write_answer(const struct pu_mdns_answer *a, uint8_t *out, size_t cap)
{
	/* SRV and the address record come behind the text. */
	const size_t reserve = 2 + 10 + 6 + 1 + strlen(a->label) + 2 + 2 + 10 + 16;
	struct writer x = begin(out, pu_min(cap, PU_MDNS_SEND_MAX));
	uint32_t cut = a->legacy ? PU_MDNS_TTL_LEGACY_S : UINT32_MAX;
	uint32_t ttl = (uint32_t)pu_min(a->ttl, cut);
	uint32_t host_ttl = (uint32_t)pu_min(ttl, PU_MDNS_TTL_HOST_S);
	size_t at;

	x.flush = a->legacy ? 0 : CLASS_TOP_BIT;
	if (a->legacy)
		put_question(&x, a->question);
	put_service(&x);
	at = put_ptr(&x, a->label, ttl);
	put_txt(&x, a, at, ttl, reserve);
	put_address(&x, a, put_srv(&x, a, at, host_ttl), host_ttl);
	return finish(&x, a->legacy ? a->id : 0, FLAG_RESPONSE | FLAG_AUTHORITATIVE);
}

int pu_mdns_write_query(const char *label, uint8_t *out, size_t cap)
{
	struct writer x = begin(out, pu_min(cap, PU_MDNS_SEND_MAX));

	put_service(&x);
	pu_wr_be16(&x.w, ns_t_ptr);
	pu_wr_be16(&x.w, ns_c_in);
	x.count[ns_s_qd]++;
	put_service(&x);
	put_ptr(&x, label, PU_MDNS_TTL_S);
	return finish(&x, 0, 0);
}
