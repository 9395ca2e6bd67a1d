#include "platform/linux/marker.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/err.h"
#include "platform/linux/file.h"

static const char *const methods[] = {
	[PU_LINUX_DNS_NONE] = "none",
	[PU_LINUX_DNS_RESOLVED] = "resolved",
	[PU_LINUX_DNS_RESOLVCONF] = "resolvconf",
	[PU_LINUX_DNS_NETWORKMANAGER] = "networkmanager",
	[PU_LINUX_DNS_RESOLV_CONF] = "resolv-conf",
};

const char *pu_linux_marker_method_text(enum pu_linux_dns_method method)
{
	return methods[method];
}

/* 0: there is no such process, or only what is left of one until somebody waits for it. */
static uint64_t start_time(int pid)
{
	char path[64], text[1024], state;
	const char *p;
	uint64_t t = 0;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	if (pu_linux_file_read(path, text, sizeof text) < 0)
		return 0;
	/* State and start are fields 3 and 22; the second one is a name in parentheses that
	 * may hold anything. */
	p = strrchr(text, ')');
	if (!p || sscanf(p, ") %c", &state) != 1 || state == 'Z' || state == 'X')
		return 0;
	for (int i = 2; p && i < 22; i++)
		p = strchr(p + 1, ' ');
	return p && sscanf(p, " %" SCNu64, &t) == 1 ? t : 0;
}

void pu_linux_marker_own(struct pu_linux_marker *m)
{
	m->pid = getpid();
	m->began = start_time(m->pid);
}

bool pu_linux_marker_is_others(const struct pu_linux_marker *m)
{
	if (m->pid == getpid() || m->pid == getppid())
		return false;
	return m->began != 0 && start_time(m->pid) == m->began;
}

static int marker_path(const char *state_dir, char out[PATH_MAX])
{
	int n = snprintf(out, PATH_MAX, "%s/host-dns", state_dir);

	return n < 0 || n >= PATH_MAX ? PU_EINVAL : 0;
}

/* Our own spelling only: the text names what is run and removed as root. */
static int parse(const char *text, struct pu_linux_marker *out)
{
	struct pu_linux_marker m = { 0 };
	char method[32];
	int end = 0;

	if (sscanf(text,
		   "peerup-vpn host-dns 1\nmethod %31[a-z-]\nowner %9d %" SCNu64
		   "\nrecord %31[A-Za-z0-9._-]\nend\n%n",
		   method, &m.pid, &m.began, m.record, &end) != 4 ||
	    end == 0 || text[end] != '\0')
		return PU_EINVAL;
	for (size_t i = 0; i < PU_ARRAY_LEN(methods); i++) {
		if (strcmp(method, methods[i]) != 0)
			continue;
		m.method = (enum pu_linux_dns_method)i;
		*out = m;
		return 0;
	}
	return PU_EINVAL;
}

int pu_linux_marker_read(const char *state_dir, struct pu_linux_marker *out)
{
	char path[PATH_MAX], text[512];
	int r = marker_path(state_dir, path);

	if (r == 0)
		r = pu_linux_file_read_own(path, text, sizeof text);
	return r < 0 ? r : parse(text, out);
}

int pu_linux_marker_write(const char *state_dir, const struct pu_linux_marker *m)
{
	char path[PATH_MAX], text[512];
	int r = marker_path(state_dir, path);

	if (r < 0)
		return r;
	snprintf(text, sizeof text,
		 "peerup-vpn host-dns 1\nmethod %s\nowner %d %" PRIu64 "\nrecord %s\nend\n",
		 methods[m->method], m->pid, m->began, m->record);
	return pu_linux_file_replace(path, text, 0600);
}

void pu_linux_marker_remove(const char *state_dir)
{
	char path[PATH_MAX];

	if (marker_path(state_dir, path) == 0 && unlink(path) == 0)
		pu_linux_file_sync_dir(path);
}

int pu_linux_marker_lock(const char *state_dir)
{
	int fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}
