/* What relays.c (reservations), relays_addrs.c (what they are advertised as) and
 * relays_list.c (the relays of the user) share. */
#ifndef PU_P2P_CIRCUIT_RELAYS_INTERNAL_H
#define PU_P2P_CIRCUIT_RELAYS_INTERNAL_H

#include "p2p/circuit/ask.h"
#include "p2p/circuit/relays.h"

struct pu_relay {
	struct pu_list node;
	struct pu_relays *owner;
	struct pu_relay_info info;
	struct pu_multiaddr addrs[PU_RELAYS_ADDRS_MAX]; /* as configured, without /p2p */
	size_t n_addrs;
	struct pu_multiaddr told[PU_RELAYS_ADDRS_MAX]; /* circuit addresses it gave us */
	size_t n_told;
	struct pu_host_request *req;
	struct pu_circuit_ask *ask;
	struct pu_conn *asked; /* the connection of the ask */
	struct pu_conn *conn;  /* that the reservation was made on; NULL: there is none */
	pu_time expires_at;
	bool probing;
	bool announced; /* on_change told something, the last time: */
	enum pu_relay_state announced_state;
	unsigned failures;  /* in a row */
	unsigned n_brief;   /* reservations in a row that were soon lost with the connection */
	pu_time held_since; /* the reservation, on this connection */
	struct pu_timer timer; /* next attempt */
};

struct pu_relays {
	struct pu_host *h;
	pu_time interval;
	const struct pu_relays_events *ev;
	void *arg;
	struct pu_host_observer observer;
	struct pu_list relays; /* in the order of the configuration */
};

struct pu_relay *pu_relays_find(const struct pu_relays *r, const struct pu_peerid *id);
/* The next attempt. */
void pu_relays_plan(struct pu_relay *rl, pu_time at);
/* The callback of the timer. */
void pu_relays_attempt(void *arg);

/* relays_list.c */
void pu_relays_give_up(struct pu_relay *rl);

/* relays_addrs.c */
bool pu_relays_lists(const struct pu_multiaddr *list, size_t n, const struct pu_multiaddr *ma);
void pu_relays_keep_addrs(struct pu_relay *rl, const struct pu_circuit_reservation *res,
			  const struct pu_conn *c);
void pu_relays_advertise(struct pu_relays *r);

#endif
