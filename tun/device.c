#include "tun/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"

/* Linux 6.2; older headers lack them. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

static int open_control(int *pfd)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0) {
		/* ENODEV, ENXIO: the node is there, the driver is not. */
		if (errno == ENODEV || errno == ENXIO)
			return PU_ENOENT;
		return pu_err_from_errno(errno);
	}
	*pfd = fd;
	return 0;
}

/* IFF_TUN_EXCL: never takes over an interface that somebody made persistent. */
static int create(int fd, const char *name, char *out)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL };
	int err;

	memcpy(ifr.ifr_name, name, strlen(name));
	if (ioctl(fd, TUNSETIFF, &ifr) == 0) {
		memcpy(out, ifr.ifr_name, PU_TUN_NAME_MAX);
		return 0;
	}
	err = errno;
	/* Some kernels say EINVAL when the name is that of another kind of interface. */
	if (err == EBUSY || (err == EINVAL && if_nametoindex(name) != 0))
		return PU_EEXIST;
	return pu_err_from_errno(err);
}

/* The kernel takes USO4 and USO6 only together, and only from 6.2 on. */
static int set_offloads(int fd, bool *uso)
{
	const unsigned long base = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	int len = PU_TUN_VNET_LEN;

	if (ioctl(fd, TUNSETVNETHDRSZ, &len) < 0)
		return pu_err_from_errno(errno);
	*uso = ioctl(fd, TUNSETOFFLOAD, base | TUN_F_USO4 | TUN_F_USO6) == 0;
	if (!*uso && ioctl(fd, TUNSETOFFLOAD, base) < 0)
		return pu_err_from_errno(errno);
	return 0;
}

int pu_tun_device_open(struct pu_tun_device *d, const char *name)
{
	struct pu_tun_device dev = { .fd = -1 };
	size_t len = strlen(name);
	int r;

	if (len == 0 || len >= PU_TUN_NAME_MAX)
		return PU_EINVAL;
	r = open_control(&dev.fd);
	if (r < 0)
		return r;
	r = create(dev.fd, name, dev.name);
	if (r == 0)
		r = set_offloads(dev.fd, &dev.uso);
	if (r < 0) {
		close(dev.fd);
		return r;
	}
	*d = dev;
	return 0;
}

void pu_tun_device_close(struct pu_tun_device *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

int pu_tun_device_read(struct pu_tun_device *d, uint8_t *buf, size_t cap)
{
	ssize_t n = read(d->fd, buf, cap);

	if (n > 0)
		return (int)n;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return PU_EAGAIN;
	return PU_EIO;
}

int pu_tun_device_write(struct pu_tun_device *d, const struct iovec *iov, int n)
{
	if (writev(d->fd, iov, n) >= 0)
		return 0;
	switch (errno) {
	case EAGAIN:
	case EINTR:
	case ENOBUFS:
		return PU_EAGAIN;
	case EINVAL:
	case EMSGSIZE:
		return PU_EINVAL;
	case ENOMEM:
		return PU_ENOMEM;
	default:
		return PU_EIO; /* the interface is down or gone */
	}
}
