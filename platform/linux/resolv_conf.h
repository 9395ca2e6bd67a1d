/* /etc/resolv.conf: reading it, and the managed one of "vpn.dns: resolv-conf".
 *
 * The managed file names our stub first and the servers of before after it, so that the
 * host still resolves when we are gone without a word (kill -9, power loss). What was
 * there, file or link, waits beside it as <path>.before-peerup. */
#ifndef PU_PLATFORM_LINUX_RESOLV_CONF_H
#define PU_PLATFORM_LINUX_RESOLV_CONF_H

#include "platform/platform.h"

enum { PU_LINUX_RESOLV_CONF_BYTES = 16384 /* longer files are not touched */ };

/* The name servers of a file except some, in order. Those that need an interface
 * (fe80::1%eth0) are left out. A file without any means 127.0.0.1 (resolv.conf(5)).
 * Returns the number; 0 also when the file cannot be read. */
size_t pu_linux_resolv_conf_servers(const char *path, const struct pu_prefix *except,
				    size_t n_except, struct pu_prefix *out, size_t cap);
/* PU_EEXIST: it is managed already; PU_E2BIG, PU_EPERM, …: nothing was changed. */
int pu_linux_resolv_conf_manage(const char *path, const struct pu_prefix *stub);
/* Puts back what was there; that there is nothing to put back is no error. A file that
 * somebody else wrote meanwhile stays. */
int pu_linux_resolv_conf_restore(const char *path);
/* A file that people or a DHCP client write, not a link to somebody's own. */
bool pu_linux_resolv_conf_is_plain(const char *path);
/* It is managed, and the stub that it names has an address of this machine: somebody uses
 * it. */
bool pu_linux_resolv_conf_is_in_use(const char *path);

#endif
