/* UPnP-IGD by libminiupnpc. The library would follow whatever addresses a device on the LAN
 * gives it; so every URL is looked at before it is used, and only the default gateway's own
 * are. */
#include <arpa/inet.h>
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/err.h"
#include "platform/linux/portmap_job.h"

enum {
	SEARCH_MS = 2000,
	TTL = 2,
	PORT_TRIES = 4,
	PORT_FIRST = 1024, /* of those that are tried when ours is taken */
	ERR_CONFLICT = 718,
	ERR_ONLY_PERMANENT = 725,
};

const bool pu_linux_upnp_built_in = true;

struct igd {
	struct UPNPUrls urls;
	struct IGDdatas data;
	bool open;
};

/* http://ADDRESS[:port]/…: nothing else is looked up or followed. */
static bool is_at(const char *url, struct in_addr gateway)
{
	static const char scheme[] = "http://";
	char host[INET_ADDRSTRLEN];
	struct in_addr ip;
	size_t len;

	if (!url || strncmp(url, scheme, sizeof scheme - 1) != 0)
		return false;
	url += sizeof scheme - 1;
	len = strspn(url, "0123456789.");
	if (len == 0 || len >= sizeof host || (url[len] != ':' && url[len] != '/'))
		return false;
	memcpy(host, url, len);
	host[len] = '\0';
	return inet_pton(AF_INET, host, &ip) == 1 && ip.s_addr == gateway.s_addr;
}

static void igd_close(struct igd *g)
{
	if (g->open)
		FreeUPNPUrls(&g->urls);
	g->open = false;
}

static bool igd_open(struct igd *g, const struct pu_linux_portmap_job *j, const char *url)
{
	char lan[64] = "";

	memset(g, 0, sizeof *g);
	if (!is_at(url, j->gateway) ||
	    UPNP_GetIGDFromUrl(url, &g->urls, &g->data, lan, sizeof lan) != 1)
		return false;
	g->open = true;
	if (is_at(g->urls.controlURL, j->gateway) &&
	    strncmp(g->data.first.servicetype, "urn:schemas-upnp-org:service:WAN", 32) == 0)
		return true;
	igd_close(g);
	return false;
}

static bool search(struct igd *g, struct pu_linux_portmap_job *j)
{
	char local[INET_ADDRSTRLEN] = "";
	struct UPNPDev *list, *d;
	bool found = false;
	int err = 0;

	inet_ntop(AF_INET, &j->local, local, sizeof local);
	/* No file of a miniSSDPd: that would be somebody else's list. */
	list = upnpDiscover(SEARCH_MS, local, "", UPNP_LOCAL_PORT_ANY, 0, TTL, &err);
	for (d = list; d && !found && !*j->stop; d = d->pNext) {
		if (strlen(d->descURL) >= sizeof j->upnp_url)
			continue;
		found = igd_open(g, j, d->descURL);
		if (found)
			snprintf(j->upnp_url, sizeof j->upnp_url, "%s", d->descURL);
	}
	freeUPNPDevlist(list);
	return found;
}

static bool find_igd(struct igd *g, struct pu_linux_portmap_job *j)
{
	if (j->upnp_url[0] && igd_open(g, j, j->upnp_url))
		return true;
	j->upnp_url[0] = '\0';
	return !j->remove && search(g, j);
}

static int external_ip(const struct igd *g, struct in_addr *ip)
{
	char text[64] = "";

	if (UPNP_GetExternalIPAddress(g->urls.controlURL, g->data.first.servicetype, text) !=
		    UPNPCOMMAND_SUCCESS ||
	    inet_pton(AF_INET, text, ip) != 1)
		return PU_EDENIED;
	return 0;
}

static const char *proto(const struct pu_linux_portmap_entry *e)
{
	return e->tcp ? "TCP" : "UDP";
}

static int add(const struct igd *g, const struct pu_linux_portmap_job *j,
	       const struct pu_linux_portmap_entry *e, uint16_t external, unsigned lease_s)
{
	char out[8], in[8], lease[16], local[INET_ADDRSTRLEN] = "";

	snprintf(out, sizeof out, "%u", external);
	snprintf(in, sizeof in, "%u", e->port);
	snprintf(lease, sizeof lease, "%u", lease_s);
	inet_ntop(AF_INET, &j->local, local, sizeof local);
	return UPNP_AddPortMapping(g->urls.controlURL, g->data.first.servicetype, out, in, local,
				   "peerup-vpn", proto(e), NULL, lease);
}

static void take_back(const struct igd *g, struct pu_linux_portmap_entry *e)
{
	char out[8];

	snprintf(out, sizeof out, "%u", e->external);
	UPNP_DeletePortMapping(g->urls.controlURL, g->data.first.servicetype, out, proto(e), NULL);
	e->lifetime_s = 0;
}

static uint16_t another_port(void)
{
	uint16_t v = 0;

	(void)!getrandom(&v, sizeof v, 0);
	return (uint16_t)(PORT_FIRST + v % (UINT16_MAX - PORT_FIRST));
}

/* The port that we have, if somebody else has it any other. Some routers know leases
 * without end only; those are taken back when we stop, and renewed all the same. */
static int map_entry(const struct igd *g, const struct pu_linux_portmap_job *j,
		     struct pu_linux_portmap_entry *e)
{
	uint16_t external = e->external ? e->external : e->port;
	unsigned lease_s = PU_PORTMAP_LIFETIME_S;

	e->lifetime_s = 0;
	for (int i = 0; i < PORT_TRIES && !*j->stop; i++) {
		int r = add(g, j, e, external, lease_s);

		if (r == UPNPCOMMAND_SUCCESS) {
			e->external = external;
			e->lifetime_s = PU_PORTMAP_LIFETIME_S;
			return 0;
		}
		if (r == ERR_ONLY_PERMANENT)
			lease_s = 0;
		else if (r == ERR_CONFLICT)
			external = another_port();
		else
			break;
	}
	return PU_EDENIED;
}

int pu_linux_upnp_run(struct pu_linux_portmap_job *j)
{
	struct in_addr ip = { INADDR_ANY };
	int err = PU_EDENIED;
	struct igd g;

	if (!find_igd(&g, j))
		return PU_ETIMEDOUT;
	if (!j->remove && external_ip(&g, &ip) < 0)
		goto out;
	for (size_t i = 0; i < j->n; i++) {
		struct pu_linux_portmap_entry *e = &j->entry[i];

		if (j->remove && e->lifetime_s > 0) {
			take_back(&g, e);
			err = 0;
		} else if (!j->remove && map_entry(&g, j, e) == 0) {
			e->external_ip = ip;
			err = 0;
		}
	}
out:
	igd_close(&g);
	return err;
}
