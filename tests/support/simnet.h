/* A network in memory and in virtual time: any number of nodes, each with its own
 * pu_loop and pu_net, joined by links with delay, rate, queue, loss and the other
 * vices of real ones. Everything follows from the seed.
 *
 *   struct pu_sim *sim = pu_sim_new(pu_sim_seed());
 *   struct pu_sim_node *a = pu_sim_node_new(sim, "a"), *b = pu_sim_node_new(sim, "b");
 *   pu_sim_node_add_ip(a, "10.0.0.1");
 *   pu_sim_node_add_ip(b, "10.0.0.2");
 *   ... objects on pu_sim_loop(a) with pu_sim_net(a) ...
 *   assert_true(pu_sim_run_until(sim, both_done, &test, PU_SEC(5)));
 *
 * Virtual time jumps to the next event or timer of any node. Between runs the test
 * may call any function of the objects; their deferred work happens in the next run.
 * Loopback addresses belong to every node. Multicast reaches the nodes that have an address
 * in the same /24 or /64, behind the same NAT. */
#ifndef PU_TESTS_SUPPORT_SIMNET_H
#define PU_TESTS_SUPPORT_SIMNET_H

#include "base/loop.h"
#include "p2p/transport/net.h"

struct pu_sim;
struct pu_sim_node;

enum {
	PU_SIM_MILLION = 1000000, /* probabilities are per million */
	PU_SIM_TCP_WINDOW = 256 * 1024,
	PU_SIM_IP4_UDP = 28,      /* bytes of IP and UDP header that count for mtu and rate */
	PU_SIM_IP6_UDP = 48,
};

/* One direction of the way between two nodes. Zero means: does not happen, no limit. */
struct pu_sim_link {
	pu_time delay;
	pu_time jitter;     /* up to this much more; order is kept */
	uint64_t rate;      /* bits per second */
	size_t queue;       /* bytes that may wait for the rate; more is dropped (UDP) */
	unsigned loss;      /* per million; TCP is delayed instead */
	unsigned reorder;   /* per million: this datagram takes 1 ms to delay + 1 ms longer */
	unsigned duplicate; /* per million */
	unsigned again;     /* per million: udp_send() says PU_EAGAIN for a millisecond */
	size_t mtu;         /* longer IP packets vanish (UDP); 0: 1500 */
	bool no_udp;        /* a firewall drops all datagrams */
	bool no_tcp;        /* a firewall drops connection attempts */
	bool down;          /* nothing passes; TCP resumes when it is up again */
};

/* The seed of this run: PU_SIM_SEED from the environment, else a fixed number. It is
 * printed by pu_sim_free() when a cmocka assertion failed before, and by
 * pu_sim_print_seed(). */
uint64_t pu_sim_seed(void);
struct pu_sim *pu_sim_new(uint64_t seed);
/* The loops of all nodes must be idle: no timers, no jobs, no sockets. */
void pu_sim_free(struct pu_sim *s);
void pu_sim_print_seed(const struct pu_sim *s);
pu_time pu_sim_now(const struct pu_sim *s);
/* Random numbers of the simulation, uniform in 0 .. n-1. */
uint64_t pu_sim_random(struct pu_sim *s, uint64_t n);

struct pu_sim_node *pu_sim_node_new(struct pu_sim *s, const char *name);
/* "10.0.0.1" or "fd00::1". */
void pu_sim_node_add_ip(struct pu_sim_node *n, const char *ip);
void pu_sim_node_remove_ip(struct pu_sim_node *n, const char *ip);
/* All addresses are on interface 1 unless told otherwise here. */
void pu_sim_node_set_interface(struct pu_sim_node *n, const char *ip, unsigned number);
/* The node's addresses as /ip4 or /ip6; returns how many. */
size_t pu_sim_node_ips(const struct pu_sim_node *n, struct pu_multiaddr *out, size_t cap);
/* MTU of the node's own interface: longer datagrams are refused with PU_E2BIG. */
void pu_sim_node_set_mtu(struct pu_sim_node *n, size_t mtu);
struct pu_loop *pu_sim_loop(struct pu_sim_node *n);
struct pu_net *pu_sim_net(struct pu_sim_node *n);
/* The node stands still for that long, like a stopped process: what arrives waits. */
void pu_sim_node_sleep(struct pu_sim_node *n, pu_time duration);
/* Sockets that are open now: for leak checks. */
unsigned pu_sim_node_sockets(const struct pu_sim_node *n);

/* Default for all pairs; both directions of a pair; one direction. Immediately valid
 * for everything sent later. */
void pu_sim_default_link(struct pu_sim *s, const struct pu_sim_link *l);
void pu_sim_link(struct pu_sim_node *a, struct pu_sim_node *b, const struct pu_sim_link *l);
void pu_sim_link_one_way(struct pu_sim_node *from, struct pu_sim_node *to,
			 const struct pu_sim_link *l);

/* TCP sockets do not tell their progress, as if they were relayed streams. */
void pu_sim_hide_tcp_progress(struct pu_sim *s);

/* Names for pu_net_ops.resolve: ip may be NULL for a TXT record with the text. Several
 * records per name are given together. Unknown names are PU_ENOENT after 20 ms. */
void pu_sim_add_name(struct pu_sim *s, const char *name, const char *ip, const char *txt);

/* What went through a link, from one node to another. */
struct pu_sim_counters {
	uint64_t udp_sent, udp_delivered, udp_lost, udp_too_big, udp_unheard;
	uint64_t bytes_delivered; /* payload of both UDP and TCP */
	uint64_t tcp_connects;
};
struct pu_sim_counters pu_sim_counters(const struct pu_sim_node *from, const struct pu_sim_node *to);

/* Runs until cond (checked after every turn) is true or limit of virtual time has
 * passed from now; true when cond is. cond NULL: just runs for that time. */
bool pu_sim_run_until(struct pu_sim *s, bool (*cond)(void *arg), void *arg, pu_time limit);
/* Runs for that long. */
void pu_sim_run(struct pu_sim *s, pu_time duration);

/* "10.0.0.1", 4001 */
union pu_sockaddr pu_sim_sockaddr(const char *ip, uint16_t port);

#endif
