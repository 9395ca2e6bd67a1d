/* Asks the router of this LAN to let connections in: PCP (RFC 6887), NAT-PMP (RFC 6886),
 * UPnP-IGD, in this order, whichever it speaks first. Only the default gateway is ever
 * spoken to, besides the one UPnP search on the LAN's multicast address; nothing is, when
 * this machine's own address there is public, for then there is nothing to map.
 *
 * The work is done by threads that last for one exchange; what they find arrives on the
 * loop. A router that keeps a thread for longer than PU_PORTMAP_ROUND_S loses it. */
#ifndef PU_PLATFORM_PORTMAP_H
#define PU_PLATFORM_PORTMAP_H

#include "base/loop.h"
#include "platform/platform.h"

enum {
	PU_PORTMAP_PORTS_MAX = 8,
	PU_PORTMAP_LIFETIME_S = 7200,    /* asked for */
	PU_PORTMAP_RENEW_S = 20 * 60,    /* or half of what was granted, if that is sooner */
	PU_PORTMAP_RENEW_MIN_S = 60,
	PU_PORTMAP_RETRY_S = 10 * 60,    /* when nothing was mapped; doubles … */
	PU_PORTMAP_RETRY_MAX_S = 60 * 60,
	PU_PORTMAP_ROUND_S = 40,         /* all methods together take less */
	PU_PORTMAP_STOP_S = 3,           /* for taking mappings back; later they expire */
};

struct pu_portmap;

/* A port that this machine listens on. */
struct pu_portmap_port {
	bool tcp;
	uint16_t port;
};

struct pu_portmap_mapping {
	bool tcp;
	uint16_t port; /* ours */
	struct pu_prefix external; /* not necessarily public: the router may have a NAT
				    * in front of itself */
	uint16_t external_port;
	unsigned lifetime_s;
};

struct pu_portmap_events {
	/* These mappings are in force now, n may be 0; borrowed until return. When
	 * anything but a lifetime changed. Must not stop or free from inside. */
	void (*on_mappings)(void *arg, const struct pu_portmap_mapping *m, size_t n);
};

struct pu_portmap_status {
	const char *method;       /* "pcp", "nat-pmp", "upnp", "none" */
	struct pu_prefix gateway; /* family 0: there is none */
	int err; /* of the last attempt: 0; PU_EUNREACH no gateway, PU_ENOTSUP no need for
		  * it, PU_ETIMEDOUT the gateway knows none of the methods, PU_EDENIED it
		  * refuses */
	size_t n_mapped;
};

/* loop must be a pu_loop_uv loop, and this process has given up its rights already: threads
 * keep those they start with. The first attempt begins at once. PU_EINVAL (no port),
 * PU_ELIMIT, PU_ENOMEM, PU_ESYS. */
int pu_portmap_start(struct pu_loop *loop, const struct pu_portmap_port *ports, size_t n,
		     const struct pu_portmap_events *ev, void *arg, struct pu_portmap **pm);
/* Looks for the gateway again, soon. */
void pu_portmap_network_changed(struct pu_portmap *m);
/* Takes back what was mapped. on_stopped comes later, within PU_PORTMAP_STOP_S; from then
 * on, also inside of it, pu_portmap_free() may be called. on_mappings does not fire any
 * more. */
void pu_portmap_stop(struct pu_portmap *m, pu_job_fn *on_stopped, void *arg);
/* Without pu_portmap_stop() before: mappings stay until they expire. */
void pu_portmap_free(struct pu_portmap *m);
void pu_portmap_status(const struct pu_portmap *m, struct pu_portmap_status *out);
/* "pcp nat-pmp upnp": what this build can. */
const char *pu_portmap_built_in(void);

#endif
