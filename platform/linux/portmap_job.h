/* One exchange with the router, done by a thread: what it is given and what it finds. The
 * methods block, but none for longer than its limit. */
#ifndef PU_PLATFORM_LINUX_PORTMAP_JOB_H
#define PU_PLATFORM_LINUX_PORTMAP_JOB_H

#include <netinet/in.h>
#include <stdatomic.h>

#include "platform/pcp.h"
#include "platform/portmap.h"

enum { PU_LINUX_PORTMAP_URL_MAX = 256 };

enum pu_linux_portmap_method {
	PU_LINUX_PORTMAP_NONE,
	PU_LINUX_PORTMAP_PCP,
	PU_LINUX_PORTMAP_NATPMP,
	PU_LINUX_PORTMAP_UPNP,
};

struct pu_linux_portmap_entry {
	bool tcp;
	uint16_t port;
	uint16_t external;   /* given before, or 0 */
	uint32_t lifetime_s; /* 0: not mapped */
	uint8_t nonce[PU_PCP_NONCE_LEN];
	struct in_addr external_ip;
};

struct pu_linux_portmap_job {
	bool remove; /* take everything back instead */
	struct pu_linux_portmap_entry entry[PU_PORTMAP_PORTS_MAX];
	size_t n;
	enum pu_linux_portmap_method method; /* that worked before, and that works now */
	struct in_addr gateway, local;       /* INADDR_ANY: none */
	char upnp_url[PU_LINUX_PORTMAP_URL_MAX]; /* of the router's description, or "" */
	int err;
	atomic_bool *stop; /* somebody waits: finish soon */
};

/* Finds the gateway, then a method. A gateway that is another one than before begins from
 * nothing. */
void pu_linux_portmap_job_run(struct pu_linux_portmap_job *j);

/* The methods: every entry gets its lifetime and external address. 0: the router speaks it
 * and mapped something (or took it back); PU_EDENIED: speaks it and refused everything;
 * PU_ENOTSUP, PU_ETIMEDOUT: does not speak it. */
int pu_linux_pcp_run(struct pu_linux_portmap_job *j);
int pu_linux_natpmp_run(struct pu_linux_portmap_job *j);
int pu_linux_upnp_run(struct pu_linux_portmap_job *j);
extern const bool pu_linux_natpmp_built_in, pu_linux_upnp_built_in;

/* The IPv4 default gateway of the main table, and our address towards it. PU_EUNREACH. */
int pu_linux_gateway_find(struct in_addr *gateway, struct in_addr *local);
/* True for what is never seen on the Internet. */
bool pu_linux_gateway_is_private(struct in_addr ip);

#endif
