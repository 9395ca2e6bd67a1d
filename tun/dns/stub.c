#include "tun/dns/stub.h"

#include <stdio.h>

#include "base/err.h"
#include "tun/dns/message.h"
#include "tun/dns/reverse.h"

enum { SERVICES_MAX = 64 };

enum outcome {
	FOUND,
	NO_DATA,   /* the name exists, but not with that type */
	NO_NAME,
	NOT_OURS,
};

/* One question on its way to an answer. */
struct task {
	const struct pu_dns_config *cfg;
	const struct pu_dns_query *q;
	struct pu_dns_writer dw;
	struct pu_dns_name suffix;
	const uint8_t *apex; /* of the zone that the question lies in */
};

static bool wants(const struct task *t, unsigned type)
{
	return t->q->type == type;
}

static void put_hosts_addresses(struct task *t, ns_sect sect, const uint8_t *owner,
				const struct pu_dns_host *h)
{
	if (h->v4.version)
		pu_dns_put_address(&t->dw, sect, owner, PU_DNS_TTL, &h->v4);
	if (h->v6.version)
		pu_dns_put_address(&t->dw, sect, owner, PU_DNS_TTL, &h->v6);
}

static bool put_txt(struct task *t, const char *label)
{
	char text[PU_DNS_TXT_MAX];
	const char *p = text;

	if (!t->cfg->src->text || !t->cfg->src->text(t->cfg->arg, label, text, sizeof text))
		return false;
	pu_dns_put_txt(&t->dw, ns_s_an, t->q->name.wire, PU_DNS_TTL, &p, 1);
	return true;
}

static enum outcome answer_apex(struct task *t)
{
	if (wants(t, ns_t_soa) || wants(t, PU_DNS_TYPE_ANY))
		pu_dns_put_soa(&t->dw, ns_s_an, t->apex, PU_DNS_TTL);
	else if (wants(t, ns_t_ns))
		pu_dns_put_name(&t->dw, ns_s_an, t->apex, ns_t_ns, PU_DNS_TTL, t->apex);
	else
		return NO_DATA;
	return FOUND;
}

/* <label>.p2p. ANY gets one kind of record only (RFC 8482). */
static enum outcome answer_host(struct task *t, const char *label)
{
	const uint8_t *owner = t->q->name.wire;
	bool any = wants(t, PU_DNS_TYPE_ANY);
	struct pu_dns_host h = { 0 };

	if (!t->cfg->src->host(t->cfg->arg, label, &h))
		return NO_NAME;
	if (h.v4.version && (any || wants(t, ns_t_a)))
		pu_dns_put_address(&t->dw, ns_s_an, owner, PU_DNS_TTL, &h.v4);
	else if (h.v6.version && (any || wants(t, ns_t_aaaa)))
		pu_dns_put_address(&t->dw, ns_s_an, owner, PU_DNS_TTL, &h.v6);
	else if (!(any || wants(t, ns_t_txt)) || !put_txt(t, label))
		return NO_DATA;
	return FOUND;
}

static enum outcome answer_service(struct task *t, const char *label,
				   const struct pu_dns_service *s)
{
	const uint8_t *owner = t->q->name.wire;
	const uint8_t *target = pu_dns_name_tail(&t->q->name, 2);
	bool any = wants(t, PU_DNS_TYPE_ANY);
	char text[PU_DNS_TXT_MAX], service[80];
	const char *texts[] = { service, text };
	struct pu_dns_host h = { 0 };
	size_t n = 1;

	if (s->port && (any || wants(t, ns_t_srv))) {
		pu_dns_put_srv(&t->dw, ns_s_an, owner, PU_DNS_TTL, s->port, target);
		if (t->cfg->src->host(t->cfg->arg, label, &h))
			put_hosts_addresses(t, ns_s_ar, target, &h);
		return FOUND;
	}
	if (!any && !wants(t, ns_t_txt))
		return NO_DATA;
	snprintf(service, sizeof service, "service=%.63s", s->name);
	if (t->cfg->src->text && t->cfg->src->text(t->cfg->arg, label, text, sizeof text))
		n = 2;
	pu_dns_put_txt(&t->dw, ns_s_an, owner, PU_DNS_TTL, texts, n);
	return FOUND;
}

/* [_service.]_proto.<label>.p2p */
static enum outcome answer_under_host(struct task *t, const char *label, const char *service,
				      const char *proto)
{
	struct pu_dns_service list[SERVICES_MAX];
	struct pu_dns_host h;
	size_t n;

	if (proto[0] != '_' || (service && service[0] != '_') ||
	    !t->cfg->src->host(t->cfg->arg, label, &h))
		return NO_NAME;
	n = t->cfg->src->services(t->cfg->arg, label, list, SERVICES_MAX);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].proto, proto + 1) != 0)
			continue;
		if (!service)
			return NO_DATA;
		if (strcasecmp(list[i].name, service + 1) == 0)
			return answer_service(t, label, &list[i]);
	}
	return NO_NAME;
}

static enum outcome answer_forward(struct task *t)
{
	const struct pu_dns_name *name = &t->q->name;
	unsigned depth = name->n - t->suffix.n;
	char label[3][PU_DNS_LABEL_MAX + 1];

	t->apex = pu_dns_name_tail(name, depth);
	if (depth == 0)
		return answer_apex(t);
	if (depth > 3)
		return NO_NAME;
	for (unsigned i = 0; i < depth; i++)
		if (!pu_dns_name_label(name, i, label[i]))
			return NO_NAME;
	switch (depth) {
	case 1:
		return answer_host(t, label[0]);
	case 2:
		return answer_under_host(t, label[1], NULL, label[0]);
	}
	return answer_under_host(t, label[2], label[0], label[1]);
}

static enum outcome answer_pointer(struct task *t, const struct pu_ip *addr)
{
	char label[PU_DNS_LABEL_MAX + 1], text[NS_MAXDNAME];
	struct pu_dns_name target;

	if (!t->cfg->src->reverse(t->cfg->arg, addr, label, sizeof label))
		return NO_NAME;
	if (!wants(t, ns_t_ptr) && !wants(t, PU_DNS_TYPE_ANY))
		return NO_DATA;
	snprintf(text, sizeof text, "%s.%s", label, t->cfg->suffix);
	if (pu_dns_name_from_text(&target, text) < 0)
		return NO_DATA;
	pu_dns_put_name(&t->dw, ns_s_an, t->q->name.wire, ns_t_ptr, PU_DNS_TTL, target.wire);
	return FOUND;
}

static enum outcome answer_reverse(struct task *t, const struct pu_ip *prefix, unsigned bits)
{
	enum pu_dns_reverse kind;
	enum outcome o = NO_NAME;
	struct pu_ip addr;
	unsigned apex = 0;

	kind = pu_dns_reverse_parse(&t->q->name, prefix, bits, &apex, &addr);
	if (kind == PU_DNS_REVERSE_FOREIGN)
		return NOT_OURS;
	t->apex = pu_dns_name_tail(&t->q->name, apex);
	if (kind == PU_DNS_REVERSE_ADDRESS)
		o = answer_pointer(t, &addr);
	if (o != FOUND && apex == 0)
		return answer_apex(t);
	/* Whether an address below is in use cannot be asked of the table, and "no
	 * such name" would deny all of them (RFC 8020). */
	return kind == PU_DNS_REVERSE_ABOVE ? NO_DATA : o;
}

static enum outcome answer(struct task *t)
{
	const struct pu_dns_config *cfg = t->cfg;
	enum outcome o;

	if (pu_dns_name_within(&t->q->name, &t->suffix))
		return answer_forward(t);
	o = answer_reverse(t, &cfg->v4_prefix, cfg->v4_bits);
	if (o == NOT_OURS)
		o = answer_reverse(t, &cfg->v6_prefix, cfg->v6_bits);
	return o;
}

/* 0 when this kind of question may be asked here; else an rcode. */
static unsigned check_type(const struct pu_dns_query *q)
{
	if (q->type == ns_t_opt)
		return ns_r_formerr;
	if (q->class != ns_c_in || q->type == ns_t_axfr || q->type == ns_t_ixfr)
		return ns_r_refused;
	if (q->type >= 128 && q->type < PU_DNS_TYPE_ANY)
		return ns_r_notimpl;
	return ns_r_noerror;
}

static int fail(const struct pu_dns_query *q, unsigned rcode, uint8_t *out, size_t cap)
{
	struct pu_dns_writer dw;

	pu_dns_writer_init(&dw, q, out, cap);
	dw.rcode = rcode;
	return pu_dns_writer_end(&dw);
}

/* RFC 2308: the SOA in the authority section says how long "no" holds. */
static int finish(struct task *t, enum outcome o)
{
	struct pu_dns_writer *dw = &t->dw;

	dw->flags |= PU_DNS_FLAG_AA | PU_DNS_FLAG_RA;
	if (o == NO_NAME)
		dw->rcode = ns_r_nxdomain;
	if (o != FOUND)
		pu_dns_put_soa(dw, ns_s_ns, t->apex, PU_DNS_TTL);
	/* Additional records are optional; anything else missing is a truncation. */
	if (dw->full && (dw->count[ns_s_an] == 0 || dw->rcode)) {
		dw->flags |= PU_DNS_FLAG_TC;
		pu_dns_writer_rewind(dw);
	}
	return pu_dns_writer_end(dw);
}

static size_t answer_limit(const struct pu_dns_query *q, bool tcp, size_t cap)
{
	if (tcp)
		return pu_min(cap, PU_DNS_TCP_MAX);
	if (!q->edns)
		return pu_min(cap, PU_DNS_UDP_DEFAULT);
	return pu_min(cap, pu_min(pu_max(q->udp_size, PU_DNS_UDP_DEFAULT), PU_DNS_UDP_MAX));
}

int pu_dns_answer(const struct pu_dns_config *cfg, struct pu_bytes query, bool tcp, uint8_t *out,
		  size_t cap)
{
	struct pu_dns_query q;
	struct task t = { .cfg = cfg, .q = &q };
	enum outcome o;
	int r = pu_dns_query_parse(&q, query);

	if (r < 0)
		return 0;
	if (r > 0)
		return fail(&q, (unsigned)r, out, cap);
	if (pu_dns_name_from_text(&t.suffix, cfg->suffix) < 0)
		return fail(&q, ns_r_servfail, out, cap);
	r = (int)check_type(&q);
	if (r > 0)
		return fail(&q, (unsigned)r, out, cap);
	pu_dns_writer_init(&t.dw, &q, out, answer_limit(&q, tcp, cap));
	o = answer(&t);
	return o == NOT_OURS ? PU_ENOENT : finish(&t, o);
}

int pu_dns_fail(struct pu_bytes query, unsigned rcode, uint8_t *out, size_t cap)
{
	struct pu_dns_query q;
	int r = pu_dns_query_parse(&q, query);

	if (r < 0)
		return 0;
	return fail(&q, r > 0 ? (unsigned)r : rcode, out, cap);
}

int pu_dns_domains(const struct pu_dns_config *cfg, char *out, size_t cap)
{
	int len = snprintf(out, cap, "%s", cfg->suffix);

	if (len < 0 || (size_t)len >= cap)
		return PU_ELIMIT;
	len = pu_dns_reverse_zones(&cfg->v4_prefix, cfg->v4_bits, out, (size_t)len, cap);
	if (len >= 0)
		len = pu_dns_reverse_zones(&cfg->v6_prefix, cfg->v6_bits, out, (size_t)len, cap);
	return len < 0 ? len : 0;
}
