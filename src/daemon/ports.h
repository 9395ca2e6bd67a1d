/* Ports of well-known services, for peers that do not tell theirs. */
#ifndef PU_DAEMON_PORTS_H
#define PU_DAEMON_PORTS_H

#include <stdint.h>

/* 0 when the name is not in the table. */
uint16_t pu_ports_of_service(const char *name);

#endif
