/* The ways to a peer: which connections there are and in which state, which one is used
 * and why, and what is known about every address. For those who improve paths
 * (overlay/path.c) and those who show them. */
#ifndef PU_P2P_HOST_PATHS_H
#define PU_P2P_HOST_PATHS_H

#include "p2p/host/host.h"

/* What a path is in principle, the better the larger. */
enum pu_worth {
	PU_WORTH_RELAYED,
	PU_WORTH_DIRECT_STREAM, /* TCP: packets wait for each other */
	PU_WORTH_DIRECT,        /* QUIC with datagrams */
};

enum pu_host_path_state {
	PU_HOST_PATH_ACTIVE,  /* new streams and packets go there */
	PU_HOST_PATH_STANDBY, /* works, and is not used */
	PU_HOST_PATH_SUSPECT, /* silent, passed over while there is another one */
};

struct pu_host_path {
	struct pu_conn *c;
	enum pu_worth worth;
	enum pu_host_path_state state;
	pu_time since;        /* well or suspect since */
	pu_time silent;       /* when suspect: nothing heard for so long */
	unsigned n_suspected; /* times it went silent */
};

/* Open connections to the peer, the active one first. Returns how many. */
size_t pu_host_paths(const struct pu_host *h, const struct pu_peerid *peer,
		     struct pu_host_path *out, size_t cap);
/* Why the active one is preferred to the other: a constant text, "" for NULL. */
const char *pu_host_why_preferred(const struct pu_conn *active, const struct pu_conn *other);

/* The peer turned to another connection, perhaps for a reason: makes sure that the best one
 * is alive. */
void pu_host_doubt(struct pu_host *h, const struct pu_peerid *peer);

/* The relay of …/p2p/<relay>/p2p-circuit; false for any other address. */
bool pu_host_relay_of(const struct pu_multiaddr *ma, struct pu_peerid *relay);
/* A peer of our own: circuits through it are preferred to those through a relay server. */
void pu_host_set_own_relay(struct pu_host *h, const struct pu_peerid *relay, bool on);

/* Where an address came from; several may have told it. */
enum pu_addr_source {
	PU_ADDR_CONFIG,   /* the user */
	PU_ADDR_IDENTIFY, /* the peer, unsigned */
	PU_ADDR_RECORD,   /* the peer, signed */
	PU_ADDR_MDNS,     /* heard on this network */
	PU_ADDR_DHT,      /* other peers */
	PU_ADDR_RELAY,    /* one of our relays, on which the peer may have a reservation */
	PU_ADDR_OBSERVED, /* where a connection of the peer came from */
	PU_ADDR_TOLD,     /* somebody else */
	PU_ADDR_N_SOURCES,
};

/* How far an attempt came. */
enum pu_dial_stage {
	PU_DIAL_RESOLVE,   /* the name */
	PU_DIAL_CONNECT,   /* nobody answered, or nobody wants to */
	PU_DIAL_HANDSHAKE, /* somebody did, and is not the peer or does not want us */
	PU_DIAL_OVERTAKEN, /* another address was faster */
	PU_DIAL_DONE,
};

enum { PU_ADDR_ATTEMPTS_MAX = 4 }; /* remembered per address */

struct pu_addr_attempt {
	pu_time at, took;
	int err;
	enum pu_dial_stage stage;
};

/* One known address of a peer. */
struct pu_host_candidate {
	struct pu_multiaddr ma; /* without /p2p of the peer */
	unsigned sources;       /* bits 1 << enum pu_addr_source */
	enum pu_worth worth;
	pu_time retry_at;       /* not dialled before; 0: at any time */
	bool dialing;
	bool usable;            /* one of our transports can */
	size_t n_attempts;
	struct pu_addr_attempt attempt[PU_ADDR_ATTEMPTS_MAX]; /* newest first */
};

size_t pu_host_candidates(struct pu_host *h, const struct pu_peerid *peer,
			  struct pu_host_candidate *out, size_t cap);
/* As pu_host_add_addr(), with the source; what the user and our relays told is permanent. */
int pu_host_learn_addr(struct pu_host *h, const struct pu_peerid *peer,
		       const struct pu_multiaddr *ma, enum pu_addr_source source);
const char *pu_addr_source_text(enum pu_addr_source s);
const char *pu_dial_stage_text(enum pu_dial_stage s);
enum pu_worth pu_addr_worth(const struct pu_multiaddr *ma);

/* True while nearly nothing that we sent that way for a long time got anywhere. */
struct pu_host_black_holes {
	bool udp, ip6;
};
struct pu_host_black_holes pu_host_black_holes(const struct pu_host *h);

/* Which of the known addresses to dial. */
enum pu_host_better {
	PU_HOST_BETTER,  /* those that would make a path of more worth than the best well one */
	PU_HOST_REPLACE, /* all: the best one is suspect, or about to end */
};
/* Dials although there is a connection. err 0: a new connection stands, c is it.
 * PU_EUNREACH: no address is worth it, or none may be tried so soon again; PU_EEXIST: such
 * a dial is under way (nothing is called then). Otherwise as pu_host_connect(). */
int pu_host_connect_better(struct pu_host *h, const struct pu_peerid *peer,
			   enum pu_host_better what, pu_host_connect_fn *on_done, void *arg,
			   struct pu_host_request **preq);

#endif
