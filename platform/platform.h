/* What the operating system does for us, behind plain functions. Implemented by
 * platform/linux, and by platform/null, which records calls for tests.
 *
 * Privileged calls go through the table of platform/privops.h. */
#ifndef PU_PLATFORM_PLATFORM_H
#define PU_PLATFORM_PLATFORM_H

#include "base/bytes.h"
#include "base/log.h"
#include "base/loop.h"

/* Prefix in host terms: family AF_INET or AF_INET6, bits, address bytes. */
struct pu_prefix {
	uint8_t family;
	uint8_t bits;
	uint8_t addr[16];
};

enum {
	PU_ROUTE_PROTO = 112,        /* "peerup" in /etc/iproute2/rt_protos.d */
	PU_PLATFORM_ROUTES_MAX = 1024,
	PU_PLATFORM_ADDRS_MAX = 256,
};

struct pu_platform;

/* A route of the kernel on our device, as it comes and goes. gateway family 0: none. */
struct pu_route_event {
	bool added;
	struct pu_prefix dst;
	struct pu_prefix gateway;
};

struct pu_platform_events {
	/* Routes via the watched device that others made (also those present at start). */
	void (*on_route)(void *arg, const struct pu_route_event *ev);
	/* Addresses, links or default routes changed (debounced 500 ms); ask
	 * pu_platform_addrs() and pu_platform_dns_upstreams(). */
	void (*on_network_change)(void *arg);
};

/* loop must be a pu_loop_uv loop. */
int pu_platform_new(struct pu_loop *loop, const struct pu_platform_events *ev, void *arg,
		    struct pu_platform **pp);
/* Undoes everything that this object did to the host. What it may not any more, after
 * pu_platform_drop(), is left to pu_platform_dns_recover() of a process that may. */
void pu_platform_free(struct pu_platform *p);

/* Link. Addresses and routes vanish with the device. */
int pu_platform_link_up(struct pu_platform *p, const char *ifname, unsigned mtu,
			unsigned txqueuelen);
int pu_platform_set_mtu(struct pu_platform *p, const char *ifname, unsigned mtu);
int pu_platform_addr_add(struct pu_platform *p, const char *ifname, const struct pu_prefix *addr);
/* On-link route on the device with protocol PU_ROUTE_PROTO. Adding it again is no error.
 * PU_EEXIST: another device has a route with exactly this destination. The first call
 * also gives the protocol its name ("ip route show proto peerup") until we end, where the
 * package has not installed it. */
int pu_platform_route_add(struct pu_platform *p, const char *ifname, const struct pu_prefix *dst);
/* A route of the main table on another device that overlaps prefix (default routes do
 * not count): 1 with its text ("10.64.0.0/16 dev eth0") in out, 0 when none, <0. */
int pu_platform_route_overlap(struct pu_platform *p, const char *ifname,
			      const struct pu_prefix *prefix, char *out, size_t cap);
/* Starts on_route for that device: for routes that are there before this returns.
 * Device, addresses and routes of protocol "kernel" or ours are not reported. */
int pu_platform_watch_routes(struct pu_platform *p, const char *ifname);
/* Addresses of interfaces that are up, except ifname_except. Returns the number. */
size_t pu_platform_addrs(struct pu_platform *p, const char *ifname_except, struct pu_prefix *out,
			 size_t cap);

/* Host resolver (architecture §3.9). mode: "auto" (the first of the next three that
 * the host uses), "resolved", "resolvconf", "networkmanager" (its dnsmasq), "resolv-conf" (a
 * managed /etc/resolv.conf), "none". suffix: domains to send to the stub, separated by
 * spaces ("p2p 64.10.in-addr.arpa"). servers: the stub's addresses, the best one
 * first: some ways take only one. *pmethod: static text of what was used, one of the modes.
 * state_dir keeps what is needed to undo after kill -9.
 *
 * With "resolvconf" and "resolv-conf" every question of the host comes to the stub first,
 * so it has to forward (pu_platform_dns_upstreams()); the servers of before stay listed
 * behind it, so that the host resolves without us.
 *
 * PU_ENOTSUP: "auto" found nothing ("none" is in *pmethod); PU_ENOENT: the mode asked for
 * is not on this host; PU_EINVAL: no such mode; PU_EPERM, … Once per object. */
int pu_platform_dns_set(struct pu_platform *p, const char *ifname, const char *mode,
			const char *suffix, const struct pu_prefix *servers, size_t n_servers,
			const char *state_dir, const char **pmethod);
/* Undoes what a process that has ended, this one, or our parent did to files of the host;
 * harmless otherwise, and while another process with that state_dir lives. */
void pu_platform_dns_recover(const char *state_dir);
/* The resolvers that the host uses besides us, for forwarding; may be asked before and
 * after pu_platform_dns_set(), and again when the network has changed. */
size_t pu_platform_dns_upstreams(struct pu_platform *p, struct pu_prefix *out, size_t cap);

/* Start-up is over: privileged requests are from now on what platform/privops.c allows. */
void pu_platform_seal(struct pu_platform *p);
/* Keeps CAP_NET_ADMIN and CAP_NET_BIND_SERVICE only, no-new-privs; becomes uid/gid when
 * uid is not 0. To be called before the first thread starts (the pool of libuv included),
 * since capabilities are per thread: PU_EINVAL otherwise. PU_EPERM: something that had to
 * go is still there; do not go on then. */
int pu_platform_drop(unsigned uid, unsigned gid);
/* This process may do something that an ordinary one may not. */
bool pu_platform_has_rights(void);
/* Allows only the system calls that the running daemon needs, no new processes among
 * them. PU_ENOTSUP: the kernel cannot. */
int pu_platform_seccomp(void);
/* Takes io_uring away from this process, to be called before its first libuv loop is made:
 * a libuv that knows it opens a ring then, which passes by every filter, and gives up when the
 * filter comes and the ring fails. PU_ENOTSUP: the kernel cannot filter. */
int pu_platform_no_rings(void);
/* sd_notify ("READY=1", "STOPPING=1", "STATUS=…"); no effect outside systemd. */
void pu_platform_notify(const char *state);

/* True when standard error leads to the journal of systemd. */
bool pu_platform_has_journal(void);
/* For pu_log_set_fields(): MESSAGE, PRIORITY, PEERUP_MODULE, and each pair as PEERUP_<KEY>.
 * Without a journal the line goes to standard error with its priority, "<4>text". */
void pu_platform_journal(enum pu_log_level level, const char *module, const char *text,
			 const struct pu_kv *kv, size_t n);

#endif
