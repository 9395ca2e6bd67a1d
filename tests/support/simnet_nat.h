/* NAT boxes and stateful firewalls of the simulated network (tests/support/simnet.h).
 *
 *   struct pu_sim_nat *home = pu_sim_nat_new(sim, &pu_sim_nat_port_restricted, "11.0.1.1");
 *   pu_sim_node_add_ip(a, "192.168.1.2");
 *   pu_sim_node_behind(a, home);
 *
 * Nodes behind one box reach each other directly; different boxes may have the same
 * addresses inside. A box may stand behind another (CGNAT); its public addresses are then
 * inside that one. Links stay those between nodes: a box adds no delay. A packet is
 * translated when it is sent and let in, or not, when it arrives. Of TCP only the opening
 * is looked at: connections that stand stay. */
#ifndef PU_TESTS_SUPPORT_SIMNET_NAT_H
#define PU_TESTS_SUPPORT_SIMNET_NAT_H

#include "support/simnet.h"

struct pu_sim_nat;

/* RFC 4787: what a mapping, or a pinhole, depends on. */
enum pu_sim_nat_rule {
	PU_SIM_NAT_ENDPOINT_INDEPENDENT,
	PU_SIM_NAT_ADDRESS,
	PU_SIM_NAT_ADDRESS_PORT,
};

struct pu_sim_nat_config {
	enum pu_sim_nat_rule mapping;   /* one public port for everyone, or per remote */
	enum pu_sim_nat_rule filtering; /* whom an open port lets in */
	bool random_ports;              /* else the inner port, where nobody has it yet */
	bool hairpin;                   /* public addresses work from inside */
	bool no_udp, no_tcp;            /* nothing of this leaves */
	bool route_ip4, route_ip6;      /* no translation: a firewall with this filtering */
	pu_time timeout;                /* of what nobody used; 0: never */
};

extern const struct pu_sim_nat_config pu_sim_nat_full_cone;
extern const struct pu_sim_nat_config pu_sim_nat_address_restricted;
extern const struct pu_sim_nat_config pu_sim_nat_port_restricted;
extern const struct pu_sim_nat_config pu_sim_nat_symmetric;

/* public_ip may be NULL for a pure firewall. Lives as long as the simulation. */
struct pu_sim_nat *pu_sim_nat_new(struct pu_sim *s, const struct pu_sim_nat_config *cfg,
				  const char *public_ip);
/* Another address outside, of the other family for example. */
void pu_sim_nat_add_ip(struct pu_sim_nat *nat, const char *public_ip);
/* NULL: on the Internet itself, as at first. */
void pu_sim_node_behind(struct pu_sim_node *n, struct pu_sim_nat *nat);
void pu_sim_nat_behind(struct pu_sim_nat *inner, struct pu_sim_nat *outer);
/* For everything sent from now on. */
void pu_sim_nat_set(struct pu_sim_nat *nat, const struct pu_sim_nat_config *cfg);
/* The box restarts: mappings and pinholes are gone, forwarded ports stay. */
void pu_sim_nat_forget(struct pu_sim_nat *nat);
/* A port that the user, or a protocol of his, opened. */
void pu_sim_nat_forward(struct pu_sim_nat *nat, bool tcp, uint16_t port, const char *inner_ip,
			uint16_t inner_port);

struct pu_sim_nat_stats {
	unsigned mappings; /* that are alive */
	uint64_t dropped;  /* that came in uninvited */
};
struct pu_sim_nat_stats pu_sim_nat_stats(struct pu_sim_nat *nat);

#endif
