/* The peer program: a host, commands in, events out (../README.md). */
#ifndef PU_TESTS_INTEROP_PEER_H
#define PU_TESTS_INTEROP_PEER_H

#include <jansson.h>

#include "base/loop_uv.h"
#include "p2p/autonat/autonat.h"
#include "p2p/circuit/hop.h"
#include "p2p/circuit/relays.h"
#include "p2p/dcutr/dcutr.h"
#include "p2p/discovery/mdns.h"
#include "p2p/host/host.h"
#include "p2p/kad/kad.h"

struct peer {
	struct pu_loop_uv *driver;
	struct pu_loop *loop;
	struct pu_net *net;
	struct pu_key key;
	const char *agent;
	struct pu_host *host;
	struct pu_host_observer observer;
	struct pu_relays *relays; /* circuit.c */
	struct pu_hop *hop;
	struct pu_kad *kad; /* kad.c; NULL without --kad */
	struct pu_dcutr *dcutr; /* punch.c */
	struct pu_autonat *autonat; /* autonat.c */
	struct pu_mdns *mdns;   /* mdns.c; NULL without --mdns */
	bool quitting;
};

struct options {
	const char *seed, *listen, *security, *agent;
	const char *relay; /* "TTL,DURATION,BYTES"; NULL: be no relay */
	const char *kad;   /* "client", "server"; NULL: no DHT */
	bool punch, mdns, autonat;
	bool gate; /* nobody comes in */
};

/* Makes the host and listens. On failure an error event was written. */
int peer_start(struct peer *p, const struct options *opt);
/* One line of input. */
void peer_command(struct peer *p, const char *line, size_t len);
void peer_quit(struct peer *p);

/* Relays: using them, and being one. */
int circuit_start(struct peer *p, const struct options *opt);
void circuit_reserve(struct peer *p, const char *addr);
void circuit_stop(struct peer *p);

/* The DHT. */
int kad_start(struct peer *p, const struct options *opt);
/* False: not one of its commands, or incomplete. */
bool kad_command(struct peer *p, const char *what, json_t *cmd);
void kad_stop(struct peer *p);

/* Discovery on the link. */
int mdns_start(struct peer *p);

/* Hole punching. */
int punch_start(struct peer *p);

/* Who can reach us. */
int autonat_start(struct peer *p);

/* Takes over the object, adds the name of the event and writes the line. */
void emit(const char *event, json_t *members);
/* id may be NULL. */
void emit_error(const char *stage, const struct pu_peerid *id, const char *text);

#endif
