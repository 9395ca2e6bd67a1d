#include "daemon/zone.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/socket.h>

static bool host(void *arg, const char *label, struct pu_dns_host *out)
{
	const struct pu_roster_peer *p = pu_node_by_name(arg, label);

	if (!p)
		return false;
	out->v4 = pu_ip4(p->local.v4);
	out->v6 = pu_ip6(p->local.v6);
	return true;
}

static bool reverse(void *arg, const struct pu_ip *addr, char *label, size_t cap)
{
	const struct pu_node *n = arg;
	int family = addr->version == 4 ? AF_INET : AF_INET6;
	const struct pu_peerid *id = pu_vip_find(n->vips, family, addr->b);
	const struct pu_roster_peer *p = id ? pu_roster_find(n->roster, id) : NULL;
	size_t len = p ? strlen(p->name) : 0;

	if (len == 0 || len >= cap)
		return false;
	for (size_t i = 0; i <= len; i++)
		label[i] = (char)tolower((unsigned char)p->name[i]);
	return true;
}

/* Our own services are looked up too: home asks for home.p2p. */
static size_t own_services(struct pu_node *n, struct pu_dns_service *out, size_t cap)
{
	struct pu_service_info info[PU_SERVICES_MAX];
	size_t n_info = pu_services_list(n->services, NULL, info, pu_min(cap, PU_SERVICES_MAX));

	for (size_t i = 0; i < n_info; i++) {
		snprintf(out[i].name, sizeof out[i].name, "%s", info[i].name);
		out[i].port = info[i].port;
		out[i].proto = "tcp";
	}
	return n_info;
}

static size_t services(void *arg, const char *label, struct pu_dns_service *out, size_t cap)
{
	struct pu_node *n = arg;
	const struct pu_roster_peer *p = pu_node_by_name(n, label);
	size_t i;

	if (!p)
		return 0;
	if (p == n->self)
		return own_services(n, out, cap);
	for (i = 0; i < p->n_services && i < cap; i++) {
		snprintf(out[i].name, sizeof out[i].name, "%s", p->services[i].name);
		out[i].port = p->services[i].port;
		out[i].proto = "tcp";
	}
	return i;
}

static bool text(void *arg, const char *label, char *out, size_t cap)
{
	const struct pu_roster_peer *p = pu_node_by_name(arg, label);
	char id[PU_PEERID_TEXT_MAX];
	int len;

	if (!p)
		return false;
	len = snprintf(out, cap, "peer=%s", pu_peerid_text(&p->id, id));
	return len > 0 && (size_t)len < cap;
}

static const struct pu_dns_source source = {
	.host = host,
	.reverse = reverse,
	.services = services,
	.text = text,
};

void pu_zone_config(struct pu_node *n, struct pu_dns_config *out)
{
	const struct pu_vip_range *r = pu_vip_table_range(n->vips);

	*out = (struct pu_dns_config){
		.suffix = n->cfg->vpn.dns_suffix,
		.v4_prefix = pu_ip4(r->v4),
		.v4_bits = r->v4_bits,
		.v6_prefix = pu_ip6(r->v6),
		.v6_bits = r->v6_bits,
		.src = &source,
		.arg = n,
	};
}

void pu_zone_domains(struct pu_node *n, char out[PU_ZONE_DOMAINS_MAX])
{
	struct pu_dns_config zone;

	pu_zone_config(n, &zone);
	/* The suffix comes first and always fits; what does not is asked of us only by
	 * those who ask us anyway. */
	if (pu_dns_domains(&zone, out, PU_ZONE_DOMAINS_MAX) < 0)
		snprintf(out, PU_ZONE_DOMAINS_MAX, "%s", zone.suffix);
}
