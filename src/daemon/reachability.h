/* How this node is found and reached: relays, hole punching, questions to others about
 * our own addresses, the hash table, the local network, port mappings, and relaying for
 * others while we can. Started after the host and its overlay, freed before the host. */
#ifndef PU_DAEMON_REACHABILITY_H
#define PU_DAEMON_REACHABILITY_H

#include "daemon/grade.h"
#include "daemon/roster.h"
#include "p2p/autonat/autonat.h"
#include "p2p/circuit/hop.h"
#include "p2p/circuit/relays.h"
#include "p2p/dcutr/dcutr.h"
#include "p2p/discovery/mdns.h"
#include "p2p/host/paths.h"
#include "p2p/kad/kad.h"
#include "p2p/nat/stun.h"

struct pu_config;
struct pu_events;
struct pu_reachability;

struct pu_reachability_options {
	struct pu_loop *loop;
	struct pu_net *net;
	struct pu_host *host;
	struct pu_roster *roster;
	/* May this peer use us (as a relay, in the hash table)? */
	bool (*authorized)(void *arg, const struct pu_peerid *peer);
	/* A relay of ours is in another state than before. May be NULL. */
	void (*on_relay)(void *arg, const struct pu_relay_info *info);
	/* Something new is known about that peer: an address, a path. */
	void (*on_news)(void *arg, const struct pu_peerid *peer);
	void *arg;
	struct pu_events *events; /* told of hole punching and STUN; NULL: nobody */
};

/* What is known now. */
struct pu_reachability_info {
	struct pu_grade grade;
	enum pu_reachable reachable; /* what AutoNAT servers say */
	struct pu_stun_report stun;  /* all zero when nobody was asked */
	bool relaying;
};

int pu_reachability_new(const struct pu_reachability_options *opt, const struct pu_config *cfg,
			struct pu_reachability **pr);
void pu_reachability_free(struct pu_reachability *r);
/* The config changed: relays, servers, limits, and circuits to every peer of the roster. */
void pu_reachability_apply(struct pu_reachability *r, const struct pu_config *cfg);
/* The peer is authorised no more: takes back what it has of us as a relay. */
void pu_reachability_expel(struct pu_reachability *r, const struct pu_peerid *peer);
/* These are our addresses now. */
void pu_reachability_network_changed(struct pu_reachability *r, const struct pu_multiaddr *ips,
				     size_t n);
/* Our addresses as last told. */
const struct pu_multiaddr *pu_reachability_ips(const struct pu_reachability *r, size_t *pn);
/* This machine slept: relays and NATs may have forgotten it. */
void pu_reachability_resumed(struct pu_reachability *r);
/* The router leads these addresses to us; n 0: none any more. */
void pu_reachability_set_mapped(struct pu_reachability *r, const struct pu_multiaddr *ma, size_t n);
/* Nothing leads to the peer: asks the hash table; what is found goes to the host, and
 * on_news tells. */
void pu_reachability_search(struct pu_reachability *r, const struct pu_peerid *peer);

void pu_reachability_info(const struct pu_reachability *r, struct pu_reachability_info *out);
size_t pu_reachability_relays(const struct pu_reachability *r, struct pu_relay_info *out,
			      size_t cap);
/* "connecting", "reserving", "reserved", "waiting". */
const char *pu_relay_state_text(enum pu_relay_state s);
struct pu_dcutr *pu_reachability_dcutr(struct pu_reachability *r);
struct pu_transport *pu_reachability_circuits(struct pu_reachability *r);
/* "relay_reservations", 3 … */
void pu_reachability_each_counter(const struct pu_reachability *r,
				  void (*fn)(void *arg, const char *name, uint64_t value),
				  void *arg);

#endif
