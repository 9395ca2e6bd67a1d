#include "support/tunlab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { ADDRESS_PATIENCE_MS = 3000 };

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n < 0 ? -1 : 0;
}

static int set_up(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
	r = ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
	return r;
}

static int become_root_of_namespace(uid_t uid, gid_t gid)
{
	char map[64];

	snprintf(map, sizeof map, "0 %u 1", (unsigned)uid);
	if (write_file("/proc/self/uid_map", map) < 0)
		return -1;
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof map, "0 %u 1", (unsigned)gid);
	return write_file("/proc/self/gid_map", map);
}

const char *pu_tunlab_enter(void)
{
	uid_t uid = getuid();
	gid_t gid = getgid();

	if (unshare(CLONE_NEWNET) < 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
			return "no network namespace: not permitted";
		if (become_root_of_namespace(uid, gid) < 0)
			return "no user namespace: uid_map not writable";
	}
	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		return "no /dev/net/tun";
	return set_up("lo") < 0 ? "lo does not come up" : NULL;
}

static int add_address4(const char *name, const char *text, const char *mask, int mtu)
{
	struct ifreq ifr = { 0 };
	struct sockaddr_in *sin = (struct sockaddr_in *)(void *)&ifr.ifr_addr;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
	sin->sin_family = AF_INET;
	inet_pton(AF_INET, text, &sin->sin_addr);
	r = ioctl(fd, SIOCSIFADDR, &ifr);
	inet_pton(AF_INET, mask, &sin->sin_addr);
	if (r == 0)
		r = ioctl(fd, SIOCSIFNETMASK, &ifr);
	ifr.ifr_mtu = mtu;
	if (r == 0)
		r = ioctl(fd, SIOCSIFMTU, &ifr);
	close(fd);
	return r;
}

/* A new IPv6 address is of use only when the kernel's worker has looked at it. */
static int wait_for(int fd, const struct in6_addr *addr)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_addr = *addr };

	for (int ms = 0; ms < ADDRESS_PATIENCE_MS; ms++) {
		if (bind(fd, (struct sockaddr *)&sin6, sizeof sin6) == 0)
			return 0;
		usleep(1000);
	}
	return -1;
}

static int add_address6(const char *name, const char *text)
{
	struct in6_ifreq req = { .ifr6_prefixlen = 64, .ifr6_ifindex = (int)if_nametoindex(name) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	inet_pton(AF_INET6, text, &req.ifr6_addr);
	r = ioctl(fd, SIOCSIFADDR, &req);
	if (r == 0)
		r = wait_for(fd, &req.ifr6_addr);
	close(fd);
	return r;
}

const char *pu_tunlab_open(struct pu_tun_device *dev, const char *name, int mtu)
{
	if (pu_tun_device_open(dev, name) < 0)
		return "the device does not open";
	if (add_address4(dev->name, PU_TUNLAB_LOCAL4, "255.255.0.0", mtu) < 0)
		return "no IPv4 address on the device";
	if (set_up(dev->name) < 0)
		return "the device does not come up";
	if (add_address6(dev->name, PU_TUNLAB_LOCAL6) < 0)
		return "no IPv6 address on the device";
	return NULL;
}
