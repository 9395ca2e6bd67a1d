#include "daemon/portmapper.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "platform/portmap.h"

enum { ADDRS_MAX = 64 };

struct pu_portmapper {
	struct pu_node *node;
	struct pu_portmap *map;
};

static bool add_port(struct pu_portmap_port *ports, size_t *pn, bool tcp, uint16_t port)
{
	for (size_t i = 0; i < *pn; i++)
		if (ports[i].tcp == tcp && ports[i].port == port)
			return true;
	if (*pn == PU_PORTMAP_PORTS_MAX)
		return false;
	ports[(*pn)++] = (struct pu_portmap_port){ .tcp = tcp, .port = port };
	return true;
}

/* A router translates IPv4; what listens on the loopback stays there. */
static size_t listening_ports(const struct pu_node *n, struct pu_portmap_port *ports)
{
	struct pu_multiaddr addrs[ADDRS_MAX];
	size_t n_addrs = pu_host_addrs(n->host, addrs, PU_ARRAY_LEN(addrs)), n_ports = 0;
	union pu_sockaddr sa;

	for (size_t i = 0; i < n_addrs; i++) {
		enum pu_ma_kind kind = pu_multiaddr_kind(&addrs[i]);

		if ((kind != PU_MA_KIND_TCP && kind != PU_MA_KIND_QUIC) ||
		    pu_multiaddr_is_loopback(&addrs[i]) ||
		    pu_multiaddr_to_sockaddr(&addrs[i], &sa) < 0 || sa.sa.sa_family != AF_INET)
			continue;
		add_port(ports, &n_ports, kind == PU_MA_KIND_TCP, ntohs(sa.v4.sin_port));
	}
	return n_ports;
}

static int mapped_addr(const struct pu_portmap_mapping *m, struct pu_multiaddr *out)
{
	union pu_sockaddr sa = { .v4 = { .sin_family = AF_INET,
					 .sin_port = htons(m->external_port) } };

	if (m->external.family != AF_INET)
		return PU_ENOTSUP;
	memcpy(&sa.v4.sin_addr, m->external.addr, sizeof sa.v4.sin_addr);
	return pu_multiaddr_from_sockaddr(out, &sa, m->tcp ? PU_MA_KIND_TCP : PU_MA_KIND_QUIC);
}

static void on_mappings(void *arg, const struct pu_portmap_mapping *m, size_t n)
{
	struct pu_portmapper *p = arg;
	struct pu_multiaddr addrs[PU_PORTMAP_PORTS_MAX];
	size_t n_addrs = 0;

	for (size_t i = 0; i < n && n_addrs < PU_ARRAY_LEN(addrs); i++)
		n_addrs += mapped_addr(&m[i], &addrs[n_addrs]) == 0;
	pu_reachability_set_mapped(p->node->reachability, addrs, n_addrs);
}

static const struct pu_portmap_events portmap_events = { .on_mappings = on_mappings };

int pu_portmapper_start(struct pu_node *n, struct pu_portmapper **pp)
{
	struct pu_portmap_port ports[PU_PORTMAP_PORTS_MAX];
	size_t n_ports = listening_ports(n, ports);
	struct pu_portmapper *p;
	int r;

	if (n_ports == 0)
		return PU_ENOENT;
	p = calloc(1, sizeof *p);
	if (!p)
		return PU_ENOMEM;
	p->node = n;
	r = pu_portmap_start(n->loop, ports, n_ports, &portmap_events, p, &p->map);
	if (r < 0) {
		free(p);
		return r;
	}
	*pp = p;
	return 0;
}

void pu_portmapper_network_changed(struct pu_portmapper *p)
{
	pu_portmap_network_changed(p->map);
}

void pu_portmapper_stop(struct pu_portmapper *p, pu_job_fn *on_stopped, void *arg)
{
	pu_portmap_stop(p->map, on_stopped, arg);
}

void pu_portmapper_free(struct pu_portmapper *p)
{
	if (!p)
		return;
	pu_portmap_free(p->map);
	free(p);
}
