/* What the callers of the system bus share: connecting, bounded waiting, error codes. */
#ifndef PU_PLATFORM_LINUX_BUS_H
#define PU_PLATFORM_LINUX_BUS_H

#include <systemd/sd-bus.h>

/* PU_ENOENT: no system bus. */
int pu_linux_bus_open(unsigned call_ms, sd_bus **pbus);
/* Sends a method call that never starts a service. Takes m. PU_ENOENT: the service does
 * not run; reply may be NULL. */
int pu_linux_bus_call(sd_bus *bus, sd_bus_message *m, unsigned call_ms, sd_bus_message **reply);

#endif
