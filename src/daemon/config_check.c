#include "daemon/config_check.h"

#include "base/err.h"
#include "daemon/config_value.h"
#include "overlay/service.h"

/* Of other protocols below /peerup/; those of the overlay it knows itself. */
static const char *const reserved_services[] = { "services", "kad" };

static bool is_reserved(const char *name)
{
	if (pu_service_name_check(name) == PU_EDENIED)
		return true;
	for (size_t i = 0; i < PU_ARRAY_LEN(reserved_services); i++)
		if (strcmp(name, reserved_services[i]) == 0)
			return true;
	return false;
}

static void check_services(struct pu_config *cfg, struct pu_config_diags *diags)
{
	for (size_t i = 0; i < cfg->n_services; i++) {
		struct pu_config_service *s = &cfg->services[i];

		if (s->port == 0)
			s->port = s->local.port;
		if (is_reserved(s->key.name))
			pu_config_diags_add(diags, false, s->key.line, s->key.column,
					    "services.%s: this name is reserved for a protocol "
					    "of peerup, choose another one",
					    s->key.name);
		for (size_t j = 0; j < i && s->enabled && s->port; j++) {
			if (!cfg->services[j].enabled || cfg->services[j].port != s->port)
				continue;
			pu_config_diags_add(diags, true, s->key.line, s->key.column,
					    "services.%s: peers see it on port %u as they do %s; "
					    "only the first can be reached by port",
					    s->key.name, s->port, cfg->services[j].key.name);
		}
	}
}

static const struct pu_config_name *find_name(const struct pu_config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->n_names; i++)
		if (strcmp(cfg->names[i].key.name, name) == 0)
			return &cfg->names[i];
	return NULL;
}

static void check_addresses(const struct pu_config_peer *p, struct pu_config_diags *diags)
{
	struct pu_multiaddr rest;
	struct pu_peerid id;

	for (size_t i = 0; i < p->addrs.n; i++) {
		if (pu_multiaddr_split_peer(&p->addrs.v[i], &rest, &id) == 0 &&
		    !pu_peerid_empty(&p->peer) && !pu_peerid_eq(&id, &p->peer))
			pu_config_diags_add(diags, false, p->key.line, p->key.column,
					    "peers.%s.addresses: item %zu is an address of another "
					    "peer",
					    p->key.name, i + 1);
	}
}

static void check_peers(struct pu_config *cfg, struct pu_config_diags *diags)
{
	for (size_t i = 0; i < cfg->n_peers; i++) {
		struct pu_config_peer *p = &cfg->peers[i];
		const struct pu_config_name *name = find_name(cfg, p->key.name);

		if (name)
			p->peer = name->peer;
		else if (pu_peerid_from_text(&p->peer, p->key.name) < 0)
			pu_config_diags_add(diags, true, p->key.line, p->key.column,
					    "peers.%s: neither a peer ID nor one of names, ignored",
					    p->key.name);
		check_addresses(p, diags);
	}
}

static bool is_private(const struct pu_prefix *p)
{
	static const char *const ranges[] = { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
					      "100.64.0.0/10", "198.18.0.0/15" };
	struct pu_prefix range;

	for (size_t i = 0; i < PU_ARRAY_LEN(ranges); i++) {
		if (pu_config_prefix(ranges[i], &range) < 0 || p->bits < range.bits)
			continue;
		for (unsigned bit = 0;; bit++) {
			if (bit == range.bits)
				return true;
			if ((p->addr[bit / 8] ^ range.addr[bit / 8]) & (0x80 >> bit % 8))
				break;
		}
	}
	return false;
}

static void check_vpn(const struct pu_config *cfg, struct pu_config_diags *diags)
{
	char text[PU_PREFIX_TEXT_MAX];

	if (!is_private(&cfg->vpn.subnet))
		pu_config_diags_add(diags, true, 0, 0,
				    "vpn.subnet: %s is not a private range; hosts of the Internet "
				    "in it cannot be reached while the VPN is up",
				    pu_config_prefix_text(&cfg->vpn.subnet, text));
	if ((cfg->vpn.ipv6_prefix.addr[0] & 0xfe) != 0xfc)
		pu_config_diags_add(diags, true, 0, 0,
				    "vpn.ipv6_prefix: %s is not a unique local range (fd00::/8)",
				    pu_config_prefix_text(&cfg->vpn.ipv6_prefix, text));
}

int pu_config_check(struct pu_config *cfg, struct pu_config_diags *diags)
{
	check_services(cfg, diags);
	check_peers(cfg, diags);
	check_vpn(cfg, diags);
	if (!cfg->gating)
		pu_config_diags_add(diags, true, 0, 0,
				    "security.enable_connection_gating is false: anybody may "
				    "connect to this node");
	return 0;
}

const struct pu_config_service *pu_config_find_service(const struct pu_config *cfg,
						       const char *name)
{
	for (size_t i = 0; i < cfg->n_services; i++)
		if (strcmp(cfg->services[i].key.name, name) == 0)
			return &cfg->services[i];
	return NULL;
}

const char *pu_vpn_dns_text(enum pu_vpn_dns dns)
{
	switch (dns) {
	case PU_VPN_DNS_AUTO:
		return "auto";
	case PU_VPN_DNS_RESOLVED:
		return "resolved";
	case PU_VPN_DNS_RESOLVCONF:
		return "resolvconf";
	case PU_VPN_DNS_RESOLV_CONF:
		return "resolv-conf";
	case PU_VPN_DNS_NONE:
		return "none";
	}
	return "";
}
