/* The kernel's routes through the device, as they were told: for showing them. */
#ifndef PU_DAEMON_VPN_ROUTES_H
#define PU_DAEMON_VPN_ROUTES_H

#include "platform/platform.h"

enum { PU_VPN_ROUTES_MAX = PU_PLATFORM_ROUTES_MAX };

struct pu_vpn_routes {
	struct pu_vpn_route {
		struct pu_prefix dst, gateway;
	} *v;
	size_t n, cap;
};

/* Routes without a gateway, and those beyond the limit or memory, are left out. */
void pu_vpn_routes_event(struct pu_vpn_routes *r, const struct pu_route_event *ev);
void pu_vpn_routes_deinit(struct pu_vpn_routes *r);

#endif
