#include "platform/linux/resolv_conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "platform/linux/file.h"

/* First line of a managed file, and the line behind which the old text begins. */
static const char signature[] = "# Managed by peerup-vpn while it runs, then put back: ";
static const char before_line[] = "# As before:\n";
static const char absent_line[] = "# There was no file before.\n";

enum {
	TEXT_MAX = PU_LINUX_RESOLV_CONF_BYTES,
	OURS_MAX = 1024,
};

static bool backup_path(const char *path, char out[PATH_MAX])
{
	int n = snprintf(out, PATH_MAX, "%s.before-peerup", path);

	return n > 0 && n < PATH_MAX;
}

static bool is_managed(const char *text)
{
	return strncmp(text, signature, sizeof signature - 1) == 0;
}

/* --- reading --- */

static bool parse_server(const char *line, struct pu_prefix *out)
{
	char word[INET6_ADDRSTRLEN + 1];

	memset(out, 0, sizeof *out);
	if (sscanf(line, "nameserver%*[ \t]%46[0-9A-Fa-f:.]", word) != 1)
		return false;
	if (line[strcspn(line, "%\n")] == '%')
		return false;
	if (inet_pton(AF_INET, word, out->addr) == 1) {
		out->family = AF_INET;
		out->bits = 32;
	} else if (inet_pton(AF_INET6, word, out->addr) == 1) {
		out->family = AF_INET6;
		out->bits = 128;
	}
	return out->family != 0;
}

static bool among(const struct pu_prefix *p, const struct pu_prefix *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p->family == list[i].family &&
		    memcmp(p->addr, list[i].addr, sizeof p->addr) == 0)
			return true;
	return false;
}

static size_t servers_of(const char *text, const struct pu_prefix *except, size_t n_except,
			 struct pu_prefix *out, size_t cap)
{
	size_t n = 0;

	for (const char *line = text; *line && n < cap; line += strcspn(line, "\n")) {
		line += *line == '\n';
		if (parse_server(line, &out[n]) && !among(&out[n], except, n_except) &&
		    !among(&out[n], out, n))
			n++;
	}
	return n;
}

size_t pu_linux_resolv_conf_servers(const char *path, const struct pu_prefix *except,
				    size_t n_except, struct pu_prefix *out, size_t cap)
{
	char *text = malloc(TEXT_MAX);
	size_t n = 0;

	if (text && pu_linux_file_read(path, text, TEXT_MAX) == 0) {
		n = servers_of(text, except, n_except, out, cap);
		if (n == 0 && cap > 0 && !strstr(text, "nameserver"))
			out[n++] = (struct pu_prefix){ AF_INET, 32, { 127, 0, 0, 1 } };
	}
	free(text);
	return n;
}

/* --- managing --- */

/* old NULL: there was no file. */
static char *managed_text(const char *backup, const struct pu_prefix *stub, const char *old)
{
	size_t cap = OURS_MAX + sizeof signature + PATH_MAX + (old ? strlen(old) : 0);
	char ip[INET6_ADDRSTRLEN] = "";
	char *text = malloc(cap);

	if (!text)
		return NULL;
	inet_ntop(stub->family, stub->addr, ip, sizeof ip);
	/* A short timeout, so that a stub that has died costs little until this file is
	 * put back. The user's own options come behind it and win. */
	snprintf(text, cap, "%s%s\noptions timeout:2\nnameserver %s\n%s%s%s", signature, backup, ip,
		 old ? "" : absent_line, before_line, old ? old : "nameserver 127.0.0.1\n");
	return text;
}

/* A second name for what path is: the file itself or the link itself. */
static int keep_beside(const char *path, const char *backup, const char *text)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof target - 1);
	int r;

	(void)unlink(backup);
	if (n >= 0) {
		target[n] = '\0';
		r = symlink(target, backup);
	} else {
		r = link(path, backup);
		/* Some file systems have no links, and a mount point allows none. */
		if (r < 0 && errno != ENOENT)
			return pu_linux_file_replace(backup, text, 0644);
	}
	if (r < 0)
		return pu_err_from_errno(errno);
	pu_linux_file_sync_dir(backup);
	return 0;
}

int pu_linux_resolv_conf_manage(const char *path, const struct pu_prefix *stub)
{
	char backup[PATH_MAX], *old = malloc(TEXT_MAX), *text = NULL;
	bool absent;
	int r;

	if (!old)
		return PU_ENOMEM;
	r = backup_path(path, backup) ? pu_linux_file_read(path, old, TEXT_MAX) : PU_EINVAL;
	absent = r == PU_ENOENT;
	if (r < 0 && !absent)
		goto out;
	r = PU_EEXIST;
	if (!absent && is_managed(old))
		goto out;
	r = PU_ENOMEM;
	text = managed_text(backup, stub, absent ? NULL : old);
	if (!text)
		goto out;
	r = absent ? 0 : keep_beside(path, backup, old);
	if (r == 0)
		r = pu_linux_file_replace(path, text, 0644);
	if (r < 0)
		unlink(backup);
out:
	free(text);
	free(old);
	return r;
}

/* The old text inside a managed one: for when the backup has been lost. */
static int restore_from_text(const char *path, const char *text)
{
	const char *old = strstr(text, before_line);

	if (old && !strstr(text, absent_line))
		return pu_linux_file_replace(path, old + sizeof before_line - 1, 0644);
	return unlink(path) < 0 ? pu_err_from_errno(errno) : 0;
}

/* Into a mount point, which cannot be renamed over. */
static int copy_back(const char *path, const char *backup)
{
	char *old = malloc(TEXT_MAX);
	int r = old ? pu_linux_file_read(backup, old, TEXT_MAX) : PU_ENOMEM;

	if (r == 0)
		r = pu_linux_file_replace(path, old, 0644);
	if (r == 0)
		(void)unlink(backup);
	free(old);
	return r;
}

static int restore(const char *path, const char *backup, const char *text)
{
	if (!is_managed(text)) {
		(void)unlink(backup);
		return 0;
	}
	if (rename(backup, path) == 0)
		return 0;
	switch (errno) {
	case ENOENT:
		return restore_from_text(path, text);
	case EBUSY:
		return copy_back(path, backup);
	}
	return pu_err_from_errno(errno);
}

int pu_linux_resolv_conf_restore(const char *path)
{
	char backup[PATH_MAX], *text = malloc(TEXT_MAX);
	int r = text && backup_path(path, backup) ? pu_linux_file_read(path, text, TEXT_MAX) :
						    PU_EINVAL;

	if (r == 0)
		r = restore(path, backup, text);
	else if (r == PU_ENOENT) /* somebody removed it; what was before is better */
		r = rename(backup, path) == 0 || errno == ENOENT ? 0 : pu_err_from_errno(errno);
	pu_linux_file_sync_dir(path);
	free(text);
	return r;
}

bool pu_linux_resolv_conf_is_in_use(const char *path)
{
	char *text = malloc(TEXT_MAX);
	struct pu_prefix stub;
	struct ifaddrs *list = NULL;
	bool found = false;

	if (!text || pu_linux_file_read(path, text, TEXT_MAX) < 0 || !is_managed(text) ||
	    servers_of(text, NULL, 0, &stub, 1) != 1 || stub.family != AF_INET ||
	    getifaddrs(&list) < 0)
		list = NULL;
	for (struct ifaddrs *i = list; i && !found; i = i->ifa_next)
		found = i->ifa_addr && i->ifa_addr->sa_family == AF_INET &&
			memcmp(&((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr,
			       stub.addr, 4) == 0;
	if (list)
		freeifaddrs(list);
	free(text);
	return found;
}

bool pu_linux_resolv_conf_is_plain(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}
