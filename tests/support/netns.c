#include "support/netns.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

bool netns_enter(void)
{
	return unshare(CLONE_NEWNET) == 0 && netns_run("ip link set lo up") == 0;
}

int netns_tun(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	strncpy(ifr.ifr_name, name, sizeof ifr.ifr_name - 1);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int netns_run(const char *fmt, ...)
{
	char cmd[512] = "{ ";
	va_list ap;
	size_t n;
	int status;

	va_start(ap, fmt);
	n = 2 + (size_t)vsnprintf(cmd + 2, sizeof cmd - 2, fmt, ap);
	va_end(ap);
	snprintf(cmd + n, sizeof cmd - n, "; } >/dev/null 2>&1");
	status = system(cmd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void netns_output(char *out, unsigned cap, const char *fmt, ...)
{
	char cmd[512];
	va_list ap;
	size_t n = 0;
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof cmd, fmt, ap);
	va_end(ap);
	f = popen(cmd, "r");
	if (f) {
		n = fread(out, 1, cap - 1, f);
		pclose(f);
	}
	out[n] = '\0';
}
