#include "daemon/relay_announce.h"

#include "base/err.h"
#include "base/log.h"

enum { ADDRS_MAX = 64 };

void pu_relay_announce(struct pu_relay_server *s)
{
	int r = pu_host_advertise(s->host, &s->cfg->announce, s->cfg->announce.v,
				  s->cfg->announce.n);

	if (r < 0)
		pu_log(PU_LOG_WARN, "relay", "not all addresses are announced", PU_KV_ERR(r));
}

/* /ip4/…/tcp/… and nothing behind it. */
static bool fits(const struct pu_multiaddr *ma)
{
	return pu_multiaddr_kind(ma) == PU_MA_KIND_TCP && ma->b[0] == PU_MA_IP4;
}

static uint16_t port_of(const struct pu_multiaddr *ma)
{
	union pu_sockaddr sa;

	return pu_multiaddr_to_sockaddr(ma, &sa) < 0 ? 0 : ntohs(sa.v4.sin_port);
}

/* Of the addresses that the host has on that port. */
static const struct pu_multiaddr *of_interface(const struct pu_multiaddr *v, size_t n,
					       uint16_t port, bool private_ones)
{
	for (size_t i = 0; i < n; i++)
		if (fits(&v[i]) && !pu_multiaddr_is_unspecified(&v[i]) && port_of(&v[i]) == port &&
		    !pu_multiaddr_is_loopback(&v[i]) &&
		    (private_ones || pu_multiaddr_is_public(&v[i])))
			return &v[i];
	return NULL;
}

static const struct pu_multiaddr *choose(const struct pu_relay_config *cfg,
					 const struct pu_multiaddr *v, size_t n)
{
	for (size_t i = 0; i < cfg->announce.n; i++)
		if (fits(&cfg->announce.v[i]))
			return &cfg->announce.v[i];
	for (size_t i = 0; i < cfg->listen.n; i++) {
		const struct pu_multiaddr *at = &cfg->listen.v[i], *found = at;

		if (!fits(at))
			continue;
		if (pu_multiaddr_is_unspecified(at))
			found = of_interface(v, n, port_of(at), false);
		if (!found && cfg->private_addresses)
			found = of_interface(v, n, port_of(at), true);
		if (found)
			return found;
	}
	return NULL;
}

int pu_relay_announce_for_code(const struct pu_relay_server *s, struct pu_multiaddr *ma,
			       struct pu_failure *why)
{
	struct pu_multiaddr v[ADDRS_MAX];
	const struct pu_multiaddr *at = choose(s->cfg, v, pu_host_addrs(s->host, v, ADDRS_MAX));

	if (!at)
		return pu_failure_set(why, PU_ENOENT, "network.announce_addresses", NULL,
				      "no public IPv4 address to put into codes: set "
				      "network.announce_addresses in %s to where the relay is "
				      "reached, such as [\"/ip4/203.0.113.5/tcp/7777\"]",
				      s->cfg->path);
	*ma = *at;
	return pu_multiaddr_append(ma, PU_MA_P2P, pu_peerid_bytes(&s->key.peer));
}
