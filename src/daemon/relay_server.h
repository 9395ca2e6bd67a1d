/* The relay as a libp2p host: who may connect, reservations and circuits. Like a node it
 * runs on any loop and network; the process around it is relayd.h. */
#ifndef PU_DAEMON_RELAY_SERVER_H
#define PU_DAEMON_RELAY_SERVER_H

#include "daemon/event.h"
#include "daemon/failure.h"
#include "daemon/relay_config.h"
#include "daemon/relay_guests.h"
#include "overlay/member.h"
#include "p2p/autonat/autonat.h"
#include "p2p/host/host.h"
#include "p2p/kad/kad.h"

struct pu_relay_pairing;

struct pu_relay_server {
	struct pu_loop *loop;
	struct pu_relay_config *cfg;
	struct pu_key key;
	struct pu_host *host;
	struct pu_hop *hop;
	struct pu_relay_guests *guests; /* strangers with an invitation */
	struct pu_kad *kad;         /* nodes find each other in it */
	struct pu_autonat *autonat; /* tells nodes how the world sees them */
	struct pu_relay_pairing *pairing; /* members that come with a code */
	struct pu_host_observer observer;
	struct pu_members *members;
	const struct pu_file_owner *owner; /* of new files; may be NULL */
	uint8_t hash_key[16];
	struct pu_timer expiry; /* of members */
	struct pu_events events;
	pu_time started_at;
};

struct pu_relay_server_options {
	struct pu_loop *loop;
	struct pu_net *net;
	PU_TAKES struct pu_relay_config *cfg; /* also on failure */
	const struct pu_file_owner *owner;    /* of new files; outlives it; may be NULL */
	const char *version;
};

/* Listens when it returns. On failure why is filled, and *ps is NULL or to be stopped. */
int pu_relay_server_new(const struct pu_relay_server_options *opt, struct pu_relay_server **ps,
			struct pu_failure *why);
void pu_relay_server_stop(struct pu_relay_server *s, pu_job_fn *on_stopped, void *arg);
/* After it has stopped. NULL is fine. */
void pu_relay_server_free(struct pu_relay_server *s);

/* Is the peer a member now? Everybody is without gating. */
bool pu_relay_server_allowed(const struct pu_relay_server *s, const struct pu_peerid *peer);
/* The authorized keys file changed: who is not in it any more loses everything. When it
 * cannot be read nothing changes. */
int pu_relay_server_reload_members(struct pu_relay_server *s);
/* Takes over limits and the authorized keys; key and addresses need a new start. */
int pu_relay_server_reload(struct pu_relay_server *s, PU_TAKES struct pu_relay_config *cfg);

#endif
