/* systemd-resolved over the system bus: our domains on our link. resolved forgets them
 * by itself when the link vanishes, so nothing is left to undo after kill -9. */
#ifndef PU_PLATFORM_LINUX_RESOLVED_H
#define PU_PLATFORM_LINUX_RESOLVED_H

#include "platform/linux/paths.h"
#include "platform/platform.h"

enum { PU_LINUX_RESOLVED_CALL_MS = 1000 };

/* True when the programs of this host ask resolved at all (by its stub address in
 * resolv.conf or by nss-resolve). */
bool pu_linux_resolved_is_used(const struct pu_linux_paths *paths);
/* domains: separated by spaces. PU_ENOENT: no bus, or resolved does not run (it is not
 * started); PU_EPERM; PU_ETIMEDOUT; PU_ESYS. Each call waits PU_LINUX_RESOLVED_CALL_MS. */
int pu_linux_resolved_set(int ifindex, const char *domains, const struct pu_prefix *servers,
			  size_t n_servers);
void pu_linux_resolved_revert(int ifindex);

#endif
