/* What a process did to the host's resolver, on disk before it is done, so that the
 * next one can undo it after kill -9 or a power loss. */
#ifndef PU_PLATFORM_LINUX_MARKER_H
#define PU_PLATFORM_LINUX_MARKER_H

#include "base/bytes.h"

enum pu_linux_dns_method {
	PU_LINUX_DNS_NONE,
	PU_LINUX_DNS_RESOLVED,
	PU_LINUX_DNS_RESOLVCONF,
	PU_LINUX_DNS_NETWORKMANAGER,
	PU_LINUX_DNS_RESOLV_CONF,
};

enum { PU_LINUX_MARKER_RECORD = 32 };

struct pu_linux_marker {
	enum pu_linux_dns_method method;
	int pid;         /* of the process that did it */
	uint64_t began;  /* when that one started, in the kernel's ticks: pids return */
	char record[PU_LINUX_MARKER_RECORD]; /* resolvconf's name for our entry */
};

/* "resolved", "resolvconf", … as in the configuration. */
const char *pu_linux_marker_method_text(enum pu_linux_dns_method method);
/* Makes this process the owner. */
void pu_linux_marker_own(struct pu_linux_marker *m);
/* True while the owner lives and is neither this process nor its parent: then nobody
 * else may undo what it did. */
bool pu_linux_marker_is_others(const struct pu_linux_marker *m);
/* PU_ENOENT: there is none; PU_EDENIED: a file that is not ours lies there; PU_EINVAL:
 * not understood. */
int pu_linux_marker_read(const char *state_dir, struct pu_linux_marker *out);
int pu_linux_marker_write(const char *state_dir, const struct pu_linux_marker *m);
void pu_linux_marker_remove(const char *state_dir);
/* One process at a time reads, undoes and writes. A descriptor to close, or -1 when the
 * directory cannot be locked (then one goes on without). */
int pu_linux_marker_lock(const char *state_dir);

#endif
