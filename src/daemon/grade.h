/* How well others can reach this node, as a grade from A to F: what peer-up shows, and the
 * evidence behind it. A pure function of what was found out. */
#ifndef PU_DAEMON_GRADE_H
#define PU_DAEMON_GRADE_H

#include "p2p/autonat/autonat.h"
#include "p2p/nat/stun.h"

enum { PU_GRADE_EVIDENCE_MAX = 512 };

/* All borrowed. */
struct pu_grade_facts {
	/* Of interfaces that are up, ours excepted; one component each. */
	const struct pu_multiaddr *ips;
	size_t n_ips;
	const struct pu_stun_report *stun; /* NULL: no server was asked, or not yet */
	const struct pu_multiaddr *mapped; /* by a router at our request */
	size_t n_mapped;
	const struct pu_multiaddr *observed; /* as peers see us */
	size_t n_observed;
	const struct pu_autonat_verdict *verdicts;
	size_t n_verdicts;
};

struct pu_grade {
	char letter;
	const char *label; /* "Good" */
	const char *text;  /* "Public IPv4 detected" */
	bool global_ip4, global_ip6;
	bool cgnat; /* the provider shares its addresses among customers */
	/* "stun: port-restricted, 2 of 2 answered, 11.0.0.1:4001; autonat: …" */
	char evidence[PU_GRADE_EVIDENCE_MAX];
};

/* The first row that fits: public IPv6 A, public IPv4 B, then what is known of the NAT. An
 * outer address that a peer or the router told counts like one from STUN. */
void pu_grade(const struct pu_grade_facts *f, struct pu_grade *out);

#endif
