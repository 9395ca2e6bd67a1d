/* Whole nodes (daemon/node.h) in one process over the simulated network, each with a
 * directory of its own for key, config and members. */
#ifndef PU_TESTS_SUPPORT_NODE_LAB_H
#define PU_TESTS_SUPPORT_NODE_LAB_H

#include "daemon/node.h"
#include "support/simnet.h"

enum { PU_LAB_NODES = 4, PU_LAB_PACKETS = 4096 };

struct pu_lab_node {
	struct pu_lab *lab;
	struct pu_sim_node *sim;
	char name[16], ip[16], dir[64];
	struct pu_paths paths;
	struct pu_peerid id;
	char id_text[PU_PEERID_TEXT_MAX];
	struct pu_node *node; /* NULL while it is down */
	bool tcp_only;
	struct pu_tcp_listener *echo;
	/* What happened. */
	unsigned n_packets, n_batches, n_undeliverable;
	size_t packet_len[PU_LAB_PACKETS];
	unsigned packet_flags[PU_LAB_PACKETS];
	uint8_t last_packet[2048];
	int undeliverable_err;
	/* Lines of the config below these keys, with indentation. */
	char services[512], names[512], peers[1024];
	char members[1024];
};

struct pu_lab {
	struct pu_sim *sim;
	struct pu_lab_node node[PU_LAB_NODES];
	unsigned n;
};

/* n nodes "a", "b", … at 10.0.0.1, 10.0.0.2, …, none of them up. */
void pu_lab_init(struct pu_lab *lab, unsigned n);
void pu_lab_deinit(struct pu_lab *lab);
/* a names b, authorises it ("" or " access=network") and knows its addresses. */
void pu_lab_befriend(struct pu_lab_node *a, const struct pu_lab_node *b, const char *attrs);
/* Writes the files and starts the node. */
void pu_lab_up(struct pu_lab_node *a);
/* Stops it properly; virtual time passes. */
void pu_lab_down(struct pu_lab_node *a);
/* Writes the files again and reloads. */
void pu_lab_reload(struct pu_lab_node *a);
/* A TCP service at 127.0.0.1:port of the node that sends back what it gets, and
 * half-closes after the client did. */
void pu_lab_echo_service(struct pu_lab_node *a, uint16_t port);

struct pu_roster_peer *pu_lab_peer(struct pu_lab_node *a, const struct pu_lab_node *b);
bool pu_lab_connected(struct pu_lab_node *a, const struct pu_lab_node *b);
/* Runs until a knows what b offers; fails the test after 10 virtual seconds. */
void pu_lab_await_offer(struct pu_lab_node *a, struct pu_lab_node *b);
/* Runs for a while. */
void pu_lab_run(struct pu_lab *lab, pu_time t);

#endif
