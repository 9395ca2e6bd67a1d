/* The TUN device as a descriptor: super-packets with virtio-net headers in both
 * directions. Knows frames, not addresses. */
#ifndef PU_TUN_DEVICE_H
#define PU_TUN_DEVICE_H

#include "base/bytes.h"

enum {
	PU_TUN_VNET_LEN = 10,
	PU_TUN_FRAME_MAX = PU_TUN_VNET_LEN + 65535,
	PU_TUN_NAME_MAX = 16,
};

struct pu_tun_device {
	int fd;
	char name[PU_TUN_NAME_MAX];
	bool uso; /* UDP segmentation offload accepted by the kernel */
};

/* Opens /dev/net/tun and creates the interface (not persistent: it vanishes with
 * the descriptor). Needs CAP_NET_ADMIN. PU_ENOENT: no /dev/net/tun; PU_EPERM;
 * PU_EEXIST: the name is taken by another interface; PU_ESYS. */
int pu_tun_device_open(struct pu_tun_device *d, const char *name);
void pu_tun_device_close(struct pu_tun_device *d);
/* One frame (virtio header first) into buf of PU_TUN_FRAME_MAX bytes: its length,
 * PU_EAGAIN, PU_EIO. */
int pu_tun_device_read(struct pu_tun_device *d, uint8_t *buf, size_t cap);
/* One frame out of spans in order. PU_EAGAIN: queue full; PU_EINVAL: the kernel
 * refused the frame. */
struct iovec;
int pu_tun_device_write(struct pu_tun_device *d, const struct iovec *iov, int n);

#endif
