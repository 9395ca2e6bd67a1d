/* What reachability*.c share. */
#ifndef PU_DAEMON_REACHABILITY_INTERNAL_H
#define PU_DAEMON_REACHABILITY_INTERNAL_H

#include "daemon/config.h"
#include "daemon/reachability.h"
#include "daemon/relay_service.h"

enum { PU_REACHABILITY_MAPPED_MAX = 16 };

struct pu_reachability {
	struct pu_reachability_options opt;
	struct pu_transport *circuits; /* the host's */
	struct pu_relays *relays;
	struct pu_dcutr *dcutr;
	struct pu_autonat *autonat;
	struct pu_kad *kad;   /* NULL: off */
	struct pu_mdns *mdns; /* NULL: off */
	struct pu_relay_service *service;
	struct pu_list searches;
	unsigned n_searches;
	struct pu_stun *stun; /* under way */
	struct pu_stun_report stun_report;
	struct pu_hostport *stun_servers;
	size_t n_stun_servers;
	char *network, *rendezvous;
	bool force_private;
	struct pu_multiaddr mapped[PU_REACHABILITY_MAPPED_MAX]; /* by the router */
	size_t n_mapped;
	struct pu_multiaddr ips[PU_PLATFORM_ADDRS_MAX];
	size_t n_ips;
};

#endif
