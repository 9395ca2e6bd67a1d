#include "daemon/interfaces.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

struct pu_interfaces {
	struct pu_node *node;
	struct pu_platform *platform;
};

void pu_interfaces_tell(struct pu_node *n, struct pu_platform *p, const char *except)
{
	struct pu_prefix addrs[PU_PLATFORM_ADDRS_MAX];
	struct pu_multiaddr ma[PU_PLATFORM_ADDRS_MAX];
	size_t n_addrs = pu_platform_addrs(p, except, addrs, PU_ARRAY_LEN(addrs));

	for (size_t i = 0; i < n_addrs; i++)
		pu_multiaddr_from_ip(&ma[i], addrs[i].family, addrs[i].addr);
	pu_node_network_changed(n, ma, n_addrs);
}

bool pu_interfaces_is_up(const char *name)
{
	struct ifreq rq = { .ifr_flags = 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up;

	if (fd < 0)
		return false;
	snprintf(rq.ifr_name, sizeof rq.ifr_name, "%s", name);
	up = ioctl(fd, SIOCGIFFLAGS, &rq) == 0 && (rq.ifr_flags & IFF_UP);
	close(fd);
	return up;
}

static void on_network_change(void *arg)
{
	struct pu_interfaces *i = arg;

	pu_interfaces_tell(i->node, i->platform, NULL);
}

static const struct pu_platform_events platform_events = {
	.on_network_change = on_network_change,
};

int pu_interfaces_start(struct pu_node *n, struct pu_interfaces **pi)
{
	struct pu_interfaces *i = calloc(1, sizeof *i);
	int r;

	if (!i)
		return PU_ENOMEM;
	i->node = n;
	r = pu_platform_new(n->loop, &platform_events, i, &i->platform);
	if (r < 0) {
		free(i);
		return r;
	}
	pu_interfaces_tell(n, i->platform, NULL);
	*pi = i;
	return 0;
}

void pu_interfaces_stop(struct pu_interfaces *i)
{
	if (!i)
		return;
	pu_platform_free(i->platform);
	free(i);
}
