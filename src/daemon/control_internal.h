/* The daemon behind the control API: its ops, spread over the control_*.c files. The argument
 * of each is the control. */
#ifndef PU_DAEMON_CONTROL_INTERNAL_H
#define PU_DAEMON_CONTROL_INTERNAL_H

#include "daemon/control.h"
#include "daemon/pairing.h"
#include "daemon/proxies.h"

struct pu_control {
	struct pu_control_options opt;
	struct pu_list pings, traces, wakes;
	uint64_t next_ping;
	struct pu_proxies *proxies;
	struct pu_pairing *pairing;
	/* What the last status() points to. */
	struct pu_vpn_info vpn_info;
	struct pu_multiaddr listen[PU_HOST_ADDRS_PER_PEER];
	struct pu_reachability_info reach_info;
	char external[PU_STUN_SERVERS_MAX][64];
	const char *externals[PU_STUN_SERVERS_MAX];
	struct pu_relay_info relay_info[PU_RELAYS_MAX];
	struct pu_api_relay relays[PU_RELAYS_MAX];
};

/* sleeping machines */
int pu_control_wake(void *arg, const struct pu_peerid *peer, const struct pu_peerid *via,
		    pu_api_wake_fn *on_done, void *done_arg, uint64_t *pid);
void pu_control_wake_cancel(void *arg, uint64_t id);
void pu_control_wakes_drop(struct pu_control *c);

/* services */
void pu_control_each_offered(void *arg, pu_api_offered_fn *fn, void *fn_arg);
int pu_control_expose(void *arg, const struct pu_api_expose *e, struct pu_failure *why);
int pu_control_unexpose(void *arg, const char *name);
int pu_control_each_peer_service(void *arg, const struct pu_peerid *peer, pu_api_service_fn *fn,
				 void *fn_arg);

/* proxies */
int pu_control_connect(void *arg, const struct pu_api_connect *c, pu_api_connected_fn *on_done,
		       void *done_arg, uint64_t *pid);
void pu_control_connect_cancel(void *arg, uint64_t id);
int pu_control_disconnect(void *arg, uint64_t proxy_id);
void pu_control_each_proxy(void *arg, pu_api_proxy_fn *fn, void *fn_arg);

/* members */
bool pu_control_gating(void *arg);
int pu_control_each_member(void *arg, pu_api_member_fn *fn, void *fn_arg,
			   struct pu_failure *why);
int pu_control_member_add(void *arg, const struct pu_api_new_member *m, struct pu_failure *why);
int pu_control_member_remove(void *arg, const struct pu_peerid *peer, struct pu_failure *why);

/* device */
void pu_control_each_vpn_route(void *arg, pu_api_vpn_route_fn *fn, void *fn_arg);

#endif
