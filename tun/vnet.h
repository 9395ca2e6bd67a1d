/* The virtio-net header in front of each frame: 10 bytes in the machine's order. */
#ifndef PU_TUN_VNET_H
#define PU_TUN_VNET_H

#include <linux/virtio_net.h>

#include "tun/device.h"

/* Linux 6.2; older headers lack it. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

_Static_assert(sizeof(struct virtio_net_hdr) == PU_TUN_VNET_LEN, "virtio-net header");

#endif
