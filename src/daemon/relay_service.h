/* This node as a relay for others (`relay_service` of the config): on while it has a
 * public address, off while it has none. */
#ifndef PU_DAEMON_RELAY_SERVICE_H
#define PU_DAEMON_RELAY_SERVICE_H

#include "p2p/circuit/hop.h"

struct pu_config_relay_service;
struct pu_relay_service;

struct pu_relay_service_options {
	struct pu_host *host;
	bool (*authorized)(void *arg, const struct pu_peerid *peer);
	void *arg;
};

int pu_relay_service_new(const struct pu_relay_service_options *opt, struct pu_relay_service **ps);
void pu_relay_service_free(struct pu_relay_service *s);
void pu_relay_service_apply(struct pu_relay_service *s, const struct pu_config_relay_service *cfg);
void pu_relay_service_set_public(struct pu_relay_service *s, bool is_public);
/* Takes back what the peer has of us; it is authorised no more. */
void pu_relay_service_expel(struct pu_relay_service *s, const struct pu_peerid *peer);
/* As pu_hop_addrs_of(); 0 while it is off. */
size_t pu_relay_service_addrs_of(const struct pu_relay_service *s, const struct pu_peerid *peer,
				 struct pu_multiaddr *out, size_t cap);
bool pu_relay_service_running(const struct pu_relay_service *s);
/* All zero while it is off. */
void pu_relay_service_stats(const struct pu_relay_service *s, struct pu_hop_stats *out);

#endif
