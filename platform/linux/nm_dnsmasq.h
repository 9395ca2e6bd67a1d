/* NetworkManager with its own dnsmasq: a drop-in that sends our domains to the stub. */
#ifndef PU_PLATFORM_LINUX_NM_DNSMASQ_H
#define PU_PLATFORM_LINUX_NM_DNSMASQ_H

#include "platform/linux/paths.h"
#include "platform/platform.h"

/* True when NetworkManager runs and resolves through its dnsmasq. */
bool pu_linux_nm_dnsmasq_is_used(void);
/* record: names our entry; domains: separated by spaces. */
int pu_linux_nm_dnsmasq_set(const struct pu_linux_paths *paths, const char *record,
			    const char *domains, const struct pu_prefix *servers,
			    size_t n_servers);
/* That there is nothing to undo is no error. */
int pu_linux_nm_dnsmasq_undo(const struct pu_linux_paths *paths, const char *record);

#endif
