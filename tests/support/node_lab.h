/* Whole nodes (daemon/node.h) and relays (daemon/relay_server.h) in one process over the
 * simulated network, each with a directory of its own for key, config and members. */
#ifndef PU_TESTS_SUPPORT_NODE_LAB_H
#define PU_TESTS_SUPPORT_NODE_LAB_H

#include "daemon/node.h"
#include "daemon/relay_server.h"
#include "support/simnet_nat.h"

enum { PU_LAB_NODES = 4, PU_LAB_RELAYS = 2, PU_LAB_PACKETS = 4096 };

struct pu_lab_node {
	struct pu_lab *lab;
	struct pu_sim_node *sim;
	char name[16], ip[16], dir[64];
	struct pu_paths paths;
	struct pu_peerid id;
	char id_text[PU_PEERID_TEXT_MAX];
	struct pu_node *node; /* NULL while it is down */
	bool tcp_only;
	bool any;                /* listens on all interfaces and is told what they are */
	struct pu_sim_nat *nat;  /* that it is behind; NULL: none */
	struct pu_tcp_listener *echo;
	/* What happened. */
	unsigned n_packets, n_batches, n_undeliverable;
	size_t packet_len[PU_LAB_PACKETS];
	unsigned packet_flags[PU_LAB_PACKETS];
	uint8_t last_packet[2048];
	int undeliverable_err;
	/* Lines of the config below these keys, with indentation. */
	char services[512], names[512], peers[1024], relays[512], bootstrap[512];
	char members[1024];
};

/* A relay server at 11.0.0.101, 11.0.0.102, …, on TCP and UDP port 7777. */
struct pu_lab_relay {
	struct pu_lab *lab;
	struct pu_sim_node *sim;
	char ip[16], dir[64];
	char id_text[PU_PEERID_TEXT_MAX];
	struct pu_relay_server *server; /* NULL while it is down */
	char members[1024];
};

struct pu_lab {
	struct pu_sim *sim;
	struct pu_lab_node node[PU_LAB_NODES];
	unsigned n;
	struct pu_lab_relay relay[PU_LAB_RELAYS];
	unsigned n_relays;
};

/* n nodes "a", "b", … at 10.0.0.1, 10.0.0.2, …, none of them up. */
void pu_lab_init(struct pu_lab *lab, unsigned n);
void pu_lab_deinit(struct pu_lab *lab);
/* a names b, authorises it ("" or " access=network") and knows its addresses. */
void pu_lab_befriend(struct pu_lab_node *a, const struct pu_lab_node *b, const char *attrs);
/* a authorises b and knows nothing else of it. */
void pu_lab_authorize(struct pu_lab_node *a, const struct pu_lab_node *b, const char *attrs);
/* Gives the node that address on the Internet instead of the one it had; it listens on all
 * interfaces from its next start. */
void pu_lab_place(struct pu_lab_node *a, const char *ip);
/* The node is at 192.168.1.2 behind a box of its own with that address outside. */
void pu_lab_behind(struct pu_lab_node *a, const struct pu_sim_nat_config *cfg, const char *ip);
/* The node knows the network as it is now, the machine's addresses that is. */
void pu_lab_tell_addresses(struct pu_lab_node *a);
/* Lines for relay.addresses, or for discovery.bootstrap_peers. */
void pu_lab_list_relay(struct pu_lab_node *a, const char *ip, uint16_t port, const char *id);
void pu_lab_list_bootstrap(struct pu_lab_node *a, const char *ip, uint16_t port, const char *id);
/* Writes the files and starts the node. */
void pu_lab_up(struct pu_lab_node *a);
/* Stops it properly; virtual time passes. */
void pu_lab_down(struct pu_lab_node *a);
/* Writes the files again and reloads. */
void pu_lab_reload(struct pu_lab_node *a);
/* A TCP service at 127.0.0.1:port of the node that sends back what it gets, and
 * half-closes after the client did. */
void pu_lab_echo_service(struct pu_lab_node *a, uint16_t port);

/* Makes n relays, none of them up. Before the nodes that use them. */
void pu_lab_relays_init(struct pu_lab *lab, unsigned n);
/* The relay lets the node in, and the node lists the relay. */
void pu_lab_use_relay(struct pu_lab_node *a, struct pu_lab_relay *r);
void pu_lab_relay_authorize(struct pu_lab_relay *r, const struct pu_lab_node *a);
void pu_lab_relay_up(struct pu_lab_relay *r);
void pu_lab_relay_down(struct pu_lab_relay *r);
/* Writes the members again and has the relay read them. */
void pu_lab_relay_reload(struct pu_lab_relay *r);
void pu_lab_relays_deinit(struct pu_lab *lab);
bool pu_lab_reserved(struct pu_lab_node *a, const struct pu_lab_relay *r);

/* For the parts of the lab. */
void pu_lab_write(const char *dir, const char *name, const void *p, size_t len);
void pu_lab_remove(const char *dir, const char *const *names, size_t n);
void pu_lab_append(char *to, size_t cap, const char *text);
void pu_lab_write_key(const char *dir, const char *name, uint8_t seed, struct pu_peerid *id);

struct pu_roster_peer *pu_lab_peer(struct pu_lab_node *a, const struct pu_lab_node *b);
bool pu_lab_connected(struct pu_lab_node *a, const struct pu_lab_node *b);
/* A packet of that many bytes; how many were taken. */
size_t pu_lab_send(struct pu_lab_node *from, struct pu_lab_node *to, size_t len, unsigned flags);
/* The last one that came had so many bytes, the right ones. */
void pu_lab_check_packet(const struct pu_lab_node *a, size_t len, unsigned flags);
/* Runs until a knows what b offers; fails the test after 10 virtual seconds. */
void pu_lab_await_offer(struct pu_lab_node *a, struct pu_lab_node *b);
/* Runs for a while. */
void pu_lab_run(struct pu_lab *lab, pu_time t);

#endif
