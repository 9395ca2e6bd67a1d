/* One node without its device: identity, host, members, services, packet sessions.
 * Needs no privilege; two of them can live in one process (tests do that). The
 * device side (daemon/vpn.c) and the control API (daemon/control.c) sit on top. */
#ifndef PU_DAEMON_NODE_H
#define PU_DAEMON_NODE_H

#include "base/loop.h"
#include "daemon/config.h"
#include "daemon/event.h"
#include "daemon/failure.h"
#include "daemon/paths.h"
#include "daemon/reachability.h"
#include "daemon/roster.h"
#include "overlay/opening.h"
#include "overlay/pingpong.h"
#include "overlay/path.h"
#include "overlay/reach.h"
#include "overlay/roam.h"
#include "overlay/service.h"
#include "overlay/session.h"
#include "overlay/wake.h"
#include "p2p/host/host.h"

struct pu_node_events {
	/* A packet from a peer, unchecked; p is borrowed until return. */
	void (*on_packet)(void *arg, struct pu_roster_peer *peer, const uint8_t *p, size_t len,
			  unsigned flags);
	void (*on_batch_end)(void *arg);
	void (*on_undeliverable)(void *arg, struct pu_roster_peer *peer, const uint8_t *p,
				 size_t len, int err);
	/* The peer's rights, name, offer or connection changed. */
	void (*on_peer)(void *arg, struct pu_roster_peer *peer);
};

struct pu_node_options {
	struct pu_loop *loop;
	struct pu_net *net;
	const struct pu_paths *paths;
	struct pu_config *cfg; /* taken */
	const char *version;
};

struct pu_introductions;

struct pu_node {
	struct pu_loop *loop;
	struct pu_net *net;
	struct pu_paths paths;
	struct pu_config *cfg;
	struct pu_key key;
	struct pu_host *host;
	struct pu_vip_table *vips;
	struct pu_roster *roster;
	struct pu_roster_peer *self;
	struct pu_services *services;
	struct pu_offers *offers;
	struct pu_sessions *sessions;
	struct pu_pingpong *pingpong;
	struct pu_wake *wake;
	struct pu_reach *reach;
	struct pu_path *path;
	struct pu_reachability *reachability;
	struct pu_roam *roam;
	struct pu_introductions *introductions;
	struct pu_events events; /* told as long as the node lives */
	const struct pu_node_events *ev; /* NULL: packets are dropped */
	void *arg;
	unsigned n_ipv4, n_ipv6; /* addresses of this machine, as last told */
	pu_job_fn *on_network_change;
	void *network_arg;
	struct pu_host_observer observer;
	struct pu_gap_watch gaps;
	struct pu_timer expiry; /* looks for members whose time is over */
	pu_time started_at;
	uint64_t gated; /* strangers refused */
	uint8_t hash_key[16];
};

/* Loads key and members, starts listening. why tells the cause of a failure; when it
 * came late, *pn is set all the same: sockets are open then, and the node has to be
 * stopped like any other. *pn is NULL before. */
int pu_node_new(const struct pu_node_options *opt, struct pu_node **pn, struct pu_failure *why);
void pu_node_set_events(struct pu_node *n, const struct pu_node_events *ev, void *arg);
/* Dials the configured peers. Call when the device is ready for their packets. */
void pu_node_start(struct pu_node *n);
/* This machine has these IP addresses now (multiaddrs of one component): tells the host,
 * gives up connections from addresses that are gone, and dials what is missing. */
void pu_node_network_changed(struct pu_node *n, const struct pu_multiaddr *ips, size_t n_ips);
/* fn is called after each pu_node_network_changed(). One caller; fn NULL: none. */
void pu_node_on_network_change(struct pu_node *n, pu_job_fn *fn, void *arg);
/* Says goodbye; on_stopped comes when nothing is left open. */
void pu_node_stop(struct pu_node *n, pu_job_fn *on_stopped, void *arg);
void pu_node_free(struct pu_node *n);

/* Applies a new config's names, peers and services, and the members file. All or
 * nothing; cfg is taken on success only. */
int pu_node_reload(struct pu_node *n, struct pu_config *cfg, struct pu_failure *why);
/* The members file alone. On failure nothing changed. */
int pu_node_reload_members(struct pu_node *n, struct pu_failure *why);
/* Name or peer ID → peer. PU_ENOENT. */
int pu_node_resolve(const struct pu_node *n, const char *text, struct pu_peerid *peer,
		    bool *pfrom_id);
/* Roster entry by its name, letter case aside; NULL. */
struct pu_roster_peer *pu_node_by_name(const struct pu_node *n, const char *name);
/* Roster entry of a peer that may use us now; NULL. */
struct pu_roster_peer *pu_node_allowed(const struct pu_node *n, const struct pu_peerid *id);

#endif
