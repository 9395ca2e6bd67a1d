#include "p2p/host/dial_names.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

enum { NAME_MAX_LEN = 253 };

struct pu_dial_names {
	struct pu_net *net;
	struct pu_multiaddr ma;
	struct pu_peerid peer;
	char name[NAME_MAX_LEN + 1];
	struct pu_resolve *rs;
	pu_dial_names_fn *fn;
	void *arg;
};

static bool first_part(const struct pu_multiaddr *ma, size_t *poff, struct pu_ma_part *part)
{
	*poff = 0;
	return pu_multiaddr_next(ma, poff, part);
}

bool pu_dial_names_needed(const struct pu_multiaddr *ma)
{
	struct pu_ma_part p;
	size_t off;

	/* The name in front of a circuit is the relay's, for whoever dials the relay. */
	return pu_multiaddr_kind(ma) != PU_MA_KIND_CIRCUIT && first_part(ma, &off, &p) &&
	       (p.code == PU_MA_DNS || p.code == PU_MA_DNS4 || p.code == PU_MA_DNS6 ||
		p.code == PU_MA_DNSADDR);
}

static int append(struct pu_multiaddr *ma, uint32_t code, struct pu_bytes value)
{
	return pu_multiaddr_append(ma, (enum pu_ma_code)code, value);
}

/* An address part that has no value. */
static int append_flag(struct pu_multiaddr *ma, uint32_t code)
{
	return append(ma, code, pu_bytes(NULL, 0));
}

/* …/ws, knowing the name of its server. */
static int append_named_ws(const struct pu_dial_names *dn, struct pu_multiaddr *out)
{
	int r = append(out, PU_MA_SNI, pu_bytes_str(dn->name));

	return r < 0 ? r : append_flag(out, PU_MA_WS);
}

/* The name of an HTTP server is lost with the name in front: it becomes an sni part. */
static int append_rest(const struct pu_dial_names *dn, struct pu_multiaddr *out)
{
	enum pu_ma_kind kind = pu_multiaddr_kind(&dn->ma);
	bool named = (kind == PU_MA_KIND_WS || kind == PU_MA_KIND_WSS) &&
		     !pu_multiaddr_has(&dn->ma, PU_MA_SNI);
	struct pu_ma_part p;
	size_t off;
	int r = 0;

	first_part(&dn->ma, &off, &p);
	while (r == 0 && pu_multiaddr_next(&dn->ma, &off, &p)) {
		if (named && p.code == PU_MA_WSS)
			r = append_flag(out, PU_MA_TLS);
		if (r == 0 && named && (p.code == PU_MA_WS || p.code == PU_MA_WSS))
			r = append_named_ws(dn, out);
		else if (r == 0)
			r = append(out, p.code, p.value);
	}
	return r;
}

static int from_ip(const struct pu_dial_names *dn, const union pu_sockaddr *sa,
		   struct pu_multiaddr *out)
{
	struct pu_bytes ip = { (const uint8_t *)&sa->v4.sin_addr, 4 };
	int r;

	out->len = 0;
	if (sa->sa.sa_family == AF_INET6)
		ip = pu_bytes(&sa->v6.sin6_addr, 16);
	r = append(out, ip.len == 4 ? PU_MA_IP4 : PU_MA_IP6, ip);
	return r < 0 ? r : append_rest(dn, out);
}

static int from_txt(const struct pu_dial_names *dn, const char *txt, struct pu_multiaddr *out)
{
	static const char prefix[] = "dnsaddr=";
	struct pu_multiaddr ma;
	struct pu_peerid id;
	int r;

	if (strncmp(txt, prefix, sizeof prefix - 1) != 0)
		return PU_ENOENT;
	r = pu_multiaddr_from_text(&ma, txt + sizeof prefix - 1);
	if (r < 0)
		return r;
	if (pu_multiaddr_split_peer(&ma, out, &id) == 0 && !pu_peerid_eq(&id, &dn->peer))
		return PU_ENOENT;
	return out->len ? 0 : PU_ENOENT;
}

static void on_resolved(void *arg, int err, const struct pu_resolved *res)
{
	struct pu_dial_names *dn = arg;
	struct pu_multiaddr out[PU_RESOLVE_ADDRS_MAX + PU_RESOLVE_TXT_MAX];
	size_t n = 0;

	for (size_t i = 0; res && i < res->n_addrs && n < PU_ARRAY_LEN(out); i++)
		if (from_ip(dn, &res->addrs[i], &out[n]) == 0)
			n++;
	for (size_t i = 0; res && i < res->n_txt && n < PU_ARRAY_LEN(out); i++)
		if (from_txt(dn, res->txt[i], &out[n]) == 0)
			n++;
	if (err == 0 && n == 0)
		err = PU_ENOENT;
	dn->fn(dn->arg, err, out, n);
	free(dn);
}

static enum pu_resolve_kind kind_of(uint32_t code)
{
	switch (code) {
	case PU_MA_DNS4:
		return PU_RESOLVE_IP4;
	case PU_MA_DNS6:
		return PU_RESOLVE_IP6;
	case PU_MA_DNSADDR:
		return PU_RESOLVE_TXT;
	}
	return PU_RESOLVE_IP;
}

/* Names are compared and looked up as C strings. */
static int read_name(struct pu_dial_names *dn, const struct pu_ma_part *p)
{
	const char *prefix = p->code == PU_MA_DNSADDR ? "_dnsaddr." : "";
	size_t room = sizeof dn->name - strlen(prefix);

	if (p->value.len == 0 || p->value.len >= room || memchr(p->value.p, 0, p->value.len))
		return PU_EINVAL;
	snprintf(dn->name, sizeof dn->name, "%s%.*s", prefix, (int)p->value.len,
		 (const char *)p->value.p);
	return 0;
}

int pu_dial_names_start(struct pu_net *net, const struct pu_multiaddr *ma,
			const struct pu_peerid *peer, pu_dial_names_fn *fn, void *arg,
			struct pu_dial_names **pn)
{
	struct pu_dial_names *dn;
	struct pu_ma_part p;
	size_t off;
	int r;

	if (!pu_dial_names_needed(ma) || !first_part(ma, &off, &p))
		return PU_EINVAL;
	if (!net->ops->resolve)
		return PU_ENOTSUP;
	dn = calloc(1, sizeof *dn);
	if (!dn)
		return PU_ENOMEM;
	dn->net = net;
	dn->ma = *ma;
	dn->peer = *peer;
	dn->fn = fn;
	dn->arg = arg;
	r = read_name(dn, &p);
	if (r == 0)
		r = net->ops->resolve(net, dn->name, kind_of(p.code), on_resolved, dn, &dn->rs);
	if (r < 0)
		free(dn);
	else
		*pn = dn;
	return r;
}

void pu_dial_names_cancel(struct pu_dial_names *dn)
{
	dn->net->ops->resolve_cancel(dn->rs);
	free(dn);
}
