/* A TUN device in a network namespace of the test's own, for code whose other side
 * is a kernel. */
#ifndef PU_TESTS_SUPPORT_TUNLAB_H
#define PU_TESTS_SUPPORT_TUNLAB_H

#include "tun/device.h"

#define PU_TUNLAB_LOCAL4 "10.64.0.1"   /* /16 on the device */
#define PU_TUNLAB_LOCAL6 "fd00:64::1" /* /64 */

/* Moves this process into a new network namespace (and user namespace, without
 * root). NULL, or why that is not permitted here. Call before starting threads. */
const char *pu_tunlab_enter(void);
/* Opens the device with both addresses, up. NULL or what failed. */
const char *pu_tunlab_open(struct pu_tun_device *dev, const char *name, int mtu);

#endif
