/* What the files of the simulated network share. */
#ifndef PU_TESTS_SUPPORT_SIMNET_INTERNAL_H
#define PU_TESTS_SUPPORT_SIMNET_INTERNAL_H

#include "base/buf.h"
#include "support/simnet.h"

struct pu_sim_nat;

enum { SIM_NODES_MAX = 256, SIM_IPS_MAX = 16 };

/* Something that happens on a node at a time; embedded as first member. */
struct sim_event {
	pu_time at;
	uint64_t seq; /* order of events of the same time */
	struct pu_sim_node *node;
	void (*run)(struct sim_event *e);  /* owns e */
	void (*drop)(struct sim_event *e); /* the simulation ends: free only */
};

struct sim_dir {
	struct pu_sim_link cfg;
	bool own; /* cfg is not the default */
	pu_time busy_until, last_arrival;
	struct pu_sim_counters count;
};

struct sim_name {
	struct pu_list node;
	char *name, *txt;
	union pu_sockaddr sa;
};

struct pu_sim {
	uint64_t seed, rng;
	pu_time now;
	struct sim_event **heap;
	size_t n_events, cap_events;
	uint64_t seq;
	struct pu_sim_link link;
	struct pu_sim_node *nodes[SIM_NODES_MAX];
	unsigned n_nodes;
	struct pu_list names, nats;
	unsigned turns_at_now;
	bool tcp_silent; /* sockets do not tell their progress */
};

struct pu_sim_node {
	struct pu_net net;
	struct pu_loop loop;
	struct pu_sim *sim;
	unsigned index;
	struct pu_sim_nat *nat; /* that it is behind */
	char name[32];
	uint64_t rng;
	union pu_sockaddr ips[SIM_IPS_MAX];
	unsigned interfaces[SIM_IPS_MAX]; /* of these */
	unsigned n_ips;
	size_t mtu;
	uint16_t next_port;
	pu_time slept_at, wakes_at; /* wakes_at 0: it is awake */
	pu_time slept;              /* in sum: its clock is so much behind */
	struct sim_dir *out[SIM_NODES_MAX];
	struct pu_list udps, tcps, listeners, resolves;
	unsigned n_sockets;
};

extern const struct pu_net_ops sim_net_ops;

void sim_post(struct pu_sim_node *n, struct sim_event *e, pu_time at);
/* The next event if it is due on that node now, without removing it. */
struct sim_event *sim_peek(struct pu_sim *s, const struct pu_sim_node *n);
struct sim_event *sim_pop(struct pu_sim *s);
void *sim_alloc(size_t n);
bool sim_chance(struct pu_sim *s, unsigned per_million);

struct sim_dir *sim_dir(struct pu_sim_node *from, struct pu_sim_node *to);
/* When len bytes sent now come out at the other end; false: the queue is full. */
bool sim_transmit(struct pu_sim *s, struct sim_dir *d, size_t len, bool bounded, pu_time *pat);

bool sim_sa_same_ip(const union pu_sockaddr *a, const union pu_sockaddr *b);
/* The same /24, or the same /64. */
bool sim_same_link(const union pu_sockaddr *a, const union pu_sockaddr *b);
bool sim_sa_eq(const union pu_sockaddr *a, const union pu_sockaddr *b);
bool sim_sa_wildcard(const union pu_sockaddr *a);
bool sim_sa_loopback(const union pu_sockaddr *a);
uint16_t sim_sa_port(const union pu_sockaddr *a);
void sim_sa_set_port(union pu_sockaddr *a, uint16_t port);
/* True when a socket bound to b hears what is sent to a. */
bool sim_sa_hears(const union pu_sockaddr *b, const union pu_sockaddr *a);
/* simnet_nat.c. A packet leaves n: its source becomes what the receiver will see, *prealm
 * says where (behind which NAT) its destination is meant. Returns the node whose link
 * carries it; NULL: it gets nowhere. */
struct pu_sim_node *sim_route_out(struct pu_sim_node *n, bool tcp, union pu_sockaddr *src,
				  const union pu_sockaddr *dst, struct pu_sim_nat **prealm);
/* It has arrived at the end of that link: its destination becomes the receiver's own
 * address. Returns the receiver; NULL: a NAT did not let it in. */
struct pu_sim_node *sim_route_in(struct pu_sim_node *to, bool tcp, struct pu_sim_nat *realm,
				 const union pu_sockaddr *src, union pu_sockaddr *dst);
void sim_nats_free(struct pu_sim *s);
bool sim_owns(const struct pu_sim_node *n, const union pu_sockaddr *sa);
/* Address of n towards remote (port untouched in *psa). PU_EUNREACH. */
int sim_source(const struct pu_sim_node *n, const union pu_sockaddr *remote,
	       union pu_sockaddr *psa);
uint16_t sim_ephemeral(struct pu_sim_node *n);

int sim_udp_open(struct pu_net *n, const union pu_sockaddr *bind, const struct pu_udp_events *ev,
		 void *arg, struct pu_udp **pu);
void sim_udp_local(struct pu_udp *u, union pu_sockaddr *sa);
int sim_udp_send(struct pu_udp *u, const struct pu_dgrams *d);
void sim_udp_close(struct pu_udp *u);
unsigned sim_interface_of(struct pu_net *n, const union pu_sockaddr *ip);
int sim_mcast_open(struct pu_net *n, const union pu_sockaddr *group,
		   const union pu_sockaddr *iface, const struct pu_udp_events *ev, void *arg,
		   struct pu_udp **pu);
int sim_udp_route(struct pu_net *net, const union pu_sockaddr *remote, union pu_sockaddr *local);
int sim_tcp_connect(struct pu_net *n, const union pu_sockaddr *remote,
		    const union pu_sockaddr *bind, const struct pu_tcp_events *ev, void *arg,
		    struct pu_tcp **pt);
int sim_tcp_write(struct pu_tcp *t, const struct iovec *iov, int n);
void sim_tcp_resume(struct pu_tcp *t);
void sim_tcp_shutdown(struct pu_tcp *t);
void sim_tcp_local(struct pu_tcp *t, union pu_sockaddr *sa);
void sim_tcp_remote(struct pu_tcp *t, union pu_sockaddr *sa);
void sim_tcp_set_events(struct pu_tcp *t, const struct pu_tcp_events *ev, void *arg);
bool sim_tcp_progress(struct pu_tcp *t, struct pu_tcp_progress *out);
void sim_tcp_close(struct pu_tcp *t, bool abort);
int sim_tcp_listen(struct pu_net *n, const union pu_sockaddr *bind,
		   void (*on_accept)(void *arg, struct pu_tcp *t), void *arg,
		   struct pu_tcp_listener **pl);
void sim_tcp_listener_local(struct pu_tcp_listener *l, union pu_sockaddr *sa);
void sim_tcp_listener_close(struct pu_tcp_listener *l);
/* Drops connections that no listener heard of yet. */
void sim_tcp_abandon(struct pu_sim_node *n);
int sim_resolve(struct pu_net *n, const char *name, enum pu_resolve_kind kind, pu_resolve_fn *fn,
		void *arg, struct pu_resolve **pr);
void sim_resolve_cancel(struct pu_resolve *r);

#endif
