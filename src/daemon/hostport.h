/* Addresses of TCP services on this machine, as people write them: "localhost:22". */
#ifndef PU_DAEMON_HOSTPORT_H
#define PU_DAEMON_HOSTPORT_H

#include "daemon/config.h"

enum { PU_HOSTPORT_TEXT_MAX = 64 }; /* "[v6]:65535" */

/* Where to connect to or to listen. localhost is IPv4, whatever /etc/hosts prefers; no host
 * at all is localhost. Other names ask the system's resolver and wait for it. PU_EINVAL: not
 * host:port as the config has it; PU_ENOENT. */
int pu_hostport_parse(const char *text, union pu_sockaddr *sa);
/* "127.0.0.1:22", "[::1]:22". Returns out. */
const char *pu_hostport_text(const union pu_sockaddr *sa, char out[PU_HOSTPORT_TEXT_MAX]);

#endif
